"""Stored bytes to resources: what is taken, and in what words the rest is refused."""

import json

import pytest

from felixbgp.net import Address, Prefix
from felixbgp.resources import (
    AffinityState,
    BgpConfiguration,
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


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (64512, 64512),
        ("64512", 64512),
        ("1.10", 65546),
        (4294967295, 4294967295),
        ("65535.65535", 4294967295),
    ],
)
def test_as_numbers_may_be_numbers_texts_or_dotted(written: object, number: int) -> None:
    peer = read(*stored("BGPPeer", {"peerIP": "192.0.2.1", "asNumber": written}))
    assert isinstance(peer, BgpPeer)
    assert peer.spec.as_number == number
    assert json.loads(encode(peer))["spec"]["asNumber"] == number


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (4294967296, "spec.asNumber: 4294967296 is not between 1 and 4294967295"),
        (0, "spec.asNumber: 0 is not between 1 and 4294967295"),
        (-1, "spec.asNumber: -1 is not between 1 and 4294967295"),
        ("x", 'spec.asNumber: "x" is not an AS number'),
        ("1.2.3", 'spec.asNumber: "1.2.3" is not an AS number'),
        ("1.65536", 'spec.asNumber: "1.65536" is not an AS number: the parts of high.low go to 65535'),
        ("¹", 'spec.asNumber: "¹" is not an AS number'),
        (" 1", 'spec.asNumber: " 1" is not an AS number'),
        (1.1, 'spec.asNumber: 1.1 is not an AS number; write high.low in quotes: "1.10"'),
        (True, "spec.asNumber: true is not an AS number"),
        ([], "spec.asNumber: a list is not an AS number"),
        (10**200, "spec.asNumber: a huge number is not between 1 and 4294967295"),
    ],
)
def test_what_is_no_as_number(written: object, sentence: str) -> None:
    assert errors("BGPPeer", {"peerIP": "192.0.2.1", "asNumber": written}) == [sentence]


@pytest.mark.parametrize(
    ("written", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:166", "192.0.2.1", 166),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:166", "2001:db8::1", 166),
        ("2001:DB8:0::1", "2001:db8::1", None),
    ],
)
def test_peer_addresses(written: str, address: str, port: int | None) -> None:
    peer = read(*stored("BGPPeer", {"peerIP": written, "asNumber": 1}))
    assert isinstance(peer, BgpPeer)
    assert peer.spec.peer_ip == (Address.parse(address), port)
    assert read(f"{PREFIX}bgppeers/x", encode(peer)) == peer


@pytest.mark.parametrize(
    "written",
    ["10.0.0.300", "192.0.2.1:", "[2001:db8::1]", "[192.0.2.1]:1", ":179", "tor", "fe80::1%eth0", 1],
)
def test_what_is_no_peer_address(written: object) -> None:
    (sentence,) = errors("BGPPeer", {"peerIP": written, "asNumber": 1})
    assert sentence.endswith("is not an IP address, or IPv4:port, or [IPv6]:port")


