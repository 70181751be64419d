"""Whether a node can be relied on, and what keeps it from that."""

import pytest

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.readiness import STARTING_NS, ReadinessCause, readiness_of
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerId
from felixbgp.bgp.snapshot import PeerStanding
from felixbgp.net import Address
from felixbgp.sim.world import SECOND, World
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, Recovered
from tests.support.cluster import converged, mesh

UP = PeerStanding(
    PeerId(Address.parse("10.0.0.2")), "Established", has_whole_table=True, cause=None, reason=""
)
TELLING = UP._replace(has_whole_table=False)
DOWN = PeerStanding(
    PeerId(Address.parse("10.0.0.3")),
    "Active",
    has_whole_table=False,
    cause=Cause.REFUSED,
    reason="connection refused",
)


def judge(*peers: PeerStanding, **changes: object) -> list[ReadinessCause]:
    judged = readiness_of(**good(peers) | changes)  # type: ignore[arg-type]
    return [cause.cause for cause in judged.causes]


def good(peers: tuple[PeerStanding, ...]) -> dict[str, object]:
    return {
        "datastore": DatastoreState(DatastoreCondition.IN_SYNC, 0),
        "in_sync": True,
        "is_given": False,
        "kernel": "",
        "not_listening": {},
        "peers": peers,
        "is_deferring": False,
        "is_starting": False,
    }


@pytest.mark.parametrize(
    ("peers", "changes", "causes"),
    [
        ((), {}, []),
        ((UP,), {}, []),
        ((UP, DOWN), {}, []),
        ((UP, DOWN), {"is_starting": True}, ["SessionsMissing"]),
        ((DOWN,), {}, ["NoSession"]),
        ((TELLING,), {"is_starting": True}, ["EndOfRibAwaited"]),
        ((TELLING,), {"is_deferring": True}, ["EndOfRibAwaited"]),
        # A peer without graceful restart may never say End-of-RIB.
        ((TELLING,), {}, []),
        ((), {"in_sync": False}, ["NotInSync"]),
        ((), {"in_sync": False, "is_given": True}, ["NotInSync"]),
        ((UP,), {"kernel": "queue overflow"}, ["KernelUnsynchronised"]),
        ((DOWN,), {"kernel": "queue overflow"}, ["KernelUnsynchronised", "NoSession"]),
    ],
)
def test_causes(peers: tuple[PeerStanding, ...], changes: dict[str, object], causes: list[str]) -> None:
    assert judge(*peers, **changes) == causes


def test_a_node_that_runs_from_what_it_last_knew_is_not_ready_one_that_lost_etcd_is() -> None:
    recovered = DatastoreState(DatastoreCondition.RECOVERED, 0, "refused", Recovered(7, 0))
    assert judge(UP, datastore=recovered) == ["Recovered"]
    lost = DatastoreState(DatastoreCondition.LOST, 0, "refused")
    judged = readiness_of(**good((UP,)) | {"datastore": lost})  # type: ignore[arg-type]
    assert (judged.causes, judged.notes) == ((), ("etcd does not answer: refused",))


def test_where_nobody_can_connect_is_named_and_is_no_reason_where_sessions_stand() -> None:
    not_listening = {"0.0.0.0 port 179": "Address already in use"}
    judged = readiness_of(**good((UP,)) | {"not_listening": not_listening})  # type: ignore[arg-type]
    assert judged.is_ready
    assert judged.notes == ("cannot listen at 0.0.0.0 port 179: Address already in use",)


def test_peers_are_named_with_what_is_wrong_with_them_some_of_them() -> None:
    judged = readiness_of(**good((DOWN,) * 7))  # type: ignore[arg-type]
    [cause] = judged.causes
    assert cause.text.startswith(
        "no session is Established, of 7 wanted: 10.0.0.3 (Active, Refused: connection refused), "
    )
    assert cause.text.endswith(" and 2 more")


def test_an_agent_that_has_heard_nothing_says_so() -> None:
    agent = Agent(AgentConfig(node="node-1"), lambda: 0.0)
    causes = [cause.cause for cause in agent.readiness(0).causes]
    assert causes == ["NotInSync", "KernelUnsynchronised"]


def test_a_cluster_becomes_ready_and_stays_so_until_a_node_has_no_session_left() -> None:
    world = mesh(2, seed=11)
    agent = world.nodes["node-1"].agent
    world.run_until(lambda: converged(world, 2), limit_ns=60 * SECOND)
    world.run_for(2 * SECOND)
    assert causes_of(world) == []
    world.run_for(STARTING_NS)
    world.nodes["node-2"].kill()
    world.run_for(SECOND)
    assert causes_of(world) == ["NoSession"]
    assert agent.readiness(world.clock.now).is_ready is False


def causes_of(world: World) -> list[str]:
    return [cause.cause for cause in world.nodes["node-1"].agent.readiness(world.clock.now).causes]
