"""Resets that cost routes take turns across the cluster: a prefix shall not lose all its paths at once.

    changed ── costs no route ───────────────────────────────────────────────▶ in force at once
       │
       └─ a new session, without graceful restart ─▶ waits ── our turn ─▶ in force ─▶ back with its routes
                                                     ▲ │                                        │
                  while another of ours is down ─────┘ └── its session ended by itself          ▼
                                                           ▼                       the next, or the turn ends
                                                        in force

Nodes keep each other's routes under graceful restart, and all of them change by the same write: their
sessions are reset at once. What waits are sessions with others, say a rack's routers. Their old session stays
with its old parameters; whatever can change in place does meanwhile. A turn is a leased key of the store, in
whose order nodes have it, one node at a time and on a node one session at a time.

Standing rules

* Nothing waits for ever. A store that gives no turn is waited for up to STORE_NS_MAX; a session that does not
  come back lets other nodes have their turn after RESET_NS_MAX, and keeps our own next one up to DOWN_NS_MAX.
* A session that has ended has nothing to lose: what waited for it is in force at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from felixbgp.agent.inputs import TurnAwaited, TurnGranted, TurnInput, TurnLost
from felixbgp.bgp.changes import Affects, keeping_session, peer_change
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.peering import peer_order
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.speaker import Speaker
from felixbgp.intent.types import Problem

STORE_NS_MAX: Final = 60 * SECOND_NS
"""For a store that cannot be asked: an operator's change is carried out in the end, and the status tells."""
RESET_NS_MAX: Final = 30 * SECOND_NS
"""For one session to be back with all its routes; other nodes do not wait any longer."""
DOWN_NS_MAX: Final = 300 * SECOND_NS
"""For one that is down, whatever for, before another follows, which may be the last that carries traffic."""
TABLE_NS_MAX: Final = 5 * SECOND_NS
"""For the End-of-RIB of a session that is back: a peer without graceful restart need not send one."""
SETTLING_NS: Final = 2 * SECOND_NS
"""After that, for the peer to use our routes and to tell others of them."""


@dataclass(frozen=True, slots=True)
class AcquireTurn:
    """Stand in line for the turn to reset, and keep it until `ReleaseTurn`.

    Answered by `TurnGranted` once, by `TurnAwaited` as often as it is somebody else's to wait for; by
    `TurnRefused` where the store does not let us or does not answer, and it is tried again; by `TurnLost`.
    """


@dataclass(frozen=True, slots=True)
class ReleaseTurn:
    """Let the next one have it; not answered."""


@dataclass(frozen=True, slots=True)
class ResetUnfinished:
    """A fact: a session that was reset is not back with its routes, and is not waited for any longer."""

    peer: PeerId
    seconds: int


@dataclass(frozen=True, slots=True)
class TurnSkipped:
    """A fact: sessions are reset without a turn, for the store has given none."""

    reason: str


ResetFact = ResetUnfinished | TurnSkipped


class _Resetting:
    """The session that was reset last, and how far it is back."""

    __slots__ = ("back_at", "peer", "sessions", "since", "whole_at")

    def __init__(self, peer: PeerId, since: int, sessions: int) -> None:
        self.peer = peer
        self.since = since
        self.sessions = sessions
        """How many it had before."""
        self.back_at: int | None = None
        """Since when it is Established again."""
        self.whole_at: int | None = None
        """Since when we have all of its routes, or do not wait for them any longer."""

    @property
    def next_at(self) -> int:
        """When something is to be done about it, whatever happens."""
        limit = self.since + RESET_NS_MAX
        if self.whole_at is not None:
            return min(limit, self.whole_at + SETTLING_NS)
        return limit if self.back_at is None else min(limit, self.back_at + TABLE_NS_MAX)


