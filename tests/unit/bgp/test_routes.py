"""What the speaker says of its routes, as values."""

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import RouteChange, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, Address

HOP = Address.parse("192.0.2.1")
NLRI = b"\x08\x0a"


def selected(reason: str = "only path") -> Selected:
    return Selected(RouteSource.BGP, PeerId(HOP), (HOP,), PathAttributes(next_hop=HOP), reason)


def test_selected_routes_are_equal_by_all_that_they_say() -> None:
    one, other = selected(), selected()
    assert one == one  # noqa: PLR0124 - the short way
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)
    assert one != selected("lowest identifier")
    assert one != "only path"


def test_changes_are_equal_by_all_that_they_say() -> None:
    one, other = RouteChange(IPV4, NLRI, selected()), RouteChange(IPV4, NLRI, selected())
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == repr(other)
    assert one != RouteChange(IPV4, NLRI, None)
    assert RouteChange(IPV4, NLRI, None) != RouteChange(IPV4, NLRI, None, (HOP,))
    assert one != NLRI
