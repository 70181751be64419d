"""Path identifiers of ours (RFC 7911 §2): what tells the paths of one prefix apart for our peers."""

from collections.abc import Container
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.path import Path

NUMBERS_SWEEP_FIRST: Final = 4096
"""Path identifiers before unused ones are looked for; from then on, twice the number in use."""


class PathNumbers:
    """The path identifiers that we send: one per source of paths, so a path keeps its own (RFC 7911 §5).

    A peer may use any identifiers, ever new ones, so those whose paths are gone have to be given up.
    """

    __slots__ = ("_free", "_identifiers", "_sweep_at")

    def __init__(self) -> None:
        self._identifiers: dict[tuple[PeerId | None, bytes], bytes] = {}
        self._free: list[bytes] = []
        """Those given up; with those in use they are the numbers from 1 on."""
        self._sweep_at = NUMBERS_SWEEP_FIRST

    def identifier(self, path: Path) -> bytes:
        """Four octets; no two paths of one prefix have the same."""
        source = (None if path.peer is None else path.peer.peer, path.path_id)
        known = self._identifiers.get(source)
        if known is None:
            new = self._free.pop() if self._free else (len(self._identifiers) + 1).to_bytes(4, "big")
            known = self._identifiers[source] = new
        return known

    @property
    def are_many(self) -> bool:
        """Whether it is time for `sweep`."""
        return len(self._identifiers) >= self._sweep_at

    def sweep(self, used: Container[bytes]) -> None:
        """Give up those that nobody uses."""
        kept = {source: number for source, number in self._identifiers.items() if number in used}
        self._free += [number for source, number in self._identifiers.items() if source not in kept]
        self._identifiers = kept
        self._sweep_at = max(NUMBERS_SWEEP_FIRST, 2 * len(kept))
