"""RFC 8654: messages of more than 4096 octets, from and to peers played by hand."""

import pytest

from felixbgp.bgp.policy.types import Action, AddCommunity, Match, Policy, Rule
from felixbgp.bgp.wire.attribute_encoding import encode_attribute, encode_attributes
from felixbgp.bgp.wire.capabilities import EXTENDED_MESSAGE
from felixbgp.bgp.wire.capabilities import add_path as add_path_capability
from felixbgp.bgp.wire.codec import encode_route_refresh
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import Capability, MessageType, PathAttributes, RouteRefreshMessage
from felixbgp.net import IPV4, Address, Prefix
from tests.support.paths import OUR_AS, sequence
from tests.support.played import Played
from tests.support.speakers import Network

BLOCK = "10.1.0.0/26"
LONG = tuple(range(1100))
"""Communities that leave a route no room in a message of 4096 octets."""
ATTRIBUTES = encode_attributes(
    PathAttributes(next_hop=b"\x0a\0\0\2", as_path=sequence(65001)), four_octet_as=True, with_next_hop=True
)


def peer(*extra: Capability, asn: int = 65001, **parameters: object) -> Played:
    node = Network().node("10.0.0.1", asn=OUR_AS)
    return Played(node, "10.0.0.2", asn=asn, **parameters).establish(*extra)


FILLERS = (b"", b"\0", b"\x08\x14", b"\x10\x14\0", b"\x18\x14\0\0")
"""A prefix of as many octets."""


def update_of(octets: int) -> tuple[bytes, int]:
    """A whole UPDATE of so many octets, and how many prefixes it announces."""
    count, rest = divmod(octets - 23 - len(ATTRIBUTES), 5)
    nlri = FILLERS[rest] + b"".join(b"\x20\x0a" + one.to_bytes(3, "big") for one in range(count))
    body = b"\0\0" + len(ATTRIBUTES).to_bytes(2, "big") + ATTRIBUTES + nlri
    return frame(MessageType.UPDATE, body), count + bool(rest)


def longest(played: Played) -> int:
    return max(19 + len(body) for _, body in played.heard())


# ---- 4, receiving


@pytest.mark.parametrize("octets", [4096, 4097, 65535])
def test_4_who_offers_it_takes_messages_of_up_to_65535_octets(octets: int) -> None:
    played = peer()  # The peer does not take them itself.
    update, count = update_of(octets)
    assert len(update) == octets
    played.say(update)
    assert played.state == "Established"
    assert len(played.adj_rib_in()) == count


@pytest.mark.parametrize("kind", [MessageType.ROUTE_REFRESH, MessageType.NOTIFICATION])
def test_4_other_messages_may_be_as_long(kind: MessageType) -> None:
    played = peer(EXTENDED_MESSAGE)
    body = b"\0\1\0\1" if kind is MessageType.ROUTE_REFRESH else b"\6\4"
    played.say(frame(kind, body.ljust(65535 - 19, b"\0")))
    assert played.notifications() == []
    assert (played.state == "Established") is (kind is MessageType.ROUTE_REFRESH)


@pytest.mark.parametrize("kind", [MessageType.OPEN, MessageType.KEEPALIVE])
def test_4_open_and_keepalive_may_not(kind: MessageType) -> None:
    played = peer(EXTENDED_MESSAGE)
    played.say(frame(kind, bytes(4097 - 19)))
    (notification,) = played.notifications()
    assert (notification.code, notification.subcode, notification.data) == (1, 2, b"\x10\x01")


# ---- 4, sending


def test_4_long_messages_go_to_those_who_take_them_alone() -> None:
    """Who does not is not told, and what it knew of the prefix is withdrawn."""
    node = Network().node("10.0.0.1", asn=OUR_AS)
    source = Played(node, "10.0.0.2", asn=65001).establish(EXTENDED_MESSAGE)
    able = Played(node, "10.0.0.3", asn=65003).establish(EXTENDED_MESSAGE)
    unable = Played(node, "10.0.0.4", asn=65004).establish()
    forbidden = Played(node, "10.0.0.5", asn=65005, extended_message=False).establish(EXTENDED_MESSAGE)
    source.announce(BLOCK)
    assert [list(one.routes()) for one in (able, unable, forbidden)] == [[BLOCK]] * 3
    source.announce(BLOCK, communities=LONG)
    assert node.routes() == {BLOCK: "10.0.0.2"}
    assert able.routes()[BLOCK].communities == LONG
    assert longest(able) > 4096
    assert (unable.routes(), forbidden.routes()) == ({}, {})
    source.announce(BLOCK, communities=(1,))
    assert [one.routes()[BLOCK].communities for one in (able, unable, forbidden)] == [(1,)] * 3
    assert max(longest(unable), longest(forbidden)) <= 4096


