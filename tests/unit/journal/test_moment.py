"""An agent as it stood at a revision, or at a time."""

import re
from dataclasses import replace
from typing import cast

import pytest

from felixbgp.agent.inputs import IntentGiven
from felixbgp.intent.types import Intent
from felixbgp.journal.moment import Moment, Stood, stood_at
from felixbgp.journal.records import Began, Called, Fed, JournalError, Record
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh, put_resource
from tests.support.journals import Recordings

NOTHING = IntentGiven(cast("Intent", None))
"""No agent is ever told this: it raises."""


@pytest.fixture(scope="module")
def life() -> tuple[list[Record], dict[str, int]]:
    """Of node-1, and the revisions at which a peer came, a filter came, and both went."""
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    revisions = {"up": world.store.revision}
    put_resource(world, "BGPPeer", "bgppeers", "tor", {"peerIP": "172.30.0.99", "asNumber": 64567})
    revisions["peer"] = world.store.revision
    world.run_for(5 * SECOND)
    put_resource(world, "BGPFilter", "bgpfilters", "f", {"exportV4": [{"action": "Reject"}]})
    revisions["filter"] = world.store.revision
    # Both are told together: no drain of the agent is between them.
    world.store.delete("/calico/resources/v3/projectcalico.org/bgpfilters/f")
    revisions["gone"] = world.store.revision
    world.run_for(5 * SECOND)
    return recordings.records(0), revisions


def peers_of(stood: Stood) -> list[str]:
    return [str(peer.peer) for peer in stood.status.peers]


def test_peers_filters_and_routes_as_of_each_revision(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    up = stood_at(records, Moment(revisions["up"]))
    assert peers_of(up) == ["172.30.0.2", "fd30::2"]
    assert [peer.state for peer in up.status.peers] == ["Established", "Established"]
    assert [str(prefix) for prefix, path in up.routes if path.best] == [
        "10.0.1.0/26", "10.0.2.0/26", "fd10::100/122", "fd10::200/122",
    ]  # fmt: skip
    assert (up.node, up.filters, up.remarks) == ("node-1", (), ())
    assert up.revision <= revisions["up"]
    peer = stood_at(records, Moment(revisions["peer"]))
    assert peers_of(peer) == ["172.30.0.2", "172.30.0.99", "fd30::2"]
    assert peer.at > up.at


def test_what_was_told_together_is_told_apart(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    there = stood_at(records, Moment(revisions["filter"]))
    assert [stored.revision for stored in there.filters] == [revisions["filter"]]
    assert there.revision == revisions["filter"]
    assert stood_at(records, Moment(revisions["gone"])).filters == ()


def test_beyond_the_end_and_before_the_beginning(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    last = stood_at(records, Moment(10**6))
    assert last.revision == revisions["gone"]
    assert last.remarks == ("this is the end of the journal; nothing later is in it",)
    with pytest.raises(JournalError, match="it does not begin"):
        stood_at(records[1:], Moment(1))


def first_told(records: list[Record], revision: int) -> int:
    """The revision itself, or the one that is named where it is too early."""
    try:
        stood_at(records, Moment(revision))
    except JournalError as error:
        told = re.fullmatch(r"it begins later: the first revision that it tells of is (\d+)", str(error))
        assert told is not None
        return int(told[1])
    return revision


def test_a_revision_that_is_too_early_is_told_the_first_that_is_not() -> None:
    """Also where something is read for the first time later on, as there is a call for it only then."""
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    begun = world.store.revision
    put_resource(world, "BGPFilter", "bgpfilters", "f", {"exportV4": [{"action": "Reject"}]})
    world.run_for(5 * SECOND)
    selecting: dict[str, object] = {"localWorkloadSelector": "all()", "asNumber": 64567}
    put_resource(world, "BGPPeer", "bgppeers", "workloads", selecting)
    # It is there when the agent begins to read endpoints, and is later than what calls for them.
    spec: dict[str, object] = {"node": "node-1", "orchestrator": "k8s", "workload": "w", "endpoint": "eth0"}
    put_resource(world, "WorkloadEndpoint", "workloadendpoints", "default/w", spec)
    last = world.store.revision
    world.run_for(5 * SECOND)
    records = recordings.records(0)
    told = {revision: first_told(records, revision) for revision in range(1, last + 1)}
    works = [revision for revision, first in told.items() if first == revision]
    for revision, first in told.items():
        assert first == min(one for one in works if one >= revision)
    assert 1 < works[0] <= begun
    assert last - 1 not in works


def test_a_time_needs_a_clock(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    with pytest.raises(JournalError, match="give a revision"):
        stood_at(records, Moment(time_ns=5))
    began = records[0]
    assert isinstance(began, Began)
    timed: list[Record] = [replace(began, wall_offset_ns=1000 * SECOND), *records[1:]]
    by_revision = stood_at(timed, Moment(revisions["peer"]))
    by_time = stood_at(timed, Moment(time_ns=by_revision.at + 1000 * SECOND))
    assert (by_time.status, by_time.routes) == (by_revision.status, by_revision.routes)
    with pytest.raises(JournalError, match="it begins after that"):
        stood_at(timed, Moment(time_ns=0))


def test_an_agent_of_today_that_does_otherwise_is_remarked(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    at = next(at for at, one in enumerate(records) if isinstance(one, Called) and one.digests)
    called = records[at]
    assert isinstance(called, Called)
    changed = [*records[:at], replace(called, digests=()), *records[at + 1 :]]
    stood = stood_at(changed, Moment(revisions["peer"]))
    assert len(stood.remarks) == 1
    assert "does otherwise" in stood.remarks[0]
    assert stood.status == stood_at(records, Moment(revisions["peer"])).status


def test_a_broken_journal_is_as_good_as_it_goes(life: tuple[list[Record], dict[str, int]]) -> None:
    records, revisions = life
    at = next(at for at, one in enumerate(records) if isinstance(one, Called) and one.now > 5 * SECOND)
    stood = stood_at([*records[:at], records[0]], Moment(revisions["gone"]))
    assert stood.remarks == ("it begins twice: what follows is missing",)


def test_an_agent_that_raises_cannot_be_told(life: tuple[list[Record], dict[str, int]]) -> None:
    records, _ = life
    raising = Fed(5, NOTHING)
    with pytest.raises(JournalError, match="it cannot be told: the agent raised"):
        stood_at(
            [records[0], raising, next(one for one in records if isinstance(one, Called))], Moment(10**6)
        )
