"""Who uses a resource, so that it is not deleted under somebody's feet; and what is of use to it alone.

What Calico keeps for its own IPAM and workloads is looked at and never touched: giving addresses back is
`calicoctl ipam`'s work.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from felixbgp.cli.kinds import described
from felixbgp.cli.store import Store
from felixbgp.net import Prefix
from felixbgp.resources import AffinityKey, BgpPeer, IpPool, ResourceKey, decode, parse_key
from felixbgp.resources.bgp_configuration import NODE_NAME_PREFIX
from felixbgp.resources.keys import HOSTS, prefix_of, prefix_of_host
from felixbgp.resources.workload_endpoint import is_endpoint_of
from felixbgp.status.keys import alive_key, prefix_of_node

_SHOWN_MAX = 5
"""Users of one kind named; of the others the number is enough."""


class Usage(NamedTuple):
    """Who uses a resource, in words, and what of that stays behind when it is deleted by force."""

    key: ResourceKey
    users: tuple[str, ...]
    remains: str = ""


async def usage_of(store: Store, keys: Sequence[ResourceKey]) -> list[Usage]:
    """Who uses each of these, those among them excepted."""
    found: list[Usage] = []
    kinds = {key.kind for key in keys}
    peers = await _peers(store, keys) if kinds & {"BGPFilter", "Node"} else []
    blocks = await _blocks(store) if "IPPool" in kinds else []
    for key in keys:
        if key.kind == "BGPFilter":
            users = [described(peer.key) for peer in peers if key.name in peer.spec.filters]
            found.append(Usage(key, tuple(_named(users))))
        elif key.kind == "IPPool":
            found.append(await _usage_of_pool(store, key, blocks))
        elif key.kind == "Node":
            found.append(await _usage_of_node(store, key, peers))
    return found


async def belongings(store: Store, key: ResourceKey) -> list[str]:
    """The keys that mean nothing without a Node: its BGPPeers, its BGPConfiguration, its status.

    As `calicoctl delete node` removes them (libcalico-go/lib/clientv3/node.go), as far as it is about BGP.
    """
    if key.kind != "Node":
        return []
    peers = [str(peer.key) for peer in await _peers(store, []) if peer.spec.node == key.name]
    configuration = str(ResourceKey("BGPConfiguration", NODE_NAME_PREFIX + key.name))
    return [*peers, configuration, *(await store.keys(prefix_of_node(key.name)))]


async def _usage_of_node(store: Store, key: ResourceKey, peers: Sequence[BgpPeer]) -> Usage:
    node = key.name
    users = [f"{described(peer.key)} (spec.node)" for peer in peers if peer.spec.node == node]
    if await store.get(alive_key(node)) is not None:
        users.append("its running agent")
    left = []
    blocks = [parse_key(found) for found in await store.keys(prefix_of_host(node))]
    if count := sum(isinstance(block, AffinityKey) for block in blocks):
        left.append(f"{count} address block(s)")
    endpoints = await store.keys(prefix_of("WorkloadEndpoint"))
    if count := sum(is_endpoint_of(found, node) for found in endpoints):
        left.append(f"{count} workload endpoint(s)")
    remains = f"{', '.join(left)}, which are Calico's (calicoctl ipam, calicoctl delete wep)" if left else ""
    return Usage(key, (*_named(users), *left), remains)


async def _usage_of_pool(store: Store, key: ResourceKey, blocks: Sequence[AffinityKey]) -> Usage:
    stored = await store.get(str(key))
    decoded = None if stored is None else decode(stored.key, stored.value)
    if decoded is None or isinstance(decoded, list) or not isinstance(decoded.value, IpPool):
        return Usage(key, ())
    cidr: Prefix = decoded.value.spec.cidr
    inside = [f"block {block.cidr} of {block.host}" for block in blocks if cidr.covers(block.cidr)]
    remains = f"{len(inside)} address block(s), which are Calico's (calicoctl ipam)" if inside else ""
    return Usage(key, tuple(_named(inside)), remains)


async def _peers(store: Store, deleted: Sequence[ResourceKey]) -> list[BgpPeer]:
    """The valid BGPPeers that stay."""
    found = []
    for stored in await store.list(prefix_of("BGPPeer")):
        decoded = decode(stored.key, stored.value)
        if not isinstance(decoded, list) and isinstance(decoded.value, BgpPeer):
            found.append(decoded.value)
    return [peer for peer in found if peer.key not in deleted]


async def _blocks(store: Store) -> list[AffinityKey]:
    parsed = [parse_key(key) for key in await store.keys(HOSTS)]
    return [key for key in parsed if isinstance(key, AffinityKey)]


def _named(users: Sequence[str]) -> Iterator[str]:
    yield from users[:_SHOWN_MAX]
    if len(users) > _SHOWN_MAX:
        yield f"{len(users) - _SHOWN_MAX} more"
