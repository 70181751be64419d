"""Adj-RIB-In of one peer and family (RFC 4271 §3.2): what the peer announced, and what became of it.

Routes are keyed as they come: by NLRI, or where the peer sends several paths per prefix (RFC 7911) by the
four octets of the path's identifier and the NLRI.

Everything is kept as it was received, also what is not eligible or was rejected, so that a change of policy
takes effect on what is here and needs no session reset and no ROUTE-REFRESH. What a policy changes is changed
on the way to the Loc-RIB.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from felixbgp.bgp.policy.evaluate import AttributeView, Decided, PolicyView, PrefixView
from felixbgp.bgp.policy.types import Policy, RouteSource
from felixbgp.bgp.rib.acceptance import Acceptance
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import Path, PathPeer, changed_path
from felixbgp.bgp.wire.communities import NO_LLGR
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Nlri

ROUTES_MAX: Final = 4_000_000
"""Of one peer and family, where nobody set a limit: three times the Internet's table in 2026."""


NEW_SET_COST: Final = 16
"""To look into a new set of attributes, judge it and encode it again takes as long as that many prefixes."""


class AdjRibIn:
    """Routes as received. Feeds the eligible and accepted ones into `loc_rib`."""

    __slots__ = (
        "_acceptance",
        "_capacity",
        "_changed",
        "_filtered",
        "_identifier_octets",
        "_ineligible_count",
        "_loc_rib",
        "_octets",
        "_octets_max",
        "_paths",
        "_paths_made",
        "_peer",
        "_plain",
        "_policy",
        "_routes",
        "_stale",
        "_variants",
        "_view",
        "_views",
        "end_of_rib",
        "excess_count",
    )

    def __init__(
        self,
        loc_rib: LocRib,
        peer: PathPeer,
        acceptance: Acceptance,
        policy: Policy,
        *,
        identified: bool = False,
        capacity: int = ROUTES_MAX,
        octets_max: int = 1 << 30,
    ) -> None:
        """`identified`: every NLRI of this peer comes behind a path identifier.

        `capacity`: how many routes are taken in; `octets_max`: what their attributes may take, about.
        """
        self._capacity = capacity
        self.excess_count = 0
        """Announcements that were not taken in."""
        self._loc_rib = loc_rib
        self._identifier_octets = 4 if identified else 0
        self._peer = peer
        self._acceptance = acceptance
        self._apply(policy)
        self._routes: dict[Nlri, Path] = {}
        self._filtered: dict[Nlri, int] = {}
        """By which rule of the policy."""
        self._changed: dict[Nlri, Path] = {}
        """What the Loc-RIB has where the policy changed attributes."""
        self._ineligible_count = 0
        self._paths: dict[PathAttributes | tuple[PathAttributes, bytes], Path] = {}
        """By what `_key` gives, those that routes have."""
        self._paths_made = 0
        self._octets = 0
        """About how much memory these take."""
        self._octets_max = octets_max
        self._stale: dict[Nlri, None] = {}
        self.end_of_rib = False
        """Whether the peer said that its initial table is complete (RFC 4724 §2)."""

    def __len__(self) -> int:
        return len(self._routes)

    @property
    def identified(self) -> bool:
        """Whether the peer sends path identifiers."""
        return self._identifier_octets > 0

    @property
    def accepted_count(self) -> int:
        """Routes that take part in the decision."""
        return len(self._routes) - len(self._filtered) - self._ineligible_count

    @property
    def stale_count(self) -> int:
        """Routes of a session that is over, which the peer did not announce again so far."""
        return len(self._stale)

    @property
    def attributes_count(self) -> int:
        """Distinct sets of attributes."""
        return len(self._paths)

    @property
    def is_exhausting(self) -> bool:
        """Whether the peer's attributes take more memory than one peer may have."""
        return self._octets > self._octets_max

    def announce(self, attributes: PathAttributes, nlris: Sequence[Nlri]) -> int:
        """The peer announced these prefixes; what it announced for them before is replaced.

        Returns what it cost, in prefixes.
        """
        cost, made_before = len(nlris), self._paths_made
        if len(self._routes) + len(nlris) > self._capacity:
            nlris = self._within_capacity(nlris)
        if self._identifier_octets:
            for nlri in nlris:
                self._set(nlri, self._path(attributes, nlri[:4]))
        else:
            path = self._path(attributes, b"")
            self._set_all(nlris, path)
            if not path.uses:
                self._drop(path)
        if self._stale:
            for nlri in nlris:
                self._stale.pop(nlri, None)
        return cost + NEW_SET_COST * (self._paths_made - made_before)

    def withdraw(self, nlris: Iterable[Nlri]) -> None:
        """The peer withdrew these prefixes; those it never announced are ignored."""
        routes, identifier_octets, loc_rib = self._routes, self._identifier_octets, self._loc_rib
        for nlri in nlris:
            path = routes.pop(nlri, None)
            if path is not None:
                before = self._forget(nlri, path)
                if before is not None:
                    loc_rib.remove(nlri[identifier_octets:] if identifier_octets else nlri, before)
        if self._stale:
            for nlri in nlris:
                self._stale.pop(nlri, None)

    def attributes(self, nlri: Nlri) -> PathAttributes | None:
        """What the peer last announced for a prefix."""
        path = self._routes.get(nlri)
        return None if path is None else path.received

    def refusal(self, nlri: Nlri) -> str:
        """Why a received route takes no part in the decision: a loop, or a rule's name; "" if it does."""
        path = self._routes.get(nlri)
        if path is None:
            return "not received"
        if path.ineligible or nlri not in self._filtered:
            return path.ineligible
        return self._policy.rule_name(self._filtered[nlri])

    def prefixes(self) -> list[Nlri]:
        """Every prefix received, in order of arrival."""
        return list(self._routes)

    def reconfigure(self, peer: PathPeer, acceptance: Acceptance, policy: Policy) -> None:
        """Judge everything received again under changed configuration."""
        self._peer = peer
        self._acceptance = acceptance
        self._apply(policy)
        renewed = {
            path: self._new_path(path.received, path.path_id, outlived=path.outlived)
            for path in dict.fromkeys((*self._paths.values(), *self._routes.values()))
        }
        self._paths = {key: renewed[path] for key, path in self._paths.items()}
        self._octets = 0
        for path in self._paths.values():
            self._octets += path.octets
        for nlri, path in list(self._routes.items()):
            self._set(nlri, renewed[path])

    def rename_rules(self, policy: Policy) -> None:
        """Take over the names of an equal policy; nothing is judged again."""
        self._policy = policy

    def remove_some(self, budget: int) -> int:
        """Drop up to `budget` routes, for the session is gone; returns how many were dropped."""
        count = min(budget, len(self._routes))
        for _ in range(count):
            # The last one first: a dictionary that loses its first ones is ever slower to find the next.
            self._remove(next(reversed(self._routes)))
        return count

    def mark_stale(self) -> None:
        """The session is lost and the peer may be back: keep what it said (RFC 4724 §4.2).

        What was stale already was not said again in a whole session, and goes.
        """
        self.end_refresh()
        self._stale = dict.fromkeys(self._routes)
        self.end_of_rib = False

    def outlive(self) -> None:
        """The peer is not back in time: keep what is stale as the last resort (RFC 9494 §4.2)."""
        long_lived: dict[Path, Path] = {}
        for nlri in self._stale:
            path = self._routes[nlri]
            if NO_LLGR in path.received.communities:
                self._remove(nlri)
            elif not path.outlived:
                if path not in long_lived:
                    long_lived[path] = self._new_path(path.received, path.path_id, outlived=True)
                self._set(nlri, long_lived[path])
        self._stale = {nlri: None for nlri in self._stale if nlri in self._routes}

    def begin_refresh(self) -> None:
        """BoRR: what is not announced again before EoRR is gone (RFC 7313 §4)."""
        if len(self._stale) != len(self._routes):
            self._stale = dict.fromkeys(self._routes)

    def end_refresh(self) -> None:
        """EoRR: remove what was not announced again."""
        stale, self._stale = self._stale, {}
        self.withdraw(stale)

    def _within_capacity(self, nlris: Sequence[Nlri]) -> list[Nlri]:
        """Those that are here already, and as many others as there is room for."""
        room = self._capacity - len(self._routes)
        kept = []
        for nlri in nlris:
            if nlri not in self._routes:
                room -= 1
                if room < 0:
                    self.excess_count += 1
                    continue
            kept.append(nlri)
        return kept

    def _set_all(self, nlris: Sequence[Nlri], path: Path) -> None:
        """Many prefixes, one path: most of them are new, and of these all fare alike."""
        view = self._plain or self._view_of(path)
        decided = view.constant
        if decided is None or not decided.accepted or path.ineligible:
            for nlri in nlris:
                self._set(nlri, path)
            return
        routes = self._routes
        fresh: list[Nlri] = []
        count = len(routes)
        for nlri in nlris:
            if routes.setdefault(nlri, path) is not path:
                self._set(nlri, path)
            elif len(routes) != count:
                count += 1
                fresh.append(nlri)
        path.uses += len(fresh)
        accepted = path
        if decided.attributes is not None:
            accepted = self._variant(path, decided, decided.attributes)
            self._changed.update(dict.fromkeys(fresh, accepted))
        self._loc_rib.add(fresh, accepted)

    def _set(self, nlri: Nlri, path: Path) -> None:
        old = self._routes.get(nlri)
        if old is path:
            return
        path.uses += 1
        before = None if old is None else self._forget(nlri, old)
        self._routes[nlri] = path
        after: Path | None = path
        if path.ineligible:
            self._ineligible_count += 1
            after = None
        else:
            view = self._plain or self._view_of(path)
            decided = view.constant or view.decide(nlri[self._identifier_octets :])
            if not decided.accepted:
                self._filtered[nlri] = decided.rule
                after = None
            elif decided.attributes is not None:
                after = self._changed[nlri] = self._variant(path, decided, decided.attributes)
        self._loc_rib.replace(nlri[self._identifier_octets :], before, after)

    def _remove(self, nlri: Nlri) -> None:
        path = self._forget(nlri, self._routes.pop(nlri))
        self._loc_rib.replace(nlri[self._identifier_octets :], path, None)

    def _forget(self, nlri: Nlri, path: Path) -> Path | None:
        """Take back the verdict on a route that goes; returns its path if the Loc-RIB has it."""
        path.uses -= 1
        before = self._take_back(nlri, path)
        if not path.uses:
            self._drop(path)
        return before

    def _take_back(self, nlri: Nlri, path: Path) -> Path | None:
        if path.ineligible:
            self._ineligible_count -= 1
            return None
        if self._filtered and self._filtered.pop(nlri, None) is not None:
            return None
        return self._changed.pop(nlri, path) if self._changed else path

    def _apply(self, policy: Policy) -> None:
        """Judge by this policy from now on."""
        self._policy = policy
        self._view = PolicyView(policy, self._loc_rib.family, RouteSource.BGP, "")
        self._plain = self._view.plain
        self._views: dict[Path, PrefixView | AttributeView] = {}
        self._variants: dict[Path, dict[Decided, Path]] = {}

    def _view_of(self, path: Path) -> PrefixView | AttributeView:
        view = self._views.get(path)
        if view is None:
            view = self._views[path] = self._view.of(path.attributes)
        return view

    def _variant(self, path: Path, decided: Decided, attributes: PathAttributes) -> Path:
        variants = self._variants.setdefault(path, {})
        variant = variants.get(decided)
        if variant is None:
            variant = variants[decided] = changed_path(path, attributes)
        return variant

    def _path(self, attributes: PathAttributes, path_id: bytes) -> Path:
        key = _key(attributes, path_id)
        path = self._paths.get(key)
        if path is None:
            path = self._paths[key] = self._new_path(attributes, path_id)
            self._paths_made += 1
            self._octets += path.octets
        else:
            self._loc_rib.next_hops.meet(path.attributes.next_hop)
        return path

    def _new_path(self, attributes: PathAttributes, path_id: bytes, *, outlived: bool = False) -> Path:
        amended = self._acceptance.amended(attributes, outlived=outlived)
        self._loc_rib.next_hops.meet(amended.next_hop)
        return Path(
            amended,
            self._peer,
            ineligible=self._acceptance.refusal(attributes),
            received=attributes,
            path_id=path_id,
            outlived=outlived,
        )

    def _drop(self, path: Path) -> None:
        """Forget a path that no route has any more."""
        key = _key(path.received, path.path_id)
        if self._paths.get(key) is path:
            del self._paths[key]
            self._octets -= path.octets
        self._views.pop(path, None)
        self._variants.pop(path, None)


def _key(attributes: PathAttributes, path_id: bytes) -> PathAttributes | tuple[PathAttributes, bytes]:
    """Two paths of one prefix are two, also where they say the same."""
    return (attributes, path_id) if path_id else attributes
