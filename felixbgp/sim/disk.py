"""What a simulated node has on its disk: what it last knew of the store, as the real shell keeps it.

The disk outlives every life of the agent, and the machine's power.
"""

from typing import Final

from felixbgp.agent.effects import Follow
from felixbgp.cluster.inputs import StateRecovered, StoreInput
from felixbgp.cluster.last_known import LastKnown
from felixbgp.cluster.secrets import SecretId

PATIENCE_NS: Final = 3_000_000_000
WRITE_NS: Final = 5_000_000_000
"""The same as the real shell's."""


class Disk:
    """Of one node. Times are those of its own clock."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._known = LastKnown(node)
        self._kept: StateRecovered | None = None
        self._write_at = 0

    def begin(self) -> None:
        """Another life begins, and has heard nothing."""
        self._known = LastKnown(self._node)
        self._write_at = 0

    def follow(self, effect: Follow) -> None:
        """The agent follows these prefixes."""
        self._known.follow(effect.required, effect.optional)

    def want_secrets(self, secrets: tuple[SecretId, ...]) -> None:
        """These are referred to."""
        self._known.want_secrets(secrets)

    def hear(self, event: StoreInput, now: int) -> None:
        """The store said something; what comes within five seconds of a write may never be on the disk."""
        if self._known.hear(event) and now >= self._write_at:
            self.write(now)

    def write(self, now: int) -> None:
        """Keep what is known now, if it is whole."""
        if self._known.is_whole:
            self._write_at = now + WRITE_NS
            self._kept = StateRecovered(self._known.snapshots(), self._known.revision, now)

    def recovered(self) -> StateRecovered | None:
        """What stands in for a store that has not answered in this life; None where it has, or is unknown."""
        return None if self._known.is_answered else self._kept
