"""Turn a plan into namespaces, links, addresses and routes, attached the way Calico's CNI does it."""

from collections.abc import Iterator

from felixbgp.lab import netns
from felixbgp.lab.plan import LabPlan, Node, Tor, Workload

GATEWAY_V4 = "169.254.1.1"
"""Every workload's IPv4 gateway. Nobody has it: the node answers for it by proxy ARP."""
GATEWAY_MAC = "ee:ee:ee:ee:ee:ee"
GATEWAY_V6 = "fe80::ecee:eeff:feee:eeee"
"""The link-local address that follows from GATEWAY_MAC, so it is the same on every node."""

QUIET = {
    # Addresses must be usable the moment they are set; and nothing is to be learned from advertisements.
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
}
ROUTER = QUIET | {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    # Loose: with several equal paths an answer may come in on another interface.
    "net/ipv4/conf/all/rp_filter": "2",
    "net/ipv4/conf/default/rp_filter": "2",
    # Proxy ARP waits up to 0.8 s by default; a first ping should not.
    "net/ipv4/neigh/default/proxy_delay": "0",
    "net/ipv6/neigh/default/proxy_delay": "0",
}


def build(plan: LabPlan) -> None:
    """Make everything; raises `NetworkError` half-way, and then `remove` clears what is there."""
    netns.create(plan.namespaces)
    for namespace in plan.namespaces:
        netns.write_sysctls(namespace, QUIET)
    for router in plan.routers:
        netns.write_sysctls(router.namespace, ROUTER)
    if plan.subnet_count > 1:
        netns.write_sysctls(plan.fabric, ROUTER)
    netns.batch(links(plan))
    netns.batch(fabric(plan), plan.fabric)
    for node in plan.nodes:
        netns.batch(node_commands(node), node.namespace)
    for tor in plan.tors:
        netns.batch(tor_commands(tor), tor.namespace)
    for router, endpoint in attachments(plan):
        netns.write_sysctls(router.namespace, proxy_sysctls(endpoint))
        netns.batch(workload_commands(endpoint), endpoint.namespace)


def attachments(plan: LabPlan) -> Iterator[tuple[Node | Tor, Workload]]:
    """Each workload with its node, each host with its ToR."""
    for node in plan.nodes:
        for workload in node.workloads:
            yield node, workload
    for tor in plan.tors:
        yield tor, tor.host


def links(plan: LabPlan) -> Iterator[str]:
    """The veth pairs, made across namespaces so that no name ever appears in ours."""
    for member in plan.routers:
        yield (
            f"link add name eth0 netns {member.namespace} "
            f"type veth peer name {member.name} netns {plan.fabric}"
        )
    for router, endpoint in attachments(plan):
        yield (
            f"link add name {endpoint.interface} address {GATEWAY_MAC} netns {router.namespace} "
            f"type veth peer name eth0 netns {endpoint.namespace}"
        )


def fabric(plan: LabPlan) -> Iterator[str]:
    """The bridges. The address of each is the default gateway there, and leads to the other ones at most."""
    yield "link set lo up"
    for subnet in plan.subnets:
        yield f"link add {subnet.bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        yield f"address add {_on_link(subnet.gateway_v4, subnet.network_v4)} dev {subnet.bridge}"
        if plan.ipv6:
            yield f"address add {_on_link(subnet.gateway_v6, subnet.network_v6)} dev {subnet.bridge} nodad"
    for member in plan.routers:
        yield f"link set {member.name} master {member.subnet.bridge} up"
    for subnet in plan.subnets:
        yield f"link set {subnet.bridge} up"


def node_commands(node: Node) -> Iterator[str]:
    """A node's own interface, then its ends of the workloads' cables with their host routes."""
    yield from _fabric_side(node)
    for workload in node.workloads:
        yield from _endpoint_side(workload)


def tor_commands(tor: Tor) -> Iterator[str]:
    """A router's interface, the first address of its stub networks on the loopback, and the host's cable."""
    yield from _fabric_side(tor)
    yield f"address add {tor.service_v4}/32 dev lo"
    if tor.ipv6:
        yield f"address add {tor.service_v6}/128 dev lo nodad"
    yield from _endpoint_side(tor.host)


def workload_commands(workload: Workload) -> Iterator[str]:
    """A workload's inside: one address without a network, and a gateway that the node plays."""
    yield "link set lo up"
    yield "link set eth0 up"
    yield f"address add {workload.ipv4}/32 dev eth0"
    yield f"route add {GATEWAY_V4} dev eth0 scope link"
    yield f"route add default via {GATEWAY_V4} dev eth0"
    if workload.ipv6:
        yield f"address add {workload.ipv6}/128 dev eth0 nodad"
        yield f"route add default via {GATEWAY_V6} dev eth0"


def proxy_sysctls(workload: Workload) -> dict[str, str]:
    """What makes the node or ToR answer for GATEWAY_V4 on this cable."""
    return {
        f"net/ipv4/conf/{workload.interface}/proxy_arp": "1",
        f"net/ipv6/conf/{workload.interface}/proxy_ndp": "1",
    }


def _endpoint_side(endpoint: Workload) -> Iterator[str]:
    """The end of an endpoint's cable at its node or ToR, with a host route."""
    yield f"link set {endpoint.interface} up"
    yield f"route add {endpoint.ipv4}/32 dev {endpoint.interface} scope link"
    if endpoint.ipv6:
        yield f"route add {endpoint.ipv6}/128 dev {endpoint.interface}"


def _fabric_side(member: Node | Tor) -> Iterator[str]:
    subnet = member.subnet
    yield "link set lo up"
    yield "link set eth0 up"
    yield f"address add {_on_link(member.ipv4, subnet.network_v4)} dev eth0"
    # Linux answers proxy ARP only for addresses it has a route to: hence the default route.
    yield f"route add default via {subnet.gateway_v4} dev eth0"
    if member.ipv6:
        yield f"address add {_on_link(member.ipv6, subnet.network_v6)} dev eth0 nodad"
        yield f"route add default via {subnet.gateway_v6} dev eth0"


def _on_link(address: str, network: str) -> str:
    """An address with the length of the network that it is in."""
    return f"{address}/{network.rpartition('/')[2]}"
