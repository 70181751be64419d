"""Many peers change in several steps, and nobody can tell."""

from dataclasses import replace

from felixbgp.bgp.changes import Affects
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.facts import ConnectionRefused
from felixbgp.bgp.inputs import BytesReceived, TcpClosed
from felixbgp.bgp.peer_changes import PEERS_AT_ONCE, PeerChange, PeerChanges
from felixbgp.bgp.wire.codec import encode_route_refresh
from felixbgp.bgp.wire.messages import RouteRefreshMessage
from felixbgp.net import IPV4, Address
from tests.support.speakers import Network, Node, join

CLIENTS = 5 * PEERS_AT_ONCE
BLOCK = "192.0.2.0/24"


def config_of(peer: PeerId) -> PeerConfig:
    return PeerConfig(peer=peer, name="a", families=(IPV4,), local_as=1, remote_as=2)


def test_those_that_go_are_first_and_the_last_word_counts() -> None:
    first, second, third = (PeerId(Address.parse(f"192.0.2.{number}")) for number in (1, 2, 3))
    changes = PeerChanges()
    changes.put({third: config_of(third), second: None, first: config_of(first)}, Affects.IMPORT)
    changes.put({third: None}, Affects.EXPORT)
    assert changes.take() == [
        (second, PeerChange(None, Affects.IMPORT)),
        (first, PeerChange(config_of(first), Affects.IMPORT)),
        (third, PeerChange(None, Affects.IMPORT | Affects.EXPORT)),
    ]
    assert not changes


def a_hub(clients: int = CLIENTS) -> tuple[Network, Node, list[Node]]:
    """A node with so many peers, which have a route of it."""
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    others = [network.node(f"10.1.{number >> 8}.{number & 255}", asn=64513) for number in range(clients)]
    join([(hub, one) for one in others], {})
    hub.originate(BLOCK)
    network.run_for(10)
    assert all(BLOCK in one.routes() for one in others)
    return network, hub, others


def prepend(hub: Node, count: int) -> None:
    """Have all peers told a path that is so much longer."""
    hub.configure(*[replace(peer, prepend_local_as=count) for peer in hub.peers.values()])


def told(others: list[Node], hub: Node) -> set[int]:
    """How long the path is that others were told."""
    return {len(one.rib_in(hub)[BLOCK].as_path[0].asns) for one in others}


def test_all_are_told_at_once_what_follows_for_them() -> None:
    network, hub, others = a_hub()
    hub.sent.clear()
    prepend(hub, 2)
    steps = 0
    while hub.speaker.backlog:
        assert hub.sent == []
        network.turn(hub)
        steps += 1
    assert steps == CLIENTS // PEERS_AT_ONCE - 1
    network.settle()
    assert told(others, hub) == {3}
    assert len({sent.chunks for sent in hub.sent}) == 1
    assert len(hub.sent) == CLIENTS


def connection_of(hub: Node, other: Node) -> int:
    return next(number for number, pipe in hub.pipes.items() if pipe.other is other)


def test_a_peer_that_is_lost_in_the_midst_of_it_is_lost_and_no_more() -> None:
    network, hub, others = a_hub()
    senseless = bytes(16 * [255]) + b"\0\x1b\2" + b"\xff\xff\0\0\0\0\0\0"
    hub.speaker.feed(BytesReceived(connection_of(hub, others[0]), senseless), network.now)
    hub.speaker.control(network.now)
    prepend(hub, 2)
    hub.speaker.feed(TcpClosed(connection_of(hub, others[1]), "reset"), network.now)
    network.settle()
    assert hub.peer(others[0]).last_error
    assert hub.peer(others[1]).last_error
    assert told(others[2:], hub) == {3}
    network.run_for(30)


