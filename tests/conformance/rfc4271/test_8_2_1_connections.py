"""RFC 4271 §8.2.1: a state machine per peer and per connection, at port 179."""

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import Connect
from felixbgp.bgp.inputs import Endpoint
from felixbgp.bgp.wire.messages import MessageType
from tests.support.paths import OUR_AS
from tests.support.played import KEEPALIVE, Played
from tests.support.speakers import Network, peer_config


def test_every_peer_has_a_state_machine_of_its_own() -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    first, second = Played(node, "10.0.0.2"), Played(node, "10.0.0.3", asn=65001)
    first.establish()
    second.connect()
    second.say_open()
    assert (first.state, second.state) == ("Established", "OpenConfirm")
    first.say(bytes(19))
    assert (first.state, second.state) == ("Active", "OpenConfirm")
    second.say(KEEPALIVE)
    assert (first.state, second.state) == ("Active", "Established")


def test_every_incoming_connection_is_answered_by_a_state_machine_of_its_own() -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    peer = Played(node, "10.0.0.2", passive=False)
    peer.connect()
    assert peer.kinds() == [MessageType.OPEN]
    first = peer.connection
    peer.connect()
    assert peer.connection != first
    assert peer.kinds() == [MessageType.OPEN]
    assert peer.establish().state == "Established"


def test_a_peer_is_dialled_at_port_179_unless_told_otherwise() -> None:
    network = Network()
    node, other = network.node("10.0.0.1", asn=OUR_AS), network.node("10.0.0.2", asn=OUR_AS)
    node.configure(
        peer_config(node, other),
        peer_config(node, other, peer=PeerId(other.address, 1179), name="elsewhere"),
    )
    dialled = [effect.remote for effect in node.drain() if isinstance(effect, Connect)]
    assert dialled == [Endpoint(other.address, 179), Endpoint(other.address, 1179)]
