"""The cluster as the store has it: a fold of events in which only the last value of each key counts.

Standing rules:

* What is known of a key has a revision. An event that is not newer is a repetition or came late, and is
  ignored; this holds for deleted keys too, so the order of events does not matter.
* A snapshot is the truth about its prefix, also when its revision is lower than what was known (a store
  restored from a backup goes back). Afterwards an event up to the snapshot's revision is late.
* An invalid value counts as absent, and `invalid` says why. A valid one may have fields that this version
  does not know, and `ignored` names them.
* What the resources call for beyond the fixed prefixes (`take_demands`) counts as part of the first snapshot:
  not to be in sync without it keeps a restart from deriving a cluster without its passwords.
* A snapshot is read in parts (`fold`). Between two of them the state is neither what it was nor what it will
  be, so that nobody looks at it before the last.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar, assert_never

from felixbgp.cluster import drains, secrets
from felixbgp.cluster.changes import Changes
from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS, Demands, demands_of
from felixbgp.cluster.drains import DRAINS, Drain
from felixbgp.cluster.facts import (
    ClusterFact,
    ClusterInSync,
    FieldsIgnored,
    InvalidValue,
    ReadRefused,
    StaleEventIgnored,
    StoreLost,
    StoreRestored,
    ValueCorrected,
)
from felixbgp.cluster.following import Following
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    RevisionReached,
    SecretFilesRead,
    SnapshotReceived,
    StoredValue,
    StoreEvent,
    StoreInput,
)
from felixbgp.cluster.parts import Parts, whole
from felixbgp.cluster.secrets import SECRETS, FoundSecret, MissingSecret, SecretId, Secrets
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
from felixbgp.resources.bgp_configuration import DEFAULT_NAME
from felixbgp.resources.keys import HOSTS, Key, ResourceKey, prefix_of, prefix_of_host
from felixbgp.resources.workload_endpoint import is_endpoint_of

_Table = (
    dict[str, Node]
    | dict[str, BgpPeer]
    | dict[str, BgpConfiguration]
    | dict[str, BgpFilter]
    | dict[str, IpPool]
    | dict[str, WorkloadEndpoint]
)
Looked = TypeVar("Looked", str, StoredValue)
Resource = TypeVar("Resource", Node, BgpPeer, BgpConfiguration, BgpFilter, IpPool, WorkloadEndpoint)

FOLLOWED_KINDS = ("BGPConfiguration", "BGPFilter", "BGPPeer", "IPPool", "Node")
"""What every agent follows of the whole cluster; endpoints and reports of all nodes would be too many."""

KEPT_KINDS = frozenset((*FOLLOWED_KINDS, "WorkloadEndpoint"))

MAX_TOMBSTONES = 100_000
"""Deleted keys whose revision is remembered to tell late events; the oldest are forgotten first.

