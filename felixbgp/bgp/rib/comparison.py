"""What peers that change their view were told, held against what they should know now.

    old group ─ wanted, and what was pending ─▶ Told ──┐ known(key)
                                                       ├─ Comparison ─▶ announcing, withdrawing
    new group ─ wanted ────────────────────────────────┘   part by part

Until all is compared these peers are told nothing. So what they know stays the same meanwhile, whatever
changes in either group; a key may be compared many times, and those who move once more take it along.
"""

from collections.abc import Sequence

from felixbgp.bgp.rib.export import Export
from felixbgp.net import Nlri
from felixbgp.net.table import Table, Walk

Pending = Table[Export | None]
"""What somebody knows that is not what they should know; None: they know nothing."""


class Told:
    """What peers were told under a view, as it was when they left it.

    It is what their group wanted then. The group goes on, and has `keep` note what changes there.
    """

    __slots__ = ("_joining", "_wanted", "pending", "users")

    def __init__(
        self, wanted: Table[Export], pending: Sequence[Pending], joining: Walk[Export] | None
    ) -> None:
        """`pending` and `joining` are those of the table that they had; nobody else has them any more."""
        self._wanted = wanted
        changed: Pending = Table()
        self.pending: tuple[Pending, ...] = (changed, *pending)
        """Where it is not what is wanted there now; what changed since they left is in the first one."""
        self._joining = joining
        self.users = 0
        """Tables that are compared with it."""

    def keep(self, key: Nlri, old: Export | None) -> None:
        """What the old group wants to be known of a key is not `old` any more."""
        for pending in self.pending:
            if len(pending) and key in pending:
                return
        self.pending[0].put(key, old)

    def known(self, key: Nlri) -> Export | None:
        """What the peers were told of a key."""
        if self._joining is not None and self._joining.is_ahead(key):
            return None
        for pending in self.pending:
            if len(pending) and key in pending:
                return pending.get(key)
        return self._wanted.get(key)

    def walks(self) -> "list[Walk[Export] | Walk[Export | None]]":
        """Together they meet every key the peers were told of; what changes meanwhile comes to the first."""
        walks: list[Walk[Export] | Walk[Export | None]] = [Walk(pending) for pending in self.pending]
        walks.append(Walk(self._wanted))
        return walks


class Comparison:
    """The way through everything that members of a table were told or should know."""

    __slots__ = ("_keys", "_walks", "told")

    def __init__(self, told: Told, wanted: Table[Export]) -> None:
        """`wanted` is what they should know; of what changes there from now on the table is told anyway."""
        self.told = told
        told.users += 1
        self._keys: list[Nlri] = []
        self._walks = told.walks()
        """The next one is the last."""
        if len(wanted):
            self._walks.append(Walk(wanted))

    def take(self, count: int) -> list[Nlri]:
        """Up to `count` more keys to compare; none: that was all."""
        while not self._keys and self._walks:
            part = self._walks[-1].part()
            if part is None:
                self._walks.pop()
            else:
                self._keys = list(part.entries)
        keys = self._keys[:count]
        self._keys = self._keys[count:]
        return keys

    def copy(self) -> "Comparison":
        """The same once more, from here on."""
        other = Comparison(self.told, Table())
        other._keys = list(self._keys)
        other._walks = [walk.copy() for walk in self._walks]
        return other

    def end(self) -> None:
        """It is over, or nobody needs it any more."""
        self.told.users -= 1
