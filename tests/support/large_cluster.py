"""One node's agent in a cluster of any size, all of whose other nodes are played: they answer at once.

The kernel takes every route, the store every status, and every node that is dialled says OPEN, KEEPALIVE, its
block and End-of-RIB. So a session costs the agent what it costs in a real cluster, and the others nothing.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time
from types import FrameType
from typing import Any

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import ROUTE_PROTOCOL, AgentConfig
from felixbgp.agent.effects import Effect, Follow, Listen, PutStatus
from felixbgp.agent.inputs import Input, Listening, StatusWritten
from felixbgp.bgp.effects import Connect, SendBytes
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpConnected
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    graceful_restart,
)
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import Origin, PathAttributes, Segment, SegmentType
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_end_of_rib
from felixbgp.cluster.inputs import KeyPut, RevisionReached, SnapshotReceived, StoredValue
from felixbgp.cluster.state import watched_prefixes
from felixbgp.fib.types import DeleteRoutes, ReplaceRoutes
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.kernel import Kernel
from felixbgp.status.node_status import NodeStatus
from tests.support.derivation import Object, resource

SECOND = 1_000_000_000
LOCAL = "local"
OWN = Address.parse("99.0.0.1")
"""Its text comes after that of every other node, so that the agent is the one that dials."""
AS_NUMBER = 64512
ROUTER, ROUTER_AS = Address.parse("10.255.255.1"), 65000
BUDGET = 1000
RACKS = 50
TURNS_MAX = 5_000
"""More drains than 10,000 sessions need: whoever needs more never comes to rest."""


def address_of(number: int) -> Address:
    return Address(bytes((10, number >> 16, number >> 8 & 255, number & 255)))


def block_of(number: int) -> Prefix:
    return Prefix.parse(f"100.{64 + (number >> 14)}.{number >> 6 & 255}.{(number & 63) << 2}/30")


def node_object(number: int, **labels: str) -> Object:
    """A node of a rack; its block is what it announces."""
    spec = {"bgp": {"ipv4Address": f"{address_of(number)}/8"}}
    return resource("Node", f"node-{number}", spec, labels={"rack": str(number % RACKS), **labels})


def filter_object(name: str, octet: int = 168) -> Object:
    rules = [
        {"action": "Reject", "matchOperator": "Equal", "cidr": f"192.{octet}.{n}.0/24"} for n in range(10)
    ]
    return resource("BGPFilter", name, {"exportV4": rules})


def bgp_peer_object(node: str, turn: int) -> Object:
    """To a router that no other BGPPeer names; `node` has a session with it, which changes with `turn`."""
    spec = {"node": node, "peerIP": "10.255.255.2", "asNumber": ROUTER_AS, "maxRestartTime": f"{turn + 1}s"}
    return resource("BGPPeer", "other-router", spec)


def routers_objects(size: int) -> list[Object]:
    """No mesh to speak of: a BGPPeer for each of so many routers, with a filter towards all of them."""
    return [*_common(), *(_router_object(number) for number in range(1, size))]


def _router_object(number: int) -> Object:
    spec = {"node": LOCAL, "peerIP": str(address_of(number)), "asNumber": AS_NUMBER, "filters": ["rules"]}
    return resource("BGPPeer", f"router-{number}", spec)


def mesh_objects(size: int) -> list[Object]:
    """A full mesh of `size` nodes, the agent's among them, one pool, and a filter towards one router."""
    return [
        *_common(),
        *(node_object(number) for number in range(1, size)),
        resource(
            "BGPPeer",
            "router",
            {"node": LOCAL, "peerIP": str(ROUTER), "asNumber": ROUTER_AS, "filters": ["rules"]},
        ),
    ]


def reflector_objects(size: int) -> list[Object]:
    """No mesh: the agent's node and three others reflect, and all others peer with those, by selectors."""
    reflector = {"rr": "true"}
    nodes = [
        *_common(cluster_id="1.0.0.1", labels=reflector),
        *(_reflector(number) if number < 4 else node_object(number) for number in range(1, size)),
    ]
    return [
        *nodes,
        resource("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": False}),
        resource(
            "BGPPeer",
            "clients",
            {"nodeSelector": "!has(rr)", "peerSelector": "has(rr)", "filters": ["rules"]},
        ),
        resource("BGPPeer", "reflectors", {"nodeSelector": "has(rr)", "peerSelector": "has(rr)"}),
    ]


def _common(cluster_id: str | None = None, labels: dict[str, str] | None = None) -> list[Object]:
    bgp = {
        "ipv4Address": f"{OWN}/8",
        **({} if cluster_id is None else {"routeReflectorClusterID": cluster_id}),
    }
    return [
        resource("Node", LOCAL, {"bgp": bgp}, labels={"rack": "0", **(labels or {})}),
        resource("IPPool", "pool", {"cidr": "100.64.0.0/10"}),
        filter_object("rules"),
    ]


def _reflector(number: int) -> Object:
    bgp = {"ipv4Address": f"{address_of(number)}/8", "routeReflectorClusterID": "1.0.0.1"}
    return resource("Node", f"node-{number}", {"bgp": bgp}, labels={"rr": "true"})


