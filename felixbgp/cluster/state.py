"""The cluster as the store has it: a fold of events in which only the last value of each key counts.

Standing rules:

* What is known of a key has a revision. An event that is not newer is a repetition or came late, and is
  ignored; this holds for deleted keys too, so the order of events does not matter.
* A snapshot is the truth about its prefix, also when its revision is lower than what was known (a store
  restored from a backup goes back). Afterwards an event up to the snapshot's revision is late.
* An invalid value counts as absent, and `invalid` says why. A valid one may have fields that this version
  does not know, and `ignored` names them.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar, assert_never

from felixbgp.cluster.facts import (
    ClusterFact,
    ClusterInSync,
    FieldsIgnored,
    InvalidValue,
    StaleEventIgnored,
    StoreLost,
    StoreRestored,
    ValueCorrected,
)
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.net import Prefix
from felixbgp.resources import (
    AffinityKey,
    AffinityState,
    AnyResource,
    BgpConfiguration,
    BgpFilter,
    BgpPeer,
    BlockAffinity,
    CalicoNodeStatus,
    FieldError,
    IpPool,
    Node,
    WorkloadEndpoint,
    decode,
    parse_key,
)
from felixbgp.resources.keys import HOSTS, prefix_of, prefix_of_host

_Table = (
    dict[str, Node]
    | dict[str, BgpPeer]
    | dict[str, BgpConfiguration]
    | dict[str, BgpFilter]
    | dict[str, IpPool]
)
Resource = TypeVar("Resource", Node, BgpPeer, BgpConfiguration, BgpFilter, IpPool)

FOLLOWED_KINDS = ("BGPConfiguration", "BGPFilter", "BGPPeer", "IPPool", "Node")
"""What every agent follows of the whole cluster; endpoints and reports of all nodes would be too many."""

MAX_TOMBSTONES = 100_000
"""Deleted keys whose revision is remembered to tell late events; the oldest are forgotten first.