@pytest.mark.parametrize("written", ["192.0.2.1:0", "192.0.2.1:65536", "[2001:db8::1]:99999"])
def test_ports_have_a_range(written: str) -> None:
    (sentence,) = errors("BGPPeer", {"peerIP": written, "asNumber": 1})
    assert sentence.endswith("has a port that is not between 1 and 65535")


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        (
            {"node": "a", "nodeSelector": "all()"},
            ['spec.node: "a" cannot be set together with nodeSelector'],
        ),
        (
            {"peerIP": "192.0.2.1", "asNumber": 1, "peerSelector": "all()"},
            [
                'spec.peerIP: "192.0.2.1" cannot be set together with peerSelector',
                "spec.asNumber: 1 cannot be set together with peerSelector: selected nodes have their own",
            ],
        ),
        ({"peerIP": "192.0.2.1"}, ["spec.asNumber: is missing"]),
        (
            {"localWorkloadSelector": "all()", "peerSelector": "all()"},
            [
                'spec.localWorkloadSelector: "all()" cannot be set together with peerSelector',
                "spec.asNumber: is missing",
            ],
        ),
        (
            {"localWorkloadSelector": "all()", "peerIP": "192.0.2.1", "asNumber": 1},
            ['spec.localWorkloadSelector: "all()" cannot be set together with peerIP'],
        ),
        (
            {"keepOriginalNextHop": True, "nextHopMode": "Self"},
            ["spec.keepOriginalNextHop: true cannot be set together with nextHopMode"],
        ),
        (
            {"reachableBy": "192.0.2.1"},
            ['spec.reachableBy: "192.0.2.1" can only be set together with peerIP'],
        ),
        (
            {"reachableBy": "2001:db8::1", "peerIP": "192.0.2.1:5", "asNumber": 1},
            ['spec.reachableBy: "2001:db8::1" is not of the same family as peerIP'],
        ),
        (
            {"sourceAddress": "Any", "ttlSecurity": 256, "filters": "f", "maxRestartTime": 5},
            [
                "spec.sourceAddress: \"Any\" is not 'UseNodeIP' or 'None'",
                "spec.maxRestartTime: 5 is not a text",
                "spec.ttlSecurity: 256 is not between 0 and 255",
                'spec.filters: "f" is not a list',
            ],
        ),
        (
            {
                "nodeSelector": "a",
                "keepaliveTime": "soon",
                "password": {"secretKeyRef": {"name": "s"}},
            },
            [
                'spec.nodeSelector: "a" is not a selector: expected an operator after a at character 2',
                "spec.password.secretKeyRef.key: is missing",
                'spec.keepaliveTime: "soon" is not a duration; write it as "90s" or "1m30s"',
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_bgp_peer_is_said_at_once(spec: object, sentences: list[str]) -> None:
    assert errors("BGPPeer", spec) == sentences


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({}, "action: is missing"),
        ({"action": ""}, "action: is missing"),
        ({"action": "Drop"}, "action: \"Drop\" is not 'Accept' or 'Reject'"),
        (
            {"action": "Accept", "cidr": "10.0.0.1/8", "matchOperator": "In"},
            'cidr: "10.0.0.1/8" has host bits set; the network is 10.0.0.0/8',
        ),
        (
            {"action": "Accept", "cidr": "10.0.0.0/33", "matchOperator": "In"},
            'cidr: "10.0.0.0/33" is not a CIDR',
        ),
        (
            {"action": "Accept", "cidr": "2001:db8::/32", "matchOperator": "In"},
            'cidr: "2001:db8::/32" is not IPv4',
        ),
        (
            {"action": "Accept", "cidr": "10.0.0.0/8"},
            "matchOperator: is missing: a cidr needs Equal, NotEqual, In or NotIn",
        ),
        ({"action": "Accept", "matchOperator": "In"}, "cidr: is missing: matchOperator needs one"),
        (
            {"action": "Accept", "prefixLength": {"min": 8}},
            "prefixLength: an object can only be set together with cidr",
        ),
        (
            {"action": "Accept", "cidr": "10.0.0.0/8", "matchOperator": "In", "prefixLength": {"max": 33}},
            "prefixLength.max: 33 is not between 0 and 32",
        ),
        (
            {"action": "Accept", "interface": "eth0/1"},
            'interface: "eth0/1" is not a pattern of an interface name (up to 15 of a-z A-Z 0-9 _ . - *)',
        ),
        (
            {"action": "Reject", "operations": [{"setPriority": {"value": 1}}]},
            "operations: a list can only be set together with action Accept",
        ),
        (
            {"action": "Accept", "operations": [{}]},
            "operations[0]: must have exactly one of addCommunity, prependASPath and setPriority",
        ),
        (
            {"action": "Accept", "communities": {"values": ["1:2", "3:4"]}},
            "communities.values: a list does not have exactly 1 entry",
        ),
        (
            {"action": "Accept", "communities": {"values": ["65536:2"]}},
            'communities.values[0]: "65536:2" is not a community; write aa:nn or aa:nn:mm',
        ),
        ({"action": "Accept", "peerType": "ebgp"}, "peerType: \"ebgp\" is not 'eBGP' or 'iBGP'"),
        (
            {"action": "Accept", "matches": 1},
            f"matches: {UNKNOWN_CONDITION}",
        ),
        (
            {"action": "Accept", "operations": [{"setPriority": {"value": 1, "unless": 2}}]},
            f"operations[0].setPriority.unless: {UNKNOWN_CONDITION}",
        ),
    ],
)
def test_what_is_wrong_with_a_filter_rule(rule: object, sentence: str) -> None:
    assert errors("BGPFilter", {"exportV4": [{"action": "Accept"}, rule]}) == [f"spec.exportV4[1].{sentence}"]


