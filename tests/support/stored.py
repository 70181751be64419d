"""Keys and values of a store, as operators write them, for whatever reads a whole store."""

import json

from felixbgp.net import Prefix
from felixbgp.resources.keys import AffinityKey, ResourceKey

Item = tuple[str, bytes]


def resource(kind: str, name: str, spec: dict[str, object], **metadata: object) -> Item:
    document = {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    return str(ResourceKey(kind, name)), json.dumps(document).encode()


def node(number: int, *, labels: dict[str, str] | None = None, **bgp: object) -> Item:
    """One with an IPv4 address."""
    spec: dict[str, object] = {"bgp": {"ipv4Address": f"172.30.0.{number}/24", **bgp}}
    return resource("Node", f"node-{number}", spec, labels=labels or {})


def block(number: int, state: str = "confirmed") -> Item:
    """A node's block, 10.0.`number`.0/26."""
    key = AffinityKey(f"node-{number}", Prefix.parse(f"10.0.{number}.0/26"))
    return str(key), json.dumps({"state": state}).encode()


def pool(**more: object) -> Item:
    return resource("IPPool", "pool", {"cidr": "10.0.0.0/16", "ipipMode": "Never", **more})


def cluster_of(size: int) -> list[Item]:
    """So many nodes with a block each, and the pool."""
    return [pool(), *(node(number) for number in range(1, size + 1)), *map(block, range(1, size + 1))]


def without_mesh(**more: object) -> Item:
    return resource("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": False, **more})
