"""An agent is recorded, in all that happens to a cluster, and does the same again without one."""

import io
from dataclasses import replace
from typing import cast

import pytest

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.inputs import IntentGiven
from felixbgp.agent.listening import Listener
from felixbgp.bgp.inputs import BytesReceived
from felixbgp.cluster.secrets import SECRETS
from felixbgp.intent.types import Intent
from felixbgp.journal.recorder import RecordedAgent, Recorder
from felixbgp.journal.records import Began, Call, Called, Drew, Ended, Fed, JournalError, Record
from felixbgp.journal.replay import replay
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import converged, mesh, put_resource
from tests.support.journals import Recordings, records_of, void

SIZE = 3
LIMIT_NS = 60 * SECOND
PASSWORD = b"correct horse battery staple"
NOTHING = IntentGiven(cast("Intent", None))
"""No agent is ever told this: it raises."""


def lived(recordings: Recordings) -> World:
    """A cluster that comes up, gets passwords, loses its store and a node, and comes to rest again."""
    world = mesh(SIZE, 3, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, SIZE), LIMIT_NS)
    spec: dict[str, object] = {"nodeMeshPassword": {"secretKeyRef": {"name": "bgp", "key": "mesh"}}}
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", spec)
    world.store.put(f"{SECRETS}bgp/mesh", PASSWORD + b"\n")
    world.run_for(30 * SECOND)
    world.nodes["node-2"].kill()
    world.store.fail("no route to host")
    world.run_for(10 * SECOND)
    world.nodes["node-2"].start()
    world.store.recover()
    world.run_for(150 * SECOND)
    assert converged(world, SIZE)
    assert world.established() == SIZE * (SIZE - 1)
    return world


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    made = Recordings()
    lived(made)
    return made


def test_every_life_of_every_agent_has_the_same_effects_again(recordings: Recordings) -> None:
    assert [node for node, _ in recordings.journals] == ["node-1", "node-2", "node-3", "node-2"]
    for number in range(len(recordings.journals)):
        records = recordings.records(number)
        replayed = replay(records)
        assert (replayed.difference, replayed.ended) == (None, "")
        assert replayed.inputs == sum(isinstance(record, Fed) for record in records) > 50
        assert replayed.calls == sum(isinstance(record, Called) for record in records)
        digests = [len(record.digests) for record in records if isinstance(record, Called)]
        assert replayed.effects == sum(digests) > 50
        assert any(isinstance(record, Drew) for record in records)


def test_no_password_is_in_any_journal(recordings: Recordings) -> None:
    journals = b"".join(journal.getvalue() for _, journal in recordings.journals)
    assert b"bgp/mesh" in journals
    assert PASSWORD not in journals


def test_an_agent_is_not_another_for_being_recorded() -> None:
    assert lived(Recordings()).digest() == lived_alone().digest()


def lived_alone() -> World:
    class Alone(Recordings):
        def make_agent(self, config: AgentConfig, jitter: object) -> Agent:
            return Agent(config, jitter)  # type: ignore[arg-type]

    return lived(Alone())


def position_of(records: list[Record], wanted: type[Record], *, after: int = 0) -> int:
    return next(at for at, record in enumerate(records) if at > after and isinstance(record, wanted))


def test_an_effect_that_differs_is_named_with_its_call_and_time(recordings: Recordings) -> None:
    records = recordings.records(0)
    at = next(
        at
        for at, one in enumerate(records)
        if isinstance(one, Called) and len(one.digests) > 1 and one.now > SECOND
    )
    called = records[at]
    assert isinstance(called, Called)
    records[at] = replace(called, digests=(called.digests[0], b"00000000", *called.digests[2:]))
    difference = replay(records).difference
    assert difference is not None
    assert difference.number == sum(isinstance(record, Called) for record in records[: at + 1])
    assert (difference.call, difference.position, difference.reason) == (called.call, 1, "")
    first = records[1]
    assert isinstance(first, Fed)
    assert difference.after_ns == called.now - first.now
    assert difference.effect is not None
    assert difference.recorded == difference.replayed == len(called.digests)


@pytest.mark.parametrize("more", [True, False])
def test_an_effect_more_or_less_is_a_difference(recordings: Recordings, more: bool) -> None:
    records = recordings.records(0)
    at = next(at for at, one in enumerate(records) if isinstance(one, Called) and one.digests)
    called = records[at]
    assert isinstance(called, Called)
    digests = (*called.digests, b"00000000") if more else called.digests[:-1]
    records[at] = replace(called, digests=digests)
    difference = replay(records).difference
    assert difference is not None
    assert difference.position == len(called.digests) - (0 if more else 1)
    assert (difference.effect is None) is more


def test_an_input_that_is_left_out_is_noticed(recordings: Recordings) -> None:
    records = recordings.records(0)
    at = next(
        at for at, one in enumerate(records) if isinstance(one, Fed) and isinstance(one.event, BytesReceived)
    )
    assert replay(records[:at] + records[at + 1 :]).difference is not None


def test_random_numbers_more_or_less_are_a_difference(recordings: Recordings) -> None:
    records = recordings.records(0)
    at = position_of(records, Drew)
    fewer = replay(records[:at] + records[at + 1 :]).difference
    assert fewer is not None
    assert "a random number that was not drawn when it was recorded" in fewer.reason
    more = replay([*records[:at], records[at], *records[at:]]).difference
    assert more is not None


def raising(*, when: str) -> list[Record]:
    """The journal of an agent with a fault, which only a test can bring about."""
    octets = io.BytesIO()
    recorder = Recorder(lambda one: void(octets.write(one)))
    agent = RecordedAgent(AgentConfig(node="router"), lambda: 0.0, recorder)
    agent.feed(IntentGiven(Intent()), 5)
    agent.drain(5, 10)
    if when == "fed":
        with pytest.raises(AttributeError):
            agent.feed(NOTHING, 6)
    else:
        agent._agent._listener = cast("Listener", None)
        with pytest.raises(AttributeError):
            agent.take(6, 10)
    return records_of(octets.getvalue())


def test_an_agent_that_raises_does_so_again_and_is_the_same() -> None:
    records = raising(when="fed")
    assert isinstance(records[-1], Ended)
    replayed = replay(records)
    assert replayed.difference is None
    assert replayed.ended.startswith("the agent raised AttributeError: ")


def test_an_agent_that_raises_no_more_or_only_now_is_another() -> None:
    records = raising(when="called")
    last, ended = records[-2:]
    assert isinstance(last, Called)
    assert isinstance(ended, Ended)
    assert (last.call, last.digests) == (Call.TAKE, ())
    # Today's agent has no such fault: it goes on to the end of the journal.
    assert replay(records).ended.startswith("the agent raised")
    now = replay([*records[:-2], Fed(7, NOTHING), Called(Call.TAKE, 7, 10, ())])
    assert now.difference is not None
    assert now.difference.reason.startswith("the agent raised ")


def test_what_does_not_begin_is_no_journal(recordings: Recordings) -> None:
    began, *others = recordings.records(0)
    assert isinstance(began, Began)
    for records in ([], others):
        with pytest.raises(JournalError, match="it does not begin"):
            replay(records)
