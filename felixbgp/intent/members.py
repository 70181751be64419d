"""The nodes that take part in BGP, with every default resolved: by name and by address."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from felixbgp.cluster.parts import Parts
from felixbgp.cluster.state import ClusterState
from felixbgp.net import IPV4, IPV6, Address, Family
from felixbgp.resources.bgp_configuration import DEFAULT_NAME, NODE_NAME_PREFIX, BgpConfigurationSpec
from felixbgp.resources.node import NodeWireguard
from felixbgp.resources.values import InterfaceAddress

DEFAULT_AS_NUMBER = 64512
"""Calico's, when neither the node nor the default BGPConfiguration says otherwise."""
_UNCONFIGURED = BgpConfigurationSpec()


@dataclass(frozen=True, slots=True)
class Member:
    """A node that takes part in BGP."""

    name: str
    labels: Mapping[str, str]
    as_number: int
    cluster_id: Address | None
    """Set on route reflectors."""
    addresses: Mapping[Family, InterfaceAddress]
    port: int | None
    """The configured listening port, the node's own or the cluster's; None when nobody configured one."""
    wireguard: frozenset[Family] = frozenset()
    """The families in which it has a wireguard interface."""

    def address(self, family: Family) -> Address | None:
        """The node's BGP address in a family, or None."""
        found = self.addresses.get(family)
        return None if found is None else found.address

    def has_address(self, address: Address) -> bool:
        """Whether this is the node's BGP address."""
        return self.address(address.family) == address


def member_of(state: ClusterState, name: str) -> Member | None:
    """The node of this name; None when there is none, or none with a BGP address."""
    node = state.nodes.get(name)
    bgp = None if node is None else node.effective_bgp
    if node is None or bgp is None:
        return None
    written = {IPV4: bgp.ipv4_address, IPV6: bgp.ipv6_address}
    addresses = {family: address for family, address in written.items() if address is not None}
    if not addresses:
        return None
    defaults, own = configuration(state, DEFAULT_NAME), configuration(state, NODE_NAME_PREFIX + name)
    return Member(
        name=name,
        labels=node.labels,
        as_number=bgp.as_number or defaults.as_number or DEFAULT_AS_NUMBER,
        cluster_id=bgp.route_reflector_cluster_id,
        addresses=addresses,
        port=own.listen_port or defaults.listen_port,
        wireguard=_wireguard(node.spec.wireguard),
    )


def _wireguard(written: NodeWireguard | None) -> frozenset[Family]:
    if written is None:
        return frozenset()
    interfaces = {IPV4: written.interface_ipv4_address, IPV6: written.interface_ipv6_address}
    return frozenset(family for family, address in interfaces.items() if address is not None)


def configuration(state: ClusterState, name: str) -> BgpConfigurationSpec:
    """The spec of a BGPConfiguration; an empty one when there is none of that name."""
    found = state.bgp_configurations.get(name)
    return _UNCONFIGURED if found is None else found.spec


class Members:
    """All of them. Their order is that of arrival, so nothing may depend on it."""

    def __init__(self) -> None:
        self._by_name: dict[str, Member] = {}
        self._by_address: dict[Address, dict[str, Member]] = {}
        self._with_wireguard: dict[str, Member] = {}

    def read(self, state: ClusterState) -> Parts[None]:
        """Take over all nodes of a state."""
        for name in state.nodes:
            self.put(name, member_of(state, name))
            yield 1

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Member | None:
        """The member of this name."""
        return self._by_name.get(name)

    def at(self, address: Address) -> list[Member]:
        """Those with this BGP address, by name: more than one only by mistake."""
        found = self._by_address.get(address, {})
        return [found[name] for name in sorted(found)]

    def addresses(self) -> list[Address]:
        """Every BGP address."""
        return list(self._by_address)

    def with_wireguard(self) -> list[Member]:
        """Those that have a wireguard interface, by name."""
        return [self._with_wireguard[name] for name in sorted(self._with_wireguard)]

    def put(self, name: str, member: Member | None) -> dict[Address, None]:
        """This is the node now; gives every address that it has or had, none when it is as it was."""
        before = self._by_name.get(name)
        touched: dict[Address, None] = {}
        if before == member:
            return touched
        for former in () if before is None else before.addresses.values():
            touched[former.address] = None
            del self._by_address[former.address][name]
            if not self._by_address[former.address]:
                del self._by_address[former.address]
        self._with_wireguard.pop(name, None)
        if member is not None and member.wireguard:
            self._with_wireguard[name] = member
        if member is None:
            del self._by_name[name]
            return touched
        self._by_name[name] = member
        for current in member.addresses.values():
            touched[current.address] = None
            self._by_address.setdefault(current.address, {})[name] = member
        return touched
