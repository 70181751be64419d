"""No edit loses what a newer Calico wrote beside what is edited."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.resources import encode, validate
from felixbgp.resources.decode import parse_json
from felixbgp.resources.editing import (
    annotated,
    completed,
    labelled,
    overlaid,
    patched,
    validate_edited,
    written,
)
from felixbgp.resources.errors import Location
from felixbgp.resources.schema import value_at
from tests.support.documents import document

METADATA: dict[str, Any] = {"labels": {"a": "1"}, "annotations": {"b": "2"}, "uid": "u"}
STORED: dict[str, dict[str, object]] = {
    "Node": {
        "bgp": {"asNumber": "1.10", "ipv4Address": "10.0.0.1/24"},
        "orchRefs": [{"nodeName": "n", "orchestrator": "k8s"}],
        "addresses": [{"address": "10.0.0.1/24", "type": "CalicoNodeIP"}, {"address": "10.0.0.1"}],
        "interfaces": [{"name": "eth0", "addresses": ["10.0.0.1"]}],
        "wireguard": {"interfaceIPv4Address": "10.0.0.2"},
    },
    "BGPPeer": {
        "peerIP": "2001:db8:0::1",
        "asNumber": 1,
        "password": {"secretKeyRef": {"name": "s", "key": "k"}},
    },
    "BGPFilter": {
        "importV4": [{"action": "Reject"}, {"action": "Reject"}],
        "exportV6": [
            {
                "cidr": "5000::0/64",
                "matchOperator": "In",
                "prefixLength": {"min": 1},
                "communities": {"values": ["1:1"]},
                "operations": [
                    {"addCommunity": {"value": "1:1"}},
                    {"prependASPath": {"prefix": ["1.1"]}},
                    {"setPriority": {"value": 1}},
                ],
                "action": "Accept",
            }
        ],
    },
    "BGPConfiguration": {
        "nodeMeshPassword": {"secretKeyRef": {"name": "s", "key": "k"}},
        "serviceClusterIPs": [{"cidr": "10.1.0.1"}, {}],
        "communities": [{"name": "a", "value": "1:1"}],
        "prefixAdvertisements": [{"cidr": "10.1.0.0/16", "communities": ["a"]}],
    },
    # Not the fields of API version 1, ipip and nat-outgoing, which are written as today's, as Calico does.
    "IPPool": {"cidr": "10.0.0.0/16", "ipipMode": "Always"},
    "WorkloadEndpoint": {"orchestrator": "x", "node": "n", "workload": "w", "endpoint": "e"},
    "CalicoNodeStatus": {"node": "n", "classes": ["BGP"], "updatePeriodSeconds": 1},
}
NAMES = {"BGPConfiguration": "default", "WorkloadEndpoint": "n-x-w-e"}

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from(["newer", "zz", "Spec", "key", "$patch", "", "a.b", "[0]"])
TEXT_MAPS = (("metadata", "labels"), ("metadata", "annotations"))


def objects(value: object, place: Location = ()) -> Iterator[Location]:
    """Every object in a document whose fields our models name."""
    if isinstance(value, dict):
        if place not in TEXT_MAPS:
            yield place
        for name, inner in value.items():
            yield from objects(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, (*place, index))


@st.composite
def newer(draw: st.DrawFn) -> tuple[dict[str, object], dict[Location, object]]:
    """A stored document with fields of a newer version anywhere, and those by their places."""
    kind = draw(st.sampled_from(sorted(STORED)))
    stored: Any = deepcopy(document(kind, STORED[kind], NAMES.get(kind, "x"), **METADATA))
    if draw(st.booleans()):
        stored["status"] = {"podCIDRs": 1, "agent": {"birdV4": {}}} if kind in ("Node", "IPPool") else {}
    places = list(objects(stored))
    junk: dict[Location, object] = {}
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=5)):
        name = draw(names)
        parent: Any = value_at(stored, place)
        # `key` is a field of some objects, and then it is not of a newer version.
        if name not in parent:
            parent[name] = junk[*place, name] = draw(any_json)
    return stored, junk


def assert_kept(result: dict[str, object], junk: dict[Location, object]) -> None:
    assert {place: value_at(result, place) for place in junk} == junk
    assert parse_json(written(result)) == result


def finished(edited: dict[str, object], stored: dict[str, object]) -> dict[str, object]:
    before = json.dumps(stored)
    resource = validate_edited(edited, stored)
    assert not isinstance(resource, list), resource
    assert json.dumps(stored) == before
    return completed(edited, resource)


@given(newer())
def test_labels_and_annotations(made: tuple[dict[str, object], dict[Location, object]]) -> None:
    stored, junk = made
    for edited in (labelled(stored, {"a": None, "new": "1"}), annotated(stored, {"new": "1"})):
        assert_kept(edited, junk)
        assert_kept(finished(edited, stored), junk)


@given(newer())
def test_a_patch_of_something_else(made: tuple[dict[str, object], dict[Location, object]]) -> None:
    stored, junk = made
    patch: dict[str, object] = {"metadata": {"labels": {"a": "3"}}, "spec": {}}
    if stored["kind"] == "BGPPeer":
        patch["spec"] = {"asNumber": "7", "peerIP": "10.0.0.9:5"}
    result = finished(patched(stored, patch), stored)
    assert_kept(result, junk)
    assert value_at(result, ("metadata", "labels", "a")) == "3"
    if stored["kind"] == "BGPPeer":
        assert value_at(result, ("spec", "asNumber")) == 7


@given(newer(), st.booleans())
def test_a_file_that_says_what_is_there_already(
    made: tuple[dict[str, object], dict[Location, object]], other: bool
) -> None:
    stored, junk = made
    kind = str(stored["kind"])
    spec = STORED[kind] | ({"node": "m"} if other and kind == "BGPPeer" else {})
    file = validate(document(kind, spec, NAMES.get(kind, "x"), labels={"b": "2"}))
    assert not isinstance(file, list)
    result = overlaid(stored, json.loads(encode(file)))
    assert_kept(result, junk)
    assert not isinstance(validate_edited(result, stored), list)
    assert value_at(result, ("metadata", "labels")) == {"b": "2"}
