"""What a lost peer had announced, kept while it may be coming back (RFC 4724 §4.2, RFC 9494 §4.2).

session lost ─ keep ─▶ waiting ──── session is back ── resume ─▶ the new session's Adj-RIBs-In, stale
│                                       until End-of-RIB
restart time over
▼
outliving, if the peer asked for it ── resume ─▶ as above
│
stale time over
▼
gone

A session that we end to have another, with other parameters, is bridged: its peer never stops forwarding.
What it brought is kept for BRIDGE_NS, whatever was agreed on, and is stale in the session that follows.

Who is lost again before it has said everything again, within the restart time of its first loss, keeps what
was stale already: it had no time to say it. After that such routes go, so that nobody who comes and goes
keeps what is gone for ever.
"""

from typing import Final, NamedTuple

from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.path import PathPeer
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.wire.messages import Negotiated
from felixbgp.net import Family

BRIDGE_NS: Final = 30 * SECOND_NS
"""For the next session to be there, and once more for what it says: a peer need not send End-of-RIB."""
NO_FAMILIES: Final[frozenset[Family]] = frozenset()
"""One for all: a set of its own costs 216 octets for each peer."""
FOREVER = 1 << 62
"""In nanoseconds, a century and a half."""


class _Kept:
    """One Adj-RIB-In, until when it is kept, and for how much longer as a last resort."""

    __slots__ = ("is_bridged", "is_held", "outliving_ns", "rib", "until")

    def __init__(
        self,
        rib: AdjRibIn,
        until: int,
        outliving_ns: int,
        *,
        is_held: bool = False,
        is_bridged: bool = False,
    ) -> None:
        self.rib = rib
        self.until = until
        self.outliving_ns = outliving_ns
        self.is_held = is_held
        """Whether its peer is draining, or was when its session was lost."""
        self.is_bridged = is_bridged
        """Whether we ended the session to have another."""


class Resumed(NamedTuple):
    """What goes on in a new session; `is_bridged`: though nothing of that kind was agreed on."""

    rib: AdjRibIn
    is_bridged: bool


class Retention:
    """The Adj-RIBs-In of one peer between two of its sessions. Those that nobody waits for are given up."""

    __slots__ = ("_kept", "_to_be_renewed_by", "whole")

    def __init__(self) -> None:
        self.whole = NO_FAMILIES
        """Of these the peer has said everything in a former session, and nothing was dropped since."""
        self._kept: dict[Family, _Kept] = {}
        self._to_be_renewed_by: dict[Family, int] = {}
        """Until when what was stale already outlasts another loss: the restart time after the first one."""

    @property
    def ribs(self) -> list[AdjRibIn]:
        """What is kept now."""
        return [kept.rib for kept in self._kept.values()]

    def ribs_of(self, family: Family) -> list[AdjRibIn]:
        """Those of a family."""
        return [kept.rib for known, kept in self._kept.items() if known == family]

    def keep(
        self,
        ribs: dict[Family, AdjRibIn],
        negotiated: Negotiated,
        now: int,
        *,
        long_lived: bool,
        bridged: bool = False,
    ) -> None:
        """A session was lost: keep the families that its peer said it would be back with.

        `long_lived`: beyond the restart time too, for as long as the peer asked. `bridged`: the others as
        well, for BRIDGE_NS.
        """
        restart = negotiated.graceful_restart
        families = {} if restart is None else dict(restart.families)
        restart_ns = 0 if restart is None else restart.restart_time_s * SECOND_NS
        asked = negotiated.long_lived if long_lived else ()
        outliving = {family: seconds * SECOND_NS for family, _, seconds in asked}
        for family, rib in ribs.items():
            if rib.end_of_rib:
                self.whole |= {family}
            if family in families and rib:
                self._mark_stale(family, rib, now, restart_ns)
                self._kept[family] = _Kept(rib, now + restart_ns, outliving.get(family, 0))
            elif bridged:
                self.bridge({family: rib}, now)
            else:
                self._drop(family, rib)

    def bridge(self, ribs: dict[Family, AdjRibIn], now: int) -> None:
        """A session ends to be followed by another: keep all meanwhile."""
        for family, rib in ribs.items():
            if rib.end_of_rib:
                self.whole |= {family}
            if rib:
                rib.mark_stale_too()
                self._kept[family] = _Kept(rib, now + BRIDGE_NS, 0, is_bridged=True)
            else:
                rib.give_up()

    def _drop(self, family: Family, rib: AdjRibIn) -> None:
        """What was there of a family goes; that of none is no less than it was."""
        if rib:
            self.whole -= {family}
        rib.give_up()

    def _mark_stale(self, family: Family, rib: AdjRibIn, now: int, restart_ns: int) -> None:
        if rib.stale_count > rib.expired_count and now < self._to_be_renewed_by.get(family, 0):
            rib.mark_stale_too()
        else:
            if not rib.end_of_rib:
                self.whole -= {family}
            rib.mark_stale()
            self._to_be_renewed_by[family] = now + restart_ns

    def hold(self, ribs: dict[Family, AdjRibIn]) -> None:
        """A session was lost that nobody wants back: keep all until it is given up."""
        for family, rib in ribs.items():
            rib.mark_stale_too()
            self._kept[family] = _Kept(rib, FOREVER, 0, is_held=True)

    def hold_on(self) -> None:
        """The same for what is kept already: its peer has become one that is draining."""
        for kept in self._kept.values():
            kept.until, kept.outliving_ns, kept.is_held = FOREVER, 0, True

    def hold_until(self, until: int) -> None:
        """Its peer is wanted again: what was held of it waits for it, up to this moment."""
        for kept in self._kept.values():
            kept.until = min(kept.until, until)

    def set_peer(self, peer: PathPeer, policy: Policy) -> None:
        """Have what is kept judged again as that of this peer."""
        for kept in self._kept.values():
            kept.rib.set_peer(peer, policy)

    def resume(self, negotiated: Negotiated) -> dict[Family, Resumed]:
        """The peer is back: what goes on, for it was preserved."""
        restart = negotiated.graceful_restart
        preserved = {} if restart is None else dict(restart.families)
        preserved |= {family: True for family, flag, _ in negotiated.long_lived if flag}
        going_on: dict[Family, Resumed] = {}
        for family, kept in self._kept.items():
            # What was held or bridged is all that there is: it stays until the peer has said what it has.
            is_kept = kept.is_held or kept.is_bridged or preserved.get(family)
            if is_kept and family in negotiated.families:
                going_on[family] = Resumed(kept.rib, kept.is_bridged)
            else:
                self._drop(family, kept.rib)
        self._kept.clear()
        return going_on

    def expire(self, now: int) -> None:
        """Time has passed; `next_deadline` lies later afterwards."""
        for family, kept in list(self._kept.items()):
            if kept.until > now:
                continue
            if kept.outliving_ns:
                kept.until, kept.outliving_ns = now + kept.outliving_ns, 0
                kept.rib.outlive()
            else:
                del self._kept[family]
                self._drop(family, kept.rib)

    def give_up(self) -> None:
        """Keep nothing any longer."""
        for rib in self.ribs:
            rib.give_up()
        self._kept.clear()
        self.whole = NO_FAMILIES

    def next_deadline(self) -> int | None:
        """When `expire` has something to do."""
        return min((kept.until for kept in self._kept.values()), default=None)
