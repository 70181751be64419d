"""From the store's contents and the keys that would be others to what that does."""

from collections.abc import Iterable, Mapping

from felixbgp.bgp.routes import Selected
from felixbgp.cluster.inputs import StoredValue
from felixbgp.net import Address, Prefix
from felixbgp.plan.intents import Intents
from felixbgp.plan.outcome import NodeOutcome, Outcome, Presence, Route, RouteOutcome, SessionOutcome
from felixbgp.plan.outside import Announced, outsiders
from felixbgp.plan.router import Router
from felixbgp.plan.routes import Network, UnsettledError
from felixbgp.plan.sessions import Fate, Pair, Session, SessionChange, fates, sessions


def plan(
    values: Iterable[StoredValue], changed: Mapping[str, bytes | None], announced: Announced | None = None
) -> Outcome:
    """What becomes of the cluster of these values when some keys are changed; None deletes one.

    `announced`: what routers beside the cluster announce, as far as it is known. Never raises: what cannot be
    said is in the outcome.
    """
    intents = Intents(values)
    before = _Moment(intents.routers, announced or {})
    known = frozenset(intents.problems)
    intents.change(changed)
    after = _Moment(intents.routers, announced or {}, before)
    found = _Found()
    for session, fate in fates(before.sessions, after.sessions):
        found.add_session(before, after, session, fate)
    if after.differs_from(before):
        for prefix in sorted(before.network.prefixes() | after.network.prefixes()):
            found.add_prefix(before, after, prefix)
    return Outcome(
        nodes={name: found.node(before, after, name) for name in sorted({*before.nodes, *after.nodes})},
        unsettled=tuple(found.unsettled),
        invalid=intents.invalid,
        problems=tuple(one for one in intents.problems if one not in known),
        outside=tuple(sorted({*before.outside, *after.outside})),
    )


class _Moment:
    """The cluster at rest, before or after."""

    def __init__(
        self, nodes: Mapping[str, Router], announced: Announced, former: "_Moment | None" = None
    ) -> None:
        self.nodes = nodes
        known: Mapping[str, Router] = {}
        were: Mapping[Pair, Session] = {}
        gone: set[Address] = set()
        if former is not None:
            known, were, gone = former.outside, former.sessions, former.gone(nodes)
        self.outside: dict[str, Router] = outsiders(nodes, announced, known, gone)
        self.routers: dict[str, Router] = {**nodes, **self.outside}
        self.sessions: dict[Pair, Session] = sessions(self.routers, were)
        self.network = Network(self.routers, self.sessions.values())

    def gone(self, nodes: Mapping[str, Router]) -> set[Address]:
        """The addresses of nodes that are none of these."""
        kept = {address for node in nodes.values() for address in node.addresses.values()}
        return {address for node in self.nodes.values() for address in node.addresses.values()} - kept

    def differs_from(self, former: "_Moment") -> bool:
        """Whether routes may be others."""
        if self.sessions.keys() != former.sessions.keys():
            return True
        if any(self.sessions[pair] is not former.sessions[pair] for pair in self.sessions):
            return True
        own = {name: router.routes for name, router in self.routers.items()}
        return own != {name: router.routes for name, router in former.routers.items()}


class _Found:
    """What was found out so far, by node."""

    def __init__(self) -> None:
        self.unsettled: list[Prefix] = []
        self._kept: dict[str, int] = {}
        self._sessions: dict[str, list[SessionOutcome]] = {}
        self._gained: dict[str, list[RouteOutcome]] = {}
        self._lost: dict[str, list[RouteOutcome]] = {}
        self._stranded: dict[str, list[RouteOutcome]] = {}
        self._moved: dict[str, list[RouteOutcome]] = {}

    def add_session(self, before: _Moment, after: _Moment, session: Session, fate: Fate) -> None:
        """Take what becomes of a session, for each node that has it."""
        for near, far in ((0, 1), (1, 0)):
            name = session.names[near]
            if name not in before.nodes and name not in after.nodes:
                continue
            if fate.change is SessionChange.KEPT:
                self._kept[name] = self._kept.get(name, 0) + 1
                continue
            self._sessions.setdefault(name, []).append(
                SessionOutcome(
                    session.pair[far],
                    session.names[far],
                    fate.change,
                    fate.parameters[near],
                    fate.parameters[far],
                    fate.reason,
                    fate.loses,
                )
            )

    def add_prefix(self, before: _Moment, after: _Moment, prefix: Prefix) -> None:
        """Find out who goes another way to a prefix."""
        try:
            old, new = before.network.selected(prefix), after.network.selected(prefix)
        except UnsettledError:
            self.unsettled.append(prefix)
            return
        is_originated = after.network.is_originated(prefix)
        for name in after.nodes:
            was, will_be = _route(old.get(name)), _route(new.get(name))
            if was == will_be:
                continue
            if was is None:
                found = self._gained
            elif will_be is not None:
                found = self._moved
            else:
                found = self._stranded if is_originated else self._lost
            found.setdefault(name, []).append(RouteOutcome(prefix, was, will_be))

    def node(self, before: _Moment, after: _Moment, name: str) -> NodeOutcome:
        """All that was found out about a node."""
        presence = Presence.STAYS if name in after.nodes else Presence.LEAVES
        return NodeOutcome(
            presence=presence if name in before.nodes else Presence.JOINS,
            kept=self._kept.get(name, 0),
            sessions=tuple(self._sessions.get(name, ())),
            gained=tuple(self._gained.get(name, ())),
            lost=tuple(self._lost.get(name, ())),
            stranded=tuple(self._stranded.get(name, ())),
            moved=tuple(self._moved.get(name, ())),
        )


def _route(selected: Selected | None) -> Route | None:
    if selected is None:
        return None
    as_path = tuple(asn for segment in selected.attributes.as_path for asn in segment.asns)
    return Route(selected.next_hops, as_path)
