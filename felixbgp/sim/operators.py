"""What operators do to a simulated cluster, as values: they write resources, and add and remove nodes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from felixbgp.cluster.drains import Drain, DrainPhase, drain_key
from felixbgp.net import Prefix
from felixbgp.resources.editing import patched
from felixbgp.resources.keys import ResourceKey
from felixbgp.sim import machines
from felixbgp.sim.machines import Machine
from felixbgp.sim.world import World
from felixbgp.status.drain_document import encode

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """Write a resource as a whole."""

    kind: str
    name: str
    spec: Json
    labels: Mapping[str, str] = field(default_factory=dict)

    def do(self, world: World) -> None:
        """Write it."""
        document: Json = {
            "apiVersion": "projectcalico.org/v3",
            "kind": self.kind,
            "metadata": {"name": self.name, "labels": dict(self.labels)},
            "spec": self.spec,
        }
        _write(world, self.kind, self.name, document)


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge some fields into a resource, if it is there; null removes one."""

    kind: str
    name: str
    fields: Json

    def do(self, world: World) -> None:
        """Write it."""
        stored = world.store.get(_key(self.kind, self.name))
        if stored is not None:
            _write(world, self.kind, self.name, patched(json.loads(stored), self.fields))


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a resource."""

    kind: str
    name: str

    def do(self, world: World) -> None:
        """Delete it."""
        world.store.delete(_key(self.kind, self.name))


@dataclass(frozen=True, slots=True)
class Recreate:
    """Delete a resource, and create it again as it was."""

    kind: str
    name: str

    def begin(self, world: World) -> Callable[[], None]:
        """Delete it; the end creates it, unless somebody else did."""
        key = _key(self.kind, self.name)
        value = world.store.get(key)
        world.store.delete(key)
        return lambda: _create(world, key, value)


@dataclass(frozen=True, slots=True)
class Block:
    """Give a node a block, or take it away."""

    node: int
    block: str
    is_there: bool = True

    def do(self, world: World) -> None:
        """Write or delete the affinity."""
        key = machines.block_key(self.node, Prefix.parse(self.block))
        if self.is_there:
            world.store.put(key, machines.CONFIRMED)
        else:
            world.store.delete(key)


@dataclass(frozen=True, slots=True)
class AddNode:
    """A machine joins: its agent starts, and its Node and blocks are written."""

    machine: Machine
    blocks: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    def do(self, world: World) -> None:
        """Start it, unless it is there."""
        if self.machine.name not in world.nodes:
            machines.start(world, self.machine)
        node(self.machine, self.labels).do(world)
        for block in self.blocks:
            Block(self.machine.number, block).do(world)


@dataclass(frozen=True, slots=True)
class RemoveNode:
    """A machine leaves for good: its agent stops, and its Node and blocks are deleted."""

    number: int

    def do(self, world: World) -> None:
        """Stop and delete."""
        name = f"node-{self.number}"
        if name in world.nodes:
            world.remove_node(name)
        for key in [key for key in world.store.contents() if key.startswith(machines.blocks_of(self.number))]:
            world.store.delete(key)
        Delete("Node", name).do(world)


@dataclass(frozen=True, slots=True)
class DrainNode:
    """Drain a node, up to a phase; with None it is drained no more."""

    number: int
    phase: DrainPhase | None

    def do(self, world: World) -> None:
        """Write or delete the key."""
        key = drain_key(f"node-{self.number}")
        if self.phase is None:
            world.store.delete(key)
        else:
            world.store.put(key, encode(Drain(f"of-{self.number}", self.phase)))


InstantAction = Put | Patch | Delete | Block | AddNode | RemoveNode | DrainNode
LastingAction = Recreate


def node(machine: Machine, labels: Mapping[str, str]) -> Put:
    """A Node as Calico writes it at first."""
    written = zip(("ipv4Address", "ipv6Address"), machine.addresses, (16, 64), strict=False)
    return Put("Node", machine.name, {"bgp": {n: f"{a}/{length}" for n, a, length in written}}, labels)


def _key(kind: str, name: str) -> str:
    return str(ResourceKey(kind, name))


def _write(world: World, kind: str, name: str, document: Json) -> None:
    world.store.put(_key(kind, name), json.dumps(document).encode())


def _create(world: World, key: str, value: bytes | None) -> None:
    if value is not None and world.store.get(key) is None:
        world.store.put(key, value)
