"""Sessions whose end takes routes along are reset one at a time, each when it is this node's turn."""

from dataclasses import replace

import pytest

from felixbgp.agent.inputs import TurnAwaited, TurnGranted, TurnInput, TurnLost, TurnRefused
from felixbgp.agent.resets import (
    DOWN_NS_MAX,
    RESET_NS_MAX,
    SETTLING_NS,
    STORE_NS_MAX,
    TABLE_NS_MAX,
    AcquireTurn,
    ReleaseTurn,
    Resets,
    ResetUnfinished,
    TurnSkipped,
)
from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId
from felixbgp.bgp.policy.types import Action, Match, Policy, Rule
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.update import encode_end_of_rib
from felixbgp.net import IPV4, Address
from tests.support.speakers import SECOND, Network, Node, Pipe, join

BLOCK, DEFAULT = "10.1.0.0/26", "0.0.0.0/0"
TORS = ("10.0.0.2", "10.0.0.3")
RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True)
NOTHING_LET_OUT = Policy((Rule("none", Match(), Action.REJECT),))
NAMES = {Address.parse(tor): tor for tor in TORS}


class Case:
    """A node with two routers above it, both of which tell it the default route."""

    def __init__(self, restart: GracefulRestart | None = None) -> None:
        self.network = Network()
        self.one = self.network.node("10.0.0.1", asn=64512)
        self.tors = [self.network.node(tor, asn=65000) for tor in TORS]
        both: dict[str, object] = {"graceful_restart": restart, "requires_policy": False}
        pairs = [(self.one, tor) for tor in self.tors]
        ends = [pair for one, tor in pairs for pair in ((one, tor), (tor, one))]
        join(pairs, dict.fromkeys(ends, both))
        for tor in self.tors:
            tor.configure(replace(tor.peers[PeerId(self.one.address)], graceful_restart=restart))
            tor.originate(DEFAULT)
        self.one.originate(BLOCK)
        self.network.run_for(5)
        self.resets = Resets(self.one.speaker, lambda _: True)
        self.taken: list[AcquireTurn | ReleaseTurn] = []
        self.told: list[TurnInput] = []

    def change(self, *tors: str, **parameters: object) -> None:
        """Let the intent have other peers of these addresses, all when none is named."""
        wanted: dict[PeerId, PeerConfig | None] = {}
        for tor in tors or TORS:
            peer = PeerId(Address.parse(tor))
            config = self.one.peers[peer] = replace(self.one.peers[peer], **parameters)  # type: ignore[arg-type]
            wanted[peer] = config
        self.one.speaker.change_peers(self.resets.hold_back(wanted), self.network.now)
        self.go_on()

    def tell(self, answer: TurnInput) -> None:
        self.resets.feed(answer, self.network.now)
        self.go_on()

    def go_on(self) -> None:
        """Until nothing more happens at this moment."""
        for _ in range(3):
            self.taken += self.resets.take(self.network.now)
            self.network.settle()

    def run_for(self, duration_ns: int) -> None:
        """Let time pass, as an agent would that is woken when it asked to be."""
        end = self.network.now + duration_ns
        while self.network.now < end:
            self.network.run_for(min(end - self.network.now, SECOND // 2) / SECOND)
            self.go_on()

    def hold_times(self) -> list[int | None]:
        return [self.one.peer(tor).hold_time_s for tor in self.tors]

    def warnings(self) -> list[str]:
        return [self.one.peer(tor).warning for tor in self.tors]


def test_one_after_the_other_and_never_both() -> None:
    case = Case()
    case.change(hold_time_s=30)
    assert case.taken == [AcquireTurn()]
    assert case.hold_times() == [90, 90]
    assert case.warnings() == 2 * ["waits for its turn to reset"]
    case.tell(TurnAwaited("node-3"))
    assert case.warnings() == 2 * ["waits for its turn to reset, behind node-3"]
    case.tell(TurnGranted())
    assert case.hold_times() in ([30, 90], [None, 90])
    case.run_for(SECOND)
    assert case.hold_times() == [30, 90]
    assert case.warnings() == ["", "waits for its turn to reset, after 10.0.0.2"]
    case.run_for(SETTLING_NS)
    assert case.hold_times() == [30, 30]
    assert case.taken == [AcquireTurn()]
    case.run_for(SETTLING_NS + SECOND)
    assert case.taken == [AcquireTurn(), ReleaseTurn()]
    assert case.resets.next_deadline() is None
    assert case.warnings() == ["", ""]
    assert set(case.one.routes()) == {BLOCK, DEFAULT}


def test_with_graceful_restart_on_both_sides_all_are_reset_at_once() -> None:
    case = Case(RESTART)
    case.change(hold_time_s=30)
    case.run_for(2 * SECOND)
    assert case.hold_times() == [30, 30]
    assert case.taken == []


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"export_policy": NOTHING_LET_OUT}, id="what changes in place"),
        pytest.param({"shutdown": "for maintenance"}, id="what an operator shuts down"),
    ],
)
def test_nothing_else_waits(parameters: dict[str, object]) -> None:
    case = Case()
    case.change(**parameters)
    assert all(tor.routes() == {DEFAULT: "own"} for tor in case.tors)
    assert case.taken == []


