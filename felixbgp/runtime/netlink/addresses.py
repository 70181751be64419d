"""The addresses of this network namespace that are in use."""

from collections.abc import Callable, Iterable

from felixbgp.fib.types import AddressChanged, AddressSnapshot, InterfaceAddress
from felixbgp.runtime.netlink.decode import HeldAddress


class Addresses:
    """What was last heard of every address; gives only what is news.

    An IPv6 address that is still being looked for on the link, or was found there, is in no use: nothing may
    be sent from it. A deprecated one is: whatever is sent to it arrives.
    """

    def __init__(self, name_of: Callable[[int], str]) -> None:
        self._name_of = name_of
        self._known: dict[HeldAddress, None] = {}

    def changed(self, address: HeldAddress, *, present: bool) -> AddressChanged | None:
        """An address is there, like this, or (present false) is there no more."""
        key = address._replace(usable=True)
        present = present and address.usable
        if present == (key in self._known):
            return None
        if present:
            self._known[key] = None
        else:
            del self._known[key]
        return AddressChanged(self._named(key), present)

    def replace_all(self, addresses: Iterable[HeldAddress]) -> AddressSnapshot:
        """Take a complete view."""
        self._known = dict.fromkeys(address for address in addresses if address.usable)
        return self.snapshot()

    def snapshot(self) -> AddressSnapshot:
        """All of them, with their interfaces as they are called now."""
        return AddressSnapshot(tuple(map(self._named, self._known)))

    def are_on(self, index: int) -> bool:
        """Whether an interface has any."""
        return any(address.link == index for address in self._known)

    def _named(self, address: HeldAddress) -> InterfaceAddress:
        return InterfaceAddress(self._name_of(address.link), address.address, address.length)
