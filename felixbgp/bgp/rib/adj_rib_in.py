"""Adj-RIB-In of one peer and family (RFC 4271 §3.2): what the peer announced, and what became of it.

Routes are keyed as they come: by NLRI, or where the peer sends several paths per prefix (RFC 7911) by the
four octets of the path's identifier and the NLRI.

Everything is kept as it was received, also what is not eligible or was rejected, so that a change of policy
takes effect on what is here and needs no session reset and no ROUTE-REFRESH. What a policy changes is changed
on the way to the Loc-RIB.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
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
SWEEP_FIRST: Final = 1024
"""Distinct attribute sets before unused ones are looked for; from then on, twice the number in use."""
# Bounds of memory are no `Final`: mypyc would build their values in, and no test could set smaller ones.
SWEEP_OCTETS_FIRST: int = 32 << 20
"""The same for the memory they take, about: for sets that are as large as a peer can make them."""
ATTRIBUTES_OCTETS_MAX: int = 1 << 30
"""What the sets in use of one peer and family may take, about: twice those of the Internet's table."""


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
        "_paths",
        "_peer",
        "_plain",
        "_policy",
        "_routes",
        "_stale",
        "_sweep_at",
        "_sweep_octets_at",
        "_variants",
        "_view",
        "_views",
        "end_of_rib",
        "excess_count",
        "is_exhausting",
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
    ) -> None:
        """`identified`: every NLRI of this peer comes behind a path identifier.

        `capacity`: how many routes are taken in.
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
        self._paths: dict[tuple[PathAttributes, bytes], Path] = {}
        self._octets = 0
        """About how much memory the distinct sets take, used or not."""
        self._sweep_at = SWEEP_FIRST
        self._sweep_octets_at = SWEEP_OCTETS_FIRST
        self.is_exhausting = False
        """Whether the peer's attributes take more memory than one peer may have."""
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

    def announce(self, attributes: PathAttributes, nlris: Sequence[Nlri]) -> None:
        """The peer announced these prefixes; what it announced for them before is replaced."""
        if len(self._routes) + len(nlris) > self._capacity:
            nlris = self._within_capacity(nlris)
        if self._identifier_octets:
            for nlri in nlris:
                self._set(nlri, self._path(attributes, nlri[:4]))
        else:
            path = self._path(attributes, b"")
            for nlri in nlris:
                self._set(nlri, path)
        if self._stale:
            for nlri in nlris:
                self._stale.pop(nlri, None)

    def withdraw(self, nlris: Iterable[Nlri]) -> None:
        """The peer withdrew these prefixes; those it never announced are ignored."""
        for nlri in nlris:
            if nlri in self._routes:
                self._remove(nlri)
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
        for nlri, path in list(self._routes.items()):
            self._set(nlri, renewed[path])

    def rename_rules(self, policy: Policy) -> None:
        """Take over the names of an equal policy; nothing is judged again."""
        self._policy = policy

    def remove_some(self, budget: int) -> int:
        """Drop up to `budget` routes, for the session is gone; returns how many were dropped."""
        nlris = list(islice(self._routes, budget))
        for nlri in nlris:
            self._remove(nlri)
        return len(nlris)

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

    def _set(self, nlri: Nlri, path: Path) -> None:
        old = self._routes.get(nlri)
        if old is path:
            return
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
        """Take back the verdict on a route; returns its path if the Loc-RIB has it."""
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
        self._variants: dict[Decided, Path] = {}

    def _view_of(self, path: Path) -> PrefixView | AttributeView:
        view = self._views.get(path)
        if view is None:
            view = self._views[path] = self._view.of(path.attributes)
        return view

    def _variant(self, path: Path, decided: Decided, attributes: PathAttributes) -> Path:
        variant = self._variants.get(decided)
        if variant is None:
            variant = self._variants[decided] = changed_path(path, attributes)
        return variant

    def _path(self, attributes: PathAttributes, path_id: bytes) -> Path:
        # Two paths of one prefix are two, also where they say the same.
        key = (attributes, path_id)
        path = self._paths.get(key)
        if path is None:
            if len(self._paths) >= self._sweep_at or self._octets >= self._sweep_octets_at:
                self._sweep()
            path = self._paths[key] = self._new_path(attributes, path_id)
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

    def _sweep(self) -> None:
        """Forget attribute sets that no route has any more."""
        used = dict.fromkeys(self._routes.values())
        self._paths = {key: path for key, path in self._paths.items() if path in used}
        self._views.clear()
        self._variants.clear()
        self._sweep_at = max(SWEEP_FIRST, 2 * len(self._paths))
        self._octets = sum(path.octets for path in self._paths.values())
        self._sweep_octets_at = max(SWEEP_OCTETS_FIRST, 2 * self._octets)
        self.is_exhausting = self._octets > ATTRIBUTES_OCTETS_MAX
