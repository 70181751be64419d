"""One peer sends malformed UPDATEs, two hundred a second, while ten others bring 10,000 routes each.

Here a drain takes a tenth of a second, whatever is in it, so that what is late shows. The flood begins while
the routes of the others are still coming in.
"""

import json
from itertools import cycle, islice, pairwise

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import CloseConnection, SendBytes, TransportEffect
from felixbgp.bgp.facts import NotificationSent, SessionStateChanged, UpdateMalformed
from felixbgp.bgp.inputs import BytesReceived, Endpoint, TcpAccepted
from felixbgp.bgp.session.backoff import jittered
from felixbgp.bgp.session.peer import ACCEPTED_MAX, ACCEPTED_WINDOW_NS
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.errors import ErrorCode
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.cluster.parts import whole
from felixbgp.net import IPV4, Address
from felixbgp.status.document import encode
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, RouteCounts, build
from tests.support.malformed import AS_PATH, DISCARD, NEXT_HOP, ORIGIN, RESET, WITHDRAW, an_update
from tests.support.speakers import OWN, SECOND, Network, Node, half, peer_config

DRAIN = SECOND // 10
SECONDS = 25
UPDATES_PER_DRAIN = 20
ROUTES = tuple(b"\x20\x0a\x01" + number.to_bytes(2, "big") for number in range(10_000))
HOLD = {"hold_time_s": 6}
KEEPALIVE_NS = jittered(2 * SECOND, half)
"""A third of it."""
VANDAL = Address.parse("192.0.2.99")
VANDAL_AS = 64999
VANDAL_CONNECTIONS = -1_000_000
"""Its connections have this number and those below."""


class Vandal:
    """An external peer that dials whenever it may, and reads nothing but how it is turned away."""

    def __init__(self, network: Network, node: Node) -> None:
        self.network = network
        self.node = node
        self.number = VANDAL_CONNECTIONS
        self.connected = False
        self.dials = 0
        self.opened = encode_open(
            make_open(local_as=VANDAL_AS, hold_time_s=90, bgp_identifier=VANDAL, families=(IPV4,))
        )

    def say(self, octets: bytes) -> None:
        self.node.speaker.feed(BytesReceived(self.number, octets), self.network.now)

    def see(self, effect: TransportEffect) -> None:
        if isinstance(effect, CloseConnection) and effect.connection == self.number:
            self.connected = False

    def dial(self) -> None:
        self.number -= 1
        self.dials += 1
        self.connected = True
        here, there = Endpoint(self.node.address, 179), Endpoint(VANDAL, 50000)
        self.node.speaker.feed(TcpAccepted(self.number, here, there), self.network.now)
        self.say(self.opened + encode_keepalive())


