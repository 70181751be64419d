"""What operators do with a cluster: each program is a few writes that belong together, in some order."""

from collections.abc import Callable, Iterator, Sequence

from felixbgp.cluster.drains import DrainPhase
from felixbgp.net import IPV4, IPV6
from felixbgp.sim import shapes
from felixbgp.sim.machines import block_of
from felixbgp.sim.operators import (
    AddNode,
    Block,
    Delete,
    DrainNode,
    InstantAction,
    Json,
    Patch,
    Put,
    Recreate,
    RemoveNode,
)
from felixbgp.sim.plan import At, During, Event
from felixbgp.sim.randomness import Randomness
from felixbgp.sim.shapes import CLIENTS, Shape

CLUSTER_ID = "244.0.0.1"


class _Script:
    """Writes down what happens, one thing some time after another."""

    def __init__(self, randomness: Randomness, begin_ms: int) -> None:
        self._randomness = randomness
        self._now = begin_ms
        self.events: list[Event] = []

    def wait(self) -> None:
        """Let some time pass: mostly a second or two, now and then half a minute."""
        longest = self._randomness.pick((10, 500, 2000, 2000, 10_000, 30_000))
        self._now += self._randomness.between(0, longest)

    def do(self, *actions: InstantAction) -> None:
        """One thing after another, in this order."""
        for action in actions:
            self.events.append(At(self._now, action))
            self.wait()

    def do_in_any_order(self, *actions: InstantAction) -> None:
        """One thing after another, in an order that is drawn."""
        left = list(actions)
        while left:
            self.do(left.pop(self._randomness.bits() % len(left)))

    def recreate(self, kind: str, name: str) -> None:
        """Delete something and write it again."""
        self.events.append(
            During(self._now, self._now + self._randomness.pick((1, 50, 2000)), Recreate(kind, name))
        )


Program = Callable[[Shape, Randomness, Randomness, _Script], None]


def draw_programs(
    shape: Shape, randomness: Randomness, machines: Randomness, begin_ms: int, span_ms: int
) -> Iterator[Event]:
    """Some programs, each beginning at a moment of its own; `machines` is what new machines are drawn by."""
    for _ in range(randomness.pick((0, 1, 1, 2, 2, 3, 4))):
        own = randomness.fork()
        script = _Script(own, begin_ms + own.between(0, span_ms))
        own.pick(PROGRAMS)(shape, own, machines, script)
        yield from script.events


def draw_drains(shape: Shape, randomness: Randomness, begin_ms: int, span_ms: int) -> Iterator[Event]:
    """Now and then a node is drained, with patience or without, or two are; mostly they are put back."""
    if not randomness.chance(0.25):
        return
    for number in randomness.sample(shape.nodes, randomness.pick((1, 1, 2))):
        own = randomness.fork()
        script = _Script(own, begin_ms + own.between(0, span_ms))
        if own.chance(0.9):
            script.do(DrainNode(number, DrainPhase.ANNOUNCE))
        script.do(DrainNode(number, DrainPhase.WITHDRAW))
        if own.chance(0.6):
            script.do(DrainNode(number, None))
        yield from script.events


def _mesh(enabled: bool) -> Patch:
    return Patch("BGPConfiguration", "default", {"spec": {"nodeToNodeMeshEnabled": enabled}})


def _node(number: int, bgp: Json) -> Patch:
    return Patch("Node", f"node-{number}", {"spec": {"bgp": bgp}})


def _put_peers(peers: dict[str, Json]) -> list[Put]:
    return [Put("BGPPeer", name, spec) for name, spec in peers.items()]


