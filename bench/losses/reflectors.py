"""Z1 and Z2: from the mesh to route reflectors and back, and reflectors that come and go."""

import signal
import time

from bench.losses.case import Case, Step
from bench.losses.cluster import Cluster, mesh, peer_with_reflectors, reflectors
from felixbgp.lab import calico

ONE, TWO, LATE = "node-1", "node-2", "node-4"
LATER_SECONDS = 3.0
"""Between the wrong first write and the second: long beside what a daemon takes to act on the first."""
HELD_UP_SECONDS = 2.0
"""Well below the hold time."""


def _mesh_and_reflectors(cluster: Cluster) -> None:
    """All is there but the last write: reflectors, and a BGPPeer to them."""
    cluster.put(reflectors(cluster.plan, (ONE, TWO)) | peer_with_reflectors())


def _disable_the_mesh(cluster: Cluster) -> None:
    cluster.put(mesh(enabled=False))


def _reflectors_alone(cluster: Cluster) -> None:
    cluster.put(reflectors(cluster.plan, (ONE, TWO)) | peer_with_reflectors() | mesh(enabled=False))


def _enable_the_mesh(cluster: Cluster) -> None:
    cluster.put(mesh(enabled=True))


def _all_back(cluster: Cluster) -> None:
    """Nodes, BGPPeer and mesh in one transaction."""
    nodes = {
        key: value
        for node in cluster.plan.nodes
        for key, value in calico.node_resources(node).items()
        if key.startswith(calico.NODES)
    }
    cluster.store.put_all(nodes | mesh(enabled=True))
    cluster.delete(*peer_with_reflectors())


def _mesh_first(cluster: Cluster) -> None:
    """The wrong order: nobody is anybody's peer until the second write."""
    _disable_the_mesh(cluster)
    time.sleep(LATER_SECONDS)
    cluster.put(reflectors(cluster.plan, (ONE, TWO)) | peer_with_reflectors())


def _first_reflector(cluster: Cluster) -> None:
    cluster.put(reflectors(cluster.plan, (ONE,)) | peer_with_reflectors() | mesh(enabled=False))


def _second_reflector(cluster: Cluster) -> None:
    cluster.put(reflectors(cluster.plan, (TWO,)))


def _no_reflector(cluster: Cluster) -> None:
    two = next(node for node in cluster.plan.nodes if node.name == TWO)
    cluster.put(
        {key: value for key, value in calico.node_resources(two).items() if key.startswith(calico.NODES)}
    )


def _peers_before_reflectors(cluster: Cluster) -> None:
    cluster.put(peer_with_reflectors())


def _one_becomes(cluster: Cluster) -> None:
    cluster.put(reflectors(cluster.plan, (ONE,)))


def _delete_a_reflector(cluster: Cluster) -> None:
    """Its Node goes, as with `calicoctl delete node`, and its daemon is ended."""
    two = next(node for node in cluster.plan.nodes if node.name == TWO)
    cluster.delete(*calico.node_resources(two))
    cluster.stop(TWO)


def _while_one_is_held_up(change: Step, node: str) -> Step:
    """The agent of a node reads nothing of it for a while, neither of etcd nor of its peers."""

    def changed(cluster: Cluster) -> None:
        cluster.lab.send_signal(node, signal.SIGSTOP)
        change(cluster)
        time.sleep(HELD_UP_SECONDS)
        cluster.lab.send_signal(node, signal.SIGCONT)

    return changed


CASES = (
    Case(
        group="Z1",
        name="mesh-to-reflectors",
        title="mesh → reflectors: `nodeToNodeMeshEnabled: false`, the BGPPeer present",
        prepare=_mesh_and_reflectors,
        change=_disable_the_mesh,
    ),
    Case(
        group="Z1",
        name="all-at-once",
        title="mesh → reflectors: two nodes annotated, BGPPeer and mesh in one transaction",
        change=_reflectors_alone,
    ),
    Case(
        group="Z1",
        name="wrong-order",
        title="mesh → reflectors in the wrong order: mesh disabled, the rest 3 s later",
        change=_mesh_first,
    ),
    Case(
        group="Z1",
        name="reflectors-to-mesh",
        title="reflectors → mesh: `nodeToNodeMeshEnabled: true`",
        prepare=_reflectors_alone,
        change=_enable_the_mesh,
    ),
    Case(
        group="Z1",
        name="all-back",
        title="reflectors → mesh: annotations, BGPPeer and mesh at once",
        prepare=_reflectors_alone,
        change=_all_back,
    ),
    Case(
        group="Z1",
        name="all-at-once-late",
        title="mesh → reflectors at once, one agent held up for 2 s",
        change=_while_one_is_held_up(_reflectors_alone, LATE),
        bird=False,
    ),
    Case(
        group="Z1",
        name="all-back-late",
        title="reflectors → mesh at once, one agent held up for 2 s",
        prepare=_reflectors_alone,
        change=_while_one_is_held_up(_all_back, LATE),
        bird=False,
    ),
    Case(
        group="Z2",
        name="becomes-a-reflector",
        title="a node of the mesh becomes the first reflector, by annotation and label",
        prepare=_peers_before_reflectors,
        change=_one_becomes,
    ),
    Case(
        group="Z2",
        name="second-reflector",
        title="a client becomes a second reflector",
        prepare=_first_reflector,
        change=_second_reflector,
    ),
    Case(
        group="Z2",
        name="second-reflector-late",
        title="a client becomes a second reflector, another's agent held up for 2 s",
        prepare=_first_reflector,
        change=_while_one_is_held_up(_second_reflector, LATE),
        bird=False,
    ),
    Case(
        group="Z2",
        name="reflector-no-more",
        title="one of two reflectors becomes a client",
        prepare=_reflectors_alone,
        change=_no_reflector,
    ),
    Case(
        group="Z2",
        name="reflector-deleted",
        title="one of two reflectors is deleted, its daemon stopped",
        prepare=_reflectors_alone,
        change=_delete_a_reflector,
        unprobed=(TWO,),
    ),
)
