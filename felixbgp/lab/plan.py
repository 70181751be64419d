r"""What a lab consists of, as values: names, addresses, blocks, workloads. Nothing here touches the host.

    <name>-node-1        <name>-node-2        <name>-tor-1
    eth0 172.30.1.1      eth0 172.30.1.2      eth0 172.30.2.1      lo 198.18.1.1
      |   \ cali…          |   \ cali…          |   \ host0
      |    <name>-node-1-w1  |    <name>-node-2-w1  |   <name>-tor-1-host 198.18.1.2
      |                      |                    |
    ==+======================+====================+==  br0 172.30.0.1 in <name>-fabric

With several subnets the nodes and ToRs take turns in them (br1 172.31.0.1 and so on), and the fabric is the
router between them: it knows their networks and nothing of the cluster.

Every address follows from the kind and number of its owner, so two labs of the same size are alike; they
cannot meet, since each has its own fabric.
"""

import hashlib
import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
"""Lab names. No hyphen, so that no lab's namespaces can look like another's; short, to fit socket paths."""
NODES_MAX = 100
"""Each node is a Python process of some 60 MiB; a hundred is what a large host carries."""
TORS_MAX = 8
WORKLOADS_MAX = 30
"""Per node. A /26 block holds 64 addresses."""
SUBNETS_MAX = 8
"""As many as there are ToRs at most, so that every rack can have its own."""
AS_NUMBER = 64512
"""The cluster's AS: Calico's default, so the lab needs no BGPConfiguration."""
TOR_AS_NUMBER = 64567
BLOCK_SIZE = 64
"""Addresses in a block: /26 and /122, Calico's defaults."""

FABRIC_V4, FABRIC_V6 = "172.30", "fd00:172:30:"
"""How the addresses of the first subnet begin."""
POOL_V4 = "10.65.0.0/16"
POOL_V6 = "fd00:10:65::/112"


class PlanError(ValueError):
    """A lab that cannot be: a bad name, or a number out of bounds. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """One bridge of the fabric, with the networks on it. IPv6 texts are "" in a lab without IPv6.

    The gateways are the bridge's own addresses.
    """

    bridge: str
    network_v4: str
    network_v6: str
    gateway_v4: str
    gateway_v6: str


@dataclass(frozen=True, slots=True)
class Workload:
    """A pod or VM: its own namespace behind a `cali…` interface of its node. `ipv6` may be "".

    A host behind a ToR is attached in the same way.
    """

    name: str
    namespace: str
    interface: str
    ipv4: str
    ipv6: str


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster node: one namespace with one agent. IPv6 texts are "" in a lab without IPv6."""

    name: str
    namespace: str
    ipv4: str
    ipv6: str
    block_v4: str
    block_v6: str
    rack: str
    subnet: Subnet
    workloads: tuple[Workload, ...]


