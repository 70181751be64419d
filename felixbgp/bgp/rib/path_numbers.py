"""Path identifiers of ours (RFC 7911 §2): what tells the paths of one prefix apart for our peers."""

from collections.abc import Sequence
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.path import Path
from felixbgp.net import Nlri
from felixbgp.net.table import Table, Walk

NUMBERS_SWEEP_FIRST: Final = 4096
"""Path identifiers before unused ones are looked for; from then on, twice the number in use."""


class _Sweep:
    """One search for identifiers that nobody uses any more, and how far it is."""

    __slots__ = ("keys", "sources", "used")

    def __init__(
        self, keys: list[Walk[tuple[Nlri, ...]]], sources: list[tuple[PeerId | None, Walk[bytes]]]
    ) -> None:
        self.keys = keys
        """Where it is still to be looked up which are used: first of all."""
        self.sources = sources
        """Of whom the unused ones are still to be given up: after that."""
        self.used: Table[None] = Table()
        """Those found there, and all that were asked for meanwhile."""


class PathNumbers:
    """The path identifiers that we send: one per source of paths, so a path keeps its own (RFC 7911 §5).

    A peer may use any identifiers, ever new ones, so those whose paths are gone have to be given up.
    """

    __slots__ = ("_count", "_free", "_identifiers", "_sweep", "_sweep_at")

    def __init__(self) -> None:
        self._identifiers: dict[PeerId | None, Table[bytes]] = {}
        """By the peer that a path came from, and the identifier that it had there."""
        self._count = 0
        self._free: list[bytes] = []
        """Those given up; with those in use they are the numbers from 1 on."""
        self._sweep_at = NUMBERS_SWEEP_FIRST
        self._sweep: _Sweep | None = None

    def identifier(self, path: Path) -> bytes:
        """Four octets; no two paths of one prefix have the same."""
        peer = None if path.peer is None else path.peer.peer
        from_peer = self._identifiers.get(peer)
        if from_peer is None:
            from_peer = self._identifiers[peer] = Table()
        known = from_peer.get(path.path_id)
        if known is None:
            self._count += 1
            known = self._free.pop() if self._free else self._count.to_bytes(4, "big")
            from_peer.put(path.path_id, known)
        if self._sweep is not None:
            self._sweep.used.put(known, None)
        return known

    def known(self, path: Path) -> bytes | None:
        """The identifier of a path as far as it was told; None: it was not yet."""
        from_peer = self._identifiers.get(None if path.peer is None else path.peer.peer)
        return None if from_peer is None else from_peer.get(path.path_id)

    @property
    def are_many(self) -> bool:
        """Whether it is time for `begin_sweep`."""
        return self._count >= self._sweep_at and self._sweep is None

    @property
    def is_sweeping(self) -> bool:
        """Whether `sweep` has something to do."""
        return self._sweep is not None

    def begin_sweep(self, keys: Sequence[Walk[tuple[Nlri, ...]]]) -> None:
        """Begin to give up those that nobody uses; the keys are all that begin with one."""
        sources = [(peer, Walk(from_peer)) for peer, from_peer in self._identifiers.items()]
        self._sweep = _Sweep(list(keys), sources)

    def sweep(self, budget: int) -> None:
        """Go on, for about `budget` prefixes or identifiers."""
        while budget > 0 and self._sweep is not None:
            budget -= 1 + self._go_on(self._sweep, budget)

    def _go_on(self, sweep: _Sweep, budget: int) -> int:
        """Take one step; returns how much was looked at."""
        if sweep.keys:
            return self._find_used(sweep)
        if sweep.sources:
            return self._give_up_unused(sweep)
        taken = len(sweep.used.take(budget))
        if not taken:
            self._sweep = None
            self._sweep_at = max(NUMBERS_SWEEP_FIRST, 2 * self._count)
        return taken

    def _find_used(self, sweep: _Sweep) -> int:
        part = sweep.keys[-1].part()
        if part is None:
            sweep.keys.pop()
            return 0
        sweep.used.put_all([key[:4] for keys in part.entries.values() for key in keys], None)
        return len(part.entries)

    def _give_up_unused(self, sweep: _Sweep) -> int:
        peer, walk = sweep.sources[-1]
        from_peer = self._identifiers[peer]
        part = walk.next()
        if part is None:
            sweep.sources.pop()
            if not len(from_peer):
                del self._identifiers[peer]
            return 0
        for identifier, number in part:
            if number not in sweep.used:
                from_peer.pop(identifier)
                self._free.append(number)
                self._count -= 1
        return len(part)
