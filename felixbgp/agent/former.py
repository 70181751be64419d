"""Kernel routes of a former life that another way took the place of, for as long as they may be needed again.

    as found at the start ── X tells of it ─▶ by X ── X withdraws it ─▶ as found ── the sweep ─▶ none
                                                            │
                                                            └─ nobody who may tell of it owes a table ─▶ none

An agent that starts while a peer is away, too, may first hear of that peer's prefixes from others, and hear
them withdraw what they had from it. The peer itself is still to say what it has: until the sweep packets go
where they went before, as they would if nobody had told of another way. Who may tell is the gateway, where
that is a peer, and anybody otherwise: between reflectors a next hop is seldom one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import Route
from felixbgp.net import Address, Prefix

# No `Final`, so that a test can set a smaller one.
LET_GO_AT_ONCE: int = 1000
"""Prefixes in one step: a millisecond."""


class FormerRoutes:
    """Stands between what is selected and what the kernel shall have, from the start until the sweep.

    `owing` gives, by the peers' addresses, whether each is still to say what it has.
    """

    def __init__(self, fib: Fib, owing: Callable[[], Mapping[Address, bool]]) -> None:
        self._fib = fib
        self._owing = owing
        self._kept: dict[Prefix, None] = {}
        """Prefixes of which nothing is selected, and whose route leads on."""
        self._is_over = False

    def want_each(self, routes: Sequence[tuple[Prefix, Route | None]]) -> None:
        """Have the kernel get these; what would lose its route may get the former one instead."""
        if not self._kept and (self._is_over or all(route is not None for _, route in routes)):
            self._fib.want_each(routes)
            return
        owing: Mapping[Address, bool] | None = None
        for prefix, route in routes:
            self._kept.pop(prefix, None)
            wanted = route
            former = None if route is not None or self._is_over else self._fib.former(prefix)
            if former is not None:
                if owing is None:
                    owing = self._owing()
                wanted = _still_told(former, owing)
                if wanted is not None:
                    self._kept[prefix] = None
            self._fib.want(prefix, wanted)

    def let_go(self) -> bool:
        """It is time for the sweep: let go of some; whether there are more."""
        self._is_over = True
        for prefix in list(islice(self._kept, LET_GO_AT_ONCE)):
            del self._kept[prefix]
            self._fib.want(prefix, None)
        return bool(self._kept)


def _still_told(route: Route, owing: Mapping[Address, bool]) -> Route | None:
    """What of a route somebody may still tell of, None for nothing; `owing`: whether each peer does."""
    anybody = any(owing.values())
    hops = tuple(h for h in route.next_hops if h.gateway is not None and owing.get(h.gateway, anybody))
    return route._replace(next_hops=hops) if hops else None
