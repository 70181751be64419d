"""What the verbs that write have in common: read what is stored, check everything, then write in order.

    given ─▶ read what is stored ─▶ the objects to be written ─▶ rules between objects ─▶ all right?
                                                                                         │ in order
                                     report ◀─ as many as could be written ◀─ conditional writes

No write overwrites somebody else's: each is bound to the revision that was read. If that has changed, the
object is read and made again.
"""

import json
import sys
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import click
import yaml

from felixbgp.cli.kinds import described
from felixbgp.cli.store import Store, Stored, StoreError
from felixbgp.cli.table import printable
from felixbgp.resources import AnyResource, FieldError, ResourceKey, decode, encode
from felixbgp.resources.base import Resource
from felixbgp.resources.decode import parse_json
from felixbgp.resources.editing import Json, completed, overlaid, validate_edited, written
from felixbgp.resources.keys import prefix_of
from felixbgp.resources.write_rules import broken_write_rules

ATTEMPTS_MAX = 5
"""Somebody else may write between our read and our write, but hardly this often."""
LIST_FROM = 8
"""From so many objects of one kind on they are read in one request instead of one each."""
PROGRESS_FROM = 100
"""Fewer objects are written before anybody could read a progress bar."""


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

    def make(self, stored: Stored | None) -> Json:
        """The document to store, of what is stored now. Raises `RefusedError` and `Skipped`."""


@dataclass(slots=True)
class Report:
    """How a command went, object by object."""

    done: list[ResourceKey] = field(default_factory=list)
    errors: list[tuple[ResourceKey, str]] = field(default_factory=list)
    dry: list[str] = field(default_factory=list)
    """With --dry-run: the objects as they would be stored, as YAML."""
    broken_off: str = ""
    """Why no more objects were tried, when the store is to blame."""


class Plan:
    """A run over several objects."""

    def __init__(self, writes: Sequence[Write], *, dry_run: bool = False) -> None:
        self._writes = writes
        self._dry_run = dry_run
        self._report = Report()

    async def run(self, store: Store) -> Report:
        """Check everything, then write; nothing is written when a check fails."""
        stored = await read_all(store, [write.key for write in self._writes])
        others = await _others(store, [write.key for write in self._writes])
        made: dict[ResourceKey, AnyResource] = {}
        faults: list[str] = []
        for write in self._writes:
            try:
                made[write.key] = _checked(write.make(stored.get(str(write.key))), stored.get(str(write.key)))
            except InvalidError as error:
                faults += error.faults
            except (RefusedError, Skipped):
                continue
        beside = {**others, **made}
        for key, resource in made.items():
            errors = broken_write_rules(resource, _resource_of(stored.get(str(key))), beside.values())
            faults += [f"{described(key)}: {error}" for error in errors]
        if faults:
            raise click.ClickException(printable_lines(faults))
        with _progress(len(self._writes)) as advance:
            for write in self._writes:
                try:
                    await self._write(store, write, stored.get(str(write.key)))
                except StoreError as error:
                    self._report.broken_off = error.message
                    break
                advance(1)
        return self._report

    async def _write(self, store: Store, write: Write, stored: Stored | None) -> None:
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                stored = await store.get(str(write.key))
            try:
                value = _value(write.make(stored), stored)
            except Skipped:
                self._report.done.append(write.key)
                return
            except RefusedError as error:
                self._report.errors.append((write.key, str(error)))
                return
            if self._dry_run:
                self._report.dry.append(_shown(write.key, value, stored))
            if self._dry_run or (stored is not None and stored.value == value):
                self._report.done.append(write.key)
                return
            if await store.put_if_unchanged(str(write.key), value, 0 if stored is None else stored.revision):
                self._report.done.append(write.key)
                return
        reason = (
            f"update conflict: {described(write.key)}: somebody else wrote it {ATTEMPTS_MAX} times meanwhile"
        )
        self._report.errors.append((write.key, reason))


async def read_all(store: Store, keys: Sequence[ResourceKey]) -> dict[str, Stored]:
    """What is stored at these keys, as far as there is something."""
    found: dict[str, Stored] = {}
    by_kind: dict[str, list[ResourceKey]] = {}
    for key in keys:
        by_kind.setdefault(key.kind, []).append(key)
    for kind, wanted in by_kind.items():
        if len(wanted) >= LIST_FROM:
            found |= {stored.key: stored for stored in await store.list(prefix_of(kind))}
            continue
        for key in wanted:
            stored = await store.get(str(key))
            if stored is not None:
                found[stored.key] = stored
    return found


