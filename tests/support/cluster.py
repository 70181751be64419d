"""A simulated cluster's resources, as Calico stores them."""

import json

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import DRAINING_SECONDS
from felixbgp.net import Address, Prefix
from felixbgp.sim.node import AgentMaker, Node
from felixbgp.sim.world import World

RESOURCES = "/calico/resources/v3/projectcalico.org"
CLUSTER_ID = {"projectcalico.org/RouteReflectorClusterID": "244.0.0.1"}


def put_resource(
    world: World, kind: str, plural: str, name: str, spec: dict[str, object], **metadata: object
) -> None:
    known = {"name": name, **metadata}
    resource = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": known, "spec": spec}
    world.store.put(f"{RESOURCES}/{plural}/{name}", json.dumps(resource).encode())


def set_mesh(world: World, *, enabled: bool) -> None:
    spec: dict[str, object] = {"nodeToNodeMeshEnabled": enabled}
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", spec)


def make_reflector(world: World, number: int) -> None:
    bgp = {
        "ipv4Address": f"172.30.0.{number}/24",
        "ipv6Address": f"fd30::{number:x}/64",
        "routeReflectorClusterID": "244.0.0.1",
    }
    labels = {"reflector": "yes"}
    put_resource(
        world, "Node", "nodes", f"node-{number}", {"bgp": bgp}, labels=labels, annotations=CLUSTER_ID
    )


def peer_with_reflectors(world: World) -> None:
    spec: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "has(reflector)"}
    put_resource(world, "BGPPeer", "bgppeers", "to-reflectors", spec)


def blocks(number: int) -> tuple[Prefix, Prefix]:
    return Prefix.parse(f"10.0.{number}.0/26"), Prefix.parse(f"fd10::{number:x}00/122")


def add_node(world: World, number: int, *, forwards: bool = True) -> Node:
    """A node with an address and a block of each family; agent and resources start together."""
    name = f"node-{number}"
    bgp = {"ipv4Address": f"172.30.0.{number}/24", "ipv6Address": f"fd30::{number:x}/64"}
    put_resource(world, "Node", "nodes", name, {"bgp": bgp})
    blocks = (("ipv4", f"10.0.{number}.0-26"), ("ipv6", f"fd10::{number:x}00-122"))
    for version, block in blocks:
        key = f"/calico/ipam/v2/host/{name}/{version}/block/{block}"
        world.store.put(key, b'{"state":"confirmed"}')
    addresses = [Address.parse(f"172.30.0.{number}"), Address.parse(f"fd30::{number:x}")]
    connected = [Prefix.parse("172.30.0.0/24"), Prefix.parse("fd30::/64")]
    return world.add_node(name, addresses, connected, forwards=forwards)


def mesh(
    size: int,
    seed: int,
    *,
    draining_seconds: int = DRAINING_SECONDS,
    make_agent: AgentMaker = Agent,
    is_traced: bool = True,
) -> World:
    world = World(seed, draining_seconds=draining_seconds, make_agent=make_agent, is_traced=is_traced)
    put_resource(world, "IPPool", "ippools", "v4", {"cidr": "10.0.0.0/16", "ipipMode": "Never"})
    put_resource(world, "IPPool", "ippools", "v6", {"cidr": "fd10::/48", "ipipMode": "Never"})
    for number in range(1, size + 1):
        add_node(world, number)
    return world


def converged(world: World, size: int) -> bool:
    """Every node has every other's blocks, and its own, in the kernel."""
    return all(len(node.kernel.routes()) == 2 * size for node in world.nodes.values())
