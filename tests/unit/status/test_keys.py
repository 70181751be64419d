"""Keys of the published documents."""

import pytest

from felixbgp.status.keys import NODES, alive_key, parse_key, status_key


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
        "/x/a/status",
    ],
)
def test_any_other_key_is_nobodys(key: str) -> None:
    assert parse_key(key) is None