async def _others(store: Store, keys: Iterable[ResourceKey]) -> dict[ResourceKey, AnyResource]:
    """The stored objects that rules between objects may look at; what is invalid counts as absent."""
    kinds = {key.kind for key in keys}
    wanted = [kind for kind, of in (("IPPool", "IPPool"), ("BGPFilter", "BGPPeer")) if of in kinds]
    found: dict[ResourceKey, AnyResource] = {}
    for kind in wanted:
        for stored in await store.list(prefix_of(kind)):
            resource = _resource_of(stored)
            if resource is not None:
                found[resource.key] = resource
    return found


def new_document(resource: AnyResource) -> Json:
    """What is stored of an object that did not exist: its own names, labels, annotations and spec."""
    document: Json = json.loads(encode(resource))
    metadata = dict(document["metadata"]) if isinstance(document["metadata"], dict) else {}
    kept = {name: value for name, value in metadata.items() if name in _OF_THE_WRITER}
    document["metadata"] = {
        **{name: kept[name] for name in ("name", "namespace") if name in kept},
        **_identity(),
        **{name: kept[name] for name in ("labels", "annotations") if name in kept},
    }
    document.pop("status", None)
    return document


_OF_THE_WRITER = ("name", "namespace", "labels", "annotations")


def updated_document(resource: AnyResource, stored: Stored) -> Json:
    """The stored object with another's spec, labels and annotations; a new one where it is beyond mending."""
    before = document_of(stored)
    if isinstance(before, list):
        return new_document(resource)
    after = overlaid(before, json.loads(encode(resource)))
    if isinstance(validate_edited(after, before), list):
        # What is stored beside the spec is broken: the file alone is right, and mends it.
        return new_document(resource)
    metadata = after["metadata"]
    if isinstance(metadata, dict) and "uid" not in metadata:
        after["metadata"] = {**metadata, **_identity()}
    return after


def _identity() -> Json:
    """What tells a new object from a former one of its name."""
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"uid": str(uuid.uuid4()), "creationTimestamp": created}


def document_of(stored: Stored) -> Json | list[FieldError]:
    """The stored object, or why it is none."""
    return parse_json(stored.value)


def require_document(stored: Stored | None, key: ResourceKey) -> Json:
    """The stored object. Raises `RefusedError` when there is none, or none that can be read."""
    if stored is None:
        raise RefusedError(missing(key))
    found = document_of(stored)
    if isinstance(found, list):
        raise RefusedError(f"{described(key)} cannot be read: {found[0]}; `felixbgp apply` writes it anew")
    return found


def missing(key: ResourceKey) -> str:
    """Calicoctl's words for an object that is not there."""
    return f"resource does not exist: {described(key)} with error: <nil>"


def conflict(key: ResourceKey) -> str:
    """Calicoctl's words for an object that somebody else has written."""
    return f"update conflict: {described(key)}"


def _checked(document: Json, stored: Stored | None) -> AnyResource:
    before = {} if stored is None else document_of(stored)
    checked = validate_edited(document, {} if isinstance(before, list) else before)
    if isinstance(checked, list):
        name = _named(document)
        raise InvalidError([f"{name}: {error}" for error in checked])
    return checked


def _named(document: Json) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{document.get('kind')}({name})"


def _value(document: Json, stored: Stored | None) -> bytes:
    """The octets to store. Raises `RefusedError` when the object would not be valid."""
    checked = _checked(document, stored)
    return written(completed(document, checked))


def _resource_of(stored: Stored | None) -> AnyResource | None:
    if stored is None:
        return None
    decoded = decode(stored.key, stored.value)
    return None if isinstance(decoded, list) or not isinstance(decoded.value, Resource) else decoded.value


def _shown(key: ResourceKey, value: bytes, stored: Stored | None) -> str:
    if stored is not None and stored.value == value:
        return f"# {described(key)}: unchanged\n"
    done = "created" if stored is None else "changed"
    text = yaml.safe_dump(json.loads(value), sort_keys=False, allow_unicode=True)
    return f"# {described(key)}: would be {done}\n{text}"


def _progress(count: int) -> "nullcontext[Callable[[int], None]] | _Bar":
    """A bar on a terminal; nothing anywhere else."""
    if count < PROGRESS_FROM or not sys.stderr.isatty():
        return nullcontext(lambda _: None)
    return _Bar(count)


class _Bar:
    """click's progress bar as something to call."""

    def __init__(self, count: int) -> None:
        self._bar = click.progressbar(length=count, file=sys.stderr, label="writing", show_pos=True)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.__enter__()
        return self._bar.update

    def __exit__(self, *error: object) -> None:
        self._bar.render_finish()


def printable_lines(lines: Iterable[str]) -> str:
    """Each on a line of its own, whatever is in it."""
    return "\n".join(map(printable, lines))
