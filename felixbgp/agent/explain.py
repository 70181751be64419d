"""What an agent tells of one prefix (`felixbgp explain`), put together from what its rooms say of it.

    ClusterState ── revisions ─────────────┐
    Speaker.trace ── paths, told ──────────┼─▶ Explanation
    Forwarding, Fib ── next hops, kernel ──┘

Nothing is decided here and nothing is changed: it is a question, which leaves the agent as it was.
"""

from collections.abc import Callable, Iterator
from typing import Final

from felixbgp import __version__
from felixbgp.agent.audit import PROGRAMMED, compare_kernel
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.datastore import Datastore
from felixbgp.agent.forwarding import Forwarding
from felixbgp.agent.rooms import Rooms
from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.policy.types import DEFAULT_RULE, Policy, RouteSource, Rule
from felixbgp.bgp.rib.decision import SelectionReason
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.trace import PeerTrace, ReceivedTrace, SpeakerTrace, Telling, ToldTrace, rule_of
from felixbgp.bgp.wire.messages import PathAttributes, SegmentType
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.mesh import MESH
from felixbgp.intent.policies import BLOCK_AFFINITY
from felixbgp.intent.types import Intent
from felixbgp.net import Address, Prefix
from felixbgp.resources import AffinityKey
from felixbgp.resources.bgp_configuration import DEFAULT_NAME
from felixbgp.resources.keys import PLURALS, ResourceKey
from felixbgp.status.audit import Kind, intent_text, kernel_text, route_text
from felixbgp.status.explanation import (
    Decider,
    ExplainedKernel,
    ExplainedPath,
    ExplainedSession,
    Explanation,
    KernelOutcome,
    PathOutcome,
    ToldOutcome,
    ToldRoute,
)

_DRAIN: Final = "Drain"
_DEFAULTS: Final = f"BGPConfiguration/{DEFAULT_NAME}"
_OUTCOMES: Final = {
    Telling.TOLD: ToldOutcome.TOLD,
    Telling.PENDING: ToldOutcome.PENDING,
    Telling.WAITS_FOR_KERNEL: ToldOutcome.WAITS_FOR_KERNEL,
    Telling.WITHHELD: ToldOutcome.WITHHELD,
}


