"""What one node tells of itself, and how it is put together.

The value changes only when something an operator can see changed: nothing in it tells the current time or
counts messages, but for malformed ones, which are rare or a reason to look. The agent publishes it when it
differs from the last one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from heapq import nsmallest
from types import MappingProxyType
from typing import NamedTuple

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.cluster.parts import Parts
from felixbgp.intent import mesh
from felixbgp.intent.findings import STAYS_DOWN
from felixbgp.intent.types import Intent, PeerOrigin, Problem
from felixbgp.net import Address, Family, Prefix
from felixbgp.resources import FieldError
from felixbgp.status.audit import AuditStatus
from felixbgp.status.cause import OF_UNLISTED, judged

# One value in etcd is bounded by its request size, 1.5 MiB by default. These leave room for a mesh of 1,000
# nodes in both families (about 400 bytes a peer) and keep the rest from pushing the peers out.
PEERS_MAX = 2_500
BLOCKS_MAX = 4_000
PROBLEMS_MAX = 200
UNREPLACED_MAX = 500
NEXT_HOPS_MAX = 50
TEXT_MAX = 500
"""Characters of one reason or error. Peers send up to 255 of their own (RFC 9003), values any number."""
TOGETHER = 100
"""Peers in one part of the work."""

UNWANTED = PeerOrigin(scope="", resource="")
"""Origin of a peer that the intent no longer has: its session is on its way out."""


class DatastoreCondition(Enum):
    """How well the agent follows the store."""

    SYNCING = "Syncing"
    """Not every watched prefix has delivered its first snapshot."""
    IN_SYNC = "InSync"
    LOST = "Lost"
    RECOVERED = "Recovered"
    """It never answered since the start: what the node kept of it on its disk stands in for it."""


class Recovered(NamedTuple):
    """What stands in for the store: the store's revision then, and when it was kept (nanoseconds)."""

    revision: int
    written_at: int


@dataclass(frozen=True, slots=True)
class DatastoreState:
    """The condition, since when (nanoseconds), and why it was lost ("" otherwise).

    `recovered` is there with `RECOVERED` alone.
    """

    condition: DatastoreCondition
    since: int
    reason: str = ""
    recovered: Recovered | None = None


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """Routes of ours: wanted in the kernel, there, and refused by it."""

    wanted: int = 0
    installed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LongestStep:
    """For how long the agent served nobody else, at most: since its start, and of the last minute.

    The kinds are names of `StepKind` in `runtime/steps.py`, empty up to 5 ms and from older agents.
    """

    ever_ms: int
    lately_ms: int
    ever_kind: str = ""
    lately_kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerStatus:
    """Who the node is in BGP. `listen` is empty when it does not accept connections."""

    identifier: Address
    as_number: int
    listen: tuple[Address, ...] = ()
    listen_port: int
    cluster_id: Address | None = None