@dataclass(frozen=True, slots=True)
class Tor:
    """A top-of-rack router. It announces `stub_v4` and `stub_v6` and answers on their first address."""

    name: str
    namespace: str
    ipv4: str
    ipv6: str
    stub_v4: str
    stub_v6: str
    service_v4: str
    service_v6: str
    subnet: Subnet
    host: Workload
    """A machine behind it, in its stub networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """The whole lab. Raises `PlanError` when built from values out of bounds."""

    name: str = "felix"
    node_count: int = 3
    tor_count: int = 1
    workload_count: int = 2
    """Workloads on each node."""
    ipv6: bool = True
    subnet_count: int = 1

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise PlanError(
                f"{self.name!r} is no lab name: a lower-case letter, then up to 11 letters or digits"
            )
        _bounded("nodes", self.node_count, 1, NODES_MAX)
        _bounded("ToRs", self.tor_count, 0, TORS_MAX)
        _bounded("workloads per node", self.workload_count, 0, WORKLOADS_MAX)
        _bounded("subnets", self.subnet_count, 1, SUBNETS_MAX)

    @property
    def fabric(self) -> str:
        """Namespace of the bridge."""
        return f"{self.name}-fabric"

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions in use, as numbers."""
        return (4, 6) if self.ipv6 else (4,)

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """All subnets in order."""
        return tuple(self._subnet(number) for number in range(1, self.subnet_count + 1))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in order."""
        return tuple(self._node(number) for number in range(1, self.node_count + 1))

    @property
    def tors(self) -> tuple[Tor, ...]:
        """All top-of-rack routers in order."""
        return tuple(self._tor(number) for number in range(1, self.tor_count + 1))

    @property
    def routers(self) -> tuple[Node | Tor, ...]:
        """Everything with a cable to the fabric: nodes and ToRs."""
        return (*self.nodes, *self.tors)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The workloads of all nodes."""
        return tuple(workload for node in self.nodes for workload in node.workloads)

    @property
    def endpoints(self) -> tuple[Workload, ...]:
        """All between which packets pass: the workloads, and the hosts behind the ToRs."""
        return (*self.workloads, *(tor.host for tor in self.tors))

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace of the lab, the fabric first."""
        members = [member.namespace for member in (*self.routers, *self.endpoints)]
        return (self.fabric, *members)

    def namespace_of(self, member: str) -> str:
        """Namespace of `node-1`, `tor-1`, `node-1-w1`, `tor-1-host` or `fabric`; may be given itself as well.

        Raises `PlanError` for any other.
        """
        namespace = member if member in self.namespaces else f"{self.name}-{member}"
        if namespace not in self.namespaces:
            known = ", ".join(name.removeprefix(f"{self.name}-") for name in self.namespaces)
            raise PlanError(f"lab {self.name} has no {member!r}; it has {known}")
        return namespace

    def node_at(self, member: str) -> Node | None:
        """The node of that name or namespace; None when it is something else."""
        return next((node for node in self.nodes if member in (node.name, node.namespace)), None)

    def _subnet(self, number: int) -> Subnet:
        v4, v6 = _fabric(number)
        return Subnet(
            bridge=f"br{number - 1}",
            network_v4=f"{v4}.0.0/16",
            network_v6=self._v6(f"{v6}:/64"),
            gateway_v4=f"{v4}.0.1",
            gateway_v6=self._v6(f"{v6}:1"),
        )

    def _turn(self, number: int) -> int:
        """The number of the subnet in which the node or ToR of a number is."""
        return 1 + (number - 1) % self.subnet_count

    def _node(self, number: int) -> Node:
        name = f"node-{number}"
        v4, v6 = _fabric(self._turn(number))
        return Node(
            name=name,
            namespace=f"{self.name}-{name}",
            ipv4=f"{v4}.1.{number}",
            ipv6=self._v6(f"{v6}:1:{number}"),
            block_v4=f"{_pool_v4(number, 0)}/26",
            block_v6=self._v6(f"{_pool_v6(number, 0)}/122"),
            rack=f"rack-{1 + (number - 1) % max(1, self.tor_count)}",
            subnet=self._subnet(self._turn(number)),
            workloads=tuple(self._workload(name, number, w) for w in range(1, self.workload_count + 1)),
        )

    def _workload(self, node: str, node_number: int, number: int) -> Workload:
        name = f"{node}-w{number}"
        return Workload(
            name=name,
            namespace=f"{self.name}-{name}",
            interface=interface_name(self.name, name),
            ipv4=_pool_v4(node_number, number),
            ipv6=self._v6(_pool_v6(node_number, number)),
        )

    def _tor(self, number: int) -> Tor:
        v4, v6 = _fabric(self._turn(number))
        return Tor(
            name=f"tor-{number}",
            namespace=f"{self.name}-tor-{number}",
            ipv4=f"{v4}.2.{number}",
            ipv6=self._v6(f"{v6}:2:{number}"),
            stub_v4=f"198.18.{number}.0/24",
            stub_v6=self._v6(f"2001:db8:{number}::/64"),
            service_v4=f"198.18.{number}.1",
            service_v6=self._v6(f"2001:db8:{number}::1"),
            subnet=self._subnet(self._turn(number)),
            host=Workload(
                name=f"tor-{number}-host",
                namespace=f"{self.name}-tor-{number}-host",
                interface="host0",
                ipv4=f"198.18.{number}.2",
                ipv6=self._v6(f"2001:db8:{number}::2"),
            ),
        )

    def _v6(self, text: str) -> str:
        return text if self.ipv6 else ""


def interface_name(lab: str, workload: str) -> str:
    """The host end of a workload's veth: `cali` and eleven digits of a hash, as Calico's CNI names it."""
    digest = hashlib.sha1(f"{lab}.{workload}".encode(), usedforsecurity=False).hexdigest()
    return f"cali{digest[:11]}"


def owns_namespace(lab: str, namespace: str) -> bool:
    """Whether `namespace` is one a lab of that name makes, whatever its size was."""
    member = r"(fabric|tor-[0-9]+(-host)?|node-[0-9]+(-w[0-9]+)?)"
    return re.fullmatch(rf"{re.escape(lab)}-{member}", namespace) is not None


def _fabric(subnet: int) -> tuple[str, str]:
    """How the addresses of a subnet begin, in each family."""
    return f"172.{29 + subnet}", f"fd00:172:{29 + subnet}:"


def _bounded(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise PlanError(f"{value} {what}: a lab has {low} to {high}")


def _pool_v4(node: int, host: int) -> str:
    offset = node * BLOCK_SIZE + host
    return f"10.65.{offset // 256}.{offset % 256}"


def _pool_v6(node: int, host: int) -> str:
    return f"fd00:10:65::{node * BLOCK_SIZE + host:x}"
