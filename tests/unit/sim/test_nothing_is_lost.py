"""Changes of topology, restarts and outages in clusters on a virtual clock: at no step is a route missing.

One class for each kind of change, with the number that the cases have in the lab (`bench/losses`). Every
world is watched by `Safety`, and is as the oracle has it in the end.
"""

from collections.abc import Callable, Iterable

import pytest

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.fib.types import Route
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.rest import differences
from felixbgp.sim.safety import Safety
from felixbgp.sim.topology import Router, Speaker
from felixbgp.sim.world import MILLISECOND, SECOND
from tests.support.cluster import CLUSTER_ID, RESOURCES, mesh, put_resource

pytestmark = pytest.mark.timeout(300)

SIZE = 6
SIZES = pytest.mark.parametrize("size", [SIZE, pytest.param(10, marks=pytest.mark.long)])
DRAINING_S = 120
MINUTE = 60 * SECOND
ROUTER_AS = 65000


class Watcher(Safety):
    """Notes, too, when a kernel's routes are others than before."""

    has_news = True

    def route_changed(self, node: str, prefix: Prefix, metric: int, route: Route | None) -> None:
        self.has_news = True
        super().route_changed(node, prefix, metric, route)


class Cluster:
    """A world at rest, and the way to let its time pass."""

    def __init__(self, size: int = SIZE, *, seed: int = 21) -> None:
        self.size = size
        self.world = mesh(size, seed, draining_seconds=DRAINING_S, is_traced=False)
        self.routers: list[Router] = []
        self.away: tuple[Prefix, ...] = ()
        """What is not to be in the kernels any more."""

    def settle(self) -> None:
        """Come up, and be at rest; from here on nothing is to be lost."""
        self.safety = Watcher(self.world, self.routers, draining_s=DRAINING_S)
        self.world.run_until(self.is_whole, limit_ns=MINUTE)
        self.world.run_for(130 * SECOND)
        assert self.is_whole()

    def is_whole(self) -> bool:
        """Whether every node's kernel has every block."""
        return all(
            len(self.blocks(name)) == 2 * self.size - len(self.away)
            for name, node in self.world.nodes.items()
            if name.startswith("node-") and not node.is_off
        )

    def blocks(self, name: str) -> list[Prefix]:
        routes = self.world.nodes[name].kernel.routes()
        return [prefix for prefix in routes if prefix not in self.away and not prefix.covers(DEFAULT_V4)]

    def watch(self, duration_ns: int) -> None:
        """Let time pass; at no step may a route be missing anywhere."""
        began = self.world.clock.now
        while (upcoming := self.world.clock.next_time()) is not None and upcoming <= began + duration_ns:
            self.world.step()
            if not self.safety.has_news:
                continue
            self.safety.has_news = False
            assert self.is_whole(), f"{(self.world.clock.now - began) / SECOND:.4f} s after the change"
        self.world.clock.now = began + duration_ns

    def rest(self) -> None:
        """Long after the last change all is as it must be."""
        self.watch((DRAINING_S + 20) * SECOND)
        assert differences(self.world, self.routers) == []

    def sessions_changed(self) -> int:
        """How often the state of a session changed, of all nodes."""
        facts = (fact for node in self.world.nodes.values() for fact in node.facts)
        return sum(isinstance(fact, SessionStateChanged) for fact in facts)

    # ---- what operators write

    def node(self, number: int, *, reflector: bool = False, annotated: bool = False, **bgp: object) -> None:
        metadata: dict[str, object] = {}
        spec: dict[str, object] = {
            "ipv4Address": f"172.30.0.{number}/24",
            "ipv6Address": f"fd30::{number:x}/64",
            **bgp,
        }
        if reflector:
            metadata["labels"] = {"reflector": "yes"}
            spec |= {} if annotated else {"routeReflectorClusterID": "244.0.0.1"}
        if annotated:
            metadata["annotations"] = CLUSTER_ID
        put_resource(self.world, "Node", "nodes", f"node-{number}", {"bgp": spec}, **metadata)

    def defaults(self, **spec: object) -> None:
        put_resource(self.world, "BGPConfiguration", "bgpconfigurations", "default", dict(spec))

    def peer(self, name: str, **spec: object) -> None:
        put_resource(self.world, "BGPPeer", "bgppeers", name, dict(spec))

    def replace_mesh(self) -> None:
        """Have everybody in session with the reflectors alone."""
        self.peer("to-reflectors", nodeSelector="all()", peerSelector="has(reflector)")
        self.defaults(nodeToNodeMeshEnabled=False)

    def filter(self, name: str, **spec: object) -> None:
        put_resource(self.world, "BGPFilter", "bgpfilters", name, dict(spec))

    def delete(self, plural: str, name: str) -> None:
        self.world.store.delete(f"{RESOURCES}/{plural}/{name}")


