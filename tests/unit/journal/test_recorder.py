"""What cannot be recorded ends the journal, and never the agent."""

from typing import cast

import pytest

from felixbgp.agent.config import AgentConfig
from felixbgp.agent.inputs import Input, IntentGiven
from felixbgp.intent.types import Intent
from felixbgp.journal.recorder import RecordedAgent, Recorder
from felixbgp.journal.records import Began, Call, Called, Ended, Fed
from tests.support.journals import records_of


class Written:
    """A journal in memory, and how often it was handed over."""

    def __init__(self) -> None:
        self.octets = b""
        self.flushes = 0
        self.recorder = Recorder(self._write, flush=self._flush)
        self.agent = RecordedAgent(AgentConfig(node="router"), lambda: 0.0, self.recorder)

    def _write(self, octets: bytes) -> None:
        self.octets += octets

    def _flush(self) -> None:
        self.flushes += 1


def test_all_that_is_asked_of_an_agent_is_written_in_its_order() -> None:
    written = Written()
    agent = written.agent
    agent.feed(IntentGiven(Intent()), 5)
    for effects in (agent.take(6, 250), agent.tell(7, 50), agent.publish(8), agent.drain(9, 10)):
        assert isinstance(effects, list)
    began, fed, *called = records_of(written.octets)
    assert isinstance(began, Began)
    assert fed == Fed(5, IntentGiven(Intent()))
    assert [(one.call, one.now, one.budget) for one in called if isinstance(one, Called)] == [
        (Call.TAKE, 6, 250),
        (Call.TELL, 7, 50),
        (Call.PUBLISH, 8, 0),
        (Call.DRAIN, 9, 10),
    ]
    assert written.flushes == 2


def test_the_rest_of_an_agent_is_its_own() -> None:
    agent = Written().agent
    assert agent.next_deadline() is not None
    assert agent.backlog == 0
    with pytest.raises(AttributeError):
        agent.no_such_thing  # noqa: B018


def test_what_has_no_form_ends_the_journal_and_not_the_agent() -> None:
    written = Written()
    written.agent.feed(IntentGiven(Intent()), 5)
    written.agent.feed(cast("Input", IntentGiven(Intent(problems=(object(),)))), 6)  # type: ignore[arg-type]
    before = written.octets
    written.agent.take(7, 250)
    written.agent.feed(IntentGiven(Intent()), 8)
    assert written.octets == before
    *_, ended = records_of(written.octets)
    assert ended == Ended("builtins.object has no form in a journal")
