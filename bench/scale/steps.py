"""The longest step of one agent, by its kind, while a large cluster arrives and changes: 5 ms are aimed at.

The agent is driven as the shell drives it, its budgets set by what the last step took; all other nodes are
played. Milliseconds are of the processor, so that a machine that others use is no reason to complain.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from time import process_time_ns
from typing import NamedTuple

from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.cluster.state import FOLLOWED_KINDS
from felixbgp.resources.decode import prepare
from felixbgp.runtime.garbage import look, short_collections
from felixbgp.runtime.pace import FEWEST, MOST, START, TOLD_FEWEST, TOLD_START, Pace
from felixbgp.runtime.steps import StepKind
from tests.support.derivation import Object, resource
from tests.support.large_cluster import (
    SECOND,
    LargeCluster,
    filter_object,
    mesh_objects,
    node_object,
    routers_objects,
)

SIZE = 1_000
SETTLED = 100 * SECOND
"""Longer than the interval between two statuses of 1,000 peers."""
CLUSTERS: dict[str, Callable[[int], list[Object]]] = {
    "1,000 nodes": mesh_objects,
    "1,000 BGPPeers": routers_objects,
}


def _mesh(*, on: bool) -> Object:
    return resource("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": on})


CHANGES: dict[str, Object] = {
    "a label changes": node_object(7, turn="1"),
    "a filter is edited": filter_object("rules", 9),
    "a pool comes": resource("IPPool", "other", {"cidr": "100.64.0.0/12"}),
    "the mesh goes off": _mesh(on=False),
    "the mesh goes on": _mesh(on=True),
}


class Longest(NamedTuple):
    """The longest steps of one event, with all that follows from it, in milliseconds by their kind."""

    cluster: str
    event: str
    ms: dict[StepKind, float]


class Timed(LargeCluster):
    """A cluster whose agent is drained step by step."""

    def __init__(self, objects: list[Object]) -> None:
        self._longest: defaultdict[StepKind, int] = defaultdict(int)
        self._taking = Pace(START, FEWEST, MOST)
        self._telling = Pace(TOLD_START, TOLD_FEWEST, MOST)
        super().__init__(objects)

    def drain(self) -> list[Effect]:
        agent = self.agent
        effects, took = self._step(StepKind.TAKE, lambda: agent.take(self.now, self._taking.budget))
        self._taking.learn(took, is_more=agent.is_selecting)
        told, took = self._step(StepKind.TELL, lambda: agent.tell(self.now, self._telling.budget))
        self._telling.learn(took, is_more=agent.is_telling)
        published, _ = self._step(StepKind.PUBLISH, lambda: agent.publish(self.now))
        return effects + told + published

    def feed(self, *events: Input) -> None:
        began = process_time_ns()
        for event in events:
            self.agent.feed(event, self.now)
        self._note(StepKind.FEED, process_time_ns() - began)

    def longest(self) -> dict[StepKind, float]:
        """Since the last call."""
        found = {kind: took / 1e6 for kind, took in self._longest.items()}
        self._longest.clear()
        return found

    def _step(self, kind: StepKind, work: Callable[[], list[Effect]]) -> tuple[list[Effect], int]:
        began = process_time_ns()
        result = work()
        look()
        took = process_time_ns() - began
        self._note(kind, took)
        return result, took

    def _note(self, kind: StepKind, took: int) -> None:
        self._longest[kind] = max(self._longest[kind], took)


def of_steps(size: int = SIZE) -> Iterator[Longest]:
    """Every change in every cluster, one after the other, each until all is done and told."""
    prepare(FOLLOWED_KINDS)
    for name, objects in CLUSTERS.items():
        written = objects(size)
        with short_collections():
            cluster = Timed(written)
            cluster.run_for(SETTLED)
            yield Longest(name, "they arrive", cluster.longest())
            for event, change in CHANGES.items():
                cluster.change(change)
                cluster.run_for(SETTLED)
                yield Longest(name, event, cluster.longest())
