"""The views of a difference in words."""

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.status.audit import TEXT_MAX, intent_text, kernel_text, route_text, selected_text

GATEWAY = Address.parse("192.0.2.1")
PREFIX = Prefix.parse("10.0.0.0/24")
KEPT_OUT = "10.0.0.0/8 stays out of the kernel"


@pytest.mark.parametrize(
    ("intended", "excluded", "service", "text"),
    [
        (None, "", False, ""),
        (LocalRoute(RouteSource.AGGREGATE), "", False, "own block"),
        (
            LocalRoute(RouteSource.AGGREGATE),
            KEPT_OUT,
            True,
            "service range; 10.0.0.0/8 stays out of the kernel",
        ),
        (LocalRoute(RouteSource.KERNEL, "cali1"), "", False, "kernel route on cali1"),
        (LocalRoute(RouteSource.STATIC, next_hop=GATEWAY), "", False, "static route via 192.0.2.1"),
        (LocalRoute(RouteSource.DIRECT, "eth0"), "", False, "direct route on eth0"),
        (None, KEPT_OUT, False, "10.0.0.0/8 stays out of the kernel"),
    ],
)
def test_intent(intended: LocalRoute | None, excluded: str, service: bool, text: str) -> None:
    assert intent_text(intended, excluded, service=service) == text


@pytest.mark.parametrize(
    ("selected", "text"),
    [
        (None, ""),
        (Selected(RouteSource.AGGREGATE, None, (), PathAttributes(), ""), "originated: aggregate route"),
        (
            Selected(RouteSource.BGP, PeerId(GATEWAY), (GATEWAY,), PathAttributes(), ""),
            "from 192.0.2.1 via 192.0.2.1",
        ),
        (Selected(RouteSource.BGP, PeerId(GATEWAY), (), PathAttributes(), ""), "from 192.0.2.1"),
    ],
)
def test_selected(selected: Selected | None, text: str) -> None:
    assert selected_text(selected) == text


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (None, ""),
        (Route(RouteKind.BLACKHOLE), "blackhole metric 1024"),
        (Route(RouteKind.UNICAST, (NextHop(GATEWAY),), 7), "via 192.0.2.1 metric 7"),
        (
            Route(
                RouteKind.UNICAST, (NextHop(None, "eth0"), NextHop(GATEWAY, "tunl0", onlink=True, weight=2))
            ),
            "dev eth0 via 192.0.2.1 dev tunl0 onlink weight 2 metric 1024",
        ),
    ],
)
def test_route(route: Route | None, text: str) -> None:
    assert route_text(route) == text


def test_kernel_routes_are_told_with_who_wrote_them() -> None:
    blackhole = Route(RouteKind.BLACKHOLE)
    assert kernel_text(()) == ""
    assert (
        kernel_text(
            (KernelRoute(PREFIX, blackhole, 179), KernelRoute(PREFIX, blackhole._replace(metric=5), 4))
        )
        == "blackhole metric 1024 proto 179; blackhole metric 5 proto static"
    )


def test_a_route_of_very_many_hops_is_cut() -> None:
    hops = tuple(NextHop(Address.parse(f"192.0.2.{number}"), "eth0") for number in range(16))
    text = route_text(Route(RouteKind.UNICAST, hops))
    assert len(text) == TEXT_MAX
    assert text.endswith("…")
