"""The largest simulated clusters: a mesh gives way to two reflectors, with every step judged, and at rest.

A full mesh of 1,000 nodes is 499,500 sessions, which no memory holds. What stands for it there are racks: a
full mesh in each, by BGPPeers, beside reflectors that all have; then the meshes go.
"""

import gc
import resource
from time import process_time

from felixbgp.sim import shapes
from felixbgp.sim.operators import Delete, InstantAction, Json, Patch, Put
from felixbgp.sim.plan import At, Plan
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.shapes import Shape
from felixbgp.sim.swarm import LOOK_NS, Run
from felixbgp.sim.world import MILLISECOND, SECOND

RACK = 20
CHANGE_MS = 40_000
CLUSTER_ID = "244.0.0.1"
REFLECTORS = (1, 2)


def plan_of(size: int, form: str) -> Plan:
    """The plan of one form: `mesh` or `racks`."""
    shape = Shape(form, size, is_dual=False, has_mesh=form == "mesh")
    for number in shape.nodes:
        shape.labels[number] = {"rack": str(number // RACK)}
        high, low = divmod(number, 256)
        shape.blocks[number] = [f"10.{high}.{low}.0/26"]
    changes: list[InstantAction]
    if form == "racks":
        shape.reflectors = dict.fromkeys(REFLECTORS, CLUSTER_ID)
        shape.peers = {**shapes.reflector_peers(), **_racks(size)}
        changes = [Delete("BGPPeer", name) for name in _racks(size)]
    else:
        changes = [Patch("Node", f"node-{number}", shapes.reflecting(CLUSTER_ID)) for number in REFLECTORS]
        changes += [Put("BGPPeer", name, spec) for name, spec in shapes.reflector_peers().items()]
        changes.append(Patch("BGPConfiguration", "default", {"spec": {"nodeToNodeMeshEnabled": False}}))
    machines = shapes.machines(shape, Randomness(size))
    return Plan(
        seed=size,
        shape=f"{size} nodes, {form}",
        machines=machines,
        objects=shapes.objects(shape, machines),
        events=tuple(At(CHANGE_MS, change) for change in changes),
        link_us=(100, 1000),
        watch_s=1,
    )


def _racks(size: int) -> dict[str, Json]:
    selectors = {rack: f"rack == '{rack}' && !has(rr)" for rack in range(size // RACK + 1)}
    return {
        f"rack-{rack}": {"nodeSelector": selector, "peerSelector": selector}
        for rack, selector in selectors.items()
    }


def run(size: int, form: str) -> bool:
    """Print what it takes to come up and to change; whether all went well."""
    gc.disable()
    plan, began = plan_of(size, form), process_time()
    run = Run(plan)
    run.run_to(CHANGE_MS * MILLISECOND - 1)
    sessions, up = run.world.established(), process_time()
    print(
        f"{size:5} nodes, {form:6} {sessions:7} sessions up in {up - began:6.1f} s, {_gib():5.2f} GiB",
        flush=True,
    )
    run.run_to(CHANGE_MS * MILLISECOND + 20 * SECOND + LOOK_NS)
    changed = process_time()
    print(
        f"      changed in {changed - up:6.1f} s, {run.world.established()} sessions, {_gib():5.2f} GiB",
        flush=True,
    )
    verdict = run.go()
    said = "well" if verdict.is_well else f"{verdict.rule}: {verdict.where[:3]}"
    print(f"      judged at rest in {process_time() - changed:6.1f} s, {_gib():5.2f} GiB: {said}", flush=True)
    return verdict.is_well


def _gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
