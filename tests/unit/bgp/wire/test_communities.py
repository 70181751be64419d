"""Well-known communities have the values of their registry."""

import pytest

from felixbgp.bgp.wire import communities


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(communities.GRACEFUL_SHUTDOWN, "65535:0", id="RFC 8326"),
        pytest.param(communities.LLGR_STALE, "65535:6", id="RFC 9494 LLGR_STALE"),
        pytest.param(communities.NO_LLGR, "65535:7", id="RFC 9494 NO_LLGR"),
        pytest.param(communities.BLACKHOLE, "65535:666", id="RFC 7999"),
        pytest.param(communities.NO_EXPORT, "65535:65281", id="RFC 1997 NO_EXPORT"),
        pytest.param(communities.NO_ADVERTISE, "65535:65282", id="RFC 1997 NO_ADVERTISE"),
        pytest.param(communities.NO_EXPORT_SUBCONFED, "65535:65283", id="RFC 1997 NO_EXPORT_SUBCONFED"),
    ],
)
def test_a_community_is_what_operators_write(value: int, text: str) -> None:
    assert f"{value >> 16}:{value & 0xFFFF}" == text


@pytest.mark.parametrize(
    ("kind", "crosses"), [(0x00, True), (0x40, False), (0x80, True), (0xC0, False), (0x43, False)]
)
def test_the_second_bit_of_an_extended_community_keeps_it_in_its_as(kind: int, crosses: bool) -> None:
    assert communities.crosses_borders(bytes((kind, 2)) + bytes(6)) is crosses
