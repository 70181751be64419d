"""Edits of stored documents: what changes, what stays, and what is refused."""

import json
from typing import Any

import pytest

from felixbgp.resources import encode, validate
from felixbgp.resources.decode import MODELS, parse_json
from felixbgp.resources.editing import (
    annotated,
    completed,
    labelled,
    overlaid,
    patched,
    reported,
    validate_edited,
    without_report,
    written,
)
from tests.support.documents import document

STORED: dict[str, Any] = {
    "kind": "BGPConfiguration",
    "apiVersion": "projectcalico.org/v3",
    "newer": {"z": 1, "a": [2]},
    "metadata": {
        "name": "default",
        "uid": "u",
        "creationTimestamp": "2024-05-01T10:00:00Z",
        "labels": {"a": "1", "b": "2"},
        "annotations": {"c": "3"},
        "finalizers": ["f"],
        "ownerReferences": [{"uid": "o"}],
        "newer": None,
    },
    "spec": {
        "newer": [1],
        "asNumber": 64512,
        "nodeMeshPassword": {"newer": 1, "secretKeyRef": {"name": "s", "key": "k", "newer": 2}},
        "serviceClusterIPs": [{"cidr": "10.1.0.0/16", "newer": 3}, {"cidr": "10.2.0.0/16", "newer": 4}],
    },
}


def wanted(spec: object, name: str = "default", kind: str = "BGPConfiguration", **metadata: Any) -> Any:
    """A file as the command reads and writes it."""
    resource = validate(document(kind, spec, name, **metadata))
    assert not isinstance(resource, list), resource
    return json.loads(encode(resource))


def refused(edited: dict[str, object], stored: dict[str, object] = STORED) -> list[str]:
    found = validate_edited(edited, stored)
    assert isinstance(found, list), found
    return [str(error) for error in found]


def test_a_file_over_the_stored_object() -> None:
    spec = {
        "asNumber": "64513",
        "nodeMeshPassword": {"secretKeyRef": {"name": "t", "key": "k"}},
        "serviceClusterIPs": [{"cidr": "10.1.0.0/16"}, {"cidr": "10.3.0.0/16"}],
        "listenPort": 178,
    }
    result = overlaid(STORED, wanted(spec, labels={"b": "9"}, uid="other", resourceVersion="7"))
    assert result == STORED | {
        "metadata": {
            "name": "default",
            "uid": "u",
            "creationTimestamp": "2024-05-01T10:00:00Z",
            "labels": {"b": "9"},
            "finalizers": ["f"],
            "ownerReferences": [{"uid": "o"}],
            "newer": None,
        },
        "spec": {
            "newer": [1],
            "asNumber": 64513,
            "nodeMeshPassword": {"newer": 1, "secretKeyRef": {"name": "t", "key": "k", "newer": 2}},
            "serviceClusterIPs": [{"cidr": "10.1.0.0/16", "newer": 3}, {"cidr": "10.3.0.0/16"}],
            "listenPort": 178,
        },
    }
    assert list(result) == list(STORED)
    assert not isinstance(validate_edited(result, STORED), list)


def test_what_the_file_leaves_out_goes_with_what_was_in_it() -> None:
    result = overlaid(STORED, wanted({}))
    assert result["spec"] == {"newer": [1]}


def test_an_object_of_which_nothing_is_known_is_not_the_files_to_leave_out() -> None:
    stored = document("Node", {"bgp": {"newer": 1}, "wireguard": {}})
    result = overlaid(stored, wanted({"addresses": []}, "x", "Node"))
    assert result["spec"] == {"bgp": {"newer": 1}, "addresses": []}
    resource = validate_edited(result, stored)
    assert not isinstance(resource, list)
    assert completed(result, resource) == result


@pytest.mark.parametrize(
    ("kind", "before", "after", "kept"),
    [
        pytest.param(
            "BGPFilter",
            {"importV6": [{"cidr": "5000::0/64", "matchOperator": "In", "action": "Accept", "newer": 1}]},
            {"importV6": [{"cidr": "5000::/64", "matchOperator": "In", "action": "Accept"}]},
            True,
            id="a rule that says the same in other words",
        ),
        pytest.param(
            "BGPFilter",
            {"importV4": [{"action": "Accept", "newer": 1}]},
            {"importV4": [{"action": "Reject"}]},
            False,
            id="another rule in its place",
        ),
        pytest.param(
            "BGPFilter",
            {"importV4": [{"action": "Accept", "newer": 1}]},
            {"importV4": [{"action": "Reject"}, {"action": "Accept"}]},
            False,
            id="the same rule in another place",
        ),
        pytest.param(
            "BGPConfiguration",
            {
                "communities": [{"name": "a", "value": "1:1", "newer": 1}],
                "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["a"]}],
            },
            {
                "communities": [{"name": "a", "value": "2:2"}],
                "prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["a"]}],
            },
            True,
            id="another value of the same name",
        ),
        pytest.param(
            "Node",
            {"addresses": [{"address": "10.0.0.1", "newer": 1}]},
            {"addresses": [{"address": "10.0.0.2"}]},
            False,
            id="another address",
        ),
        pytest.param(
            "Node",
            {"addresses": [7, {"address": "10.0.0.1", "newer": 1}]},
            {"addresses": [{"address": "10.0.0.2"}, {"address": "10.0.0.1"}]},
            True,
            id="an address beside what is none",
        ),
    ],
)  # fmt: skip
def test_the_entries_of_lists_that_stay_what_they_were(
    kind: str, before: object, after: object, kept: bool
) -> None:
    result = overlaid(document(kind, before), wanted(after, "x", kind))
    assert ("newer" in json.dumps(result)) is kept


