"""What a journal tells of the past, and what it says where it cannot."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest

from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.intent.types import Intent
from felixbgp.journal.history import Event, History, ResourceChanged, SessionChanged, Told, Worthwhile
from felixbgp.journal.known import Known
from felixbgp.journal.records import Called, Ended, Fed, Record
from felixbgp.net import Address
from felixbgp.resources.keys import ResourceKey
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh, put_resource
from tests.support.journals import Recordings

NOTHING = IntentGiven(cast("Intent", None))
"""No agent is ever told this: it raises."""
PEER = PeerId(Address.parse("172.30.0.2"))
FILTER = str(ResourceKey("BGPFilter", "f"))


@pytest.fixture(scope="module")
def lives() -> list[list[Record]]:
    """Of node-1: up, told of a filter, without node-2, without the store, restarted as the filter changes."""
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    put_resource(world, "BGPFilter", "bgpfilters", "f", {"exportV4": [{"action": "Reject"}]})
    world.run_for(5 * SECOND)
    world.nodes["node-2"].kill()
    world.run_for(5 * SECOND)
    world.store.fail("no route to host")
    world.run_for(5 * SECOND)
    world.store.recover()
    world.run_for(5 * SECOND)
    world.nodes["node-1"].kill()
    put_resource(world, "BGPFilter", "bgpfilters", "f", {"exportV4": [{"action": "Accept"}]})
    world.nodes["node-1"].start()
    world.run_for(5 * SECOND)
    numbers = [at for at, (node, _) in enumerate(recordings.journals) if node == "node-1"]
    return [recordings.records(number) for number in numbers]


def events_of(records: Iterable[Record], known: Known | None = None, *, sessions: bool = True) -> list[Event]:
    history = History(known or Known(), with_sessions=sessions)
    return [event for record in records for event in history.take(record)]


def texts(events: Iterable[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Told)]


def test_sessions_and_resources_of_a_life(lives: list[list[Record]]) -> None:
    events = events_of(lives[0])
    assert texts(events) == ["the agent starts", "etcd is lost: no route to host", "etcd answers again"]
    changed = [event for event in events if isinstance(event, ResourceChanged)]
    assert [(one.key, one.is_put, one.is_new) for one in changed] == [(FILTER, True, True)]
    assert [tuple(field) for field in changed[0].fields] == [("spec.exportV4[0].action", None, '"Reject"')]
    sessions = [event for event in events if isinstance(event, SessionChanged) and event.peer == PEER]
    up = next(one for one in sessions if one.new == "Established")
    down = next(one for one in sessions if one.old == "Established")
    assert up.revision < down.revision == changed[0].revision
    assert down.reason
    # As the status of its node had it: it was killed, and its routes are kept.
    assert (up.cause, down.cause) == (None, Cause.RESTARTING)
    assert down.at > changed[0].at > up.at


def test_what_changed_while_nobody_recorded_is_seen_in_the_next_life(lives: list[list[Record]]) -> None:
    known = Known()
    events_of(lives[0], known)
    changed = [event for event in events_of(lives[1], known) if isinstance(event, ResourceChanged)]
    assert [(one.key, one.is_new) for one in changed] == [(FILTER, False)]
    assert tuple(changed[0].fields[0]) == ("spec.exportV4[0].action", '"Reject"', '"Accept"')
    # A life alone knows of nothing before it.
    assert not [event for event in events_of(lives[1]) if isinstance(event, ResourceChanged)]


def test_without_sessions_nothing_is_done_again(lives: list[list[Record]]) -> None:
    events = events_of(lives[0], sessions=False)
    assert [event for event in events_of(lives[0]) if not isinstance(event, SessionChanged)] == events


def test_an_agent_that_does_otherwise_is_said_to_once(lives: list[list[Record]]) -> None:
    records = lives[0]
    at = next(at for at, one in enumerate(records) if isinstance(one, Called) and one.digests)
    called = records[at]
    assert isinstance(called, Called)
    changed = replace(called, digests=(b"00000000", *called.digests[1:]))
    events = events_of([*records[:at], changed, *records[at + 1 :]])
    gaps = [event for event in events if isinstance(event, Told) and event.is_gap]
    assert len(gaps) == 1
    assert gaps[0].text.startswith("from call ")
    assert [event for event in events if event not in gaps] == events_of(records)


def test_an_agent_that_raises_is_said_to_and_the_store_goes_on(lives: list[list[Record]]) -> None:
    records = lives[0]
    at = next(at for at, one in enumerate(records) if isinstance(one, Called))
    raising = Fed(1, NOTHING)
    events = events_of([*records[:at], raising, *records[at:], Ended("it is full")])
    assert [event for event in events if isinstance(event, ResourceChanged)]
    assert not [event for event in events if isinstance(event, SessionChanged)]
    gaps = [event.text for event in events if isinstance(event, Told) and event.is_gap]
    assert len(gaps) == 2
    assert gaps[0].startswith("what its sessions did from here on is missing: the agent raised ")
    assert gaps[1] == "the recording ends: it is full"


def session(old: str, new: str, reason: str, cause: Cause | None = None) -> SessionChanged:
    return SessionChanged(1, 1, PEER, "peer", old, new, reason, cause)


def test_a_peer_that_is_dialled_in_vain_is_told_once() -> None:
    is_worth = Worthwhile()
    trace = [
        (session("Idle", "Connect", ""), False),
        (session("Idle", "Active", "started"), False),
        (session("Connect", "Active", "Connection refused"), True),
        (session("Active", "Connect", "ConnectRetryTimer expired"), False),
        (session("Connect", "Active", "Connection refused"), False),
        (session("Connect", "Active", "No route to host", Cause.UNREACHABLE), True),
        (session("Connect", "Active", "No route to host", Cause.UNREACHABLE), False),
        (session("Connect", "Active", "No route to host", Cause.DRAINING), True),
        (session("OpenConfirm", "Established", "KEEPALIVE received"), True),
        (session("Established", "Idle", "hold timer expired"), True),
        (session("Connect", "Active", "No route to host"), True),
    ]
    assert [is_worth(event) for event, _ in trace] == [worth for _, worth in trace]
    assert is_worth(Told(1, 1, "the agent starts"))