A hundred bytes each. An event overtaken by that many deletions is not a thing a watch stream can produce.
"""

LOOKED_AT = 50
"""Keys that are compared with a prefix in one part."""
OCTETS_READ = 250
"""Of a value, in the time of one part; a Node or a BGPPeer takes two or three."""


DRAIN = "Drain"
"""What drains are called among the changes."""


def required_prefixes(node: str | None = None) -> tuple[str, ...]:
    """What an agent on `node` cannot do without; None is for a view of every node (`plan`)."""
    blocks = HOSTS if node is None else prefix_of_host(node)
    return (*(prefix_of(kind) for kind in FOLLOWED_KINDS), blocks)


def watched_prefixes(node: str | None = None) -> tuple[str, ...]:
    """What is listed and watched always: for an agent the drains too, though the store may refuse them."""
    return (*required_prefixes(node), *_tolerated(node))


def _tolerated(node: str | None) -> tuple[str, ...]:
    """Optional prefixes that an agent follows whatever the resources call for."""
    return () if node is None else (DRAINS,)


class ClusterState:
    """The fold. `node` names the host whose block affinities must have arrived for it to be in sync.

    The mappings are live and read-only; what is in them is immutable. Their order is that of arrival, so
    whoever derives something from them sorts first.
    """

    def __init__(self, node: str | None = None) -> None:
        self.revision = 0
        """The highest store revision heard of since the last snapshot."""
        self._node = node
        self._in_sync = False
        self._following = Following(required_prefixes(node))
        self._tolerated = _tolerated(node)
        self._following.follow(self._tolerated)
        self._secrets = Secrets()
        self._demands: Demands | None = None
        """What the resources call for; None when they changed since it was last looked at."""
        self._demanded: Demands | None = None
        self._nodes: dict[str, Node] = {}
        self._bgp_peers: dict[str, BgpPeer] = {}
        self._bgp_configurations: dict[str, BgpConfiguration] = {}
        self._bgp_filters: dict[str, BgpFilter] = {}
        self._ip_pools: dict[str, IpPool] = {}
        self._workload_endpoints: dict[str, WorkloadEndpoint] = {}
        self._tables: dict[str, _Table] = {
            "Node": self._nodes,
            "BGPPeer": self._bgp_peers,
            "BGPConfiguration": self._bgp_configurations,
            "BGPFilter": self._bgp_filters,
            "IPPool": self._ip_pools,
            "WorkloadEndpoint": self._workload_endpoints,
        }
        self._affinities: dict[str, dict[Prefix, AffinityState]] = {}
        self._drains: dict[str, Drain] = {}
        self._invalid: dict[str, list[FieldError]] = {}
        self._ignored: dict[str, tuple[FieldError, ...]] = {}
        self._revisions: dict[str, int] = {}
        self._tombstones: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        self._facts: list[ClusterFact] = []
        self._changes = Changes()

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
    def workload_endpoints(self) -> Mapping[str, WorkloadEndpoint]:
        """Valid WorkloadEndpoints by namespace and name; of a view's own node only, if it has one.

        Empty while no BGPPeer calls for them.
        """
        return MappingProxyType(self._workload_endpoints)

    @property
    def drains(self) -> Mapping[str, Drain]:
        """The nodes that are drained, by name; there may be no such Node."""
        return MappingProxyType(self._drains)

    @property
    def workload_endpoints_obstacle(self) -> str:
        """Why nothing is known of WorkloadEndpoints although they are called for; "" when they were read."""
        return self._following.obstacle(WORKLOAD_ENDPOINTS)

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

    def revision_of(self, key: str) -> int:
        """The revision at which the value of a key was written last; 0 for a key that is not known."""
        return self._revisions.get(key, 0)

    def affinities_of(self, host: str) -> Mapping[Prefix, AffinityState]:
        """The blocks a host has claimed and how far the claims are, as far as they are watched."""
        return MappingProxyType(self._affinities.get(host, {}))

    def in_sync(self) -> bool:
        """Whether every watched prefix has delivered a snapshot. Once true, it stays true."""
        return self._in_sync

    def secret(self, secret: SecretId) -> FoundSecret | MissingSecret:
        """The password that a secret holds, or why there is none."""
        return self._secrets.find(secret, self._following.obstacle(SECRETS))

    def has_demands(self) -> bool:
        """Whether `take_demands` has something to tell."""
        return self._demanded != self._called_for()

    def take_demands(self) -> Demands | None:
        """What to read from now on, besides `watched_prefixes`; None when that is as the last call said.

        What is under a prefix that is no longer among them is forgotten.
        """
        demands = self._called_for()
        if demands == self._demanded:
            return None
        self._demanded = demands
        self._secrets.keep_files(demands.secrets)
        new, gone = self._following.follow((*demands.prefixes, *self._tolerated))
        for prefix in gone:
            self._forget_prefix(prefix)
        for prefix in (*new, *gone):
            self._changes.add_prefix(prefix)
        return demands

    def take_changes(self) -> Changes:
        """What is not as it was at the last call."""
        taken, self._changes = self._changes, Changes()
        return taken

    def take_facts(self) -> list[ClusterFact]:
        """What was observed since the last call."""
        taken, self._facts = self._facts, []
        return taken

    def feed(self, event: StoreInput) -> bool:
        """Take an event in; True when something derived from the state could change."""
        return whole(self.fold(event))

    def fold(self, event: StoreInput) -> Parts[bool]:
        """`feed` in parts: a snapshot is worked off value by value."""
        if isinstance(event, SnapshotReceived):
            changed = yield from self._replace(event)
        else:
            changed = self._take(event)
            yield 1 if not isinstance(event, KeyPut) else _cost_of(event.stored)
        return self._settle() or changed

    def _take(self, event: StoreEvent) -> bool:
        match event:
            case KeyPut():
                return self._put(event.stored)
            case KeyDeleted():
                return self._delete(event)
            case RevisionReached():
                self.revision = max(self.revision, event.revision)
                return False
            case SecretFilesRead():
                changed = self._secrets.take_files(event.directory, event.files)
                self._changes.add_secrets(sorted(changed))
                return bool(changed)
            case PrefixRefused():
                return self._refused(event)
            case DatastoreLost():
                self._facts.append(StoreLost(event.reason))
                return False
            case DatastoreRestored():
                self._facts.append(StoreRestored())
                return False
            case _:
                assert_never(event)

    def _replace(self, snapshot: SnapshotReceived) -> Parts[bool]:
        listed: dict[str, StoredValue] = {}
        for part in _batches(snapshot.values):
            for stored in part:
                if stored.key.startswith(snapshot.prefix) and self._is_of_interest(stored.key):
                    listed[stored.key] = stored
            yield 2
        changed = False
        for keys in _batches(list(self._revisions)):
            for key in keys:
                if key not in listed and key.startswith(snapshot.prefix):
                    changed |= self._forget(key, snapshot.revision)
            yield 1
        for stored in listed.values():
            changed |= self._store(stored)
            yield _cost_of(stored)
        yield from self._forget_revisions(snapshot.prefix)
        self._floors[snapshot.prefix] = snapshot.revision
        # An optional prefix is listed by itself, and so may be behind; only the others can tell of a backup.
        behind = self._following.is_followed(snapshot.prefix)
        self.revision = max(self.revision, snapshot.revision) if behind else snapshot.revision
        if not self._following.arrived(snapshot.prefix):
            return changed
        self._changes.add_prefix(snapshot.prefix)
        return True

    def _refused(self, event: PrefixRefused) -> bool:
        if not self._following.refused(event.prefix, event.reason):
            return False
        self._facts.append(ReadRefused(event.prefix, event.reason))
        self._changes.add_prefix(event.prefix)
        return True

    def _settle(self) -> bool:
        """Come in sync, if that is due: True the once."""
        if self._in_sync or not self._following.is_answered(self._tolerated):
            return False
        demands = self._called_for()
        if not self._following.is_answered((*demands.prefixes, *self._tolerated)):
            return False
        if not all(map(self._secrets.is_read, demands.secrets)):
            return False
        self._in_sync = True
        self._facts.append(ClusterInSync(self.revision))
        return True

    def _called_for(self) -> Demands:
        """What the resources call for now; a view of every node reads nothing that a node alone can see."""
        if self._node is None:
            return Demands()
        if self._demands is None:
            defaults = self._bgp_configurations.get(DEFAULT_NAME)
            node = self._nodes.get(self._node)
            self._demands = demands_of(self._node, node, defaults, self._bgp_peers.values())
        return self._demands

    def _forget_prefix(self, prefix: str) -> None:
        for key in [key for key in self._revisions if key.startswith(prefix)]:
            self._forget(key, self.revision)
        whole(self._forget_revisions(prefix))

    def _forget_revisions(self, prefix: str) -> Parts[None]:
        for table in (self._floors, self._tombstones):
            for keys in _batches(list(table)):
                for key in keys:
                    if key.startswith(prefix):
                        del table[key]
                yield 1

    def _is_of_interest(self, key: str) -> bool:
        """Whether the key is under a prefix that is followed: what is still on its way of others is not."""
        if key.startswith(SECRETS):
            return self._following.is_followed(SECRETS)
        if key.startswith(WORKLOAD_ENDPOINTS) and self._node is not None:
            return self._following.is_followed(WORKLOAD_ENDPOINTS) and is_endpoint_of(key, self._node)
        return True

    def _put(self, stored: StoredValue) -> bool:
        self.revision = max(self.revision, stored.revision)
        if not self._is_of_interest(stored.key) or self._is_late(stored.key, stored.revision):
            return False
        self._tombstones.pop(stored.key, None)
        return self._store(stored)

    def _delete(self, event: KeyDeleted) -> bool:
        self.revision = max(self.revision, event.revision)
        if not self._is_of_interest(event.key) or self._is_late(event.key, event.revision):
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
        if (secret := secrets.parse_key(stored.key)) is not None:
            self._revisions[stored.key] = stored.revision
            return self._secret_changed(secret, changed=self._secrets.store(secret, stored.value))
        if (node := drains.parse_key(stored.key)) is not None:
            return self._store_drain(node, stored)
        parsed = _parse_followed(stored.key)
        if parsed is None:
            return False
        self._revisions[stored.key] = stored.revision
        decoded = decode(stored.key, stored.value)
        if isinstance(decoded, list):
            return self._refuse(stored, decoded)
        corrected = self._correct(stored)
        noted = self._note_ignored(stored, decoded.ignored)
        return self._set(parsed, decoded.value) or corrected or noted

    def _store_drain(self, node: str, stored: StoredValue) -> bool:
        self._revisions[stored.key] = stored.revision
        drain = drains.decode(stored.value)
        if isinstance(drain, list):
            return self._refuse(stored, drain)
        corrected = self._correct(stored)
        if self._drains.get(node) == drain:
            return corrected
        self._drains[node] = drain
        self._changes.add(DRAIN, node)
        return True

    def _correct(self, stored: StoredValue) -> bool:
        """The value of a key is a valid one; True when the one before was not."""
        if self._invalid.pop(stored.key, None) is None:
            return False
        self._facts.append(ValueCorrected(stored.key, stored.revision))
        return True

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

    def _set(self, key: Key, decoded: AnyResource | BlockAffinity) -> bool:
        if isinstance(decoded, BlockAffinity):
            return self._set_affinity(decoded)
        place = _place_of(key)
        changed = self._keep(place, decoded)
        if changed:
            self._resource_changed(decoded.kind, place)
        return changed

    def _set_affinity(self, affinity: BlockAffinity) -> bool:
        blocks = self._affinities.setdefault(affinity.host, {})
        if blocks.get(affinity.cidr) == affinity.state:
            return False
        blocks[affinity.cidr] = affinity.state
        self._changes.add_blocks(affinity.host)
        return True

    def _keep(self, place: str, decoded: AnyResource) -> bool:
        match decoded:
            case Node():
                return _keep(self._nodes, place, decoded)
            case BgpPeer():
                return _keep(self._bgp_peers, place, decoded)
            case BgpConfiguration():
                return _keep(self._bgp_configurations, place, decoded)
            case BgpFilter():
                return _keep(self._bgp_filters, place, decoded)
            case IpPool():
                return _keep(self._ip_pools, place, decoded)
            case WorkloadEndpoint():
                return _keep(self._workload_endpoints, place, decoded)
            case CalicoNodeStatus():
                return False
            case _:
                assert_never(decoded)

    def _resource_changed(self, kind: str, place: str) -> None:
        self._changes.add(kind, place)
        if (kind, place) == ("Node", self._node) or kind in ("BGPPeer", "BGPConfiguration"):
            self._demands = None

    def _secret_changed(self, secret: SecretId, *, changed: bool) -> bool:
        if changed:
            self._changes.add_secrets((secret,))
        return changed

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
        if (secret := secrets.parse_key(key)) is not None:
            return self._secret_changed(secret, changed=self._secrets.forget(secret))
        if (node := drains.parse_key(key)) is not None:
            if self._drains.pop(node, None) is None:
                return False
            self._changes.add(DRAIN, node)
            return True
        parsed = parse_key(key)
        if parsed is None:
            return False
        if isinstance(parsed, AffinityKey):
            if self._affinities.get(parsed.host, {}).pop(parsed.cidr, None) is None:
                return False
            self._changes.add_blocks(parsed.host)
            return True
        place = _place_of(parsed)
        if self._tables[parsed.kind].pop(place, None) is None:
            return False
        self._resource_changed(parsed.kind, place)
        return True


def _cost_of(stored: StoredValue) -> int:
    """Of reading a value, in parts."""
    return 2 + len(stored.value) // OCTETS_READ


def _batches(found: Sequence[Looked]) -> Iterator[Sequence[Looked]]:
    return (found[first : first + LOOKED_AT] for first in range(0, len(found), LOOKED_AT))


def _parse_followed(key: str) -> Key | None:
    """What a key stands for, if it is of a kind that is kept."""
    parsed = parse_key(key)
    return None if isinstance(parsed, ResourceKey) and parsed.kind not in KEPT_KINDS else parsed


def _place_of(key: Key) -> str:
    """Where a resource stands in the table of its kind."""
    if isinstance(key, AffinityKey):
        return ""
    return key.name if key.namespace is None else f"{key.namespace}/{key.name}"


def _keep(table: dict[str, Resource], place: str, resource: Resource) -> bool:
    """Put a resource into its table; True when it means something else than the one before.

    Only the spec, labels and annotations mean anything: a status, a timestamp or a uid changes no derivation.
    """
    old = table.get(place)
    table[place] = resource
    return (
        old is None
        or old.spec != resource.spec
        or old.metadata.labels != resource.metadata.labels
        or old.metadata.annotations != resource.metadata.annotations
    )
