"""What came in over connections and waits for the sessions: worked off in its order, a part in each step.

A thousand peers that come back together tell a thousand things at once, each of which takes a session some
microseconds. All of it in one step would be longer than a step may be.
"""

from collections import deque
from typing import Final

from felixbgp.bgp.inputs import BytesReceived, BytesWritten, TransportInput

STEP_COST: Final = 512
"""What is worked off in one step: about a millisecond compiled, four interpreted."""
INPUT_COST: Final = 8
"""An OPEN, a KEEPALIVE, a connection that opens or closes."""
OCTETS_PER_COST: Final = 512
"""To cut octets into messages costs little beside what the messages cost later."""
WRITTEN_COST: Final = 1
"""To note that octets have left."""


class Backlog:
    """Inputs with the times at which they came, the oldest first."""

    __slots__ = ("_before_timers", "_inputs", "cost")

    def __init__(self) -> None:
        self._inputs: deque[tuple[TransportInput, int]] = deque()
        self._before_timers = 0
        """How many of them are worked off before timers have their turn."""
        self.cost = 0
        """Of all that wait: one is about two microseconds."""

    def put(self, event: TransportInput, at: int) -> None:
        """Queue; nothing is refused, as it has happened already."""
        self._inputs.append((event, at))
        self.cost += _cost_of(event)

    def take(self) -> list[tuple[TransportInput, int]]:
        """The next ones, as many as a step may work off."""
        inputs, left = self._inputs, STEP_COST
        taken: list[tuple[TransportInput, int]] = []
        while inputs and left > 0:
            entry = inputs.popleft()
            left -= _cost_of(entry[0])
            taken.append(entry)
        self.cost -= STEP_COST - left
        self._before_timers -= len(taken)
        return taken

    def timers_until(self, now: int) -> int | None:
        """Up to what time timers may expire, after a `take`; None for none yet.

        An input that came in time beats a timer, so that timers wait for what was here when they last had
        their turn. They do not wait for what came since: of that there may be no end.
        """
        if self._before_timers > 0:
            return None
        self._before_timers = len(self._inputs)
        return min(now, self._inputs[0][1]) if self._inputs else now


def _cost_of(event: TransportInput) -> int:
    if isinstance(event, BytesReceived):
        return INPUT_COST + len(event.data) // OCTETS_PER_COST
    return WRITTEN_COST if isinstance(event, BytesWritten) else INPUT_COST
