"""Inputs of many connections are worked off in parts, and timers wait for no more than they must."""

from felixbgp.bgp.backlog import INPUT_COST, OCTETS_PER_COST, STEP_COST, Backlog
from felixbgp.bgp.deadlines import DUE_AT_ONCE
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, TcpClosed
from felixbgp.bgp.wire.codec import encode_keepalive
from tests.support.speakers import SECOND, Network, Node, join

AT_ONCE = STEP_COST // INPUT_COST
HOLD_TIME_S = 9


def closed(number: int) -> TcpClosed:
    return TcpClosed(number, "")


def filled(count: int, at: int = 1) -> Backlog:
    backlog = Backlog()
    for number in range(count):
        backlog.put(closed(number), at)
    return backlog


def test_a_step_takes_some_and_the_next_ones_the_rest_in_order() -> None:
    backlog = filled(AT_ONCE + 1)
    first = backlog.take()
    assert len(first) == AT_ONCE
    assert [*first, *backlog.take()] == [(closed(number), 1) for number in range(AT_ONCE + 1)]
    assert (backlog.take(), backlog.cost) == ([], 0)


def test_many_octets_cost_more_than_few_and_those_written_least() -> None:
    backlog = Backlog()
    for _ in range(STEP_COST):
        backlog.put(BytesReceived(1, bytes(OCTETS_PER_COST * STEP_COST)), 1)
        backlog.put(BytesWritten(1, 1), 1)
    assert len(backlog.take()) == 1
    assert len(backlog.take()) == 2
    backlog = Backlog()
    for _ in range(STEP_COST):
        backlog.put(BytesWritten(1, 1), 1)
    assert len(backlog.take()) == STEP_COST


def test_timers_have_their_turn_when_what_was_here_before_is_done() -> None:
    backlog = filled(AT_ONCE, at=5)
    backlog.take()
    assert backlog.timers_until(9) == 9
    backlog = filled(2 * AT_ONCE, at=5)
    backlog.take()
    assert backlog.timers_until(6) == 5  # Whatever came at 5 or later beats a timer of 6.
    for number in range(3 * AT_ONCE):
        backlog.put(closed(number), 7)
    backlog.take()
    assert backlog.timers_until(8) == 7
    backlog.take()
    assert backlog.timers_until(8) is None


def test_inputs_without_end_do_not_keep_timers_from_their_turn() -> None:
    backlog = filled(2 * AT_ONCE, at=0)
    turns = []
    for now in range(1, 100):
        for number in range(AT_ONCE):
            backlog.put(closed(number), now)
        backlog.take()
        if (until := backlog.timers_until(now)) is not None:
            turns.append(until)
    assert len(turns) > 20
    assert turns[-1] > 90


def a_hub(clients: int) -> tuple[Network, Node, list[Node]]:
    network = Network()
    hub = network.node("10.0.0.1", asn=64512)
    others = [network.node(f"10.1.{number >> 8}.{number & 255}", asn=64512) for number in range(clients)]
    pairs = [(hub, one) for one in others]
    join(pairs, {pair: {"hold_time_s": HOLD_TIME_S} for pair in pairs})
    network.run_for(5)
    return network, hub, others


def test_a_keepalive_that_waits_for_its_turn_beats_the_hold_timer() -> None:
    clients = 3 * AT_ONCE
    network, hub, _ = a_hub(clients)
    connections = list(hub.pipes)
    assert len(connections) == clients
    network.now += (HOLD_TIME_S - 1) * SECOND
    for connection in connections:
        hub.speaker.feed(BytesReceived(connection, encode_keepalive()), network.now)
    network.now += 2 * SECOND
    steps = 0
    while hub.speaker.backlog:
        hub.speaker.control(network.now)
        steps += 1
    assert steps == clients // AT_ONCE
    assert {peer.state for peer in hub.speaker.peers()} == {"Established"}


def test_no_step_expires_more_than_some_timers() -> None:
    clients = 2 * DUE_AT_ONCE
    network, hub, others = a_hub(clients)
    for one in others:
        network.silence(one)
    network.now += 2 * HOLD_TIME_S * SECOND
    lost = []
    while (deadline := hub.speaker.next_deadline()) is not None and deadline <= network.now:
        hub.drain()
        lost.append(sum(peer.state != "Established" for peer in hub.speaker.peers()))
    assert lost[-1] == clients
    assert max(after - before for before, after in zip((0, *lost), lost, strict=False)) <= DUE_AT_ONCE


def test_what_peers_are_to_be_told_yet_is_counted_and_no_more_than_they_can_be_told() -> None:
    """Who feeds a speaker holds back by it; a peer that takes nothing must hold back nobody."""
    network, hub, (other,) = a_hub(1)
    speaker = hub.speaker

    def to_tell() -> tuple[bool, int]:
        return speaker.has_more_to_tell(), speaker.untold_count()

    def decide(*prefixes: str) -> None:
        hub.originate(*prefixes)
        speaker.decide(network.now, 10)
        assert speaker.withdrawals(network.now, 10) == []

    network.run_for(10)
    assert to_tell() == (False, 0)
    decide("192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32")
    assert to_tell() == (True, 3)
    network.settle()
    assert to_tell() == (False, 0)
    network.stall(other)
    decide("192.0.2.4/32")
    assert to_tell() == (False, 0)
    network.resume(other)
    assert to_tell() == (False, 0)
    network.settle()
    assert set(other.rib_in(hub)) == {f"192.0.2.{number}/32" for number in range(1, 5)}
