"""The machines of a planned cluster: their numbers, addresses and manners, and how they come into a world.

All are on one segment: node 7 is `node-7`, 172.30.0.7 and fd30::7, and its blocks are 10.0.7.0/26 and so on.
Routers are numbered from 60001 on.
"""

from dataclasses import dataclass

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.derivation import MULTIPATH_MAX
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from felixbgp.resources.keys import AffinityKey, prefix_of_host
from felixbgp.sim.node import KERNEL_LATENCY_NS, Manner, Node
from felixbgp.sim.topology import Router, Speaker
from felixbgp.sim.world import World

SEGMENT_V4, SEGMENT_V6 = Prefix.parse("172.30.0.0/16"), Prefix.parse("fd30::/64")
ROUTERS_FROM = 60_001
CONFIRMED = b'{"state":"confirmed"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node of the cluster, or with an `as_number` a router beside it that follows no store."""

    number: int
    is_dual: bool = False
    """Whether it has IPv6 beside IPv4."""
    offset_s: int = 0
    fast_ppm: int = 0
    kernel_us: int = KERNEL_LATENCY_NS // 1000
    store_us: int = 2000
    status_s: int = 0
    as_number: int | None = None
    originates: tuple[str, ...] = ()
    """What a router announces of its own."""
    peers: tuple[tuple[str, int], ...] = ()
    """Whom a router waits for: addresses and AS numbers."""

    @property
    def name(self) -> str:
        """What it is called."""
        if self.as_number is None:
            return f"node-{self.number}"
        return f"router-{self.number - ROUTERS_FROM + 1}"

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Its addresses, the IPv4 one first."""
        families = (IPV4, IPV6) if self.is_dual else (IPV4,)
        return tuple(address_of(self.number, family) for family in families)


def router_of(machine: Machine) -> Router:
    """What the oracle must know of a router."""
    addresses = {address.family: address for address in machine.addresses}
    speaker = Speaker(machine.name, machine.as_number or 0, addresses)
    peers = {Address.parse(text): as_number for text, as_number in machine.peers}
    return Router(speaker, tuple(map(Prefix.parse, machine.originates)), peers)


def address_of(number: int, family: Family) -> Address:
    """The address of a machine."""
    if family == IPV4:
        return Address(bytes((172, 30, number >> 8, number & 255)))
    return Address.parse(f"fd30::{number:x}")


def block_of(number: int, place: int, family: Family) -> Prefix:
    """One of the four blocks that a node may have of each family; `place` counts from 0."""
    if family == IPV4:
        high, low = divmod(number, 256)
        return Prefix.parse(f"10.{high}.{low}.{place * 64}/26")
    return Prefix.parse(f"fd10:0:0:{number:x}::{place:x}00/122")


def block_key(number: int, block: Prefix) -> str:
    """Where it stands in the store that a node has a block."""
    return str(AffinityKey(f"node-{number}", block))


def blocks_of(number: int) -> str:
    """What the keys of all blocks of a node begin with."""
    return prefix_of_host(f"node-{number}")


def start(world: World, machine: Machine) -> Node:
    """Put a machine into the world, with its agent."""
    manner = Manner(
        clock_offset_ns=machine.offset_s * 1_000_000_000,
        clock_fast_ppm=machine.fast_ppm,
        kernel_latency_ns=machine.kernel_us * 1000,
        status_latency_ns=machine.status_s * 1_000_000_000,
    )
    world.store.set_delay(machine.name, machine.store_us * 1000)
    networks = (SEGMENT_V4, SEGMENT_V6) if machine.is_dual else (SEGMENT_V4,)
    return world.add_node(machine.name, machine.addresses, networks, manner=manner, intent=_intent(machine))


def _intent(machine: Machine) -> Intent | None:
    """What a router is told; a node is told nothing."""
    if machine.as_number is None:
        return None
    own = {address.family: address for address in machine.addresses}
    peers = [_peer(machine.as_number, own, Address.parse(text), asn) for text, asn in machine.peers]
    return Intent(
        speaker=SpeakerConfig(
            bgp_identifier=own[IPV4],
            local_as=machine.as_number,
            multipath_external=MULTIPATH_MAX,
            multipath_internal=MULTIPATH_MAX,
        ),
        listen=machine.addresses,
        peers={peer.peer: peer for peer in peers},
        origins={peer.peer: PeerOrigin("node", peer.name) for peer in peers},
        aggregates=tuple(map(Prefix.parse, machine.originates)),
        workload_interfaces=(),
    )


def _peer(local_as: int, own: dict[Family, Address], address: Address, as_number: int) -> PeerConfig:
    return PeerConfig(
        peer=PeerId(address),
        name=str(address),
        families=(address.family,),
        local_as=local_as,
        remote_as=as_number,
        passive=True,
        transport=TransportOptions(local_address=own[address.family]),
    )
