"""The forms in which `get` prints: `-o ps|wide|yaml|json|custom-columns=…|jsonpath=…|jsonpath-file=…`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from felixbgp.cli.columns import NAMESPACE, columns_of
from felixbgp.cli.objects import Found
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.table import tabbed

FORMS = (
    "ps",
    "wide",
    "yaml",
    "json",
    "custom-columns=NAME[,NAME…]",
    "jsonpath=TEMPLATE",
    "jsonpath-file=FILE",
)
DEFAULT_GLOBAL_AS = "64512"
"""What Calico's nodes have when nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a form needs beside the objects."""

    global_as: str = DEFAULT_GLOBAL_AS
    """The AS number of nodes that have none of their own."""
    namespaces: bool = False
    """Whether tables say in which namespace each object is."""


Form = Callable[[Sequence[Found], Surroundings], str]
"""Makes the text of what was found; raises `click.UsageError` when it cannot."""


def parse_form(text: str) -> Form:
    """The form that somebody asks for by `-o`. Raises `click.UsageError`."""
    name, given, value = text.partition("=")
    if name in _SIMPLE and not given:
        return _SIMPLE[name]
    match name:
        case "custom-columns":
            return _custom_columns([column for column in value.split(",") if column])
        case "jsonpath":
            return _jsonpath(value, "the template")
        case "jsonpath-file":
            return _jsonpath(_template_in(value), value)
        case "go-template" | "go-template-file":
            raise click.UsageError(
                f"{name} would need Go's template engine; use jsonpath, "
                "for example: -o jsonpath='{.items[*].metadata.name}'"
            )
        case _:
            raise click.UsageError(f"unrecognized output format '{text}'; there are: {', '.join(FORMS)}")


def _printed(found: Sequence[Found]) -> object:
    """One result by itself, several or none as a list, as calicoctl has it."""
    objects = [entry.as_object() for entry in found]
    return objects[0] if len(objects) == 1 else objects


def _tables(
    found: Sequence[Found], surroundings: Surroundings, *, wide: bool = False, chosen: Sequence[str] = ()
) -> str:
    """A table for each result, an empty line after each."""
    return "".join(_table(entry, surroundings, wide=wide, chosen=chosen) + "\n" for entry in found)


def _table(found: Found, surroundings: Surroundings, *, wide: bool, chosen: Sequence[str]) -> str:
    columns = columns_of(found.kind, surroundings.global_as)
    names = list(chosen or (columns.wide if wide else columns.narrow))
    if surroundings.namespaces and not chosen and NAMESPACE in columns.fill:
        names.insert(0, NAMESPACE)
    for name in names:
        if name not in columns.fill:
            raise click.UsageError(f"Unknown heading {name}, valid values are: {', '.join(columns.fill)}")
    return tabbed(names, [[columns.fill[name](row) for name in names] for row in found.objects])


def _custom_columns(names: Sequence[str]) -> Form:
    if not names:
        raise click.UsageError("need to specify at least one column")
    return lambda found, surroundings: _tables(found, surroundings, chosen=names)


def _jsonpath(template: str, source: str) -> Form:
    # Loaded late: only this form needs it.
    from felixbgp.cli.jsonpath import TemplateError, parse, render  # noqa: PLC0415

    if not template:
        raise click.UsageError("need to specify a template")
    try:
        parts = parse(template)
    except TemplateError as error:
        raise click.UsageError(f"{source} {error}") from error

    def form(found: Sequence[Found], surroundings: Surroundings) -> str:  # noqa: ARG001 - a form's arguments
        try:
            return render(parts, _printed(found)) if found else ""
        except TemplateError as error:
            raise click.UsageError(f"{source} {error}") from error

    return form


def _template_in(name: str) -> str:
    """The template in a file."""
    from felixbgp.cli.jsonpath import TEMPLATE_CHARACTERS_MAX  # noqa: PLC0415

    if not name:
        raise click.UsageError("need to specify a template file")
    try:
        with Path(name).open(encoding="utf-8") as file:
            return file.read(TEMPLATE_CHARACTERS_MAX + 1)
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{name}: byte {error.start + 1} is not UTF-8") from error


_SIMPLE: dict[str, Form] = {
    "ps": _tables,
    "wide": lambda found, surroundings: _tables(found, surroundings, wide=True),
    "yaml": lambda found, _: as_yaml(_printed(found)),
    "yml": lambda found, _: as_yaml(_printed(found)),
    "json": lambda found, _: as_json(_printed(found)),
}
