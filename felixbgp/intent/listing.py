"""Whether another node has us as a peer: by the resources that it derives its peers from."""

from collections.abc import Iterable

from felixbgp.intent.members import Member
from felixbgp.intent.mesh import is_in_mesh
from felixbgp.intent.remotes import is_target, selects
from felixbgp.intent.site import Site
from felixbgp.resources.bgp_peer import BgpPeerSpec


def lists(site: Site, specs: Iterable[BgpPeerSpec], other: Member) -> bool:
    """Whether a node has a session to the local one in mind, be it one that must stay down for now.

    `specs` are all BGPPeers. `reversePeering: Manual` has one node peer with another that does not know, as
    has an AS number that is not the other's, or a port that it does not listen on.
    """
    if is_in_mesh(site, site.local) and is_in_mesh(site, other):
        return True
    return any(_has_us(site.local, spec, other) for spec in specs)


def _has_us(local: Member, spec: BgpPeerSpec, other: Member) -> bool:
    """Whether one BGPPeer gives the other node a session to the local one: forward, or reverse."""
    if selects(spec, other):
        if spec.peer_ip is not None and local.has_address(spec.peer_ip.address):
            return True
        if spec.peer_selector is not None and spec.peer_selector.matches(local.labels):
            return True
    return selects(spec, local) and is_target(spec, other)
