"""RFC 7911: several paths per prefix, to and from peers played by hand."""

import pytest

from felixbgp.bgp.config import GracefulRestart
from felixbgp.bgp.wire.capabilities import CapabilityCode, add_path, graceful_restart
from felixbgp.bgp.wire.messages import Capability, MessageType
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.support.paths import OUR_AS, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

BLOCK, OTHER = "10.1.0.0/26", "10.2.0.0/26"
NLRI = Prefix.parse(BLOCK).nlri
RECEIVES, SENDS = add_path(((IPV4, True, False),)), add_path(((IPV4, False, True),))
BOTH = add_path(((IPV4, True, True),))


class Scene:
    """Our speaker, two external peers with one prefix, and one that wants to be told of all paths."""

    def __init__(self) -> None:
        self.network = Network()
        self.node: Node = self.network.node("10.0.0.1", asn=OUR_AS)
        self.one = Played(self.node, "10.0.0.2", asn=65001).establish()
        self.two = Played(self.node, "10.0.0.3", asn=65002, add_path_receive=True).establish(BOTH)
        self.far = Played(self.node, "10.0.0.4", add_path_send=True).establish(RECEIVES)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def next_hops(peer: Played) -> list[str]:
    return sorted(str(Address(known.next_hop)) for known in peer.paths().values())


def test_2_a_prefix_and_its_identifier_name_one_path_for_good(scene: Scene) -> None:
    scene.one.announce(BLOCK, OTHER)
    scene.two.announce(BLOCK, path_id=7)
    scene.two.announce(BLOCK, path_id=8, next_hop=b"\x0a\0\0\x58")
    assert next_hops(scene.far) == ["10.0.0.2", "10.0.0.2", "10.0.0.3", "10.0.0.88"]
    before = scene.far.paths()
    assert len({number for prefix, number in before if prefix == BLOCK}) == 3
    scene.one.announce(BLOCK, med=5)
    after = scene.far.paths()
    assert list(after) == list(before)
    assert [after[key].med for key in after if after[key] != before[key]] == [5]
    scene.two.withdraw(BLOCK, path_id=7)
    assert next_hops(scene.far) == ["10.0.0.2", "10.0.0.2", "10.0.0.88"]


@pytest.mark.parametrize("path_id", [0, 7, 0xFFFFFFFF])
def test_2_a_path_that_is_told_on_gets_an_identifier_of_our_own(scene: Scene, path_id: int) -> None:
    """Two peers that chose the same one are two paths all the same."""
    third = Played(scene.node, "10.0.0.5", asn=65003, add_path_receive=True).establish(BOTH)
    scene.two.announce(BLOCK, path_id=path_id)
    third.announce(BLOCK, path_id=path_id)
    assert next_hops(scene.far) == ["10.0.0.3", "10.0.0.5"]
    assert list(scene.two.adj_rib_in()) == list(third.adj_rib_in()) == [f"{BLOCK} path {path_id}"]


def test_3_every_prefix_has_four_octets_of_identifier_in_front(scene: Scene) -> None:
    scene.one.announce(BLOCK)
    (body,) = [body for kind, body in scene.far.heard() if kind is MessageType.UPDATE and len(body) > 4]
    (_, number) = next(iter(scene.far.paths()))
    assert body.endswith(number.to_bytes(4, "big") + NLRI)
    scene.far.forget()
    scene.one.withdraw(BLOCK)
    (body,) = [body for kind, body in scene.far.heard() if kind is MessageType.UPDATE]
    assert body == b"\0\x09" + number.to_bytes(4, "big") + NLRI + b"\0\0"


def test_4_all_families_are_in_one_capability() -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    families = (IPV4, IPV6)
    peer = Played(node, "10.0.0.2", families=families, add_path_receive=True, add_path_send=True)
    peer.establish(families=families)
    ours = [one for one in peer.their_open.capabilities if one.code == CapabilityCode.ADD_PATH]
    assert ours == [Capability(CapabilityCode.ADD_PATH, b"\0\1\1\3\0\2\1\3")]


