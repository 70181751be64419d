"""What is to be stored of an object: made of what is given, and of what is stored already."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from felixbgp.cli.kinds import described
from felixbgp.cli.store import Put, Stored
from felixbgp.resources import AnyResource, FieldError, ResourceKey, decode, encode
from felixbgp.resources.base import Resource
from felixbgp.resources.decode import parse_json
from felixbgp.resources.editing import Json, completed, overlaid, validate_edited, written


class RefusedError(Exception):
    """Why one object is not written; the others are."""


class InvalidError(RefusedError):
    """What is wrong with an object: nothing at all is written."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(faults))


class Skipped(Exception):  # noqa: N818 - no error: the flags of the verb ask for it
    """The object is left as it is, and counts as done."""


class Write(Protocol):
    """What a verb does to one object."""

    @property
    def key(self) -> ResourceKey:
        """Where it is stored."""

    @property
    def subject(self) -> str:
        """How messages about it begin: `peers.yaml: document 2 (line 9): BGPPeer(rack1-tor)`."""

    def make(self, stored: Stored | None) -> Json:
        """The document to store, of what is stored now. Raises `RefusedError` and `Skipped`."""


class Draft(NamedTuple):
    """The object as it would be stored, beside what is stored now."""

    write: Write
    stored: Stored | None
    resource: AnyResource
    value: bytes

    @property
    def key(self) -> ResourceKey:
        """Where it is stored."""
        return self.write.key

    @property
    def is_stored(self) -> bool:
        """Whether nothing would change."""
        return self.stored is not None and self.stored.value == self.value

    @property
    def put(self) -> Put:
        """The draft as the store takes it."""
        return Put(str(self.key), self.value, 0 if self.stored is None else self.stored.revision)


def draft(write: Write, stored: Stored | None) -> Draft:
    """The object as it would be stored now. Raises `RefusedError` and `Skipped`."""
    document = write.make(stored)
    before = {} if stored is None else document_of(stored)
    checked = validate_edited(document, {} if isinstance(before, list) else before)
    if isinstance(checked, list):
        raise InvalidError([f"{write.subject}: {error}" for error in checked])
    return Draft(write, stored, checked, written(completed(document, checked)))


def new_document(resource: AnyResource) -> Json:
    """What is stored of an object that did not exist: all but the metadata of wherever it comes from.

    Names, labels and annotations alone are taken of that, as calicoctl does it.
    """
    document: Json = json.loads(encode(resource))
    metadata = document["metadata"]
    given = metadata if isinstance(metadata, dict) else {}
    document["metadata"] = {
        **{name: given[name] for name in ("name", "namespace") if name in given},
        **_identity(),
        **{name: given[name] for name in ("labels", "annotations") if name in given},
    }
    return document


def updated_document(resource: AnyResource, stored: Stored) -> Json:
    """The stored object with another's spec; a new one where it is beyond mending.

    Labels and annotations are added to those that are stored, as calicoctl does it: others write them too.
    """
    before = document_of(stored)
    if isinstance(before, list):
        return new_document(resource)
    after = overlaid(before, _with_texts_of(before, json.loads(encode(resource))))
    if isinstance(validate_edited(after, before), list):
        # What is stored beside the spec is broken: the file alone is right, and mends it.
        return new_document(resource)
    metadata = after["metadata"]
    if isinstance(metadata, dict) and not metadata.get("uid"):
        after["metadata"] = {**metadata, **_identity(metadata.get("creationTimestamp"))}
    return after


def _identity(created: object = None) -> Json:
    """What tells a new object from a former one of its name."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"uid": str(uuid.uuid4()), "creationTimestamp": created or now}


def document_of(stored: Stored) -> Json | list[FieldError]:
    """The stored object, or why it is none."""
    return parse_json(stored.value)


def resource_of(stored: Stored | None) -> AnyResource | None:
    """The stored resource; what is invalid counts as absent."""
    if stored is None:
        return None
    decoded = decode(stored.key, stored.value)
    return None if isinstance(decoded, list) or not isinstance(decoded.value, Resource) else decoded.value


def require_document(stored: Stored | None, key: ResourceKey) -> Json:
    """The stored object. Raises `RefusedError` when there is none, or none that can be read."""
    if stored is None:
        raise RefusedError(missing(key))
    found = document_of(stored)
    if isinstance(found, list):
        raise RefusedError(f"{described(key)} cannot be read: {found[0]}; `felixbgp apply` writes it anew")
    return found


def missing(key: ResourceKey) -> str:
    """Calicoctl's words for an object that is not there, with Go's for the error behind it: none."""
    return f"resource does not exist: {described(key)} with error: <nil>"


def conflict(key: ResourceKey) -> str:
    """Calicoctl's words for an object that somebody else has written."""
    return f"update conflict: {described(key)}"


def _with_texts_of(stored: Json, wanted: Json) -> Json:
    """The wanted object with the labels and annotations that only the stored one has."""
    before, given = stored.get("metadata"), wanted["metadata"]
    metadata = dict(given) if isinstance(given, dict) else {}
    for field in ("labels", "annotations"):
        kept = before.get(field) if isinstance(before, dict) else None
        if isinstance(kept, dict) and kept:
            metadata[field] = {**kept, **metadata.get(field, {})}
    return {**wanted, "metadata": metadata}
