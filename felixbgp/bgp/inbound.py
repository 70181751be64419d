"""What an Established peer sent and nobody has looked into yet: UPDATEs, with refreshes and their marks."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from felixbgp.bgp.session.actions import RefreshRequested

INBOUND_OCTETS_MAX: Final = 256 * 1024
"""Beyond this a peer's connection had better not be read, and TCP tells the peer to wait: more than a drain
works off, and few enough that a thousand peers at their worst cost no more than some hundred MiB."""
ENTRY_OCTETS: Final = 64
"""What an entry costs beside its octets: the shortest messages are the dearest."""

Entry = bytes | RefreshRequested
"""The body of an UPDATE, or what a ROUTE-REFRESH asks for or marks."""


class Inbound:
    """One session's queue, in order of arrival."""

    __slots__ = ("_entries", "_octets")

    def __init__(self) -> None:
        self._entries: deque[Entry] | None = None
        """None while it is empty: a deque takes 760 octets to begin with, and mostly nothing waits."""
        self._octets = 0

    def __len__(self) -> int:
        return 0 if self._entries is None else len(self._entries)

    @property
    def is_full(self) -> bool:
        """Whether the peer had better wait."""
        return self._octets > INBOUND_OCTETS_MAX

    def put(self, entry: RefreshRequested) -> None:
        """Queue; nothing is refused, as it has been read already."""
        self._extend([entry])
        self._octets += ENTRY_OCTETS

    def put_updates(self, bodies: list[bytes]) -> None:
        """Queue the bodies of successive UPDATEs."""
        self._extend(bodies)
        self._octets += sum(map(len, bodies)) + ENTRY_OCTETS * len(bodies)

    def take(self) -> Entry:
        """The oldest entry; there must be one."""
        entries = self._entries
        assert entries is not None  # noqa: S101 - the caller has looked
        entry = entries.popleft()
        if not entries:
            self._entries = None
        self._octets -= _octets(entry)
        return entry

    def _extend(self, entries: Sequence[Entry]) -> None:
        if self._entries is None:
            self._entries = deque(entries)
        else:
            self._entries.extend(entries)


def _octets(entry: Entry) -> int:
    return ENTRY_OCTETS + (len(entry) if isinstance(entry, bytes) else 0)
