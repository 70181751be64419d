"""WorkloadEndpoints: what BGP reads of them, their names, and whose they are by key alone."""

import json

import pytest

from felixbgp.net import Prefix
from felixbgp.resources import ResourceKey, WorkloadEndpoint, decode, encode, is_endpoint_of, validate
from felixbgp.resources.keys import prefix_of
from tests.support.documents import document, read, stored

SPEC: dict[str, object] = {
    "orchestrator": "k8s",
    "node": "rack1-n1",
    "containerID": "1337495556942031415926535",
    "pod": "web-0",
    "endpoint": "eth0",
    "serviceAccountName": "default",
    "ipNetworks": ["10.65.0.2/32", "fd00::2/128"],
    "ipNATs": [{"internalIP": "10.65.0.2", "externalIP": "203.0.113.2"}],
    "ipv4Gateway": "10.65.0.1",
    "ipv6Gateway": "fd00::1",
    "profiles": ["kns.default"],
    "interfaceName": "cali0ef24ba",
    "mac": "ca:fe:1d:52:bb:e9",
    "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
    "allowSpoofedSourcePrefixes": ["192.0.2.0/24"],
    "qosControls": {"ingressBandwidth": 1000},
}
NAME = "rack1--n1-k8s-web--0-eth0"


def errors(spec: dict[str, object], name: str = NAME, **metadata: object) -> list[str]:
    found = validate(document("WorkloadEndpoint", spec, name, **metadata))
    assert isinstance(found, list), found
    return [str(error) for error in found]


def test_an_endpoint_as_calico_writes_it() -> None:
    key, value = stored("WorkloadEndpoint", SPEC, NAME, namespace="shop", labels={"app": "web"})
    assert key == f"{prefix_of('WorkloadEndpoint')}shop/{NAME}"
    found = read(key, value)
    assert isinstance(found, WorkloadEndpoint), found
    assert found.spec.node == "rack1-n1"
    assert found.spec.ip_networks == (Prefix.parse("10.65.0.2/32"), Prefix.parse("fd00::2/128"))
    assert found.spec.interface_name == "cali0ef24ba"
    assert found.labels == {"app": "web"}
    assert found.key == ResourceKey("WorkloadEndpoint", NAME, "shop")
    assert json.loads(encode(found))["spec"] == SPEC


def test_the_namespace_is_default_when_none_is_written() -> None:
    found = validate(document("WorkloadEndpoint", SPEC, NAME))
    assert isinstance(found, WorkloadEndpoint)
    assert found.namespace == "default"
    assert json.loads(encode(found))["metadata"]["namespace"] == "default"


