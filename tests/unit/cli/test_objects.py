"""Stored values as objects."""

import json

from felixbgp.cli.objects import Found, as_object, exported
from felixbgp.cli.store import Stored


def stored(value: object) -> Stored:
    return Stored("k", json.dumps(value).encode(), 17)


OBJECT = {
    "status": {"x": 1},
    "spec": {"b": 1, "a": 2, "unknown": {"z": 1}},
    "metadata": {
        "labels": {"b": "", "a": ""},
        "creationTimestamp": "2024-05-01T10:00:00Z",
        "ours": 1,
        "uid": "u",
        "namespace": "n",
        "name": "x",
        "resourceVersion": "never stored",
    },
    "other": 1,
    "apiVersion": "projectcalico.org/v3",
    "kind": "Node",
}


def test_an_object_is_what_is_stored_in_gos_order_with_its_revision() -> None:
    made = as_object(stored(OBJECT))
    assert isinstance(made, dict)
    assert list(made) == ["kind", "apiVersion", "metadata", "spec", "status", "other"]
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert list(metadata) == [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "labels",
        "ours",
    ]
    assert made == {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": "17"}}  # type: ignore[dict-item]
    assert list(made["spec"]) == ["b", "a", "unknown"]  # type: ignore[call-overload]


def test_what_is_no_object_says_why() -> None:
    faults = as_object(Stored("k", b"[1]", 1))
    assert isinstance(faults, list)
    assert str(faults[0]) == "is not a JSON object"


def test_an_export_belongs_to_no_cluster() -> None:
    made = as_object(stored(OBJECT))
    assert isinstance(made, dict)
    assert exported(made)["metadata"] == {
        "name": "x",
        "creationTimestamp": None,
        "labels": {"b": "", "a": ""},
        "ours": 1,
    }
    assert made["metadata"]["uid"] == "u"  # type: ignore[index]
    assert exported({"metadata": 1}) == {"metadata": 1}


def test_a_list_has_the_revision_of_the_store() -> None:
    assert Found("Node", ({"a": 1},), 9).as_object() == {
        "kind": "NodeList",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"resourceVersion": "9"},
        "items": [{"a": 1}],
    }
    assert Found("Node", ({"a": 1},)).as_object() == {"a": 1}
