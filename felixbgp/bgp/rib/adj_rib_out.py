"""Adj-RIB-Out (RFC 4271 §3.2): what peers were told, and what they are still to be told.

What every peer of an update group should know stands once, in the group. An `AdjRibOut` is the difference
for those of its members who know the same: per prefix, what they were told before it changed. A peer that
does not take its bytes costs one entry per prefix here, however often the prefix changes.

                      changed                      told
    (in step) ───────────────────▶ announcing ───────────────▶ (in step)
        │                           │      ▲
        │ gone                kernel│      │release, or changed again
        │                  not ready▼      │
        └──────▶ withdrawing       waiting

What concerns many prefixes alike stays a batch until it is told, unless something else is pending for them.
Members who are to be told everything find out what that is part by part: of what is ahead of them they know
nothing (`joining`), or are to be told it again (`refreshing`). Those who come from another view are compared
first (`comparison`).

Split horizon: a route is never told to the peer it came from. That peer knows nothing where the others know
an export of this source; so no state of its own is needed.
"""

from collections.abc import Sequence
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.comparison import Comparison, Pending, Told
from felixbgp.bgp.rib.export import Export, outdated
from felixbgp.net import Nlri
from felixbgp.net.table import Table, Walk

IN_FLIGHT_MAX: Final = 256 * 1024
"""Octets handed over and not yet taken by the kernel, per connection: several round trips of a fast peer, and
few enough that a thousand slow ones cost no more than 256 MiB."""

PENDING_MAX: int = 8192
"""Prefixes to announce before what is ahead is left for later. No `Final`, as in `table`."""
BATCHED_MAX: int = 20_480
"""Prefixes in batches: more than wait for a peer that takes its bytes. They become single ones when one of
them changes, in 2 ms, and lose their order then, which packs prefixes of one set into one UPDATE."""

Batch = tuple[Export, list[Nlri]]
"""Prefixes whose members are told the same, or were; the list is shared."""


class Outlet:
    """One connection of an Established session, and how much of what we gave it has left."""

    __slots__ = ("_outbound", "connection", "in_flight", "outbox", "updates_sent")

    def __init__(self, connection: int, outbound: "list[Outlet]") -> None:
        """`outbound` gets every outlet that has something to send."""
        self._outbound = outbound
        self.connection = connection
        self.in_flight = 0
        self.outbox: list[bytes] = []
        self.updates_sent = 0

    @property
    def has_credit(self) -> bool:
        """Whether it may be given more."""
        return self.in_flight < IN_FLIGHT_MAX

    def put(self, messages: Sequence[bytes], octets: int) -> None:
        """Hand over whole UPDATEs of `octets` octets together."""
        if not self.outbox:
            self._outbound.append(self)
        self.outbox.extend(messages)
        self.in_flight += octets
        self.updates_sent += len(messages)


class Member:
    """A peer in an update group, for one family."""

    __slots__ = ("outlet", "peer")

    def __init__(self, peer: PeerId, outlet: Outlet) -> None:
        self.peer = peer
        self.outlet = outlet


class Completion:
    """A message due when everything pending has been told: End-of-RIB (RFC 4724 §2) or EoRR (RFC 7313 §4)."""

    __slots__ = ("deadline", "is_withheld", "messages")

    def __init__(self, messages: tuple[bytes, ...]) -> None:
        self.messages = messages
        self.deadline: int | None = None
        """When to stop waiting for prefixes that the kernel has not taken; it may never take them. None until
        nothing else is waited for: after a restart nothing is told for long."""
        self.is_withheld = False
        """Whether other peers are waited for that have not said everything yet."""


