"""Where an agent's documents live in etcd (protos/felixbgp/v1/status.proto)."""

NODES = "/felixbgp/v1/nodes/"
"""Everything the agents publish, node by node."""
ALIVE = "alive"
STATUS = "status"


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