def test_a_status_stays_and_a_new_object_may_bring_one() -> None:
    file = wanted({}, "x", "Node") | {"status": {"podCIDRs": []}}
    assert overlaid(document("Node", {}) | {"status": {"newer": 1}}, file)["status"] == {"newer": 1}
    assert overlaid(document("Node", {}), file)["status"] == {"podCIDRs": []}


@pytest.mark.parametrize(
    ("stored", "patch", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": 2}, {"a": None, "x": None}, {"b": 2}),
        ({}, {"a": {"b": {"c": 1, "d": None}}}, {"a": {"b": {"c": 1}}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1}}, {}, {"a": {"b": 1}}),
    ],
)
def test_a_patch(stored: dict[str, object], patch: dict[str, object], result: dict[str, object]) -> None:
    before = json.dumps(stored)
    assert patched(stored, patch) == result
    assert json.dumps(stored) == before


def test_a_patch_unites_labels_and_is_written_as_calico_writes_it() -> None:
    edited = patched(STORED, {"metadata": {"labels": {"b": None, "c": "3"}}, "spec": {"asNumber": "64513"}})
    resource = validate_edited(edited, STORED)
    assert not isinstance(resource, list), resource
    result = completed(edited, resource)
    assert result == STORED | {
        "metadata": STORED["metadata"] | {"labels": {"a": "1", "c": "3"}},
        "spec": STORED["spec"] | {"asNumber": 64513},
    }


def test_a_pool_is_completed_with_its_defaults() -> None:
    stored = document("IPPool", {"cidr": "10.0.0.0/16", "newer": 1})
    edited = patched(stored, {"spec": {"ipipMode": "Always"}})
    resource = validate_edited(edited, stored)
    assert not isinstance(resource, list)
    assert completed(edited, resource)["spec"] == {
        "cidr": "10.0.0.0/16",
        "newer": 1,
        "vxlanMode": "Never",
        "ipipMode": "Always",
        "blockSize": 26,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
    }


def test_labels_and_annotations() -> None:
    assert labelled(STORED, {"a": None, "d": ""})["metadata"] == STORED["metadata"] | {
        "labels": {"b": "2", "d": ""}
    }
    assert annotated(STORED, {"d": "4"})["metadata"] == STORED["metadata"] | {
        "annotations": {"c": "3", "d": "4"}
    }
    bare = document("Node", {})
    assert labelled(bare, {"a": "1"})["metadata"] == {"name": "x", "labels": {"a": "1"}}
    assert annotated(bare, {})["metadata"] == {"name": "x", "annotations": {}}


@pytest.mark.parametrize("broken", [{"labels": 1}, {"labels": []}])
def test_labels_that_are_none_are_left_to_the_validation(broken: dict[str, Any]) -> None:
    stored = document("Node", {}, **broken)
    assert labelled(stored, {"a": "1"}) == stored
    assert refused(stored, stored)[0].startswith("metadata.labels: ")
    no_metadata = document("Node", {}) | {"metadata": 1}
    assert labelled(no_metadata, {"a": "1"}) == no_metadata


