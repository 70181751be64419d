"""Ask an agent of today what the one of a journal was asked, and compare what it does."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, assert_never

from felixbgp.agent.agent import Agent
from felixbgp.agent.effects import Effect
from felixbgp.journal import codec
from felixbgp.journal.recorder import digest_of, told_of
from felixbgp.journal.records import Began, Call, Called, Drew, Ended, Fed, JournalError, Record

ANY_NUMBER: Final = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the agent of today did something else.

    `number` counts the calls from 1, `after_ns` is the time since the first record, `position` the effect in
    that call from 0. `effect` is the one of today, None where there are fewer now; of what was recorded there
    is a digest alone. `recorded` and `replayed` are how many there are in that call. `reason` says what else
    there is to say.
    """

    number: int
    call: Call
    after_ns: int
    position: int
    effect: Effect | None
    recorded: int
    replayed: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was done, up to the difference if there is one.

    `digest` is that of all effects of today; `ended` why nothing more was recorded, "" where that is not
    said.
    """

    version: str
    inputs: int
    calls: int
    effects: int
    digest: str
    difference: Difference | None
    ended: str


class _Drawn:
    """The numbers that were drawn, in their order; once `is_free`, any number where there are no more."""

    def __init__(self) -> None:
        self.waiting: deque[float] = deque()
        self.is_free = False

    def __call__(self) -> float:
        if not self.waiting:
            if self.is_free:
                return ANY_NUMBER
            raise JournalError("the agent draws a random number that was not drawn when it was recorded")
        return self.waiting.popleft()


class Replay:
    """One agent that goes through the records of a journal.

    After a difference it can go on: then it does what an agent of today would have done.
    """

    def __init__(self, began: Began) -> None:
        self._drawn = _Drawn()
        self.agent = Agent(began.config, self._drawn)
        self._version = began.version
        self._waiting: list[Fed] = []
        """Inputs, until all numbers that were drawn for them are known."""
        self._inputs = self._calls = self._effects = 0
        self._began_at: int | None = None
        self._last: Called | None = None
        self._digest = blake2b(digest_size=16)
        self._ended = ""
        self.effects: list[Effect] = []
        """Those of the last call."""

    def take(self, record: Record) -> Difference | None:
        """Do what is recorded. Raises `JournalError`, and whatever the agent raises."""
        match record:
            case Fed():
                self._note_time(record.now)
                self._waiting.append(record)
            case Drew():
                self._drawn.waiting.append(record.number)
            case Called():
                self._note_time(record.now)
                return self._call(record)
            case Ended():
                self._feed()
                self._ended = record.reason
            case Began():
                raise JournalError("it begins twice")
            case _:
                assert_never(record)
        return None

    def go_on(self) -> None:
        """After a difference: compare no more, and make do without the numbers that were not drawn."""
        self._drawn.is_free = True

    def catch_up(self) -> None:
        """Feed what waits for the next call."""
        self._feed()

    def result(self, difference: Difference | None) -> Replayed:
        """What was done so far."""
        digest = self._digest.hexdigest()
        return Replayed(
            self._version, self._inputs, self._calls, self._effects, digest, difference, self._ended
        )

    def raised(self, error: Exception, following: Record | None) -> Replayed:
        """The agent raised; `following` is what was recorded of that. Raises `JournalError` if it is one."""
        if isinstance(error, JournalError):
            raise error
        reason = told_of(error)
        if isinstance(following, Ended) and following.reason == reason:
            self._ended = reason
            return self.result(None)
        called = self._last or Called(Call.TAKE, 0, 0, ())
        return self.result(self._difference(called, 0, [], reason))

    def _note_time(self, now: int) -> None:
        if self._began_at is None:
            self._began_at = now

    def _call(self, called: Called) -> Difference | None:
        self._calls += 1
        self._last = called
        try:
            self._feed()
            effects = self.effects = self._work(called.call)(called.now, called.budget)
        except JournalError as error:
            return self._difference(called, 0, [], str(error))
        left = len(self._drawn.waiting)
        self._drawn.waiting.clear()
        if self._drawn.is_free:
            return None
        for position, effect in enumerate(effects):
            octets = codec.encode(effect)
            self._digest.update(octets)
            self._effects += 1
            if position >= len(called.digests) or digest_of(octets) != called.digests[position]:
                return self._difference(called, position, effects)
        if len(effects) < len(called.digests):
            return self._difference(called, len(effects), effects)
        if left:
            return self._difference(called, len(effects), effects, f"{left} random numbers fewer are drawn")
        return None

    def _feed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for fed in waiting:
            self._inputs += 1
            self.agent.feed(fed.event, fed.now)

    def _work(self, call: Call) -> Callable[[int, int], list[Effect]]:
        agent = self.agent
        match call:
            case Call.TAKE:
                return agent.take
            case Call.TELL:
                return agent.tell
            case Call.PUBLISH:
                return lambda now, _: agent.publish(now)
            case Call.DRAIN:
                return agent.drain

    def _difference(
        self, called: Called, position: int, effects: list[Effect], reason: str = ""
    ) -> Difference:
        return Difference(
            number=self._calls,
            call=called.call,
            after_ns=called.now - (self._began_at or 0),
            position=position,
            effect=effects[position] if position < len(effects) else None,
            recorded=len(called.digests),
            replayed=len(effects),
            reason=reason,
        )


def replay(records: Iterable[Record]) -> Replayed:
    """Go through a journal up to its end, or the first difference. Raises `JournalError`."""
    going = iter(records)
    began = next(going, None)
    if not isinstance(began, Began):
        raise JournalError("it does not begin")
    replaying = Replay(began)
    for record in going:
        try:
            difference = replaying.take(record)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the agent's, and what a journal is for
            return replaying.raised(error, record if isinstance(record, Ended) else next(going, None))
        if difference is not None:
            return replaying.result(difference)
    return replaying.result(None)
