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


@pytest.mark.parametrize("add_path", [False, True])
def test_an_empty_field_has_no_prefixes(add_path: bool) -> None:
    assert parse_nlri(IPV4, b"", [], add_path=add_path) == ()


@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_every_length_is_cut_and_masked_behind_its_identifier(family: Family) -> None:
    """RFC 7911 §3: any four octets are an identifier, also those that look like a prefix or a newline."""
    errors: list[str] = []
    ones = b"\x5f" + b"\xff" * (family.octets - 1)
    identifiers = [b"\x18\x0a\0\0", b"\n\n\n\n", bytes(4), b"\xff" * 4]
    lengths = range(family.bits + 1)
    parts = [bytes((one,)) + ones[: (one + 7) // 8] for one in lengths]
    field = b"".join(identifiers[length % 4] + one for length, one in enumerate(parts))
    found = parse_nlri(family, field, errors, add_path=True)
    assert [one[:4] for one in found] == [identifiers[length % 4] for length in lengths]
    assert tuple(one[4:] for one in found) == parse_nlri(family, b"".join(parts), errors)
    assert parse_nlri(family, b"".join(found), errors, add_path=True) == found
    assert errors == []


def test_multicast_is_left_out_with_its_identifier() -> None:
    errors: list[str] = []
    good, bad = b"\0\0\0\1" + nlri("10.0.0.0/8"), b"\0\0\0\2" + nlri("224.0.0.0/4")
    assert parse_nlri(IPV4, good + bad + good, errors, add_path=True) == (good, good)
    assert errors == ["ignored: 1 multicast prefixes"]


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
    with pytest.raises(NlriError):
        parse_nlri(family, b"\0\0\0\1\x08\x0a\0\0\0\2" + field, [], add_path=True)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_an_identifier_without_a_prefix_is_refused(size: int) -> None:
    with pytest.raises(NlriError, match="identifier"):
        parse_nlri(IPV4, b"\0\0\0\1\x08\x0a" + bytes(size), [], add_path=True)


@pytest.mark.parametrize("add_path", [False, True])
@pytest.mark.parametrize("family", [IPV4, IPV6])
def test_a_run_of_one_length_is_what_its_prefixes_are_alone(family: Family, add_path: bool) -> None:
    """Wherever in it one has host bits or is multicast."""
    for length in range(family.bits + 1):
        octets = (length + 7) // 8
        good, ones = (
            nlri_of(length, b"\x5f" + bytes(family.octets)),
            bytes((length,)) + (b"\x5f" + b"\xff" * octets)[:octets],
        )
        multicast = nlri_of(length, b"\xff" * family.octets if family == IPV6 else b"\xef" + b"\xff" * 3)
        for flaw in (ones, multicast):
            for place in range(6):
                run = [good] * 6
                run[place] = flaw
                if add_path:
                    run = [bytes((0, 0, number, length)) + one for number, one in enumerate(run)]
                errors: list[str] = []
                alone = [parse_nlri(family, one, errors, add_path=add_path) for one in run]
                together = parse_nlri(family, b"".join(run), errors, add_path=add_path)
                assert together == tuple(one for (one,) in filter(None, alone))
                assert len(errors) in (0, 2)


def nlri_of(length: int, address: bytes) -> bytes:
    octets = bytearray(address[: (length + 7) // 8])
    if length % 8:
        octets[-1] &= 0xFF00 >> length % 8
    return bytes((length, *octets))


@pytest.mark.parametrize("count", [3, 4, 5, 255, 256, 257, 513])
def test_a_run_may_be_of_any_length_and_be_followed_by_anything(count: int) -> None:
    run = tuple(b"\x1a\x0a" + number.to_bytes(2, "big") + b"\x40" for number in range(count))
    field = b"".join(run)
    assert parse_nlri(IPV4, field, []) == run
    other = b"\x18\x1a\x1a\x1a"
    assert parse_nlri(IPV4, other + field + other, []) == (other, *run, other)
    for cut in range(1, 5):
        with pytest.raises(NlriError):
            parse_nlri(IPV4, field[:-cut], [])
