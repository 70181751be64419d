"""Stored bytes to resources: what is taken, and in what words the rest is refused."""

import json

import pytest

from felixbgp.net import Address, Prefix
from felixbgp.resources import (
    AffinityState,
    BgpPeer,
    BlockAffinity,
    IpPool,
    Node,
    decode,
    encode,
    validate,
)
from felixbgp.resources.decode import MAX_DEPTH, MAX_VALUE_BYTES, MODELS, Decoded
from felixbgp.resources.errors import MAX_ERRORS
from tests.support.documents import document as document_of
from tests.support.documents import read, stored

IGNORED = "is not known to this version and is ignored"
UNKNOWN_CONDITION = "is not known to this version; without it the rule would mean something else"
PREFIX = "/calico/resources/v3/projectcalico.org/"


def errors(kind: str, spec: object, name: str = "x", **metadata: object) -> list[str]:
    decoded = decode(*stored(kind, spec, name, **metadata))
    assert isinstance(decoded, list), decoded
    return [str(error) for error in decoded]


def test_a_node_as_calico_writes_it() -> None:
    spec = {
        "bgp": {
            "asNumber": 64514,
            "ipv4Address": "10.0.0.1/24",
            "ipv6Address": "2001:db8::1/64",
            "ipv4IPIPTunnelAddr": "192.168.0.1",
            "routeReflectorClusterID": "244.0.0.1",
        },
        "ipv4VXLANTunnelAddr": "192.168.0.2",
        "vxlanTunnelMACAddr": "66:00:00:00:00:01",
        "orchRefs": [{"nodeName": "n", "orchestrator": "k8s"}],
        "wireguard": {"interfaceIPv4Address": "192.168.0.3"},
        "addresses": [{"address": "10.0.0.1/24", "type": "CalicoNodeIP"}, {"address": "10.0.0.1"}],
        "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1"]}],
    }
    node = read(*stored("Node", spec, labels={"rack": "rack-1", "empty": ""}, creationTimestamp=None))
    assert isinstance(node, Node)
    assert node.spec.bgp is not None
    assert node.spec.bgp.ipv4_address is not None
    assert node.spec.bgp.ipv4_address.address == Address.parse("10.0.0.1")
    assert node.spec.bgp.ipv4_address.subnet == Prefix.parse("10.0.0.0/24")
    assert node.cluster_id == Address.parse("244.0.0.1")
    assert node.labels == {"rack": "rack-1", "empty": ""}
    assert json.loads(encode(node))["spec"] == spec


def test_a_pool_is_stored_with_its_defaults_and_without_the_fields_of_version_1() -> None:
    spec = {"cidr": "10.65.0.0/16", "ipip": {"enabled": True, "mode": "cross-subnet"}, "nat-outgoing": True}
    pool = read(*stored("IPPool", spec))
    assert isinstance(pool, IpPool)
    assert json.loads(encode(pool))["spec"] == {
        "cidr": "10.65.0.0/16",
        "vxlanMode": "Never",
        "ipipMode": "CrossSubnet",
        "blockSize": 26,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
        "natOutgoing": True,
    }


