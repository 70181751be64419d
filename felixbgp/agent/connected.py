"""The networks that this node has an address in: what BIRD's direct protocol has.

    addresses, by interface ──────┐
    links: up and with a carrier ─┼─▶ network ─▶ the interface that leads there
    ignored patterns ─────────────┘

A single address is a network too (`lo`, tunnels). One that means nothing beyond this node or its link is not.
"""

from fnmatch import fnmatchcase
from typing import assert_never

from felixbgp.fib.types import AddressChanged, AddressSnapshot, InterfaceAddress, LinkChanged
from felixbgp.net import Prefix

ConnectedInput = LinkChanged | AddressSnapshot | AddressChanged


class ConnectedNetworks:
    """Follows links and addresses. An interface of which nothing was told is down.

    A link that gets another name keeps its addresses, of which the kernel says nothing then.
    """

    def __init__(self) -> None:
        self._ignored: tuple[str, ...] = ()
        self._names: dict[int, str] = {}
        self._usable: dict[str, None] = {}
        self._addresses: dict[str, dict[InterfaceAddress, None]] = {}
        self._interfaces: dict[Prefix, str] = {}
        self._outdated = False

    def ignore(self, patterns: tuple[str, ...]) -> None:
        """State the patterns of the interfaces that do not count."""
        self._outdated = self._outdated or patterns != self._ignored
        self._ignored = patterns

    def feed(self, event: ConnectedInput) -> None:
        """Take one fact about links or addresses."""
        self._outdated = True
        match event:
            case LinkChanged():
                self._link_changed(event)
            case AddressSnapshot(addresses):
                self._addresses = {}
                for address in addresses:
                    self._addresses.setdefault(address.interface, {})[address] = None
            case AddressChanged(address, present):
                there = self._addresses.setdefault(address.interface, {})
                if present:
                    there[address] = None
                else:
                    there.pop(address, None)
            case _:
                assert_never(event)

    def interface(self, network: Prefix) -> str | None:
        """The interface that leads to a network, as of the last `take_changes`."""
        return self._interfaces.get(network)

    def has_changes(self) -> bool:
        """Whether `take_changes` may have something to tell."""
        return self._outdated

    def take_changes(self) -> list[Prefix]:
        """The networks that came, went or lead elsewhere since the last call.

        Everything is looked at again, but for ignored interfaces: kube-proxy gives one of those thousands of
        addresses, and no other has many.
        """
        if not self._outdated:
            return []
        self._outdated = False
        before, self._interfaces = self._interfaces, self._connected()
        return [n for n in before | self._interfaces if before.get(n) != self._interfaces.get(n)]

    def _link_changed(self, link: LinkChanged) -> None:
        known = self._names.pop(link.index, link.name)
        self._usable.pop(known, None)
        if not link.present:
            self._addresses.pop(known, None)
            return
        self._names[link.index] = link.name
        if known != link.name:
            for address in self._addresses.pop(known, ()):
                renamed = address._replace(interface=link.name)
                self._addresses.setdefault(link.name, {})[renamed] = None
        if link.up and link.carrier:
            self._usable[link.name] = None

    def _connected(self) -> dict[Prefix, str]:
        """Of several interfaces to one network the name that sorts first, whichever came first."""
        found: dict[Prefix, str] = {}
        for name in sorted(self._usable):
            if any(fnmatchcase(name, pattern) for pattern in self._ignored):
                continue
            for address in self._addresses.get(name, ()):
                if address.address.is_routable:
                    found.setdefault(Prefix.of(address.address, address.length), name)
        return found
