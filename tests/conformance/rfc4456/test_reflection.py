"""RFC 4456: what a reflector tells its clients and the others, seen by peers played by hand."""

from typing import Any

import pytest

from felixbgp.bgp.wire.messages import PathAttributes, UnknownAttribute
from felixbgp.net import Address
from tests.support.paths import OUR_AS, as_set, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

BLOCK = "10.1.0.0/26"
IDENTIFIER, CLUSTER = bytes(Address.parse("10.0.0.1")), bytes(Address.parse("9.9.9.9"))


class Scene:
    """A reflector with two clients, two internal peers that are none, and an external one."""

    def __init__(self, *, cluster_id: str | None = "9.9.9.9") -> None:
        self.network = Network()
        self.node: Node = self.network.node("10.0.0.1", asn=OUR_AS, cluster_id=cluster_id)
        self.client, self.other_client = (
            self._peer(number, route_reflector_client=True) for number in (2, 3)
        )
        self.plain, self.other_plain = (self._peer(number) for number in (4, 5))
        self.external = Played(self.node, "10.0.0.6", asn=65001).establish()

    def _peer(self, number: int, **parameters: object) -> Played:
        peer = Played(self.node, f"10.0.0.{number}", **parameters)  # type: ignore[arg-type]
        return peer.establish()

    def told(self) -> set[str]:
        """Who was told of the prefix."""
        return {name for name, peer in vars(self).items() if isinstance(peer, Played) and peer.routes()}


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        pytest.param("plain", {"client", "other_client", "external"}, id="from a non-client to the clients"),
        pytest.param(
            "client",
            {"other_client", "plain", "other_plain", "external"},
            id="from a client to all others, clients or not",
        ),
        pytest.param(
            "external", {"client", "other_client", "plain", "other_plain"}, id="from outside to everybody"
        ),
    ],
)
def test_6_who_is_told_depends_on_where_a_route_came_from(scene: Scene, source: str, told: set[str]) -> None:
    getattr(scene, source).announce(BLOCK)
    assert scene.told() == told
    getattr(scene, source).withdraw(BLOCK)
    assert scene.told() == set()


@pytest.mark.parametrize(
    ("cluster_id", "ours"), [("9.9.9.9", CLUSTER), (None, IDENTIFIER)], ids=["configured", "our identifier"]
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((), (), id="empty: created"),
        pytest.param((b"\1\1\1\1",), (b"\1\1\1\1",), id="one"),
        pytest.param((b"\1\1\1\1", b"\2\2\2\2"), (b"\1\1\1\1", b"\2\2\2\2"), id="two"),
    ],
)
def test_8_the_cluster_list_gets_our_cluster_in_front(
    cluster_id: str | None, ours: bytes, before: tuple[bytes, ...], after: tuple[bytes, ...]
) -> None:
    scene = Scene(cluster_id=cluster_id)
    scene.plain.announce(BLOCK, cluster_list=before, originator_id=b"\3\3\3\3" if before else None)
    assert scene.client.routes()[BLOCK].cluster_list == (ours, *after)


def test_8_the_originator_is_named_by_its_identifier_once(scene: Scene) -> None:
    scene.client.announce(BLOCK)
    assert scene.plain.routes()[BLOCK].originator_id == bytes(scene.client.address)
    scene.client.announce(BLOCK, originator_id=b"\3\3\3\3", cluster_list=(b"\1\1\1\1",))
    assert scene.plain.routes()[BLOCK].originator_id == b"\3\3\3\3"


def test_8_what_is_not_reflected_names_neither(scene: Scene) -> None:
    scene.external.announce(BLOCK)
    known = scene.client.routes()[BLOCK]
    assert (known.originator_id, known.cluster_list) == (None, ())


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"originator_id": IDENTIFIER}, id="we are the originator"),
        pytest.param({"cluster_list": (b"\1\1\1\1", CLUSTER)}, id="our cluster was passed"),
    ],
)
def test_8_a_route_that_has_been_here_is_ignored(scene: Scene, attributes: dict[str, Any]) -> None:
    scene.plain.announce(BLOCK, **attributes)
    assert (scene.node.routes(), scene.told()) == ({}, set())
    scene.plain.announce(BLOCK)
    assert scene.node.routes() == {BLOCK: "10.0.0.4"}


def test_10_the_other_attributes_are_reflected_as_they_came(scene: Scene) -> None:
    sent = PathAttributes(
        origin=2,
        as_path=(*sequence(65009, 70000), as_set(7)),
        next_hop=b"\x0a\0\0\x58",
        med=5,
        local_pref=300,
        atomic_aggregate=True,
        aggregator=(70000, b"\x0a\0\0\x09"),
        communities=(1, 2),
        extended_communities=(b"\0\2\0\0\0\0\0\1",),
        large_communities=((1, 2, 3),),
        unknown=(UnknownAttribute(0xE0, 99, b"!"),),
    )
    fields = [
        *("origin", "as_path", "next_hop", "med", "local_pref", "atomic_aggregate", "aggregator"),
        *("communities", "extended_communities", "large_communities", "unknown"),
    ]
    scene.client.announce(BLOCK, **{name: getattr(sent, name) for name in fields})
    for peer in (scene.other_client, scene.plain):
        known = peer.routes()[BLOCK]
        assert {name: getattr(known, name) for name in fields} == {
            name: getattr(sent, name) for name in fields
        }