def test_the_value_is_written_as_calicoctl_writes_it() -> None:
    spec = {"peerIP": "192.20.30.40", "asNumber": "64567", "nodeSelector": ""}
    peer = validate(
        {
            "spec": spec,
            "metadata": {"labels": {"a": "b"}, "resourceVersion": "17", "name": "my-global-peer", "uid": "u"},
            "apiVersion": "projectcalico.org/v3",
            "kind": "BGPPeer",
        }
    )
    assert isinstance(peer, BgpPeer)
    assert encode(peer) == (
        b'{"kind":"BGPPeer","apiVersion":"projectcalico.org/v3",'
        b'"metadata":{"name":"my-global-peer","uid":"u","creationTimestamp":null,"labels":{"a":"b"}},'
        b'"spec":{"peerIP":"192.20.30.40","asNumber":64567}}'
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"", "is not JSON: Expecting value at line 1, character 1"),
        (b"{", "is not JSON: Expecting property name enclosed in double quotes at line 1, character 2"),
        (b"[]", "is not a JSON object"),
        (b"\xff", "is not JSON: byte 1 is not UTF-8"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', 'has the field "c" twice'),
        (b'{"a": NaN}', "has the number NaN, which JSON does not know"),
        (b'{"a": -1e999}', "has the number -1e999, which is too large"),
        (b'{"a": "\\ud800"}', "has half of a surrogate pair in a text"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON: a number is too long"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, f"has more than {MAX_DEPTH} objects and lists inside each other"),
        (b"[" * 200_000, f"has more than {MAX_DEPTH} objects and lists inside each other"),
        (b" " * (MAX_VALUE_BYTES + 1), f"is longer than {MAX_VALUE_BYTES} bytes"),
    ],
    ids=str,
)
def test_what_is_not_an_object(value: bytes, sentence: str) -> None:
    decoded = decode(f"{PREFIX}nodes/x", value)
    assert isinstance(decoded, list)
    assert [str(error) for error in decoded] == [sentence]


def test_brackets_in_texts_are_not_depth() -> None:
    node = read(*stored("Node", {}, annotations={"a": "[{" * 100 + '"'}))
    assert isinstance(node, Node)


def test_the_number_of_errors_has_a_limit() -> None:
    sentences = errors("BGPFilter", {"importV4": [{}] * 1000})
    assert len(sentences) == MAX_ERRORS + 1
    assert sentences[-1] == "and 900 more errors"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "BGPPeer"}, "kind: \"BGPPeer\" is not 'Node'"),
        ({"kind": None}, "kind: is missing"),
        ({"metadata": {"name": "y"}}, 'metadata.name: "y" is not the name in the key, "x"'),
    ],
)
def test_the_value_is_of_the_kind_and_name_that_the_key_says(
    changes: dict[str, object], sentence: str
) -> None:
    decoded = decode(f"{PREFIX}nodes/x", json.dumps(document_of("Node", {}) | changes).encode())
    assert isinstance(decoded, list)
    assert [str(error) for error in decoded] == [sentence]


def test_messages_cannot_move_a_terminals_cursor() -> None:
    (sentence,) = errors("BGPPeer", {"peerIP": "\x1b[2J\n", "asNumber": 1})
    assert "\x1b" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (b'{"state":"confirmed","deleted":false}', AffinityState.CONFIRMED),
        (b'{"state":"pending"}', AffinityState.PENDING),
        (b'{"state":"pendingDeletion","deleted":true}', AffinityState.PENDING_DELETION),
        (b'{"state":"confirmed","later":1}', AffinityState.CONFIRMED),
        (b'{"state":""}', AffinityState.CONFIRMED),
        (b"{}", AffinityState.CONFIRMED),
        (b"", AffinityState.CONFIRMED),
    ],
)
def test_block_affinities(value: bytes, state: AffinityState) -> None:
    found = read("/calico/ipam/v2/host/n1/ipv4/block/10.65.0.0-26", value)
    assert found == BlockAffinity("n1", Prefix.parse("10.65.0.0/26"), state)


def test_an_unknown_state_of_an_affinity() -> None:
    found = decode("/calico/ipam/v2/host/n1/ipv4/block/10.65.0.0-26", b'{"state":"lost"}')
    assert isinstance(found, list)
    assert [str(error) for error in found] == [
        "state: \"lost\" is not 'pending', 'confirmed' or 'pendingDeletion'"
    ]


def test_a_key_of_somebody_else() -> None:
    found = decode("/calico/resources/v3/projectcalico.org/profiles/x", b"{}")
    assert isinstance(found, list)


def test_a_document_must_say_what_it_is() -> None:
    for document, sentence in (
        ([], "is not an object"),
        ({}, "kind: is missing"),
        ({"kind": "Pod"}, f'kind: "Pod" is not one of {", ".join(MODELS)}'),
        ({"kind": ["Node"]}, f"kind: a list is not one of {', '.join(MODELS)}"),
    ):
        found = validate(document)
        assert isinstance(found, list)
        assert [str(error) for error in found] == [sentence]


