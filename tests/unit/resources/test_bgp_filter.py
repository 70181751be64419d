"""BGPFilters: every rule that refuses one, with the sentence it is refused in."""

import json

import pytest

from felixbgp.resources import encode
from tests.support.documents import accepted, refused

ACCEPT: dict[str, object] = {"action": "Accept"}
IN: dict[str, object] = ACCEPT | {"cidr": "10.0.0.0/8", "matchOperator": "In"}
NO_PATTERN = "is not a pattern of an interface name (up to 15 of a-z A-Z 0-9 _ . - *)"
NO_COMMUNITY = "is not a community; write aa:nn or aa:nn:mm"
ONE_OPERATION = "must have exactly one of addCommunity, prependASPath and setPriority"
PRIORITY = "is not between 1 and 2147483646"


def operation(value: object) -> dict[str, object]:
    return ACCEPT | {"operations": [value]}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({}, "action: is missing"),
        ({"action": ""}, "action: is missing"),
        ({"action": "Drop"}, "action: \"Drop\" is not 'Accept' or 'Reject'"),
        ({"action": "accept"}, "action: \"accept\" is not 'Accept' or 'Reject'"),
        (IN | {"cidr": "10.0.0.1/8"}, 'cidr: "10.0.0.1/8" has host bits set; the network is 10.0.0.0/8'),
        (IN | {"cidr": "10.0.0.0/33"}, 'cidr: "10.0.0.0/33" is not a CIDR'),
        (IN | {"cidr": "10.0.0.0/"}, 'cidr: "10.0.0.0/" is not a CIDR'),
        (IN | {"cidr": "all"}, 'cidr: "all" is not a CIDR'),
        (IN | {"cidr": 10}, "cidr: 10 is not a CIDR"),
        (IN | {"cidr": "2001:db8::/32"}, 'cidr: "2001:db8::/32" is not IPv4'),
        (
            ACCEPT | {"cidr": "10.0.0.0/8"},
            "matchOperator: is missing: a cidr needs Equal, NotEqual, In or NotIn",
        ),
        (ACCEPT | {"matchOperator": "In"}, "cidr: is missing: matchOperator needs one"),
        (IN | {"matchOperator": "in"}, "matchOperator: \"in\" is not 'Equal', 'NotEqual', 'In' or 'NotIn'"),
        (ACCEPT | {"prefixLength": {"min": 8}}, "prefixLength: can only be set together with cidr"),
        (IN | {"prefixLength": {"max": 33}}, "prefixLength.max: 33 is not between 0 and 32"),
        (IN | {"prefixLength": {"min": 33}}, "prefixLength.min: 33 is not between 0 and 32"),
        (IN | {"prefixLength": {"min": -1}}, "prefixLength.min: -1 is not between 0 and 32"),
        (IN | {"prefixLength": {"min": "8"}}, 'prefixLength.min: "8" is not a whole number'),
        (IN | {"prefixLength": 8}, "prefixLength: 8 is not an object"),
        (ACCEPT | {"source": "Local"}, "source: \"Local\" is not 'RemotePeers'"),
        (ACCEPT | {"interface": "eth0/1"}, f'interface: "eth0/1" {NO_PATTERN}'),
        (ACCEPT | {"interface": "a" * 16}, f'interface: "{"a" * 16}" {NO_PATTERN}'),
        (ACCEPT | {"interface": "eth?"}, f'interface: "eth?" {NO_PATTERN}'),
        (ACCEPT | {"peerType": "ebgp"}, "peerType: \"ebgp\" is not 'eBGP' or 'iBGP'"),
        (ACCEPT | {"communities": {}}, "communities.values: is missing"),
        (
            ACCEPT | {"communities": {"values": []}},
            "communities.values: a list does not have exactly 1 entry",
        ),
        (
            ACCEPT | {"communities": {"values": ["1:2", "3:4"]}},
            "communities.values: a list does not have exactly 1 entry",
        ),
        (
            ACCEPT | {"communities": {"values": ["65536:2"]}},
            f'communities.values[0]: "65536:2" {NO_COMMUNITY}',
        ),
        (
            ACCEPT | {"communities": {"values": ["1:65536"]}},
            f'communities.values[0]: "1:65536" {NO_COMMUNITY}',
        ),
        (
            ACCEPT | {"communities": {"values": ["4294967296:1:1"]}},
            f'communities.values[0]: "4294967296:1:1" {NO_COMMUNITY}',
        ),
        (ACCEPT | {"communities": {"values": ["1"]}}, f'communities.values[0]: "1" {NO_COMMUNITY}'),
        (
            ACCEPT | {"communities": {"values": ["1:2:3:4"]}},
            f'communities.values[0]: "1:2:3:4" {NO_COMMUNITY}',
        ),
        (ACCEPT | {"communities": {"values": ["1:-2"]}}, f'communities.values[0]: "1:-2" {NO_COMMUNITY}'),
        (ACCEPT | {"communities": {"values": [12]}}, "communities.values[0]: 12 is not a text"),
        (ACCEPT | {"asPathPrefix": [1, 0]}, "asPathPrefix[1]: 0 is not between 1 and 4294967295"),
        (ACCEPT | {"asPathPrefix": 1}, "asPathPrefix: 1 is not a list"),
        (ACCEPT | {"priority": 0}, f"priority: 0 {PRIORITY}"),
        (ACCEPT | {"priority": 2147483647}, f"priority: 2147483647 {PRIORITY}"),
        (
            {"action": "Reject", "operations": [{"setPriority": {"value": 1}}]},
            "operations: can only be set together with action Accept",
        ),
        (ACCEPT | {"operations": []}, "operations: a list does not have 1 to 10 entries"),
        (
            ACCEPT | {"operations": [{"setPriority": {"value": 1}}] * 11},
            "operations: a list does not have 1 to 10 entries",
        ),
        (operation({}), f"operations[0]: {ONE_OPERATION}"),
        (operation({"setPriority": None}), f"operations[0]: {ONE_OPERATION}"),
        (
            operation({"setPriority": {"value": 1}, "addCommunity": {"value": "1:1"}}),
            f"operations[0]: {ONE_OPERATION}",
        ),
        (operation({"setPriority": {"value": 0}}), f"operations[0].setPriority.value: 0 {PRIORITY}"),
        (operation({"setPriority": {}}), "operations[0].setPriority.value: is missing"),
        (
            operation({"addCommunity": {"value": "x"}}),
            f'operations[0].addCommunity.value: "x" {NO_COMMUNITY}',
        ),
        (
            operation({"prependASPath": {"prefix": []}}),
            "operations[0].prependASPath.prefix: a list does not have 1 to 10 entries",
        ),
        (
            operation({"prependASPath": {"prefix": [1] * 11}}),
            "operations[0].prependASPath.prefix: a list does not have 1 to 10 entries",
        ),
        (
            operation({"prependASPath": {"prefix": ["1.x"]}}),
            'operations[0].prependASPath.prefix[0]: "1.x" is not an AS number',
        ),
        (ACCEPT | {"matches": 1}, "matches: is not a field this resource has"),
    ],
)
def test_what_is_wrong_with_a_rule(rule: object, sentence: str) -> None:
    assert refused("BGPFilter", {"exportV4": [ACCEPT, rule]}) == [f"spec.exportV4[1].{sentence}"]