def test_4_what_could_not_be_told_does_not_count_as_told_and_is_not_withdrawn() -> None:
    node = Network().node("10.0.0.1", asn=OUR_AS)
    source = Played(node, "10.0.0.2", asn=65001).establish(EXTENDED_MESSAGE)
    able = Played(node, "10.0.0.3", asn=65003).establish(EXTENDED_MESSAGE)
    unable = Played(node, "10.0.0.4", asn=65004).establish()
    unable.forget()
    source.announce(BLOCK, communities=LONG)
    assert (able.snapshot.prefixes_advertised, unable.snapshot.prefixes_advertised) == (1, 0)
    source.withdraw(BLOCK)
    assert unable.updates() == []
    source.announce(BLOCK)
    assert unable.snapshot.prefixes_advertised == 1
    unable.forget()
    source.announce(BLOCK, communities=LONG)
    source.withdraw(BLOCK)
    (withdrawal,) = unable.updates()
    assert len(withdrawal.withdrawn) == 1
    assert unable.snapshot.prefixes_advertised == 0


def test_4_a_refresh_and_another_policy_do_not_tell_it_either() -> None:
    node = Network().node("10.0.0.1", asn=OUR_AS)
    source = Played(node, "10.0.0.2", asn=65001).establish(EXTENDED_MESSAGE)
    unable = Played(node, "10.0.0.4", asn=65004).establish()
    source.announce(BLOCK, communities=LONG)
    unable.forget()
    unable.say(encode_route_refresh(RouteRefreshMessage(IPV4)))
    assert unable.updates() == []
    colour = Rule("colour", Match(), Action.ACCEPT, (AddCommunity(OUR_AS << 16),))
    node.change(unable, export_policy=Policy((colour,)))  # type: ignore[arg-type]
    node.network.settle()
    assert unable.updates() == []


@pytest.mark.parametrize("add_path", [False, True])
def test_4_a_route_is_told_if_it_fits_to_the_octet(add_path: bool) -> None:
    """What a prefix needs differs with its length, and with path identifiers."""
    node = Network().node("10.0.0.1", asn=OUR_AS)
    source = Played(node, "10.0.0.2", asn=65001).establish(EXTENDED_MESSAGE)
    extra = (add_path_capability([(IPV4, True, False)]),) if add_path else ()
    unable = Played(node, "10.0.0.4", asn=65004, add_path_send=add_path).establish(*extra)
    known = PathAttributes(next_hop=node.address, as_path=sequence(OUR_AS, 65001), communities=(1,))
    used = len(encode_attributes(known, four_octet_as=True, with_next_hop=True))
    room = 4096 - 23 - used - (4 if add_path else 0)
    # The length of so many communities takes one octet more; 1 to 4 octets are left beside them.
    count = (room - 2) // 4
    left = room - 1 - 4 * count
    communities = tuple(range(1, count + 2))
    fitting, longer = (str(Prefix.of(Address(b"\12\11\7\5"), 8 * octets)) for octets in (left - 1, left))
    source.announce(fitting, longer, communities=communities)
    assert list(unable.routes()) == [fitting]
    assert longest(unable) == 4096


@pytest.mark.parametrize("extra", [(), (EXTENDED_MESSAGE,)], ids=["unable", "able"])
@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [("10.0.0.1", "10.0.0.2", "10.{}.{}.1/32"), ("fd00::1", "fd00::2", "fd01:{}:{}::/64")],
    ids=["IPv4", "IPv6"],
)
def test_4_what_is_sent_fits_what_the_peer_takes(
    ours: str, theirs: str, prefix: str, extra: tuple[Capability, ...]
) -> None:
    node = Network().node(ours, asn=OUR_AS)
    played = Played(node, theirs, asn=65001).establish(*extra)
    prefixes = [prefix.format(number >> 8, number & 255) for number in range(1000)]
    for wanted in (prefixes, []):
        played.forget()
        node.originate(*wanted)
        node.withdraw(*(set(prefixes) - set(wanted)))
        node.network.settle()
        assert (longest(played) > 4096) is bool(extra)
        assert len(played.routes()) == len(wanted)
    assert longest(played) <= 65535


# ---- 5, errors


@pytest.mark.parametrize("octets", [4097, 65535])
def test_5_who_does_not_offer_it_refuses_longer_messages(octets: int) -> None:
    played = peer(EXTENDED_MESSAGE, extended_message=False)
    assert EXTENDED_MESSAGE not in played.their_open.capabilities
    played.say(update_of(4096)[0])
    assert played.state == "Established"
    played.say(update_of(octets)[0])
    (notification,) = played.notifications()
    assert (notification.code, notification.subcode) == (1, 2)
    assert notification.data == octets.to_bytes(2, "big")
    assert played.node.routes() == {}


@pytest.mark.parametrize("extra", [(), (EXTENDED_MESSAGE,)], ids=["unable", "able"])
def test_5_a_notification_never_has_more_than_4096_octets(extra: tuple[Capability, ...]) -> None:
    played = peer(*extra)
    fatal = encode_attribute(0x40, 99, bytes(60_000))
    played.update(fatal)
    (notification,) = played.notifications()
    assert (notification.code, notification.subcode) == (3, 2)
    assert longest(played) == 4096
    assert fatal.startswith(notification.data)