DEFAULT_V4 = Prefix.parse("203.0.113.0/24")
"""What the routers announce."""


def reflected(*reflectors: int, size: int = SIZE, seed: int = 21) -> Cluster:
    """Everybody is in session with the reflectors alone."""
    cluster = Cluster(size, seed=seed)
    for number in reflectors:
        cluster.node(number, reflector=True)
    cluster.replace_mesh()
    cluster.settle()
    return cluster


def meshed(size: int = SIZE, *, seed: int = 21) -> Cluster:
    cluster = Cluster(size, seed=seed)
    cluster.settle()
    return cluster


def add_router(cluster: Cluster, number: int, ases: dict[int, int]) -> None:
    """A router of an AS of its own, which waits for these nodes with these AS numbers."""
    own = Address.parse(f"172.30.0.{200 + number}")
    peers = [
        PeerConfig(
            peer=PeerId(Address.parse(f"172.30.0.{node}")),
            name=f"node-{node}",
            families=(IPV4,),
            local_as=ROUTER_AS,
            remote_as=as_number,
            passive=True,
            transport=TransportOptions(local_address=own),
        )
        for node, as_number in ases.items()
    ]
    intent = Intent(
        speaker=SpeakerConfig(
            bgp_identifier=own, local_as=ROUTER_AS, multipath_external=16, multipath_internal=16
        ),
        listen=(own,),
        peers={peer.peer: peer for peer in peers},
        origins={peer.peer: PeerOrigin("node", peer.name) for peer in peers},
        aggregates=(DEFAULT_V4,),
        workload_interfaces=(),
    )
    name = f"router-{number}"
    cluster.world.add_node(name, [own], [Prefix.parse("172.30.0.0/24")], intent=intent)
    speaker = Speaker(name, ROUTER_AS, {IPV4: own})
    cluster.routers.append(
        Router(speaker, (DEFAULT_V4,), {peer.peer.address: peer.remote_as for peer in peers})
    )


