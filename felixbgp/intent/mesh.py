"""The full mesh: a session to every other node that is no route reflector, per family.

Follows Calico's confd (bird.cfg.template), with sessions that may cross routers as from its v3.32 on.
"""

from felixbgp.bgp.config import BGP_PORT, PeerConfig, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.claims import Claim, Claims, Rank, Source
from felixbgp.intent.findings import STAYS_DOWN, Findings
from felixbgp.intent.members import Member
from felixbgp.intent.passwords import SessionPassword, session_password
from felixbgp.intent.peers import MULTIHOP_TTL, peer_name
from felixbgp.intent.policies import Policies
from felixbgp.intent.restart import graceful_restart
from felixbgp.intent.site import Site
from felixbgp.intent.types import PeerOrigin, Problem
from felixbgp.net import Address

MESH = "mesh"
SUBJECT = "BGPConfiguration default"
"""What the problems of the mesh are about."""


def is_in_mesh(site: Site, member: Member) -> bool:
    """Whether a node takes part in the mesh: no route reflector does."""
    return member.cluster_id is None and site.defaults.node_to_node_mesh_enabled is not False


class Mesh:
    """The mesh of one site: puts its claims, address by address; none on a reflector or when switched off."""

    def __init__(self, site: Site, policies: Policies) -> None:
        self._site = site
        self._policies = policies
        self._is_on = is_in_mesh(site, site.local)
        self._password = SessionPassword()
        if self._is_on:
            self._password = session_password(site.defaults.node_mesh_password, site.secret)
        self._duplicates: dict[Address, tuple[Problem, ...]] = {}

    def claim(self, claims: Claims, address: Address, former: Member | None = None) -> None:
        """Put the claims for the nodes at an address; `former` was one of them and may not be any more."""
        if not self._is_on or address.family not in self._site.local.addresses:
            return
        own = self._site.local.addresses[address.family].address
        holder = self._site.local.name if address == own else None
        findings = Findings()
        members = [member for member in self._site.members.at(address) if self._takes_part(member)]
        for member in members:
            if holder is None:
                holder = member.name
                self._put(claims, member, address, [self._claim(member, address, own)])
                continue
            reason = f"{address} is also the address of Node {holder}, the one that is peered with"
            findings.add(f"Node {member.name}", "spec.bgp", reason)
            self._put(claims, member, address, [])
        if former is not None and former.name not in [member.name for member in members]:
            self._put(claims, former, address, [])
        self._duplicates.pop(address, None)
        if problems := findings.problems():
            self._duplicates[address] = problems

    def problems(self) -> tuple[Problem, ...]:
        """What keeps the mesh, or a part of it, from coming up."""
        findings = Findings()
        if self._password.obstacle:
            reason = f"{self._password.obstacle}; the mesh {STAYS_DOWN}"
            findings.add(SUBJECT, "spec.nodeMeshPassword.secretKeyRef", reason)
        return (*findings.problems(), *(one for found in self._duplicates.values() for one in found))

    def _takes_part(self, member: Member) -> bool:
        return member.name != self._site.local.name and member.cluster_id is None

    def _put(self, claims: Claims, member: Member, address: Address, wanted: list[Claim]) -> None:
        claims.put(Source(Rank.MESH, member=member.name, address=address), wanted)

    def _claim(self, member: Member, address: Address, own: Address) -> Claim:
        import_policy, export_policy = self._policies.of_mesh(address.family)
        config = PeerConfig(
            peer=PeerId(address, member.port or BGP_PORT),
            name=peer_name("Mesh", address, None),
            families=(address.family,),
            local_as=self._site.local.as_number,
            remote_as=member.as_number,
            # Exactly one side dials, chosen by the order of the texts: a real Calico node does so too.
            passive=str(address) > str(own),
            graceful_restart=graceful_restart(self._site.defaults.node_mesh_max_restart_time),
            transport=TransportOptions(local_address=own, ttl=MULTIHOP_TTL, password=self._password.key),
            import_policy=import_policy,
            export_policy=export_policy,
        )
        return Claim(config.peer, PeerOrigin(MESH, ""), None if self._password.obstacle else config)
