"""Z3: sessions that must begin anew, some towards a ToR that keeps nothing meanwhile: AS numbers change."""

import json
import re
from collections.abc import Iterable

from bench.losses.case import Case
from bench.losses.cluster import Cluster, mesh
from felixbgp.lab import bird, calico, checks
from felixbgp.lab.plan import AS_NUMBER, TOR_AS_NUMBER

ONE_AS, ALL_AS = 64999, 64600
ONE = "node-2"
SECONDS_MAX = 180.0
"""Each session with the ToR takes its turn: some three seconds."""
MANY = 10
UNPROBED = tuple(f"node-{number}" for number in range(5, MANY + 1))
"""Of ten nodes the probes are between four and the host behind the ToR: what a small machine carries."""


def _allow_our_own_as(cluster: Cluster) -> None:
    """What comes from another node by way of the ToR has our AS number in it."""
    for tor in cluster.plan.tors:
        spec = {"peerIP": tor.ipv4, "asNumber": TOR_AS_NUMBER, "numAllowedLocalASNumbers": 1}
        cluster.put(calico.peer_resource(f"{tor.name}-ipv4", spec))


def _disable_the_mesh(cluster: Cluster) -> None:
    cluster.put(mesh(enabled=False))


def _change_one(cluster: Cluster) -> None:
    """Give one node an AS number of its own: its sessions in the mesh become eBGP."""
    node = next(node for node in cluster.plan.nodes if node.name == ONE)
    key, text = next(iter(calico.node_resources(node).items()))
    value = json.loads(text)
    value["spec"]["bgp"]["asNumber"] = ONE_AS
    cluster.put({key: json.dumps(value)})


def _change_all(cluster: Cluster) -> None:
    """The AS number of the whole cluster: all nodes hear of it at once."""
    cluster.put(calico.configuration_resource("default", {"asNumber": ALL_AS}))


def _wait_for(cluster: Cluster, wanted: dict[str, int]) -> None:
    """Wait until the ToR has sessions with these AS numbers, by node address, and all others stand too."""

    def missing() -> list[str]:
        found = {
            tor.name: _as_numbers(bird.query(cluster.lab.control(tor), "show protocols all"))
            for tor in cluster.plan.tors
        }
        return [
            f"{name} has {numbers.get(address)} for {address}"
            for name, numbers in found.items()
            for address, number in wanted.items()
            if numbers.get(address) != number
        ]

    checks.wait_for(missing, "the ToR has sessions with the new AS numbers", SECONDS_MAX)
    cluster.wait_until_settled()


def _as_numbers(protocols: str) -> dict[str, int]:
    """By neighbour address the AS number of its session, for those that are Established."""
    found = {}
    for section in re.split(r"\n(?=\S)", protocols):
        address = re.search(r"Neighbor address: (\S+)", section)
        number = re.search(r"Neighbor AS:\s+(\d+)", section)
        if address and number and re.search(r"BGP state:\s+Established", section):
            found[address[1].partition("%")[0]] = int(number[1])
    return found


def _numbers(cluster: Cluster, number: int, nodes: Iterable[str]) -> dict[str, int]:
    return {node.ipv4: number if node.name in nodes else AS_NUMBER for node in cluster.plan.nodes}


def _one_has_changed(cluster: Cluster) -> None:
    _wait_for(cluster, _numbers(cluster, ONE_AS, (ONE,)))


def _all_have_changed(cluster: Cluster) -> None:
    _wait_for(cluster, _numbers(cluster, ALL_AS, [node.name for node in cluster.plan.nodes]))


CASES = (
    Case(
        group="Z3",
        name="mesh-to-tor",
        title="mesh → peering with the ToR alone: `nodeToNodeMeshEnabled: false`",
        prepare=_allow_our_own_as,
        change=_disable_the_mesh,
        bird=False,
    ),
    Case(
        group="Z3",
        name="as-of-one",
        title="one node's AS number changes: its mesh sessions become eBGP, that with the ToR begins anew",
        change=_change_one,
        settled=_one_has_changed,
        bird=False,
    ),
    Case(
        group="Z3",
        name="as-of-all",
        title="the AS number of the default BGPConfiguration changes, for 4 nodes and a ToR",
        change=_change_all,
        settled=_all_have_changed,
        bird=False,
    ),
    Case(
        group="Z3",
        name="as-of-ten",
        title="the same for 10 nodes, with probes between four of them and the host behind the ToR",
        change=_change_all,
        settled=_all_have_changed,
        nodes=MANY,
        unprobed=UNPROBED,
        bird=False,
    ),
)
