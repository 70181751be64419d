"""The NEXT_HOPs of learned paths, and which of them are resolvable (RFC 4271 §9.1.2).

    meet ─▶ unjudged ─ take_unjudged ─▶ whoever knows the ways out of this node
                                              │
    is_barred ◀── barred ◀────────── judge ◀──┘        part ─▶ unused ─ sweep

What is resolvable is for others to find out. A next hop that nobody judged is taken for resolvable.
"""

from collections.abc import Mapping
from typing import Final

from felixbgp.bgp.routes import Reachability
from felixbgp.net import Address, Prefix

SWEEP_FIRST: Final = 1024
"""Distinct next hops before unused ones are looked for; from then on, twice the number in use."""
_NOWHERE: Final[frozenset[Prefix]] = frozenset()


class NextHops:
    """All next hops of one speaker. An IPv6 address may be one of IPv4 routes too (RFC 8950)."""

    __slots__ = ("_barred", "_met", "_sweep_at", "_unjudged", "are_judged")

    def __init__(self, *, are_judged: bool = True) -> None:
        self.are_judged = are_judged
        """Whether anybody judges; if not, all are resolvable and none is remembered."""
        self._met: dict[bytes, int] = {}
        """How many learned paths have each."""
        self._unjudged: dict[bytes, None] = {}
        self._sweep_at = SWEEP_FIRST
        self._barred: dict[bytes, frozenset[Prefix] | None] = {}
        """Those that are not resolvable for these prefixes; None: for none at all."""

    def meet(self, next_hop: bytes) -> None:
        """A learned path has this next hop; a new one is to be judged before the next decision."""
        if self.are_judged:
            count = self._met.get(next_hop)
            if count is None:
                self._unjudged[next_hop] = None
            self._met[next_hop] = 1 if count is None else count + 1

    def part(self, next_hop: bytes) -> None:
        """A path that was met is gone."""
        if self.are_judged:
            self._met[next_hop] -= 1

    def take_unjudged(self) -> list[Address]:
        """The next hops that are new since the last call, in the order in which they were met."""
        met, self._unjudged = self._unjudged, {}
        return [Address(next_hop) for next_hop in met]

    def judge(self, verdicts: Mapping[Address, Reachability]) -> dict[bytes, None]:
        """Take verdicts; gives the next hops for which they change anything."""
        changed: dict[bytes, None] = {}
        for next_hop, reachability in verdicts.items():
            barred = reachability.through if reachability.resolvable else None
            if self._barred.get(next_hop, _NOWHERE) == barred:
                continue
            changed[next_hop] = None
            if barred == _NOWHERE:
                del self._barred[next_hop]
            else:
                self._barred[next_hop] = barred
        return changed

    @property
    def bars_any(self) -> bool:
        """Whether any next hop is not resolvable for something."""
        return bool(self._barred)

    def is_barred(self, next_hop: bytes, prefix: Prefix) -> bool:
        """Whether a path to `prefix` by this next hop must not be selected."""
        barred = self._barred.get(next_hop, _NOWHERE)
        return barred is None or prefix in barred

    @property
    def are_many(self) -> bool:
        """Whether it is time to look for unused ones."""
        return len(self._met) >= self._sweep_at

    def sweep(self) -> list[Address]:
        """Forget those that no path has, and give them; they can be met again."""
        unused = [one for one, count in self._met.items() if not count and one not in self._unjudged]
        for next_hop in unused:
            del self._met[next_hop]
            self._barred.pop(next_hop, None)
        self._sweep_at = max(SWEEP_FIRST, 2 * len(self._met))
        return [Address(next_hop) for next_hop in unused]
