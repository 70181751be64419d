"""Where an agent's documents live in etcd (protos/felixbgp/v1/), and what asks it for one."""

import re

NODES = "/felixbgp/v1/nodes/"
"""Everything the agents publish, node by node."""
RESETS = "/felixbgp/v1/resets/"
"""Who stands in line to reset sessions, by node: in the order in which the keys were created."""
ALIVE = "alive"
STATUS = "status"
_AUDIT = "audit"
_AUDIT_REQUESTS = "audit-requests/"
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
"""Whoever asks makes one up: enough for a UUID, and short in a log."""


def prefix_of_node(node: str) -> str:
    """What all keys of one node begin with."""
    return f"{NODES}{node}/"


def alive_key(node: str) -> str:
    """The leased key that exists as long as the node's agent runs."""
    return prefix_of_node(node) + ALIVE


def status_key(node: str) -> str:
    """The durable key of the node's last known status."""
    return prefix_of_node(node) + STATUS


def parse_key(key: str) -> tuple[str, str] | None:
    """The node and the document's name (`alive` or `status`) of one of our keys; None for any other key."""
    if not key.startswith(NODES):
        return None
    node, slash, document = key.removeprefix(NODES).partition("/")
    if not (node and slash and document in (ALIVE, STATUS)):
        return None
    return node, document


def resets_key(node: str) -> str:
    """The leased key by which a node stands in line for its turn to reset sessions."""
    return RESETS + node


def audit_key(node: str) -> str:
    """The durable key of the last audit that somebody asked for."""
    return prefix_of_node(node) + _AUDIT


def audit_requests_prefix(node: str) -> str:
    """What the keys of all who ask a node for an audit begin with."""
    return prefix_of_node(node) + _AUDIT_REQUESTS


def audit_request_key(node: str, request: str) -> str:
    """The leased key of one who asks, who made up the id `request`."""
    return audit_requests_prefix(node) + request


def parse_audit_request_key(key: str, node: str) -> str | None:
    """The id of a request for an audit of this node; None for a key that has none."""
    request = key.removeprefix(audit_requests_prefix(node))
    return request if _REQUEST_ID.fullmatch(request) else None
