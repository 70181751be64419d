"""What an agent writes of itself is bounded: documents by their size, reports by their period."""

import json
from itertools import pairwise

from felixbgp.agent.publication import interval_ns
from felixbgp.cluster.node_statuses import NODE_STATUSES
from felixbgp.sim.world import MILLISECOND, SECOND, World
from felixbgp.status.node_status import NodeStatus
from tests.support.cluster import converged, mesh, put_resource

MINUTE = 60 * SECOND
TROUBLE_EVERY_NS = 100 * MILLISECOND
PERIOD_S = 10


def a_mesh() -> World:
    """Three nodes at rest. node-3, which dials the others, has two CalicoNodeStatuses, one filled once."""
    world = mesh(3, seed=1)
    for name, period in (("often", PERIOD_S), ("once", 0)):
        spec: dict[str, object] = {"node": "node-3", "classes": ["BGP"], "updatePeriodSeconds": period}
        put_resource(world, "CalicoNodeStatus", "caliconodestatuses", name, spec)
    world.run_until(lambda: converged(world, 3), MINUTE)
    world.run_for(2 * PERIOD_S * SECOND)
    return world


class Writes:
    """When node-3 wrote its document, and what it reported, from now on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.until = world.clock.now
        self.times: list[int] = []
        self.reports: dict[str, list[object]] = {
            "often": [self.report("often")],
            "once": [self.report("once")],
        }
        self._last: NodeStatus | None = world.nodes["node-3"].status

    def report(self, name: str) -> object:
        value = self.world.store.get(NODE_STATUSES + name)
        assert value is not None
        return json.loads(value).get("status")

    def run_for(self, duration_ns: int) -> None:
        """Let time pass, step by step."""
        self.until += duration_ns
        while (upcoming := self.world.clock.next_time()) is not None and upcoming <= self.until:
            self.world.step()
            status = self.world.nodes["node-3"].status
            if status is not self._last:
                self.times.append(self.world.clock.now)
                self._last = status
            for name, seen in self.reports.items():
                if (now := self.report(name)) != seen[-1]:
                    seen.append(now)


def test_troubles_all_the_time_cost_the_store_no_more_than_the_bound() -> None:
    world = a_mesh()
    status = world.nodes["node-3"].status
    assert status is not None
    peers = len(status.peers)
    writes = Writes(world)
    for turn in range(MINUTE // TROUBLE_EVERY_NS):
        world.network.reset("node-3", "node-2")
        world.network.reset("node-3", "node-1")
        # What is wrong with it is another problem each time.
        put_resource(world, "BGPPeer", "bgppeers", "wrong", {"peerIP": f"nowhere-{turn}", "asNumber": 1})
        writes.run_for(TROUBLE_EVERY_NS)
    assert all(after - before >= interval_ns(peers) for before, after in pairwise(writes.times))
    most = 1 + MINUTE // interval_ns(peers)
    # Nor does it hide what goes on: there is news all the time, and it is told as often as it may be.
    assert most // 2 <= len(writes.times) <= most
    assert 2 <= len(writes.reports["often"]) <= 2 + MINUTE // (PERIOD_S * SECOND)
    assert len(writes.reports["once"]) == 1


def test_a_cluster_at_rest_writes_nothing() -> None:
    writes = Writes(a_mesh())
    writes.run_for(MINUTE)
    assert writes.times == []
    assert [len(seen) for seen in writes.reports.values()] == [1, 1]
