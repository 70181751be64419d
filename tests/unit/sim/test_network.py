"""What can happen to a simulated connection, between two hosts that write down what they hear."""

from collections.abc import Callable

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, TransportOptions
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
    TransportInput,
)
from felixbgp.net import Address
from felixbgp.sim.clock import Clock
from felixbgp.sim.links import Trouble
from felixbgp.sim.network import Host, Network
from felixbgp.sim.randomness import Randomness

MS = 1_000_000
TIMEOUT_NS = 5_000 * MS
SERVER = Address.parse("10.0.0.2")
TEXT = bytes(range(200))


class Pair:
    """A client that dials and a server that listens, 1 ms apart."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, MS, Randomness(1))
        self.heard: dict[str, list[TransportInput]] = {"client": [], "server": []}
        self.client = self.host("client", "10.0.0.1")
        self.server = self.host("server", "10.0.0.2")
        self.server.listening = frozenset({Endpoint(SERVER, 179)})
        self.dialled = 0

    def host(self, name: str, address: str) -> Host:
        host = Host(name, (Address.parse(address),), self.heard[name].append)
        self.network.attach(host)
        return host

    def run(self, ms: int = 20_000) -> None:
        end = self.clock.now + ms * MS
        while (upcoming := self.clock.next_time()) is not None and upcoming <= end:
            self.clock.step()
        self.clock.now = end

    def dial(self) -> None:
        self.dialled += 1
        options = TransportOptions()
        self.network.perform(self.client, Connect(self.dialled, Endpoint(SERVER, 179), options, TIMEOUT_NS))

    def connect(self) -> None:
        self.dial()
        self.run(10)
        self.clear()

    def send(self, host: Host, connection: int, data: bytes = TEXT) -> None:
        self.network.perform(host, SendBytes(connection, (data,)))

    def close(self, host: Host, connection: int) -> None:
        self.network.perform(host, CloseConnection(connection))

    def clear(self) -> None:
        for heard in self.heard.values():
            heard.clear()

    def octets(self, name: str) -> bytes:
        return b"".join(one.data for one in self.heard[name] if isinstance(one, BytesReceived))

    def kinds(self, name: str) -> list[type[TransportInput]]:
        return [type(one) for one in self.heard[name]]


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_a_connection_carries_octets_both_ways_and_ends(pair: Pair) -> None:
    pair.dial()
    pair.run(10)
    assert pair.kinds("server") == [TcpAccepted]
    assert pair.kinds("client") == [TcpConnected]
    pair.clear()
    pair.send(pair.client, 1)
    pair.send(pair.server, -1, b"answer")
    pair.close(pair.client, 1)
    pair.run(10)
    assert pair.heard["server"] == [
        BytesWritten(-1, 6),
        BytesReceived(-1, TEXT),
        TcpClosed(-1, ""),
    ]
    assert pair.octets("client") == b""  # it had closed before the answer came


def test_what_is_sent_over_a_cut_link_arrives_in_order_after_it_is_mended(pair: Pair) -> None:
    pair.connect()
    pair.network.cut("client", "server")
    pair.network.cut("server", "client")
    pair.send(pair.client, 1, b"one")
    pair.send(pair.client, 1, b"two")
    pair.close(pair.client, 1)
    pair.run()
    pair.network.mend("client", "server")
    pair.run()
    assert pair.heard["server"] == []  # one of the two cuts is left
    pair.network.mend("client", "server")
    pair.run()
    assert pair.octets("server") == b"onetwo"
    assert pair.heard["server"][-1] == TcpClosed(-1, "")


def test_who_dials_over_a_cut_link_waits_for_its_timeout(pair: Pair) -> None:
    pair.network.cut("client", "server")
    pair.dial()
    pair.run()
    assert pair.heard["client"] == [TcpConnectFailed(1, "timed out", Cause.TIMED_OUT)]


def test_who_dials_over_a_link_that_is_mended_in_time_gets_through(pair: Pair) -> None:
    pair.network.cut("client", "server")
    pair.dial()
    pair.run(1000)
    pair.network.mend("client", "server")
    pair.run()
    assert pair.kinds("client") == [TcpConnected]


@pytest.mark.parametrize(
    ("trouble", "reason", "cause"),
    [
        (Trouble.REFUSING, "Connection refused", Cause.REFUSED),
        (Trouble.UNREACHABLE, "No route to host", Cause.UNREACHABLE),
    ],
)
def test_who_dials_is_told_at_once(pair: Pair, trouble: Trouble, reason: str, cause: Cause) -> None:
    pair.connect()
    pair.network.links.begin(trouble, "client", "server")
    pair.dial()
    pair.run(10)
    assert pair.heard["client"] == [TcpConnectFailed(2, reason, cause)]
    pair.send(pair.client, 1)
    pair.run(10)
    assert pair.octets("server") == TEXT
    pair.network.links.end(trouble, "client", "server")
    pair.clear()
    pair.dial()
    pair.run(10)
    assert pair.kinds("client") == [TcpConnected]


def test_over_a_clogged_link_nothing_is_written_before_it_is_free(pair: Pair) -> None:
    pair.connect()
    pair.network.clog("client", "server")
    pair.send(pair.client, 1)
    pair.close(pair.client, 1)
    pair.run()
    assert pair.heard == {"client": [], "server": []}
    pair.network.unclog("client", "server")
    pair.run()
    assert pair.octets("server") == TEXT
    assert pair.heard["server"][-1] == TcpClosed(-1, "")


def test_a_chopped_link_cuts_anywhere_and_loses_nothing(pair: Pair) -> None:
    pair.connect()
    pair.network.links.begin(Trouble.CHOPPED, "client", "server")
    sizes = set()
    for _ in range(20):
        pair.clear()
        pair.send(pair.client, 1)
        pair.run()
        assert pair.octets("server") == TEXT
        sizes.add(len(pair.heard["server"]))
    assert len(sizes) > 5


def test_a_reset_is_told_to_both_ends(pair: Pair) -> None:
    pair.connect()
    pair.network.reset("server", "client")
    assert pair.kinds("client") == pair.kinds("server") == [TcpClosed]
    pair.send(pair.client, 1)
    pair.run()
    assert pair.octets("server") == b""


def test_who_has_a_half_open_connection_hears_of_it_when_it_sends(pair: Pair) -> None:
    pair.connect()
    pair.network.forget("server", "client")
    pair.run()
    assert pair.kinds("server") == [TcpClosed]
    assert pair.heard["client"] == []
    pair.send(pair.client, 1)
    pair.run()
    assert pair.kinds("client") == [BytesWritten, TcpClosed]


def test_a_host_without_power_answers_nothing_and_resets_what_it_does_not_know_when_it_is_back(
    pair: Pair,
) -> None:
    pair.connect()
    pair.network.vanish(pair.server)
    pair.send(pair.client, 1)
    pair.run()
    assert pair.kinds("client") == [BytesWritten]
    pair.dial()
    pair.run()
    assert pair.heard["client"][-1] == TcpConnectFailed(2, "timed out", Cause.TIMED_OUT)
    pair.server = pair.host("server", "10.0.0.2")
    pair.send(pair.client, 1)
    pair.run()
    assert pair.kinds("client")[-1] is TcpClosed


def test_a_process_that_ends_closes_its_connections(pair: Pair) -> None:
    pair.connect()
    pair.network.detach(pair.server)
    pair.run()
    assert pair.heard["client"] == [TcpClosed(1, "")]
    pair.dial()
    pair.run()
    assert pair.heard["client"][-1] == TcpConnectFailed(2, "Connection refused", Cause.REFUSED)


@pytest.mark.parametrize("end", [Pair.close, lambda pair, host, _: pair.network.detach(host)])
def test_a_dial_that_is_given_up_meanwhile_leaves_nothing_behind(
    pair: Pair, end: Callable[[Pair, Host, int], None]
) -> None:
    pair.dial()
    pair.run(1)
    end(pair, pair.client, 1)
    pair.run()
    assert pair.heard["client"] == []
    assert pair.kinds("server") == [TcpAccepted, TcpClosed]


def test_each_link_has_a_delay_of_its_own_within_the_bounds() -> None:
    links = Network(Clock(), MS, Randomness(1)).links
    links.set_delays(10, 1000)
    names = [f"host-{number}" for number in range(20)]
    delays = [links.delay(one, other) for one in names for other in names if one < other]
    assert all(10 <= delay <= 1000 for delay in delays)
    assert len(set(delays)) > 100
    assert links.delay("host-1", "host-2") == links.delay("host-2", "host-1")
