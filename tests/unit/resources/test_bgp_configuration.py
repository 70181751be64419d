"""BGPConfigurations: every rule that refuses one, with the sentence it is refused in."""

import json

import pytest

from felixbgp.resources import encode
from felixbgp.resources.bgp_configuration import ONLY_ON_DEFAULT
from tests.support.documents import accepted, refused

BLUE = {"name": "blue", "value": "1:2"}
SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
WITHOUT_MESH = "cannot be set while nodeToNodeMeshEnabled is false"
DEFAULT_ONLY = "can only be set on the BGPConfiguration named default"
NO_PATTERN = "is not a pattern of an interface name (up to 15 of a-z A-Z 0-9 _ . - *)"
UNDEFINED = "is no community and no name in communities"
PROGRAM = "'Enabled', 'Disabled', 'EnabledIPIPOnly' or 'EnabledNoEncapOnly'"
PRIORITY = "is not between 1 and 2147483646"
NO_COMMUNITY = "is not a community; write aa:nn or aa:nn:mm"


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("nodeToNodeMeshEnabled", True, "true"),
        ("nodeToNodeMeshEnabled", False, "false"),
        ("asNumber", "1.1", "65537"),
        ("serviceLoadBalancerIPs", [{"cidr": "10.0.0.0/8"}], ""),
        ("serviceExternalIPs", [{}], ""),
        ("serviceClusterIPs", [{}], ""),
        ("nodeMeshPassword", SECRET, ""),
        ("nodeMeshMaxRestartTime", "10s", '"10s"'),
    ],
)
@pytest.mark.parametrize("name", ["node.n1", "other"])
def test_what_only_the_default_may_have(name: str, field: str, value: object, shown: str) -> None:
    spec = {field: value, "listenPort": 180}
    assert refused("BGPConfiguration", spec, name) == [f"spec.{field}: {f'{shown} {DEFAULT_ONLY}'.lstrip()}"]
    accepted("BGPConfiguration", spec, "default")


def test_every_field_of_the_default_is_in_that_table() -> None:
    assert len(ONLY_ON_DEFAULT) == 7


def test_lists_without_entries_say_nothing() -> None:
    accepted("BGPConfiguration", {"serviceClusterIPs": [], "serviceExternalIPs": []}, "node.n1")


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        pytest.param(
            {"nodeToNodeMeshEnabled": False, "nodeMeshMaxRestartTime": "10s", "nodeMeshPassword": SECRET},
            [
                f"spec.nodeMeshPassword: {WITHOUT_MESH}",
                f'spec.nodeMeshMaxRestartTime: "10s" {WITHOUT_MESH}',
            ],
            id="mesh settings without a mesh",
        ),
        pytest.param(
            {"communities": [BLUE]},
            ["spec.communities: has no use without prefixAdvertisements"],
            id="communities without use",
        ),
        pytest.param(
            {
                "communities": [BLUE],
                "prefixAdvertisements": [
                    {"cidr": "10.0.0.0/8", "communities": ["blue", "1:2", "1:2:3"]},
                    {"cidr": "11.0.0.0/8", "communities": ["red", "blue", "65536:1", "4294967296:1:1"]},
                ],
            },
            [
                f'spec.prefixAdvertisements[1].communities[0]: "red" {UNDEFINED}',
                f'spec.prefixAdvertisements[1].communities[2]: "65536:1" {UNDEFINED}',
                f'spec.prefixAdvertisements[1].communities[3]: "4294967296:1:1" {UNDEFINED}',
            ],
            id="a community that is not defined",
        ),
    ],
)
def test_rules_between_fields(spec: object, sentences: list[str]) -> None:
    assert refused("BGPConfiguration", spec, "default") == sentences


