"""Sessions from BGPPeers, seen from one node.

A BGPPeer with nodes A and peers B gives sessions on both sides: forward on A, reverse on B. Claims are made
in the order global, node, reverse, mesh, and within one by the BGPPeer's name; the first claim to a peer
holds. A BGPPeer that must not come up (password or filter missing) claims its peers all the same, with no
session, so that no weaker statement opens them.

What a session is like follows Calico's templates (confd, bird.cfg.template) and their later fields.
"""

from collections.abc import Iterator
from typing import NamedTuple

from felixbgp.bgp.config import BGP_PORT, NextHopMode, PeerConfig, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.findings import Findings
from felixbgp.intent.policies import Policies
from felixbgp.intent.remotes import Remote, forward_remotes, is_global, reverse_remotes, selects
from felixbgp.intent.restart import graceful_restart
from felixbgp.intent.site import Site
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Address
from felixbgp.resources import BgpPeer
from felixbgp.resources.bgp_peer import BgpPeerSpec, SourceAddress
from felixbgp.resources.bgp_peer import NextHopMode as WantedNextHop
from felixbgp.resources.values import seconds_of

GLOBAL = "global"
NODE = "node"

MULTIHOP_TTL = 64
"""Sessions may cross routers, also eBGP ones, as BIRD's `multihop` does in Calico's templates."""

MAX_TTL = 255


class Claim(NamedTuple):
    """A statement about one peer; `config` is None when the session must stay down."""

    peer: PeerId
    origin: PeerOrigin
    config: PeerConfig | None
    explicit: bool = False
    """Whether a BGPPeer names this direction; two different explicit claims to a peer are a conflict."""


def peer_name(scope: str, address: Address, port: int | None) -> str:
    """Calico's name of a peer: `Node_10_192_0_4_port_166`."""
    host = str(address).replace(".", "_").replace(":", "_")
    return f"{scope}_{host}" if port is None else f"{scope}_{host}_port_{port}"