def test_a_peer_that_asks_for_everything_in_the_midst_of_it_gets_it() -> None:
    network, hub, others = a_hub()
    wanted = encode_route_refresh(RouteRefreshMessage(IPV4, 0))
    hub.speaker.feed(BytesReceived(connection_of(hub, others[0]), wanted), network.now)
    hub.speaker.control(network.now)
    prepend(hub, 2)
    network.settle()
    assert told(others, hub) == {3}
    assert len(others[0].rib_in(hub)) == 1


def test_a_second_change_overtakes_the_first() -> None:
    network, hub, others = a_hub()
    prepend(hub, 2)
    assert hub.speaker.backlog
    prepend(hub, 4)
    network.settle()
    assert told(others, hub) == {5}
    prepend(hub, 2)
    hub.configure(*list(hub.peers.values())[-PEERS_AT_ONCE:])
    network.settle()
    assert len(hub.speaker.peers()) == PEERS_AT_ONCE


def test_a_peer_that_changes_twice_before_it_is_told_goes_where_the_last_change_leads() -> None:
    network, hub, others = a_hub()
    hub.change(others[0], prepend_local_as=2)
    network.settle()
    first, *rest = hub.peers.values()
    hub.change(others[0], prepend_local_as=4)
    hub.configure(replace(first, prepend_local_as=4), *[replace(peer, prepend_local_as=2) for peer in rest])
    prepend(hub, 4)
    network.settle()
    assert told(others, hub) == {5}


def test_what_goes_before_a_changed_peer_is_compared_is_withdrawn_from_it() -> None:
    """What it knows was told to the group that it left."""
    network, hub, (moving, staying, source) = a_hub(3)
    blocks = [f"198.51.100.{number}/32" for number in range(100)]
    source.originate(*blocks)
    network.settle()
    assert len(moving.rib_in(hub)) == len(blocks) + 1
    hub.budget = 10
    hub.change(moving, prepend_local_as=2)
    network.turn(hub)
    source.withdraw(*blocks)
    network.settle()
    assert set(moving.rib_in(hub)) == set(staying.rib_in(hub)) == {BLOCK}


def test_a_peer_that_was_never_added_can_go_again() -> None:
    network, hub, others = a_hub()
    peers = list(hub.peers.values())
    late = network.node("10.9.0.1", asn=64513)
    assert hub.speaker.has_all_tables()
    hub.configure(*peers, replace(peers[0], peer=PeerId(late.address)))
    assert len(hub.speaker.peers()) == CLIENTS
    assert not hub.speaker.has_all_tables()
    hub.configure(*peers)
    network.settle()
    assert len(hub.speaker.peers()) == len(others)


def test_who_connects_before_it_is_added_is_no_stranger() -> None:
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    others = [network.node(f"10.1.0.{number}", asn=64512) for number in range(CLIENTS, 0, -1)]
    waits: dict[tuple[Node, Node], dict[str, object]] = {(hub, one): {"passive": True} for one in others}
    dials: dict[tuple[Node, Node], dict[str, object]] = {(one, hub): {"passive": False} for one in others}
    join([(hub, one) for one in others], {**waits, **dials})
    assert 0 < len(hub.speaker.peers()) < CLIENTS
    assert not hub.speaker.has_all_tables()
    network.settle()
    assert not any(isinstance(fact, ConnectionRefused) for fact in hub.facts)
    network.run_for(10)
    assert {peer.state for peer in hub.speaker.peers()} == {"Established"}
    assert {peer.established_count for peer in hub.speaker.peers()} == {1}


def test_nothing_is_selected_after_a_restart_before_all_peers_are_there() -> None:
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    others = [network.node(f"10.1.0.{number + 1}", asn=64512) for number in range(CLIENTS)]
    hub.speaker.begin_restart(network.now)
    hub.configure(*[config_of(PeerId(one.address)) for one in others])
    assert hub.speaker.backlog
    hub.speaker.decide(network.now, 1000)
    assert hub.speaker._deferral is not None
    while hub.speaker.backlog:
        hub.speaker.control(network.now)
    hub.speaker.decide(network.now, 1000)
    assert hub.speaker._deferral is None  # None of them has graceful restart.
