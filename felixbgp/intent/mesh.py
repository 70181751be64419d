"""The full mesh: a session to every other node that is no route reflector, per family.

Follows Calico's confd (bird.cfg.template), with sessions that may cross routers as from its v3.32 on.
"""

from collections.abc import Iterator

from felixbgp.bgp.config import BGP_PORT, PeerConfig, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.findings import Findings
from felixbgp.intent.passwords import SessionPassword, session_password
from felixbgp.intent.peers import MULTIHOP_TTL, Claim, peer_name
from felixbgp.intent.policies import Policies
from felixbgp.intent.restart import graceful_restart
from felixbgp.intent.site import Site
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Address, Family

MESH = "mesh"


def mesh_claims(site: Site, policies: Policies, findings: Findings) -> Iterator[Claim]:
    """The mesh sessions of the local node; none on a route reflector or with the mesh switched off."""
    if site.local.cluster_id is not None or site.defaults.node_to_node_mesh_enabled is False:
        return
    password = session_password(site.defaults.node_mesh_password, site.secret)
    if password.obstacle:
        reason = f"{password.obstacle}; the mesh stays down"
        findings.add("BGPConfiguration default", "spec.nodeMeshPassword.secretKeyRef", reason)
    for family in sorted(site.local.addresses):
        yield from _claims_of_family(site, policies, family, password, findings)


def _claims_of_family(
    site: Site, policies: Policies, family: Family, password: SessionPassword, findings: Findings
) -> Iterator[Claim]:
    own = site.local.addresses[family].address
    holders: dict[Address, str] = {own: site.local.name}
    import_policy, export_policy = policies.of_mesh(family)
    for member in site.members:
        address = member.address(family)
        if address is None or member.name == site.local.name or member.cluster_id is not None:
            continue
        if address in holders:
            reason = f"{address} is also the address of Node {holders[address]}, the one that is peered with"
            findings.add(f"Node {member.name}", "spec.bgp", reason)
            continue
        holders[address] = member.name
        config = PeerConfig(
            peer=PeerId(address, member.port or BGP_PORT),
            name=peer_name("Mesh", address, None),
            families=(family,),
            local_as=site.local.as_number,
            remote_as=member.as_number,
            # Exactly one side dials, chosen by the order of the texts: a real Calico node does so too.
            passive=str(address) > str(own),
            graceful_restart=graceful_restart(site.defaults.node_mesh_max_restart_time),
            transport=TransportOptions(local_address=own, ttl=MULTIHOP_TTL, password=password.key),
            import_policy=import_policy,
            export_policy=export_policy,
        )
        yield Claim(config.peer, PeerOrigin(MESH, ""), None if password.obstacle else config)
