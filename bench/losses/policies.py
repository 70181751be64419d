"""Z4: filters, communities, next hops and priorities change under load; no session is reset."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bench.losses.case import Case
from bench.losses.cluster import Cluster
from felixbgp.lab import bird, calico, checks
from felixbgp.lab.lab import LabError
from felixbgp.lab.plan import POOL_V4, TOR_AS_NUMBER

BGP_PORT = 179
SECONDS_MAX = 30.0
MARK, OTHER_MARK = "64512:77", "64512:78"
UNUSED = "203.0.113.0/24"
"""Nobody announces it."""
METRIC = 512
FILTER = f"{calico.RESOURCES}bgpfilters/marks"

Spec = Mapping[str, Any]


@contextlib.contextmanager
def no_session_is_reset(cluster: Cluster) -> Iterator[None]:
    """Every BGP connection is the same afterwards. Raises `LabError`."""
    before = _connections(cluster)
    yield
    gone = {name: before[name] - ports for name, ports in _connections(cluster).items()}
    if any(gone.values()):
        raise LabError(f"sessions were reset: {', '.join(name for name, ports in gone.items() if ports)}")


def _connections(cluster: Cluster) -> dict[str, frozenset[int]]:
    """By node the local ports of those that it opened; of every session one end is such."""
    return {node.name: checks.connections(node.namespace, BGP_PORT) for node in cluster.plan.nodes}


def at_tor(cluster: Cluster, is_so: Callable[[str], bool], what: str) -> None:
    """Wait until what BIRD on the ToR says of its routes is so."""

    def missing() -> list[str]:
        return (
            [] if is_so(bird.query(cluster.lab.control(cluster.plan.tors[0]), "show route all")) else [what]
        )

    checks.wait_for(missing, what, SECONDS_MAX)


def _next_hops(routes: str, prefix: str) -> frozenset[str]:
    """Those of all paths of a prefix in the answer to `show route all`."""
    _, _, rest = routes.partition(f"{prefix} ")
    section = re.split(r"^\S+/\d+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return frozenset(re.findall(r"BGP\.next_hop: (\S+)", section))


def _marked(mark: str) -> Callable[[str], bool]:
    return lambda routes: communities_of(routes, mark) > 0


def _unmarked(mark: str) -> Callable[[str], bool]:
    is_marked = _marked(mark)
    return lambda routes: bool(routes) and not is_marked(routes)


def _peer(cluster: Cluster, **more: object) -> dict[str, str]:
    """The BGPPeer to the ToR, with more in it."""
    tor = cluster.plan.tors[0]
    spec = {"peerIP": tor.ipv4, "asNumber": TOR_AS_NUMBER} | more
    return calico.peer_resource(f"{tor.name}-ipv4", spec)


def _marking(mark: str, *rejected: str) -> dict[str, str]:
    """A BGPFilter that marks what is exported, and rejects some prefixes both ways."""
    reject = [{"cidr": cidr, "matchOperator": "In", "action": "Reject"} for cidr in rejected]
    marked = {"action": "Accept", "operations": [{"addCommunity": {"value": mark}}]}
    spec = {"exportV4": [*reject, marked], "importV4": [*reject, {"action": "Accept"}]}
    return calico.filter_resource("marks", spec)


def put_communities(cluster: Cluster, mark: str) -> None:
    """Have every node mark its blocks."""
    spec = {"prefixAdvertisements": [{"cidr": POOL_V4, "communities": [mark]}]}
    cluster.put(calico.configuration_resource("default", spec))


def communities_of(routes: str, mark: str) -> int:
    """How many paths in BIRD's words have a community."""
    return routes.count(f"({mark.replace(':', ',')})")


def filters(cluster: Cluster) -> None:
    """One is added, changed, and removed."""
    with no_session_is_reset(cluster):
        cluster.put(_marking(MARK) | _peer(cluster, filters=["marks"]))
        at_tor(cluster, _marked(MARK), "what the filter adds is there")
        cluster.put(_marking(OTHER_MARK, UNUSED))
        at_tor(cluster, lambda routes: _marked(OTHER_MARK)(routes) and _unmarked(MARK)(routes), "it changed")
        cluster.put(_peer(cluster))
        cluster.delete(FILTER)
        at_tor(cluster, _unmarked(OTHER_MARK), "it is gone")


def communities(cluster: Cluster) -> None:
    """Those of the blocks are added, changed, and removed."""
    with no_session_is_reset(cluster):
        for mark, before in ((MARK, ""), (OTHER_MARK, MARK)):
            put_communities(cluster, mark)
            at_tor(cluster, _marked(mark), f"community {mark} is there")
            if before:
                at_tor(cluster, _unmarked(before), f"community {before} is gone")
        cluster.delete(f"{calico.RESOURCES}bgpconfigurations/default")
        at_tor(cluster, _unmarked(OTHER_MARK), "no community is there")


def next_hop_modes(cluster: Cluster) -> None:
    """What the ToR is told as next hop: ourselves for all routes, or the node of a route."""

    nodes = frozenset(node.ipv4 for node in cluster.plan.nodes)
    own = cluster.plan.nodes[-1]

    def become(wanted: frozenset[str], what: str, **fields: object) -> None:
        cluster.put(_peer(cluster, **fields))
        at_tor(cluster, lambda routes: _next_hops(routes, own.block_v4) == wanted, what)

    with no_session_is_reset(cluster):
        become(nodes, "each node tells itself as next hop")
        become(frozenset((own.ipv4,)), "the next hop is kept", nextHopMode="Keep")
        become(nodes, "each node tells itself again", nextHopMode="Self")
        become(frozenset((own.ipv4,)), "it is kept again", keepOriginalNextHop=True)
        become(nodes, "each node tells itself as at first")


def priorities(cluster: Cluster) -> None:
    """The normal priority changes, which is every route's metric, and LOCAL_PREF between nodes; and back."""
    with no_session_is_reset(cluster):
        cluster.put(calico.configuration_resource("default", {"ipv4NormalRoutePriority": METRIC}))
        checks.wait_for(lambda: _other_metrics(cluster, {METRIC}), "every route has the metric", SECONDS_MAX)
        cluster.delete(f"{calico.RESOURCES}bgpconfigurations/default")
        checks.wait_for(lambda: _other_metrics(cluster, {1024}), "every route has its own", SECONDS_MAX)


def _other_metrics(cluster: Cluster, wanted: Iterable[int]) -> list[str]:
    """Nodes' routes to other blocks whose metric is not among these."""
    return [
        f"{node.name}: {prefix} has metric {route.metric}"
        for node in cluster.plan.nodes
        for prefix, route in checks.routes(node.namespace, 4).items()
        if route.protocol == checks.BGP_PROTOCOL
        and route.metric not in wanted
        and prefix.startswith("10.65.")
    ]


CASES = (
    Case(
        group="Z4",
        name="filters",
        title="a BGPFilter is added to a BGPPeer, changed, and removed; no session is reset",
        change=filters,
        bird=False,
    ),
    Case(
        group="Z4",
        name="communities",
        title="the communities of the blocks are added, changed, and removed; no session is reset",
        change=communities,
        bird=False,
    ),
    Case(
        group="Z4",
        name="next-hop-mode",
        title="`nextHopMode` Keep, then Self, then `keepOriginalNextHop`, then none; no session is reset",
        change=next_hop_modes,
        bird=False,
    ),
    Case(
        group="Z4",
        name="priorities",
        title="the normal priority changes, every LOCAL_PREF and metric, and back; no session is reset",
        change=priorities,
        bird=False,
    ),
)
