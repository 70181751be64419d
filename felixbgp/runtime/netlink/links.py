"""The interfaces of this network namespace, by index and by name."""

from collections.abc import Iterable, Iterator

from felixbgp.fib.types import LinkChanged
from felixbgp.runtime.netlink.decode import Link


class Links:
    """What was last heard of every interface; gives only what is news."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._indices: dict[str, int] = {}

    def name_of(self, index: int) -> str:
        """The name; for an interface that was not heard of yet, the name that `ip` would print."""
        link = self._links.get(index)
        return f"if{index}" if link is None else link.name

    def index_of(self, name: str) -> int | None:
        """The index, or None when there is no such interface."""
        return self._indices.get(name)

    def changed(self, link: Link) -> LinkChanged | None:
        """An interface is there, like this."""
        if self._links.get(link.index) == link:
            return None
        self._forget(link.index)
        self._links[link.index] = link
        self._indices[link.name] = link.index
        return LinkChanged(link.index, link.name, link.up, carrier=link.carrier)

    def removed(self, index: int) -> LinkChanged | None:
        """An interface went away."""
        link = self._forget(index)
        return None if link is None else LinkChanged(index, link.name, up=False, present=False, carrier=False)

    def replace_all(self, links: Iterable[Link]) -> Iterator[LinkChanged]:
        """Take a complete view; what is gone comes first, for its name may be in use again."""
        present = {link.index: link for link in links}
        changes = [self.removed(index) for index in list(self._links) if index not in present]
        changes += [self.changed(link) for link in present.values()]
        return (change for change in changes if change is not None)

    def _forget(self, index: int) -> Link | None:
        link = self._links.pop(index, None)
        if link is not None and self._indices.get(link.name) == index:
            del self._indices[link.name]
        return link
