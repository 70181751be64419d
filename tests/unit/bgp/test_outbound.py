"""Many peers are given their messages in several steps."""

from felixbgp.bgp.effects import SendBytes
from felixbgp.bgp.outbound import OUTLETS_AT_ONCE, OUTLETS_TOGETHER, Outbound
from felixbgp.bgp.rib.adj_rib_out import Outlet
from tests.support.speakers import Network, Node, join


def some(outbound: Outbound, count: int) -> list[Outlet]:
    """Outlets that have something to send."""
    outlets = [Outlet(number, outbound.outlets) for number in range(count)]
    for outlet in outlets:
        outlet.put((b"message",), 7)
    return outlets


def test_few_are_served_at_once() -> None:
    outbound = Outbound()
    outlets = some(outbound, OUTLETS_TOGETHER)
    assert outbound.begin() == outlets
    outbound.look()
    assert not outbound.is_unfinished


def test_many_are_served_one_after_the_other_each_once() -> None:
    outbound = Outbound()
    outlets = some(outbound, 2 * OUTLETS_AT_ONCE + 1)
    assert outbound.begin() == []
    outbound.look()
    served: list[Outlet] = []
    steps = 0
    while outbound.is_unfinished:
        now = outbound.go_on()
        assert len(now) <= OUTLETS_AT_ONCE
        served += now
        steps += 1
        outbound.look()
    assert (served, steps) == (outlets, 3)


def test_one_that_comes_meanwhile_is_last() -> None:
    outbound = Outbound()
    outlets = some(outbound, OUTLETS_AT_ONCE + 1)
    outbound.begin()
    outbound.look()
    late = some(outbound, 1)
    assert [*outbound.go_on(), *outbound.go_on()] == outlets + late


def a_hub(clients: int) -> tuple[Network, Node]:
    """A node with so many peers that know nothing yet but End-of-RIB."""
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    others = [network.node(f"10.1.{number >> 8}.{number & 255}", asn=64512) for number in range(clients)]
    join([(hub, one) for one in others], {})
    network.run_for(10)
    return network, hub


def test_a_route_reaches_each_of_many_peers_and_no_step_serves_more_than_some() -> None:
    clients = 2 * OUTLETS_AT_ONCE + 1
    network, hub = a_hub(clients)
    hub.originate("192.0.2.0/24")
    hub.sent.clear()
    steps: list[int] = []
    while hub.speaker.next_deadline() == 0:
        before = len(hub.sent)
        network.turn(hub)
        steps.append(len(hub.sent) - before)
        if hub.speaker.is_handing_out:
            # What comes meanwhile is told in the next turn, in the same order to all.
            hub.originate("198.51.100.0/24")
    assert max(steps) <= OUTLETS_AT_ONCE
    by_connection: dict[int, list[SendBytes]] = {}
    for sent in hub.sent:
        by_connection.setdefault(sent.connection, []).append(sent)
    assert len(by_connection) == clients
    assert len({tuple(b"".join(one.chunks) for one in sent) for sent in by_connection.values()}) == 1
    network.settle()
    told = {"192.0.2.0/24", "198.51.100.0/24"}
    assert all(set(node.rib_in(hub)) == told for node in network.nodes.values() if node is not hub)