def ignored(kind: str, spec: object, **more: object) -> list[str]:
    """What is left out of a value that counts."""
    document = document_of(kind, spec) | more
    decoded = decode(stored(kind, {})[0], json.dumps(document).encode())
    assert isinstance(decoded, Decoded), decoded
    assert not isinstance(decoded.value, BlockAffinity)
    assert "new" not in encode(decoded.value).decode()
    return [str(error) for error in decoded.ignored]


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        ("Node", {"new": 1, "bgp": {"asNumber": 1, "new": {"a": []}}}, ["spec.bgp.new", "spec.new"]),
        ("Node", {"addresses": [{"address": "a"}, {"address": "b", "new": 1}]}, ["spec.addresses[1].new"]),
        ("BGPPeer", {"password": {"newRef": {}}}, ["spec.password.newRef"]),
        ("BGPFilter", {"exportV8": [{}], "new": 1, "exportV4": []}, ["spec.exportV8", "spec.new"]),
        ("BGPConfiguration", {"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": [], "new": 1}]},
         ["spec.prefixAdvertisements[0].new"]),
        ("IPPool", {"cidr": "10.0.0.0/16", "new\x1b": 1}, ["spec.new�"]),
    ],
)  # fmt: skip
def test_fields_of_a_newer_version_are_ignored_and_named(kind: str, spec: object, fields: list[str]) -> None:
    assert sorted(ignored(kind, spec)) == sorted(f"{field}: {IGNORED}" for field in fields)


def test_fields_of_a_newer_version_around_the_spec_are_ignored_and_named() -> None:
    found = ignored("Node", {}, new=1, metadata={"name": "x", "new": {}}, status={"new": 1})
    assert found == [f"metadata.new: {IGNORED}", f"new: {IGNORED}", f"status.new: {IGNORED}"]


def test_unset_fields_of_a_newer_version_are_not_worth_a_word() -> None:
    assert ignored("Node", {"new": None, "newer": ""}) == []
    assert ignored("BGPFilter", {"importV4": [{"action": "Accept", "new": None}]}) == []


def test_an_object_of_which_no_field_is_known_counts_as_absent() -> None:
    """Written empty it would be refused."""
    assert ignored("Node", {"bgp": {"new": 1}}) == [f"spec.bgp.new: {IGNORED}"]
    assert errors("Node", {"bgp": {}}) == ["spec.bgp: is empty; leave it out, or give the node an address"]


def test_a_report_that_cannot_be_read_does_not_spoil_what_is_wanted() -> None:
    status = {"podCIDRs": ["x"], "wireguardPublicKey": 7}
    assert ignored("Node", {}, status=status) == [
        "status.wireguardPublicKey: 7 is not a text; the status is ignored",
        'status.podCIDRs[0]: "x" is not a CIDR; the status is ignored',
    ]
    assert ignored("Node", {"new": 1}, status=[]) == [
        f"spec.new: {IGNORED}",
        "status: a list is not an object; the status is ignored",
    ]


def test_what_is_known_is_checked_beside_what_is_not() -> None:
    assert errors("BGPPeer", {"peerIP": "x", "new": 1}) == [
        'spec.peerIP: "x" is not an IP address, or IPv4:port, or [IPv6]:port'
    ]


def test_the_number_of_ignored_fields_has_a_limit() -> None:
    found = ignored("Node", {f"new{number}": 1 for number in range(1000)})
    assert len(found) == MAX_ERRORS + 1
    assert found[-1] == "and 900 more errors"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (document_of("Node", {"colour": 1}), "spec.colour"),
        (document_of("Node", {}) | {"extra": 1}, "extra"),
        (document_of("Node", {}, colour=1), "metadata.colour"),
        (document_of("BGPFilter", {"importV4": [{"action": "Accept", "x": 1}]}), "spec.importV4[0].x"),
    ],
)
def test_what_people_write_has_known_fields_only(document: dict[str, object], field: str) -> None:
    found = validate(document)
    assert isinstance(found, list)
    assert [str(error) for error in found] == [f"{field}: is not a field this resource has"]
