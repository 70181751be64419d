"""What a Calico cluster of this shape has in etcd: nodes, pools and affinities, as Calico writes them."""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from felixbgp.lab.plan import POOL_V4, POOL_V6, LabPlan, Node

RESOURCES = "/calico/resources/v3/projectcalico.org/"
NODES = f"{RESOURCES}nodes/"
AFFINITIES = "/calico/ipam/v2/host/"
CREATED = "2024-05-01T10:00:00Z"
"""Calico stamps its objects; the lab's are all of one age, so that what it writes can be compared."""


def cluster_resources(plan: LabPlan) -> dict[str, str]:
    """Every key and value that `lab up` writes."""
    values = pool_resource(4)
    if plan.ipv6:
        values |= pool_resource(6)
    for node in plan.nodes:
        values |= node_resources(node)
    return values


def node_resources(node: Node) -> dict[str, str]:
    """A node and its blocks."""
    bgp = {"ipv4Address": f"{node.ipv4}/16"} | ({"ipv6Address": f"{node.ipv6}/64"} if node.ipv6 else {})
    addresses = [
        {"address": address, "type": "CalicoNodeIP"} for address in (node.ipv4, node.ipv6) if address
    ]
    labels = {"labels": {"rack": node.rack}}
    values = _resource("Node", "nodes", node.name, {"addresses": addresses, "bgp": bgp}, labels)
    values[affinity_key(node.name, node.block_v4)] = _affinity()
    if node.block_v6:
        values[affinity_key(node.name, node.block_v6)] = _affinity()
    return values


def pool_resource(version: int, ipip_mode: str = "Never") -> dict[str, str]:
    """The pool of all blocks of one family; `ipip_mode` is Never, Always or CrossSubnet."""
    spec = {
        "cidr": POOL_V4 if version == 4 else POOL_V6,
        "vxlanMode": "Never",
        "ipipMode": ipip_mode,
        "natOutgoing": False,
        "blockSize": 26 if version == 4 else 122,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
    }
    return _resource("IPPool", "ippools", f"default-ipv{version}-ippool", spec)


def peer_resource(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """A BGPPeer as `calicoctl` stores it."""
    return _resource("BGPPeer", "bgppeers", name, spec)


def filter_resource(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """A BGPFilter as `calicoctl` stores it."""
    return _resource("BGPFilter", "bgpfilters", name, spec)


def configuration_resource(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    """A BGPConfiguration as `calicoctl` stores it."""
    return _resource("BGPConfiguration", "bgpconfigurations", name, spec)


def workload_resource(
    node: str, name: str, addresses: Iterable[str], labels: Mapping[str, str]
) -> dict[str, str]:
    """The endpoint of a workload on a node, in the namespace `default`, with host networks and labels."""
    full = "-".join(part.replace("-", "--") for part in (node, "openstack", name, "eth0"))
    spec = {
        "orchestrator": "openstack",
        "node": node,
        "workload": name,
        "endpoint": "eth0",
        "ipNetworks": [f"{address}/{128 if ':' in address else 32}" for address in addresses],
        "interfaceName": f"cali{name[:11]}",
    }
    metadata = {"namespace": "default", "labels": dict(labels)}
    return _resource("WorkloadEndpoint", "workloadendpoints/default", full, spec, metadata)


def affinity_key(node: str, block: str) -> str:
    """Where Calico's IPAM notes that a block belongs to a node."""
    version = 6 if ":" in block else 4
    return f"{AFFINITIES}{node}/ipv{version}/block/{block.replace('/', '-')}"


def _affinity() -> str:
    return _json({"state": "confirmed", "deleted": False})


def _resource(
    kind: str, plural: str, name: str, spec: Mapping[str, Any], more: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """One key and its value; `more` are fields of its metadata beside those that every object has."""
    metadata = {"name": name, "uid": _uid(plural, name), "creationTimestamp": CREATED} | dict(more or {})
    value = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": dict(spec)}
    return {f"{RESOURCES}{plural}/{name}": _json(value)}


def _uid(plural: str, name: str) -> str:
    # The same every time for an object, so that labs are alike.

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plural}/{name}"))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
