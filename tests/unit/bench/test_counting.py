"""What the bench counts is what the product's own decoder sees, however the stream is cut."""

import random

import pytest

from bench.load.counting import ContentError, Tally
from bench.load.plan import Party, routes_of
from bench.load.tables import Group, Shape, announcements, full_table, prefixes, uniform, withdrawals
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import MessageType, Negotiated
from felixbgp.bgp.wire.update import decode_update
from felixbgp.net import IPV4, IPV6, Address

SHAPES = {"/24": uniform(24, 7), "/26": uniform(26, 3), "/48": uniform(48, 5), "mixed": full_table()}
COUNT = 500


def received(stream: bytes, tally: Tally, seed: int = 1) -> None:
    """The stream in pieces of any size."""
    chance = random.Random(seed)  # noqa: S311 - to be the same every time
    while stream:
        size = chance.randrange(1, 3000)
        tally.take(stream[:size])
        stream = stream[size:]


def decoded(stream: bytes, *, is_ipv6: bool) -> tuple[set[bytes], int]:
    """The prefixes that our own decoder finds announced, and how many UPDATEs there are."""
    negotiated = Negotiated(
        families=(IPV6 if is_ipv6 else IPV4,),
        peer_as=65001,
        peer_identifier=Address.parse("10.99.1.1"),
        hold_time_ns=0,
        keepalive_ns=0,
    )
    framer, found, count = Framer(), set(), 0
    framer.feed(stream)
    for kind, body in framer.messages():
        assert kind is MessageType.UPDATE
        update = decode_update(body, negotiated, ebgp=True)
        found |= {nlri for _, _, nlris in update.announced for nlri in nlris}
        count += 1
    return found, count


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_every_route_is_counted_and_held_until_it_is_withdrawn(name: str, shape: Shape) -> None:
    party = Party(0, is_ipv6=name == "/48")
    groups = shape.groups(COUNT, 0)
    stream = announcements(groups, party.sender)
    tally, held = Tally(shape.nlri_octets), dict[bytes, bytes]()
    received(encode_keepalive() + stream + encode_keepalive(), tally)
    tally.fold(held, {})
    found, count = decoded(stream, is_ipv6=party.is_ipv6)
    assert tally.announced == len(found) == COUNT
    assert tally.updates == count
    assert held == routes_of(groups, party, is_changed=False)
    assert held.keys() == found
    received(withdrawals(prefixes(groups), is_ipv6=party.is_ipv6), tally)
    tally.fold(held, {})
    assert tally.withdrawn == COUNT
    assert held == {}


def test_a_message_too_short_to_be_one_is_named() -> None:
    with pytest.raises(ContentError, match="5 octets"):
        Tally(4).take(b"\xff" * 16 + b"\x00\x05\x02" + bytes(4))


def test_path_identifiers_are_part_of_what_is_held() -> None:
    tally, held = Tally(4, has_path_ids=True), dict[bytes, bytes]()
    for number in (1, 2):
        group = Group((), (number.to_bytes(4, "big") + b"\x18\x14\x00\x00",))
        tally.take(announcements([group], Party(0).sender))
    tally.fold(held, {})
    assert tally.announced == len(held) == 2


def test_tables_are_the_same_every_time_and_have_no_prefix_twice() -> None:
    one, other = (full_table().groups(20_000, 0) for _ in range(2))
    assert one == other
    assert len(set(prefixes(one))) == 20_000
    lengths = {nlri[0] for nlri in prefixes(one)}
    assert {16, 20, 22, 24} <= lengths <= set(range(8, 25))
    assert max(len(group.nlris) for group in one) > 100
