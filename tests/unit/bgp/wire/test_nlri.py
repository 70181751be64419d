"""Fields of prefixes become canonical NLRI bytes."""

import pytest

from felixbgp.bgp.wire.nlri import NlriError, parse_nlri
from felixbgp.net import IPV4, IPV6, Family, Prefix


def nlri(text: str) -> bytes:
    return Prefix.parse(text).nlri


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_every_length_is_cut_and_masked(family: Family) -> None:
    errors: list[str] = []
    ones = b"\x5f" + b"\xff" * (family.octets - 1)
    lengths = range(family.bits + 1)
    field = b"".join(bytes((one,)) + ones[: (one + 7) // 8] for one in lengths)
    found = parse_nlri(family, field, errors)
    assert [one[0] for one in found] == list(lengths)
    for one in found:
        assert Prefix(family, one) == Prefix.of(Prefix(family, one).address, one[0])
    # What is canonical stays so, on the fast way.
    assert parse_nlri(family, b"".join(found), errors) == found
    assert errors == []


def test_an_empty_field_has_no_prefixes() -> None:
    assert parse_nlri(IPV4, b"", []) == ()


def test_order_and_repetition_are_kept() -> None:
    prefixes = tuple(nlri(one) for one in ("10.1.0.0/16", "0.0.0.0/0", "10.1.0.0/16", "192.0.2.1/32"))
    assert parse_nlri(IPV4, b"".join(prefixes), []) == prefixes


@pytest.mark.parametrize(
    ("family", "multicast", "neighbours"),
    [
        (IPV4, ["224.0.0.0/4", "239.255.255.255/32"], ["224.0.0.0/3", "223.0.0.0/8", "240.0.0.0/4"]),
        (IPV6, ["ff00::/8", "ff02::1/128"], ["fe00::/7", "fe80::/10", "fe00::/8"]),
    ],
)
def test_multicast_is_left_out_and_noted(family: Family, multicast: list[str], neighbours: list[str]) -> None:
    errors: list[str] = []
    good = tuple(nlri(one) for one in neighbours)
    assert parse_nlri(family, b"".join(good), errors) == good
    assert errors == []
    bad = b"".join(nlri(one) for one in multicast)
    assert parse_nlri(family, bad + b"".join(good), errors) == good
    assert errors == [f"ignored: {len(multicast)} multicast prefixes"]


@pytest.mark.parametrize(
    ("family", "field"),
    [
        pytest.param(IPV4, b"\x21\x0a\0\0\0\0", id="33 bits"),
        pytest.param(IPV6, b"\x81" + bytes(17), id="129 bits"),
        pytest.param(IPV4, b"\xff", id="255 bits"),
        pytest.param(IPV4, b"\x18\x0a\0", id="cut off"),
        pytest.param(IPV4, b"\x18", id="only a length"),
        pytest.param(IPV4, b"\x18\x0a\0\0\x08", id="cut off after a good one"),
    ],
)
def test_what_is_no_sequence_of_prefixes_is_refused(family: Family, field: bytes) -> None:
    with pytest.raises(NlriError):
        parse_nlri(family, field, [])
