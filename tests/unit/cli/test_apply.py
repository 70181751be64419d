"""What `apply` writes over what is stored."""

import json

from felixbgp.cli.apply import merged
from felixbgp.cli.store import Stored
from felixbgp.resources import AnyResource, validate

UID = "00000000-0000-4000-8000-000000000000"
CREATED = "2026-01-02T03:04:05Z"


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


def written(found: AnyResource, over: Stored | None = None) -> dict[str, dict[str, object]]:
    loaded: dict[str, dict[str, object]] = json.loads(merged(found, over, uid=UID, created=CREATED))
    return loaded


def test_a_new_resource_is_stored_as_calicoctl_stores_it() -> None:
    assert merged(resource(), None, uid=UID, created=CREATED) == (
        b'{"kind":"BGPPeer","apiVersion":"projectcalico.org/v3","metadata":{"name":"x",'
        b'"uid":"00000000-0000-4000-8000-000000000000","creationTimestamp":"2026-01-02T03:04:05Z"},'
        b'"spec":{"peerIP":"192.0.2.1","asNumber":64567}}'
    )


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


def test_what_others_wrote_beside_the_spec_is_kept_labels_are_the_files() -> None:
    old = stored(
        {
            "metadata": {
                "name": "x",
                "finalizers": ["a"],
                "ownerReferences": [{"name": "o"}],
                "labels": {"old": "1"},
                "annotations": {"old": "1"},
            },
            "status": {"wireguardPublicKey": "k"},
        }
    )
    found = written(resource("Node", metadata={"name": "x", "labels": {"rack": "1"}}), old)
    assert found["metadata"]["finalizers"] == ["a"]
    assert found["metadata"]["ownerReferences"] == [{"name": "o"}]
    assert found["metadata"]["labels"] == {"rack": "1"}
    assert "annotations" not in found["metadata"]
    assert found["status"] == {"wireguardPublicKey": "k"}


def test_applying_the_same_twice_changes_nothing() -> None:
    first = merged(resource(), None, uid=UID, created=CREATED)
    assert merged(resource(), stored(first), uid="other", created="2030-01-01T00:00:00Z") == first


def test_a_broken_stored_value_is_mended() -> None:
    new = merged(resource(), None, uid=UID, created=CREATED)
    for value in (
        b"{",
        b"[]",
        b'{"metadata": 1}',
        b'{"metadata": {"uid": 1, "x": 2}}',
        b'{"status": 1}',
    ):
        assert merged(resource(), stored(value), uid=UID, created=CREATED) == new


def test_the_resource_version_is_never_stored() -> None:
    assert (
        "resourceVersion" not in written(resource(metadata={"name": "x", "resourceVersion": "7"}))["metadata"]
    )