def test_a_peer_that_never_ends_its_table_is_waited_for_some_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case()
    carry = Network._send

    def carry_other(network: Network, node: Node, connection: int, pipe: Pipe, data: bytes) -> None:
        carry(network, node, connection, pipe, data.replace(encode_end_of_rib(IPV4), encode_keepalive()))

    monkeypatch.setattr(Network, "_send", carry_other)
    case.change(hold_time_s=30)
    case.tell(TurnGranted())
    case.run_for(TABLE_NS_MAX)
    assert case.hold_times() == [30, 90]
    case.run_for(SETTLING_NS + SECOND)
    assert case.hold_times() == [30, 30]


def test_peers_that_take_no_turns_are_reset_at_once() -> None:
    case = Case()
    case.resets = Resets(case.one.speaker, lambda _: False)
    case.change(hold_time_s=30)
    case.run_for(2 * SECOND)
    assert case.hold_times() == [30, 30]
    assert case.taken == []


def test_what_can_change_in_place_does_while_the_rest_waits() -> None:
    case = Case()
    case.change(hold_time_s=30, export_policy=NOTHING_LET_OUT)
    assert case.hold_times() == [90, 90]
    assert all(tor.routes() == {DEFAULT: "own"} for tor in case.tors)


def test_policies_of_another_as_wait_with_it() -> None:
    case = Case()
    case.change(local_as=64513, export_policy=NOTHING_LET_OUT)
    assert all(set(tor.routes()) == {BLOCK, DEFAULT} for tor in case.tors)


def test_a_session_that_ends_by_itself_waits_no_longer() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.network.cut(case.one, case.tors[1])
    case.go_on()
    case.run_for(2 * SECOND)
    assert case.hold_times() == [90, 30]
    assert case.warnings() == ["waits for its turn to reset", ""]


def test_a_change_that_is_taken_back_leaves_the_session_alone() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.change(hold_time_s=90)
    case.tell(TurnGranted())
    case.run_for(10 * SECOND)
    assert case.taken == [AcquireTurn(), ReleaseTurn()]
    assert [case.one.peer(tor).established_count for tor in case.tors] == [1, 1]
    assert case.warnings() == ["", ""]


def test_a_peer_that_is_removed_while_it_waits_is_forgotten() -> None:
    case = Case()
    case.change(hold_time_s=30)
    gone = dict.fromkeys([PeerId(Address.parse(TORS[0]))])
    assert case.resets.in_force({}).keys() == {PeerId(Address.parse(tor)) for tor in TORS}
    case.one.speaker.change_peers(case.resets.hold_back(gone), case.network.now)
    case.go_on()
    assert case.resets.in_force({}).keys() == {PeerId(Address.parse(TORS[1]))}
    case.one.speaker.configure(case.one.config, {}, case.network.now)
    case.go_on()
    assert case.one.speaker.peers() == []
    assert case.taken == [AcquireTurn(), ReleaseTurn()]


def test_a_session_that_does_not_come_back_lets_other_nodes_go_on_and_keeps_our_next_one() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tors[0].accepts = False
    case.tell(TurnGranted())
    case.run_for(RESET_NS_MAX - SECOND)
    assert case.taken == [AcquireTurn()]
    case.run_for(2 * SECOND)
    assert case.taken == [AcquireTurn(), ReleaseTurn()]
    assert case.resets.take_facts() == [ResetUnfinished(PeerId(Address.parse(TORS[0])), 30)]
    assert case.warnings()[1] == "waits for its turn to reset, as the session with 10.0.0.2 is down"
    case.run_for(DOWN_NS_MAX)
    assert case.hold_times() == [None, 90]
    assert case.taken == [AcquireTurn(), ReleaseTurn(), AcquireTurn()]
    case.tell(TurnGranted())
    case.run_for(2 * SECOND)
    assert case.hold_times() == [None, 30]


