"""Who peers with whom by a BGPPeer, seen from one node.

Follows Calico's confd (pkg/backends/calico/client.go: updatePeersV1, nodesWithIPPortAndAS), with addresses
compared as addresses where it compares texts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from felixbgp.bgp.config import BGP_PORT
from felixbgp.intent.site import Member, Site
from felixbgp.net import Address
from felixbgp.resources.bgp_peer import BgpPeerSpec, ReversePeering


class Remote(NamedTuple):
    """The other end of a session."""

    address: Address
    port: int | None
    as_number: int
    cluster_id: Address | None
    is_node: bool


def is_global(spec: BgpPeerSpec) -> bool:
    """Whether the BGPPeer is for every node."""
    return spec.node is None and spec.node_selector is None


def selects(spec: BgpPeerSpec, member: Member) -> bool:
    """Whether a member is one of the nodes that peer."""
    if spec.node is not None:
        return spec.node == member.name
    return spec.node_selector is None or spec.node_selector.matches(member.labels)


def forward_remotes(site: Site, spec: BgpPeerSpec) -> Iterator[Remote]:
    """Whom the local node, being one of the nodes that peer, peers with; ourselves left out."""
    if spec.peer_ip is not None and spec.as_number is not None:
        address, port = spec.peer_ip
        if site.local.address(address.family) not in (None, address):
            is_node = site.member_at(address) is not None
            port = port or _configured_port(site, address, spec.as_number)
            yield Remote(address, port, spec.as_number, None, is_node)
    elif spec.peer_selector is not None:
        for member in site.members:
            if spec.peer_selector.matches(member.labels):
                yield from _remotes_of_member(site, member, member.as_number)


def reverse_remotes(site: Site, spec: BgpPeerSpec) -> Iterator[Remote]:
    """Who peers with the local node: the nodes that peer, when the local node is one of those peered with."""
    if spec.reverse_peering is ReversePeering.MANUAL or not _is_target(site.local, spec):
        return
    for member in site.members:
        if not selects(spec, member):
            continue
        # The other side presents localASNumber when it is set.
        for remote in _remotes_of_member(site, member, spec.local_as_number or member.as_number):
            if spec.peer_ip is None or remote.address.family == spec.peer_ip.address.family:
                yield remote


def _configured_port(site: Site, address: Address, as_number: int) -> int | None:
    """The port a node with this address and AS number listens on; None for anybody else."""
    for member in site.members:
        if member.has_address(address) and member.as_number == as_number:
            return member.port
    return None


def _remotes_of_member(site: Site, member: Member, as_number: int) -> Iterator[Remote]:
    """One end per family that both nodes have; none when it is ourselves."""
    for family in sorted(site.local.addresses):
        address = member.address(family)
        if address is not None and not site.local.has_address(address):
            yield Remote(address, member.port, as_number, member.cluster_id, is_node=True)


def _is_target(local: Member, spec: BgpPeerSpec) -> bool:
    if spec.peer_selector is not None:
        return spec.peer_selector.matches(local.labels)
    if spec.peer_ip is None:
        return False
    address, port = spec.peer_ip
    if not local.has_address(address) or local.as_number != spec.as_number:
        return False
    # Calico also refuses a node whose own port matches when the cluster's differs; that is an oversight.
    return port is None or port == (local.port or BGP_PORT)
