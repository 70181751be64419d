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

Split horizon: a route is never told to the peer it came from. That peer knows nothing where the others know
an export of this source; so no state of its own is needed.
"""

from collections.abc import Sequence
from typing import Final

from felixbgp.bgp.config import PeerId
from felixbgp.bgp.rib.export import Export
from felixbgp.net import Nlri

IN_FLIGHT_MAX: Final = 256 * 1024
"""Octets handed over and not yet taken by the kernel, per connection: several round trips of a fast peer, and
few enough that a thousand slow ones cost no more than 256 MiB."""


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

    __slots__ = ("deadline", "messages")

    def __init__(self, messages: tuple[bytes, ...], deadline: int) -> None:
        self.messages = messages
        self.deadline = deadline
        """When to stop waiting for prefixes that the kernel has not taken; it may never take them."""


class AdjRibOut:
    """Members who know the same, and per prefix what they know where that is not what they should."""

    __slots__ = ("announcing", "completion", "fresh", "members", "waiting", "withdrawing")

    def __init__(self, members: Sequence[Member]) -> None:
        self.members: dict[PeerId, Member] = {member.peer: member for member in members}
        self.announcing: dict[Nlri, Export | None] = {}
        self.waiting: dict[Nlri, Export | None] = {}
        self.withdrawing: dict[Nlri, Export | None] = {}
        self.completion: Completion | None = None
        self.fresh = True
        """Nothing was sent since it was made, so that others who join now can share it."""

    @property
    def pending_count(self) -> int:
        """Prefixes that the members do not know as they should."""
        return len(self.announcing) + len(self.waiting) + len(self.withdrawing)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of pending prefixes by kind; tables that say the same have the same."""
        return (len(self.announcing), len(self.waiting), len(self.withdrawing))

    def note(self, nlri: Nlri, old: Export | None, new: Export | None) -> None:
        """What the members should know about a prefix went from `old` to `new`."""
        known = self._take(nlri, old)
        if new is None:
            if known is not None:
                self.withdrawing[nlri] = known
        elif not new.same(known):
            self.announcing[nlri] = known

    def note_fresh(self, nlris: list[Nlri], export: Export) -> None:
        """The same for prefixes that the members should have known nothing of."""
        if self.withdrawing or self.waiting or self.announcing:
            for nlri in nlris:
                self.note(nlri, None, export)
        else:
            self.announcing.update(dict.fromkeys(nlris))

    def release(self, nlri: Nlri) -> None:
        """The kernel is ready for a prefix."""
        if nlri in self.waiting:
            self.announcing[nlri] = self.waiting.pop(nlri)

    def known(self, wanted: dict[Nlri, Export]) -> dict[Nlri, Export]:
        """What the members were told, given what they should know."""
        told = dict(wanted)
        for pending in (self.announcing, self.waiting, self.withdrawing):
            for nlri, before in pending.items():
                if before is None:
                    told.pop(nlri, None)
                else:
                    told[nlri] = before
        return told

    def split(self, members: Sequence[Member]) -> "AdjRibOut":
        """Give some members a table of their own, because they cannot go on together."""
        other = AdjRibOut(members)
        other.announcing = dict(self.announcing)
        other.waiting = dict(self.waiting)
        other.withdrawing = dict(self.withdrawing)
        other.completion = self.completion
        other.fresh = self.fresh
        for member in members:
            del self.members[member.peer]
        return other

    def equals(self, other: "AdjRibOut") -> bool:
        """Whether the members of both know the same and are owed the same, judged cheaply."""
        if self.completion is not None or other.completion is not None:
            return False
        return (
            self.announcing == other.announcing
            and self.waiting == other.waiting
            and self.withdrawing == other.withdrawing
        )

    def _take(self, nlri: Nlri, otherwise: Export | None) -> Export | None:
        """Stop what is pending for a prefix; returns what the members know of it."""
        if nlri in self.announcing:
            return self.announcing.pop(nlri)
        if self.waiting and nlri in self.waiting:
            return self.waiting.pop(nlri)
        if self.withdrawing and nlri in self.withdrawing:
            return self.withdrawing.pop(nlri)
        return otherwise
