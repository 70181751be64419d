"""IPPools: every rule that refuses one by itself, with the sentence it is refused in."""

import json

import pytest

from felixbgp.resources import encode
from tests.support.documents import accepted, refused

FOUR: dict[str, object] = {"cidr": "10.0.0.0/16"}
SIX: dict[str, object] = {"cidr": "fd00::/64"}
MODES = "'Never', 'Always' or 'CrossSubnet'"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "cidr: is missing"),
        ({"cidr": "10.0.0.1/16"}, 'cidr: "10.0.0.1/16" has host bits set; the network is 10.0.0.0/16'),
        ({"cidr": "x"}, 'cidr: "x" is not a CIDR'),
        ({"cidr": "10.0.0.0/27"}, 'cidr: "10.0.0.0/27" is smaller than one block (/26)'),
        ({"cidr": "10.0.0.0/26", "blockSize": 25}, 'cidr: "10.0.0.0/26" is smaller than one block (/25)'),
        ({"cidr": "fd00::/123"}, 'cidr: "fd00::/123" is smaller than one block (/122)'),
        ({"cidr": "169.254.1.0/24"}, 'cidr: "169.254.1.0/24" overlaps the link-local range 169.254.0.0/16'),
        ({"cidr": "169.0.0.0/8"}, 'cidr: "169.0.0.0/8" overlaps the link-local range 169.254.0.0/16'),
        ({"cidr": "fe80::/64"}, 'cidr: "fe80::/64" overlaps the link-local range fe80::/10'),
        ({"cidr": "fc00::/6"}, 'cidr: "fc00::/6" overlaps the link-local range fe80::/10'),
        (FOUR | {"blockSize": 33}, "blockSize: 33 is not between 20 and 32"),
        (FOUR | {"blockSize": 19}, "blockSize: 19 is not between 20 and 128"),
        (FOUR | {"blockSize": 122}, "blockSize: 122 is not between 20 and 32"),
        (FOUR | {"blockSize": "26"}, 'blockSize: "26" is not a whole number'),
        (SIX | {"blockSize": 115}, "blockSize: 115 is not between 116 and 128"),
        (SIX | {"blockSize": 129}, "blockSize: 129 is not between 20 and 128"),
        (SIX | {"blockSize": 26}, "blockSize: 26 is not between 116 and 128"),
        (SIX | {"ipipMode": "Always"}, 'ipipMode: "Always" is for IPv4 pools only'),
        (SIX | {"ipip": {"enabled": True}}, 'ipipMode: "Always" is for IPv4 pools only'),
        (
            FOUR | {"ipipMode": "CrossSubnet", "vxlanMode": "Always"},
            'ipipMode: "CrossSubnet" cannot be set together with vxlanMode Always',
        ),
        (FOUR | {"ipipMode": "always"}, f'ipipMode: "always" is not {MODES}'),
        (FOUR | {"vxlanMode": "Sometimes"}, f'vxlanMode: "Sometimes" is not {MODES}'),
        (FOUR | {"natOutgoing": 1}, "natOutgoing: 1 is not true or false"),
        (FOUR | {"disabled": "no"}, 'disabled: "no" is not true or false'),
        (FOUR | {"disableBGPExport": 0}, "disableBGPExport: 0 is not true or false"),
        (
            FOUR | {"nodeSelector": "x"},
            'nodeSelector: "x" is not a selector: expected an operator after x at character 2',
        ),
        (
            FOUR | {"namespaceSelector": "x"},
            'namespaceSelector: "x" is not a selector: expected an operator after x at character 2',
        ),
        (
            FOUR | {"allowedUses": ["Play"]},
            "allowedUses[0]: \"Play\" is not 'Workload', 'Tunnel' or 'LoadBalancer'",
        ),
        (FOUR | {"assignmentMode": "Auto"}, "assignmentMode: \"Auto\" is not 'Automatic' or 'Manual'"),
        (FOUR | {"ipip": {"mode": "Always"}}, "ipip.mode: \"Always\" is not 'always' or 'cross-subnet'"),
        (FOUR | {"nat-outgoing": 1}, "nat-outgoing: 1 is not true or false"),
    ],
)
def test_what_is_wrong_with_a_pool(spec: object, sentence: str) -> None:
    assert refused("IPPool", spec) == [f"spec.{sentence}"]


@pytest.mark.parametrize(
    "spec",
    [
        {"cidr": "10.0.0.0/26"},
        {"cidr": "10.0.0.0/20", "blockSize": 20},
        {"cidr": "10.0.0.1", "blockSize": 32},
        {"cidr": "fd00::/116", "blockSize": 116},
        {"cidr": "fd00::1/128", "blockSize": 128},
        {"cidr": "169.253.0.0/16"},
        {"cidr": "fec0::/10"},
        FOUR | {"ipipMode": "Never", "vxlanMode": "Always"},
        FOUR | {"ipipMode": "Never", "ipip": {"enabled": True}, "vxlanMode": "Always"},
        SIX | {"vxlanMode": "CrossSubnet"},
    ],
)
def test_what_is_just_right(spec: object) -> None:
    accepted("IPPool", spec)


def test_a_pool_that_is_not_used_may_be_smaller_than_a_block() -> None:
    accepted("IPPool", {"cidr": "10.0.0.0/27", "disabled": True})


def test_all_rules_at_once() -> None:
    spec = {"cidr": "fe80::/123", "blockSize": 20, "ipipMode": "Always", "vxlanMode": "Always"}
    assert refused("IPPool", spec) == [
        'spec.ipipMode: "Always" is for IPv4 pools only',
        'spec.ipipMode: "Always" cannot be set together with vxlanMode Always',
        'spec.cidr: "fe80::/123" overlaps the link-local range fe80::/10',
        "spec.blockSize: 20 is not between 116 and 128",
    ]


def test_a_pool_with_every_field() -> None:
    spec: dict[str, object] = {
        "cidr": "10.65.0.0/16",
        "vxlanMode": "Never",
        "ipipMode": "CrossSubnet",
        "natOutgoing": True,
        "disabled": True,
        "disableBGPExport": True,
        "blockSize": 28,
        "nodeSelector": "has(x)",
        "namespaceSelector": "has(y)",
        "allowedUses": ["Tunnel"],
        "assignmentMode": "Manual",
    }
    assert json.loads(encode(accepted("IPPool", spec)))["spec"] == spec
