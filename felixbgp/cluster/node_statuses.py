"""The CalicoNodeStatuses that ask one node for a report: a fold by itself, beside the state of the cluster.

The store tells every agent of all of them, and of every report in them. Those of other nodes are told by a
search for our name in the stored bytes, and nothing is kept of them. Of our own the whole object is kept but
for its report: a write needs the rest of it, and what a newer Calico wrote there must not get lost.

Nothing is derived from them, so they may be read late, or not at all where the store does not let us.

Standing rules:

* The events of the prefix come in order; only what a snapshot already had may come again after it.
* A value that has our name in it and cannot be read is ours to complain about.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from felixbgp.cluster.facts import ClusterFact, FieldsIgnored, InvalidValue, ReadRefused, ValueCorrected
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.cluster.parts import Parts, whole
from felixbgp.resources import CalicoNodeStatus, FieldError, ResourceKey, decode, parse_key
from felixbgp.resources.calico_node_status import CalicoNodeStatusSpec
from felixbgp.resources.decode import parse_json
from felixbgp.resources.editing import Json, without_report
from felixbgp.resources.keys import prefix_of
from felixbgp.resources.schema import value_at

NODE_STATUSES: Final = prefix_of("CalicoNodeStatus")
"""The prefix to follow; an optional one: whoever may not read it reports nothing and does all the rest."""
OCTETS_READ: Final = 1_000
OCTETS_SEARCHED: Final = 100_000
"""Of a value, in the time of one part: all of ours is looked at."""


class Wanted(NamedTuple):
    """One report that is wanted of us, and what is stored beside it.

    `revision` is that of the last write of the object, `document` the object without what is known of its
    report, `reported` whether it has one.
    """

    name: str
    revision: int
    spec: CalicoNodeStatusSpec
    document: Json
    reported: bool


def is_of_node_statuses(event: StoreInput) -> bool:
    """Whether an event is about CalicoNodeStatuses, and so for `NodeStatuses` alone."""
    match event:
        case SnapshotReceived() | PrefixRefused():
            return event.prefix == NODE_STATUSES
        case KeyPut():
            return event.stored.key.startswith(NODE_STATUSES)
        case KeyDeleted():
            return event.key.startswith(NODE_STATUSES)
        case _:
            return False


class NodeStatuses:
    """The fold for node `node`."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._name_in_json = json.dumps(node).encode()
        self._wanted: dict[str, Wanted] = {}
        self._invalid: dict[str, list[FieldError]] = {}
        self._ignored: dict[str, tuple[FieldError, ...]] = {}
        self._changes: dict[str, None] = {}
        self._facts: list[ClusterFact] = []
        self._floor = 0
        self._refused = ""

    @property
    def invalid(self) -> Mapping[str, list[FieldError]]:
        """What is wrong with those of our own that count as absent, by key."""
        return self._invalid

    @property
    def ignored(self) -> Mapping[str, tuple[FieldError, ...]]:
        """The fields that were left out of our own, by key."""
        return self._ignored

    def feed(self, event: StoreInput) -> bool:
        """Take an event that `is_of_node_statuses`; True when one of ours changed, its report aside."""
        return whole(self.fold(event))

    def fold(self, event: StoreInput) -> Parts[bool]:
        """`feed` in parts: a snapshot is worked off value by value."""
        if isinstance(event, SnapshotReceived):
            return (yield from self._replace(event))
        yield 1 if not isinstance(event, KeyPut) else self._cost_of(event.stored)
        return self._take(event)

    def _take(self, event: StoreInput) -> bool:
        match event:
            case KeyPut():
                return event.stored.revision > self._floor and self._put(event.stored)
            case KeyDeleted():
                return event.revision > self._floor and self._forget(event.key, event.revision)
            case PrefixRefused():
                if event.reason != self._refused:
                    self._facts.append(ReadRefused(event.prefix, event.reason))
                self._refused = event.reason
                return False
            case _:
                return False

    def take_changes(self) -> list[tuple[str, Wanted | None]]:
        """The objects of ours that were written since the last call, by name; None is one no longer ours."""
        changed, self._changes = self._changes, {}
        return [(name, self._wanted.get(name)) for name in changed]

    def take_facts(self) -> list[ClusterFact]:
        """What was observed since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _replace(self, snapshot: SnapshotReceived) -> Parts[bool]:
        self._floor, self._refused = snapshot.revision, ""
        listed = {stored.key for stored in snapshot.values}
        known = (*(str(ResourceKey("CalicoNodeStatus", name)) for name in self._wanted), *self._invalid)
        ours = [self._forget(key, snapshot.revision) for key in known if key not in listed]
        for stored in snapshot.values:
            ours.append(self._put(stored))
            yield self._cost_of(stored)
        return any(ours)

    def _cost_of(self, stored: StoredValue) -> int:
        """Of reading a value, in parts: the reports of other nodes are only searched for our name."""
        octets = OCTETS_READ if self._may_be_ours(stored.value) else OCTETS_SEARCHED
        return 1 + len(stored.value) // octets

    def _put(self, stored: StoredValue) -> bool:
        key = parse_key(stored.key)
        if not isinstance(key, ResourceKey):
            return False
        if not self._may_be_ours(stored.value):
            return self._forget(stored.key, stored.revision)
        document = parse_json(stored.value)
        if isinstance(document, list):
            return self._refuse(stored, document)
        if value_at(document, ("spec", "node")) != self._node:
            return self._forget(stored.key, stored.revision)
        rest = without_report(document)
        decoded = decode(stored.key, json.dumps({**rest, "status": None}).encode())
        if isinstance(decoded, list):
            return self._refuse(stored, decoded)
        if not isinstance(decoded.value, CalicoNodeStatus):
            return False
        corrected = self._correct(stored.key, stored.revision)
        self._note_ignored(stored, decoded.ignored)
        reported = document.get("status") is not None
        wanted = Wanted(key.name, stored.revision, decoded.value.spec, rest, reported)
        before, self._wanted[key.name] = self._wanted.get(key.name), wanted
        self._changes[key.name] = None
        return corrected or before is None or before.document != rest

    def _may_be_ours(self, value: bytes) -> bool:
        """Whether our name can be in it; a letter that is written as its number could hide it."""
        return self._name_in_json in value or b"\\u" in value

    def _note_ignored(self, stored: StoredValue, ignored: tuple[FieldError, ...]) -> None:
        if ignored and self._ignored.get(stored.key) != ignored:
            self._facts.append(FieldsIgnored(stored.key, stored.revision, ignored))
        self._ignored.pop(stored.key, None)
        if ignored:
            self._ignored[stored.key] = ignored

    def _refuse(self, stored: StoredValue, errors: list[FieldError]) -> bool:
        if self._invalid.get(stored.key) != errors:
            self._facts.append(InvalidValue(stored.key, stored.revision, tuple(errors)))
        self._drop(stored.key)
        self._invalid[stored.key] = errors
        return True

    def _forget(self, key: str, revision: int) -> bool:
        """The object is gone, or another node's; True when it was ours."""
        return self._correct(key, revision) | self._drop(key)

    def _correct(self, key: str, revision: int) -> bool:
        if self._invalid.pop(key, None) is None:
            return False
        self._facts.append(ValueCorrected(key, revision))
        return True

    def _drop(self, key: str) -> bool:
        self._ignored.pop(key, None)
        name = key.removeprefix(NODE_STATUSES)
        if self._wanted.pop(name, None) is None:
            return False
        self._changes[name] = None
        return True
