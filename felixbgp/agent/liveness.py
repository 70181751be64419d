"""Dead or restarting: what is known of the node of a peer that is lost, or silent, or does not come.

    lost or silent ── PATIENCE_NS ──▶ asked for ── key is gone ──▶ dialled ── no answer ──▶ asked for ── dead
    awaited after our own restart ───┘  ▲  │                        │                        │
                                        │  └ there, or unreadable   └ answers: it lives      └ there
                                        └──────── PACE_NS ◀─────────┴────────────────────────┘

The store is asked on demand: `/felixbgp/v1/nodes/<node>/alive` goes some seconds after the agent, and at once
when that is stopped. A host that refuses a connection lives, and its agent is restarting: its kernel
forwards, and its routes stay for the restart time (RFC 4724 §4.2). One that does not answer is dead, or as
good as that: what is kept of it leaves.

Standing rules

* Two witnesses or none: no key, and no answer to a dial. Nothing is concluded where the store cannot be
  read, of a node that never told a status of its own (it may run BIRD), or of a peer that is no node.
* The key must be gone still when the dial has failed: where only the link is cut, the agent may be back by
  the end of it.
* Whoever may be well is not dialled: some take a second connection for a restart of ours.
* Whatever is heard of the peer ends the matter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from felixbgp.agent.inputs import AliveRead, AliveUnread, HostProbed, LivenessInput, ProbeOutcome
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.inputs import Endpoint
from felixbgp.bgp.presence import Presence
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.speaker import Speaker
from felixbgp.net import Address

PATIENCE_NS: Final = SECOND_NS
"""An agent that restarts is mostly back by then, and nobody has asked for it."""
AWAITED_NS: Final = 5 * SECOND_NS
"""After a restart of our own: nearly all peers that live are back in session by then, of a thousand too."""
PACE_NS: Final = 2 * SECOND_NS
"""Between the end of one attempt and the next, of each peer."""
PROBE_TIMEOUT_NS: Final = 5 * SECOND_NS
"""Time for two more SYNs after the first (at 1 s and 3 s), and for ARP to give up (3 s)."""
AT_ONCE: Final = 64
"""Peers that are asked for or dialled at the same time: the whole cluster may be gone, or seem so."""


@dataclass(frozen=True, slots=True)
class AskAlive:
    """Read whether a node's `alive` key is there; answered by `AliveRead` or `AliveUnread`."""

    node: str


@dataclass(frozen=True, slots=True)
class ProbeHost:
    """Dial once without a password, and hang up: does the host answer at all? Answered by `HostProbed`.

    A password would make a host whose agent is away look dead: it refuses without a signature.
    """

    remote: Endpoint
    options: TransportOptions
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class NodeDead:
    """A fact: what was kept of a peer is withdrawn, for its node is dead; `reason` is that of the dial."""

    peer: PeerId
    node: str
    reason: str


class _Phase(Enum):
    WAITING = "waiting"
    ASKING = "asking"
    PROBING = "probing"


class _Missing:
    """A peer that is missed: what is being done about it, and when the next thing is."""

    __slots__ = ("at", "is_awaited", "is_away", "node", "phase", "silence")

    def __init__(self, at: int, *, is_awaited: bool) -> None:
        self.at = at
        self.phase = _Phase.WAITING
        self.is_awaited = is_awaited
        """Whether we have restarted and want its table, rather than to know what to do with its routes."""
        self.is_away = False
        """Whether its key was found gone, so that the next question is for its host."""
        self.silence = ""
        """Why its host did not answer after that, so that all depends on whether the key is gone still."""
        self.node = ""


