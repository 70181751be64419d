"""Everything that is wrong with a document at once: fields, and the rules between those that are right."""

import pytest

from felixbgp.resources import validate
from tests.support.documents import document


def errors(kind: str, spec: object, name: str = "x", **metadata: object) -> list[str]:
    found = validate(document(kind, spec, name, **metadata))
    assert isinstance(found, list), found
    return [str(error) for error in found]


@pytest.mark.parametrize(
    ("kind", "spec", "sentences"),
    [
        pytest.param(
            "BGPPeer",
            {"node": "a", "nodeSelector": "all()", "ttlSecurity": -1},
            [
                "spec.ttlSecurity: -1 is not between 0 and 255",
                'spec.node: "a" cannot be set together with nodeSelector',
            ],
            id="a rule beside a wrong field",
        ),
        pytest.param(
            "BGPPeer",
            {"node": "a b", "nodeSelector": "all()"},
            ['spec.node: "a b" is not a node name'],
            id="no rule about a wrong field",
        ),
        pytest.param(
            "BGPPeer",
            {"node": "a", "nodeSelector": "a"},
            ['spec.nodeSelector: "a" is not a selector: expected an operator after a at character 2'],
            id="no rule that uses a wrong field",
        ),
        pytest.param(
            "BGPPeer",
            {"peerIP": "x", "reachableBy": "10.0.0.1"},
            ['spec.peerIP: "x" is not an IP address, or IPv4:port, or [IPv6]:port'],
            id="no family of a wrong address",
        ),
        pytest.param(
            "BGPPeer",
            {"peerIP": "10.0.0.1", "asNumber": "x"},
            ['spec.asNumber: "x" is not an AS number'],
            id="a wrong field is not missing",
        ),
        pytest.param(
            "BGPPeer",
            {"node": "a", "nodeSelector": "all()", "colour": 1},
            [
                "spec.colour: is not a field this resource has",
                'spec.node: "a" cannot be set together with nodeSelector',
            ],
            id="a rule beside an unknown field",
        ),
        pytest.param(
            "BGPConfiguration",
            {"listenPort": 0, "asNumber": 1, "communities": [{"name": "a", "value": "1:1"}]},
            [
                "spec.listenPort: 0 is not between 1 and 65535",
                "spec.asNumber: 1 can only be set on the BGPConfiguration named default",
                "spec.communities: has no use without prefixAdvertisements",
            ],
            id="rules of the whole and of the spec beside a wrong field",
        ),
        pytest.param(
            "BGPConfiguration",
            {"asNumber": 1, "communities": [{"name": "a", "value": "1:1"}]},
            [
                "spec.communities: has no use without prefixAdvertisements",
                "spec.asNumber: 1 can only be set on the BGPConfiguration named default",
            ],
            id="a rule of the whole beside one of the spec",
        ),
        pytest.param(
            "BGPFilter",
            {
                "importV4": [{"action": "Accept", "matchOperator": "In"}, {"action": "No"}],
                "exportV4": [{"action": "Accept", "cidr": "fd00::/64", "matchOperator": "In"}],
            },
            [
                'spec.exportV4[0].cidr: "fd00::/64" is not IPv4',
                "spec.importV4[0].cidr: is missing: matchOperator needs one",
                "spec.importV4[1].action: \"No\" is not 'Accept' or 'Reject'",
            ],
            id="every rule of a filter for itself",
        ),
        pytest.param(
            "Node",
            {"bgp": {}, "addresses": [{"address": 1}], "orchRefs": "x"},
            [
                "spec.bgp: is empty; leave it out, or give the node an address",
                'spec.orchRefs: "x" is not a list',
                "spec.addresses[0].address: 1 is not a text",
            ],
            id="a rule of an inner object beside wrong fields",
        ),
    ],
)  # fmt: skip
def test_what_is_told_at_once(kind: str, spec: object, sentences: list[str]) -> None:
    assert errors(kind, spec) == sentences


def test_what_is_wrong_around_the_spec_does_not_hide_its_rules() -> None:
    spec = {"node": "a", "nodeSelector": "all()"}
    assert errors("BGPPeer", spec, "X", labels={"a": 1}, finalizers=1) == [
        'metadata.name: "X" is not a name (lower case letters, digits, - and ., at most 253)',
        "metadata.labels.a: 1 is not a text",
        'spec.node: "a" cannot be set together with nodeSelector',
    ]
