"""RFC 4271 §9: what UPDATEs of peers played by hand do to the tables, and to what others are told."""

import pytest

from tests.support.paths import OUR_AS, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

BLOCK, WIDER, DEFAULT = "10.1.0.0/26", "10.1.0.0/16", "0.0.0.0/0"


class Scene:
    """Our speaker, two external peers that bring routes, one that listens, and an internal one."""

    def __init__(self) -> None:
        self.network = Network()
        self.node: Node = self.network.node("10.0.0.1", asn=OUR_AS)
        self.one = Played(self.node, "10.0.0.2", asn=65001).establish()
        self.two = Played(self.node, "10.0.0.3", asn=65002).establish()
        self.external = Played(self.node, "10.0.0.4", asn=65003).establish()
        self.internal = Played(self.node, "10.0.0.5").establish()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_9_a_new_route_is_stored_used_and_told(scene: Scene) -> None:
    scene.one.announce(BLOCK)
    assert list(scene.one.adj_rib_in()) == [BLOCK]
    assert scene.node.routes() == {BLOCK: "10.0.0.2"}
    assert list(scene.external.routes()) == [BLOCK]


def test_9_a_route_to_the_same_prefix_replaces_the_older_one_of_its_peer_alone(scene: Scene) -> None:
    scene.one.announce(BLOCK, med=1)
    scene.two.announce(BLOCK, as_path=sequence(65002, 7))
    scene.one.announce(BLOCK, med=2, as_path=sequence(65001, 7, 8))
    assert [known.med for known in scene.one.adj_rib_in().values()] == [2]
    assert [known.as_path for known in scene.two.adj_rib_in().values()] == [sequence(65002, 7)]
    assert scene.node.routes() == {BLOCK: "10.0.0.3"}


def test_9_a_withdrawn_route_leaves_and_the_next_best_takes_its_place(scene: Scene) -> None:
    scene.one.announce(BLOCK)
    scene.two.announce(BLOCK, as_path=sequence(65002, 7))
    assert scene.node.routes() == {BLOCK: "10.0.0.2"}
    scene.one.withdraw(BLOCK)
    assert scene.one.adj_rib_in() == {}
    assert scene.node.routes() == {BLOCK: "10.0.0.3"}
    assert scene.external.routes()[BLOCK].as_path == sequence(OUR_AS, 65002, 7)
    scene.two.withdraw(BLOCK)
    assert scene.node.routes() == {}
    assert scene.external.routes() == scene.internal.routes() == {}


def test_9_1_the_degree_of_preference_does_not_look_at_other_routes(scene: Scene) -> None:
    scene.one.announce(BLOCK)
    alone = scene.internal.routes()[BLOCK]
    scene.two.announce(BLOCK, as_path=sequence(65002, 7))
    scene.internal.announce(BLOCK, local_pref=99)
    scene.two.announce(WIDER, DEFAULT)
    assert scene.internal.routes()[BLOCK] == alone
    assert alone.local_pref == 100


def test_9_1_2_a_selected_route_replaces_the_one_before_it(scene: Scene) -> None:
    scene.one.announce(BLOCK, as_path=sequence(65001, 7))
    assert scene.node.routes() == {BLOCK: "10.0.0.2"}
    scene.two.announce(BLOCK)
    assert scene.node.routes() == {BLOCK: "10.0.0.3"}


def test_9_1_4_of_overlapping_routes_both_are_used_and_told(scene: Scene) -> None:
    scene.one.announce(WIDER)
    scene.two.announce(BLOCK, as_path=sequence(65002, 7, 8, 9))
    assert scene.node.routes() == {WIDER: "10.0.0.2", BLOCK: "10.0.0.3"}
    assert set(scene.external.routes()) == {WIDER, BLOCK}
    scene.two.withdraw(BLOCK)
    assert scene.node.routes() == {WIDER: "10.0.0.2"}


def test_9_2_routes_of_an_internal_peer_go_to_external_ones_alone(scene: Scene) -> None:
    other = Played(scene.node, "10.0.0.6").establish()
    scene.internal.announce(BLOCK)
    assert list(scene.external.routes()) == [BLOCK]
    assert other.routes() == {}


def test_9_2_what_is_reachable_in_our_own_as_is_told_as_it_changes(scene: Scene) -> None:
    scene.node.originate(BLOCK)
    scene.network.settle()
    assert list(scene.external.routes()) == list(scene.internal.routes()) == [BLOCK]
    scene.node.withdraw(BLOCK)
    scene.network.settle()
    assert scene.external.routes() == scene.internal.routes() == {}


def test_9_2_the_same_route_again_is_not_told_again(scene: Scene) -> None:
    scene.one.announce(BLOCK)
    scene.external.forget()
    scene.one.announce(BLOCK)
    assert scene.external.heard() == []