class Liveness:
    """Looks after the peers that are missed; `node_at` names the one node that has an address."""

    def __init__(self, speaker: Speaker, node_at: Callable[[Address], str | None]) -> None:
        self._speaker = speaker
        self._node_at = node_at
        self._missing: dict[PeerId, _Missing] = {}
        self._look_at: int | None = None
        self._is_awaiting = False
        self._facts: list[NodeDead] = []

    def expect(self, peers: Iterable[PeerId], now: int) -> None:
        """We have restarted, and wait for the tables of these."""
        self._is_awaiting = True
        for peer in peers:
            self._miss(peer, now + AWAITED_NS, is_awaited=True)

    def stop_awaiting(self) -> None:
        """Those that are not back by now are not waited for any longer."""
        self._is_awaiting = False

    def feed(self, event: LivenessInput, now: int) -> None:
        """Take the answer to an effect of `take`; somebody else's turn may have come with it."""
        self._look_by(now)
        if isinstance(event, HostProbed):
            self._probed(PeerId(event.remote.address, event.remote.port), event, now)
            return
        for peer, missing in list(self._missing.items()):
            if missing.node == event.node and missing.phase is _Phase.ASKING:
                self._asked(peer, missing, event, now)

    def take(self, now: int) -> list[AskAlive | ProbeHost]:
        """What is to be found out now."""
        for peer in self._speaker.take_missed():
            self._miss(peer, now + PATIENCE_NS, is_awaited=False)
        if self._look_at is None or now < self._look_at:
            return []
        self._look_at = None
        for peer in [peer for peer, missing in self._missing.items() if not self._is_missed(peer, missing)]:
            del self._missing[peer]
        effects: list[AskAlive | ProbeHost] = []
        busy = sum([missing.phase is not _Phase.WAITING for missing in self._missing.values()])
        for peer, missing in list(self._missing.items()):
            if missing.phase is not _Phase.WAITING or busy >= AT_ONCE:
                continue
            if missing.at > now:
                self._look_by(missing.at)
            else:
                busy += 1
                effects += self._go_on(peer, missing)
        return effects

    def next_deadline(self) -> int | None:
        """When `take` has something to do."""
        return self._look_at

    def take_facts(self) -> list[NodeDead]:
        """What is worth telling since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _miss(self, peer: PeerId, at: int, *, is_awaited: bool) -> None:
        self._missing[peer] = _Missing(at, is_awaited=is_awaited)
        self._look_by(at)

    def _is_missed(self, peer: PeerId, missing: _Missing) -> bool:
        is_wanted = self._speaker.has_routes_of(peer) or (missing.is_awaited and self._is_awaiting)
        return is_wanted and self._speaker.is_missed(peer)

    def _go_on(self, peer: PeerId, missing: _Missing) -> list[AskAlive | ProbeHost]:
        """The next question about a peer; the store is asked for a node once, however many peers that is."""
        node, options = self._node_at(peer.address), self._speaker.transport_of(peer)
        if node is None or options is None:
            del self._missing[peer]
            return []
        if missing.is_away:
            missing.phase = _Phase.PROBING
            # The answer of a host without an agent has neither its TTL nor its signature.
            plain = replace(options, password=None, min_ttl=None)
            return [ProbeHost(Endpoint(peer.address, peer.port), plain, PROBE_TIMEOUT_NS)]
        others = [one for one in self._missing.values() if one.phase is _Phase.ASKING]
        missing.node, missing.phase = node, _Phase.ASKING
        return [] if any(one.node == node for one in others) else [AskAlive(node)]

    def _asked(self, peer: PeerId, missing: _Missing, event: AliveRead | AliveUnread, now: int) -> None:
        """A node whose key is gone is dialled next, or was and is dead; all others are asked for again."""
        missing.is_away = isinstance(event, AliveRead) and event.is_known and not event.is_present
        silence, missing.silence = missing.silence, ""
        if missing.is_away and silence:
            self._conclude(peer, missing, silence, now)
            return
        self._wait(missing, now if missing.is_away else now + PACE_NS)
        presence = Presence.AWAY if missing.is_away else Presence.EXPECTED
        self._speaker.note_presence(peer, presence, "", now)

    def _probed(self, peer: PeerId, event: HostProbed, now: int) -> None:
        missing = self._missing.get(peer)
        if missing is None or missing.phase is not _Phase.PROBING:
            return  # It was heard of meanwhile.
        missing.is_away = False
        is_silent = event.outcome is ProbeOutcome.SILENT
        missing.silence = event.reason if is_silent else ""
        self._wait(missing, now if is_silent else now + PACE_NS)

    def _conclude(self, peer: PeerId, missing: _Missing, reason: str, now: int) -> None:
        """Both witnesses say that it is dead."""
        del self._missing[peer]
        if not self._speaker.is_missed(peer):
            return
        node = missing.node
        text = f"Node {node} is dead: its alive key is gone, and a dial to it failed: {reason}"
        self._speaker.note_presence(peer, Presence.DEAD, text, now)
        self._facts.append(NodeDead(peer, node, reason))

    def _wait(self, missing: _Missing, until: int) -> None:
        missing.phase, missing.at = _Phase.WAITING, until

    def _look_by(self, at: int) -> None:
        self._look_at = at if self._look_at is None else min(self._look_at, at)
