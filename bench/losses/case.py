"""One change to a cluster, and what of the probes was lost meanwhile."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.losses.cluster import Cluster
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.probes import Losses, Probes

Step = Callable[[Cluster], None]


def nothing(_cluster: Cluster) -> None:
    """No preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A change that must lose nothing.

    It begins with a mesh of `nodes` nodes and a ToR that all of them peer with. One workload of each node is
    probed, and the host behind the ToR.
    """

    group: str
    """`Z1` to `Z10`."""
    name: str
    """For the command line: short, with hyphens."""
    title: str
    """For the table."""
    change: Step
    """What happens while packets are on their way. When it returns, all of it has been done."""
    prepare: Step = nothing
    """From the mesh to the state before the change; all sessions that it wants are waited for."""
    nodes: int = 4
    tors: int = 1
    unprobed: Sequence[str] = ()
    """Nodes and ToRs whose endpoints send and get no probes, since the change takes them away."""
    settled: Step | None = None
    """What is waited for after the change; unless said, that exactly the wanted sessions stand."""
    watch_seconds: float = 2.0
    """How long to go on after that."""
    cluster: type[Cluster] = Cluster
    """What felixbgp's runs begin with."""
    bird: bool = True
    """Whether BIRD can do it."""
    lossless: bool = True
    """Whether nothing may be lost; where something must be (a machine dies), the table shows how much."""

    def plan(self, name: str, workloads: int = 1) -> LabPlan:
        """The lab that it is run in, with so many workloads on each node."""
        return LabPlan(
            name=name,
            node_count=self.nodes,
            tor_count=self.tors,
            workload_count=workloads,
            ipv6=False,
        )


def run(case: Case, cluster: Cluster, *, prepared: bool = False) -> Losses:
    """Run a case once in a cluster of its shape, which may be in any state unless it is `prepared`."""
    if not prepared:
        cluster.restore()
        case.prepare(cluster)
    cluster.wait_until_settled()
    with Probes.between(cluster.endpoints(case.unprobed)) as probes:
        probes.wait_until_all_work()
        probes.mark()
        case.change(cluster)
        (case.settled or Cluster.wait_until_settled)(cluster)
        # What is counted is what is lost in this time; nothing is waited for.
        time.sleep(case.watch_seconds)
        return probes.stop()
