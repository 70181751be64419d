"""RFC 4271 §5: which attributes go where, seen by peers played by hand."""

from itertools import permutations

import pytest

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.bgp.wire.attribute_encoding import encode_attribute, encode_attributes
from felixbgp.bgp.wire.attributes import decode_attributes
from felixbgp.bgp.wire.messages import MessageType, PathAttributes, UnknownAttribute
from felixbgp.net import Prefix
from tests.support.paths import OUR_AS, as_set, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

BLOCK, WIDER = "10.1.0.0/26", "10.1.0.0/16"
NLRI = Prefix.parse(BLOCK).nlri


class Scene:
    """Our speaker with an external peer that brings routes, another one, and an internal one."""

    def __init__(self) -> None:
        self.network = Network()
        self.node: Node = self.network.node("10.0.0.1", asn=OUR_AS)
        self.source = Played(self.node, "10.0.0.2", asn=65001).establish()
        self.external = Played(self.node, "10.0.0.3", asn=65002).establish()
        self.internal = Played(self.node, "10.0.0.4").establish()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def types_of(octets: bytes) -> set[int]:
    found = set()
    while octets:
        start = 4 if octets[0] & 0x10 else 3
        found.add(octets[1])
        octets = octets[start + int.from_bytes(octets[2:start], "big") :]
    return found


def types_heard(peer: Played) -> list[set[int]]:
    """The types of attributes in the UPDATEs that have NLRI."""
    bodies = [body for kind, body in peer.heard() if kind is MessageType.UPDATE and len(body) > 4]
    return [types_of(body[4 : 4 + int.from_bytes(body[2:4], "big")]) for body in bodies]


def test_5_mandatory_attributes_are_in_every_update_with_nlri(scene: Scene) -> None:
    scene.source.announce(BLOCK)
    scene.node.originate(WIDER)
    scene.network.settle()
    assert types_heard(scene.external) == [{1, 2, 3}, {1, 2, 3}]
    assert types_heard(scene.internal) == [{1, 2, 3, 5}, {1, 2, 3, 5}]


def test_5_well_known_attributes_are_passed_on_as_they_were_updated(scene: Scene) -> None:
    scene.source.announce(BLOCK, origin=1, as_path=sequence(65001, 7), atomic_aggregate=True)
    expected = PathAttributes(
        origin=1,
        as_path=sequence(OUR_AS, 65001, 7),
        next_hop=scene.node.address,
        atomic_aggregate=True,
    )
    assert scene.external.routes() == {BLOCK: expected}
    scene.source.announce(BLOCK, origin=2, as_path=sequence(65001, 8))
    updated = expected.replace(origin=2, as_path=sequence(OUR_AS, 65001, 8), atomic_aggregate=False)
    assert scene.external.routes() == {BLOCK: updated}


def test_5_unrecognised_attributes_go_on_as_partial_if_transitive_and_else_end_here(scene: Scene) -> None:
    base = encode_attributes(
        PathAttributes(next_hop=scene.source.address, as_path=sequence(65001)),
        four_octet_as=True,
        with_next_hop=True,
    )
    transitive, already_partial = encode_attribute(0xC0, 98, b"one"), encode_attribute(0xE0, 99, b"two")
    non_transitive = encode_attribute(0x80, 100, b"three")
    scene.source.update(base + transitive + already_partial + non_transitive, NLRI)
    for peer in (scene.external, scene.internal):
        assert peer.routes()[BLOCK].unknown == (
            UnknownAttribute(0xE0, 98, b"one"),
            UnknownAttribute(0xE0, 99, b"two"),
        )
    assert scene.source.snapshot.malformed_updates == ()
    assert scene.source.state == "Established"


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_5_attributes_in_any_order_mean_the_same(order: tuple[int, ...]) -> None:
    parts = [b"\x40\x01\x01\x01", b"\x40\x02\x06\x02\x01\0\0\0\x09", b"\x40\x03\x04\x0a\0\0\2"]
    parts.append(b"\x80\x04\x04\0\0\0\x05")
    found = decode_attributes(b"".join(parts[one] for one in order), four_octet_as=True, ebgp=True)
    expected = PathAttributes(origin=1, as_path=sequence(9), next_hop=b"\x0a\0\0\2", med=5)
    assert (found.attributes, found.fault, found.errors) == (expected, None, ())


def test_5_1_2_an_internal_peer_gets_the_as_path_as_it_came(scene: Scene) -> None:
    as_path = (*sequence(65001, 7), as_set(8, 9))
    scene.source.announce(BLOCK, as_path=as_path)
    assert scene.internal.routes()[BLOCK].as_path == as_path


def test_5_1_3_a_route_of_our_own_is_not_told_to_the_peer_that_it_leads_to() -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    gateway, other = Played(node, "10.0.0.2").establish(), Played(node, "10.0.0.3").establish()
    node.originate(BLOCK, route=LocalRoute(RouteSource.KERNEL, "eth0", gateway.address))
    network.settle()
    assert gateway.routes() == {}
    assert other.routes()[BLOCK].next_hop == gateway.address
    node.originate(BLOCK)
    network.settle()
    assert gateway.routes()[BLOCK].next_hop == node.address
    node.originate(BLOCK, route=LocalRoute(RouteSource.KERNEL, "eth0", other.address))
    network.settle()
    assert (list(gateway.routes()), list(other.routes())) == ([BLOCK], [])


def test_5_1_3_a_route_by_way_of_ourselves_is_not_used(scene: Scene) -> None:
    scene.source.announce(BLOCK, next_hop=bytes(scene.node.address))
    assert scene.node.routes() == {}
    scene.source.announce(BLOCK)
    assert scene.node.routes() == {BLOCK: "10.0.0.2"}


def test_5_1_4_and_5_1_5_med_and_local_pref_stay_inside_the_as(scene: Scene) -> None:
    scene.source.announce(BLOCK, med=7)
    assert (scene.internal.routes()[BLOCK].med, scene.internal.routes()[BLOCK].local_pref) == (7, 100)
    assert (scene.external.routes()[BLOCK].med, scene.external.routes()[BLOCK].local_pref) == (None, None)


def test_5_1_5_local_pref_of_an_external_peer_is_ignored(scene: Scene) -> None:
    scene.source.announce(BLOCK, local_pref=1)
    scene.external.announce(BLOCK, local_pref=1000, as_path=sequence(65002, 7))
    assert scene.node.routes() == {BLOCK: "10.0.0.2"}
    assert scene.internal.routes()[BLOCK].local_pref == 100


@pytest.mark.parametrize("prefix", [BLOCK, WIDER, "0.0.0.0/0"])
def test_5_1_6_an_atomic_aggregate_goes_on_with_the_prefix_it_came_with(scene: Scene, prefix: str) -> None:
    scene.source.announce(prefix, atomic_aggregate=True)
    for peer in (scene.external, scene.internal):
        assert {one: known.atomic_aggregate for one, known in peer.routes().items()} == {prefix: True}
