"""What `create`, `apply` and `replace` make of what a file states and what is stored."""

import json
import re

import pytest

from felixbgp.cli.apply import Application
from felixbgp.cli.create import Creation
from felixbgp.cli.drafting import InvalidError, RefusedError, Skipped, new_document, updated_document
from felixbgp.cli.files import Given
from felixbgp.cli.replace import Replacement
from felixbgp.cli.store import Stored
from felixbgp.resources import AnyResource, FieldError, validate
from felixbgp.resources.editing import written as to_bytes

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CREATED = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def resource(kind: str = "BGPPeer", **fields: object) -> AnyResource:
    document = {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": {"peerIP": "192.0.2.1", "asNumber": "64567"} if kind == "BGPPeer" else {},
    } | fields
    found = validate(document)
    assert not isinstance(found, list), found
    return found


def stored(document: object) -> Stored:
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Stored("/calico/resources/v3/projectcalico.org/bgppeers/x", value, 7)


Document = dict[str, dict[str, object]]


def written(found: AnyResource, over: Stored | None = None) -> Document:
    made = new_document(found) if over is None else updated_document(found, over)
    loaded: Document = json.loads(to_bytes(made))
    return loaded


def given(found: AnyResource, **document: object) -> Given:
    return Given("f.yaml: document 1 (line 1)", found, {"kind": found.kind, **document})


def test_a_new_resource_is_stored_as_calicoctl_stores_it() -> None:
    text = to_bytes(new_document(resource())).decode()
    assert re.sub(CREATED, "TIME", re.sub(UID, "UID", text)) == (
        '{"kind":"BGPPeer","apiVersion":"projectcalico.org/v3","metadata":{"name":"x",'
        '"uid":"UID","creationTimestamp":"TIME"},"spec":{"peerIP":"192.0.2.1","asNumber":64567}}'
    )


def test_a_new_resource_has_nothing_of_the_cluster_that_its_file_came_from_but_its_status() -> None:
    metadata = {"name": "x", "uid": "other", "creationTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["f"]}
    found = written(resource("Node", metadata=metadata, status={"podCIDRs": ["10.0.0.0/24"]}))
    assert found.keys() == {"kind", "apiVersion", "metadata", "spec", "status"}
    assert found["status"] == {"podCIDRs": ["10.0.0.0/24"]}
    assert found["metadata"].keys() == {"name", "uid", "creationTimestamp"}
    assert found["metadata"]["uid"] != "other"


def test_a_resource_that_exists_keeps_who_and_when_it_is() -> None:
    old = stored(
        {
            "kind": "BGPPeer",
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": "x", "uid": "old", "creationTimestamp": "2020-01-01T00:00:00Z"},
            "spec": {"peerIP": "192.0.2.9", "asNumber": 1, "keepOriginalNextHop": True},
        }
    )
    new = resource(metadata={"name": "x", "uid": "new"})
    found = written(new, old)
    assert found["metadata"] == {"name": "x", "uid": "old", "creationTimestamp": "2020-01-01T00:00:00Z"}
    assert found["spec"] == {"peerIP": "192.0.2.1", "asNumber": 64567}


def test_what_others_wrote_beside_the_spec_is_kept_and_labels_are_added_to_it() -> None:
    old = stored(
        {
            "kind": "Node",
            "apiVersion": "projectcalico.org/v3",
            "metadata": {
                "name": "x",
                "finalizers": ["a"],
                "ownerReferences": [{"name": "o"}],
                "labels": {"old": "1", "rack": "0"},
                "annotations": {"old": "1"},
            },
            "status": {"wireguardPublicKey": "k"},
        }
    )
    found = written(resource("Node", metadata={"name": "x", "labels": {"rack": "1"}}), old)
    assert found["metadata"]["finalizers"] == ["a"]
    assert found["metadata"]["ownerReferences"] == [{"name": "o"}]
    assert found["metadata"]["labels"] == {"old": "1", "rack": "1"}
    assert found["metadata"]["annotations"] == {"old": "1"}
    assert found["status"] == {"wireguardPublicKey": "k"}


def test_applying_the_same_twice_changes_nothing() -> None:
    first = to_bytes(new_document(resource()))
    assert to_bytes(updated_document(resource(), stored(first))) == first


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"metadata": 1}', b'{"metadata": {"uid": 1}}'])
def test_a_stored_value_beyond_mending_is_written_anew(value: bytes) -> None:
    found = written(resource(), stored(value))
    assert found["spec"] == {"peerIP": "192.0.2.1", "asNumber": 64567}
    assert UID.fullmatch(str(found["metadata"]["uid"]))


def test_the_resource_version_is_never_stored() -> None:
    found = written(resource(metadata={"name": "x", "resourceVersion": "7"}))
    assert "resourceVersion" not in found["metadata"]


def test_create_refuses_what_exists_unless_it_shall_be_skipped() -> None:
    existing = stored(new_document(resource()))
    with pytest.raises(RefusedError, match=r"^resource already exists: BGPPeer\(x\)$"):
        Creation(given(resource())).make(existing)
    with pytest.raises(Skipped):
        Creation(given(resource()), skip_exists=True).make(existing)
    with pytest.raises(RefusedError, match="resourceVersion must not be set"):
        Creation(given(resource(metadata={"name": "x", "resourceVersion": "7"}))).make(None)


def test_replace_refuses_what_does_not_exist() -> None:
    with pytest.raises(RefusedError, match=r"^resource does not exist: BGPPeer\(x\) with error: <nil>$"):
        Replacement(given(resource())).make(None)


@pytest.mark.parametrize("verb", [Application, Replacement])
def test_a_resource_version_must_be_the_latest(verb: type[Application]) -> None:
    existing = stored(new_document(resource()))
    with pytest.raises(RefusedError, match=r"^update conflict: BGPPeer\(x\)$"):
        verb(given(resource(metadata={"name": "x", "resourceVersion": "6"}))).make(existing)
    verb(given(resource(metadata={"name": "x", "resourceVersion": "7"}))).make(existing)


def test_a_field_of_a_newer_calico_may_come_back_as_it_is_stored_and_no_other() -> None:
    spec = {"peerIP": "192.0.2.1", "asNumber": 64567, "newer": [1]}
    document = {"apiVersion": "projectcalico.org/v3", "metadata": {"name": "x"}, "spec": spec}
    unknown = (FieldError("spec.newer", "", "is not a field this resource has"),)
    edited = given(resource(), **document)._replace(unknown=unknown)
    existing = stored({"kind": "BGPPeer", **document})
    assert Application(edited).make(existing)["spec"] == spec
    for other in (None, stored({"kind": "BGPPeer", **document, "spec": {**spec, "newer": [2]}})):
        with pytest.raises(InvalidError, match=r"BGPPeer\(x\): spec.newer: is not a field"):
            Application(edited).make(other)
