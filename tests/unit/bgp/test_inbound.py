"""Peers that send more, or more often, than anybody can need."""

from itertools import repeat

import pytest

from felixbgp.bgp.config import GracefulRestart
from felixbgp.bgp.facts import NotificationReceived, UpdateMalformed
from felixbgp.bgp.inbound import ENTRY_OCTETS, INBOUND_OCTETS_MAX, Entry, Inbound
from felixbgp.bgp.inputs import BytesReceived
from felixbgp.bgp.peering import MALFORMED_FACTS_PER_MINUTE
from felixbgp.bgp.receiving import MESSAGES_PER_TURN
from felixbgp.bgp.rib.adj_rib_in import NEW_SET_COST
from felixbgp.bgp.rib.memory import SET_OCTETS
from felixbgp.bgp.session.actions import RefreshRequested
from felixbgp.bgp.wire.codec import encode_keepalive, encode_route_refresh
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, PathAttributes, RouteRefreshMessage
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.net import IPV4
from tests.support.paths import sequence
from tests.support.speakers import OWN, SECOND, Network, Node, join

ROUTES = 8000
PREFIXES = tuple(b"\x20\x0a\x01" + number.to_bytes(2, "big") for number in range(ROUTES))


def three(**parameters: object) -> tuple[Network, Node, Node, Node]:
    """A node with two external peers."""
    network = Network()
    one, left, right = (network.node(f"10.0.0.{number}", asn=65000 + number) for number in (1, 2, 3))
    join([(one, left), (one, right)], {(one, left): parameters, (one, right): parameters})
    network.run_for(1)
    return network, one, left, right


def connection(of: Node, other: Node) -> int:
    return next(number for number, pipe in of.pipes.items() if pipe.other is other)


def say(node: Node, other: Node, *messages: bytes) -> None:
    """Messages of `other` come in at `node`."""
    node.speaker.feed(BytesReceived(connection(node, other), b"".join(messages)), node.network.now)


def announcement(of: Node, nlri: bytes, med: int = 0) -> bytes:
    attributes = PathAttributes(next_hop=of.address, as_path=sequence(of.config.local_as), med=med)
    (message,) = encode_announcements(IPV4, attributes, [nlri])
    return message


