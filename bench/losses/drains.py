"""Z8: nodes that are drained, stopped, and put back."""

import json

from bench.losses.case import Case, nothing
from bench.losses.cluster import Cluster, mesh, peer_with_reflectors, reflectors
from felixbgp.cluster.drains import DRAINS
from felixbgp.lab import calico, checks, netns
from felixbgp.lab.plan import Node, Workload

ONE, TWO = "node-1", "node-2"
SERVICES = "10.96.0.0/16"
SERVICE = "10.96.0.10"
TABLE = 100
"""Of routes that stand for kube-proxy's part: it needs none, and nobody announces what is in it."""
SECONDS_MAX = 40.0


class Draining(Cluster):
    """A cluster whose first node's workloads have been moved elsewhere."""

    def restore(self) -> None:
        """Nobody is drained, every cable is plugged in, and the workloads are back."""
        self.store.delete(self.store.get_prefix(DRAINS))
        self._cable("up")
        self._workloads("replace")
        super().restore()

    def move_workloads(self) -> None:
        """Take those of the first node away, as far as the node knows."""
        self._workloads("del")

    def drain(self) -> None:
        """What an operator does before a node is stopped; raises unless it is safe to."""
        printed = self.felixbgp("node", "drain", ONE, "--timeout", f"{SECONDS_MAX:g}")
        assert printed == f"{ONE}: safe to stop\n"

    def turn_off(self) -> None:
        """End the agent of the first node, and its machine: what is still sent there is lost."""
        self.stop(ONE)
        self._cable("down")

    def turn_on(self) -> None:
        """Both again."""
        self._cable("up")
        self.start(ONE)

    def _cable(self, state: str) -> None:
        netns.batch((f"link set {ONE} {state}",), self.plan.fabric)

    def _workloads(self, verb: str) -> None:
        node = self.plan.nodes[0]
        netns.batch(
            (f"route {verb} {one.ipv4}/32 dev {one.interface} scope link" for one in node.workloads),
            node.namespace,
        )


class Services(Draining):
    """Two of its nodes announce a range of services, one of which is behind a third node."""

    def endpoints(self, without: object = ()) -> list[Workload]:  # noqa: ARG002 - there are these two
        """The host behind the ToR, and the service."""
        return [self.plan.tors[0].host, self.service]

    @property
    def service(self) -> Workload:
        """A workload of the third node under the address of the service."""
        backend = self.plan.nodes[2].workloads[0]
        return Workload(
            name="service", namespace=backend.namespace, interface=backend.interface, ipv4=SERVICE, ipv6=""
        )

    def restore(self) -> None:
        """Play kube-proxy: the first two nodes lead to the third, and that to its workload."""
        backend = self.plan.nodes[2]
        inside = self.service
        for node in self.plan.nodes[:3]:
            way = f"dev {inside.interface}" if node == backend else f"via {backend.ipv4}"
            rules = netns.query(["rule", "show", "table", str(TABLE)], node.namespace)
            rule = () if rules else (f"rule add to {SERVICE} lookup {TABLE}",)
            netns.batch((*rule, f"route replace {SERVICE}/32 {way} table {TABLE}"), node.namespace)
        netns.batch((f"address replace {SERVICE}/32 dev lo",), inside.namespace)
        super().restore()

    def base(self) -> dict[str, str]:
        """Only the first two nodes have services."""
        values = super().base()
        for node in self.plan.nodes[2:]:
            values |= _without_services(node)
        return values | calico.configuration_resource("default", {"serviceClusterIPs": [{"cidr": SERVICES}]})

    def wait_for_services(self) -> None:
        """Until the ToR has a route to them."""
        tor = self.plan.tors[0]

        def missing() -> list[str]:
            found = netns.query(["route", "show", SERVICES], tor.namespace)
            return [] if found else ["the ToR has no route to the services"]

        checks.wait_for(missing, "the services are announced", SECONDS_MAX)


def _without_services(node: Node) -> dict[str, str]:
    """The Node with Kubernetes' label for those that take no part in load balancing."""
    (key, text), *_ = calico.node_resources(node).items()
    value = json.loads(text)
    value["metadata"]["labels"]["node.kubernetes.io/exclude-from-external-load-balancers"] = "true"
    return {key: json.dumps(value)}


def _of(cluster: Cluster) -> Draining:
    assert isinstance(cluster, Draining)
    return cluster


def _reflectors_alone(cluster: Cluster) -> None:
    cluster.put(reflectors(cluster.plan, (ONE, TWO)) | peer_with_reflectors() | mesh(enabled=False))
    _of(cluster).move_workloads()


def _services(cluster: Cluster) -> None:
    assert isinstance(cluster, Services)
    cluster.move_workloads()
    cluster.wait_for_services()


def _drain_and_stop(cluster: Cluster) -> None:
    _of(cluster).drain()
    _of(cluster).turn_off()


def _drain_and_put_back(cluster: Cluster) -> None:
    """As for a new kernel: the agent starts drained, and then is not."""
    _drain_and_stop(cluster)
    _of(cluster).turn_on()
    cluster.wait_until_settled()
    cluster.felixbgp("node", "undrain", ONE)


CASES = (
    Case(
        group="Z8",
        name="drain-a-reflector",
        title="one of two reflectors is drained and turned off",
        cluster=Draining,
        prepare=_reflectors_alone,
        change=_drain_and_stop,
        settled=nothing,
        watch_seconds=10.0,
        unprobed=(ONE,),
        bird=False,
    ),
    Case(
        group="Z8",
        name="drain-and-back",
        title="one of two reflectors is drained, turned off, turned on and put back",
        cluster=Draining,
        prepare=_reflectors_alone,
        change=_drain_and_put_back,
        unprobed=(ONE,),
        bird=False,
    ),
    Case(
        group="Z8",
        name="drain-services",
        title="one of two nodes that announce the same services to the ToR is drained and turned off",
        cluster=Services,
        prepare=_services,
        change=_drain_and_stop,
        settled=nothing,
        watch_seconds=10.0,
        bird=False,
    ),
)
