"""What the statuses prove about a node that is drained, and what they do not."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import PeerId
from felixbgp.cli.drain_proof import Proof, Scene, proof_of
from felixbgp.cli.node_report import NodeReport
from felixbgp.cluster.drains import Drain, DrainPhase
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.status.document import AgentAlive
from felixbgp.status.node_status import (
    DatastoreCondition,
    DatastoreState,
    Drained,
    NodeStatus,
    PeerDraining,
    PeerStatus,
)

ALIVE = AgentAlive("1", 1)
ADDRESSES = {f"node-{number}": (Address.parse(f"10.0.0.{number}"),) for number in (1, 2, 3)}
BLOCK = Prefix.parse("10.65.1.0/26")
SERVICE = Prefix.parse("10.96.0.0/16")
DRAIN = Drain("d1", DrainPhase.ANNOUNCE)
WITHDRAWN = replace(DRAIN, phase=DrainPhase.WITHDRAW)


def peer(address: str, **more: object) -> PeerStatus:
    known = PeerStatus(
        peer=PeerId(Address.parse(address)),
        name=f"Mesh_{address}",
        scope="mesh",
        resource="",
        families=(IPV4,),
        local_as=1,
        remote_as=1,
        state="Established",
        since=1,
        prefixes_received=1,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def status(node: str, *peers: PeerStatus, drained: Drained | None = None) -> NodeReport:
    datastore = DatastoreState(DatastoreCondition.IN_SYNC, 1)
    blocks = () if drained is None else (BLOCK,)
    written = NodeStatus(
        node=node, version="1", datastore=datastore, peers=peers, blocks=blocks, drained=drained
    )
    return NodeReport(node, ALIVE, written)


def own(
    *peers: PeerStatus, drain: Drain = DRAIN, in_use: tuple[Prefix, ...] = (), untold: int = 0
) -> NodeReport:
    drained = Drained(id=drain.id, phase=drain.phase.value, blocks_in_use=in_use, untold=untold)
    return status("node-1", *peers, drained=drained)


def needing(*prefixes: Prefix, count: int | None = None, drain: str = "d1") -> PeerDraining:
    unreplaced = len(prefixes) if count is None else count
    return PeerDraining(since=1, drain=drain, unreplaced=unreplaced, prefixes=prefixes)


def prove(*reports: NodeReport, drain: Drain = DRAIN, out_of_service: frozenset[str] = frozenset()) -> Proof:
    return proof_of(
        Scene("node-1", drain, ADDRESSES, {report.node: report for report in reports}, out_of_service)
    )


BOTH = (peer("10.0.0.2"), peer("10.0.0.3"))
UNNEEDED = peer("10.0.0.1", draining=needing())


def test_a_node_that_nobody_needs() -> None:
    proof = prove(own(*BOTH), status("node-2", UNNEEDED), status("node-3", UNNEEDED, peer("10.0.0.2")))
    assert proof == Proof((), ())
    assert proof.holds


def test_what_has_no_other_path_is_told_with_those_who_need_it() -> None:
    needed = peer("10.0.0.1", draining=needing(SERVICE))
    proof = prove(own(*BOTH), status("node-2", needed), status("node-3", needed))
    assert proof.obstacles == ("10.96.0.0/16 has no other path on node-2, node-3",)


def test_a_block_in_which_nobody_lives_is_needed_by_nobody() -> None:
    needed = status("node-2", peer("10.0.0.1", draining=needing(BLOCK)))
    assert prove(own(*BOTH), needed, status("node-3", UNNEEDED)).holds
    used = prove(own(*BOTH, in_use=(BLOCK,)), needed, status("node-3", UNNEEDED))
    assert used.obstacles == ("10.65.1.0/26, a block of node-1 with workloads, has no other path on node-2",)


def test_of_a_node_that_does_not_say_so_all_blocks_count() -> None:
    needed = status("node-2", peer("10.0.0.1", draining=needing(BLOCK)))
    proof = prove(replace(own(), alive=None), needed)
    assert proof.obstacles[0] == "the agent of node-1 is not running"
    unaware = prove(own(drain=replace(DRAIN, id="d0")), needed)
    assert unaware.obstacles == (
        "node-1 itself has not seen the drain yet",
        "10.65.1.0/26, a block of node-1 with workloads, has no other path on node-2",
    )


def test_more_than_there_is_room_for_counts_too() -> None:
    proof = prove(own(*BOTH), status("node-2", peer("10.0.0.1", draining=needing(BLOCK, count=1000))))
    assert proof.obstacles == ("999 more prefixes have no other path on node-2",)


def test_where_only_the_agent_restarts_what_has_no_other_path_is_told_and_not_waited_for() -> None:
    needs = status("node-2", peer("10.0.0.1", draining=needing(SERVICE)))
    scene = Scene("node-1", DRAIN, ADDRESSES, {"node-1": own(*BOTH), "node-2": needs})
    line = "10.96.0.0/16 has no other path on node-2"
    assert proof_of(scene).obstacles == (line,)
    assert proof_of(scene, restarts=True) == Proof((), ("10.0.0.3 (node-3)",), (line,))


def test_also_where_only_the_agent_restarts_all_must_have_seen_the_drain() -> None:
    unaware = status("node-2", peer("10.0.0.1"))
    scene = Scene("node-1", DRAIN, ADDRESSES, {"node-1": own(*BOTH), "node-2": unaware})
    assert proof_of(scene, restarts=True).obstacles == ("the drain has not been seen yet by node-2",)


@pytest.mark.parametrize(
    "seen", [None, needing(drain=""), needing(drain="d0")], ids=["nothing", "its own", "another"]
)
def test_who_has_not_seen_this_drain_proves_nothing(seen: PeerDraining | None) -> None:
    proof = prove(own(*BOTH), status("node-2", peer("10.0.0.1", draining=seen)))
    assert proof.obstacles == ("the drain has not been seen yet by node-2",)


def test_who_is_not_there_may_still_send_packets() -> None:
    absent = replace(status("node-2", UNNEEDED), alive=None)
    proof = prove(own(*BOTH), absent)
    assert proof.obstacles == (
        "no agent is running, and the kernel may still have routes to node-1, on node-2",
    )
    assert prove(own(*BOTH), absent, out_of_service=frozenset({"node-2"})).holds


def test_who_has_nothing_from_it_need_not_be_there() -> None:
    idle = status("node-2", peer("10.0.0.1", state="Idle", prefixes_received=0))
    assert prove(own(), replace(idle, alive=None)).holds
    kept = status("node-2", peer("10.0.0.1", state="Idle", prefixes_received=3))
    assert not prove(own(), kept).holds


def test_a_node_that_left_the_cluster_is_not_asked() -> None:
    gone = replace(status("node-9", peer("10.0.0.1")), alive=None)
    assert prove(own(), gone).holds


def test_a_status_that_cannot_be_read_proves_nothing() -> None:
    proof = prove(own(), NodeReport("node-2", ALIVE, None, ("not JSON",)))
    assert proof.obstacles == ("the status cannot be read of node-2",)


def test_peers_that_tell_no_status_are_named() -> None:
    router = peer("192.0.2.1", name="Global_192_0_2_1")
    down = peer("192.0.2.2", state="Active")
    proof = prove(own(*BOTH, router, down), status("node-2", UNNEEDED))
    assert proof == Proof((), ("10.0.0.3 (node-3)", "192.0.2.1 (Global_192_0_2_1)"))


def test_a_node_that_is_not_heard_yet_is_waited_for() -> None:
    telling = own(*BOTH, untold=7)
    proof = prove(telling, status("node-2", UNNEEDED), status("node-3", UNNEEDED))
    assert proof.obstacles == ("node-1 still tells its peers about 7 routes",)


def test_withdrawn_is_what_nobody_has_any_more() -> None:
    telling = own(peer("10.0.0.2", prefixes_advertised=2), peer("10.0.0.3"), drain=WITHDRAWN)
    proof = prove(telling, status("node-2", UNNEEDED), drain=WITHDRAWN)
    assert proof.obstacles == (
        "node-1 still announces 2 routes, to 10.0.0.2",
        "node-2 still has 1 routes from node-1",
    )
    without = replace(UNNEEDED, prefixes_received=0)
    silent = own(*BOTH, drain=WITHDRAWN)
    assert prove(silent, status("node-2", without), drain=WITHDRAWN).holds


def test_long_lists_are_cut() -> None:
    addresses = {f"node-{n}": (Address.parse(f"10.0.0.{n}"),) for n in range(1, 13)}
    reports = {f"node-{n}": status(f"node-{n}", peer("10.0.0.1")) for n in range(2, 13)}
    (line,) = proof_of(Scene("node-1", DRAIN, addresses, {**reports, "node-1": own()})).obstacles
    assert line.endswith("node-5, node-6 and 3 more")
