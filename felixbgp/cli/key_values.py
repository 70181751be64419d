"""What `label` and `annotate` share: keys and values on the command line, and what becomes of an object's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from felixbgp.cli.drafting import RefusedError
from felixbgp.cli.naming import Edit, edit, failure_of, key_of_object, tell_dry
from felixbgp.cli.outcome import say
from felixbgp.cli.table import printable
from felixbgp.resources.editing import Json, annotated, labelled


@dataclass(frozen=True, slots=True)
class Texts:
    """The labels or the annotations of objects; `noun` is one of them."""

    noun: str
    field: str

    def changed(self, stored: Json, changes: Mapping[str, str | None]) -> Json:
        """The object with some set, and those that are None taken away."""
        after = (labelled if self.field == "labels" else annotated)(stored, changes)
        metadata = after.get("metadata")
        if isinstance(metadata, dict) and metadata.get(self.field) == {}:
            # Go leaves an empty one out: with the last one gone the object is as it was before the first.
            kept = {name: value for name, value in metadata.items() if name != self.field}
            return {**after, "metadata": kept}
        return after


LABELS = Texts("label", "labels")
ANNOTATIONS = Texts("annotation", "annotations")


def parse_changes(words: Sequence[str], *, remove: bool) -> dict[str, str | None]:
    """`key=value` sets, `key-` takes away, and so does a key with --remove. Raises `click.UsageError`."""
    changes: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        taken = remove or (not equals and word.endswith("-"))
        if remove and equals:
            raise click.UsageError(f"{word!r}: --remove takes keys alone")
        if not taken and not equals:
            raise click.UsageError(f"{word!r} is not KEY=VALUE (or KEY- to remove it)")
        if taken and not remove:
            key = key.removesuffix("-")
        if not key:
            raise click.UsageError(f"{word!r} has no key")
        if key in changes:
            raise click.UsageError(f"the key {key!r} is given twice")
        changes[key] = None if taken else value
    return changes


def change_texts(
    texts: Texts,
    kind: str,
    name: str,
    changes: Mapping[str, str | None],
    given: Mapping[str, Any],
) -> None:
    """Change them, and say what was done in calicoctl's words."""
    overwrite = bool(given["overwrite"])
    before: dict[str, str] = {}

    def change(stored: Json) -> Json:
        before.clear()
        before.update(_present(texts, stored))
        for key, value in changes.items():
            _refuse(texts, f"{kind} {name}", key, value, before, overwrite=overwrite)
        return texts.changed(stored, changes)

    report = edit(Edit(key_of_object(kind, name, given), change), given)
    if failure := failure_of(report):
        raise click.ClickException(failure)
    if given["dry_run"]:
        tell_dry(report)
        return
    subject = f"{kind} {name}"
    say(*(printable(_done(texts, one, value, before, subject)) for one, value in changes.items()))


def _present(texts: Texts, stored: Json) -> dict[str, str]:
    metadata = stored.get("metadata")
    found = metadata.get(texts.field) if isinstance(metadata, dict) else None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _refuse(
    texts: Texts, subject: str, key: str, value: str | None, before: Mapping[str, str], *, overwrite: bool
) -> None:
    if value is None:
        if key not in before:
            raise RefusedError(f"cannot remove {texts.noun} of {subject}, key {key} does not exist")
    elif key in before and before[key] != value and not overwrite:
        known = f"key {key} is already present with the value {before[key]!r}"
        hint = "please use '--overwrite' to set a new value."
        raise RefusedError(f"failed to update {texts.noun} of {subject}, {known}. {hint}")


def _done(texts: Texts, key: str, value: str | None, before: Mapping[str, str], subject: str) -> str:
    if value is None:
        return f"Successfully removed {texts.noun} {key} from {subject}"
    done = "updated" if key in before else "set"
    return f"Successfully {done} {texts.noun} {key} on {subject}"