A hundred bytes each. An event overtaken by that many deletions is not a thing a watch stream can produce.
"""


def watched_prefixes(node: str | None = None) -> tuple[str, ...]:
    """The prefixes to list and watch for an agent on `node`; None is for a view of every node (`plan`)."""
    blocks = HOSTS if node is None else prefix_of_host(node)
    return (*(prefix_of(kind) for kind in FOLLOWED_KINDS), blocks)


class ClusterState:
    """The fold. `node` names the host whose block affinities must have arrived for it to be in sync.

    The mappings are live and read-only; what is in them is immutable. Their order is that of arrival, so
    whoever derives something from them sorts first.
    """

    def __init__(self, node: str | None = None) -> None:
        self.revision = 0
        """The highest store revision heard of since the last snapshot."""
        self._node = node
        self._awaited = set(watched_prefixes(node))
        self._nodes: dict[str, Node] = {}
        self._bgp_peers: dict[str, BgpPeer] = {}
        self._bgp_configurations: dict[str, BgpConfiguration] = {}
        self._bgp_filters: dict[str, BgpFilter] = {}
        self._ip_pools: dict[str, IpPool] = {}
        self._tables: dict[str, _Table] = {
            "Node": self._nodes,
            "BGPPeer": self._bgp_peers,
            "BGPConfiguration": self._bgp_configurations,
            "BGPFilter": self._bgp_filters,
            "IPPool": self._ip_pools,
        }
        self._affinities: dict[str, dict[Prefix, AffinityState]] = {}
        self._invalid: dict[str, list[FieldError]] = {}
        self._ignored: dict[str, tuple[FieldError, ...]] = {}
        self._revisions: dict[str, int] = {}
        self._tombstones: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        self._facts: list[ClusterFact] = []

    @property
    def nodes(self) -> Mapping[str, Node]:
        """Valid Nodes by name."""
        return MappingProxyType(self._nodes)

    @property
    def bgp_peers(self) -> Mapping[str, BgpPeer]:
        """Valid BGPPeers by name."""
        return MappingProxyType(self._bgp_peers)

    @property
    def bgp_configurations(self) -> Mapping[str, BgpConfiguration]:
        """Valid BGPConfigurations by name."""
        return MappingProxyType(self._bgp_configurations)

    @property
    def bgp_filters(self) -> Mapping[str, BgpFilter]:
        """Valid BGPFilters by name."""
        return MappingProxyType(self._bgp_filters)

    @property
    def ip_pools(self) -> Mapping[str, IpPool]:
        """Valid IPPools by name."""
        return MappingProxyType(self._ip_pools)

    @property
    def affinities(self) -> Mapping[Prefix, AffinityState]:
        """The blocks of this view's own node; empty for a view of every node."""
        return self.affinities_of(self._node or "")

    @property
    def invalid(self) -> Mapping[str, list[FieldError]]:
        """What is wrong with the values that count as absent, by key."""
        return MappingProxyType(self._invalid)

    @property
    def ignored(self) -> Mapping[str, tuple[FieldError, ...]]:
        """The fields that were left out of values which count, by key."""
        return MappingProxyType(self._ignored)

    def affinities_of(self, host: str) -> Mapping[Prefix, AffinityState]:
        """The blocks a host has claimed and how far the claims are, as far as they are watched."""
        return MappingProxyType(self._affinities.get(host, {}))

    def in_sync(self) -> bool:
        """Whether every watched prefix has delivered a snapshot. Once true, it stays true."""
        return not self._awaited

    def take_facts(self) -> list[ClusterFact]:
        """What was observed since the last call."""
        taken, self._facts = self._facts, []
        return taken

    def feed(self, event: StoreInput) -> bool:
        """Take an event in; True when something derived from the state could change."""
        match event:
            case SnapshotReceived():
                return self._replace(event)
            case KeyPut():
                return self._put(event.stored)
            case KeyDeleted():
                return self._delete(event)
            case RevisionReached():
                self.revision = max(self.revision, event.revision)
                return False
            case DatastoreLost():
                self._facts.append(StoreLost(event.reason))
                return False
            case DatastoreRestored():
                self._facts.append(StoreRestored())
                return False
            case _:
                assert_never(event)

    def _replace(self, snapshot: SnapshotReceived) -> bool:
        listed = {stored.key: stored for stored in snapshot.values if stored.key.startswith(snapshot.prefix)}
        gone = [key for key in self._keys_under(snapshot.prefix) if key not in listed]
        changed = False
        for key in gone:
            changed |= self._forget(key, snapshot.revision)
        for stored in listed.values():
            changed |= self._store(stored)
        for table in (self._floors, self._tombstones):
            for key in [key for key in table if key.startswith(snapshot.prefix)]:
                del table[key]
        self._floors[snapshot.prefix] = snapshot.revision
        self.revision = snapshot.revision
        return self._arrived(snapshot) or changed

    def _arrived(self, snapshot: SnapshotReceived) -> bool:
        """Take the snapshot's prefix, and any inside it, off the list; True when that was the last."""
        covered = {prefix for prefix in self._awaited if prefix.startswith(snapshot.prefix)}
        if not covered:
            return False
        self._awaited -= covered
        if self._awaited:
            return False
        self._facts.append(ClusterInSync(snapshot.revision))
        return True

    def _keys_under(self, prefix: str) -> Iterator[str]:
        return (key for key in self._revisions if key.startswith(prefix))

    def _put(self, stored: StoredValue) -> bool:
        self.revision = max(self.revision, stored.revision)
        if self._is_late(stored.key, stored.revision):
            return False
        self._tombstones.pop(stored.key, None)
        return self._store(stored)

    def _delete(self, event: KeyDeleted) -> bool:
        self.revision = max(self.revision, event.revision)
        if self._is_late(event.key, event.revision):
            return False
        self._tombstones.pop(event.key, None)
        self._tombstones[event.key] = event.revision
        if len(self._tombstones) > MAX_TOMBSTONES:
            del self._tombstones[next(iter(self._tombstones))]
        return self._forget(event.key, event.revision)

    def _is_late(self, key: str, revision: int) -> bool:
        known = max(self._revisions.get(key, 0), self._tombstones.get(key, 0), self._floor(key))
        if revision > known:
            return False
        if revision < known:
            self._facts.append(StaleEventIgnored(key, revision, known))
        return True

    def _floor(self, key: str) -> int:
        """The revision of the last snapshot that covers the key, 0 before the first."""
        covering = [prefix for prefix in self._floors if key.startswith(prefix)]
        return self._floors[max(covering, key=len)] if covering else 0

    def _store(self, stored: StoredValue) -> bool:
        """Make this the value of its key, whatever was known."""
        if not _is_followed(stored.key):
            return False
        self._revisions[stored.key] = stored.revision
        decoded = decode(stored.key, stored.value)
        if isinstance(decoded, list):
            return self._refuse(stored, decoded)
        corrected = self._invalid.pop(stored.key, None) is not None
        if corrected:
            self._facts.append(ValueCorrected(stored.key, stored.revision))
        noted = self._note_ignored(stored, decoded.ignored)
        return self._set(decoded.value) or corrected or noted

    def _note_ignored(self, stored: StoredValue, ignored: tuple[FieldError, ...]) -> bool:
        """Keep what was left out of a value; True when that is not what it was."""
        if self._ignored.get(stored.key, ()) == ignored:
            return False
        self._ignored.pop(stored.key, None)
        if ignored:
            self._ignored[stored.key] = ignored
            self._facts.append(FieldsIgnored(stored.key, stored.revision, ignored))
        return True

    def _refuse(self, stored: StoredValue, errors: list[FieldError]) -> bool:
        self._ignored.pop(stored.key, None)
        if self._invalid.get(stored.key) == errors:
            return False
        self._invalid[stored.key] = errors
        self._facts.append(InvalidValue(stored.key, stored.revision, tuple(errors)))
        self._remove(stored.key)
        return True

    def _set(self, decoded: AnyResource | BlockAffinity) -> bool:
        if isinstance(decoded, BlockAffinity):
            blocks = self._affinities.setdefault(decoded.host, {})
            changed = blocks.get(decoded.cidr) != decoded.state
            blocks[decoded.cidr] = decoded.state
            return changed
        match decoded:
            case Node():
                return _keep(self._nodes, decoded)
            case BgpPeer():
                return _keep(self._bgp_peers, decoded)
            case BgpConfiguration():
                return _keep(self._bgp_configurations, decoded)
            case BgpFilter():
                return _keep(self._bgp_filters, decoded)
            case IpPool():
                return _keep(self._ip_pools, decoded)
            case WorkloadEndpoint() | CalicoNodeStatus():
                return False
            case _:
                assert_never(decoded)

    def _forget(self, key: str, revision: int) -> bool:
        """The key is gone."""
        if self._revisions.pop(key, None) is None:
            return False
        self._ignored.pop(key, None)
        if self._invalid.pop(key, None) is not None:
            self._facts.append(ValueCorrected(key, revision))
            return True
        return self._remove(key)

    def _remove(self, key: str) -> bool:
        """Drop the value of a key from its table; True when there was one."""
        parsed = parse_key(key)
        if parsed is None:
            return False
        if isinstance(parsed, AffinityKey):
            return self._affinities.get(parsed.host, {}).pop(parsed.cidr, None) is not None
        return self._tables[parsed.kind].pop(parsed.name, None) is not None


def _is_followed(key: str) -> bool:
    parsed = parse_key(key)
    return isinstance(parsed, AffinityKey) or (parsed is not None and parsed.kind in FOLLOWED_KINDS)


def _keep(table: dict[str, Resource], resource: Resource) -> bool:
    """Put a resource into its table; True when it means something else than the one before.

    Only the spec, labels and annotations mean anything: a status, a timestamp or a uid changes no derivation.
    """
    old = table.get(resource.name)
    table[resource.name] = resource
    return (
        old is None
        or old.spec != resource.spec
        or old.metadata.labels != resource.metadata.labels
        or old.metadata.annotations != resource.metadata.annotations
    )