@pytest.mark.parametrize(
    ("ours", "theirs", "several"),
    [
        pytest.param({"add_path_send": True}, RECEIVES, True, id="we send, the peer receives"),
        pytest.param({"add_path_send": True}, BOTH, True, id="we send, the peer does both"),
        pytest.param(
            {"add_path_send": True, "add_path_receive": True}, RECEIVES, True, id="both, the peer receives"
        ),
        pytest.param({"add_path_send": True}, SENDS, False, id="we send, the peer sends"),
        pytest.param({"add_path_receive": True}, RECEIVES, False, id="we receive, the peer receives"),
        pytest.param({}, RECEIVES, False, id="we have none"),
        pytest.param({"add_path_send": True}, None, False, id="the peer has none"),
        pytest.param(
            {"add_path_send": True}, add_path(((IPV6, True, True),)), False, id="the peer has another family"
        ),
        pytest.param(
            {"add_path_send": True},
            Capability(CapabilityCode.ADD_PATH, b"\0\1\1\4"),
            False,
            id="the peer's field means nothing",
        ),
    ],
)
def test_5_several_paths_are_sent_where_we_send_and_the_peer_receives(
    scene: Scene, ours: dict[str, bool], theirs: Capability | None, several: bool
) -> None:
    peer = Played(scene.node, "10.0.0.9", **ours)
    peer.establish(*([] if theirs is None else [theirs]))
    scene.one.announce(BLOCK)
    scene.two.announce(BLOCK, path_id=1)
    assert next_hops(peer) == (["10.0.0.2", "10.0.0.3"] if several else ["10.0.0.2"])
    assert all((number > 0) is several for _, number in peer.paths())
    scene.one.withdraw(BLOCK)
    assert next_hops(peer) == ["10.0.0.3"]


def test_4_what_was_kept_of_a_session_without_identifiers_is_none_of_one_with_them() -> None:
    """RFC 4724 §4.2 keeps routes, and these could be replaced by none: their keys are others."""
    node = Network().node("10.0.0.1", asn=OUR_AS)
    restart = graceful_restart(120, [(IPV4, True)], restarting=False, notification=True)
    peer = Played(node, "10.0.0.2", add_path_receive=True, graceful_restart=GracefulRestart())
    peer.establish(restart).announce(BLOCK)
    peer.end_of_rib()
    peer.hang_up()
    assert node.routes() == {BLOCK: "10.0.0.2"}
    peer.establish(restart, SENDS)
    assert node.routes() == {}
    peer.announce(BLOCK, path_id=1)
    peer.withdraw(BLOCK, path_id=1)
    assert node.routes() == {}


def test_5_updates_of_a_peer_that_sends_several_are_read_by_prefix_and_identifier(scene: Scene) -> None:
    scene.two.announce(BLOCK, path_id=1, as_path=sequence(65002, 7))
    scene.two.announce(BLOCK, path_id=2)
    scene.two.announce(BLOCK, path_id=1, as_path=sequence(65002, 8))
    known = scene.two.adj_rib_in()
    assert [one.as_path for one in known.values()] == [sequence(65002, 8), sequence(65002)]
    scene.two.withdraw(BLOCK, path_id=3)
    assert scene.two.adj_rib_in() == known
    scene.two.withdraw(BLOCK, path_id=2)
    assert list(scene.two.adj_rib_in()) == [f"{BLOCK} path 1"]
    assert scene.node.routes() == {BLOCK: "10.0.0.3"}
    assert scene.two.state == "Established"


def test_5_the_best_route_is_among_those_told(scene: Scene) -> None:
    scene.one.announce(BLOCK, as_path=sequence(65001, 7))
    scene.two.announce(BLOCK, path_id=1)
    assert scene.node.routes() == {BLOCK: "10.0.0.3"}
    assert "10.0.0.3" in next_hops(scene.far)
