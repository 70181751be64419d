"""The peers that are no nodes: routers beside the cluster, and workloads.

What one of them is, nobody can read in the store. It is taken

* to be configured for each of its sessions as that is now: an AS number or a password that would change is
  one that it does not know yet;
* to announce what it is said to announce, or else the default route; a workload nothing;
* to accept everything and to pass it on: to external peers by RFC 4271, to internal ones as a reflector.

An address that was a node's is nobody's when that node is gone.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.intent.derivation import MULTIPATH_MAX
from felixbgp.intent.workloads import LOCAL_WORKLOAD
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.plan.router import Router

DEFAULT_ROUTES: Final[Mapping[Family, Prefix]] = {
    IPV4: Prefix.parse("0.0.0.0/0"),
    IPV6: Prefix.parse("::/0"),
}
Announced = Mapping[Address, Collection[Prefix]]
"""What is known of the routes that routers beside the cluster announce, by their addresses."""


def outsiders(
    nodes: Mapping[str, Router], announced: Announced, before: Mapping[str, Router], gone: Collection[Address]
) -> dict[str, Router]:
    """The routers that nodes peer with and that are none, by address; `before` are those of before.

    At the addresses in `gone` there is nobody. One that nobody peers with any more is still there.
    """
    taken = {address for node in nodes.values() for address in node.addresses.values()}.union(gone)
    sessions: dict[Address, dict[PeerId, PeerConfig]] = {}
    workloads: dict[Address, None] = {}
    ports: dict[Address, int] = {}
    for node in nodes.values():
        for peer, config in node.peers.items():
            address = peer.address
            own = config.transport.local_address or node.addresses.get(address.family)
            if address in taken or own is None:
                continue
            there = before.get(str(address))
            known = None if there is None else there.peers.get(PeerId(own, node.listen_port))
            end = _mirrored(config, own, node) if known is None else known
            sessions.setdefault(address, {})[end.peer] = end
            ports.setdefault(address, peer.port)
            if node.scopes.get(peer) == LOCAL_WORKLOAD:
                workloads[address] = None
    left = {
        name: replace(router, peers={})
        for name, router in before.items()
        if not taken.intersection(router.addresses.values())
    }
    return left | {
        str(address): _router(
            address,
            ends,
            ports[address],
            announced.get(address, () if address in workloads else (DEFAULT_ROUTES[address.family],)),
        )
        for address, ends in sessions.items()
    }


def _router(
    address: Address, ends: Mapping[PeerId, PeerConfig], port: int, announced: Collection[Prefix]
) -> Router:
    local_as = next(iter(ends.values())).local_as
    return Router(
        name=str(address),
        # Its identifier matters only among paths that are equally good: of those all next hops are used.
        speaker=SpeakerConfig(
            bgp_identifier=Address(bytes(address[-4:])),
            local_as=local_as,
            multipath_external=MULTIPATH_MAX,
            multipath_internal=MULTIPATH_MAX,
        ),
        addresses={address.family: address},
        listen_port=port,
        peers=ends,
        scopes={},
        routes={prefix: LocalRoute(RouteSource.AGGREGATE) for prefix in announced},
        is_node=False,
    )


def _mirrored(config: PeerConfig, own: Address, node: Router) -> PeerConfig:
    """The other end of a session, as it must be for the session to be up."""
    return PeerConfig(
        peer=PeerId(own, node.listen_port),
        name=node.name,
        families=config.families,
        local_as=config.remote_as,
        remote_as=config.local_as,
        graceful_restart=config.graceful_restart,
        route_reflector_client=not config.external,
        transport=TransportOptions(local_address=config.peer.address, password=config.transport.password),
    )
