"""Edits of stored documents that lose nothing: what a newer Calico wrote, and we do not know, stays as it is.

All functions take and give plain JSON objects and leave their arguments alone. A verb of the command goes

    file -> validate -> encode -> overlaid ---------------------------------+
                                     ^                                      v
    store -> parse_json -> patched | labelled | annotated -> validate_edited -> completed -> written -> store
"""

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Final

from pydantic import ValidationError

from felixbgp.resources.base import Value
from felixbgp.resources.bgp_configuration import NamedCommunity, PrefixAdvertisement, ServiceBlock
from felixbgp.resources.calico_node_status import CalicoNodeStatusStatus
from felixbgp.resources.decode import MODELS, AnyResource, encode, read_known, validate
from felixbgp.resources.errors import FieldError, Location, limited, path, quote
from felixbgp.resources.node import Node, NodeAddress, NodeInterface, OrchRef
from felixbgp.resources.schema import ABSENT, Nested, known_fields, unknown_fields, value_at, without

Json = dict[str, object]

_OF_THE_WRITER: Final = ("labels", "annotations")
"""What of the metadata belongs to whoever writes the object; the store and Calico keep the rest."""

_IDENTITY: Final[Mapping[type[Value], tuple[str, ...]]] = {
    NamedCommunity: ("name",),
    NodeAddress: ("address",),
    NodeInterface: ("name",),
    OrchRef: ("orchestrator", "nodeName"),
    PrefixAdvertisement: ("cidr",),
    ServiceBlock: ("cidr",),
}
"""The fields by which an entry of a list is the one it was; of others, all the fields we know."""

_FIXED: Final[tuple[Location, ...]] = (
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
)
"""What tells the object from others, and when it was made."""


def overlaid(stored: Mapping[str, object], wanted: Mapping[str, object]) -> Json:
    """The stored object with the spec, labels and annotations of another: what `apply` and `replace` store.

    `wanted` is what `encode` writes of a valid resource. Of the stored object stay the rest of its metadata,
    its status, and every field that we do not know, at any depth, as long as the object it is in is still
    there. An entry of a list is still there when one that is the same (`_IDENTITY`) stands where it stood.
    """
    model = MODELS[str(wanted["kind"])]
    whole = {**wanted, "metadata": _metadata(stored.get("metadata"), wanted["metadata"])}
    if stored.get("status") is not None:
        whole["status"] = stored["status"]
    return _kept(model, stored, whole)


def patched(stored: Mapping[str, object], patch: Mapping[str, object]) -> Json:
    """The stored object after a strategic merge patch, as calicoctl applies it to these kinds.

    Objects are merged field by field, labels and annotations among them; a list takes the place of a list;
    null takes a field away. The directives of Kubernetes (`$patch`, `$retainKeys` …) are not known: they are
    fields like any other, and `validate_edited` refuses them.
    """
    result = dict(stored)
    for name, change in patch.items():
        before = result.get(name)
        if change is None:
            result.pop(name, None)
        elif isinstance(change, dict):
            result[name] = patched(before if isinstance(before, dict) else {}, change)
        else:
            result[name] = change
    return result


def labelled(stored: Mapping[str, object], changes: Mapping[str, str | None]) -> Json:
    """The stored object with some labels set, and those that are None taken away."""
    return _with_texts(stored, "labels", changes)


def annotated(stored: Mapping[str, object], changes: Mapping[str, str | None]) -> Json:
    """The stored object with some annotations set, and those that are None taken away."""
    return _with_texts(stored, "annotations", changes)


def validate_edited(
    document: Mapping[str, object], stored: Mapping[str, object]
) -> AnyResource | list[FieldError]:
    """The resource that an edited document stands for, or what is wrong with it.

    Fields we do not know, and annotations and a status that cannot be read, are let pass where the stored
    object has the very same. What tells the object from others, and when it was made, cannot be changed.
    """
    model = MODELS.get(str(document.get("kind")))
    if model is None:
        return validate(dict(document))
    tolerated = [place for place in unknown_fields(model, document) if _unchanged(place, document, stored)]
    found, unread = read_known(model, dict(document), tolerated)
    errors = list(found) if isinstance(found, list) else _new_annotation_errors(found, stored)
    if not _unchanged(("status",), document, stored):
        errors += unread
    for place in _FIXED:
        before = value_at(stored, place)
        if before not in (ABSENT, None) and not _unchanged(place, document, stored):
            after = value_at(document, place)
            reason = f"cannot be changed; it is {quote(before)}"
            errors.append(FieldError(path(place), "" if after is ABSENT else quote(after), reason))
    return limited(errors) if errors or isinstance(found, list) else found


def completed(document: Mapping[str, object], resource: AnyResource) -> Json:
    """An edited document as Calico writes it: what it fills in is there, and numbers are numbers.

    `resource` is what `validate_edited` read in it.
    """
    return overlaid(document, json.loads(encode(resource)))


