"""Who peers with whom by a BGPPeer, seen from one node.

Follows Calico's confd (pkg/backends/calico/client.go: updatePeersV1, nodesWithIPPortAndAS), with addresses
compared as addresses where it compares texts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from felixbgp.bgp.config import BGP_PORT
from felixbgp.intent.members import Member
from felixbgp.intent.site import Site
from felixbgp.net import Address
from felixbgp.resources.bgp_peer import BgpPeerSpec, ReversePeering


class Remote(NamedTuple):
    """The other end of a session."""

    address: Address
    port: int | None
    as_number: int
    cluster_id: Address | None
    is_named_node: bool
    """Whether it is a node that a `peerIP` names. Both ends may have that by a global BGPPeer, and then only
    one of them dials; a node that is selected is always dialled (calico_node in confd)."""


def is_global(spec: BgpPeerSpec) -> bool:
    """Whether the BGPPeer is for every node."""
    return spec.node is None and spec.node_selector is None


def names_no_peer(spec: BgpPeerSpec) -> bool:
    """Whether the BGPPeer says of nobody that they are peers."""
    return spec.peer_ip is None and spec.peer_selector is None and spec.local_workload_selector is None


def selects(spec: BgpPeerSpec, member: Member) -> bool:
    """Whether a member is one of the nodes that peer."""
    if spec.node is not None:
        return spec.node == member.name
    return spec.node_selector is None or spec.node_selector.matches(member.labels)


def is_target(spec: BgpPeerSpec, local: Member) -> bool:
    """Whether the nodes that peer shall be peers of the local node as well."""
    if spec.reverse_peering is ReversePeering.MANUAL:
        return False
    if spec.peer_selector is not None:
        return spec.peer_selector.matches(local.labels)
    if spec.peer_ip is None:
        return False
    address, port = spec.peer_ip
    if not local.has_address(address) or local.as_number != spec.as_number:
        return False
    # Calico also refuses a node whose own port matches when the cluster's differs; that is an oversight.
    return port is None or port == (local.port or BGP_PORT)


def remotes_at_address(site: Site, spec: BgpPeerSpec) -> Iterator[Remote]:
    """Whom the local node peers with by `peerIP`; nobody when that is itself, or of a family it has not."""
    if spec.peer_ip is None or spec.as_number is None:
        return
    address, port = spec.peer_ip
    if site.local.address(address.family) in (None, address):
        return
    holders = site.members.at(address)
    # The port a node with this address and AS number listens on; nobody else has one by configuration.
    configured = (member.port for member in holders if member.as_number == spec.as_number)
    yield Remote(address, port or next(configured, None), spec.as_number, None, is_named_node=bool(holders))


def remotes_of_selected(site: Site, spec: BgpPeerSpec, member: Member) -> Iterator[Remote]:
    """The ends at a member, of the sessions of a local node that peers, by `peerSelector`."""
    if spec.peer_selector is not None and spec.peer_selector.matches(member.labels):
        # One that peers with us by the same BGPPeer presents its localASNumber too.
        is_mutual = selects(spec, member) and spec.peer_selector.matches(site.local.labels)
        presented = spec.local_as_number if is_mutual else None
        yield from _remotes_of(site, member, presented or member.as_number)


def remotes_of_selecting(site: Site, spec: BgpPeerSpec, member: Member) -> Iterator[Remote]:
    """The ends at a member that peers, of the sessions of a local node that is peered with."""
    if selects(spec, member):
        # The other side presents localASNumber when it is set.
        for remote in _remotes_of(site, member, spec.local_as_number or member.as_number):
            if spec.peer_ip is None or remote.address.family == spec.peer_ip.address.family:
                yield remote


def _remotes_of(site: Site, member: Member, as_number: int) -> Iterator[Remote]:
    """One end per family that both nodes have; none when it is ourselves."""
    for family in sorted(site.local.addresses):
        address = member.address(family)
        if address is not None and not site.local.has_address(address):
            yield Remote(address, member.port, as_number, member.cluster_id, is_named_node=False)
