"""What of resources has no effect, told before anybody stores them, as agents would tell it afterwards."""

import pytest

from felixbgp.intent.without_effect import overruled, unused_fields, why_without_effect
from felixbgp.resources import BgpConfiguration, BgpPeer
from tests.support.documents import accepted

NO_PEER = "spec: names no peer: it has neither peerIP nor peerSelector"


def peer(name: str, **spec: object) -> BgpPeer:
    found = accepted("BGPPeer", spec, name)
    assert isinstance(found, BgpPeer)
    return found


@pytest.mark.parametrize(
    ("kind", "name", "spec", "reason"),
    [
        ("BGPPeer", "p", {}, NO_PEER),
        ("BGPPeer", "p", {"node": "n", "filters": ["f"]}, NO_PEER),
        ("BGPPeer", "p", {"peerSelector": "all()"}, ""),
        ("BGPPeer", "p", {"localWorkloadSelector": "all()", "asNumber": 1}, ""),
        ("BGPPeer", "p", {"peerIP": "10.0.0.1", "asNumber": 1}, ""),
        ("BGPConfiguration", "mine", {}, "is ignored: only the names default and node.<name> mean something"),
        ("BGPConfiguration", "default", {}, ""),
        ("BGPConfiguration", "node.n", {}, ""),
        ("Node", "n", {}, ""),
    ],
)
def test_what_no_agent_does_anything_by(kind: str, name: str, spec: object, reason: str) -> None:
    found = why_without_effect(accepted(kind, spec, name))
    assert str(found or "") == reason


@pytest.mark.parametrize(("name", "fields"), [("default", []), ("node.n", ["spec.bindMode"]), ("mine", [])])
def test_fields_without_effect(name: str, fields: list[str]) -> None:
    """Of one that is ignored as a whole that is said, and no more."""
    found = accepted("BGPConfiguration", {"bindMode": "NodeIP"}, name)
    assert isinstance(found, BgpConfiguration)
    assert [error.field for error in unused_fields(found)] == fields


def test_of_two_peers_at_one_address_the_one_for_every_node_comes_first_then_the_name() -> None:
    at = {"peerIP": "10.0.0.1", "asNumber": 1}
    peers = [
        peer("a", **at, node="n"),
        peer("c", **at),
        peer("b", **at | {"peerIP": "10.0.0.1:179"}),
        peer("selected", **at, nodeSelector="all()"),
        peer("port", **at | {"peerIP": "10.0.0.1:180"}),
        peer("nobody"),
    ]
    reason = "spec.peerIP: 10.0.0.1 is already a peer by BGPPeer b, which comes first"
    assert {name: str(error) for name, error in overruled(peers).items()} == {"a": reason, "c": reason}
    of_nodes = [peer("a", **at, node="n"), peer("b", **at, node="m"), peer("c", **at, node="n")]
    assert list(overruled(of_nodes)) == ["c"]
