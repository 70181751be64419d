"""Which fields of a document our models know: to read what is newer, and to edit it without loss."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple, get_args, get_origin

from felixbgp.resources.base import Value
from felixbgp.resources.errors import Location


class Nested(NamedTuple):
    """The objects that a field holds: one, or a list of them."""

    model: type[Value]
    listed: bool


@cache
def known_fields(model: type[Value]) -> Mapping[str, Nested | None]:
    """The fields of an object as a document spells them, with the objects in them; None: there are none."""
    return {model.spelling(name): _nested(info.annotation) for name, info in model.model_fields.items()}


def _nested(annotation: object) -> Nested | None:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return Nested(annotation, listed=False)
    for argument in get_args(annotation):
        found = _nested(argument)
        if found is not None:
            return Nested(found.model, found.listed or get_origin(annotation) is tuple)
    return None


def objects_in(nested: Nested, value: object) -> Iterator[tuple[Location, dict[str, object]]]:
    """The objects in the value of a field, each with its place in the value; what is none is passed over."""
    entries: Iterable[tuple[Location, object]] = [((), value)]
    if nested.listed:
        entries = (((index,), entry) for index, entry in enumerate(value)) if isinstance(value, list) else ()
    for place, entry in entries:
        if isinstance(entry, dict):
            yield place, entry


def unknown_fields(
    model: type[Value], document: Mapping[str, object], location: Location = ()
) -> Iterator[Location]:
    """Where a document has fields that the model has not, at any depth; what they hold is not looked into."""
    known = known_fields(model)
    for name, value in document.items():
        if name not in known:
            yield (*location, name)
        elif (nested := known[name]) is not None:
            for place, inner in objects_in(nested, value):
                yield from unknown_fields(nested.model, inner, (*location, name, *place))


ABSENT = object()
"""No value, which null is one of."""


def value_at(document: object, location: Location) -> object:
    """What stands at a place; `ABSENT` when there is no such place."""
    for step in location:
        if isinstance(document, dict):
            document = document.get(step, ABSENT)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return ABSENT
    return document


def without(document: dict[str, object], locations: Iterable[Location]) -> dict[str, object]:
    """A copy of a document without the fields at these places.

    The copy shares with the document what is the same. An entry of a list stays, so that no other moves.
    """
    steps = _by_first_step(locations)
    return {
        name: _reduced(value, steps.get(name, []))
        for name, value in document.items()
        if () not in steps.get(name, [])
    }


def _reduced(value: object, locations: list[Location]) -> object:
    if locations and isinstance(value, dict):
        return without(value, locations)
    if locations and isinstance(value, list):
        steps = _by_first_step(locations)
        return [_reduced(entry, steps.get(index, [])) for index, entry in enumerate(value)]
    return value


def _by_first_step(locations: Iterable[Location]) -> dict[str | int, list[Location]]:
    found: dict[str | int, list[Location]] = {}
    for first, *rest in locations:
        found.setdefault(first, []).append(tuple(rest))
    return found
