"""An agent that is watched: whoever drives it sees no difference, and what passes is noted.

An agent that nobody watches is driven without this, at no cost.
"""

from collections.abc import Callable
from typing import Any

from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.runtime.clock import now_ns
from felixbgp.runtime.telemetry_changes import Changes


class WatchedAgent:
    """An `Agent` for whoever has the methods of one in mind; all that is not here is the agent's own."""

    def __init__(self, agent: Agent, changes: Changes, clock: Callable[[], int] = now_ns) -> None:
        self._agent = agent
        self._changes = changes
        self._clock = clock

    def feed(self, event: Input, now: int) -> None:
        """See `Agent.feed`."""
        self._changes.heard(event, now, self._agent.progress)
        self._agent.feed(event, now)

    def take(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.take`."""
        effects = self._agent.take(now, budget)
        ended = self._clock()
        if self._changes.is_awaiting:
            self._changes.stands(self._agent.progress(), ended)
        self._changes.asked(effects, ended)
        return effects

    def tell(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.tell`."""
        effects = self._agent.tell(now, budget)
        if effects:
            self._changes.asked(effects, self._clock())
        return effects

    def publish(self, now: int) -> list[Effect]:
        """See `Agent.publish`."""
        effects = self._agent.publish(now)
        self._changes.asked(effects, now)
        return effects

    def drain(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.drain`."""
        return self.take(now, budget) + self.tell(now, budget) + self.publish(now)

    def next_deadline(self) -> int | None:
        """See `Agent.next_deadline`; also when a change may be over."""
        own = self._agent.next_deadline()
        if self._changes.open is None:
            return own
        now = self._clock()
        self._changes.look(now, is_busy=own is not None and own <= now)
        deadlines = (own, self._changes.next_deadline())
        return min((at for at in deadlines if at is not None), default=None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)