class Work:
    """What the agent does: its CPU time and, where `counts`, its instructions, the same in every run."""

    def __init__(self) -> None:
        self.counts = False
        self.seconds = 0.0
        self.instructions = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """For the length of a `with` block."""
        former = sys.gettrace()
        if self.counts:
            sys.settrace(self._enter)
        began = process_time()
        try:
            yield
        finally:
            self.seconds += process_time() - began
            if self.counts:
                sys.settrace(former)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return self._step

    def _step(self, _frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        if event == "opcode":
            self.instructions += 1
        return self._step


class LargeCluster:
    """The agent of node `LOCAL`. Time moves only by `run_for`; a change is done when `settle` returns."""

    def __init__(self, objects: list[Object]) -> None:
        self.agent = Agent(AgentConfig(node=LOCAL), lambda: 0.0)
        self.now = SECOND
        self.revision = 1 + len(objects)
        self.statuses: list[tuple[int, NodeStatus]] = []
        """When each status was to be written, and the last of them."""
        self.takes_status = True
        self.followed: list[Follow] = []
        self.work = Work()
        self._greeted: dict[int, Address] = {}
        self._opened: dict[int, None] = {}
        self._kernel = Kernel(ROUTE_PROTOCOL, [Prefix.parse("10.0.0.0/8")])
        self._kernel.add_link("tunl0")
        self.feed(*self._kernel.snapshots())
        stored = [StoredValue(key, value, number) for number, (key, value) in enumerate(objects, 2)]
        for prefix in watched_prefixes(LOCAL):
            listed = tuple(one for one in stored if one.key.startswith(prefix))
            self.feed(SnapshotReceived(prefix, self.revision, listed))
        self.settle()

    def put(self, written: Object) -> None:
        """Feed one write of the store."""
        self.revision += 1
        self.feed(KeyPut(StoredValue(*written, self.revision)), RevisionReached(self.revision))

    def change(self, written: Object) -> None:
        """One write, and all that the agent does about it but for its status."""
        self.put(written)
        self.settle()

    def settle(self) -> None:
        """Drain until there is nothing to do at this moment."""
        for _ in range(TURNS_MAX):
            answers: list[Input] = []
            for effect in self.drain():
                self._answer(effect, answers)
            self.feed(*answers)
            deadline = self.agent.next_deadline()
            if not answers and (deadline is None or deadline > self.now):
                return
        raise AssertionError("the agent does not come to rest")

    def drain(self) -> list[Effect]:
        """What the agent asks for at this moment."""
        with self.work.going_on():
            return self.agent.drain(self.now, BUDGET)

    def run_for(self, duration: int) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + duration
        while (deadline := self.agent.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.settle()
        self.now = end

    def established(self) -> int:
        return self.agent.statistics().speaker.peers_established

    def connections(self) -> list[int]:
        """Those of the sessions, in the order in which they came up."""
        return list(self._opened)

    def feed(self, *events: Input) -> None:
        with self.work.going_on():
            for event in events:
                self.agent.feed(event, self.now)

    def _answer(self, effect: Effect, answers: list[Input]) -> None:
        if isinstance(effect, Connect):
            self._greeted[effect.connection] = effect.remote.address
            answers.append(TcpConnected(effect.connection, Endpoint(OWN, 40000), effect.remote))
        elif isinstance(effect, SendBytes):
            answers.append(BytesWritten(effect.connection, sum(map(len, effect.chunks))))
            if effect.connection not in self._opened:
                self._opened[effect.connection] = None
                answers.append(BytesReceived(effect.connection, greeting(self._greeted[effect.connection])))
        elif isinstance(effect, ReplaceRoutes | DeleteRoutes):
            answers += self._kernel.apply(effect)
        elif isinstance(effect, Listen):
            answers.extend(map(Listening, effect.endpoints))
        elif isinstance(effect, PutStatus):
            self.statuses.append((self.now, effect.status))
            if self.takes_status:
                answers.append(StatusWritten())
        elif isinstance(effect, Follow):
            self.followed.append(effect)
            answers.extend(SnapshotReceived(prefix, self.revision, ()) for prefix in effect.optional)


def greeting(address: Address, hold_time_s: int = 0) -> bytes:
    """What a node says when it is dialled: all of it at once, and its block.

    A router keeps our routes when it is told to begin anew, so that it is done at once and not in its turn.
    """
    external = address >= ROUTER
    asn = ROUTER_AS if external else AS_NUMBER
    restart = graceful_restart(120, [(IPV4, True)], restarting=False, notification=True)
    extra = (ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH, EXTENDED_MESSAGE, *((restart,) if external else ()))
    opening = make_open(
        local_as=asn, hold_time_s=hold_time_s, bgp_identifier=address, families=(IPV4,), extra=extra
    )
    attributes = PathAttributes(
        origin=Origin.IGP,
        as_path=(Segment(SegmentType.AS_SEQUENCE, (asn,)),) if external else (),
        next_hop=bytes(address),
        local_pref=None if external else 100,
    )
    number = int.from_bytes(address[1:], "big")
    updates = encode_announcements(IPV4, attributes, [block_of(number & 0xFFFF).nlri])
    return b"".join((encode_open(opening), encode_keepalive(), *updates, encode_end_of_rib(IPV4)))
