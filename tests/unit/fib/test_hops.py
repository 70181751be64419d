"""When a kernel route counts as the wanted one."""

import pytest

from felixbgp.fib.hops import HopIndex, is_connected, satisfies, without_interface
from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix

A, B = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")


def unicast(*hops: NextHop) -> Route:
    return Route(RouteKind.UNICAST, hops)


TWO = unicast(NextHop(A, "eth0"), NextHop(B, "eth0", weight=3))


@pytest.mark.parametrize(
    ("actual", "wanted", "expected"),
    [
        pytest.param(
            unicast(NextHop(A, "eth0")), unicast(NextHop(A)), True, id="interface left to the kernel"
        ),
        pytest.param(unicast(NextHop(A, "eth0")), unicast(NextHop(A, "eth1")), False, id="other interface"),
        pytest.param(unicast(NextHop(A)), unicast(NextHop(A, "eth1")), False, id="interface unknown"),
        pytest.param(unicast(NextHop(A)), unicast(NextHop(B)), False, id="other gateway"),
        pytest.param(unicast(NextHop(A)), unicast(NextHop(A, weight=5)), True, id="weight of a single hop"),
        pytest.param(TWO, unicast(*reversed(TWO.next_hops)), True, id="order"),
        pytest.param(TWO, unicast(NextHop(A), NextHop(B, weight=3)), True, id="two, interfaces left"),
        pytest.param(TWO, unicast(NextHop(A), NextHop(B)), False, id="weight of two"),
        pytest.param(TWO, unicast(NextHop(A)), False, id="fewer"),
        pytest.param(unicast(NextHop(A)), unicast(NextHop(A, onlink=True)), False, id="onlink"),
        pytest.param(Route(RouteKind.BLACKHOLE), Route(RouteKind.PROHIBIT), False, id="kind"),
        pytest.param(Route(RouteKind.BLACKHOLE), Route(RouteKind.BLACKHOLE), True, id="same kind"),
    ],
)
def test_satisfies(actual: Route, wanted: Route, expected: bool) -> None:
    assert satisfies(actual, wanted) is expected


def test_what_a_lost_interface_leaves() -> None:
    hops = (NextHop(A, "eth0"), NextHop(B, "eth1"))
    assert without_interface(unicast(*hops), "eth0") == unicast(hops[1])
    assert without_interface(unicast(hops[0]), "eth0") is None


def test_connected_is_a_next_hop_without_gateway() -> None:
    assert is_connected(unicast(NextHop(None, "eth0")))
    assert not is_connected(unicast(NextHop(A, "eth0")))
    assert not is_connected(Route(RouteKind.BLACKHOLE))


def test_the_index_forgets_what_is_discarded() -> None:
    index = HopIndex()
    named, left_open = unicast(NextHop(A, "eth0")), unicast(NextHop(A))
    link = Prefix.parse("192.0.2.0/24")
    index.add(b"1", named)
    index.add(b"2", left_open)
    assert index.through_interface("eth0") == [b"1"]
    assert list(index.through_gateways(link)) == [b"2"]
    assert list(index.through_gateways(Prefix.parse("198.51.100.0/24"))) == []
    index.discard(b"1", named)
    index.discard(b"2", left_open)
    assert index.through_interface("eth0") == []
    assert list(index.without_interface()) == []
