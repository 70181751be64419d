"""Who uses a resource, so that it is not deleted under somebody's feet; and what is about it alone.

What Calico keeps for its own IPAM and workloads is looked at and never touched: giving addresses back is
`calicoctl ipam`'s work.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from felixbgp.cli.drafting import resource_of
from felixbgp.cli.kinds import described
from felixbgp.cli.store import Store
from felixbgp.resources import AffinityKey, BgpPeer, IpPool, ResourceKey, parse_key
from felixbgp.resources.bgp_configuration import NODE_NAME_PREFIX
from felixbgp.resources.keys import HOSTS, prefix_of, prefix_of_host
from felixbgp.status.keys import NODES, alive_key

KINDS_USED = frozenset({"BGPFilter", "IPPool", "Node"})
"""The kinds that others may use."""

_SHOWN_MAX = 5
"""Users of one kind named; of the others the number is enough."""

_PEERS = prefix_of("BGPPeer")
_CONFIGURATIONS = prefix_of("BGPConfiguration")
_NODE_PART = re.compile(r"(?:[^-]|--)+")
"""The node at the beginning of a WorkloadEndpoint's name, its own dashes doubled."""


class Usage(NamedTuple):
    """Who uses a resource, and what is about it alone."""

    key: ResourceKey
    users: tuple[str, ...] = ()
    """In words."""
    belongings: tuple[ResourceKey, ...] = ()
    """A Node's BGPPeers and its BGPConfiguration, which `calicoctl delete node` takes along."""
    published: tuple[str, ...] = ()
    """The keys under which the Node's agent reports."""
    remains: str = ""
    """What stays behind when it is deleted by force, in words."""


class Surroundings(NamedTuple):
    """All that may use resources; nothing of it is older than `revision` of the store."""

    revision: int
    peers: Sequence[BgpPeer]
    configurations: Collection[str]
    pools: dict[ResourceKey, IpPool]
    blocks: Sequence[AffinityKey]
    endpoints: dict[str, int]
    """The number of WorkloadEndpoints by node."""
    published: dict[str, list[str]]
    """The keys of agents by node."""

    def usage_of(self, key: ResourceKey, deleted: Collection[ResourceKey] = ()) -> Usage:
        """Who uses a resource, those excepted that are deleted as well."""
        match key.kind:
            case "BGPFilter":
                peers = (peer.key for peer in self.peers if key.name in peer.spec.filters)
                return Usage(key, tuple(_named(described(peer) for peer in peers if peer not in deleted)))
            case "IPPool":
                return self._usage_of_pool(key)
            case "Node":
                return self._usage_of_node(key, deleted)
            case _:
                return Usage(key)

    def _usage_of_pool(self, key: ResourceKey) -> Usage:
        pool = self.pools.get(key)
        inside = [block for block in self.blocks if pool is not None and pool.spec.cidr.covers(block.cidr)]
        remains = f"{len(inside)} address block(s), which are Calico's (calicoctl ipam)" if inside else ""
        users = _named(f"block {block.cidr} of {block.host}" for block in inside)
        return Usage(key, tuple(users), remains=remains)

    def _usage_of_node(self, key: ResourceKey, deleted: Collection[ResourceKey]) -> Usage:
        node = key.name
        own = [peer.key for peer in self.peers if peer.spec.node == node]
        users = list(_named(f"{described(peer)} (spec.node)" for peer in own if peer not in deleted))
        if alive_key(node) in self.published.get(node, ()):
            users.append("its running agent")
        left = []
        if count := sum(block.host == node for block in self.blocks):
            left.append(f"{count} address block(s)")
        if count := self.endpoints.get(node, 0):
            left.append(f"{count} workload endpoint(s)")
        configuration = ResourceKey("BGPConfiguration", NODE_NAME_PREFIX + node)
        if str(configuration) in self.configurations:
            own.append(configuration)
        return Usage(
            key,
            (*users, *left),
            tuple(each for each in own if each not in deleted),
            tuple(self.published.get(node, ())),
            f"{', '.join(left)}, which are Calico's (calicoctl ipam, calicoctl delete wep)" if left else "",
        )


def watched(key: ResourceKey) -> tuple[str, ...]:
    """What the keys of its users begin with; workloads come and go too fast to be watched."""
    match key.kind:
        case "BGPFilter":
            return (_PEERS,)
        case "IPPool":
            return (HOSTS,)
        case "Node":
            return (_PEERS, prefix_of_host(key.name), alive_key(key.name))
        case _:
            return ()


async def read_surroundings(store: Store, kinds: Collection[str]) -> Surroundings:
    """All that may use resources of these kinds. Raises `StoreError`."""
    is_node, is_pool = "Node" in kinds, "IPPool" in kinds
    revision, peers = await store.listing(_PEERS)
    pools = await store.list(prefix_of("IPPool")) if is_pool else []
    hosts = [parse_key(key) for key in await store.keys(HOSTS)] if is_node or is_pool else []
    endpoints: dict[str, int] = {}
    for key in await store.keys(prefix_of("WorkloadEndpoint")) if is_node else []:
        node = _node_of_endpoint(key)
        endpoints[node] = endpoints.get(node, 0) + 1
    published: dict[str, list[str]] = {}
    for key in await store.keys(NODES) if is_node else []:
        published.setdefault(key.removeprefix(NODES).partition("/")[0], []).append(key)
    return Surroundings(
        revision,
        [peer for stored in peers if isinstance(peer := resource_of(stored), BgpPeer)],
        frozenset(await store.keys(_CONFIGURATIONS + NODE_NAME_PREFIX)) if is_node else (),
        {pool.key: pool for stored in pools if isinstance(pool := resource_of(stored), IpPool)},
        [block for block in hosts if isinstance(block, AffinityKey)],
        endpoints,
        published,
    )


def _node_of_endpoint(key: str) -> str:
    name = key.rpartition("/")[2]
    found = _NODE_PART.match(name)
    return found.group().replace("--", "-") if found else ""


def _named(users: Iterator[str]) -> Iterator[str]:
    every = list(users)
    yield from every[:_SHOWN_MAX]
    if len(every) > _SHOWN_MAX:
        yield f"{len(every) - _SHOWN_MAX} more"
