"""Where each router sends packets to a prefix, when all have told each other all.

    own route ─▶ the best of what it has ─▶ export policy, RFC 4271 §5 ─▶ acceptance, import policy ─┐
                          ▲                   (once per update group)        (at each receiver)      │
                          └──────────────────────────────────────────────────────────────────────────┘

Prefix by prefix; whoever has another best path than before tells everybody, until nobody has. Next hops are
taken to be reachable.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from felixbgp.bgp import views
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.evaluate import AttributeView, Decided, PolicyView, PrefixView
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.rib.decision import Best, best_path
from felixbgp.bgp.rib.export import ExportView, may_advertise, source_of, told_attributes
from felixbgp.bgp.rib.loc_rib import Choice, Multipath
from felixbgp.bgp.rib.path import Path, changed_path, local_path
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.bgp.wire.messages import Negotiated, PathAttributes
from felixbgp.net import Family, Nlri, Prefix
from felixbgp.plan.router import Router
from felixbgp.plan.sessions import End, Session

TURNS_MAX: Final = 64
"""How often each router may choose anew, on average: longer than any chain of reflectors. A choice that has
not settled by then never does."""
KEPT_MAX: Final = 200_000
"""Paths that are remembered from one prefix to the next, 400 octets each."""


class UnsettledError(Exception):
    """The policies allow no state at rest: routers change their minds about a prefix for ever."""


class Told(NamedTuple):
    """What the members of an update group are told; all but `source`, which the path came from."""

    attributes: PathAttributes
    source: PeerId | None


class Group:
    """Peers of one router that are told the same: they are told it once, as an update group is."""

    __slots__ = ("_policies", "_told", "_view", "_views", "members")

    def __init__(self, view: ExportView) -> None:
        self.members: list[Way] = []
        self._view = view
        self._policies: dict[tuple[RouteSource, str], PolicyView] = {}
        self._views: dict[Path, PrefixView | AttributeView | None] = {}
        """By path, None for one that is told to nobody whatever the policy says."""
        self._told: dict[Path | Decided, Told | None] = {}

    def of(self, nlri: Nlri, path: Path) -> Told | None:
        """What to tell of a path to this prefix; None: nothing."""
        if path not in self._views:
            may = may_advertise(self._view, path)
            self._views[path] = self._policy_of(path).of(path.attributes) if may else None
        view = self._views[path]
        if view is None:
            return None
        decided = view.constant or view.decide(nlri)
        if not decided.accepted:
            return None
        key = path if decided.attributes is None else decided
        if key not in self._told:
            self._told[key] = self._tell(path, decided)
        return self._told[key]

    def forget(self) -> None:
        """Let go of what is remembered of paths."""
        self._views.clear()
        self._told.clear()

    def _policy_of(self, path: Path) -> PolicyView:
        key = path.source, path.interface
        if key not in self._policies:
            self._policies[key] = PolicyView(self._view.policy, self._view.family, *key)
        return self._policies[key]

    def _tell(self, path: Path, decided: Decided) -> Told | None:
        told = told_attributes(self._view, path, decided.attributes)
        if told is None:
            return None
        via_us = told.next_hop == self._view.local_address
        return Told(told, source_of(path, told, via_us=via_us))


class Way:
    """From a router to a peer of it, over a session that is up."""

    __slots__ = ("_acceptance", "_paths", "_peer", "_policy", "_receiver_peer", "_variants", "receiver")

    def __init__(self, out: End, into: End, negotiated: Negotiated, policy: PolicyView) -> None:
        """`negotiated` is what the receiver has of the sender's OPEN, `policy` its import policy."""
        self.receiver = into.router.name
        self._receiver_peer = out.config.peer
        family = into.local.family
        self._peer = views.path_peer(into.config, negotiated)
        self._acceptance = views.acceptance(into.config, into.router.speaker, family, into.local, negotiated)
        self._policy = policy
        self._paths: dict[Told, tuple[Path, PrefixView | AttributeView]] = {}
        self._variants: dict[tuple[Path, Decided], Path] = {}

    def received(self, nlri: Nlri, told: Told | None) -> Path | None:
        """What the receiver has of what the group is told; None where it is told or takes nothing."""
        if told is None or told.source == self._receiver_peer:
            return None
        known = self._paths.get(told)
        if known is None:
            path = Path(
                self._acceptance.amended(told.attributes),
                self._peer,
                ineligible=self._acceptance.refusal(told.attributes),
                received=told.attributes,
            )
            known = self._paths[told] = path, self._policy.of(path.attributes)
        path, view = known
        if path.ineligible:
            return None
        decided = view.constant or view.decide(nlri)
        if not decided.accepted:
            return None
        if decided.attributes is None:
            return path
        key = path, decided
        if key not in self._variants:
            self._variants[key] = changed_path(path, decided.attributes)
        return self._variants[key]

    def forget(self) -> None:
        """Let go of what is remembered of paths."""
        self._paths.clear()
        self._variants.clear()


