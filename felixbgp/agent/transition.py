"""From one intent to the next without a lost packet: what of it the speaker is given at once, and what later.

    Intent ─▶ Reprieve ─────▶ Draining ─────▶ Reflecting ─────▶ Resets ─────▶ Speaker
              what it lacks   who is wanted   a reflector's     those that
              may be on its   no more stays   former part       cost routes
              way             for a while     for a while       take turns

Each of the four knows one reason to let something stay as it was; here they are put in order.
"""

from collections.abc import Callable, Mapping
from typing import Final

from felixbgp.agent.draining import Drained, Draining
from felixbgp.agent.inputs import TurnInput
from felixbgp.agent.reflecting import Reflecting
from felixbgp.agent.reprieve import Reprieve
from felixbgp.agent.resets import AcquireTurn, ReleaseTurn, ResetFact, Resets
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.speaker import Speaker
from felixbgp.intent.derivation import Derived
from felixbgp.intent.types import Intent, Problem
from felixbgp.intent.workloads import LOCAL_WORKLOAD
from felixbgp.net import Address
from felixbgp.status.node_status import Leave

UNCONFIGURED: Final = SpeakerConfig(bgp_identifier=Address(bytes(4)), local_as=0)
"""Of a node that takes no part in BGP."""


class Transition:
    """Stands between the intent and the speaker, which nobody else configures.

    `longest_ns` is how long a session that is wanted no more may stay, `node_at` gives the node that has an
    address, if one has.
    """

    def __init__(self, speaker: Speaker, longest_ns: int, node_at: Callable[[Address], str | None]) -> None:
        self._speaker = speaker
        self._node_at = node_at
        self._intent = Intent()
        self._is_begun = False
        self._reprieve = Reprieve()
        self._draining = Draining(longest_ns)
        self._reflecting = Reflecting(longest_ns)
        self._resets = Resets(speaker, self._resets_in_turn)

    def follow(self, intent: Intent, derived: Derived, now: int) -> Mapping[PeerId, PeerConfig | None]:
        """Give the speaker what may change now; gives the peers for which the intent counts from now on.

        `derived` says in which peers `intent` differs from the one before.
        """
        before, self._intent = self._intent, intent
        is_first, self._is_begun = not self._is_begun, True
        former = self._resets.in_force(self._reflecting.in_force(before.peers))
        leaving = self._staying()
        derived = self._reprieve.follow(derived, former, self._speaker.has_routes_of, now)
        changes = self._draining.follow(derived, former, self._speaker.has_routes_of, now)
        if intent.speaker is None:
            self._reprieve.give_up()
            self._draining.give_up()
        were = {**former, **leaving} if leaving else former
        self._reflecting.follow(before.speaker, intent.speaker, were, changes, now)
        if is_first or intent.speaker != before.speaker:
            self._configure(now)
        else:
            changes = self._resets.hold_back(changes | self._reflecting.clients(changes))
            self._speaker.change_peers(changes, now)
        return derived.peers

    def feed(self, event: TurnInput, now: int) -> None:
        """Take what the store says of our turn to reset."""
        self._resets.feed(event, now)

    def stand_alone(self) -> None:
        """There is no store, and so nobody to take turns with."""
        self._resets.is_alone = True

    def take(self, now: int) -> list[AcquireTurn | ReleaseTurn]:
        """Reset what it is time to reset."""
        return self._resets.take(now)

    def take_over(self, now: int) -> bool:
        """Let go of what has stayed long enough, by what is selected now; whether anybody went."""
        if led := self._draining.take_led(now):
            self._speaker.change_peers(led, now)
        over = self._reprieve.take_over(now) | self._draining.take_over(
            self._speaker.unreplaced_count, self._speaker.is_up, now
        )
        if over:
            self._speaker.change_peers(dict.fromkeys(over), now)
        if self._reflecting.is_waiting and self._reflecting.take_over(
            has_all_tables=self._speaker.has_all_tables(), now=now
        ):
            self._configure(now)
        return bool(over)

    def leaves(self) -> dict[PeerId, Leave]:
        """The peers that are about to leave, or whose node is."""
        return self._draining.leaves()

    def problems(self) -> tuple[Problem, ...]:
        """What the operator should mend."""
        return self._resets.problems()

    def take_facts(self) -> list[Drained | ResetFact]:
        """What is worth telling since the last call."""
        return [*self._draining.take_facts(), *self._resets.take_facts()]

    def next_deadline(self) -> int | None:
        """When there is something to `take` or to `take_over`, if nothing else happens."""
        deadlines = (
            self._reprieve.next_deadline(),
            self._draining.next_deadline(),
            self._reflecting.next_deadline(),
            self._resets.next_deadline(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def _staying(self) -> dict[PeerId, PeerConfig]:
        return self._reprieve.configs() | self._draining.configs()

    def _configure(self, now: int) -> None:
        """The speaker, and all of its peers: those of the intent, and those that may stay for a while."""
        wanted = self._intent
        speaker = UNCONFIGURED if wanted.speaker is None else self._reflecting.speaker(wanted.speaker)
        at_once = self._resets.hold_back(self._staying() | self._reflecting.in_force(wanted.peers))
        peers = {peer: config for peer, config in at_once.items() if config is not None}
        self._speaker.configure(speaker, peers, now)

    def _resets_in_turn(self, peer: PeerId) -> bool:
        """A node changes as we do, by the same write; a workload has no other way to us."""
        origins = self._intent.origins
        is_workload = peer in origins and origins[peer].scope == LOCAL_WORKLOAD
        return not is_workload and self._node_at(peer.address) is None
