"""Simulated nodes keep on their disks what they know of the store, and begin with it while that is away."""

from felixbgp.agent.effects import Follow
from felixbgp.cluster.inputs import KeyPut, SnapshotReceived, StoredValue
from felixbgp.net import Address, Prefix
from felixbgp.sim.disk import PATIENCE_NS, WRITE_NS, Disk
from felixbgp.sim.node import Manner
from felixbgp.sim.world import SECOND, World
from felixbgp.status.node_status import DatastoreCondition
from tests.support.cluster import put_resource

LIMIT_NS = 60 * SECOND
A = "/a/"


def test_what_came_right_before_a_crash_is_not_on_the_disk() -> None:
    disk = Disk("node-1")
    disk.follow(Follow((A,)))
    disk.hear(SnapshotReceived(A, 5, ()), 0)
    disk.hear(KeyPut(StoredValue(f"{A}x", b"1", 6)), WRITE_NS - 1)
    assert disk.recovered() is None  # It was heard in this life.
    disk.begin()
    kept = disk.recovered()
    assert kept is not None
    assert (kept.revision, kept.written_at) == (5, 0)
    disk.follow(Follow((A,)))
    disk.hear(SnapshotReceived(A, 6, (StoredValue(f"{A}x", b"1", 6),)), WRITE_NS)
    disk.write(2 * WRITE_NS)
    disk.begin()
    kept = disk.recovered()
    assert kept is not None
    assert (kept.revision, kept.written_at) == (6, 2 * WRITE_NS)


def a_pair() -> World:
    """Two nodes with disks."""
    world = World(1)
    put_resource(world, "IPPool", "ippools", "v4", {"cidr": "10.0.0.0/16", "ipipMode": "Never"})
    for number in (1, 2):
        name, address = f"node-{number}", f"172.30.0.{number}"
        put_resource(world, "Node", "nodes", name, {"bgp": {"ipv4Address": f"{address}/24"}})
        key = f"/calico/ipam/v2/host/{name}/ipv4/block/10.0.{number}.0-26"
        world.store.put(key, b'{"state":"confirmed"}')
        networks = [Prefix.parse("172.30.0.0/24")]
        world.add_node(name, [Address.parse(address)], networks, manner=Manner(keeps_state=True))
    world.run_until(lambda: world.established() == 1, LIMIT_NS)
    world.run_for(2 * WRITE_NS)
    return world


def test_after_a_power_failure_of_all_without_a_store_the_cluster_is_there_again() -> None:
    world = a_pair()
    world.store.fail("no route to host")
    for node in world.nodes.values():
        node.turn_off()
    world.run_for(SECOND)
    for node in world.nodes.values():
        node.start()
    took = world.run_until(
        lambda: all(len(node.kernel.routes()) == 2 for node in world.nodes.values()), LIMIT_NS
    )
    assert took >= PATIENCE_NS
    conditions = {node.agent.status(node.now).datastore.condition for node in world.nodes.values()}
    assert conditions == {DatastoreCondition.RECOVERED}
    world.store.recover()
    world.run_for(10 * SECOND)
    conditions = {node.agent.status(node.now).datastore.condition for node in world.nodes.values()}
    assert conditions == {DatastoreCondition.IN_SYNC}
    assert world.established() == 1


def test_a_store_that_answers_is_asked_and_not_the_disk() -> None:
    world = a_pair()
    node = world.nodes["node-1"]
    node.stop()
    node.start()
    world.run_for(2 * PATIENCE_NS)
    assert node.agent.status(node.now).datastore.condition is DatastoreCondition.IN_SYNC
    assert not [fact for fact in node.facts if type(fact).__name__ == "LastKnownStateUsed"]