def test_one_that_is_back_late_has_the_next_one_follow() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tors[0].accepts = False
    case.tell(TurnGranted())
    case.run_for(2 * RESET_NS_MAX)
    case.tors[0].accepts = True
    case.run_for(20 * SECOND)
    assert case.taken == [AcquireTurn(), ReleaseTurn(), AcquireTurn()]
    case.tell(TurnGranted())
    case.run_for(2 * SECOND)
    assert case.hold_times() == [30, 30]


def test_while_another_router_is_down_the_last_session_is_kept() -> None:
    case = Case()
    case.tors[0].accepts = False
    case.network.cut(case.one, case.tors[0])
    case.network.settle()
    case.change(hold_time_s=30)
    assert case.taken == []
    case.run_for(DOWN_NS_MAX // 2)
    assert case.hold_times() == [None, 90]
    case.tors[0].accepts = True
    case.run_for(10 * SECOND)
    assert case.hold_times() == [30, 90]
    assert case.taken == [AcquireTurn()]


def test_one_that_is_removed_while_it_is_away_holds_up_nobody() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tors[0].accepts = False
    case.tell(TurnGranted())
    case.one.speaker.change_peers({PeerId(case.tors[0].address): None}, case.network.now)
    case.run_for(SECOND)
    assert case.one.peer(case.tors[1]).hold_time_s == 30


@pytest.mark.parametrize("answer", [TurnRefused("permission denied"), TurnLost("permission denied")])
def test_a_store_that_gives_no_turn_is_waited_for_a_minute_and_then_done_without(answer: TurnInput) -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tell(answer)
    assert case.warnings() == 2 * ["waits for its turn to reset: permission denied"]
    case.run_for(STORE_NS_MAX - SECOND)
    assert case.hold_times() == [90, 90]
    assert case.resets.problems() == ()
    case.run_for(2 * SECOND)
    assert case.hold_times() == [30, 90]
    [problem] = case.resets.problems()
    assert problem.reason == "etcd gives no turn, so sessions are reset without: permission denied"
    assert case.resets.take_facts() == [TurnSkipped("permission denied")]
    case.run_for(3 * (TABLE_NS_MAX + SETTLING_NS))
    assert case.hold_times() == [30, 30]
    assert case.resets.problems() == ()
    assert case.taken[-1] == ReleaseTurn()


def test_a_store_that_answers_again_in_time_is_waited_for() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tell(TurnRefused("no answer"))
    case.run_for(STORE_NS_MAX // 2)
    case.tell(TurnAwaited("node-3"))
    case.run_for(2 * STORE_NS_MAX)
    assert case.hold_times() == [90, 90]
    case.tell(TurnRefused("no answer"))
    case.run_for(STORE_NS_MAX - SECOND)
    assert case.hold_times() == [90, 90]


def test_a_turn_that_is_lost_on_the_way_is_asked_for_again_before_the_next_session() -> None:
    case = Case()
    case.change(hold_time_s=30)
    case.tell(TurnGranted())
    case.run_for(SECOND)
    case.tell(TurnLost("lease expired"))
    case.run_for(TABLE_NS_MAX + SETTLING_NS + SECOND)
    assert case.hold_times() == [30, 90]
    assert case.taken == [AcquireTurn(), AcquireTurn()]
    case.tell(TurnGranted())
    case.run_for(SECOND)
    assert case.hold_times() == [30, 30]


def test_without_a_store_there_is_nobody_to_wait_for_and_still_they_go_one_by_one() -> None:
    case = Case()
    case.resets.is_alone = True
    case.change(hold_time_s=30)
    case.run_for(SECOND)
    assert case.hold_times() == [30, 90]
    case.run_for(TABLE_NS_MAX + SETTLING_NS + SECOND)
    assert case.hold_times() == [30, 30]
    assert case.taken == []


def test_an_answer_that_comes_after_the_turn_was_given_back_is_nobodys() -> None:
    case = Case()
    case.tell(TurnGranted())
    case.change(hold_time_s=30)
    case.run_for(SECOND)
    assert case.hold_times() == [90, 90]