class Explainer:
    """Answers for one agent."""

    def __init__(
        self,
        config: AgentConfig,
        state: ClusterState,
        rooms: Rooms,
        forwarding: Forwarding,
        datastore: Datastore,
        *,
        node_at: Callable[[Address], str | None],
    ) -> None:
        """`node_at` gives the node that has an address, if one has."""
        self._config = config
        self._state = state
        self._rooms = rooms
        self._forwarding = forwarding
        self._datastore = datastore
        self._node_at = node_at

    def explain(self, prefix: Prefix, intent: Intent) -> Explanation:
        """All that is known of a prefix at this moment."""
        trace = self._rooms.speaker.trace(prefix.family, prefix.nlri)
        return Explanation(
            node=self._config.node,
            version=__version__,
            prefix=str(prefix),
            datastore=self._datastore.state.condition.value,
            revision=self._state.revision,
            paths=tuple(self._paths(prefix, trace, intent)),
            sessions=tuple(
                [self._session(peer, intent) for peer in trace.peers if prefix.family in peer.config.families]
            ),
            kernel=self._kernel(prefix),
            covering="" if self._rooms.selected(prefix) is not None else self._covering(prefix),
            note=_note(trace),
        )

    def _covering(self, prefix: Prefix) -> str:
        for length in reversed(range(prefix.length)):
            wider = Prefix.of(prefix.address, length)
            if self._rooms.selected(wider) is not None:
                return str(wider)
        return ""

    # ---- paths

    def _paths(self, prefix: Prefix, trace: SpeakerTrace, intent: Intent) -> Iterator[ExplainedPath]:
        """First those of our own, then the peers' in their order."""
        selected = self._rooms.selected(prefix)
        used = () if selected is None else selected.next_hops
        for path in trace.contest.paths:
            if path.peer is None:
                yield self._own_path(prefix, path, trace, intent)
        for peer in trace.peers:
            for received in peer.received:
                yield self._received_path(peer.config, received, trace, used)

    def _own_path(self, prefix: Prefix, path: Path, trace: SpeakerTrace, intent: Intent) -> ExplainedPath:
        is_service = prefix in intent.service_ranges
        origin = ""
        if path.source is RouteSource.AGGREGATE:
            origin = _DEFAULTS if is_service else f"{BLOCK_AFFINITY}/{prefix}"
        source = intent_text(self._rooms.intended(prefix), "", service=is_service)
        outcome, step, reason = self._decided(path, trace, ())
        decider = self._decider(source, origin) if origin else None
        return _path(path, outcome, source=source, step=step, reason=reason, decider=decider)

    def _received_path(
        self, peer: PeerConfig, received: ReceivedTrace, trace: SpeakerTrace, used: tuple[Address, ...]
    ) -> ExplainedPath:
        path, step, reason = received.path, "", received.refusal
        decider: Decider | None = None
        if received.refusal:
            outcome = PathOutcome.NOT_ELIGIBLE if path.ineligible else PathOutcome.UNDECIDED
        elif not received.is_accepted:
            outcome = PathOutcome.REJECTED
            decider = self._decider_of(received.rule)
            reason = decider.rule
        else:
            outcome, step, reason = self._decided(path, trace, used)
            decider = None if received.rule is None else self._decider_of(received.rule)
        return _path(
            path,
            outcome,
            peer=str(peer.peer),
            node=self._node_of(peer.peer.address),
            step=step,
            reason=reason,
            decider=decider,
            stale=received.is_stale,
        )

    def _decided(
        self, path: Path, trace: SpeakerTrace, used: tuple[Address, ...]
    ) -> tuple[PathOutcome, str, str]:
        """What the decision process makes of a candidate: the outcome, its step, and in words.

        `used` are the next hops that traffic takes.
        """
        contest = trace.contest
        if trace.is_deferred:
            return PathOutcome.UNDECIDED, "", "peers are awaited who tell their routes again after a restart"
        if path in contest.barred:
            next_hop = Address(path.attributes.next_hop)
            return PathOutcome.UNRESOLVABLE, "", f"{next_hop}: {self._forwarding.reason(next_hop)}"
        best = contest.best
        if best is None or path not in contest.paths:
            return PathOutcome.UNDECIDED, "", "it is not decided yet"
        if path is best.path:
            return PathOutcome.SELECTED, best.reason.name, best.reason.value
        step = contest.lost[path]
        is_used = path in best.equal and Address(path.attributes.next_hop) in used
        return (PathOutcome.ALSO_USED if is_used else PathOutcome.LOST), step.name, _lost_text(step)

    # ---- peers

    def _session(self, peer: PeerTrace, intent: Intent) -> ExplainedSession:
        config, origin = peer.config, intent.origins.get(peer.config.peer)
        scope = "" if origin is None else origin.scope
        resource = "" if origin is None or not origin.resource else f"BGPPeer/{origin.resource}"
        node = self._node_of(config.peer.address)
        if scope == MESH and node:
            resource = f"Node/{node}"
        return ExplainedSession(
            address=str(config.peer.address),
            port=config.peer.port,
            node=node,
            scope=scope,
            resource=resource,
            revision=self._revision(resource),
            state=peer.state,
            local="" if peer.local is None else str(peer.local),
            told=tuple([self._told(route, peer.export_policy) for route in peer.told]),
        )

    def _told(self, route: ToldTrace, policy: Policy) -> ToldRoute:
        source, attributes = route.path.peer, route.attributes
        decider = None if route.rule is None else self._decider_of(rule_of(policy, route.rule))
        return ToldRoute(
            outcome=_OUTCOMES[route.telling],
            learned_from="" if source is None else str(source.peer),
            reason=_rejection(decider) if route.is_by_policy and decider is not None else route.reason,
            decider=decider,
            next_hop="" if attributes is None else _address(attributes.next_hop),
            as_path="" if attributes is None else _as_path(attributes),
            local_pref=None if attributes is None else attributes.local_pref,
        )

    # ---- kernel

    def _kernel(self, prefix: Prefix) -> ExplainedKernel:
        fib, selected = self._rooms.fib, self._rooms.selected(prefix)
        if not self._config.forwards:
            return ExplainedKernel(outcome=KernelOutcome.NO_KERNEL, reason="the agent runs with --no-kernel")
        wanted, routes, standing = fib.wanted(prefix), fib.routes(prefix), fib.standing(prefix)
        outcome, reason = KernelOutcome.INSTALLED, standing.problem
        is_ours = [self._is_ours(route.protocol, route.table) for route in routes]
        own = [route for route, ours in zip(routes, is_ours, strict=True) if ours]
        foreign = [
            route
            for route, ours in zip(routes, is_ours, strict=True)
            if not ours and route.table == self._config.route_table
        ]
        kind = compare_kernel(wanted, own, foreign)
        if fib.is_reading or fib.unheard():
            outcome, reason = KernelOutcome.UNSYNCHRONISED, fib.unheard() or "its routes are being read"
        elif wanted is None and kind is None:
            outcome = KernelOutcome.NOT_WANTED
            reason = self._rooms.excluded(prefix)
            if not reason:
                is_there = selected is not None and selected.source not in PROGRAMMED
                reason = "it is there already, by somebody else" if is_there else "nothing is selected"
        elif kind is Kind.CONFLICT:
            outcome = KernelOutcome.CONFLICT
        elif kind is not None or not standing.settled:
            outcome = KernelOutcome.REFUSED if standing.problem else KernelOutcome.WAITING
        return ExplainedKernel(
            outcome=outcome, reason=reason, wanted=route_text(wanted), routes=kernel_text(routes)
        )

    def _is_ours(self, protocol: int, table: int) -> bool:
        return protocol == self._config.route_protocol and table == self._config.route_table

    # ---- who decided

    def _node_of(self, address: Address) -> str:
        """The node that has an address; "" for no node of the cluster."""
        return self._node_at(address) or ""

    def _decider_of(self, rule: Rule | None) -> Decider:
        if rule is None:
            return Decider(DEFAULT_RULE)
        return self._decider(rule.name, rule.origin)

    def _decider(self, name: str, origin: str) -> Decider:
        resource = f"{_DRAIN}/{self._config.node}" if origin == _DRAIN else origin
        return Decider(name, resource, self._revision(resource))

    def _revision(self, resource: str) -> int:
        """When what has this name was last written; 0 where that is not known."""
        kind, _, name = resource.partition("/")
        if not name:
            return 0
        if kind == _DRAIN:
            return self._state.revision_of(f"{DRAINS}{name}")
        if kind == BLOCK_AFFINITY:
            return self._state.revision_of(str(AffinityKey(self._config.node, Prefix.parse(name))))
        return self._state.revision_of(str(ResourceKey(kind, name))) if kind in PLURALS else 0


