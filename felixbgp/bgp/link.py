"""A connection that a peering knows of."""

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
