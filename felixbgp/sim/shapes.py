"""Clusters to begin with: meshes, reflectors, racks with reflectors of their own, routers beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from felixbgp.net import IPV4, IPV6
from felixbgp.sim import operators
from felixbgp.sim.machines import ROUTERS_FROM, Machine, address_of, block_of
from felixbgp.sim.operators import Block, Json, Put
from felixbgp.sim.randomness import Randomness

AS_NUMBER = 64512
ROUTER_AS = 65001
CLIENTS, REFLECTORS, ROUTERS = "clients", "reflectors", "routers"
"""The BGPPeers that a cluster may have."""
NAMES = ("mesh", "reflectors", "racks", "mixed", "routers")


@dataclass(slots=True)
class Shape:
    """A cluster that is being drawn up. Nodes are numbers."""

    name: str
    size: int
    is_dual: bool
    has_mesh: bool = True
    labels: dict[int, dict[str, str]] = field(default_factory=dict)
    reflectors: dict[int, str] = field(default_factory=dict)
    """Which nodes are reflectors, and of which cluster ID."""
    peers: dict[str, Json] = field(default_factory=dict)
    """The specs of BGPPeers by name."""
    routers: int = 0
    blocks: dict[int, list[str]] = field(default_factory=dict)

    @property
    def nodes(self) -> range:
        """The numbers of its nodes."""
        return range(1, self.size + 1)


def draw_shape(randomness: Randomness, size: int | None = None) -> Shape:
    """A cluster of 3 to 60 nodes, most of them small, or of that size."""
    name = randomness.pick(NAMES)
    drawn = _size(randomness, name)
    shape = Shape(name, size or drawn, randomness.chance(0.3))
    for number in shape.nodes:
        count = randomness.between(1, 2)
        families = (IPV4, IPV6) if shape.is_dual else (IPV4,)
        shape.blocks[number] = [str(block_of(number, place, f)) for place in range(count) for f in families]
        shape.labels[number] = {"rack": str(number % 3)}
    if name in ("reflectors", "mixed"):
        shape.has_mesh = name == "mixed"
        for number in randomness.sample(shape.nodes, randomness.between(1, 3)):
            reflect(shape, number, randomness.pick(("244.0.0.1", f"244.0.0.{number}")))
        shape.peers |= reflector_peers()
    elif name == "racks":
        shape.has_mesh = False
        for rack in range(3):
            members = [number for number in shape.nodes if number % 3 == rack]
            for number in randomness.sample(members, randomness.between(1, 2)):
                reflect(shape, number, f"244.0.1.{rack}")
        shape.peers |= _rack_peers()
    elif name == "routers":
        shape.routers = randomness.between(1, 2)
        shape.has_mesh = randomness.chance(0.5)
        shape.peers |= router_peers(shape.routers, shape.is_dual)
    return shape


def _size(randomness: Randomness, name: str) -> int:
    """Full meshes stay small: their sessions grow with the square."""
    most = randomness.pick((4, 5, 5, 6, 6, 7, 8, 10, 12, 60 if randomness.chance(0.15) else 8))
    if name in ("mesh", "mixed"):
        most = min(most, 10)
    return randomness.between(3, most)


def reflect(shape: Shape, number: int, cluster_id: str) -> None:
    """Make a node a reflector."""
    shape.reflectors[number] = cluster_id


def reflector_peers() -> dict[str, Json]:
    """Everybody peers with the reflectors, these among themselves."""
    return {
        CLIENTS: {"nodeSelector": "!has(rr)", "peerSelector": "has(rr)"},
        REFLECTORS: {"nodeSelector": "has(rr)", "peerSelector": "has(rr)"},
    }


def _rack_peers() -> dict[str, Json]:
    clients: dict[str, Json] = {
        f"{CLIENTS}-{rack}": {
            "nodeSelector": f"rack == '{rack}' && !has(rr)",
            "peerSelector": f"rack == '{rack}' && has(rr)",
        }
        for rack in range(3)
    }
    return {**clients, REFLECTORS: {"nodeSelector": "has(rr)", "peerSelector": "has(rr)"}}


def router_peers(count: int, is_dual: bool) -> dict[str, Json]:
    """Every node peers with every router; what it hears of another node by way of them has its own AS."""
    families = (IPV4, IPV6) if is_dual else (IPV4,)
    return {
        f"{ROUTERS}-{place + 1}-{family.bits}": {
            "peerIP": str(address_of(ROUTERS_FROM + place, family)),
            "asNumber": ROUTER_AS + place,
            "numAllowedLocalASNumbers": 1,
        }
        for place in range(count)
        for family in families
    }


def machines(shape: Shape, randomness: Randomness) -> tuple[Machine, ...]:
    """The machines of a cluster: nodes, and routers that wait for twice as many."""
    nodes = [machine(number, shape.is_dual, randomness) for number in shape.nodes]
    return (*nodes, *(_router(shape, place) for place in range(shape.routers)))


def machine(number: int, is_dual: bool, randomness: Randomness) -> Machine:
    """One node, by itself always the same."""
    own = randomness.part(f"machine {number}")
    return Machine(
        number=number,
        is_dual=is_dual,
        offset_s=own.between(0, 100_000),
        fast_ppm=own.between(-50_000, 50_000),
        kernel_us=own.pick((200, 1000, 5000, 40_000)),
        store_us=own.pick((500, 2000, 10_000, 200_000)),
        status_s=20,
    )


def _router(shape: Shape, place: int) -> Machine:
    families = (IPV4, IPV6) if shape.is_dual else (IPV4,)
    numbers = range(1, shape.size + 6)
    return Machine(
        number=ROUTERS_FROM + place,
        is_dual=shape.is_dual,
        as_number=ROUTER_AS + place,
        originates=(f"192.0.2.{place * 64}/26",),
        peers=tuple(
            (str(address_of(number, family)), AS_NUMBER) for number in numbers for family in families
        ),
        status_s=20,
    )


def objects(shape: Shape, nodes: Iterable[Machine]) -> tuple[Put | Block, ...]:
    """What is in the store at first."""
    found: list[Put | Block] = [
        Put("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": shape.has_mesh}),
        Put("IPPool", "v4", {"cidr": "10.0.0.0/8", "ipipMode": "Never"}),
    ]
    if shape.is_dual:
        found.append(Put("IPPool", "v6", {"cidr": "fd10::/48"}))
    for node in nodes:
        if node.as_number is None:
            found.append(_node(shape, node))
            found += [Block(node.number, block) for block in shape.blocks[node.number]]
    return (*found, *(Put("BGPPeer", name, spec) for name, spec in shape.peers.items()))


def _node(shape: Shape, node: Machine) -> Put:
    put = operators.node(node, shape.labels[node.number])
    if node.number not in shape.reflectors:
        return put
    fields = reflecting(shape.reflectors[node.number])
    bgp = {**put.spec["bgp"], **fields["spec"]["bgp"]}
    return Put("Node", put.name, {"bgp": bgp}, {**put.labels, **fields["metadata"]["labels"]})


def reflecting(cluster_id: str | None) -> Json:
    """What to patch into a Node to make it a reflector, or with None no longer one."""
    label = None if cluster_id is None else "yes"
    return {"metadata": {"labels": {"rr": label}}, "spec": {"bgp": {"routeReflectorClusterID": cluster_id}}}


def labels_of(shape: Shape, number: int) -> Mapping[str, str]:
    """Those of a node that may not be there yet."""
    return shape.labels.get(number, {"rack": str(number % 3)})