def test_mesh_settings_go_with_a_mesh_that_is_on_or_not_spoken_of() -> None:
    for mesh in ({}, {"nodeToNodeMeshEnabled": True}):
        spec = mesh | {"nodeMeshPassword": SECRET, "nodeMeshMaxRestartTime": "10s"}
        accepted("BGPConfiguration", spec, "default")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"logSeverityScreen": "Loud"},
            'logSeverityScreen: "Loud" is not Trace, Debug, Info, Warning, Error or Fatal',
        ),
        ({"logSeverityScreen": 1}, "logSeverityScreen: 1 is not a text"),
        ({"nodeToNodeMeshEnabled": "false"}, 'nodeToNodeMeshEnabled: "false" is not true or false'),
        ({"asNumber": 0}, "asNumber: 0 is not between 1 and 4294967295"),
        (
            {"serviceClusterIPs": [{"cidr": "10.0.0.1/8"}]},
            'serviceClusterIPs[0].cidr: "10.0.0.1/8" has host bits set; the network is 10.0.0.0/8',
        ),
        ({"serviceExternalIPs": [{"cidr": "x"}]}, 'serviceExternalIPs[0].cidr: "x" is not a CIDR'),
        (
            {"serviceLoadBalancerIPs": ["10.0.0.0/8"]},
            'serviceLoadBalancerIPs[0]: "10.0.0.0/8" is not an object',
        ),
        (
            {"serviceLoadBalancerAggregation": "On"},
            "serviceLoadBalancerAggregation: \"On\" is not 'Enabled' or 'Disabled'",
        ),
        ({"communities": [{"value": "1:1"}], "prefixAdvertisements": []}, "communities[0].name: is missing"),
        ({"communities": [{"name": "a"}]}, "communities[0].value: is missing"),
        (
            {"communities": [{"name": "a b", "value": "1:1"}]},
            'communities[0].name: "a b" is not a name (up to 128 of a-z A-Z 0-9 _ . -)',
        ),
        (
            {"communities": [{"name": "a", "value": "65536:1"}]},
            f'communities[0].value: "65536:1" {NO_COMMUNITY}',
        ),
        (
            {"communities": [{"name": "a", "value": "1:1:4294967296"}]},
            f'communities[0].value: "1:1:4294967296" {NO_COMMUNITY}',
        ),
        ({"prefixAdvertisements": [{"communities": ["1:1"]}]}, "prefixAdvertisements[0].cidr: is missing"),
        (
            {"prefixAdvertisements": [{"cidr": "10.0.0.0/8"}]},
            "prefixAdvertisements[0].communities: is missing",
        ),
        (
            {"prefixAdvertisements": [{"cidr": "10.0.0.1/8", "communities": []}]},
            'prefixAdvertisements[0].cidr: "10.0.0.1/8" has host bits set; the network is 10.0.0.0/8',
        ),
        (
            {"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": [1]}]},
            "prefixAdvertisements[0].communities[0]: 1 is not a text",
        ),
        ({"listenPort": 0}, "listenPort: 0 is not between 1 and 65535"),
        ({"listenPort": 65536}, "listenPort: 65536 is not between 1 and 65535"),
        ({"listenPort": "179"}, 'listenPort: "179" is not a whole number'),
        (
            {"nodeMeshPassword": {"secretKeyRef": {"name": "s"}}},
            "nodeMeshPassword.secretKeyRef.key: is missing",
        ),
        (
            {"nodeMeshPassword": {"secretKeyRef": {"key": "k"}}},
            "nodeMeshPassword.secretKeyRef.name: is missing",
        ),
        ({"nodeMeshPassword": "secret"}, 'nodeMeshPassword: "secret" is not an object'),
        (
            {"nodeMeshMaxRestartTime": "x"},
            'nodeMeshMaxRestartTime: "x" is not a duration; write it as "90s" or "1m30s"',
        ),
        ({"bindMode": "nodeIP"}, "bindMode: \"nodeIP\" is not 'None' or 'NodeIP'"),
        ({"ignoredInterfaces": ["eth0", "*"]}, 'ignoredInterfaces[1]: "*" would ignore every interface'),
        ({"ignoredInterfaces": ["a" * 16]}, f'ignoredInterfaces[0]: "{"a" * 16}" {NO_PATTERN}'),
        ({"ignoredInterfaces": ["a/b"]}, f'ignoredInterfaces[0]: "a/b" {NO_PATTERN}'),
        ({"ignoredInterfaces": "eth0"}, 'ignoredInterfaces: "eth0" is not a list'),
        (
            {"localWorkloadPeeringIPV4": "fd00::1"},
            'localWorkloadPeeringIPV4: "fd00::1" is not an IPv4 address',
        ),
        (
            {"localWorkloadPeeringIPV6": "10.0.0.1"},
            'localWorkloadPeeringIPV6: "10.0.0.1" is not an IPv6 address',
        ),
        (
            {"programClusterRoutes": "Yes"},
            f'programClusterRoutes: "Yes" is not {PROGRAM}',
        ),
        ({"ipv4NormalRoutePriority": 0}, f"ipv4NormalRoutePriority: 0 {PRIORITY}"),
        ({"ipv6NormalRoutePriority": 2147483647}, f"ipv6NormalRoutePriority: 2147483647 {PRIORITY}"),
    ],
)
def test_fields_by_themselves(spec: object, sentence: str) -> None:
    assert refused("BGPConfiguration", spec, "default") == [f"spec.{sentence}"]


@pytest.mark.parametrize("word", ["Debug", "info", "WARNING", "Error", "fatal", "Trace"])
def test_severities_in_any_case(word: str) -> None:
    accepted("BGPConfiguration", {"logSeverityScreen": word}, "node.a")


def test_a_configuration_with_every_field() -> None:
    spec: dict[str, object] = {
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": True,
        "asNumber": 64513,
        "serviceLoadBalancerIPs": [{"cidr": "10.1.0.0/16"}],
        "serviceExternalIPs": [{"cidr": "10.2.0.0/16"}],
        "serviceClusterIPs": [{"cidr": "10.3.0.0/16"}],
        "serviceLoadBalancerAggregation": "Disabled",
        "communities": [{"name": "blue", "value": "65535:1"}],
        "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["blue", "1:2:3"]}],
        "listenPort": 178,
        "nodeMeshPassword": SECRET,
        "nodeMeshMaxRestartTime": "2m",
        "bindMode": "NodeIP",
        "ignoredInterfaces": ["eth*"],
        "localWorkloadPeeringIPV4": "169.254.0.179",
        "localWorkloadPeeringIPV6": "fe80::179",
        "programClusterRoutes": "EnabledNoEncapOnly",
        "ipv4NormalRoutePriority": 1024,
        "ipv6NormalRoutePriority": 1024,
    }
    assert json.loads(encode(accepted("BGPConfiguration", spec, "default")))["spec"] == spec
