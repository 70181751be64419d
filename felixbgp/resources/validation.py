"""One object against its model, with everything that is wrong with it at once.

    document -> fields, each by itself -> rules between fields -> resource

The model's validator stops at the first of the two. So that a wrong field does not hide a broken rule until
the next attempt, the rules are asked again about what is left without the wrong fields.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import ValidationError

from felixbgp.resources.base import WITHOUT_RULES, Resource, Value
from felixbgp.resources.errors import (
    MAX_ERRORS,
    Fault,
    FieldError,
    Location,
    described,
    field_errors,
    limited,
    wrong_fields,
)
from felixbgp.resources.schema import known_fields, without

AnyModel = TypeVar("AnyModel", bound=Resource)


def validated(model: type[AnyModel], document: object) -> AnyModel | list[FieldError]:
    """The resource a document stands for, or what is wrong with it."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = field_errors(error)
        if isinstance(document, dict) and len(found) <= MAX_ERRORS:
            broken = _broken_rules(model, document, wrong_fields(error))
            found += [each for each in broken if each not in found]
        return limited(found)


def _broken_rules(
    model: type[Resource], document: dict[str, object], wrong: Sequence[Location]
) -> Iterator[FieldError]:
    """The rules that are broken whatever the wrong fields would be; none while a required one is wrong."""
    if () in wrong:
        return
    try:
        rest = model.model_validate(without(document, wrong), context=WITHOUT_RULES)
    except ValidationError:
        return
    for location, fault in _faults(rest, ()):
        if not any(_touch(location + place, taken) for place in fault.places for taken in wrong):
            yield described(fault, location)


def _faults(value: Value, location: Location) -> Iterator[tuple[Location, Fault]]:
    """The broken rules of an object and of all in it, each with the place of its object."""
    for fault in value.faults():
        yield location, fault
    for field, (name, nested) in zip(
        type(value).model_fields, known_fields(type(value)).items(), strict=True
    ):
        held = getattr(value, field)
        if nested is None or held is None:
            continue
        for step, inner in enumerate(held) if nested.listed else [(None, held)]:
            yield from _faults(inner, (*location, name, *(() if step is None else (step,))))


def _touch(one: Location, other: Location) -> bool:
    """Whether one of two places is in the other."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
