"""Nodes: what annotations add to the spec."""

import pytest

from felixbgp.net import Address
from felixbgp.resources import Node, encode, validate
from felixbgp.resources.values import InterfaceAddress
from tests.support.documents import document, read, refused, stored

P = "projectcalico.org/"
NOT_4 = "is not an IPv4 address"
EMPTY = "is empty; leave it out, or give the node an address"
A = f"metadata.annotations.{P}"
ALL = {
    f"{P}ASNumber": "1.10",
    f"{P}IPv4Address": "10.0.0.1/24",
    f"{P}IPv6Address": "fd00::1/64",
    f"{P}IPv4IPIPTunnelAddr": "192.168.0.1",
    f"{P}RouteReflectorClusterID": "244.0.0.2",
}


def node(spec: object, annotations: dict[str, str]) -> Node:
    found = read(*stored("Node", spec, annotations=annotations))
    assert isinstance(found, Node), found
    return found


def test_annotations_alone_make_a_node_take_part() -> None:
    found = node({}, ALL)
    assert found.spec.bgp is None
    assert found.effective_bgp is not None
    assert found.effective_bgp.model_dump() == {
        "as_number": 65546,
        "ipv4_address": "10.0.0.1/24",
        "ipv6_address": "fd00::1/64",
        "ipv4_ipip_tunnel_addr": "192.168.0.1",
        "route_reflector_cluster_id": "244.0.0.2",
    }
    assert found.annotation_errors == ()
    assert found.cluster_id == Address.parse("244.0.0.2")


def test_annotations_fill_up_what_the_spec_leaves_open() -> None:
    found = node({"bgp": {"ipv4Address": "10.0.0.9"}}, {f"{P}ASNumber": "64513", f"{P}IPv6Address": ""})
    assert found.effective_bgp is not None
    assert found.effective_bgp.ipv4_address == InterfaceAddress(Address.parse("10.0.0.9"), 32)
    assert found.effective_bgp.as_number == 64513
    assert found.effective_bgp.ipv6_address is None
    assert found.annotation_errors == ()
    assert found.cluster_id is None


def test_the_spec_comes_first_and_what_it_contradicts_is_named() -> None:
    bgp = {
        "asNumber": 65546,
        "ipv4Address": "10.0.0.1/25",
        "ipv6Address": "fd00:0::1/64",
        "routeReflectorClusterID": "244.0.0.1",
    }
    found = node({"bgp": bgp}, ALL)
    assert found.cluster_id == Address.parse("244.0.0.1")
    assert found.effective_bgp is not None
    assert str(found.effective_bgp.ipv4_address) == "10.0.0.1/25"
    assert str(found.effective_bgp.ipv4_ipip_tunnel_addr) == "192.168.0.1"
    assert [str(error) for error in found.annotation_errors] == [
        f'{A}IPv4Address: "10.0.0.1/24" is ignored: spec.bgp.ipv4Address is 10.0.0.1/25',
        f'{A}RouteReflectorClusterID: "244.0.0.2" is ignored: spec.bgp.routeReflectorClusterID is 244.0.0.1',
    ]