def flood(of: Node) -> list[bytes]:
    """UPDATEs for one prefix, all different, and two turns of them more than are queued without a wait."""
    one = len(announcement(of, PREFIXES[0])) - 19 + ENTRY_OCTETS
    return [
        announcement(of, PREFIXES[0], med)
        for med in range(1, INBOUND_OCTETS_MAX // one + 2 * MESSAGES_PER_TURN)
    ]


def put(inbound: Inbound, entry: Entry) -> None:
    if isinstance(entry, bytes):
        inbound.put_updates([entry])
    else:
        inbound.put(entry)


def test_entries_come_out_as_they_came_in() -> None:
    inbound = Inbound()
    entries: list[Entry] = [b"first", RefreshRequested(IPV4, 1), b"", RefreshRequested(IPV4)]
    for entry in entries:
        put(inbound, entry)
    assert len(inbound) == 4
    assert [inbound.take() for _ in entries] == entries
    assert len(inbound) == 0


@pytest.mark.parametrize("entry", [bytes(4000), b"", RefreshRequested(IPV4)], ids=["long", "short", "mark"])
def test_entries_of_all_kinds_fill_it(entry: Entry) -> None:
    inbound = Inbound()
    count = 0
    while not inbound.is_full:
        put(inbound, entry)
        count += 1
    assert count <= INBOUND_OCTETS_MAX // ENTRY_OCTETS + 1
    inbound.take()
    assert not inbound.is_full


def test_a_peer_that_sends_faster_than_is_worked_off_had_better_wait() -> None:
    network, one, left, right = three()
    one.budget = MESSAGES_PER_TURN
    left_connection, right_connection = connection(one, left), connection(one, right)
    say(one, left, *flood(left))
    assert not one.speaker.is_behind(left_connection)
    network.turn(one)
    assert one.speaker.is_behind(left_connection)
    assert not one.speaker.is_behind(right_connection)
    assert not one.speaker.is_behind(-12345)
    network.settle()
    assert not one.speaker.is_behind(left_connection)
    assert one.rib_in(left)["10.1.0.0/32"].med == len(flood(left))


def test_a_peer_that_has_to_wait_is_not_taken_for_silent() -> None:
    """What it says to keep the session lies unread; the hold timer runs again once it can be read."""
    network, one, left, _ = three(hold_time_s=3)
    one.budget = MESSAGES_PER_TURN * (1 + NEW_SET_COST)
    network.silence(left)
    say(one, left, *flood(left))
    say(one, left, *flood(left))
    behind = 0
    while True:
        network.now += 2 * SECOND
        network.turn(one)
        if not one.speaker.is_behind(connection(one, left)):
            break
        behind += 1
    assert behind > 10
    assert one.peer(left).state == "Established"
    network.now += 3 * SECOND
    network.turn(one)
    assert one.peer(left).last_error == "hold timer expired"


@pytest.mark.parametrize("subtype", [0, 1, 2], ids=["requests", "BoRR", "EoRR"])
def test_a_flood_of_refreshes_is_worked_off_by_and_by(subtype: int) -> None:
    """None costs a look at the table, and others have their turn after every 64 at most."""
    network, one, left, right = three()
    for nlri in PREFIXES:
        left.speaker.originate(IPV4, nlri, OWN)
    network.settle()
    one.budget = 10
    refresh = encode_route_refresh(RouteRefreshMessage(IPV4, subtype))
    say(one, left, *repeat(refresh, 100))
    say(one, right, announcement(right, b"\x18\xcb\x00\x71"))
    network.turn(one)
    assert one.speaker.statistics().updates_waiting == 101 - 10
    network.settle()
    assert "203.0.113.0/24" in one.rib_in(right)
    assert one.speaker.statistics().updates_waiting == 0
    assert one.peer(left).established_count == 1


def test_marks_take_effect_in_their_place_among_updates() -> None:
    network, one, left, _ = three()
    left.originate("10.1.0.0/32", "10.1.0.1/32")
    network.settle()
    begin, end = (encode_route_refresh(RouteRefreshMessage(IPV4, subtype)) for subtype in (1, 2))
    say(one, left, begin, announcement(left, PREFIXES[0]), end, announcement(left, PREFIXES[2]))
    network.settle()
    assert set(one.rib_in(left)) == {"10.1.0.0/32", "10.1.0.2/32"}


@pytest.mark.parametrize("kept", [None, GracefulRestart()], ids=["plain", "graceful restart"])
def test_a_peer_whose_attributes_take_too_much_memory_is_put_down_for_a_minute(
    kept: GracefulRestart | None,
) -> None:
    """RFC 4486 §4, Cease/8. With graceful restart nothing of it is kept either: that is what is too much."""
    network, one, left, right = three(graceful_restart=kept, attributes_octets_max=50 * SET_OCTETS)
    left.change(one, graceful_restart=kept)
    right.originate("203.0.113.0/24")
    network.run_for(5)
    say(one, left, *(announcement(left, nlri, med) for med, nlri in enumerate(PREFIXES[:100])))
    network.settle()
    told = [fact for fact in left.facts if isinstance(fact, NotificationReceived)]
    assert [(fact.code, fact.subcode) for fact in told] == [(6, 8)]
    assert one.peer(left).last_error == "sent NOTIFICATION Cease: Out of Resources; down for 60 s"
    assert one.peer(left).prefixes_received == 0
    assert list(one.routes()) == ["203.0.113.0/24"]
    network.run_for(50)
    assert one.peer(left).state == "Idle"
    network.run_for(20)
    assert one.peer(left).state == "Established"
    assert one.peer(right).established_count == 1


def test_malformed_updates_are_told_of_in_bounds_and_all_counted() -> None:
    network, one, left, _ = three()
    bad = frame(MessageType.UPDATE, b"\x00\x00\x00\x04\x40\x01\x01\x03\x18\xcb\x00\x71")
    for minute in (1, 2):
        say(one, left, *repeat(bad, 100), encode_keepalive())
        network.settle()
        told = [fact for fact in one.facts if isinstance(fact, UpdateMalformed)]
        assert len(told) == minute * MALFORMED_FACTS_PER_MINUTE
        assert dict(one.peer(left).malformed_updates) == {"treat-as-withdraw": minute * 100}
        network.run_for(60)


def test_a_queue_that_was_emptied_holds_nothing_and_takes_more() -> None:
    queue = Inbound()
    for turn in (b"1", b"2"):
        queue.put_updates([turn, turn + turn])
        assert (queue.take(), queue.take()) == (turn, turn + turn)
        assert not queue
        assert not queue.is_full
