"""Sessions from one BGPPeer, seen from one node.

A BGPPeer with nodes A and peers B gives sessions on both sides: forward on A, reverse on B. One that must not
come up (password or filter missing) claims its peers all the same, with no session, so that no weaker
statement opens them.

What a session is like follows Calico's templates (confd, bird.cfg.template) and their later fields.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from felixbgp.bgp.config import BGP_PORT, NextHopMode, PeerConfig, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.cluster.demands import secret_of
from felixbgp.cluster.parts import Parts
from felixbgp.cluster.secrets import SecretId
from felixbgp.intent.claims import Claim, Claims, Rank, Source
from felixbgp.intent.findings import STAYS_DOWN, Findings
from felixbgp.intent.members import Member
from felixbgp.intent.passwords import session_password
from felixbgp.intent.policies import Policies
from felixbgp.intent.remotes import (
    Remote,
    is_global,
    is_target,
    names_no_peer,
    remotes_at_address,
    remotes_of_selected,
    remotes_of_selecting,
    selects,
)
from felixbgp.intent.restart import graceful_restart
from felixbgp.intent.site import Site
from felixbgp.intent.types import PeerOrigin, Problem
from felixbgp.intent.workloads import LOCAL_WORKLOAD, workload_remotes
from felixbgp.net import Address
from felixbgp.resources import BgpPeer
from felixbgp.resources.bgp_peer import BgpPeerSpec, SourceAddress
from felixbgp.resources.bgp_peer import NextHopMode as WantedNextHop
from felixbgp.resources.values import seconds_of, whole_seconds_of

GLOBAL = "global"
NODE = "node"
_NAMES = {GLOBAL: "Global", NODE: "Node", LOCAL_WORKLOAD: "Local_Workload"}
"""What the names of peers begin with."""

NAMES_NO_PEER = "names no peer: it has neither peerIP nor peerSelector"

MULTIHOP_TTL = 64
"""Sessions may cross routers, also eBGP ones, as BIRD's `multihop` does in Calico's templates."""

MAX_TTL = 255


def peer_name(scope: str, address: Address, port: int | None) -> str:
    """Calico's name of a peer: `Node_10_192_0_4_port_166`."""
    host = str(address).replace(".", "_").replace(":", "_")
    return f"{scope}_{host}" if port is None else f"{scope}_{host}_port_{port}"


