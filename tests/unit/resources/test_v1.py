"""Calico's resources of version 1: the vectors of its own converters, and what they refuse."""

import pytest

from felixbgp.resources import validate
from felixbgp.resources.v1 import convert, normalised

CONVERTIBLE = "those of apiVersion v1 that can be converted are node, ipPool and bgpPeer"
ALLOWED_USES = ["Workload", "Tunnel"]


def v1(kind: str, metadata: object, spec: object = None) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def pool(cidr: str, ipip: str, **more: object) -> dict[str, object]:
    block_size = 122 if ":" in cidr else 26
    return {
        "cidr": cidr,
        "vxlanMode": "Never",
        "ipipMode": ipip,
        **more,
        "blockSize": block_size,
        "nodeSelector": "all()",
        "allowedUses": ALLOWED_USES,
    }


@pytest.mark.parametrize(
    ("document", "name", "spec"),
    [
        pytest.param(
            v1("bgpPeer", {"scope": "global", "peerIP": "10.0.0.1"}, {"asNumber": 255}),
            "10-0-0-1",
            {"peerIP": "10.0.0.1", "asNumber": 255},
            id="global peer",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "global", "peerIP": "Aa:bb::"}, {"asNumber": "255"}),
            "00aa-00bb-0000-0000-0000-0000-0000-0000",
            {"peerIP": "aa:bb::", "asNumber": 255},
            id="global IPv6 peer",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "node", "node": "namedNode", "peerIP": "10.0.0.1"}, {"asNumber": 255}),
            "namednode.10-0-0-1",
            {"node": "namednode", "peerIP": "10.0.0.1", "asNumber": 255},
            id="peer of a node",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "node", "node": "node1", "peerIP": "aa:bb::ff"}, {"asNumber": "1.10"}),
            "node1.00aa-00bb-0000-0000-0000-0000-0000-00ff",
            {"node": "node1", "peerIP": "aa:bb::ff", "asNumber": 65546},
            id="IPv6 peer of a node",
        ),
        pytest.param(
            v1("ipPool", {"cidr": "10.0.0.0/24"}, {"ipip": {"enabled": True}}),
            "10-0-0-0-24",
            pool("10.0.0.0/24", "Always"),
            id="IPIP without a mode",
        ),
        pytest.param(
            v1(
                "ipPool",
                {"cidr": "2001::/120"},
                {"ipip": {"enabled": True, "mode": "always"}, "disabled": True},
            ),
            "2001---120",
            pool("2001::/120", "Always", disabled=True),
            id="IPv6 with IPIP, which version 3 refuses",
        ),
        pytest.param(
            v1("ipPool", {"cidr": "5.5.5.0/25"}, {"ipip": {"enabled": False}, "nat-outgoing": True}),
            "5-5-5-0-25",
            pool("5.5.5.0/25", "Never", natOutgoing=True),
            id="IPIP switched off",
        ),
        pytest.param(
            v1("ipPool", {"cidr": "1.0.0.0/11"}, {"ipip": {"enabled": True, "mode": "cross-subnet"}}),
            "1-0-0-0-11",
            pool("1.0.0.0/11", "CrossSubnet"),
            id="IPIP between subnets",
        ),
        pytest.param(
            v1("ipPool", {"cidr": "1.1.1.1/11"}),
            "1-1-1-1-11",
            pool("1.1.1.1/11", "Never"),
            id="host bits stay",
        ),
        pytest.param(v1("node", {"name": "node1"}), "node1", {}, id="node without BGP"),
        pytest.param(
            v1(
                "node",
                {"name": "myNode.here"},
                {"bgp": {"asNumber": 12345, "ipv4Address": "1.2.3.4/24", "ipv6Address": "aa::ff"}},
            ),
            "mynode.here",
            {"bgp": {"asNumber": 12345, "ipv4Address": "1.2.3.4/24", "ipv6Address": "aa::ff/128"}},
            id="node with both families",
        ),
        pytest.param(
            v1(
                "node",
                {"name": "n"},
                {
                    "bgp": {"ipv4Address": "192.168.1.1"},
                    "orchRefs": [{"orchestrator": "a"}, {"orchestrator": "b", "nodeName": "x"}],
                },
            ),
            "n",
            {
                "bgp": {"ipv4Address": "192.168.1.1/32"},
                "orchRefs": [{"orchestrator": "a"}, {"nodeName": "x", "orchestrator": "b"}],
            },
            id="node of orchestrators",
        ),
    ],
)
def test_what_calicos_converters_give(
    document: dict[str, object], name: str, spec: dict[str, object]
) -> None:
    kinds = {"bgpPeer": "BGPPeer", "ipPool": "IPPool", "node": "Node"}
    assert convert(document) == {
        "kind": kinds[str(document["kind"])],
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "creationTimestamp": None},
        "spec": spec,
    }
    assert convert({**document, "kind": str(document["kind"]).upper()}) == convert(document)