def without_report(document: Mapping[str, object]) -> Json:
    """A stored CalicoNodeStatus without what we know of its status; `reported` puts another one there."""
    rest = {name: value for name, value in document.items() if name != "status"}
    status = document.get("status")
    if not isinstance(status, dict):
        return rest
    unknown = _unknown_part(CalicoNodeStatusStatus, status)
    return {**rest, "status": unknown} if unknown else rest


def reported(rest: Mapping[str, object], status: Mapping[str, object]) -> Json:
    """A CalicoNodeStatus `without_report` with this report; neither has a null in it that means anything."""
    return {**rest, "status": patched(_object_at(rest, "status"), status)}


def _unknown_part(model: type[Value], value: Mapping[str, object]) -> Json:
    """What of an object we do not know; a list that we know is left out, for its entries are told anew."""
    known = known_fields(model)
    found: Json = {}
    for name, inner in value.items():
        if name not in known:
            found[name] = inner
        elif (nested := known[name]) is not None and isinstance(inner, dict):
            found |= {name: part} if (part := _unknown_part(nested.model, inner)) else {}
    return found


def _object_at(document: Mapping[str, object], name: str) -> Json:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def written(document: Mapping[str, object]) -> bytes:
    """The value to store: one line of JSON, without the resourceVersion, which is the store's."""
    stored = without(dict(document), [("metadata", "resourceVersion")])
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":")).encode()


def _metadata(stored: object, wanted: object) -> Json:
    kept = dict(stored) if isinstance(stored, dict) else {}
    given = dict(wanted) if isinstance(wanted, dict) else {}
    for name in _OF_THE_WRITER:
        if name not in given:
            kept.pop(name, None)
    own = {name: value for name, value in kept.items() if name not in _OF_THE_WRITER and value is not None}
    return {**kept, **given, **own}


def _kept(model: type[Value], stored: Mapping[str, object], wanted: Mapping[str, object]) -> Json:
    """The wanted object in the order of the stored one, with what of that we do not know."""
    known = known_fields(model)
    result: Json = {}
    for name, value in stored.items():
        if name not in known or (name not in wanted and _is_unknown(known[name], value)):
            result[name] = value
        elif name in wanted:
            result[name] = _kept_in(known[name], value, wanted[name])
    return {**result, **{name: value for name, value in wanted.items() if name not in result}}


def _is_unknown(nested: Nested | None, value: object) -> bool:
    """Whether a field holds an object of which we know nothing: to whoever wrote `wanted` it is not there."""
    if nested is None or not isinstance(value, dict) or not value:
        return False
    return known_fields(nested.model).keys().isdisjoint(value)


def _kept_in(nested: Nested | None, stored: object, wanted: object) -> object:
    if nested is not None and isinstance(stored, dict) and isinstance(wanted, dict):
        return _kept(nested.model, stored, wanted)
    if nested is not None and isinstance(stored, list) and isinstance(wanted, list):
        places = zip_longest(stored[: len(wanted)], wanted)
        return [
            _kept(nested.model, before, entry) if _is_same(nested.model, before, entry) else entry
            for before, entry in places
        ]
    return wanted


def _is_same(model: type[Value], stored: object, wanted: object) -> bool:
    """Whether an entry of a list is the one that stood there, or has taken its place."""
    if not isinstance(stored, dict) or not isinstance(wanted, dict):
        return False
    fields = _IDENTITY.get(model, known_fields(model))
    before = _as_written(model, stored)
    return all(before.get(name) == wanted.get(name) for name in fields)


def _as_written(model: type[Value], entry: Json) -> Json:
    """An entry's known fields in the form that `encode` gives them; as they are when they are invalid."""
    try:
        value = model.model_validate(without(entry, unknown_fields(model, entry)))
    except ValidationError:
        return entry
    return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _with_texts(stored: Mapping[str, object], field: str, changes: Mapping[str, str | None]) -> Json:
    metadata = stored.get("metadata")
    before = metadata.get(field) if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(before, dict | None):
        # Such an object is refused by `validate_edited`, which then names what is wrong.
        return dict(stored)
    return patched(stored, {"metadata": {field: dict(changes)}})


def _unchanged(place: Location, document: Mapping[str, object], stored: Mapping[str, object]) -> bool:
    before, after = value_at(stored, place), value_at(document, place)
    # Compared as JSON: to Python true and 1 are equal.
    return ABSENT not in (before, after) and _text(before) == _text(after)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _new_annotation_errors(resource: AnyResource, stored: Mapping[str, object]) -> list[FieldError]:
    """The annotations that cannot be read and are not what they were."""
    if not isinstance(resource, Node):
        return []
    before = value_at(stored, ("metadata", "annotations"))
    return [
        error
        for annotation, error in resource.malformed_annotations.items()
        if not isinstance(before, dict) or before.get(annotation) != resource.metadata.annotations[annotation]
    ]
