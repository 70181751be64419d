"""An agent that is recorded: whoever feeds and asks it sees no difference, and a journal is written beside.

agent = RecordedAgent(config, jitter, recorder)
agent.feed(event, now)            "fed"
agent.take(now, budget)           "take", with the digests of the effects
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

from felixbgp import __version__
from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import Effect
from felixbgp.agent.inputs import Input
from felixbgp.journal import codec
from felixbgp.journal.codec import CodecError, Replacing
from felixbgp.journal.records import (
    DIGEST_OCTETS,
    MAGIC,
    Began,
    Call,
    Called,
    Drew,
    Ended,
    Fed,
    Record,
    encode,
)


class Recorder:
    """Writes records by `write`, which takes octets; with `secrets` what is secret has other names in them.

    `flush` is called where an agent has done all that was due. What cannot be written ends the journal, never
    the agent. `wall_offset_ns`: see `Began`.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        secrets: Replacing | None = None,
        flush: Callable[[], None] = lambda: None,
        wall_offset_ns: int | None = None,
    ) -> None:
        self._wall_offset_ns = wall_offset_ns
        self._write = write
        self._flush = flush
        self._secrets = secrets
        self._is_over = False

    def begin(self, config: AgentConfig) -> None:
        """Write what comes first."""
        self._write(MAGIC)
        self.record(Began(__version__, config, self._wall_offset_ns))

    def record(self, record: Record) -> None:
        """Write a record."""
        if self._is_over:
            return
        try:
            self._write(encode(record, self._secrets))
        except CodecError as error:
            self.end(str(error))

    def end(self, reason: str) -> None:
        """Write the last record; what comes is not recorded."""
        if not self._is_over:
            self._is_over = True
            self._write(encode(Ended(reason)))
            self._flush()

    def called(self, call: Call, now: int, budget: int, effects: Sequence[Effect]) -> None:
        """Write down a call and what came of it."""
        if self._is_over:
            return
        try:
            digests = tuple(digest_of(codec.encode(effect, self._secrets)) for effect in effects)
        except CodecError as error:
            self.end(str(error))
        else:
            self.record(Called(call, now, budget, digests))
            if call in (Call.PUBLISH, Call.DRAIN):
                self._flush()


def digest_of(octets: bytes) -> bytes:
    """What is kept of an effect."""
    return blake2b(octets, digest_size=DIGEST_OCTETS).digest()


def told_of(error: Exception) -> str:
    """What a journal says of an agent that raised."""
    return f"the agent raised {type(error).__name__}: {error}"


class RecordedAgent:
    """An `Agent` for whoever has the methods of one in mind; all that is not here is the agent's own."""

    def __init__(self, config: AgentConfig, jitter: Callable[[], float], recorder: Recorder) -> None:
        self._jitter = jitter
        self._recorder = recorder
        recorder.begin(config)
        self._agent = Agent(config, self._draw)

    def feed(self, event: Input, now: int) -> None:
        """See `Agent.feed`."""
        self._recorder.record(Fed(now, event))
        try:
            self._agent.feed(event, now)
        except Exception as error:
            self._recorder.end(told_of(error))
            raise

    def take(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.take`."""
        return self._noted(Call.TAKE, now, budget, lambda: self._agent.take(now, budget))

    def tell(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.tell`."""
        return self._noted(Call.TELL, now, budget, lambda: self._agent.tell(now, budget))

    def publish(self, now: int) -> list[Effect]:
        """See `Agent.publish`."""
        return self._noted(Call.PUBLISH, now, 0, lambda: self._agent.publish(now))

    def drain(self, now: int, budget: int) -> list[Effect]:
        """See `Agent.drain`."""
        return self._noted(Call.DRAIN, now, budget, lambda: self._agent.drain(now, budget))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agent, name)

    def _noted(self, call: Call, now: int, budget: int, work: Callable[[], list[Effect]]) -> list[Effect]:
        """A call that raises is written down, too: it is what the journal will be read for."""
        try:
            effects = work()
        except Exception as error:
            self._recorder.called(call, now, budget, [])
            self._recorder.end(told_of(error))
            raise
        self._recorder.called(call, now, budget, effects)
        return effects

    def _draw(self) -> float:
        number = self._jitter()
        self._recorder.record(Drew(number))
        return number