def _note(trace: SpeakerTrace) -> str:
    if trace.is_deferred:
        return "after a restart nothing is selected before the peers have told their routes again"
    return "a decision is due, whose result is shown" if trace.contest.is_due else ""


def _path(
    path: Path,
    outcome: PathOutcome,
    *,
    peer: str = "",
    node: str = "",
    source: str = "",
    step: str = "",
    reason: str = "",
    decider: Decider | None = None,
    stale: bool = False,
) -> ExplainedPath:
    attributes = path.attributes
    return ExplainedPath(
        outcome=outcome,
        peer=peer,
        node=node,
        source=source,
        step=step,
        reason=reason,
        decider=decider,
        next_hop=_address(attributes.next_hop),
        as_path=_as_path(attributes),
        local_pref=path.local_pref,
        med=attributes.med or 0,
        communities=_communities(attributes),
        stale=stale,
    )


def _lost_text(step: SelectionReason) -> str:
    return f"the selected one has: {step.value}"


def _rejection(decider: Decider) -> str:
    """What the export policy said."""
    return "no rule of the export policy accepts it" if decider.rule == DEFAULT_RULE else decider.rule


def _address(octets: bytes) -> str:
    return str(Address(octets)) if octets else ""


def _as_path(attributes: PathAttributes) -> str:
    """AS numbers in order; a set in braces (RFC 4271 §4.3), a confederation's in parentheses (RFC 5065)."""
    texts = []
    for segment in attributes.as_path:
        numbers = " ".join(map(str, segment.asns))
        if segment.type == SegmentType.AS_SEQUENCE:
            texts.append(numbers)
        else:
            texts.append("{" + numbers + "}" if segment.type == SegmentType.AS_SET else f"({numbers})")
    return " ".join(texts)


def _communities(attributes: PathAttributes) -> tuple[str, ...]:
    standard = [f"{one >> 16}:{one & 0xFFFF}" for one in attributes.communities]
    return (*standard, *[":".join(map(str, one)) for one in attributes.large_communities])
