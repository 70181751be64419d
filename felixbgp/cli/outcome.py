"""How the verbs that write tell what came of it, in calicoctl's words."""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import click

from felixbgp.cli.kinds import counted, described
from felixbgp.cli.table import printable
from felixbgp.cli.writing import Report
from felixbgp.resources import ResourceKey

_ON_ONE_LINE = 4
"""Errors; more are easier to read below each other."""


class Words(NamedTuple):
    """A verb, as in `Failed to apply` and as in `Successfully applied`."""

    infinitive: str
    participle: str


def tell(words: Words, wanted: Sequence[ResourceKey], report: Report, *, dry_run: bool = False) -> None:
    """Say which objects were written and which were not; failures end the command with 1."""
    if dry_run:
        click.echo("---\n".join(report.dry), nl=False)
    errors = [*report.errors, *_not_tried(wanted, report)]
    if not errors:
        if dry_run:
            click.echo(
                f"{len(report.done)} {_single_kind(wanted)}resource(s) would be {words.participle}", err=True
            )
        else:
            click.echo(counted(words.participle, list(report.done)))
        return
    if not report.done:
        _fail_all(words, wanted, errors)
    kind = _single_kind(wanted)
    done = f"{words.participle} {len(report.done)} out of {len(wanted)} {kind}resources:"
    click.echo(f"Partial success: {done}")
    for key in report.done:
        click.echo(f"  {printable(described(key))}")
    raise click.ClickException(f"Hit error(s): {_listed(errors)}")


def _not_tried(wanted: Sequence[ResourceKey], report: Report) -> list[tuple[ResourceKey, str]]:
    """Those that the store's failure left undone."""
    if not report.broken_off:
        return []
    left = wanted[len(report.done) + len(report.errors) :]
    first = [(key, report.broken_off) for key in left[:1]]
    return first + [(key, f"{described(key)} was not tried") for key in left[1:]]


def _fail_all(
    words: Words, wanted: Sequence[ResourceKey], errors: Sequence[tuple[ResourceKey, str]]
) -> NoReturn:
    kind = _single_kind(wanted)
    what = f"{kind}resource" if len(wanted) == 1 else f"any {kind}resources"
    raise click.ClickException(f"Failed to {words.infinitive} {what}: {_listed(errors)}")


def _single_kind(keys: Sequence[ResourceKey]) -> str:
    kinds = {key.kind for key in keys}
    return f"'{kinds.pop()}' " if len(kinds) == 1 else ""


def _listed(errors: Sequence[tuple[ResourceKey, str]]) -> str:
    """The errors in brackets; each on a line of its own where there are many."""
    texts = [
        printable(text if described(key) in text else f"{described(key)}: {text}") for key, text in errors
    ]
    return f"[{', '.join(texts)}]" if len(texts) <= _ON_ONE_LINE else "[\n  " + "\n  ".join(texts) + "\n]"
