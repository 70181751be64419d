"""What an operator is told of rules that can never match."""

import pytest

from felixbgp.intent.unreachable import unreachable_rules
from felixbgp.resources import BgpFilter


def findings(**lists: object) -> list[str]:
    resource = {
        "kind": "BGPFilter",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "f"},
        "spec": lists,
    }
    return [str(found) for found in unreachable_rules(BgpFilter.model_validate(resource))]


def covered(field: str, by: str, verb: str = "decides") -> str:
    return f"{field}: can never match: {by} {verb} before it on every route that it would match"


def rule(cidr: str = "", operator: str = "In", **fields: object) -> dict[str, object]:
    prefix = {"cidr": cidr, "matchOperator": operator} if cidr else {}
    return {"action": "Reject", **prefix, **fields}


def test_a_filter_whose_rules_can_all_match() -> None:
    assert findings() == []
    assert findings(exportV4=[rule("10.1.0.0/16"), rule("10.0.0.0/8"), rule()]) == []


def test_every_list_is_looked_at_by_itself() -> None:
    lists = {
        "exportV4": [rule(), rule("10.0.0.0/8")],
        "importV4": [rule("10.0.0.0/8"), rule(), rule(source="RemotePeers")],
        "exportV6": [rule("fd00::/8"), rule("fd00:1::/64", "Equal")],
        "importV6": [rule("fd00:1::/64", "Equal"), rule("fd00::/8")],
    }
    assert findings(**lists) == [
        covered("spec.exportV4[1]", "spec.exportV4[0]"),
        covered("spec.importV4[2]", "spec.importV4[1]"),
        covered("spec.exportV6[1]", "spec.exportV6[0]"),
    ]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (rule("10.0.0.0/8", prefixLength={"min": 24, "max": 16}), "no prefix meets its conditions"),
        (rule("10.0.0.0/8", prefixLength={"max": 7}), "no prefix meets its conditions"),
        (rule("0.0.0.0/0", "NotIn"), "no prefix meets its conditions"),
        (
            rule("10.0.0.0/8", "Equal", prefixLength={"min": 8, "max": 24}),
            "Equal compares the prefix with all those of prefixLength at once; In asks for one of them",
        ),
    ],
)
def test_conditions_that_no_route_meets(condition: dict[str, object], reason: str) -> None:
    assert findings(exportV4=[condition]) == [f"spec.exportV4[0]: can never match: {reason}"]


def test_a_received_route_has_no_interface() -> None:
    rules = [rule(interface="eth0"), rule(interface="*")]
    assert findings(importV4=rules[:1], exportV4=rules[:1]) == [
        "spec.importV4[0]: can never match: a received route has no interface"
    ]


def test_a_rule_must_be_out_of_reach_for_every_type_of_peer_that_it_is_for() -> None:
    ebgp, ibgp = rule(peerType="eBGP"), rule(peerType="iBGP")
    assert findings(importV4=[ebgp, ibgp]) == []
    assert findings(importV4=[ebgp, rule("10.0.0.0/8")]) == []
    assert findings(importV4=[ebgp, rule("10.0.0.0/8", peerType="eBGP")]) == [
        covered("spec.importV4[1]", "spec.importV4[0]")
    ]
    assert findings(importV4=[ebgp, ibgp, rule()]) == [
        covered("spec.importV4[2]", "spec.importV4[0] and spec.importV4[1]", "decide")
    ]


def test_attributes_are_compared_too() -> None:
    coloured = {"values": ["65001:7"]}
    rules = [
        rule(communities=coloured),
        rule(communities=coloured, priority=5),
        rule(communities={"values": ["65001:7:1"]}),
        rule(asPathPrefix=[1]),
        rule(asPathPrefix=[1, 2]),
        rule(priority=5),
    ]
    assert [found.partition(":")[0] for found in findings(exportV4=rules)] == [
        "spec.exportV4[1]",
        "spec.exportV4[4]",
    ]