class PeerClaims:
    """What one BGPPeer means for the local node of a site, as long as neither changes."""

    def __init__(self, site: Site, policies: Policies, bgp_peer: BgpPeer) -> None:
        self.spec = bgp_peer.spec
        self._name = bgp_peer.name
        self._site = site
        self._policies = policies
        self._is_forward = selects(bgp_peer.spec, site.local)
        self._is_reverse = is_target(bgp_peer.spec, site.local)
        self._password = session_password(bgp_peer.spec.password, site.secret)
        self._is_held_down = self._has_obstacles

    @property
    def is_outdated(self) -> bool:
        """Whether a BGPFilter came or went without which there shall be no session."""
        return self._has_obstacles is not self._is_held_down

    @property
    def concerns_us(self) -> bool:
        """Whether the local node is one of those that peer, or of those peered with."""
        return self._is_forward or self._is_reverse

    @property
    def peers_with_workloads(self) -> bool:
        """Whether the local node's workloads are peers by this."""
        return self._is_forward and self.spec.local_workload_selector is not None

    @property
    def uses(self) -> frozenset[str]:
        """The BGPFilters it names."""
        return frozenset(self.spec.filters)

    @property
    def secret(self) -> SecretId | None:
        """Where its password is kept."""
        return secret_of(self.spec.password)

    @property
    def address(self) -> Address | None:
        """The one address it is about; who else has that makes a difference."""
        return None if self.spec.peer_ip is None else self.spec.peer_ip.address

    @property
    def looks_at_members(self) -> bool:
        """Whether another node's labels, addresses or AS number can make a difference."""
        return self._is_reverse or (self._is_forward and self.spec.peer_selector is not None)

    def put_all(self, claims: Claims) -> Parts[None]:
        """Put the claims to everybody."""
        if self._is_forward:
            claims.put(Source(self._rank, self._name), self._forward(self._fixed_remotes()))
            yield 2
        if self.looks_at_members:
            for member in self._site.members:
                self.put_member(claims, member.name, member)
                yield 1

    def put_member(self, claims: Claims, name: str, member: Member | None) -> None:
        """Put the claims to one node; None for a node that is gone."""
        if self._is_forward and self.spec.peer_selector is not None:
            remotes = () if member is None else remotes_of_selected(self._site, self.spec, member)
            claims.put(Source(self._rank, self._name, name), self._forward(remotes))
        if self._is_reverse:
            remotes = () if member is None else remotes_of_selecting(self._site, self.spec, member)
            claims.put(Source(Rank.REVERSE, self._name, name), self._reverse(remotes))

    def put_policies(self, claims: Claims) -> Parts[None]:
        """Give the same claims the policies of now."""
        for source, found in claims.of_sources(self._name):
            claims.put(source, [self._with_policies(claim) for claim in found])
            yield 1

    def problems(self, claims: Claims) -> tuple[Problem, ...]:
        """What the operator should mend: no peer where one is meant, and why sessions stay down."""
        findings = Findings()
        subject = f"BGPPeer {self._name}"
        if self._is_forward:
            self._report_no_target(subject, findings)
        if any(True for _ in claims.of(self._name)):
            for field, reason in self._obstacles():
                findings.add(subject, field, f"{reason}; the session {STAYS_DOWN}")
        return findings.problems()

    @property
    def _scope(self) -> str:
        return GLOBAL if is_global(self.spec) else NODE

    @property
    def _rank(self) -> Rank:
        return Rank.GLOBAL if is_global(self.spec) else Rank.NODE

    def _fixed_remotes(self) -> Iterator[Remote]:
        """The peers that are no matter of nodes' labels."""
        if self.spec.local_workload_selector is not None:
            return workload_remotes(self._site, self.spec)
        return remotes_at_address(self._site, self.spec)

    def _forward(self, remotes: Iterable[Remote]) -> list[Claim]:
        scope = self._scope if self.spec.local_workload_selector is None else LOCAL_WORKLOAD
        local_as = self.spec.local_as_number or self._site.local.as_number
        return [self._claim(scope, remote, local_as, explicit=True) for remote in remotes]

    def _reverse(self, remotes: Iterable[Remote]) -> list[Claim]:
        return [self._claim(NODE, remote, self._site.local.as_number) for remote in remotes]

    def _claim(self, scope: str, remote: Remote, local_as: int, *, explicit: bool = False) -> Claim:
        config = None if self._is_held_down else self._config(scope, remote, local_as)
        peer = PeerId(remote.address, remote.port or BGP_PORT)
        return Claim(peer, PeerOrigin(scope, self._name), config, explicit)

    def _with_policies(self, claim: Claim) -> Claim:
        if claim.config is None:
            return claim
        family = claim.peer.address.family
        same_as = not claim.config.external
        imports, exports = self._policies.of_peer(self.spec.filters, family, same_as=same_as)
        return claim._replace(config=replace(claim.config, import_policy=imports, export_policy=exports))

    def _config(self, scope: str, remote: Remote, local_as: int) -> PeerConfig:
        spec = self.spec
        family = remote.address.family
        own = self._site.local.addresses[family].address
        own_cluster = self._site.local.cluster_id
        same_as = remote.as_number == local_as
        import_policy, export_policy = self._policies.of_peer(spec.filters, family, same_as=same_as)
        return PeerConfig(
            peer=PeerId(remote.address, remote.port or BGP_PORT),
            name=peer_name(_NAMES[scope], remote.address, remote.port),
            families=(family,),
            local_as=local_as,
            remote_as=remote.as_number,
            # Node sessions are dialled from both ends; a collision is BGP's to resolve (RFC 4271 §6.8).
            passive=scope == LOCAL_WORKLOAD
            or (scope == GLOBAL and remote.is_named_node and str(remote.address) > str(own)),
            # A peer of unknown cluster is a client, also when the address is a reflector's: Calico has it so.
            route_reflector_client=same_as and own_cluster is not None and remote.cluster_id != own_cluster,
            next_hop=_next_hop(spec, same_as=same_as),
            allowed_local_as=spec.num_allowed_local_as_numbers or 0,
            keepalive_time_s=_keepalive_time_s(spec),
            graceful_restart=graceful_restart(spec.max_restart_time),
            transport=_transport(spec, None if scope == LOCAL_WORKLOAD else own, self._password.key),
            import_policy=import_policy,
            export_policy=export_policy,
        )

    def _report_no_target(self, subject: str, findings: Findings) -> None:
        """Say why a BGPPeer that is for this node gives it nothing."""
        spec, local = self.spec, self._site.local
        if spec.local_workload_selector is not None:
            if obstacle := self._site.endpoints_obstacle:
                findings.add(
                    subject, "spec.localWorkloadSelector", f"the WorkloadEndpoints in etcd {obstacle}"
                )
        elif names_no_peer(spec):
            findings.add(subject, "spec", NAMES_NO_PEER)
        elif spec.peer_ip is not None and local.address(spec.peer_ip.address.family) is None:
            reason = f"is of a family in which Node {local.name} has no address"
            findings.add(subject, "spec.peerIP", reason)

    @property
    def _has_obstacles(self) -> bool:
        return any(True for _ in self._obstacles())

    def _obstacles(self) -> Iterator[tuple[str, str]]:
        """What keeps the sessions down, because it is what protects them: field and reason."""
        for index, name in enumerate(self.spec.filters):
            if name not in self._site.filters:
                yield f"spec.filters[{index}]", f"BGPFilter {name} does not exist or is invalid"
        if self._password.obstacle:
            yield "spec.password.secretKeyRef", self._password.obstacle


def _keepalive_time_s(spec: BgpPeerSpec) -> int | None:
    """`keepaliveTime` in whole seconds, rounded, at least one; 0 counts as not set, as in Calico."""
    if spec.keepalive_time is None or not seconds_of(spec.keepalive_time):
        return None
    return max(1, whole_seconds_of(spec.keepalive_time))


def _next_hop(spec: BgpPeerSpec, *, same_as: bool) -> NextHopMode:
    if spec.keep_original_next_hop and not same_as:
        return NextHopMode.KEEP
    match spec.next_hop_mode:
        case WantedNextHop.SELF:
            return NextHopMode.SELF
        case WantedNextHop.KEEP:
            return NextHopMode.KEEP
        case _:
            return NextHopMode.AUTO


def _transport(spec: BgpPeerSpec, own: Address | None, password: bytes | None) -> TransportOptions:
    """Source address and TTL. With `ttlSecurity: n` the peer is at most n hops away (RFC 5082)."""
    local_address = own if spec.source_address is SourceAddress.USE_NODE_IP else None
    if not spec.ttl_security:
        return TransportOptions(local_address=local_address, ttl=MULTIHOP_TTL, password=password)
    min_ttl = MAX_TTL + 1 - spec.ttl_security
    return TransportOptions(local_address=local_address, ttl=MAX_TTL, min_ttl=min_ttl, password=password)
