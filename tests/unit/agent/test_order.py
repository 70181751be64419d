"""In which order kernel and peers hear of a route: nobody sends packets here that have no way on."""

from errno import EBUSY

from felixbgp.agent.effects import Effect
from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, Framer
from felixbgp.bgp.wire.messages import MessageType, Negotiated
from felixbgp.bgp.wire.update import decode_update
from felixbgp.fib.types import DeleteRoutes, KernelRoute, NextHop, ReplaceRoutes, Route, RouteKind
from felixbgp.net import IPV4, Address, Prefix
from tests.support.routers import Router

PEER, OTHER_AS = "10.0.0.2", "10.0.0.9"
ROUTE = "192.168.7.0/24"
NEGOTIATED = Negotiated(
    families=(IPV4,),
    peer_as=64512,
    peer_identifier=Address.parse("10.0.0.1"),
    hold_time_ns=90_000_000_000,
    keepalive_ns=30_000_000_000,
)


class Watched(Router):
    """A router with a peer in another AS, to whom it is the next hop, and what it did in its order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._framer = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
        super().__init__(PEER, external=(OTHER_AS,))
        self.log.clear()

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, ReplaceRoutes):
            self.log += (f"write {prefix}" for prefix, _ in effect.routes)
        elif isinstance(effect, DeleteRoutes):
            self.log += (f"delete {key.prefix}" for key in effect.routes)
        elif isinstance(effect, SendBytes) and effect.connection == self.connection_of(OTHER_AS):
            self._framer.feed(b"".join(effect.chunks))
            self.log += (line for kind, body in self._framer.messages() for line in _told(kind, body))
        super().perform(effect)


def _told(kind: MessageType, body: bytes) -> list[str]:
    if kind is not MessageType.UPDATE:
        return []
    update = decode_update(body, NEGOTIATED, ebgp=True)
    announced = [
        f"announce {Prefix(family, nlri)}" for family, _, nlris in update.announced for nlri in nlris
    ]
    return [f"withdraw {Prefix(family, n)}" for family, nlris in update.withdrawn for n in nlris] + announced


def default_by(gateway: str) -> KernelRoute:
    hop = NextHop(Address.parse(gateway), "eth0")
    return KernelRoute(Prefix.parse("0.0.0.0/0"), Route(RouteKind.UNICAST, (hop,), 0), 4)


def test_a_route_is_announced_after_the_kernel_took_it_and_withdrawn_before_it_is_deleted() -> None:
    router = Watched()
    router.announce(PEER, ROUTE)
    assert router.log == [f"write {ROUTE}", f"announce {ROUTE}"]
    router.log.clear()
    router.withdraw(PEER, ROUTE)
    assert router.log == [f"withdraw {ROUTE}", f"delete {ROUTE}"]


def test_a_route_that_the_kernel_does_not_take_is_not_announced() -> None:
    router = Watched()
    router.kernel.refuse(EBUSY, "Device or resource busy")
    router.announce(PEER, ROUTE)
    assert router.log == [f"write {ROUTE}"]
    assert router.ways() == {}


def test_a_route_whose_next_hop_is_lost_is_withdrawn_before_it_is_deleted() -> None:
    router = Watched()
    router.kernel_changed(default_by("10.0.0.254"), present=True)
    router.announce(PEER, ROUTE, next_hop="10.9.0.2")
    router.log.clear()
    router.kernel_changed(default_by("10.0.0.254"), present=False)
    assert [line for line in router.log if ROUTE in line] == [f"withdraw {ROUTE}", f"delete {ROUTE}"]


def test_another_way_is_written_and_nobody_is_told() -> None:
    router = Watched()
    router.kernel_changed(default_by("10.0.0.254"), present=True)
    router.announce(PEER, ROUTE, next_hop="10.9.0.2")
    router.log.clear()
    router.kernel_changed(default_by("10.0.0.253"), present=True)
    assert [line for line in router.log if ROUTE in line] == [f"write {ROUTE}"]