class AdjRibOut:
    """Members who know the same, and per prefix what they know where that is not what they should."""

    __slots__ = (
        "_batched",
        "_counted",
        "_counted_source",
        "_outdated",
        "_told",
        "again",
        "announcing",
        "announcing_batches",
        "comparison",
        "completion",
        "fresh",
        "joining",
        "members",
        "refreshing",
        "told_count",
        "waiting",
        "withdrawing",
        "withdrawing_batches",
    )

    def __init__(self, members: Sequence[Member]) -> None:
        self.members: dict[PeerId, Member] = {member.peer: member for member in members}
        self.announcing: Pending = Table()
        self.waiting: Pending = Table()
        self.withdrawing: Pending = Table()
        self.announcing_batches: list[Batch] = []
        """Of these the members know nothing."""
        self.withdrawing_batches: list[Batch] = []
        self._batched = 0
        """Prefixes in batches, which are all to be announced or all to be withdrawn."""
        self.joining: Walk[Export] | None = None
        """What the members should know, as far as they do not know of it yet."""
        self.refreshing: Walk[Export] | None = None
        """What they should know, as far as they are still to be told again."""
        self.again = False
        """They asked for everything again, and what they were told before that does not count."""
        self._outdated: Export | None = None
        """What is taken to be known instead, of the source that it was last asked of."""
        self.comparison: Comparison | None = None
        self.completion: Completion | None = None
        self.fresh = True
        """Nothing was sent since it was made, so that others who join now can share it."""
        self.told_count = 0
        """How many prefixes the members were told, were none of them their own."""
        self._told: dict[PeerId | None, int] = {}
        """The same by source, but for what was counted last."""
        self._counted = 0
        self._counted_source: PeerId | None = None
        """So many more of this source; mostly the next ones are its own, too."""

    # ---- what is pending

    @property
    def announcing_count(self) -> int:
        """Prefixes that may be announced now."""
        return len(self.announcing) + (self._batched if self.announcing_batches else 0)

    @property
    def withdrawing_count(self) -> int:
        """Prefixes to withdraw."""
        return len(self.withdrawing) + (self._batched if self.withdrawing_batches else 0)

    @property
    def pending_count(self) -> int:
        """Prefixes that the members do not know as they should; those that are ahead are not among them."""
        return self.announcing_count + self.withdrawing_count + len(self.waiting)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of pending prefixes by kind; tables that say the same have the same."""
        return (self.announcing_count, len(self.waiting), self.withdrawing_count)

    @property
    def is_to_announce(self) -> bool:
        """Whether something may be announced now, as far as the members are concerned."""
        return len(self.announcing) > 0 or bool(self.announcing_batches)

    @property
    def is_to_withdraw(self) -> bool:
        """The same for withdrawals."""
        return len(self.withdrawing) > 0 or bool(self.withdrawing_batches)

    @property
    def is_behind(self) -> bool:
        """Whether more will be pending by and by than is now."""
        return self.joining is not None or self.refreshing is not None or self.comparison is not None

    @property
    def looks_ahead(self) -> bool:
        """Whether it is time to find out what else the members are to be told."""
        return self.comparison is not None or (self.is_behind and len(self.announcing) < PENDING_MAX)

    def is_owed(self, key: Nlri) -> bool:
        """Whether the members are still to be told of a prefix, which nothing but their turn holds up."""
        if self.comparison is not None or key in self.announcing:
            return True
        walks = (self.joining, self.refreshing)
        if any(walk is not None and walk.is_ahead(key) for walk in walks):
            return True
        return any(key in keys for _, keys in self.announcing_batches)

    # ---- changes

    def note(self, key: Nlri, old: Export | None, new: Export | None) -> None:
        """What the members should know about a prefix went from `old` to `new`."""
        if self.comparison is not None:
            self.compare(key, self.comparison.told.known(key), new)
            return
        if self.joining is not None and self.joining.is_ahead(key):
            return
        if self._batched:
            self.spread()
        self._owe(key, self._take(key, old), new)

    def _owe(self, key: Nlri, known: Export | None, new: Export | None) -> None:
        """The members know this of a prefix, of which nothing is pending, and should know that."""
        if self.again:
            known = self._again(known)
        if new is None:
            if known is not None:
                self.withdrawing.put(key, known)
        elif not new.same(known):
            self.announcing.put(key, known)

    def note_fresh(self, keys: list[Nlri], export: Export) -> None:
        """The same for prefixes that the members should have known nothing of; the list is kept."""
        if self._takes_batches() and not self.is_to_withdraw:
            self.announcing_batches.append((export, keys))
            self._batched += len(keys)
            return
        for key in keys:
            self.note(key, None, export)

    def note_gone(self, keys: list[Nlri], export: Export) -> None:
        """The same for prefixes of which they should know nothing any more; the list is kept."""
        if self._takes_batches() and not self.is_to_announce and not len(self.waiting):
            self.withdrawing_batches.append((export, keys))
            self._batched += len(keys)
            return
        for key in keys:
            self.note(key, export, None)

    def _takes_batches(self) -> bool:
        return self._batched < BATCHED_MAX and self.joining is None and self.comparison is None

    def spread(self) -> None:
        """Make single prefixes of those in batches."""
        for _, keys in self.announcing_batches:
            self.announcing.put_all(keys, None)
        for export, keys in self.withdrawing_batches:
            self.withdrawing.put_all(keys, export)
        self.announcing_batches, self.withdrawing_batches, self._batched = [], [], 0

    def take_batches(self, batches: list[Batch], count: int) -> list[Batch]:
        """Remove the first batches that have `count` prefixes together, or more with the last of them."""
        taken = 0
        for at, (_, keys) in enumerate(batches):
            taken += len(keys)
            if taken >= count:
                first = batches[: at + 1]
                del batches[: at + 1]
                break
        else:
            first = list(batches)
            batches.clear()
        self._batched -= taken
        return first

    def release(self, key: Nlri) -> None:
        """The kernel is ready for a prefix."""
        if key in self.waiting:
            self.announcing.put(key, self.waiting.pop(key))

    def _take(self, key: Nlri, otherwise: Export | None) -> Export | None:
        """Stop what is pending for a prefix; returns what the members know of it."""
        for pending in (self.announcing, self.waiting, self.withdrawing):
            if len(pending) and key in pending:
                return pending.pop(key)
        return otherwise

    # ---- what is ahead

    def look_ahead(self, wanted: Table[Export], budget: int) -> int:
        """Find out of about `budget` more prefixes what the members are to be told; returns of how many."""
        if self.comparison is not None:
            keys = self.comparison.take(budget)
            for key in keys:
                self.compare(key, self.comparison.told.known(key), wanted.get(key))
            if not keys:
                self.stop_comparing()
            return len(keys)
        walk = self.refreshing if self.joining is None else self.joining
        part = None if walk is None else walk.part()
        if part is not None:
            if self.joining is None:
                self._refresh(part.entries)
            else:
                self.announcing.put_all(list(part.entries), None)
            return len(part.entries)
        if self.joining is None:
            self.refreshing = None
        self.joining = None
        return 0

    def compare(self, key: Nlri, known: Export | None, new: Export | None) -> None:
        """The members know this of a prefix, and should know that; before anything is told."""
        if len(self.announcing):
            self.announcing.pop(key)
        if len(self.withdrawing):
            self.withdrawing.pop(key)
        self._owe(key, known, new)

    def stop_comparing(self) -> None:
        """All is compared, or nobody is left."""
        if self.comparison is not None:
            self.comparison.end()
            self.comparison = None

    def _refresh(self, part: dict[Nlri, Export]) -> None:
        """Have these told again, whatever the members know of them."""
        self.spread()
        for key, wanted in part.items():
            if key not in self.waiting and key not in self.announcing:
                self.announcing.put(key, self._again(wanted))

    def _again(self, known: Export | None) -> Export | None:
        """What stands for this, so that it is told again whatever it will be."""
        if known is None:
            return None
        if self._outdated is None or self._outdated.source is not known.source:
            self._outdated = outdated(known)
        return self._outdated

    # ---- what was told

    def count(self, source: PeerId | None, more: int) -> None:
        """The members were told of so many more prefixes of a source."""
        self.told_count += more
        if source is not self._counted_source:
            self._add_counted()
            self._counted_source = source
        self._counted += more

    def _add_counted(self) -> None:
        source = self._counted_source
        count = self._told.get(source, 0) + self._counted
        self._counted = 0
        if count:
            self._told[source] = count
        else:
            self._told.pop(source, None)

    def advertised_count(self, peer: PeerId) -> int:
        """How many prefixes a member was told."""
        self._add_counted()
        return self.told_count - self._told.get(peer, 0)

    # ---- members

    def split(self, members: Sequence[Member]) -> "AdjRibOut":
        """Give some members a table of their own, because they cannot go on together.

        A member who asked for everything again has one already.
        """
        self.spread()
        other = AdjRibOut(members)
        other.announcing = self.announcing.copy()
        other.waiting = self.waiting.copy()
        other.withdrawing = self.withdrawing.copy()
        other.joining = None if self.joining is None else self.joining.copy()
        other.comparison = None if self.comparison is None else self.comparison.copy()
        other.completion = self.completion
        other.fresh = self.fresh
        other.told_count = self.told_count
        self._add_counted()
        other._told = dict(self._told)
        for member in members:
            del self.members[member.peer]
        return other

    def leave(self, wanted: Table[Export]) -> Told:
        """The members take this table over to another view; returns what they were told under this one."""
        if self.comparison is not None:
            told = self.comparison.told
            self.stop_comparing()
        else:
            self.spread()
            pending = (self.announcing, self.waiting, self.withdrawing)
            told = Told(wanted, pending, self.joining)
            self.joining = None
        self.refreshing = None  # If they asked for everything again, `again` makes all of it differ.
        self.announcing, self.waiting, self.withdrawing = Table(), Table(), Table()
        return told

    def enter(self, wanted: Table[Export], told: Told) -> None:
        """They are there, where this is wanted."""
        self.comparison = Comparison(told, wanted)
        self.fresh = False

    def equals(self, other: "AdjRibOut") -> bool:
        """Whether the members of both know the same and are owed the same, judged cheaply."""
        if self.completion is not None or other.completion is not None:
            return False
        if self.is_behind or other.is_behind or self.again or other.again:
            return False
        self.spread()
        other.spread()
        return (
            dict(self.announcing.items()) == dict(other.announcing.items())
            and dict(self.waiting.items()) == dict(other.waiting.items())
            and dict(self.withdrawing.items()) == dict(other.withdrawing.items())
        )
