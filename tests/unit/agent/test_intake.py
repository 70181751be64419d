"""What the store sent is read and derived from a part at a time, and nobody sees a half of it."""

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import PutStatus
from felixbgp.agent.intake import PARTS_AT_ONCE, UNREAD_MAX, Intake
from felixbgp.bgp.peer_changes import PEERS_AT_ONCE
from felixbgp.cluster.inputs import KeyPut, RevisionReached, SnapshotReceived, StoredValue, StoreInput
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation, Derived
from tests.support.derivation import Object, resource
from tests.support.large_cluster import LOCAL, OWN, mesh_objects, node_object

NODES = 300
TAKES_MAX = 1_000


def snapshots(objects: list[Object], revision: int) -> list[StoreInput]:
    values = [StoredValue(*one, revision) for one in objects]
    return [
        SnapshotReceived(prefix, revision, tuple(one for one in values if one.key.startswith(prefix)))
        for prefix in watched_prefixes(LOCAL)
    ]


def put(written: Object, revision: int) -> KeyPut:
    return KeyPut(StoredValue(*written, revision))


def new_intake() -> Intake:
    return Intake(ClusterState(LOCAL), Derivation(LOCAL))


def feed(intake: Intake, *events: StoreInput) -> None:
    for event in events:
        intake.feed(event)


def taken(intake: Intake, credit: int = PARTS_AT_ONCE) -> list[Derived]:
    """All that comes of it, until there is nothing to do."""
    found: list[Derived] = []
    for _ in range(TAKES_MAX):
        if not intake.has_work:
            return found
        derived = intake.take(credit)
        if derived is not None:
            found.append(derived)
    raise AssertionError("there is no end of it")


def is_held_back(intake: Intake) -> bool:
    return intake.is_much


def started() -> Intake:
    intake = new_intake()
    feed(intake, *snapshots(mesh_objects(NODES), 1))
    [first] = taken(intake)
    assert len(first.intent.peers) == NODES
    return intake


def test_nothing_is_derived_before_the_last_part_of_the_last_snapshot() -> None:
    intake = new_intake()
    assert not intake.has_work
    feed(intake, *snapshots(mesh_objects(NODES), 1))
    takes = 0
    while (derived := intake.take()) is None:
        assert intake.is_amid
        takes += 1
    assert takes >= 4
    assert len(derived.intent.peers) == len(derived.peers) == NODES
    assert not intake.has_work


def test_what_is_fed_while_that_is_read_is_derived_after_it_and_by_itself() -> None:
    intake = started()
    feed(intake, *snapshots(mesh_objects(NODES - 10), 2))
    assert intake.take() is None
    feed(intake, put(node_object(9_999), 3), RevisionReached(3))
    assert [len(derived.peers) for derived in taken(intake)] == [10, 1]


def test_what_is_fed_while_something_is_derived_waits_until_that_is_done() -> None:
    intake = started()
    feed(intake, put(resource("BGPConfiguration", "default", {"asNumber": 65001}), 2))
    assert intake.take() is None
    feed(intake, put(node_object(9_999), 3))
    first, second = taken(intake)
    assert [len(first.peers), len(second.peers)] == [NODES, 1]
    assert {config.local_as for config in second.intent.peers.values()} == {65001}


def test_what_is_fed_together_is_derived_together_however_much_it_is() -> None:
    intake = started()
    feed(intake, *(put(node_object(1_000 + number), 2) for number in range(NODES)), RevisionReached(2))
    found = taken(intake, credit=7)
    assert [len(derived.peers) for derived in found] == [NODES]


def test_a_small_change_is_read_and_derived_at_once() -> None:
    intake = started()
    feed(intake, put(node_object(9_999), 2), RevisionReached(2))
    derived = intake.take()
    assert derived is not None
    assert list(derived.peers) == [peer for peer in derived.intent.peers if peer.address[1:] == b"\0\x27\x0f"]
    assert OWN not in {peer.address for peer in derived.peers}
    assert not intake.has_work


def test_who_feeds_is_held_back_while_much_is_unread() -> None:
    intake = started()
    assert not is_held_back(intake)
    feed(intake, *(put(node_object(7), 2 + number) for number in range(UNREAD_MAX - 1)))
    assert not is_held_back(intake)
    feed(intake, *snapshots(mesh_objects(2), 9_999))
    assert is_held_back(intake)
    taken(intake)
    assert not is_held_back(intake)


def test_a_large_snapshot_holds_back_until_it_is_read() -> None:
    intake = new_intake()
    feed(intake, *snapshots(mesh_objects(UNREAD_MAX + NODES), 1))
    while is_held_back(intake):
        assert intake.take() is None
    assert intake.has_work
    [derived] = taken(intake)
    assert len(derived.peers) == UNREAD_MAX + NODES


def test_the_first_status_has_all_peers_however_many_there_are() -> None:
    agent = Agent(AgentConfig(node=LOCAL, forwards=False), lambda: 0.5)
    for event in snapshots(mesh_objects(NODES), 1):
        agent.feed(event, 1)
    for _ in range(TAKES_MAX):
        written = [effect.status for effect in agent.drain(1, 1000) if isinstance(effect, PutStatus)]
        if written:
            break
    assert len(written[0].peers) == NODES


def test_all_of_the_store_counts_as_one_in_the_backlog_and_so_does_every_peer_that_comes_of_it() -> None:
    agent = Agent(AgentConfig(node=LOCAL, forwards=False), lambda: 0.5)
    for event in snapshots(mesh_objects(NODES), 1):
        agent.feed(event, 1)
    backlogs: list[int] = []
    while agent.backlog and len(backlogs) < TAKES_MAX:
        backlogs.append(agent.backlog)
        agent.take(1, 1000)
    assert backlogs[:4] == [1, 1, 1, 1]
    assert NODES - 2 * PEERS_AT_ONCE <= max(backlogs) < NODES
    assert agent.backlog == 0