class Siege:
    """A node, its ten peers and the vandal, from the first moment on."""

    def __init__(self) -> None:
        self.network = network = Network()
        self.node = network.node("192.0.2.1", asn=64512)
        self.others = [network.node(f"192.0.2.{10 + number}", asn=64512) for number in range(10)]
        self.vandal = Vandal(network, self.node)
        self.spoken: dict[PeerId, list[int]] = {}
        """When the node sent anything to a peer."""
        vandal = network.node(str(VANDAL), asn=VANDAL_AS)
        del network.nodes[VANDAL]
        to_others = [peer_config(self.node, other, **HOLD) for other in self.others]
        self.node.configure(*to_others, peer_config(self.node, vandal, passive=True))
        for other in self.others:
            other.configure(peer_config(other, self.node, **HOLD))
            for nlri in ROUTES:
                other.speaker.originate(IPV4, nlri, OWN)

    def drain(self) -> None:
        """Every node has one drain, which takes its time."""
        self.network.now += DRAIN
        for effect in self.node.drain():
            if effect.connection <= VANDAL_CONNECTIONS:
                self.vandal.see(effect)
            else:
                self.note(effect)
                self.network._carry_out(self.node, effect)
        for other in self.others:
            self.network.turn(other)

    def note(self, effect: TransportEffect) -> None:
        pipe = self.node.pipes.get(effect.connection)
        if isinstance(effect, SendBytes) and pipe is not None:
            self.spoken.setdefault(PeerId(pipe.other.address), []).append(self.network.now)

    def seen(self) -> PeerSnapshot:
        """How the node sees the vandal."""
        return next(one for one in self.node.speaker.peers() if one.peer.address == VANDAL)

    def counted(self) -> dict[str, int]:
        """What the node's status document says of the vandal's UPDATEs."""
        status = whole(
            build(
                node="node",
                version="",
                intent=None,
                peers=self.node.speaker.peers(),
                routes=RouteCounts(),
                invalid={},
                ignored={},
                route_problems={},
                listen_problems={},
                next_hop_problems={},
                datastore=DatastoreState(DatastoreCondition.IN_SYNC, 0),
                now=self.network.now,
            )
        )
        peers = json.loads(encode(status, 0))["peers"]
        (found,) = [one for one in peers if one["address"] == str(VANDAL)]
        assert isinstance(found["malformedUpdates"], dict)
        return found["malformedUpdates"]

    def check(self) -> None:
        """The ten have noticed nothing."""
        for other in self.others:
            seen = self.node.peer(other)
            assert (seen.state, seen.prefixes_received, seen.prefixes_accepted) == (
                "Established",
                10_000,
                10_000,
            )
            assert seen.established_count == other.peer(self.node).established_count == 1
            assert seen.malformed_updates == ()
            moments = self.spoken[seen.peer]
            assert self.network.now - moments[-1] <= KEEPALIVE_NS + DRAIN
            assert max(b - a for a, b in pairwise(moments)) <= KEEPALIVE_NS + DRAIN
        assert set(ROUTES) <= {prefix.nlri for prefix in self.node.loc_rib}
        assert self.node.speaker.statistics().updates_waiting == 0
        for node in (self.node, *self.others):
            states = [fact for fact in node.facts if isinstance(fact, SessionStateChanged)]
            ends = [one for one in states if one.old == "Established" and one.name != str(VANDAL)]
            assert ends == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("verdict", "messages", "left"),
    [
        pytest.param("treat-as-withdraw", WITHDRAW, 0, id="treat as withdraw"),
        pytest.param("attribute discard", DISCARD, 1, id="attribute discard"),
    ],
)
def test_a_flood_of_malformed_updates_is_counted_and_disturbs_nobody(
    verdict: str, messages: tuple[bytes, ...], left: int
) -> None:
    siege = Siege()
    siege.vandal.dial()
    siege.vandal.say(an_update(ORIGIN, AS_PATH, NEXT_HOP))
    bad = cycle(messages)
    for _ in range(SECONDS * 10):
        siege.vandal.say(b"".join(islice(bad, UPDATES_PER_DRAIN)))
        siege.drain()
    siege.check()
    seen = siege.seen()
    assert (seen.state, seen.established_count, seen.prefixes_received) == ("Established", 1, left)
    assert seen.updates_received == 1 + SECONDS * 10 * UPDATES_PER_DRAIN
    assert dict(seen.malformed_updates) == siege.counted() == {verdict: SECONDS * 10 * UPDATES_PER_DRAIN}


@pytest.mark.long
def test_a_flood_of_updates_that_reset_the_session_is_let_in_now_and_then_and_disturbs_nobody() -> None:
    """Each connection brings a route, and is ended at the first of twenty UPDATEs that cannot be read."""
    siege = Siege()
    for _ in range(SECONDS * 10):
        if not siege.vandal.connected:
            siege.vandal.dial()
            siege.vandal.say(an_update(ORIGIN, AS_PATH, NEXT_HOP))
        first = siege.vandal.dials % len(RESET)
        siege.vandal.say(b"".join(islice(cycle(RESET), first, first + UPDATES_PER_DRAIN)))
        siege.drain()
    siege.check()
    resets = [one for one in siege.node.facts if isinstance(one, UpdateMalformed)]
    answers = [one for one in siege.node.facts if isinstance(one, NotificationSent)]
    assert {one.verdict for one in resets} == {"session reset"}
    assert {one.code for one in answers} == {ErrorCode.UPDATE_MESSAGE}
    seen = siege.seen()
    # It dials in every drain, and is let in ten times in ten seconds.
    windows = -(-SECONDS * SECOND // ACCEPTED_WINDOW_NS)
    assert siege.vandal.dials > 100
    assert len(RESET) < len(resets) == len(answers) == seen.established_count <= windows * ACCEPTED_MAX
    assert len({one.reason for one in resets}) == len(RESET)
    assert dict(seen.malformed_updates) == siege.counted() == {"session reset": len(resets)}
    assert seen.prefixes_received == 0
    assert seen.last_error.startswith("sent NOTIFICATION UPDATE Message Error")