@pytest.mark.parametrize(
    ("annotation", "text", "reason"),
    [
        ("ASNumber", "0", "is not between 1 and 4294967295"),
        ("ASNumber", "x", "is not an AS number"),
        ("IPv4Address", "fd00::1", "is not an IPv4 address, with or without a prefix length"),
        ("IPv6Address", "fd00::1/129", "is not an IPv6 address, with or without a prefix length"),
        ("IPv4IPIPTunnelAddr", "10.0.0.1/32", "is not an IPv4 address"),
        ("RouteReflectorClusterID", "1", "is not an IPv4 address"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_ignored_in_the_store_and_refused_in_a_file(
    annotation: str, text: str, reason: str
) -> None:
    annotations = {P + annotation: text}
    found = node({}, annotations)
    assert found.effective_bgp is None
    sentence = f'{A}{annotation}: "{text}" {reason}'
    assert [str(error) for error in found.annotation_errors] == [sentence]
    refused = validate(document("Node", {}, annotations=annotations))
    assert isinstance(refused, list)
    assert [str(error) for error in refused] == [sentence]


def test_a_file_may_contradict_itself_since_the_spec_comes_first() -> None:
    spec = {"bgp": {"asNumber": 1}}
    found = validate(document("Node", spec, annotations={f"{P}ASNumber": "2"}))
    assert isinstance(found, Node)
    assert len(found.annotation_errors) == 1


def test_other_annotations_are_only_kept() -> None:
    annotations = {
        f"{P}IPv4VXLANTunnelAddr": "no address",
        f"{P}VXLANTunnelMACAddr": "no address",
        f"{P}IPv4WireguardInterfaceAddr": "no address",
        f"{P}WireguardPublicKey": "no key",
        f"{P}kube-labels": "{",
        "ASNumber": "x",
    }
    found = node({}, annotations)
    assert found.effective_bgp is None
    assert found.annotation_errors == ()
    assert found.metadata.annotations == annotations


def test_a_node_of_neither_takes_no_part() -> None:
    assert node({}, {}).effective_bgp is None
    assert node({}, {}).cluster_id is None


def test_looking_changes_neither_the_value_nor_what_is_written() -> None:
    looked, other = node({}, ALL), node({}, ALL)
    written = encode(other)
    assert looked.effective_bgp is looked.effective_bgp
    assert looked == other
    assert encode(looked) == written


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"bgp": {}}, f"bgp: {EMPTY}"),
        ({"bgp": {"ipv4Address": "", "asNumber": None}}, f"bgp: {EMPTY}"),
        ({"bgp": {"asNumber": 0}}, "bgp.asNumber: 0 is not between 1 and 4294967295"),
        (
            {"bgp": {"ipv4Address": "2001:db8::1/64"}},
            'bgp.ipv4Address: "2001:db8::1/64" is not an IPv4 address, with or without a prefix length',
        ),
        (
            {"bgp": {"ipv4Address": "10.0.0.1/33"}},
            'bgp.ipv4Address: "10.0.0.1/33" is not an IPv4 address, with or without a prefix length',
        ),
        (
            {"bgp": {"ipv6Address": "10.0.0.1"}},
            'bgp.ipv6Address: "10.0.0.1" is not an IPv6 address, with or without a prefix length',
        ),
        ({"bgp": {"ipv4IPIPTunnelAddr": "10.0.0.1/32"}}, f'bgp.ipv4IPIPTunnelAddr: "10.0.0.1/32" {NOT_4}'),
        ({"bgp": {"routeReflectorClusterID": "1"}}, f'bgp.routeReflectorClusterID: "1" {NOT_4}'),
        ({"bgp": {"routeReflectorClusterID": "fd00::1"}}, f'bgp.routeReflectorClusterID: "fd00::1" {NOT_4}'),
        ({"ipv4VXLANTunnelAddr": "fd00::1"}, 'ipv4VXLANTunnelAddr: "fd00::1" is not an IPv4 address'),
        ({"ipv6VXLANTunnelAddr": "10.0.0.1"}, 'ipv6VXLANTunnelAddr: "10.0.0.1" is not an IPv6 address'),
        ({"vxlanTunnelMACAddr": "66:00"}, 'vxlanTunnelMACAddr: "66:00" is not a MAC address'),
        ({"orchRefs": [{"nodeName": "a"}]}, "orchRefs[0].orchestrator: is missing"),
        ({"wireguard": {"interfaceIPv4Address": "x"}}, f'wireguard.interfaceIPv4Address: "x" {NOT_4}'),
        ({"addresses": [{"type": "InternalIP"}]}, "addresses[0].address: is missing"),
        (
            {"addresses": [{"address": "10.0.0.1", "type": "Internal"}]},
            "addresses[0].type: \"Internal\" is not 'CalicoNodeIP', 'InternalIP' or 'ExternalIP'",
        ),
    ],
)
def test_what_is_wrong_with_a_node(spec: object, sentence: str) -> None:
    assert refused("Node", spec) == [f"spec.{sentence}"]