class Network:
    """All routers, and the sessions that are up between them."""

    def __init__(self, routers: Mapping[str, Router], sessions: Iterable[Session]) -> None:
        self._routers = routers
        self._groups: dict[tuple[str, Family], dict[ExportView, Group]] = {}
        self._policies: dict[tuple[object, Family], PolicyView] = {}
        self._choices: dict[tuple[Path, ...], Best] = {}
        self._own: dict[LocalRoute, Path] = {}
        self._carried = 0
        for session in sessions:
            self._connect(session)

    def prefixes(self) -> dict[Prefix, None]:
        """Every prefix that somebody originates."""
        return {prefix: None for router in self._routers.values() for prefix in router.routes}

    def is_originated(self, prefix: Prefix) -> bool:
        """Whether somebody originates a prefix."""
        return any(prefix in router.routes for router in self._routers.values())

    def selected(self, prefix: Prefix) -> dict[str, Selected]:
        """What each router that has a way to a prefix selects.

        Raises:
            UnsettledError: the choice never settles.
        """
        self._make_room()
        family, nlri = prefix.family, prefix.nlri
        own = {n: self._own_path(r.routes[prefix]) for n, r in self._routers.items() if prefix in r.routes}
        heard: dict[str, dict[Way, Path]] = {}
        said: dict[Group, Told | None] = {}
        best: dict[str, Path] = {}
        queue = deque(own)
        waiting = set(own)
        turns = TURNS_MAX * len(self._routers)
        while queue:
            turns -= 1
            if turns < 0:
                raise UnsettledError(f"{prefix}: the choice among its paths does not settle")
            name = queue.popleft()
            waiting.discard(name)
            path = self._best(own.get(name), heard.get(name, {}))
            if path is best.get(name):
                continue
            if path is None:
                del best[name]
            else:
                best[name] = path
            for group in self._groups.get((name, family), {}).values():
                told = None if path is None else group.of(nlri, path)
                if told is said.get(group):
                    continue
                said[group] = told
                self._carried += len(group.members)
                for receiver in _hear(group, nlri, told, heard):
                    if receiver not in waiting:
                        waiting.add(receiver)
                        queue.append(receiver)
        found = ((name, self._selected(name, own.get(name), heard.get(name, {}))) for name in best)
        return {name: selected for name, selected in found if selected is not None}

    def _best(self, own: Path | None, heard: Mapping[Way, Path]) -> Path | None:
        candidates = _candidates(own, heard)
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        return self._chosen(candidates).path

    def _selected(self, name: str, own: Path | None, heard: Mapping[Way, Path]) -> Selected | None:
        speaker = self._routers[name].speaker
        multipath = Multipath(speaker.multipath_external, speaker.multipath_internal)
        candidates = _candidates(own, heard)
        return Choice(candidates, self._chosen(candidates), multipath).selected()

    def _chosen(self, candidates: tuple[Path, ...]) -> Best:
        """The best of them, which those of other prefixes of one origin are too."""
        best = self._choices.get(candidates)
        if best is None:
            best = self._choices[candidates] = best_path(candidates)
        return best

    def _connect(self, session: Session) -> None:
        one, other = session.ends
        if session.negotiated is None or one is None or other is None:
            return
        of_one, of_other = session.negotiated
        self._add_way(one, other, of_one, of_other)
        self._add_way(other, one, of_other, of_one)

    def _add_way(self, out: End, into: End, at_out: Negotiated, at_into: Negotiated) -> None:
        name, family = out.router.name, out.local.family
        view = views.export_view(out.config, out.router.speaker, family, out.local, at_out)
        groups = self._groups.setdefault((name, family), {})
        group = groups.get(view)
        if group is None:
            group = groups[view] = Group(view)
        policy = views.effective_policy(into.config, into.config.import_policy)
        narrowed = self._policies.get((policy, family))
        if narrowed is None:
            narrowed = self._policies[policy, family] = PolicyView(policy, family, RouteSource.BGP, "")
        group.members.append(Way(out, into, at_into, narrowed))

    def _own_path(self, route: LocalRoute) -> Path:
        if route not in self._own:
            self._own[route] = local_path(route)
        return self._own[route]

    def _make_room(self) -> None:
        if self._carried < KEPT_MAX:
            return
        self._carried = 0
        self._choices.clear()
        for groups in self._groups.values():
            for group in groups.values():
                group.forget()
                for way in group.members:
                    way.forget()


def _candidates(own: Path | None, heard: Mapping[Way, Path]) -> tuple[Path, ...]:
    return (*heard.values(),) if own is None else (own, *heard.values())


def _hear(group: Group, nlri: Nlri, told: Told | None, heard: dict[str, dict[Way, Path]]) -> Iterator[str]:
    """Have the members hear what they are told now; gives those for whom that makes a difference."""
    for way in group.members:
        there = heard.setdefault(way.receiver, {})
        path = way.received(nlri, told)
        if path is there.get(way):
            continue
        if path is None:
            del there[way]
        else:
            there[way] = path
        yield way.receiver