class PeerClaims:
    """Makes the claims of a site's BGPPeers."""

    def __init__(self, site: Site, policies: Policies, findings: Findings) -> None:
        self._site = site
        self._policies = policies
        self._findings = findings

    def all(self) -> Iterator[Claim]:
        """The claims of every BGPPeer, in order of precedence."""
        site = self._site
        for bgp_peer in site.bgp_peers:
            if is_global(bgp_peer.spec):
                yield from self._forward(bgp_peer, GLOBAL)
        for bgp_peer in site.bgp_peers:
            if not is_global(bgp_peer.spec) and selects(bgp_peer.spec, site.local):
                yield from self._forward(bgp_peer, NODE)
        for bgp_peer in site.bgp_peers:
            yield from self._reverse(bgp_peer)

    def _forward(self, bgp_peer: BgpPeer, scope: str) -> Iterator[Claim]:
        self._report_no_target(bgp_peer)
        local_as = bgp_peer.spec.local_as_number or self._site.local.as_number
        remotes = list(forward_remotes(self._site, bgp_peer.spec))
        for claim in self._claims(bgp_peer, PeerOrigin(scope, bgp_peer.name), remotes, local_as):
            yield claim._replace(explicit=True)

    def _reverse(self, bgp_peer: BgpPeer) -> Iterator[Claim]:
        remotes = list(reverse_remotes(self._site, bgp_peer.spec))
        return self._claims(bgp_peer, PeerOrigin(NODE, bgp_peer.name), remotes, self._site.local.as_number)

    def _claims(
        self, bgp_peer: BgpPeer, origin: PeerOrigin, remotes: list[Remote], local_as: int
    ) -> Iterator[Claim]:
        if not remotes:
            return
        self._report_ignored(bgp_peer)
        held_down = self._is_held_down(bgp_peer)
        for remote in remotes:
            config = None if held_down else self._config(bgp_peer.spec, origin.scope, remote, local_as)
            yield Claim(PeerId(remote.address, remote.port or BGP_PORT), origin, config)

    def _config(self, spec: BgpPeerSpec, scope: str, remote: Remote, local_as: int) -> PeerConfig:
        family = remote.address.family
        own = self._site.local.addresses[family].address
        own_cluster = self._site.local.cluster_id
        same_as = remote.as_number == local_as
        import_policy, export_policy = self._policies.of_peer(spec.filters, family, same_as=same_as)
        return PeerConfig(
            peer=PeerId(remote.address, remote.port or BGP_PORT),
            name=peer_name(scope.capitalize(), remote.address, remote.port),
            families=(family,),
            local_as=local_as,
            remote_as=remote.as_number,
            # Node sessions are dialled from both ends; a collision is BGP's to resolve (RFC 4271 §6.8).
            passive=scope == GLOBAL and remote.is_node and str(remote.address) > str(own),
            # A peer of unknown cluster is a client, also when the address is a reflector's: Calico has it so.
            route_reflector_client=same_as and own_cluster is not None and remote.cluster_id != own_cluster,
            next_hop=_next_hop(spec, same_as=same_as),
            allowed_local_as=spec.num_allowed_local_as_numbers or 0,
            keepalive_time_s=_keepalive_time_s(spec),
            graceful_restart=graceful_restart(spec.max_restart_time),
            transport=_transport(spec, own),
            import_policy=import_policy,
            export_policy=export_policy,
        )

    def _report_no_target(self, bgp_peer: BgpPeer) -> None:
        """Say why a BGPPeer that is for this node gives it nothing."""
        spec = bgp_peer.spec
        local = self._site.local
        subject = f"BGPPeer {bgp_peer.name}"
        if spec.local_workload_selector is not None:
            reason = "is ignored: workloads are not peered with"
            self._findings.add(subject, "spec.localWorkloadSelector", reason)
        elif spec.peer_ip is None and spec.peer_selector is None:
            self._findings.add(subject, "spec", "names no peer: it has neither peerIP nor peerSelector")
        elif spec.peer_ip is not None and local.address(spec.peer_ip.address.family) is None:
            reason = f"is of a family in which Node {local.name} has no address"
            self._findings.add(subject, "spec.peerIP", reason)

    def _is_held_down(self, bgp_peer: BgpPeer) -> bool:
        """Whether the sessions must stay down, because what protects them is not there."""
        subject = f"BGPPeer {bgp_peer.name}"
        obstacles = list(_obstacles(self._site, bgp_peer.spec))
        for field, reason in obstacles:
            self._findings.add(subject, field, f"{reason}; the session stays down")
        return bool(obstacles)

    def _report_ignored(self, bgp_peer: BgpPeer) -> None:
        spec = bgp_peer.spec
        ignored = {
            "reachableBy": (spec.reachable_by, "no static route to the peer is made"),
        }
        for field, (value, reason) in ignored.items():
            if value is not None:
                self._findings.add(f"BGPPeer {bgp_peer.name}", f"spec.{field}", f"is ignored: {reason}")


def _obstacles(site: Site, spec: BgpPeerSpec) -> Iterator[tuple[str, str]]:
    """What keeps a BGPPeer's sessions down: field and reason."""
    if spec.password is not None and spec.password.secret_key_ref is not None:
        yield "spec.password", "cannot be read: there is no source of secrets"
    for index, name in enumerate(spec.filters):
        if name not in site.filters:
            yield f"spec.filters[{index}]", f"BGPFilter {name} does not exist or is invalid"


def _keepalive_time_s(spec: BgpPeerSpec) -> int | None:
    """`keepaliveTime` in whole seconds, rounded, at least one; 0 counts as not set, as in Calico."""
    seconds = 0.0 if spec.keepalive_time is None else seconds_of(spec.keepalive_time)
    return max(1, int(seconds + 0.5)) if seconds else None


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


def _transport(spec: BgpPeerSpec, own: Address) -> TransportOptions:
    """Source address and TTL. With `ttlSecurity: n` the peer is at most n hops away (RFC 5082)."""
    local_address = own if spec.source_address is SourceAddress.USE_NODE_IP else None
    if not spec.ttl_security:
        return TransportOptions(local_address=local_address, ttl=MULTIHOP_TTL)
    min_ttl = MAX_TTL + 1 - spec.ttl_security
    return TransportOptions(local_address=local_address, ttl=MAX_TTL, min_ttl=min_ttl)
