"""What every resource has around its spec: every rule that refuses it, with its sentence."""

from typing import Any

import pytest

from felixbgp.resources import encode, validate
from felixbgp.resources.base import MAX_ANNOTATION_BYTES
from tests.support.documents import accepted, document, refused

NO_NAME = "is not a name (lower case letters, digits, - and ., at most 253)"
NO_LABEL = "is not a label name ([domain/]name, the name at most 63)"
NO_VALUE = "is not a label value (at most 63 of a-z A-Z 0-9 - _ .)"
NO_ANNOTATION = "is not an annotation name ([domain/]name)"


@pytest.mark.parametrize("name", ["a", "0", "a-b.c-d", "a" * 253])
def test_names(name: str) -> None:
    accepted("Node", {}, name)


@pytest.mark.parametrize(
    "name", ["X", "a_b", "-a", "a-", "a.", ".a", "a..b", "a.-b", "a/b", "a b", "ä", "a" * 254, "a\n"]
)
def test_what_is_no_name(name: str) -> None:
    (sentence,) = refused("Node", {}, name)
    assert sentence.startswith("metadata.name: ")
    assert sentence.endswith(NO_NAME)


@pytest.mark.parametrize("key", ["a", "A", "a.b_c-d", "x.y/A", "a" * 63, f"{'d' * 253}/a"])
@pytest.mark.parametrize("value", ["", "a", "A.b_c-d", "v" * 63])
def test_labels(key: str, value: str) -> None:
    accepted("Node", {}, labels={key: value})


@pytest.mark.parametrize(
    ("labels", "sentences"),
    [
        ({"a b": ""}, [f'metadata.labels: "a b" {NO_LABEL}']),
        ({"": ""}, [f'metadata.labels: "" {NO_LABEL}']),
        ({"-a": ""}, [f'metadata.labels: "-a" {NO_LABEL}']),
        ({"a-": ""}, [f'metadata.labels: "a-" {NO_LABEL}']),
        ({"/a": ""}, [f'metadata.labels: "/a" {NO_LABEL}']),
        ({"a/": ""}, [f'metadata.labels: "a/" {NO_LABEL}']),
        ({"a/b/c": ""}, [f'metadata.labels: "a/b/c" {NO_LABEL}']),
        ({"A.b/c": ""}, [f'metadata.labels: "A.b/c" {NO_LABEL}']),
        ({"a" * 64: ""}, [f'metadata.labels: "{"a" * 64}" {NO_LABEL}']),
        ({"a": "b c"}, [f'metadata.labels.a: "b c" {NO_VALUE}']),
        ({"a": "-b"}, [f'metadata.labels.a: "-b" {NO_VALUE}']),
        ({"a": "x/y"}, [f'metadata.labels.a: "x/y" {NO_VALUE}']),
        ({"a": "v" * 64}, [f'metadata.labels.a: "{"v" * 64}" {NO_VALUE}']),
        ({"a": 1}, ["metadata.labels.a: 1 is not a text"]),
        ({"a": None}, ["metadata.labels.a: null is not a text"]),
        ({"a": True}, ["metadata.labels.a: true is not a text"]),
        ([], ["metadata.labels: a list is not an object"]),
        (
            {"a b": "c d", "e": "f g"},
            [
                f'metadata.labels: "a b" {NO_LABEL}',
                f'metadata.labels.a b: "c d" {NO_VALUE}',
                f'metadata.labels.e: "f g" {NO_VALUE}',
            ],
        ),
    ],
)
def test_what_is_wrong_with_labels(labels: object, sentences: list[str]) -> None:
    assert refused("Node", {}, labels=labels) == sentences


def test_annotations_may_be_anything_up_to_a_limit_in_bytes() -> None:
    accepted("Node", {}, annotations={"Upper.Case/Name": "any text\n"})
    accepted("Node", {}, annotations={"a": "b" * (MAX_ANNOTATION_BYTES - 1)})
    for text in ("b" * MAX_ANNOTATION_BYTES, "ä" * (MAX_ANNOTATION_BYTES // 2)):
        assert refused("Node", {}, annotations={"a": text}) == [
            "metadata.annotations: has 262145 bytes, which is more than 262144"
        ]


@pytest.mark.parametrize(
    ("annotations", "sentences"),
    [
        ({"a b": ""}, [f'metadata.annotations: "a b" {NO_ANNOTATION}']),
        ({"a" * 64: ""}, [f'metadata.annotations: "{"a" * 64}" {NO_ANNOTATION}']),
        ({"a": 1}, ["metadata.annotations.a: 1 is not a text"]),
        ("a", ['metadata.annotations: "a" is not an object']),
    ],
)
def test_what_is_wrong_with_annotations(annotations: object, sentences: list[str]) -> None:
    assert refused("Node", {}, annotations=annotations) == sentences


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"kind": None}, ["kind: is missing"]),
        ({"apiVersion": None}, ["apiVersion: is missing"]),
        ({"apiVersion": "v1"}, ["apiVersion: \"v1\" is not 'projectcalico.org/v3'"]),
        ({"metadata": None}, ["metadata: is missing"]),
        ({"metadata": {}}, ["metadata.name: is missing"]),
        ({"metadata": {"generateName": "x-"}}, ["metadata.name: is missing"]),
        ({"metadata": {"name": 1}}, ["metadata.name: 1 is not a text"]),
        ({"metadata": {"name": "x", "uid": 1}}, ["metadata.uid: 1 is not a text"]),
        ({"metadata": {"name": "x", "resourceVersion": 7}}, ["metadata.resourceVersion: 7 is not a text"]),
        ({"metadata": {"name": "x", "colour": 1}}, ["metadata.colour: is not a field this resource has"]),
        ({"metadata": "x"}, ['metadata: "x" is not an object']),
        ({"spec": []}, ["spec: a list is not an object"]),
        ({"extra": 1}, ["extra: is not a field this resource has"]),
    ],
)
def test_what_is_wrong_around_the_spec(changes: dict[str, object], sentences: list[str]) -> None:
    found = validate(document("Node", {}) | changes)
    assert isinstance(found, list)
    assert [str(error) for error in found] == sentences


def test_what_else_kubernetes_keeps_is_kept() -> None:
    metadata: dict[str, Any] = {
        "uid": "u",
        "generation": 3,
        "creationTimestamp": "2024-05-01T10:00:00Z",
        "deletionTimestamp": "2024-05-01T10:00:00Z",
        "deletionGracePeriodSeconds": 0,
        "ownerReferences": [{"kind": "Pod"}],
        "finalizers": ["f"],
        "managedFields": [{"manager": "m"}],
    }
    written = encode(accepted("Node", {}, **metadata))
    for name in metadata:
        assert f'"{name}":' in written.decode()
