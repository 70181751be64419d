"""In what two values of a key differ, field by field, in few words."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from felixbgp.cluster.secrets import SECRETS
from felixbgp.resources.decode import parse_json

FIELDS_MAX: Final = 50
"""Of one change; who wants to see more has both objects in the journal."""
TEXT_MAX: Final = 120
"""Characters of one value."""
_ABSENT: Final = object()


class FieldChange(NamedTuple):
    """A field, as `spec.importV4[0].action`, and its value before and after as JSON; None: not there."""

    field: str
    before: str | None
    after: str | None


def field_changes(key: str, before: bytes | None, after: bytes | None) -> tuple[FieldChange, ...]:
    """The fields in which two values of a key differ, `FIELDS_MAX` at most.

    None for one that is not there: then the fields of the other's spec. Nothing is said of a secret.
    """
    if key.startswith(SECRETS):
        return ()
    old, new = _parsed(before), _parsed(after)
    if before is None or after is None:
        old, new = ({"spec": one["spec"]} if "spec" in one else {} for one in (old, new))
    found = []
    for change in _compared("", old, new):
        found.append(change)
        if len(found) == FIELDS_MAX:
            break
    return tuple(found)


def _parsed(value: bytes | None) -> Mapping[str, object]:
    """An object; what is none is one of a single field that has no name."""
    if value is None:
        return {}
    document = parse_json(value)
    return {"": value.decode(errors="replace")} if isinstance(document, list) else document


def _compared(path: str, before: object, after: object) -> Iterator[FieldChange]:
    """What is in an object or a list that came or went is told field by field, too."""
    if before is _ABSENT and after:
        before = type(after)() if isinstance(after, dict | list) else before
    elif after is _ABSENT and before:
        after = type(before)() if isinstance(before, dict | list) else after
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in (*before, *(name for name in after if name not in before)):
            inner = f"{path}.{name}" if path else str(name)
            yield from _compared(inner, before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old, new = (one[index] if index < len(one) else _ABSENT for one in (before, after))
            yield from _compared(f"{path}[{index}]", old, new)
    elif _text(before) != _text(after):
        yield FieldChange(path, _text(before), _text(after))


def _text(value: object) -> str | None:
    """As JSON, cut: to Python true and 1 are equal."""
    if value is _ABSENT:
        return None
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