def _to_reflectors(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """The mesh gives way to reflectors, in any order, and sometimes comes back."""
    numbers = own.sample(shape.nodes, own.between(1, 2))
    reflecting = [Patch("Node", f"node-{n}", shapes.reflecting(CLUSTER_ID)) for n in numbers]
    peers = _put_peers(shapes.reflector_peers())
    script.do_in_any_order(*reflecting, *peers, _mesh(enabled=False))
    if own.chance(0.5):
        script.wait()
        back = [Patch("Node", f"node-{n}", shapes.reflecting(None)) for n in numbers]
        gone = [Delete("BGPPeer", put.name) for put in peers]
        script.do_in_any_order(*back, *gone, _mesh(enabled=True))


def _one_reflector(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """A node becomes a reflector, or one is no longer."""
    number = own.pick(shape.nodes)
    if number in shape.reflectors:
        script.do(Patch("Node", f"node-{number}", shapes.reflecting(None)))
        script.do(Patch("Node", f"node-{number}", shapes.reflecting(shape.reflectors[number])))
    else:
        script.do(Patch("Node", f"node-{number}", shapes.reflecting(CLUSTER_ID)))
        if own.chance(0.6):
            script.do(Patch("Node", f"node-{number}", shapes.reflecting(None)))


def _mesh_off_and_on(_shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    script.do(_mesh(enabled=False))
    if own.chance(0.8):
        script.do(_mesh(enabled=True))


def _peer(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """A BGPPeer goes and comes back, or one comes and goes."""
    if shape.peers and own.chance(0.5):
        name = own.pick(sorted(shape.peers))
        script.do(Delete("BGPPeer", name))
        script.do(Put("BGPPeer", name, shape.peers[name]))
        return
    rack = own.between(0, 2)
    spec = {"nodeSelector": f"rack == '{rack}'", "peerSelector": f"rack == '{(rack + 1) % 3}'"}
    script.do(Put("BGPPeer", "extra", spec))
    if own.chance(0.6):
        script.do(Delete("BGPPeer", "extra"))


def _filter(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """A filter is written, used, changed, used no more and deleted."""
    name = own.pick(sorted(shape.peers)) if shape.peers else CLIENTS
    script.do(Put("BGPFilter", "rules", _rules(shape, own)))
    script.do(Patch("BGPPeer", name, {"spec": {"filters": ["rules"]}}))
    for _ in range(own.between(0, 2)):
        script.do(Put("BGPFilter", "rules", _rules(shape, own)))
    if own.chance(0.5):
        script.do(Patch("BGPPeer", name, {"spec": {"filters": None}}), Delete("BGPFilter", "rules"))


def _rules(shape: Shape, own: Randomness) -> Json:
    """Some blocks are rejected in one direction or both."""
    wanted: Json = {}
    for direction in own.pick((("exportV4",), ("importV4",), ("exportV4", "importV4"))):
        cidr = str(block_of(own.pick(shape.nodes), 0, IPV4))
        wanted[direction] = [{"action": "Reject", "matchOperator": "In", "cidr": cidr}]
    return wanted


def _marks(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """Communities and priorities come, change and go."""
    cidr = str(block_of(own.pick(shape.nodes), 0, IPV4))
    marked: Json = {"prefixAdvertisements": [{"cidr": cidr, "communities": ["65000:1"]}]}
    changes: list[Json] = own.sample(
        (marked, {"ipv4NormalRoutePriority": 2048}, {"serviceClusterIPs": [{"cidr": "10.96.0.0/16"}]}), 2
    )
    for spec in changes:
        script.do(Patch("BGPConfiguration", "default", {"spec": spec}))
        if own.chance(0.5):
            script.do(Patch("BGPConfiguration", "default", {"spec": dict.fromkeys(spec)}))


def _as_of_node(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    number = own.pick(shape.nodes)
    script.do(_node(number, {"asNumber": own.pick((64600, 64601))}))
    if own.chance(0.6):
        script.do(_node(number, {"asNumber": None}))


def _as_of_all(_shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    script.do(Patch("BGPConfiguration", "default", {"spec": {"asNumber": 64700}}))
    if own.chance(0.4):
        script.do(Patch("BGPConfiguration", "default", {"spec": {"asNumber": None}}))


def _nodes(shape: Shape, own: Randomness, machines: Randomness, script: _Script) -> None:
    """A node joins, or one leaves."""
    if own.chance(0.6):
        number = shape.size + own.between(1, 4)
        machine = shapes.machine(number, shape.is_dual, machines)
        families = (IPV4, IPV6) if shape.is_dual else (IPV4,)
        blocks = tuple(str(block_of(number, 0, family)) for family in families)
        script.do(AddNode(machine, blocks, shapes.labels_of(shape, number)))
        if own.chance(0.4):
            script.do(RemoveNode(number))
    else:
        number = own.pick(shape.nodes)
        script.do(RemoveNode(number))


def _blocks(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """A node gets a block, or loses one, or one moves to another node."""
    number = own.pick(shape.nodes)
    block = str(block_of(number, own.between(0, 3), IPV4))
    script.do(Block(number, block, is_there=own.chance(0.5)))
    if own.chance(0.5):
        script.do(Block(number, block, is_there=False))
        script.do(Block(own.pick(shape.nodes), block))


def _pools(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """A pool's way of encapsulation changes, or a pool comes and goes."""
    if own.chance(0.6):
        script.do(Patch("IPPool", "v4", {"spec": {"ipipMode": own.pick(("Always", "CrossSubnet", "Never"))}}))
    else:
        cidr = str(block_of(own.pick(shape.nodes), 0, IPV4))
        script.do(Put("IPPool", "small", {"cidr": cidr, "disableBGPExport": True, "ipipMode": "Never"}))
        if own.chance(0.5):
            script.do(Delete("IPPool", "small"))


def _recreated(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    kinds = [("Node", f"node-{own.pick(shape.nodes)}"), ("BGPConfiguration", "default"), ("IPPool", "v4")]
    kinds += [("BGPPeer", name) for name in sorted(shape.peers)]
    script.recreate(*own.pick(kinds))


def _to_routers(shape: Shape, own: Randomness, _machines: Randomness, script: _Script) -> None:
    """The mesh gives way to the routers, or the other way round."""
    if shape.routers:
        script.do(_mesh(enabled=not shape.has_mesh))
        if own.chance(0.5):
            script.do(_mesh(enabled=shape.has_mesh))


PROGRAMS: Sequence[Program] = (
    _to_reflectors,
    _to_reflectors,
    _one_reflector,
    _mesh_off_and_on,
    _peer,
    _filter,
    _filter,
    _marks,
    _as_of_node,
    _as_of_all,
    _nodes,
    _nodes,
    _blocks,
    _pools,
    _recreated,
    _to_routers,
)