@pytest.mark.parametrize("field", ["exportV6", "importV6"])
def test_rules_for_ipv6(field: str) -> None:
    six = ACCEPT | {"cidr": "2001:db8::/32", "matchOperator": "In"}
    accepted("BGPFilter", {field: [six | {"prefixLength": {"min": 0, "max": 128}}]})
    assert refused("BGPFilter", {field: [six | {"prefixLength": {"max": 129}}]}) == [
        f"spec.{field}[0].prefixLength.max: 129 is not between 0 and 128"
    ]
    assert refused("BGPFilter", {field: [IN]}) == [f'spec.{field}[0].cidr: "10.0.0.0/8" is not IPv6']


def test_lists_of_rules() -> None:
    assert refused("BGPFilter", {"importV4": ACCEPT, "exportV6": ["Accept"]}) == [
        "spec.importV4: an object is not a list",
        'spec.exportV6[0]: "Accept" is not an object',
    ]


def test_a_filter_with_every_field() -> None:
    rule: dict[str, object] = {
        "cidr": "10.0.0.0/8",
        "prefixLength": {"min": 0, "max": 32},
        "source": "RemotePeers",
        "interface": "*",
        "matchOperator": "NotIn",
        "peerType": "iBGP",
        "communities": {"values": ["4294967295:0:1"]},
        "asPathPrefix": [1, 2],
        "priority": 2147483646,
        "action": "Accept",
        "operations": [
            {"addCommunity": {"value": "65535:65535"}},
            {"prependASPath": {"prefix": [1, 1]}},
            {"setPriority": {"value": 1}},
        ],
    }
    spec = {"exportV4": [rule], "importV4": [], "exportV6": [ACCEPT], "importV6": [{"action": "Reject"}]}
    assert json.loads(encode(accepted("BGPFilter", spec)))["spec"] == spec


def test_a_cidr_may_be_a_bare_address_or_spelled_with_a_zero_too_many() -> None:
    rules = [IN | {"cidr": "10.0.0.1"}]
    written = json.loads(encode(accepted("BGPFilter", {"importV4": rules})))
    assert written["spec"]["importV4"][0]["cidr"] == "10.0.0.1/32"
    rules = [IN | {"cidr": "5000::0/64"}]
    written = json.loads(encode(accepted("BGPFilter", {"importV6": rules})))
    assert written["spec"]["importV6"][0]["cidr"] == "5000::/64"