@pytest.mark.parametrize(
    ("patch", "sentences"),
    [
        pytest.param(
            {"spec": {"colour": 1}}, ["spec.colour: is not a field this resource has"], id="a new field"
        ),
        pytest.param(
            {"spec": {"newer": [2]}}, ["spec.newer: is not a field this resource has"], id="another value"
        ),
        pytest.param(
            {"spec": {"newer": [True]}}, ["spec.newer: is not a field this resource has"], id="true for 1"
        ),
        pytest.param(
            {"spec": {"serviceClusterIPs": [{"cidr": "10.1.0.0/16", "newer": 4}]}},
            ["spec.serviceClusterIPs[0].newer: is not a field this resource has"],
            id="one of another entry",
        ),
        pytest.param({"$patch": "replace"}, ["$patch: is not a field this resource has"], id="a directive"),
        pytest.param(
            {"spec": {"asNumber": 0}},
            ["spec.asNumber: 0 is not between 1 and 4294967295"],
            id="a wrong value",
        ),
        pytest.param(
            {"metadata": {"name": "other"}},
            [
                "spec.asNumber: 64512 can only be set on the BGPConfiguration named default",
                "spec.serviceClusterIPs: can only be set on the BGPConfiguration named default",
                "spec.nodeMeshPassword: can only be set on the BGPConfiguration named default",
                'metadata.name: "other" cannot be changed; it is "default"',
            ],
            id="another name",
        ),
        pytest.param(
            {"metadata": {"uid": "v", "creationTimestamp": None}},
            [
                'metadata.uid: "v" cannot be changed; it is "u"',
                'metadata.creationTimestamp: cannot be changed; it is "2024-05-01T10:00:00Z"',
            ],
            id="what the store keeps",
        ),
        pytest.param(
            {"kind": "Pod"},
            [f'kind: "Pod" is not one of {", ".join(MODELS)}'],
            id="no kind",
        ),
    ],
)  # fmt: skip
def test_what_no_edit_may_do(patch: dict[str, object], sentences: list[str]) -> None:
    assert refused(patched(STORED, patch)) == sentences


def test_another_kind_is_refused() -> None:
    stored = document("BGPPeer", {})
    assert refused(patched(stored, {"kind": "BGPFilter"}), stored) == [
        'kind: "BGPFilter" cannot be changed; it is "BGPPeer"'
    ]


def test_an_unknown_condition_of_a_rule_does_not_stand_in_the_way_of_a_label() -> None:
    stored = document("BGPFilter", {"importV4": [{"action": "Accept", "newer": 1}]})
    edited = labelled(stored, {"a": "1"})
    resource = validate_edited(edited, stored)
    assert not isinstance(resource, list), resource
    assert completed(edited, resource)["spec"] == stored["spec"]


def test_an_annotation_that_cannot_be_read_stands_in_nobodys_way_but_its_own() -> None:
    annotation = "projectcalico.org/ASNumber"
    stored = document("Node", {}, annotations={annotation: "x"})
    assert not isinstance(validate_edited(labelled(stored, {"a": "1"}), stored), list)
    assert refused(annotated(stored, {annotation: "y"}), stored) == [
        f'metadata.annotations.{annotation}: "y" is not an AS number'
    ]
    bare = document("Node", {})
    assert len(refused(annotated(bare, {annotation: "y"}), bare)) == 1


def test_a_status_that_cannot_be_read_stands_in_nobodys_way_but_its_own() -> None:
    stored = document("Node", {}) | {"status": {"podCIDRs": ["x"]}}
    edited = labelled(stored, {"a": "1"})
    resource = validate_edited(edited, stored)
    assert not isinstance(resource, list)
    assert completed(edited, resource)["status"] == stored["status"]
    assert refused(patched(stored, {"status": {"podCIDRs": ["y"]}}), stored) == [
        'status.podCIDRs[0]: "y" is not a CIDR'
    ]


def test_the_value_is_one_line_without_the_resource_version() -> None:
    value = written(document("Node", {"ä": 1e5}, resourceVersion="7"))
    assert (
        value
        == (
            '{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"x"},"spec":{"ä":100000.0}}'
        ).encode()
    )
    assert parse_json(value) == document("Node", {"ä": 1e5})


REPORTED: dict[str, Any] = document("CalicoNodeStatus", {"node": "n", "newer": 1}, newer=2) | {"newer": 3}


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ({}, None),
        (None, None),
        ("no object", None),
        ({"lastUpdated": "x", "bgp": {"peersV4": [{"newer": 1}]}}, None),
        ({"newer": {"lastUpdated": 1}}, {"newer": {"lastUpdated": 1}}),
        ({"agent": {"birdV4": {"newer": 1, "state": "Ready"}}}, {"agent": {"birdV4": {"newer": 1}}}),
        ({"agent": "no object", "bgp": {"newer": [1]}}, {"bgp": {"newer": [1]}}),
    ],
)
def test_without_its_report_an_object_has_what_we_do_not_know(status: object, left: object) -> None:
    rest = REPORTED if left is None else REPORTED | {"status": left}
    assert without_report(REPORTED | {"status": status}) == rest
    assert without_report(rest) == rest


def test_a_report_goes_where_one_was_and_beside_what_we_do_not_know() -> None:
    rest = REPORTED | {"status": {"newer": 1, "bgp": {"newer": 2}}}
    status = {"lastUpdated": "x", "bgp": {"peersV4": [{"peerIP": "10.0.0.1"}]}}
    both = {"newer": 1, "lastUpdated": "x", "bgp": {"newer": 2, "peersV4": [{"peerIP": "10.0.0.1"}]}}
    assert reported(rest, status) == REPORTED | {"status": both}
    assert reported(REPORTED, status) == REPORTED | {"status": status}
