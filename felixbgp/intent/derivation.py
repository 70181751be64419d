"""From changes of the cluster's state to changes of what one node must do.

    changes ─┬─ local Node, its drain, default or own BGPConfiguration ─▶ everything
             ├─ another Node ─▶ its claims, by the BGPPeers that look at nodes, and its place in the mesh
             ├─ a BGPPeer, a BGPFilter or secret of it, endpoints ─▶ the claims of that BGPPeer
             ├─ the drain of another Node ─▶ the sessions with it
             └─ pools, own blocks ─▶ the policies of every session

What comes out depends on the state alone: after any changes it equals what a new Derivation makes of the same
state (tests/property/test_derivation.py). A change may concern every peer, so that it is worked off in parts:
until the last of them the former intent holds, and the state stays as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import NamedTuple, Self, TypeVar

from felixbgp.bgp.config import BGP_PORT, PeerConfig, PeerId, SpeakerConfig
from felixbgp.cluster.changes import Changes
from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS, secret_of
from felixbgp.cluster.parts import Parts, whole
from felixbgp.cluster.secrets import SECRETS
from felixbgp.cluster.state import DRAIN, ClusterState
from felixbgp.intent.aggregates import (
    confirmed_blocks,
    encrypted_next_hops,
    ignored_interfaces,
    kernel_exclusions,
    own_aggregates,
    service_ranges,
    tunnels,
)
from felixbgp.intent.claims import Claims
from felixbgp.intent.drains import Drains
from felixbgp.intent.findings import Findings
from felixbgp.intent.listing import lists
from felixbgp.intent.log_level import log_level
from felixbgp.intent.members import Members, configuration, member_of
from felixbgp.intent.mesh import Mesh
from felixbgp.intent.peers import PeerClaims
from felixbgp.intent.policies import Policies
from felixbgp.intent.priorities import NORMAL_PRIORITY
from felixbgp.intent.reports import report_absent, report_annotations, report_configurations
from felixbgp.intent.site import Site
from felixbgp.intent.static_routes import Reachable, static_routes
from felixbgp.intent.types import Intent, PeerOrigin, Problem, StaticRoute
from felixbgp.intent.workloads import peering_addresses
from felixbgp.net import IPV4, Address
from felixbgp.resources.bgp_configuration import DEFAULT_NAME, NODE_NAME_PREFIX, BindMode

Kept = TypeVar("Kept")

_FIRST = itemgetter(0)
WHOLE = 100
"""What it takes to put an intent of 1,000 peers together, in parts."""
MULTIPATH_MAX = 16
"""Equally good routes become one route with several next hops; 16 is the limit that BIRD has in Calico."""


class Derived(NamedTuple):
    """The intent of now, and the peers in which it differs from the one before; None is one that is gone."""

    intent: Intent
    peers: Mapping[PeerId, PeerConfig | None]
    departed: frozenset[Address] = frozenset()
    """Addresses of nodes that left the cluster with this change."""
    held_down: frozenset[PeerId] = frozenset()
    """Peers that are not in the intent though somebody claims them: their sessions must stay down."""

    @classmethod
    def between(cls, former: Intent, intent: Intent) -> Self:
        """By comparing all that two intents have."""
        now = {peer: intent.peers.get(peer) for peer in former.peers | intent.peers}
        return cls(intent, _differing(former.peers, now))


class Derivation:
    """Follows one state for node `node`. Never raises: what cannot be done is in the intent's `problems`.

    `router_id` is the BGP identifier to use instead of the node's IPv4 address (four octets), `route_metric`
    the normal priority of routes where no BGPConfiguration gives one. Invalid values are not among the
    problems: the state names those itself, by key.
    """

    def __init__(
        self, node: str, *, router_id: Address | None = None, route_metric: int = NORMAL_PRIORITY
    ) -> None:
        self._node = node
        self._router_id = router_id
        self._route_metric = route_metric
        self._intent = Intent()
        self._deriving: _Deriving | None = None
        self._gone: dict[PeerId, PeerConfig | None] = {}
        """The peers of a node that ceased to take part in BGP."""
        self._former = Members()
        """The nodes of the last derivation that was followed by one from the beginning."""

    def update(self, state: ClusterState, changes: Changes | None = None) -> Derived:
        """Derive again what the changes make different; None stands for everything."""
        return whole(self.follow(state, changes))

    def follow(self, state: ClusterState, changes: Changes | None = None) -> Parts[Derived]:
        """`update` in parts. The state must not change before the last of them."""
        if changes is None or self._deriving is None or self._concern_everything(changes):
            yield from self._restart(state)
        else:
            yield from self._deriving.take(changes)
        if self._deriving is None:
            return Derived(self._intent, self._gone)
        self._intent = yield from self._deriving.intent(self._intent)
        deriving = self._deriving
        return Derived(self._intent, deriving.changed, deriving.take_departed(), deriving.held_down)

    def node_at(self, address: Address) -> str | None:
        """The other node that has this BGP address; None when there is none, or more than one."""
        return None if self._deriving is None else self._deriving.node_at(address)

    def lists_us(self, address: Address) -> bool | None:
        """Whether the other node that has this BGP address has us as a peer; None where that is not known."""
        return None if self._deriving is None else self._deriving.lists_us(address)

    def _concern_everything(self, changes: Changes) -> bool:
        own = NODE_NAME_PREFIX + self._node
        is_own = changes.includes("Node", self._node) or changes.includes(DRAIN, self._node)
        return is_own or changes.includes("BGPConfiguration", DEFAULT_NAME, own)

    def _restart(self, state: ClusterState) -> Parts[None]:
        if self._deriving is not None:
            self._former = self._deriving.members
        self._deriving = None
        site = Site.of(state, self._node, self._route_metric)
        identifier = self._router_id or (None if site is None else site.local.address(IPV4))
        if site is None or identifier is None:
            self._gone = dict.fromkeys(self._intent.peers)
            self._intent = self._without_speaker(state, site)
        else:
            self._deriving = _Deriving(state, site, identifier)
            yield from self._deriving.start((*self._intent.peers, *self._intent.held_down))
            self._deriving.note_departed(self._former)

    def _without_speaker(self, state: ClusterState, site: Site | None) -> Intent:
        """What is left for a node that takes no part in BGP: to say why."""
        findings = Findings()
        report_configurations(state, self._node, findings)
        report_annotations(state, self._node, findings)
        if site is None:
            report_absent(state, self._node, findings)
        else:
            reason = "is absent, and no router ID is set: an IPv6-only node needs one"
            findings.add(f"Node {self._node}", "spec.bgp.ipv4Address", reason)
        names = (DEFAULT_NAME, NODE_NAME_PREFIX + self._node)
        level = log_level(*(configuration(state, name) for name in names))
        return Intent(problems=findings.problems(), log_level=level, drain=state.drains.get(self._node))


class _Deriving:
    """What is kept of a site between two derivations."""

    def __init__(self, state: ClusterState, site: Site, identifier: Address) -> None:
        self._state = state
        self._site = site
        self._identifier = identifier
        self._policies = Policies(site)
        blocks = partial(confirmed_blocks, site)
        self._drains = Drains(site.local.name, state.drains, site.members, blocks)
        self._claims = Claims()
        self._peer_claims: dict[str, PeerClaims] = {}
        """Those of the BGPPeers that concern the local node."""
        self._lookers: dict[str, PeerClaims] = {}
        """Of these the ones that other nodes make a difference to."""
        self._at_address: dict[Address, dict[str, None]] = {}
        """Of these the names of the ones that are about one address."""
        self._reports: tuple[Problem, ...] = ()
        self._problems: dict[str, tuple[Problem, ...]] = {}
        """What is wrong with the BGPPeers, where something is."""
        self._reachable: dict[str, Reachable] = {}
        self._static_routes: tuple[StaticRoute, ...] = ()
        self._static_problems: tuple[Problem, ...] = ()
        self._encrypted: tuple[Address, ...] = ()
        self._departed: dict[Address, None] = {}
        """Addresses that no node has any more."""
        self.changed: dict[PeerId, PeerConfig | None] = {}
        """The peers in which the last intent differed from the one before."""
        self.held_down: frozenset[PeerId] = frozenset()
        """The ones looked at for it that are claimed and have no session."""

    def start(self, former: Iterable[PeerId]) -> Parts[None]:
        """Make all claims; what becomes of the `former` peers will be told too."""
        self._claims.touch(former)
        yield from self._site.members.read(self._state)
        yield from self._follow(list(self._state.bgp_peers))
        yield from self._make_mesh()
        self._encrypted = encrypted_next_hops(self._site)
        self._report()

    def take(self, changes: Changes) -> Parts[None]:
        """Bring the claims in line with what changed, and does not concern everything."""
        yield from self._follow(changes.of("BGPPeer"))
        yield from self._follow((yield from self._filters_changed(frozenset(changes.of("BGPFilter")))))
        yield from self._follow((yield from self._secrets_changed(changes)))
        yield from self._follow((yield from self._members_changed(changes)))
        if changes.of("WorkloadEndpoint") or _touches(changes, WORKLOAD_ENDPOINTS):
            self._site.read_endpoints(self._state)
            yield from self._follow(self._those(lambda peer: peer.peers_with_workloads))
        if changes.of("IPPool") or changes.blocks_of(self._site.local.name):
            yield from self._ranges_changed()
        if changes.of("BGPConfiguration"):
            self._report()
        self._drains_changed(changes.of(DRAIN))

    def node_at(self, address: Address) -> str | None:
        """The other node that has this BGP address; None when there is none, or more than one."""
        found = self._site.members.at(address)
        return found[0].name if len(found) == 1 else None

    def lists_us(self, address: Address) -> bool | None:
        """Whether the other node that has this BGP address has us as a peer; None when none has it."""
        found = self._site.members.at(address)
        if len(found) != 1 or found[0].name == self._site.local.name:
            return None
        return lists(self._site, [peer.spec for peer in self._state.bgp_peers.values()], found[0])

    @property
    def members(self) -> Members:
        """The nodes by which all is derived."""
        return self._site.members

    def note_departed(self, former: Members) -> None:
        """Those of these nodes that are none any more have left."""
        for member in former:
            if self._site.members.get(member.name) is None:
                self._departed |= {one.address: None for one in member.addresses.values()}

    def take_departed(self) -> frozenset[Address]:
        """The addresses of nodes that left since the last call."""
        departed, self._departed = frozenset(self._departed), {}
        return departed

    def intent(self, former: Intent) -> Parts[Intent]:
        """The intent of now; all that is as it was is the same object in both."""
        configs: dict[PeerId, PeerConfig | None] = {}
        claimed: dict[PeerId, None] = {}
        origins: dict[PeerId, PeerOrigin | None] = {}
        held_down: dict[PeerId, PeerOrigin | None] = {}
        for peer, claim in self._claims.settle():
            config, origin = (None, None) if claim is None else self._drains.applied(claim)
            if config != former.peers.get(peer):
                configs[peer] = config
            held = None if claim is None or config is not None else claim.origin
            if held is not None:
                claimed[peer] = None
            if held != former.held_down.get(peer):
                held_down[peer] = held
            if origin != former.origins.get(peer):
                origins[peer] = origin
            yield 1
        yield from self._look_at_touched()
        self.changed, self.held_down = configs, frozenset(claimed)
        yield WHOLE
        site = self._site
        return Intent(
            speaker=SpeakerConfig(
                bgp_identifier=self._identifier,
                local_as=site.local.as_number,
                cluster_id=site.local.cluster_id,
                multipath_external=MULTIPATH_MAX,
                multipath_internal=MULTIPATH_MAX,
            ),
            listen=self._listen(),
            listen_port=site.local.port or BGP_PORT,
            peers=_amended(former.peers, self.changed),
            origins=_amended(former.origins, origins),
            held_down=_amended(former.held_down, held_down),
            aggregates=own_aggregates(site),
            service_ranges=service_ranges(site),
            kernel_exclusions=kernel_exclusions(site),
            encrypted_next_hops=self._encrypted,
            tunnels=tunnels(site),
            static_routes=self._static_routes,
            log_level=log_level(site.defaults, site.own),
            drain=self._drains.own,
            ignored_interfaces=ignored_interfaces(site),
            normal_priority=site.normal_priority,
            problems=self._all_problems(),
        )

    # ---- what changed

    def _follow(self, names: Iterable[str]) -> Parts[None]:
        """Make the claims of these BGPPeers anew, or let go of them."""
        for name in names:
            yield from self._claims.drop(name)
            self._let_go(name)
            bgp_peer = self._state.bgp_peers.get(name)
            if bgp_peer is None:
                continue
            peer_claims = PeerClaims(self._site, self._policies, bgp_peer)
            yield 2
            if peer_claims.concerns_us:
                self._keep(name, peer_claims)
                yield from peer_claims.put_all(self._claims)

    def _keep(self, name: str, peer_claims: PeerClaims) -> None:
        self._peer_claims[name] = peer_claims
        if peer_claims.looks_at_members:
            self._lookers[name] = peer_claims
        if peer_claims.address is not None:
            self._at_address.setdefault(peer_claims.address, {})[name] = None

    def _let_go(self, name: str) -> None:
        peer_claims = self._peer_claims.pop(name, None)
        self._lookers.pop(name, None)
        address = None if peer_claims is None else peer_claims.address
        if address is not None:
            del self._at_address[address][name]
            if not self._at_address[address]:
                del self._at_address[address]

    def _filters_changed(self, filters: frozenset[str]) -> Parts[list[str]]:
        """Other rules for the sessions there are; gives the BGPPeers that have to gain or lose theirs."""
        if not filters:
            return []
        self._policies.forget(filters)
        stale = []
        for name in self._those(lambda peer: not peer.uses.isdisjoint(filters)):
            if self._peer_claims[name].is_outdated:
                stale.append(name)
            else:
                yield from self._peer_claims[name].put_policies(self._claims)
        return stale

    def _members_changed(self, changes: Changes) -> Parts[list[str]]:
        """Claims of and about other nodes; gives the BGPPeers that look at an address of theirs."""
        configured = (name.removeprefix(NODE_NAME_PREFIX) for name in changes.of("BGPConfiguration"))
        stale: dict[str, None] = {}
        is_other = False
        for name in dict.fromkeys((*changes.of("Node"), *configured)):
            former, member = self._site.members.get(name), member_of(self._state, name)
            touched = self._site.members.put(name, member)
            is_other = is_other or bool(touched)
            for peer_claims in self._lookers.values() if touched else ():
                peer_claims.put_member(self._claims, name, member)
                yield 1
            for address in touched:
                if member is None:
                    self._departed[address] = None
                self._mesh.claim(self._claims, address, former)
                self._claims.touch(self._claims.at(address) if self._state.drains else ())
                stale.update(self._at_address.get(address, {}))
            yield 2
        if is_other:
            self._encrypted = encrypted_next_hops(self._site)
        return list(stale)

    def _drains_changed(self, nodes: Iterable[str]) -> None:
        """The same claims of and about these nodes, looked at again."""
        for member in map(self._site.members.get, nodes):
            for interface in () if member is None else member.addresses.values():
                self._claims.touch(self._claims.at(interface.address))

    def _secrets_changed(self, changes: Changes) -> Parts[list[str]]:
        """The mesh's password; gives the BGPPeers whose own is another."""
        everything = _touches(changes, SECRETS)
        if not (everything or changes.secrets):
            return []
        changed = frozenset(changes.secrets)
        mesh = secret_of(self._site.defaults.node_mesh_password)
        if mesh is not None and (everything or mesh in changed):
            yield from self._make_mesh()
        return self._those(lambda peer: peer.secret is not None and (everything or peer.secret in changed))

    def _ranges_changed(self) -> Parts[None]:
        """Other pools or blocks: the same sessions, each with policies of now."""
        self._site.read_ranges(self._state)
        self._policies.forget_all()
        for peer_claims in self._peer_claims.values():
            yield from peer_claims.put_policies(self._claims)
        yield from self._make_mesh()

    def _make_mesh(self) -> Parts[None]:
        self._mesh = Mesh(self._site, self._policies)
        for address in self._site.members.addresses():
            self._mesh.claim(self._claims, address)
            yield 2

    def _report(self) -> None:
        findings = Findings()
        report_configurations(self._state, self._site.local.name, findings)
        report_annotations(self._state, self._site.local.name, findings)
        self._reports = findings.problems()

    def _those(self, wanted: Callable[[PeerClaims], bool]) -> list[str]:
        """Names of the BGPPeers that concern the local node and are as wanted."""
        return [name for name, peer_claims in self._peer_claims.items() if wanted(peer_claims)]

    # ---- what comes of it

    def _listen(self) -> tuple[Address, ...]:
        """The node's own addresses, or the unspecified address of each family it has."""
        own = [self._site.local.addresses[family].address for family in sorted(self._site.local.addresses)]
        if self._site.defaults.bind_mode is not BindMode.NODE_IP:
            return tuple(Address(bytes(len(address))) for address in own)
        if self._those(lambda peer: peer.peers_with_workloads):
            own += peering_addresses(self._site)
        return tuple(own)

    def _look_at_touched(self) -> Parts[None]:
        """Find what is wrong with the BGPPeers whose claims may be others, and the way to their peers."""
        former = dict(self._reachable)
        for name in self._claims.take_touched_resources():
            peer_claims = self._peer_claims.get(name)
            self._problems.pop(name, None)
            self._reachable.pop(name, None)
            if peer_claims is None:
                continue
            if problems := peer_claims.problems(self._claims):
                self._problems[name] = problems
            gateway = peer_claims.spec.reachable_by
            if gateway is not None:
                peers = frozenset(claim.peer.address for claim in self._claims.of(name))
                self._reachable[name] = Reachable(name, gateway, peers)
            yield 1
        if former != self._reachable:
            findings = Findings()
            self._static_routes = yield from static_routes(self._reachable.values(), findings)
            self._static_problems = findings.problems()

    def _all_problems(self) -> tuple[Problem, ...]:
        findings = Findings()
        findings.include(self._reports)
        findings.include(self._mesh.problems())
        findings.include(self._claims.conflicts())
        findings.include(self._static_problems)
        for problems in self._problems.values():
            findings.include(problems)
        return findings.problems()


def _touches(changes: Changes, prefix: str) -> bool:
    """Whether an optional prefix of the store began or ceased to be readable."""
    return any(prefix.startswith(changed) for changed in changes.prefixes)


def _differing(
    former: Mapping[PeerId, Kept], settled: Mapping[PeerId, Kept | None]
) -> dict[PeerId, Kept | None]:
    return {peer: value for peer, value in settled.items() if value != former.get(peer)}


def _amended(former: dict[PeerId, Kept], changes: Mapping[PeerId, Kept | None]) -> dict[PeerId, Kept]:
    """`former`, sorted by peer, with the changes made; itself where there are none.

    Copied and sorted without looking at a peer in Python: one that comes costs the same among 10 and 1,000.
    """
    if not changes:
        return former
    amended = dict(former)
    for peer, value in changes.items():
        if value is None:
            del amended[peer]
        else:
            amended[peer] = value
    return amended if amended.keys() <= former.keys() else dict(sorted(amended.items(), key=_FIRST))