class TestMeshAndReflectors:
    """Z1; the orders of writes are in test_draining.py."""

    @SIZES
    def test_the_mesh_gives_way_to_three_reflectors_and_comes_back(self, size: int) -> None:
        cluster = meshed(size)
        reflectors = (1, size // 2, size - 1)
        for number in reflectors:
            cluster.node(number, reflector=True)
            cluster.watch(SECOND)
        cluster.replace_mesh()
        cluster.rest()
        cluster.defaults(nodeToNodeMeshEnabled=True)
        cluster.watch(10 * SECOND)
        for number in reflectors:
            cluster.node(number)
        cluster.delete("bgppeers", "to-reflectors")
        cluster.rest()


class TestReflectors:
    """Z2."""

    @pytest.mark.parametrize("annotated", [True, False], ids=["annotation", "spec"])
    def test_one_comes_and_goes(self, *, annotated: bool) -> None:
        cluster = reflected(1)
        cluster.node(2, reflector=True, annotated=annotated)
        cluster.rest()
        cluster.node(1)
        cluster.rest()
        cluster.node(1, reflector=True)
        cluster.rest()
        cluster.node(2)
        cluster.rest()

    def test_one_of_two_leaves_the_cluster(self) -> None:
        cluster = reflected(1, 2)
        cluster.away = tuple(Prefix.parse(text) for text in ("10.0.1.0/26", "fd10::100/122"))
        cluster.delete("nodes", "node-1")
        cluster.world.remove_node("node-1")
        cluster.watch(5 * MINUTE)
        assert differences(cluster.world) == []

    def test_one_of_two_is_turned_off(self) -> None:
        cluster = reflected(1, 2)
        cluster.away = tuple(Prefix.parse(text) for text in ("10.0.1.0/26", "fd10::100/122"))
        cluster.world.nodes["node-1"].turn_off()
        cluster.watch(5 * MINUTE)
        assert differences(cluster.world, dead=["node-1"]) == []


@pytest.mark.long
class TestAutonomousSystems:
    """Z3."""

    def test_the_mesh_gives_way_to_routers(self) -> None:
        cluster = Cluster()
        # One family is enough, and the other keeps its mesh no longer than this one.
        ases = dict.fromkeys(range(1, SIZE + 1), 64512)
        for router in (1, 2):
            add_router(cluster, router, ases)
            cluster.peer(
                f"to-router-{router}",
                peerIP=f"172.30.0.{200 + router}",
                asNumber=ROUTER_AS,
                numAllowedLocalASNumbers=1,
            )
        cluster.settle()
        v6 = [Prefix.parse(f"fd10::{number:x}00/122") for number in range(1, SIZE + 1)]
        cluster.defaults(nodeToNodeMeshEnabled=False)
        cluster.watch(100 * SECOND)
        # What only the mesh told is drained as long as it may be, and goes; the rest stays.
        assert all(set(v6) <= set(cluster.blocks(f"node-{number}")) for number in range(1, SIZE + 1))
        cluster.away, cluster.size = tuple(v6), SIZE
        cluster.watch(5 * MINUTE)
        assert differences(cluster.world, cluster.routers) == []

    @pytest.mark.parametrize("delay_ms", [0.2, 50])
    def test_one_node_moves_to_another_as_and_back(self, delay_ms: float) -> None:
        cluster = meshed()
        # What was kept is all there is for as long as it takes to hear it again.
        delay_ns = int(delay_ms * MILLISECOND)
        cluster.world.network.links.set_delays(delay_ns // 10, delay_ns)
        cluster.node(3, asNumber=64601)
        cluster.rest()
        cluster.node(3)
        cluster.rest()

    def test_a_reflectors_client_moves_to_another_as(self) -> None:
        cluster = reflected(1, 2)
        cluster.node(5, asNumber=64601)
        cluster.rest()

    @SIZES
    def test_the_global_as_rolls_through_all_nodes(self, size: int) -> None:
        cluster = meshed(size)
        cluster.defaults(asNumber=64700)
        cluster.rest()
        cluster.defaults()
        cluster.rest()

    @SIZES
    def test_all_nodes_move_one_after_the_other(self, size: int) -> None:
        cluster = meshed(size)
        for number in range(1, size + 1):
            cluster.node(number, asNumber=64700)
            cluster.watch(7 * SECOND)
        cluster.rest()


class TestPolicies:
    """Z4: nothing that is changed in place resets a session."""

    @staticmethod
    def peering() -> Cluster:
        cluster = Cluster(4)  # More would have more sessions, each with the same change.
        cluster.peer("all", nodeSelector="all()", peerSelector="all()")
        cluster.defaults(nodeToNodeMeshEnabled=False)
        cluster.settle()
        return cluster

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda c: c.peer("all", **ALL, nextHopMode="Self"), id="next hop mode"),
            pytest.param(
                lambda c: c.defaults(
                    nodeToNodeMeshEnabled=False,
                    prefixAdvertisements=[{"cidr": "10.0.0.0/16", "communities": ["65000:7"]}],
                ),
                id="communities",
            ),
            pytest.param(
                lambda c: c.defaults(nodeToNodeMeshEnabled=False, ipv4NormalRoutePriority=2048),
                id="priority of all",
            ),
            pytest.param(lambda c: c.peer("all", **ALL, numAllowedLocalASNumbers=2), id="allowed local AS"),
            pytest.param(lambda c: c.peer("all", **ALL, keepaliveTime="10s"), id="keepalive time"),
        ],
    )
    def test_a_change_in_place(self, change: Callable[[Cluster], None]) -> None:
        cluster = self.peering()
        before = cluster.sessions_changed()
        change(cluster)
        cluster.rest()
        assert cluster.sessions_changed() == before

    def test_filters_come_change_and_go(self) -> None:
        cluster = self.peering()
        before = cluster.sessions_changed()
        better = {"action": "Accept", "operations": [{"setPriority": {"value": 512}}]}
        marked = {"action": "Accept", "operations": [{"addCommunity": {"value": "65000:1"}}]}
        cluster.filter("some", importV4=[better])
        cluster.peer("all", **ALL, filters=["some"])
        cluster.rest()
        cluster.filter("some", importV4=[marked], importV6=[better])
        cluster.rest()
        cluster.peer("all", **ALL)
        cluster.watch(SECOND)
        cluster.delete("bgpfilters", "some")
        cluster.rest()
        assert cluster.sessions_changed() == before

    def test_what_a_filter_rejects_is_all_that_goes_and_it_comes_back(self) -> None:
        cluster = self.peering()
        before = cluster.sessions_changed()
        hidden = {"action": "Reject", "cidr": "10.0.4.0/24", "matchOperator": "In"}
        gone = Prefix.parse("10.0.4.0/26")
        cluster.filter("some", exportV4=[hidden])
        cluster.away = (gone,)
        cluster.peer("all", **ALL, filters=["some"])
        cluster.watch(MINUTE)
        assert differences(cluster.world) == []
        cluster.peer("all", **ALL)
        cluster.watch(MINUTE)
        cluster.away = ()
        cluster.rest()
        assert cluster.sessions_changed() == before


