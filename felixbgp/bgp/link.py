"""A connection that a peering knows of, and what lies there for the peer to take (RFC 9687)."""

from felixbgp.bgp.deadlines import Deadlines, Timer, key_of
from felixbgp.bgp.peering import Peering
from felixbgp.bgp.rib.adj_rib_out import Outlet
from felixbgp.net import Address


class Link:
    """Whose connection it is, what goes out over it, and our own address there, None while it is dialled."""

    __slots__ = ("local", "outlet", "peering")

    def __init__(self, peering: Peering, outlet: Outlet, local: Address | None) -> None:
        self.peering = peering
        self.outlet = outlet
        self.local = local

    def watch_sending(self, octets: int, deadlines: Deadlines, now: int) -> None:
        """RFC 9687 §3: the peer of a session was given octets, which it had better take in time."""
        exchange = self.peering.exchange
        if exchange is not None and exchange.outlet is self.outlet:
            if self.outlet.in_flight == octets:
                exchange.progress_at = now
            at = exchange.progress_at + exchange.send_hold_time_ns
            deadlines.set(key_of(self.peering.number, Timer.SEND_HOLD), at)

    def credit(self, count: int, now: int) -> None:
        """So many octets have left for the kernel."""
        self.outlet.in_flight = max(0, self.outlet.in_flight - count)
        exchange = self.peering.exchange
        if exchange is not None and exchange.outlet is self.outlet:
            exchange.progress_at = now