def test_the_namespace_in_the_key_counts() -> None:
    key, _ = stored("WorkloadEndpoint", SPEC, NAME, namespace="shop")
    _, value = stored("WorkloadEndpoint", SPEC, NAME, namespace="bank")
    found = decode(key, value)
    assert isinstance(found, list)
    assert [str(error) for error in found] == [
        'metadata.namespace: "bank" is not the namespace in the key, "shop"'
    ]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"orchestrator": "k8s", "node": "a", "pod": "p", "endpoint": "eth0"}, "a-k8s-p-eth0"),
        ({"orchestrator": "k8s", "node": "a", "pod": "p.q", "endpoint": "eth0"}, "a-k8s-p.q-eth0"),
        ({"orchestrator": "cni", "node": "a", "containerID": "1f", "endpoint": "e"}, "a-cni-1f-e"),
        ({"orchestrator": "libnetwork", "node": "a", "endpoint": "e"}, "a-libnetwork-libnetwork-e"),
        (
            {"orchestrator": "openstack", "node": "a", "workload": "w-1", "endpoint": "e"},
            "a-openstack-w--1-e",
        ),
        ({"orchestrator": "my-own", "node": "a-b", "workload": "w", "endpoint": "e"}, "a--b-my--own-w-e"),
    ],
)
def test_the_name_is_made_of_the_fields_of_the_orchestrator(spec: dict[str, object], name: str) -> None:
    assert isinstance(validate(document("WorkloadEndpoint", spec, name)), WorkloadEndpoint)
    assert errors(spec, "other") == [f'metadata.name: "other" is not the name its spec makes, "{name}"']


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        pytest.param(
            {"ipNetworks": ["10.65.0.0/31"]},
            ['spec.ipNetworks[0]: "10.65.0.0/31" holds more than one address; write the address alone'],
            id="an address each",
        ),
        pytest.param(
            {"ipNetworks": ["10.65.0.2", "x"]}, ['spec.ipNetworks[1]: "x" is not a CIDR'], id="no address"
        ),
        pytest.param({"ipNetworks": "10.65.0.2"}, ['spec.ipNetworks: "10.65.0.2" is not a list'], id="list"),
        pytest.param(
            {"interfaceName": "c" * 16},
            [f'spec.interfaceName: "{"c" * 16}" is not an interface name (up to 15 of a-z A-Z 0-9 _ . -)'],
            id="interface name of 16",
        ),
        pytest.param(
            {"interfaceName": "../x"},
            ['spec.interfaceName: "../x" is not an interface name (up to 15 of a-z A-Z 0-9 _ . -)'],
            id="interface name with a slash",
        ),
        pytest.param({"node": "a b"}, ['spec.node: "a b" is not a node name'], id="node name"),
        pytest.param({"node": None}, ["spec.node: is missing"], id="no node"),
        pytest.param({"pod": None}, ["spec.pod: is missing"], id="no pod of an endpoint of Kubernetes"),
        pytest.param(
            {"orchestrator": "cni", "containerID": ""}, ["spec.containerID: is missing"], id="no container"
        ),
        pytest.param(
            {"orchestrator": "x", "endpoint": None},
            ["spec.workload: is missing", "spec.endpoint: is missing"],
            id="no workload and no endpoint",
        ),
        pytest.param({"node": "a-"}, ['spec.node: "a-" begins or ends with a dash'], id="dash at the end"),
        pytest.param({"pod": "-a"}, ['spec.pod: "-a" begins or ends with a dash'], id="dash at the start"),
        pytest.param({"colour": "red"}, ["spec.colour: is not a field this resource has"], id="unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_endpoint(changes: dict[str, object], sentences: list[str]) -> None:
    assert errors(SPEC | changes) == sentences


@pytest.mark.parametrize("namespace", ["a/b", "a.b", "A", "-a", "a" * 64, ".."])
def test_what_is_no_namespace(namespace: str) -> None:
    (sentence,) = errors(SPEC, NAME, namespace=namespace)
    assert sentence.startswith("metadata.namespace: ")
    assert sentence.endswith(" is not a namespace (lower case letters, digits and -, at most 63)")


@pytest.mark.parametrize(
    ("node", "namespace_and_name", "own"),
    [
        ("a", "default/a-k8s-p-eth0", True),
        ("a", "a/b-k8s-p-eth0", False),
        ("a", "default/a--b-k8s-p-eth0", False),
        ("a-b", "default/a--b-k8s-p-eth0", True),
        ("a-b", "default/a-b-k8s-p-eth0", False),
        ("a", "default/a-b-k8s-p-eth0", True),
        ("a", "default/ab-k8s-p-eth0", False),
        ("ab", "default/a-k8s-p-eth0", False),
        ("a-b", "default/a--b--c-k8s-p-eth0", False),
        ("a-b-c", "default/a--b--c-k8s-p-eth0", True),
        ("a-b-c", "default/a--b-k8s-p-eth0", False),
        ("node-1", "default/node--10-k8s-p-eth0", False),
        ("node-10", "default/node--1-k8s-p-eth0", False),
        ("a.b", "default/a.b-k8s-p-eth0", True),
        ("a", "default/a.b-k8s-p-eth0", False),
        ("a", "default/a", False),
        ("a", "default/", False),
        ("a", "a-k8s-p-eth0", False),
        ("a", "", False),
    ],
)
def test_whose_an_endpoint_is_by_its_key(node: str, namespace_and_name: str, own: bool) -> None:
    assert is_endpoint_of(f"{prefix_of('WorkloadEndpoint')}{namespace_and_name}", node) is own


def test_other_keys_are_nobodys_endpoints() -> None:
    assert not is_endpoint_of(f"{prefix_of('Node')}default/a-k8s-p-eth0", "a")
