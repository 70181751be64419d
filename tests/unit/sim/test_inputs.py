"""Passwords and workloads that come, change and go, in clusters on a virtual clock."""

import json

import pytest

from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.cluster.secrets import SECRETS, SecretId
from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.intent.types import Problem
from felixbgp.net import Address, Prefix
from felixbgp.sim.node import Node
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import RESOURCES, converged, mesh, put_resource

MESH = SecretId("bgp-secrets", "mesh")
KEY = f"{SECRETS}bgp-secrets/mesh"
PATH = "/etc/felixbgp/secrets/bgp-secrets/mesh"
WORKLOAD = Address.parse("10.0.1.7")


def use_mesh_password(world: World, **more: bool) -> None:
    reference = {"secretKeyRef": {"name": MESH.name, "key": MESH.key, **more}}
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", {"nodeMeshPassword": reference})


def settled(world: World, sessions: int) -> None:
    """So many sessions are up, and stay so for longer than any retry takes."""
    world.run_until(lambda: world.established() == sessions, limit_ns=120 * SECOND)
    world.run_for(60 * SECOND)
    assert world.established() == sessions


def problems(node: Node) -> tuple[Problem, ...]:
    assert node.status is not None
    return node.status.problems


def downs(node: Node) -> int:
    """How often a session of the node ended."""
    changes = [fact for fact in node.facts if isinstance(fact, SessionStateChanged)]
    return sum(fact.old == "Established" for fact in changes)