@pytest.mark.parametrize(("number", "pause_ms"), [(1, 50), (1, 9_000), (4, 2_000)])
def test_a_node_is_deleted_and_created_again(number: int, pause_ms: int) -> None:
    cluster = reflected(1, 2)
    before = cluster.sessions_changed()
    cluster.delete("nodes", f"node-{number}")
    cluster.watch(pause_ms * SECOND // 1000)
    cluster.node(number, reflector=number == 1)
    cluster.rest()
    if pause_ms < 5_000:
        assert cluster.sessions_changed() == before


def test_a_node_has_no_valid_address_for_a_while() -> None:
    cluster = meshed()
    before = cluster.sessions_changed()
    cluster.node(3, ipv4Address="172.30.0.3/99")
    cluster.watch(2 * SECOND)
    cluster.node(3)
    cluster.rest()
    assert cluster.sessions_changed() == before


ALL: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()"}


def start_again(cluster: Cluster, names: Iterable[str], *, gracefully: bool) -> None:
    for name in names:
        node = cluster.world.nodes[name]
        if gracefully:
            node.stop()
        else:
            node.kill()


@pytest.mark.parametrize("make", [meshed, lambda: reflected(1, 2)], ids=["mesh", "reflectors"])
@pytest.mark.long
class TestRestarts:
    """Z5; more of them are in test_restarts.py."""

    @pytest.mark.parametrize("gracefully", [True, False], ids=["stopped", "killed"])
    def test_one_after_the_other(self, make: Callable[[], Cluster], *, gracefully: bool) -> None:
        cluster = make()
        for name, node in cluster.world.nodes.items():
            start_again(cluster, [name], gracefully=gracefully)
            cluster.watch(3 * SECOND)
            node.start()
            cluster.watch(12 * SECOND)
        cluster.rest()

    def test_twice_within_the_restart_time(self, make: Callable[[], Cluster]) -> None:
        cluster = make()
        node = cluster.world.nodes["node-2"]
        for _ in range(2):
            start_again(cluster, ["node-2"], gracefully=False)
            cluster.watch(20 * SECOND)
            node.start()
            cluster.watch(SECOND // 100)
        cluster.rest()

    def test_all_at_once(self, make: Callable[[], Cluster]) -> None:
        cluster = make()
        start_again(cluster, cluster.world.nodes, gracefully=False)
        cluster.watch(10 * SECOND)
        for node in cluster.world.nodes.values():
            node.start()
        cluster.rest()

    def test_all_while_the_store_is_away_for_a_minute(self, make: Callable[[], Cluster]) -> None:
        cluster = make()
        cluster.world.store.fail("connection refused")
        start_again(cluster, cluster.world.nodes, gracefully=False)
        for node in cluster.world.nodes.values():
            node.start()
        cluster.watch(MINUTE)
        cluster.world.store.recover()
        cluster.rest()


@pytest.mark.long
class TestStore:
    """Z6."""

    def test_it_is_away_for_ten_minutes_while_operators_write(self) -> None:
        cluster = meshed()
        cluster.world.store.fail("connection refused")
        cluster.watch(5 * MINUTE)
        cluster.node(1, reflector=True)
        cluster.replace_mesh()
        cluster.watch(5 * MINUTE)
        cluster.world.store.recover()
        cluster.rest()

    def test_it_goes_back_to_an_older_backup(self) -> None:
        cluster = meshed()
        backup = cluster.world.store.backup()
        cluster.node(1, reflector=True)
        cluster.replace_mesh()
        cluster.rest()
        cluster.world.store.restore(backup)
        cluster.rest()

    @staticmethod
    def cut_off(cluster: Cluster) -> list[str]:
        """Half of the nodes, which the store cannot be reached from any more."""
        half = [f"node-{number}" for number in range(1, SIZE // 2 + 1)]
        for name in half:
            cluster.world.store.isolate(name, "no route to host")
        return half

    def test_half_of_the_nodes_are_cut_off_from_it(self) -> None:
        cluster = meshed()
        half = self.cut_off(cluster)
        cluster.watch(10 * MINUTE)
        for name in half:
            cluster.world.store.rejoin(name)
        cluster.rest()

    def test_half_of_the_nodes_hear_of_a_change_a_minute_later(self) -> None:
        cluster = meshed()
        half = self.cut_off(cluster)
        cluster.node(1, reflector=True)
        cluster.node(6, reflector=True)
        cluster.replace_mesh()
        cluster.watch(MINUTE)
        for name in half:
            cluster.world.store.rejoin(name)
        cluster.rest()