class Resets:
    """Stands between what peers shall be and the speaker; `takes_turns` says of whom resets are in turn."""

    def __init__(self, speaker: Speaker, takes_turns: Callable[[PeerId], bool]) -> None:
        self._speaker = speaker
        self._takes_turns = takes_turns
        self._waiting: dict[PeerId, PeerConfig] = {}
        """What they are to become, by peer."""
        self._in_force: dict[PeerId, PeerConfig] = {}
        self._routers: dict[PeerId, None] = {}
        """All that take turns."""
        self._last: _Resetting | None = None
        self._down: PeerId | None = None
        """One of those that has been up and is not, while others wait; and since when there is one."""
        self._down_at: int | None = None
        self._is_asking = False
        self._is_granted = False
        self._behind = ""
        self._refused_at: int | None = None
        """Since when the store gives no answer that helps."""
        self._refusal = ""
        self._is_skipping = False
        self._facts: list[ResetFact] = []
        self.is_alone = False
        """Whether there is no store, and so nobody to take turns with."""

    def hold_back(self, peers: Mapping[PeerId, PeerConfig | None]) -> dict[PeerId, PeerConfig | None]:
        """What the speaker shall have at once of these; the rest of it follows with our turn."""
        at_once = dict(peers)
        for peer, config in peers.items():
            self._routers.pop(peer, None)
            if config is not None and config.shutdown is None and self._takes_turns(peer):
                self._routers[peer] = None
            if self._waiting.pop(peer, None) is not None:
                del self._in_force[peer]
                self._speaker.note(peer, "")
            current = self._speaker.config_of(peer)
            if config is None or current is None or not self._must_wait(current, config):
                continue
            self._waiting[peer] = config
            at_once[peer] = self._in_force[peer] = keeping_session(current, config)
        return at_once

    def in_force(self, intended: Mapping[PeerId, PeerConfig]) -> Mapping[PeerId, PeerConfig]:
        """The peers of an intent as they are for now."""
        return {**intended, **self._in_force} if self._in_force else intended

    def feed(self, event: TurnInput, now: int) -> None:
        """Take an answer to `AcquireTurn`."""
        if not self._is_asking:
            return  # The turn was given back before the shell heard of it.
        self._is_granted = isinstance(event, TurnGranted)
        self._is_asking = not isinstance(event, TurnLost)
        self._behind = event.node if isinstance(event, TurnAwaited) else ""
        if isinstance(event, TurnGranted | TurnAwaited):
            self._refused_at, self._refusal = None, ""
        else:
            self._refusal = event.reason
            if self._refused_at is None:
                self._refused_at = now
        self._say_why()

    def take(self, now: int) -> list[AcquireTurn | ReleaseTurn]:
        """Go on: reset those that have nothing to lose, and the next one when it is our turn."""
        if not (self._waiting or self._last or self._is_asking):
            return []
        for peer in [peer for peer in self._waiting if not self._speaker.loses_by_reset(peer)]:
            if self._speaker.config_of(peer) is None:
                del self._waiting[peer], self._in_force[peer]
            else:
                self._put_in_force(peer, now)
        if self._last is not None:
            self._look_at_last(self._last, now)
        self._look_at_others(now)
        if self._waiting and self._last is None and self._down is None and self._may_go_on(now):
            peer = min(self._waiting, key=peer_order)
            self._last = _Resetting(peer, now, self._speaker.session_count(peer))
            self._put_in_force(peer, now)
        effects = self._ask_or_release()
        self._say_why()
        return effects

    def problems(self) -> tuple[Problem, ...]:
        """What the operator should mend."""
        if not self._is_skipping:
            return ()
        reason = f"etcd gives no turn, so sessions are reset without: {self._refusal}"
        return (Problem("session resets", "", reason),)

    def next_deadline(self) -> int | None:
        """When `take` has something to do though nothing was fed."""
        if self._last is not None:
            return self._last.next_at
        if self._down is not None and self._down_at is not None:
            return self._down_at + DOWN_NS_MAX
        if self._waiting and self._refused_at is not None:
            return self._refused_at + STORE_NS_MAX
        return None

    def take_facts(self) -> list[ResetFact]:
        """What is worth telling since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _must_wait(self, current: PeerConfig, config: PeerConfig) -> bool:
        if config.shutdown is not None or Affects.SESSION not in peer_change(current, config):
            return False
        return config.peer in self._routers and self._speaker.loses_by_reset(config.peer)

    def _put_in_force(self, peer: PeerId, now: int) -> None:
        del self._in_force[peer]
        self._speaker.change_peers({peer: self._waiting.pop(peer)}, now)

    def _look_at_last(self, last: _Resetting, now: int) -> None:
        """See how far the last one is back; it is nobody's concern any more when it is, or is none."""
        if self._speaker.config_of(last.peer) is None:
            self._last = None
            return
        if self._speaker.session_count(last.peer) == last.sessions or not self._speaker.is_up(last.peer):
            last.back_at = last.whole_at = None
        elif last.back_at is None:
            last.back_at = now
        if last.back_at is not None and last.whole_at is None:
            waited = now >= last.back_at + TABLE_NS_MAX
            last.whole_at = now if waited or self._speaker.has_table_of(last.peer) else None
        if last.whole_at is not None and now >= last.whole_at + SETTLING_NS:
            self._last = None
        elif now >= last.since + RESET_NS_MAX:
            self._last = None
            self._facts.append(ResetUnfinished(last.peer, RESET_NS_MAX // SECOND_NS))

    def _look_at_others(self, now: int) -> None:
        """See whether one is down beside which no other of ours should be."""
        self._down = None
        if self._last is not None or not self._waiting:
            return
        down = [
            peer
            for peer in self._routers
            if self._speaker.session_count(peer) and not self._speaker.is_up(peer)
        ]
        if not down:
            self._down_at = None
            return
        if self._down_at is None:
            self._down_at = now
        if now < self._down_at + DOWN_NS_MAX:
            self._down = min(down, key=peer_order)

    def _may_go_on(self, now: int) -> bool:
        if self._is_granted or self.is_alone:
            self._is_skipping = False
            return True
        if self._refused_at is None or now < self._refused_at + STORE_NS_MAX:
            return False
        if not self._is_skipping:
            self._is_skipping = True
            self._facts.append(TurnSkipped(self._refusal))
        return True

    def _ask_or_release(self) -> list[AcquireTurn | ReleaseTurn]:
        """Stand in line as long as there is a session to reset, or one that is not back in time."""
        has_next = bool(self._waiting) and self._down is None
        is_wanted = (has_next or self._last is not None) and not self.is_alone
        if is_wanted == self._is_asking:
            return []
        self._is_asking = is_wanted
        if is_wanted:
            return [AcquireTurn()]
        self._is_granted, self._behind, self._refused_at = False, "", None
        self._is_skipping = self._is_skipping and bool(self._waiting)
        return [ReleaseTurn()]

    def _say_why(self) -> None:
        """Have the status say what a session waits for."""
        if self._last is not None:
            why = f"waits for its turn to reset, after {self._last.peer}"
        elif self._down is not None:
            why = f"waits for its turn to reset, as the session with {self._down} is down"
        elif self._refusal:
            why = f"waits for its turn to reset: {self._refusal}"
        else:
            why = f"waits for its turn to reset{', behind ' if self._behind else ''}{self._behind}"
        for peer in self._waiting:
            self._speaker.note(peer, why)