@pytest.mark.parametrize(
    ("name", "spec", "sentences"),
    [
        (
            "node.n1",
            {"asNumber": 1, "nodeToNodeMeshEnabled": True, "listenPort": 180},
            [
                "spec.nodeToNodeMeshEnabled: true can only be set on the BGPConfiguration named default",
                "spec.asNumber: 1 can only be set on the BGPConfiguration named default",
            ],
        ),
        (
            "default",
            {
                "nodeToNodeMeshEnabled": False,
                "nodeMeshMaxRestartTime": "10s",
                "nodeMeshPassword": {"secretKeyRef": {"name": "s", "key": "k"}},
            },
            [
                "spec.nodeMeshPassword: an object cannot be set while nodeToNodeMeshEnabled is false",
                'spec.nodeMeshMaxRestartTime: "10s" cannot be set while nodeToNodeMeshEnabled is false',
            ],
        ),
        ("default", {"listenPort": 0}, ["spec.listenPort: 0 is not between 1 and 65535"]),
        (
            "default",
            {"nodeToNodeMeshEnabled": "false"},
            ['spec.nodeToNodeMeshEnabled: "false" is not true or false'],
        ),
        (
            "default",
            {"logSeverityScreen": "Loud", "ignoredInterfaces": ["eth0", "*"]},
            [
                'spec.logSeverityScreen: "Loud" is not Trace, Debug, Info, Warning, Error or Fatal',
                'spec.ignoredInterfaces: "*" would ignore every interface',
            ],
        ),
        (
            "default",
            {"communities": [{"name": "blue", "value": "1:2"}]},
            ["spec.communities: a list has no use without prefixAdvertisements"],
        ),
        (
            "default",
            {
                "communities": [{"name": "blue", "value": "1:2"}],
                "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["blue", "red", "1:2:3"]}],
            },
            [
                'spec.prefixAdvertisements[0].communities: "red" is no community and no name in communities',
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_bgp_configuration(name: str, spec: object, sentences: list[str]) -> None:
    assert errors("BGPConfiguration", spec, name) == sentences


def test_a_bgp_configuration_with_every_field() -> None:
    spec = {
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": False,
        "asNumber": 64513,
        "serviceLoadBalancerIPs": [{"cidr": "10.1.0.0/16"}],
        "serviceExternalIPs": [{"cidr": "10.2.0.0/16"}],
        "serviceClusterIPs": [{"cidr": "10.3.0.0/16"}],
        "serviceLoadBalancerAggregation": "Disabled",
        "communities": [{"name": "blue", "value": "65535:1"}],
        "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["blue", "1:2:3"]}],
        "listenPort": 178,
        "bindMode": "NodeIP",
        "ignoredInterfaces": ["eth*"],
        "localWorkloadPeeringIPV4": "169.254.0.179",
        "localWorkloadPeeringIPV6": "fe80::179",
        "programClusterRoutes": "EnabledNoEncapOnly",
        "ipv4NormalRoutePriority": 1024,
        "ipv6NormalRoutePriority": 1024,
    }
    found = read(*stored("BGPConfiguration", spec, "default"))
    assert isinstance(found, BgpConfiguration), found
    assert json.loads(encode(found))["spec"] == spec


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "spec.cidr: is missing"),
        ({"cidr": "10.0.0.0/27"}, 'spec.cidr: "10.0.0.0/27" is smaller than one block (/26)'),
        ({"cidr": "10.0.0.0/16", "blockSize": 33}, "spec.blockSize: 33 is not between 20 and 32"),
        ({"cidr": "fd00::/64", "blockSize": 26}, "spec.blockSize: 26 is not between 116 and 128"),
        ({"cidr": "fd00::/64", "ipipMode": "Always"}, 'spec.ipipMode: "Always" is for IPv4 pools only'),
        (
            {"cidr": "10.0.0.0/16", "ipipMode": "CrossSubnet", "vxlanMode": "Always"},
            'spec.ipipMode: "CrossSubnet" cannot be set together with vxlanMode Always',
        ),
        (
            {"cidr": "169.254.1.0/24"},
            'spec.cidr: "169.254.1.0/24" overlaps the link-local range 169.254.0.0/16',
        ),
    ],
)
def test_what_is_wrong_with_a_pool(spec: object, sentence: str) -> None:
    assert errors("IPPool", spec) == [sentence]


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
    ("document", "sentence"),
    [
        ({"kind": "BGPPeer"}, "kind: \"BGPPeer\" is not 'Node'"),
        ({"kind": None}, "kind: is missing"),
        ({"apiVersion": "v1"}, "apiVersion: \"v1\" is not 'projectcalico.org/v3'"),
        ({"metadata": {}}, "metadata.name: is missing"),
        ({"metadata": {"name": "y"}}, 'metadata.name: "y" is not the name in the key, "x"'),
        (
            {"metadata": {"name": "X"}},
            'metadata.name: "X" is not a name (lower case letters, digits, - and ., at most 253)',
        ),
        ({"metadata": {"name": "x", "labels": {"a": 1}}}, "metadata.labels.a: 1 is not a text"),
        (
            {"metadata": {"name": "x", "labels": {"a b": ""}}},
            "metadata.labels: an object has the key 'a b', which is not a label name",
        ),
        (
            {"metadata": {"name": "x", "labels": {"a": "b c"}}},
            "metadata.labels: an object has the value 'b c', which is not a label value",
        ),
        (
            {"metadata": {"name": "x", "annotations": {"a": "b" * 300_000}}},
            "metadata.annotations: an object has more than 262144 characters",
        ),
        ({"spec": []}, "spec: a list is not an object"),
        ({"spec": {"bgp": {}}}, "spec.bgp: is empty; leave it out, or give the node an address"),
        (
            {"spec": {"bgp": {"ipv4Address": "2001:db8::1/64"}}},
            'spec.bgp.ipv4Address: "2001:db8::1/64" is not an IPv4 address, with or without a prefix length',
        ),
    ],
)
def test_what_is_wrong_around_the_spec(document: dict[str, object], sentence: str) -> None:
    whole = {"kind": "Node", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "x"}} | document
    decoded = decode(f"{PREFIX}nodes/x", json.dumps(whole).encode())
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