class Leave(NamedTuple):
    """Since when a peer is about to leave, and until when it stays; None: as long as an operator wants."""

    since: int
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDraining:
    """A peer that is about to leave: see felixbgp/v1/status.proto."""

    since: int
    deadline: int | None = None
    drain: str = ""
    unreplaced: int = 0
    prefixes: tuple[Prefix, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a node does of its drain; `since` is always in nanoseconds since 1970, as it was written."""

    id: str
    phase: str
    since: int = 0
    origin: str = ""
    blocks_in_use: tuple[Prefix, ...] = ()
    untold: int = 0
    """Prefixes that peers are still to be told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """One peering; `PeerSnapshot` and `PeerOrigin` explain the fields. `last_error` is None without one."""

    peer: PeerId
    name: str
    scope: str
    resource: str
    families: tuple[Family, ...]
    local_as: int
    remote_as: int
    state: str
    since: int
    last_error: str | None = None
    remote_identifier: Address | None = None
    hold_time_s: int | None = None
    prefixes_received: int = 0
    prefixes_accepted: int = 0
    prefixes_advertised: int = 0
    prefixes_stale: int = 0
    warning: str | None = None
    malformed_updates: tuple[tuple[str, int], ...] = ()
    draining: PeerDraining | None = None
    cause: Cause | None = None
    """Why there is no session; None in Established, and where a newer agent has another word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """Everything a node publishes.

    Times are nanoseconds of whichever clock the holder uses: monotonic inside the agent, since 1970 once
    decoded.
    """

    node: str
    version: str
    datastore: DatastoreState
    speaker: SpeakerStatus | None = None
    peers: tuple[PeerStatus, ...] = ()
    """Ordered by family, address and port."""
    blocks: tuple[Prefix, ...] = ()
    routes: RouteCounts | None = RouteCounts()
    """None where the agent writes none."""
    problems: tuple[Problem, ...] = ()
    audit: AuditStatus | None = None
    longest_step: LongestStep | None = None
    drained: Drained | None = None


def build(
    *,
    node: str,
    version: str,
    intent: Intent | None,
    peers: Sequence[PeerSnapshot],
    routes: RouteCounts | None,
    invalid: Mapping[str, Sequence[FieldError]],
    ignored: Mapping[str, Sequence[FieldError]],
    route_problems: Mapping[Prefix, str],
    next_hop_problems: Mapping[Address, tuple[int, str]],
    listen_problems: Mapping[str, str],
    datastore: DatastoreState,
    now: int,
    report_problems: Sequence[Problem] = (),
    kernel_unheard: str = "",
    audit: AuditStatus | None = None,
    longest_step: LongestStep | None = None,
    leaving: Mapping[PeerId, Leave] = MappingProxyType({}),
    blocks_in_use: Sequence[Prefix] = (),
    untold: int = 0,
    held_since: Mapping[PeerId, int] = MappingProxyType({}),
    lists_us: Callable[[Address], bool | None] = lambda _: None,
) -> Parts[NodeStatus]:
    """Put the node's status together. Equal arguments, in whatever order their maps are, give equal results.

    In parts, so that what the arguments hold must not change before the last.

    `intent` is None before the first one was derived; `invalid` maps keys in the store to what is wrong with
    their values, `ignored` to what of them is overlooked, `listen_problems` addresses to why they are not
    listened on; `next_hop_problems` says of next hops how many prefixes have a path that is not used for want
    of a way there, and why; `report_problems` are those of the CalicoNodeStatuses of this node;
    `kernel_unheard` is why no route is written, "" when they are; `leaving` says of peers that are about to
    leave since and until when; `blocks_in_use` and `untold` count where this node is drained; `held_since`
    says since when peers of the intent are held down; `lists_us` whether the node with an address has us as a
    peer, None where that is not known. A `since` later than `now` would read as the future and is cut to it.
    """
    intent = intent or Intent()
    statuses: list[PeerStatus] = []
    picture = _Picture(intent, leaving, lists_us, now)
    for first in range(0, len(peers), TOGETHER):
        statuses += map(picture.peer, peers[first : first + TOGETHER])
        yield TOGETHER // 4
    statuses += picture.held_down({peer.peer for peer in peers}, held_since)
    statuses.sort(key=_peer_order)
    problems = [
        *_omitted(len(statuses) - PEERS_MAX, "peers"),
        *_omitted(len(intent.aggregates) - BLOCKS_MAX, "blocks"),
        *_invalid_problems(invalid),
        *intent.problems,
        *_listen_problems(listen_problems),
        *_kernel_problems(kernel_unheard),
        *report_problems,
        *_next_hop_problems(next_hop_problems),
        *_route_problems(route_problems),
        # A newer Calico may write the same unknown field into thousands of values: the others come first.
        *_invalid_problems(ignored),
    ]
    return NodeStatus(
        node=node,
        version=version,
        datastore=datastore,
        speaker=_speaker(intent),
        peers=tuple(statuses[:PEERS_MAX]),
        blocks=tuple(sorted(intent.aggregates, key=_prefix_order)[:BLOCKS_MAX]),
        routes=routes,
        problems=_bounded(problems),
        audit=audit,
        longest_step=longest_step,
        drained=_drained(intent, blocks_in_use, untold),
    )


def cause_of(
    peer: PeerId, cause: Cause | None, intent: Intent, lists_us: Callable[[Address], bool | None]
) -> Cause | None:
    """What the status names as the cause, given the speaker's own; None for a session that is Established."""
    origin = intent.origins.get(peer, UNWANTED)
    # Asked for the few that may be so alone: of a mesh all are listed, and to look takes a while.
    may_be_unlisted = cause in OF_UNLISTED and bool(origin.resource)
    return judged(
        cause,
        held_down=peer in intent.held_down,
        drained=bool(origin.drain),
        unlisted=may_be_unlisted and lists_us(peer.address) is False,
    )


class _Picture:
    """What becomes of snapshots in one document."""

    def __init__(
        self,
        intent: Intent,
        leaving: Mapping[PeerId, Leave],
        lists_us: Callable[[Address], bool | None],
        now: int,
    ) -> None:
        self._intent = intent
        self._leaving = leaving
        self._lists_us = lists_us
        self._now = now
        self._room = UNREPLACED_MAX

    def peer(self, snapshot: PeerSnapshot) -> PeerStatus:
        """One peer."""
        origin = self._intent.origins.get(snapshot.peer, UNWANTED)
        return PeerStatus(
            peer=snapshot.peer,
            name=snapshot.name,
            scope=origin.scope,
            resource=origin.resource,
            families=snapshot.families,
            local_as=snapshot.local_as,
            remote_as=snapshot.remote_as,
            state=snapshot.state,
            since=min(snapshot.since, self._now),
            last_error=_shortened(snapshot.last_error) or None,
            remote_identifier=snapshot.remote_identifier,
            hold_time_s=snapshot.hold_time_s,
            prefixes_received=snapshot.prefixes_received,
            prefixes_accepted=snapshot.prefixes_accepted,
            prefixes_advertised=snapshot.prefixes_advertised,
            prefixes_stale=snapshot.prefixes_stale,
            warning=_shortened(snapshot.warning) or None,
            malformed_updates=snapshot.malformed_updates,
            draining=self._draining(snapshot, origin.drain),
            cause=cause_of(snapshot.peer, snapshot.cause, self._intent, self._lists_us),
        )

    def held_down(self, there: Collection[PeerId], since: Mapping[PeerId, int]) -> Iterable[PeerStatus]:
        """The peers that must have no session, but for those that are `there`, as they go on for a while."""
        speaker = self._intent.speaker
        for peer, origin in self._intent.held_down.items():
            if peer in there or speaker is None:
                continue
            yield PeerStatus(
                peer=peer,
                name="",
                scope=origin.scope,
                resource=origin.resource,
                families=(peer.address.family,),
                local_as=speaker.local_as,
                remote_as=0,
                state="Idle",
                since=min(since.get(peer, self._now), self._now),
                last_error=_shortened(self._obstacles.get(_subject(origin), "")) or None,
                cause=Cause.CONFIGURATION_MISSING,
            )

    @cached_property
    def _obstacles(self) -> dict[str, str]:
        """By what keeps its sessions down: why, in the words of the first problem of it."""
        found: dict[str, str] = {}
        for problem in self._intent.problems:
            if problem.reason.endswith(STAYS_DOWN):
                found.setdefault(problem.subject, problem.reason)
        return found

    def _draining(self, snapshot: PeerSnapshot, drain: str) -> PeerDraining | None:
        if snapshot.unreplaced is None:
            return None
        leave = self._leaving.get(snapshot.peer, Leave(snapshot.since, None))
        prefixes = snapshot.unreplaced_first[: self._room]
        self._room -= len(prefixes)
        return PeerDraining(
            since=min(leave.since, self._now),
            deadline=leave.until,
            drain=drain,
            unreplaced=snapshot.unreplaced,
            prefixes=tuple(sorted(prefixes, key=_prefix_order)),
        )


def _subject(origin: PeerOrigin) -> str:
    """What the problems about sessions of this origin are about."""
    return f"BGPPeer {origin.resource}" if origin.resource else mesh.SUBJECT


def _drained(intent: Intent, blocks_in_use: Sequence[Prefix], untold: int) -> Drained | None:
    drain = intent.drain
    if drain is None:
        return None
    return Drained(
        id=drain.id,
        phase=drain.phase.value,
        since=drain.since,
        origin=drain.origin,
        blocks_in_use=tuple(sorted(blocks_in_use, key=_prefix_order)[:BLOCKS_MAX]),
        untold=untold,
    )


def _peer_order(status: PeerStatus) -> tuple[Family, PeerId]:
    return status.peer.address.family, status.peer


def _speaker(intent: Intent) -> SpeakerStatus | None:
    if intent.speaker is None:
        return None
    return SpeakerStatus(
        identifier=intent.speaker.bgp_identifier,
        as_number=intent.speaker.local_as,
        listen=tuple(sorted(intent.listen, key=_address_order)),
        listen_port=intent.listen_port,
        cluster_id=intent.speaker.cluster_id,
    )


def _address_order(address: Address) -> tuple[Family, Address]:
    return address.family, address


def _invalid_problems(invalid: Mapping[str, Sequence[FieldError]]) -> Iterable[Problem]:
    for key in sorted(invalid):
        for error in invalid[key]:
            yield Problem(key, error.field, f"{error.value} {error.reason}".lstrip())


def _listen_problems(listen_problems: Mapping[str, str]) -> Iterable[Problem]:
    for address in sorted(listen_problems):
        yield Problem(f"listen {address}", "", listen_problems[address])


def _next_hop_problems(next_hop_problems: Mapping[Address, tuple[int, str]]) -> Iterable[Problem]:
    """Those that cost the most prefixes a path come first."""
    for next_hop in nsmallest(
        NEXT_HOPS_MAX, next_hop_problems, key=lambda one: (-next_hop_problems[one][0], _address_order(one))
    ):
        count, reason = next_hop_problems[next_hop]
        yield Problem(f"next hop {next_hop}", "", f"{reason}; not used for {count} prefixes")
    yield from _omitted(len(next_hop_problems) - NEXT_HOPS_MAX, "next hops that cannot be reached")


def _kernel_problems(unheard: str) -> Iterable[Problem]:
    if unheard:
        yield Problem("kernel", "", f"{unheard}; no route is written until its tables were read again")


def _route_problems(route_problems: Mapping[Prefix, str]) -> Iterable[Problem]:
    # A kernel that refuses everything refuses 100,000 routes: the first few tell it as well as all of them.
    for prefix in nsmallest(PROBLEMS_MAX, route_problems, key=_prefix_order):
        yield Problem(f"route {prefix}", "", route_problems[prefix])
    yield from _omitted(len(route_problems) - PROBLEMS_MAX, "routes with a problem")


def _prefix_order(prefix: Prefix) -> tuple[Family, Address, int]:
    return prefix.family, prefix.address, prefix.length


def _omitted(count: int, what: str) -> tuple[Problem, ...]:
    if count <= 0:
        return ()
    return (Problem("status", "", f"{count} more {what} than the status document has room for"),)


def _bounded(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The first problems, each with bounded texts, and how many were left out."""
    shown = (
        Problem(_shortened(problem.subject), _shortened(problem.field), _shortened(problem.reason))
        for problem in problems[:PROBLEMS_MAX]
    )
    return (*shown, *_omitted(len(problems) - PROBLEMS_MAX, "problems"))


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