def test_what_comes_out_is_a_resource() -> None:
    made = convert(v1("bgpPeer", {"scope": "global", "peerIP": "10.0.0.1"}, {"asNumber": 255}))
    assert not isinstance(validate(made), list)


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        pytest.param([], ["is not an object"], id="no object"),
        pytest.param({"apiVersion": "v1"}, ["kind: is missing"], id="no kind"),
        pytest.param(
            v1("bgpPeer", {"scope": "global"}, {"asNumber": 1}),
            ["metadata.peerIP: is missing"],
            id="no address",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "global", "node": "x", "peerIP": "a"}, {"asNumber": 0, "x": 1}),
            [
                'metadata.peerIP: "a" is not an IP address',
                "spec.asNumber: 0 is not between 1 and 4294967295",
                "spec.x: is not a field this resource has",
            ],
            id="every fault at once",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "global", "node": "x", "peerIP": "10.0.0.1"}, {"asNumber": 1}),
            ['metadata.node: "x" cannot be set with scope global'],
            id="global with a node",
        ),
        pytest.param(
            v1("bgpPeer", {"scope": "node", "peerIP": "10.0.0.1"}, {"asNumber": 1}),
            ["metadata.node: is missing; scope node needs it"],
            id="of a node without a node",
        ),
        pytest.param(
            v1("bgpPeer", {"peerIP": "10.0.0.1"}, {"asNumber": 1}),
            ["metadata.scope: is missing"],
            id="no scope",
        ),
        pytest.param(
            v1("node", {"name": "n"}, {"bgp": {"asNumber": 1}}),
            ["spec.bgp: has neither an ipv4Address nor an ipv6Address"],
            id="BGP without an address",
        ),
        pytest.param(v1("ipPool", {"cidr": "x/1"}), ['metadata.cidr: "x/1" is not a CIDR'], id="no CIDR"),
        pytest.param(
            v1("ipPool", {"cidr": "10.0.0.0/8"}, {"ipip": {"mode": "sometimes"}}),
            ["spec.ipip.mode: \"sometimes\" is not 'always' or 'cross-subnet'"],
            id="no mode",
        ),
        *(
            pytest.param(
                v1(kind, {}),
                [f'kind: "{kind}" is no resource of BGP; {CONVERTIBLE}'],
                id=kind,
            )
            for kind in ("hostEndpoint", "workloadEndpoint", "profile", "policy")
        ),
        pytest.param(
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"},
            [f'kind: "NetworkPolicy" is no resource of BGP; {CONVERTIBLE}'],
            id="Kubernetes' NetworkPolicy",
        ),
        pytest.param(
            {"apiVersion": "projectcalico.org/v3", "kind": "Node"},
            ['apiVersion: "projectcalico.org/v3" is what would come out: nothing to convert'],
            id="version 3",
        ),
        pytest.param(
            {"apiVersion": "v2", "kind": "node"},
            [f'kind: "node" of apiVersion "v2" is not known; {CONVERTIBLE}'],
            id="another version",
        ),
    ],
)
def test_what_cannot_be_converted_says_why(document: object, sentences: list[str]) -> None:
    faults = convert(document)
    assert isinstance(faults, list)
    assert [str(fault) for fault in faults] == sentences


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("node1", "node1"),
        ("Node_1", "node-1"),
        ("a/b", "a.b"),
        ("a.-b", "a.b"),
        ("-.a..b-.", "a.b"),
        ("a--b", "a--b"),
        ("é", ""),
    ],
)
def test_names_of_nodes_as_calico_converts_them(old: str, new: str) -> None:
    assert normalised(old) == new
