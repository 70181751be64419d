"""Stored values as the objects that people and programs are shown."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from felixbgp.cli.store import Stored
from felixbgp.resources.base import API_VERSION
from felixbgp.resources.decode import FIELD_ORDER, METADATA_ORDER, parse_json
from felixbgp.resources.errors import FieldError

Object = dict[str, object]

_OF_THE_CLUSTER = (
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""What calicoctl's --export takes away."""


class Found(NamedTuple):
    """What one request gave: one object, or with `revision` (etcd's) the list of all of a kind."""

    kind: str
    objects: tuple[Object, ...]
    revision: int | None = None

    def as_object(self) -> Object:
        """The object by itself, or the list as an object."""
        if self.revision is None:
            return self.objects[0]
        return {
            "kind": f"{self.kind}List",
            "apiVersion": API_VERSION,
            "metadata": {"resourceVersion": str(self.revision)},
            "items": list(self.objects),
        }


def as_object(stored: Stored) -> Object | list[FieldError]:
    """The object as it is stored, unknown fields too, with its resourceVersion: etcd's revision of the key.

    What is wrong with the value, if it is no JSON object.
    """
    found = parse_json(stored.value)
    if isinstance(found, list):
        return found
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        found["metadata"] = _ordered({**metadata, "resourceVersion": str(stored.revision)}, METADATA_ORDER)
    return _ordered(found, FIELD_ORDER)


def exported(found: Object) -> Object:
    """The object without what belongs to this cluster alone, to be applied to another."""
    metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        return found
    kept = {name: value for name, value in metadata.items() if name not in _OF_THE_CLUSTER}
    # Go cannot leave this field out: a time that is not set is null.
    return {**found, "metadata": _ordered({**kept, "creationTimestamp": None}, METADATA_ORDER)}


def _ordered(fields: Mapping[str, object], order: Iterable[str]) -> Object:
    """The fields that have a place in `order` by that, all others behind them as they come."""
    known = {name: fields[name] for name in order if name in fields}
    return {**known, **fields}