class TestPasswords:
    def test_a_missing_password_holds_the_session_down_and_says_where_it_was_looked_for(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        settled(world, 0)
        assert problems(world.nodes["node-1"]) == (
            Problem(
                "BGPConfiguration default",
                "spec.nodeMeshPassword.secretKeyRef",
                'secret "bgp-secrets", key "mesh": there is neither a file '
                f"{PATH} nor a key {KEY} in etcd; the mesh stays down",
            ),
        )

    def test_a_password_that_arrives_opens_the_session(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        settled(world, 0)
        world.store.put(KEY, b"secret\n")
        settled(world, 2)
        assert problems(world.nodes["node-1"]) == ()

    def test_files_and_etcd_serve_alike(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        world.store.put(KEY, b"secret")
        world.nodes["node-1"].write_secret(MESH, b"secret")
        settled(world, 2)
        assert [downs(node) for node in world.nodes.values()] == [0, 0]

    def test_a_changed_password_is_a_new_session(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        world.store.put(KEY, b"old")
        settled(world, 2)
        world.store.put(KEY, b"new")
        settled(world, 2)
        assert all(downs(node) == 2 for node in world.nodes.values())

    def test_two_sides_with_two_passwords_have_no_session(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        world.store.put(KEY, b"one")
        settled(world, 2)
        world.nodes["node-1"].write_secret(MESH, b"two")
        settled(world, 0)
        world.nodes["node-1"].write_secret(MESH, None)
        settled(world, 2)

    def test_a_password_that_vanishes_ends_the_session(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        world.store.put(KEY, b"secret")
        settled(world, 2)
        world.store.delete(KEY)
        settled(world, 0)
        assert len(problems(world.nodes["node-1"])) == 1

    def test_an_optional_password_that_does_not_exist_is_none(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world, optional=True)
        settled(world, 2)
        world.store.put(KEY, b"secret")
        settled(world, 2)
        world.store.put(KEY, b"")
        settled(world, 0)

    def test_etcd_may_forbid_its_secrets_and_all_else_goes_on(self) -> None:
        world = mesh(2, seed=1)
        world.store.close(SECRETS, "permission denied")
        world.store.put(KEY, b"secret")
        use_mesh_password(world, optional=True)
        settled(world, 0)
        (problem,) = problems(world.nodes["node-1"])
        assert problem.reason == (
            f'secret "bgp-secrets", key "mesh": there is no file {PATH}, '
            f"and {KEY} in etcd cannot be read: permission denied; the mesh stays down"
        )
        for node in world.nodes.values():
            node.write_secret(MESH, b"secret")
        settled(world, 2)
        for node in world.nodes.values():
            node.write_secret(MESH, None)
        world.store.open(SECRETS)
        settled(world, 2)

    def test_a_restart_waits_for_its_passwords_and_does_not_flap(self) -> None:
        world = mesh(3, seed=3)
        use_mesh_password(world)
        world.store.put(KEY, b"secret")
        world.run_until(lambda: converged(world, 3), limit_ns=60 * SECOND)
        node = world.nodes["node-1"]
        writes = {name: one.kernel.writes for name, one in world.nodes.items()}
        node.kill()
        world.run_for(5 * SECOND)
        before = len(node.facts)
        node.start()
        settled(world, 6)
        assert {name: one.kernel.writes for name, one in world.nodes.items()} == writes
        names = [type(fact).__name__ for fact in node.facts[before:]]
        assert "IntentProblem" not in names

    def test_a_password_is_in_no_fact_and_no_status(self) -> None:
        world = mesh(2, seed=1)
        use_mesh_password(world)
        world.store.put(KEY, b"correct horse")
        settled(world, 2)
        world.store.put(KEY, b"correct horse" * 9)
        settled(world, 0)
        for node in world.nodes.values():
            assert "correct" not in repr(node.facts)
            assert "correct" not in repr(node.status)


def put_endpoint(world: World, node: str, workload: str, addresses: list[str], **labels: str) -> str:
    name = "-".join(part.replace("-", "--") for part in (node, "openstack", workload, "eth0"))
    spec = {
        "orchestrator": "openstack",
        "node": node,
        "workload": workload,
        "endpoint": "eth0",
        "ipNetworks": addresses,
    }
    value = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "WorkloadEndpoint",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": spec,
    }
    key = f"{RESOURCES}/workloadendpoints/default/{name}"
    world.store.put(key, json.dumps(value).encode())
    return key


class TestWorkloads:
    @pytest.fixture
    def world(self) -> World:
        world = mesh(2, seed=4)
        spec = {"localWorkloadSelector": "has(bgp)", "asNumber": 65001}
        put_resource(world, "BGPPeer", "bgppeers", "workloads", spec)
        return world

    def peers(self, world: World, node: str) -> list[tuple[str, str]]:
        world.run_for(5 * SECOND)
        status = world.nodes[node].status
        assert status is not None
        return [(str(peer.peer), peer.scope) for peer in status.peers if peer.scope == "workload"]

    def test_an_endpoint_is_a_peer_while_it_is_there_and_matches(self, world: World) -> None:
        addresses = ["10.0.1.7/32", "fd10::107/128"]
        key = put_endpoint(world, "node-1", "vm", addresses, bgp="yes")
        put_endpoint(world, "node-1", "silent", ["10.0.1.8/32"])
        assert self.peers(world, "node-1") == [("10.0.1.7", "workload"), ("fd10::107", "workload")]
        assert self.peers(world, "node-2") == []
        put_endpoint(world, "node-1", "vm", addresses[:1], bgp="yes")
        assert self.peers(world, "node-1") == [("10.0.1.7", "workload")]
        put_endpoint(world, "node-1", "vm", addresses)
        assert self.peers(world, "node-1") == []
        put_endpoint(world, "node-1", "vm", addresses, bgp="yes")
        world.store.delete(key)
        assert self.peers(world, "node-1") == []
        settled(world, 2)
        assert [downs(node) for node in world.nodes.values()] == [0, 0]

    def test_a_restart_finds_its_workloads_before_it_does_anything(self, world: World) -> None:
        put_endpoint(world, "node-1", "vm", ["10.0.1.7/32"], bgp="yes")
        world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
        node = world.nodes["node-1"]
        node.kill()
        world.run_for(SECOND)
        node.status = None
        node.start()
        world.run_until(lambda: node.status is not None, limit_ns=5 * SECOND)
        assert self.peers(world, "node-1") == [("10.0.1.7", "workload")]

    def test_endpoints_that_etcd_forbids_are_named(self, world: World) -> None:
        world.store.close(f"{RESOURCES}/workloadendpoints/", "permission denied")
        settled(world, 2)
        assert problems(world.nodes["node-1"]) == (
            Problem(
                "BGPPeer workloads",
                "spec.localWorkloadSelector",
                "the WorkloadEndpoints in etcd cannot be read: permission denied",
            ),
        )


def test_the_log_level_is_the_nodes_own_or_the_clusters() -> None:
    world = mesh(2, seed=1)
    kind, plural = "BGPConfiguration", "bgpconfigurations"
    put_resource(world, kind, plural, "default", {"logSeverityScreen": "Warning"})
    put_resource(world, kind, plural, "node.node-2", {"logSeverityScreen": "tRACE"})
    world.run_for(SECOND)
    assert [node.log_level for node in world.nodes.values()] == ["warning", "debug"]
    world.store.delete(f"{RESOURCES}/{plural}/default")
    world.store.delete(f"{RESOURCES}/{plural}/node.node-2")
    world.run_for(SECOND)
    assert [node.log_level for node in world.nodes.values()] == ["info", "info"]


class TestReachableBy:
    ROUTER = Prefix.parse("192.0.2.1/32")
    GATEWAY = Address.parse("172.30.0.254")

    def put_router(self, world: World, gateway: str | None, name: str = "router", **more: object) -> None:
        spec: dict[str, object] = {"peerIP": "192.0.2.1", "asNumber": 65001, **more}
        put_resource(world, "BGPPeer", "bgppeers", name, spec | ({"reachableBy": gateway} if gateway else {}))

    def route(self, node: Node) -> Route | None:
        return node.kernel.routes().get(self.ROUTER)

    def test_the_way_to_a_peer_comes_changes_and_goes(self) -> None:
        world = mesh(2, seed=1)
        self.put_router(world, "172.30.0.254", node="node-1")
        world.run_for(5 * SECOND)
        one, two = world.nodes.values()
        assert self.route(one) == Route(RouteKind.UNICAST, (NextHop(self.GATEWAY, "eth0"),))
        assert self.route(two) is None
        self.put_router(world, "172.30.0.253", node="node-1")
        world.run_for(5 * SECOND)
        assert self.route(one) == Route(RouteKind.UNICAST, (NextHop(Address.parse("172.30.0.253"), "eth0"),))
        self.put_router(world, None, node="node-1")
        world.run_for(5 * SECOND)
        assert self.route(one) is None

    def test_of_two_gateways_the_first_bgp_peers_counts_and_the_other_is_named(self) -> None:
        world = mesh(1, seed=1)
        self.put_router(world, "172.30.0.254", name="a")
        self.put_router(world, "172.30.0.254", name="b", peerIP="192.0.2.1:1179")
        self.put_router(world, "172.30.0.253", name="c", peerIP="192.0.2.1:2179")
        world.run_for(5 * SECOND)
        (node,) = world.nodes.values()
        assert self.route(node) == Route(RouteKind.UNICAST, (NextHop(self.GATEWAY, "eth0"),))
        reason = "192.0.2.1 is already reached by 172.30.0.254, by BGPPeer a, which comes first"
        assert problems(node) == (Problem("BGPPeer c", "spec.reachableBy", reason),)

    def test_a_gateway_that_is_on_no_link_is_named_and_tried_again(self) -> None:
        world = World(seed=1)
        put_resource(world, "Node", "nodes", "node-1", {"bgp": {"ipv4Address": "172.30.0.1/24"}})
        node = world.add_node("node-1", [Address.parse("172.30.0.1")], [Prefix.parse("172.30.0.0/25")])
        self.put_router(world, "172.30.0.254")
        world.run_for(5 * SECOND)
        assert problems(node) == (Problem("route 192.0.2.1/32", "", "Nexthop has invalid gateway"),)
        node.connect(Prefix.parse("172.30.0.0/24"))
        world.run_for(SECOND)
        assert self.route(node) == Route(RouteKind.UNICAST, (NextHop(self.GATEWAY, "eth0"),))
        assert problems(node) == ()

    @pytest.mark.parametrize("action", ["Accept", "Reject"])
    def test_a_filter_may_announce_it(self, action: str) -> None:
        world = mesh(2, seed=1)
        put_resource(
            world, "BGPConfiguration", "bgpconfigurations", "default", {"nodeToNodeMeshEnabled": False}
        )
        rule = {"cidr": "192.0.2.1/32", "matchOperator": "Equal", "action": action}
        put_resource(world, "BGPFilter", "bgpfilters", "router", {"exportV4": [rule]})
        spec: dict[str, object] = {"nodeSelector": "all()", "peerSelector": "all()", "filters": ["router"]}
        put_resource(world, "BGPPeer", "bgppeers", "all", spec)
        self.put_router(world, "172.30.0.254", node="node-1")
        settled(world, 2)
        learned = Route(RouteKind.UNICAST, (NextHop(self.GATEWAY, "eth0"),))
        assert self.route(world.nodes["node-2"]) == (learned if action == "Accept" else None)
