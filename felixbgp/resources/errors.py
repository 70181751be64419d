"""What is wrong with a value, in words for the person who wrote it."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_ERRORS = 100
"""A value with more faults than a person will read is not described further."""

MAX_QUOTED_CHARACTERS = 80
"""A quoted value is cut here: messages go into logs, terminals and the status document."""

Location = tuple[str | int, ...]


UNKNOWN_FIELD = "is not a field this resource has"


class FieldError(NamedTuple):
    """One fault: the field's path (`spec.exportV4[0].cidr`, "" for the whole), its value, and why.

    `value` is already text, quoted and cut, or "" when there is none to show. `str()` is the sentence:
    `spec.asNumber: 4294967296 is not between 1 and 4294967295`.
    """

    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        sentence = f"{self.value} {self.reason}" if self.value else self.reason
        return f"{self.field}: {sentence}" if self.field else sentence


class Fault(NamedTuple):
    """A broken rule between fields: where (relative to its object), the value, and why.

    `uses` names the other fields it looked at: while one of them is wrong by itself, the rule says nothing.
    """

    location: Location
    value: object
    reason: str
    uses: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Location, ...]:
        """The fields the rule is about."""
        return (self.location, *((name,) for name in self.uses))


class FaultsError(ValueError):
    """Carries every broken rule of one object through the validator."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{len(self.faults)} rules are broken")


class _Nothing:
    """The value of a fault that has none."""


NOTHING = _Nothing()


def path(location: Location) -> str:
    """`("spec", "exportV4", 0, "cidr")` as `spec.exportV4[0].cidr`; a name may be any text, and is cut."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = _cut(_printable(step))
            text += f".{name}" if text else name
    return text


def quote(value: object) -> str:
    """A value as it would stand in JSON, cut to `MAX_QUOTED_CHARACTERS`; "" for `NOTHING`."""
    if value is NOTHING:
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict | BaseModel):
        return "an object"
    if isinstance(value, Enum):
        return quote(value.value)
    if isinstance(value, int) and value.bit_length() > 256:
        return "a huge number"
    text = f'"{_printable(value)}"' if isinstance(value, str) else str(value)
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_CHARACTERS else text[: MAX_QUOTED_CHARACTERS - 1] + "…"


def _printable(text: str) -> str:
    """`text` without anything that could move a terminal's cursor."""
    start = text[: MAX_QUOTED_CHARACTERS + 1]
    return "".join(character if character.isprintable() else "�" for character in start)


def field_errors(error: ValidationError) -> list[FieldError]:
    """Every fault the validator found."""
    return [each for details in error.errors(include_url=False) for each in _translate(details)]


def wrong_fields(error: ValidationError) -> list[Location]:
    """Where the validator found values that are wrong by themselves.

    The innermost field in each case: an entry cannot be taken out of a list without moving others.
    """
    found = []
    for details in error.errors(include_url=False):
        location = details["loc"]
        if _rules_of(details) is None:
            while location and isinstance(location[-1], int):
                location = location[:-1]
            found.append(location)
    return found


def described(fault: Fault, location: Location) -> FieldError:
    """A broken rule of the object at `location`. Of a list or an object its path says enough."""
    is_whole = isinstance(fault.value, list | tuple | dict | BaseModel)
    return FieldError(path(location + fault.location), "" if is_whole else quote(fault.value), fault.reason)


def limited(found: list[FieldError]) -> list[FieldError]:
    """`found`, cut to `MAX_ERRORS` with a last one that tells the number left out."""
    if len(found) <= MAX_ERRORS:
        return found
    return [*found[:MAX_ERRORS], FieldError("", "", f"and {len(found) - MAX_ERRORS} more errors")]


def _rules_of(details: ErrorDetails) -> FaultsError | None:
    cause = details["ctx"]["error"] if details["type"] == "value_error" else None
    return cause if isinstance(cause, FaultsError) else None


def _translate(details: ErrorDetails) -> list[FieldError]:
    location = details["loc"]
    kind = details["type"]
    rules = _rules_of(details)
    if rules is not None:
        return [described(fault, location) for fault in rules.faults]
    if kind == "value_error":
        return [FieldError(path(location), quote(details["input"]), str(details["ctx"]["error"]))]
    if kind == "missing":
        return [FieldError(path(location), "", "is missing")]
    if kind == "extra_forbidden":
        return [FieldError(path(location), "", UNKNOWN_FIELD)]
    return [FieldError(path(location), quote(details["input"]), _reason(kind, details))]


# What pydantic calls its findings, in our words. A kind that is not here keeps pydantic's own sentence,
# which is readable too; a test walks every model to see that none of ours ends there.
_REASONS = {
    "model_type": "is not an object",
    "dict_type": "is not an object",
    "tuple_type": "is not a list",
    "string_type": "is not a text",
    "string_unicode": "is not a text",
    "bool_type": "is not true or false",
    "int_type": "is not a whole number",
    "enum": "is not {expected}",
    "literal_error": "is not {expected}",
}


def _reason(kind: str, details: ErrorDetails) -> str:
    reason = _REASONS.get(kind)
    if reason is None:
        message = details["msg"]
        return message[:1].lower() + message[1:]
    return reason.format(**details.get("ctx", {}))
