"""Whether a drained node may be stopped, by what the agents tell: a function of their statuses alone.

    Announce    every agent with a session to the node has seen this drain, and selects nothing from it for
                want of another path, but for blocks of the node in which nobody lives
    Withdraw    the node tells nothing more, and nobody has anything from it

Where only its agent is to restart, what has no other path stays on the node, which goes on forwarding, and
its peers keep the way there (RFC 4724): that is told, and nobody waits for it.

A peer whose status nobody writes, such as a router, cannot be proved; it is named.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from felixbgp.cli.node_report import NodeReport
from felixbgp.cli.table import some
from felixbgp.cluster.drains import Drain, DrainPhase
from felixbgp.net import Address, Prefix
from felixbgp.status.node_status import Drained, NodeStatus, PeerStatus

SHOWN_MAX = 8
"""Names or prefixes in one line; the rest is a number."""


class Scene(NamedTuple):
    """What the store says of a drain of `node`.

    `addresses` has the BGP addresses of every Node, `reports` what its agent published, if it ever ran one;
    `out_of_service` are nodes that are drained to the end.
    """

    node: str
    drain: Drain
    addresses: Mapping[str, tuple[Address, ...]]
    reports: Mapping[str, NodeReport]
    out_of_service: frozenset[str] = frozenset()

    @property
    def own(self) -> NodeReport:
        """That of the drained node."""
        return self.reports.get(self.node, NodeReport(self.node))

    @property
    def drained(self) -> Drained | None:
        """What the node's agent says of this drain; None while it has not seen it in this phase."""
        status, drain = self.own.status, self.drain
        found = None if status is None else status.drained
        if found is None or (found.id, found.phase) != (drain.id, drain.phase.value):
            return None
        return found


class Proof(NamedTuple):
    """What keeps the next step waiting, a line each, and peers of which nothing can be known.

    `kept` is what has no other path and need not have one.
    """

    obstacles: tuple[str, ...]
    unproven: tuple[str, ...]
    kept: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing does."""
        return not self.obstacles


def proof_of(scene: Scene, *, restarts: bool = False) -> Proof:
    """What the statuses of now prove; `restarts` where the node stays and only its agent does not."""
    own = (*_own_obstacles(scene), *_silent(scene))
    others = tuple(_needed(scene) if scene.drain.phase is DrainPhase.ANNOUNCE else _left(scene))
    if restarts:
        return Proof(own, tuple(_unproven(scene)), others)
    return Proof((*own, *others), tuple(_unproven(scene)))


def _own_obstacles(scene: Scene) -> Iterator[str]:
    if scene.own.alive is None:
        yield f"the agent of {scene.node} is not running"
    elif scene.drained is None:
        yield f"{scene.node} itself has not seen the drain yet"
    elif scene.drained.untold:
        yield f"{scene.node} still tells its peers about {scene.drained.untold} routes"
    elif scene.drain.phase is DrainPhase.WITHDRAW and scene.own.status is not None:
        told = {str(peer.peer): peer.prefixes_advertised for peer in scene.own.status.peers}
        if telling := [peer for peer, count in told.items() if count]:
            yield f"{scene.node} still announces {sum(told.values())} routes, to {some(telling, SHOWN_MAX)}"


def _peers(scene: Scene) -> Iterator[tuple[NodeReport, NodeStatus, list[PeerStatus]]]:
    """The other nodes that have, or had, something from the node."""
    own = scene.addresses.get(scene.node, ())
    for name in sorted(scene.reports):
        report = scene.reports[name]
        if name == scene.node or name not in scene.addresses or report.status is None:
            continue
        found = [peer for peer in report.status.peers if peer.peer.address in own and _has_routes(peer)]
        if found:
            yield report, report.status, found


def _running(scene: Scene) -> Iterator[tuple[NodeReport, NodeStatus, list[PeerStatus]]]:
    return (found for found in _peers(scene) if found[0].alive is not None)


def _has_routes(peer: PeerStatus) -> bool:
    return peer.state == "Established" or peer.prefixes_received > 0


def _silent(scene: Scene) -> Iterator[str]:
    """Those who do not tell what they do now."""
    absent: list[str] = []
    unaware: list[str] = []
    for report, _, peers in _peers(scene):
        if report.alive is None:
            # Of one that was drained before, an operator took care.
            absent += () if report.node in scene.out_of_service else (report.node,)
        elif not all(peer.draining is not None and peer.draining.drain == scene.drain.id for peer in peers):
            unaware.append(report.node)
    if absent:
        where = some(absent, SHOWN_MAX)
        yield f"no agent is running, and the kernel may still have routes to {scene.node}, on {where}"
    if unaware:
        yield f"the drain has not been seen yet by {some(unaware, SHOWN_MAX)}"
    if faulty := [name for name, report in sorted(scene.reports.items()) if report.faults]:
        yield f"the status cannot be read of {some(faulty, SHOWN_MAX)}"


def _needed(scene: Scene) -> Iterator[str]:
    """By prefix, who has no other path to it; and how many more there are than the statuses have room for."""
    blocks = frozenset(() if scene.own.status is None else scene.own.status.blocks)
    in_use = blocks if scene.drained is None else frozenset(scene.drained.blocks_in_use)
    users: dict[Prefix, list[str]] = {}
    unlisted: dict[str, int] = {}
    for report, _, peers in _running(scene):
        for draining in (peer.draining for peer in peers if peer.draining is not None):
            for prefix in draining.prefixes:
                if prefix not in blocks - in_use:
                    users.setdefault(prefix, []).append(report.node)
            if draining.unreplaced > len(draining.prefixes):
                more = draining.unreplaced - len(draining.prefixes)
                unlisted[report.node] = unlisted.get(report.node, 0) + more
    for prefix in sorted(users, key=lambda prefix: (prefix.family, prefix.address, prefix.length)):
        what = f"{prefix}, a block of {scene.node} with workloads," if prefix in in_use else str(prefix)
        yield f"{what} has no other path on {some(users[prefix], SHOWN_MAX)}"
    for name, count in unlisted.items():
        yield f"{count} more prefixes have no other path on {name}"


def _left(scene: Scene) -> Iterator[str]:
    """Who has something from the node still."""
    for report, _, peers in _running(scene):
        if count := sum(peer.prefixes_received for peer in peers):
            yield f"{report.node} still has {count} routes from {scene.node}"


def _unproven(scene: Scene) -> Iterator[str]:
    """The peers that are there, and of which no agent tells."""
    names = {address: name for name, each in scene.addresses.items() for address in each}
    proven = {report.node for report, _, _ in _peers(scene)}
    for peer in () if scene.own.status is None else scene.own.status.peers:
        name = names.get(peer.peer.address)
        if peer.state == "Established" and name not in proven:
            yield f"{peer.peer} ({name or peer.name})"
