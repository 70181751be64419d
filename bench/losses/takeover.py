"""Z10: felixbgp takes BIRD's place on nodes of a running BIRD mesh, one after the other."""

from collections.abc import Mapping
from typing import ClassVar

from bench.losses.bird import Twin
from bench.losses.case import Case
from bench.losses.cluster import Cluster
from felixbgp.agent.config import ROUTE_PROTOCOL
from felixbgp.lab import checks, netns
from felixbgp.lab.lab import STATUS_PREFIX, Lab
from felixbgp.lab.plan import LabPlan, Node
from felixbgp.lab.processes import Command
from felixbgp.lab.sessions import established

SECONDS_MAX = 150.0
"""A node that restarts waits for others for two minutes at most."""


class Migration(Twin):
    """BIRD on all nodes, and felixbgp on those that were moved."""

    daemon: ClassVar[str] = "felixbgp"

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self._moved: dict[str, Command] = {}
        """By node: how its BIRD was started."""

    @classmethod
    def _bring_up(cls, plan: LabPlan, settings: Mapping[str, str]) -> Lab:
        return super()._bring_up(plan, {**settings, "FELIXBGP_TAKE_OVER": "bird"})

    def move(self, node: Node) -> None:
        """Kill -9 a node's BIRD, and start felixbgp in its place."""
        self._moved[node.name] = self.lab.processes[node.name].command
        self.lab.kill(node.name)
        self.lab.start_agent(node)

    def unmoved(self) -> list[str]:
        """What is still BIRD's in the kernels of nodes that were moved, and sessions that do not stand."""
        left = [
            f"{node.name}: BIRD's route to {route['dst']}"
            for node in self.plan.nodes
            if node.name in self._moved
            for route in netns.query(["route", "show", "proto", "bird"], node.namespace)
        ]
        return left + self.unsettled()

    def restore(self) -> None:
        """BIRD everywhere; what agents left in the kernels is taken away, as BIRD would learn it."""
        for node in self.plan.nodes:
            if node.name in self._moved:
                self.lab.stop(node.name)
                netns.batch([f"route flush proto {ROUTE_PROTOCOL}"], node.namespace)
                self.lab.spawn(self._moved.pop(node.name))
        super().restore()

    def sessions(self) -> dict[str, frozenset[str]]:
        """By what each BIRD says, and the statuses of the agents."""
        documents = self.store.get_prefix(STATUS_PREFIX)
        found = super().sessions()
        return found | {name: established(documents, name) for name in self._moved}

    def runs_bird(self, node: Node) -> bool:
        """Not one that was moved."""
        return node.name not in self._moved and super().runs_bird(node)


def _move_one(cluster: Cluster) -> None:
    assert isinstance(cluster, Migration)
    cluster.move(cluster.plan.nodes[0])


def _move_all(cluster: Cluster) -> None:
    assert isinstance(cluster, Migration)
    for node in cluster.plan.nodes:
        cluster.move(node)
        _settled(cluster)


def _settled(cluster: Cluster) -> None:
    assert isinstance(cluster, Migration)
    checks.wait_for(cluster.unmoved, "felixbgp in BIRD's place", SECONDS_MAX)


CASES = (
    Case(
        group="Z10",
        name="bird-replaced",
        title="BIRD of one node in a BIRD mesh killed -9, felixbgp started in its place",
        change=_move_one,
        settled=_settled,
        cluster=Migration,
        bird=False,
    ),
    Case(
        group="Z10",
        name="bird-replaced-everywhere",
        title="the same on all nodes, one after the other",
        change=_move_all,
        settled=_settled,
        cluster=Migration,
        bird=False,
    ),
)
