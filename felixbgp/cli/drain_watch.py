"""What etcd says of a drain, followed: Nodes, what their agents publish, and who is drained."""

from felixbgp.cli.drain_proof import Scene
from felixbgp.cli.node_report import NodeReport, read_reports
from felixbgp.cli.store import Stored, StoreError
from felixbgp.cluster.drains import DRAINS, Drain, DrainPhase, decode, drain_key
from felixbgp.cluster.drains import parse_key as drained_node
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.net import Address
from felixbgp.resources import Node, ResourceKey, parse_key
from felixbgp.resources import decode as decode_resource
from felixbgp.resources.keys import prefix_of
from felixbgp.runtime.etcd.watch import Batch
from felixbgp.status import keys

NODE_RESOURCES = prefix_of("Node")


class Watched:
    """The keys that tell of a drain of `node`, as they are now."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.prefixes = [NODE_RESOURCES, keys.NODES, DRAINS]
        """What to follow."""
        self.lost = ""
        """Why etcd cannot be followed now; "" while it can."""
        self.drain_heard = 0
        """The revision up to which we know of the node's drain, at least; it may be deleted."""
        self._drains: dict[str, tuple[int, Drain | None]] = {}
        """By node, when its key was written last, and what it says."""
        self._unlisted = dict.fromkeys(self.prefixes)
        self._addresses: dict[str, tuple[Address, ...]] = {}
        self._documents: dict[str, dict[str, StoredValue]] = {}
        """By node, what it published, by key."""
        self._reports: dict[str, NodeReport] = {}
        """Those that were read since they were written last."""

    @property
    def is_listed(self) -> bool:
        """Whether everything was told once, and every change from now on will be."""
        return not self._unlisted

    @property
    def is_known(self) -> bool:
        """Whether there is such a Node, or was an agent on it."""
        return self.node in self._addresses or self.node in self._documents

    @property
    def drain(self) -> Drain | None:
        """That of the node; None, too, for a value that is none."""
        return self._drains.get(self.node, (0, None))[1]

    @property
    def drain_revision(self) -> int:
        """When its key was written last; 0: there is none."""
        return self._drains.get(self.node, (0, None))[0]

    @property
    def own(self) -> NodeReport:
        """What the node itself tells."""
        return self._report(self.node)

    def scene(self, drain: Drain) -> Scene:
        """What there is to judge about this drain. Only what can name the node is read: a status is large."""
        marks = [f'"{address}"'.encode() for address in self._addresses.get(self.node, ())]
        reports = {
            name: self._report(name)
            for name in sorted(self._documents)
            if name == self.node or any(mark in each.value for each in self._statuses(name) for mark in marks)
        }
        stopped = DrainPhase.WITHDRAW
        others = {
            name for name, (_, each) in self._drains.items() if each is not None and each.phase is stopped
        }
        return Scene(self.node, drain, self._addresses, reports, frozenset(others))

    def take(self, batch: Batch) -> None:
        """Look at what is stored, or was written. Raises `StoreError` when we may not."""
        for event in batch:
            if isinstance(event, SnapshotReceived):
                self._replace(event)
            elif isinstance(event, KeyPut):
                self._put(event.stored)
            elif isinstance(event, KeyDeleted):
                self._delete(event.key)
                self._hear(event.key, event.revision)
            else:
                self._note_loss(event)

    def _replace(self, snapshot: SnapshotReceived) -> None:
        self._unlisted.pop(snapshot.prefix, None)
        there = {stored.key for stored in snapshot.values}
        for key in [key for key in self._keys() if key.startswith(snapshot.prefix) and key not in there]:
            self._delete(key)
        for stored in snapshot.values:
            self._put(stored)
        if snapshot.prefix == DRAINS:
            self._hear(drain_key(self.node), snapshot.revision)

    def _keys(self) -> list[str]:
        nodes = [str(ResourceKey("Node", name)) for name in self._addresses]
        published = (key for each in self._documents.values() for key in each)
        return [*map(drain_key, self._drains), *nodes, *published]

    def _put(self, stored: StoredValue) -> None:
        if (node := drained_node(stored.key)) is not None:
            found = decode(stored.value)
            self._drains[node] = stored.revision, found if isinstance(found, Drain) else None
            self._hear(stored.key, stored.revision)
        elif (parsed := keys.parse_key(stored.key)) is not None:
            self._documents.setdefault(parsed[0], {})[stored.key] = stored
            self._reports.pop(parsed[0], None)
        elif stored.key.startswith(NODE_RESOURCES):
            self._put_node(stored)

    def _put_node(self, stored: StoredValue) -> None:
        key, decoded = parse_key(stored.key), decode_resource(stored.key, stored.value)
        if not isinstance(key, ResourceKey):
            return
        found = None if isinstance(decoded, list) else decoded.value
        bgp = found.effective_bgp if isinstance(found, Node) else None
        written = () if bgp is None else (bgp.ipv4_address, bgp.ipv6_address)
        self._addresses[key.name] = tuple(each.address for each in written if each is not None)

    def _delete(self, key: str) -> None:
        if (node := drained_node(key)) is not None:
            self._drains.pop(node, None)
        elif (parsed := keys.parse_key(key)) is not None:
            documents = self._documents.get(parsed[0], {})
            documents.pop(key, None)
            self._reports.pop(parsed[0], None)
            if not documents:
                self._documents.pop(parsed[0], None)
        elif key.startswith(NODE_RESOURCES):
            self._addresses.pop(key.removeprefix(NODE_RESOURCES), None)

    def _hear(self, key: str, revision: int) -> None:
        if key == drain_key(self.node):
            self.drain_heard = revision

    def _note_loss(self, event: StoreInput) -> None:
        if isinstance(event, DatastoreRestored):
            self.lost = ""
        elif isinstance(event, DatastoreLost):
            if event.refused:
                raise StoreError(f"etcd does not let us read what the agents tell: {event.reason}")
            self.lost = event.reason

    def _statuses(self, name: str) -> list[StoredValue]:
        found = self._documents.get(name, {}).get(keys.status_key(name))
        return [] if found is None else [found]

    def _report(self, name: str) -> NodeReport:
        if name not in self._reports:
            documents = self._documents.get(name, {})
            read = read_reports(Stored(*stored) for stored in documents.values())
            self._reports[name] = read[0] if read else NodeReport(name)
        return self._reports[name]
