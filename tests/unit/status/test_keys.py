"""Keys of the published documents."""

import pytest

from felixbgp.status.keys import (
    NODES,
    alive_key,
    audit_key,
    audit_request_key,
    audit_requests_prefix,
    parse_audit_request_key,
    parse_key,
    status_key,
)


def test_keys_lie_under_the_node() -> None:
    assert alive_key("node-1") == "/felixbgp/v1/nodes/node-1/alive"
    assert status_key("node-1") == "/felixbgp/v1/nodes/node-1/status"


def test_keys_are_read_back() -> None:
    assert parse_key(alive_key("node-1.example.org")) == ("node-1.example.org", "alive")
    assert parse_key(status_key("node-1")) == ("node-1", "status")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        NODES,
        NODES + "node-1",
        NODES + "node-1/",
        NODES + "/status",
        NODES + "a/status/x",
        audit_key("a"),
        audit_request_key("a", "one"),
        "/x/a/status",
    ],
)
def test_any_other_key_is_nobodys(key: str) -> None:
    assert parse_key(key) is None


def test_a_request_for_an_audit_has_an_id() -> None:
    assert audit_key("node-1") == "/felixbgp/v1/nodes/node-1/audit"
    key = audit_request_key("node-1", "0f-9A")
    assert key == "/felixbgp/v1/nodes/node-1/audit-requests/0f-9A"
    assert parse_audit_request_key(key, "node-1") == "0f-9A"


@pytest.mark.parametrize("request_id", ["", "a/b", "a b", "x" * 65, "ä", "one\n"])
def test_any_other_id_is_none(request_id: str) -> None:
    assert parse_audit_request_key(audit_requests_prefix("node-1") + request_id, "node-1") is None


def test_a_request_to_another_node_is_none_of_ours() -> None:
    assert parse_audit_request_key(audit_request_key("node-2", "one"), "node-1") is None
