"""Audits of one agent whose kernel is played by hand. Whole clusters: tests/unit/sim/test_audit.py."""

from collections.abc import Iterable

from felixbgp.agent.agent import Agent
from felixbgp.agent.auditing import FACTS_MAX, HEALING_NS, INTERVAL_NS, PATIENCE_NS
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.effects import AuditDiffered, AuditEnded, Effect, Fact, Observe, PutAudit
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.fib.types import (
    DeleteRoutes,
    KernelInput,
    KernelLost,
    KernelRead,
    KernelRoute,
    KernelRouteChanged,
    KernelSnapshot,
    NextHop,
    ReadKernel,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RouteKind,
    RoutesApplied,
)
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, IPV6, Address, Prefix
from felixbgp.status.audit import DIFFERENCES_MAX, REPAIRS_MAX, AuditAnswer, AuditStatus, Kind, Outcome
from felixbgp.status.audit_document import encode_request
from felixbgp.status.keys import audit_request_key

OURS, STATIC = 179, 4
SECOND = 1_000_000_000
BLACKHOLE = Route(RouteKind.BLACKHOLE)
BUDGET = 100


def block(number: int) -> Prefix:
    return Prefix.parse(f"10.{number >> 8}.{number & 255}.0/24")


def silent_peer() -> PeerConfig:
    """One that is waited for, and never comes."""
    peer = PeerId(Address.parse("192.0.2.2"))
    return PeerConfig(
        peer=peer, name="silent", families=(IPV4,), local_as=64512, remote_as=64513, passive=True
    )


class Node:
    """An agent that originates blocks, and its kernel, which takes every write while `answers`."""

    def __init__(
        self, blocks: int, left: Iterable[KernelRoute] = (), peers: Iterable[PeerConfig] = ()
    ) -> None:
        self.agent = Agent(AgentConfig(node="node-1"), lambda: 0.0)
        self.now = 1
        self.answers = True
        self.refuses: dict[Prefix, str] = {}
        self.readable = True
        self.table = {RouteKey(route.prefix, route.metric): route for route in left}
        self.facts: list[Fact] = []
        self.answered: list[AuditAnswer] = []
        self.drains = 0
        self.reads = 0
        self.feed(*self.dump())
        self.feed(
            IntentGiven(
                Intent(
                    speaker=SpeakerConfig(bgp_identifier=Address.parse("192.0.2.1"), local_as=64512),
                    aggregates=tuple(map(block, range(blocks))),
                    peers={peer.peer: peer for peer in peers},
                )
            )
        )

    def feed(self, *events: KernelInput | IntentGiven | KeyPut) -> None:
        for event in events:
            self.agent.feed(event, self.now)
        self.settle()

    def settle(self) -> None:
        """Drain until nothing is due."""
        while True:
            self.drains += 1
            for effect in self.agent.drain(self.now, BUDGET):
                self._carry_out(effect)
            deadline = self.agent.next_deadline()
            if deadline is None or deadline > self.now:
                return

    def wait(self, duration: int) -> None:
        """Let time pass."""
        end = self.now + duration
        while (deadline := self.agent.next_deadline()) is not None and deadline <= end:
            self.now = max(deadline, self.now)
            self.settle()
        self.now = end

    def read(self) -> None:
        """What the shell does once a minute."""
        self.feed(*self.dump())

    def dump(self) -> list[KernelSnapshot]:
        return [
            KernelSnapshot(family, tuple(r for r in self.table.values() if r.prefix.family == family))
            for family in (IPV4, IPV6)
        ]

    def ask(self, request: str = "one") -> None:
        key = audit_request_key("node-1", request)
        self.feed(KeyPut(StoredValue(key, encode_request("root@somewhere"), 7)))

    def audit(self, request: str = "one") -> AuditAnswer:
        self.wait(INTERVAL_NS)
        self.ask(request)
        self.wait(PATIENCE_NS)
        assert self.answered[-1].requests == (request,)
        return self.answered[-1]

    @property
    def status(self) -> AuditStatus | None:
        return self.agent.status(self.now).audit

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case ReplaceRoutes(routes) if self.answers:
                self._answer(RouteKey(prefix, route.metric) for prefix, route in routes)
            case DeleteRoutes(routes) if self.answers:
                for key in routes:
                    self.table.pop(key, None)
                applied = RoutesApplied(tuple(key.prefix for key in routes), present=False)
                self.agent.feed(applied, self.now)
            case ReadKernel():
                self.reads += 1
                lost: list[KernelInput] = [KernelLost("No buffer space")]
                read: list[KernelInput] = [*self.dump(), KernelRead()]
                for event in read if self.readable else lost:
                    self.agent.feed(event, self.now)
            case PutAudit(answer):
                self.answered.append(answer)
            case Observe(fact):
                self.facts.append(fact)
            case _:
                pass

    def _answer(self, keys: Iterable[RouteKey]) -> None:
        for key in keys:
            reason = self.refuses.get(key.prefix)
            if reason is None:
                self.table[key] = KernelRoute(key.prefix, BLACKHOLE, OURS)
                self.agent.feed(RoutesApplied((key.prefix,), present=True), self.now)
            else:
                self.agent.feed(RouteFailed(key.prefix, 105, reason, present=True), self.now)


def ready(blocks: int, left: Iterable[KernelRoute] = ()) -> Node:
    """A node after its start, and after the sweep."""
    node = Node(blocks, left)
    node.wait(150 * SECOND)
    return node


def lose(node: Node, *numbers: int) -> None:
    for number in numbers:
        del node.table[RouteKey(block(number), 1024)]


def outcomes(answer: AuditAnswer) -> list[tuple[Prefix, Kind, Outcome, str]]:
    return [(entry.prefix, entry.kind, entry.outcome, entry.reason) for entry in answer.differences]


def test_the_end_of_the_sweep_is_followed_by_an_audit() -> None:
    node = Node(3)
    node.wait(SECOND)
    assert node.reads == 1
    assert node.status is not None
    assert (node.status.compared, node.status.differing, node.status.healed) == (3, 0, 0)
    assert node.answered == []
    assert [fact for fact in node.facts if isinstance(fact, AuditDiffered | AuditEnded)] == []


def test_the_walk_is_spread_over_drains_and_none_of_them_takes_it_all() -> None:
    node = ready(5_000)
    node.drains = 0
    node.read()
    # Three steps a route: to index it, to compare it, and to look at the tables; 400 steps a drain.
    assert node.drains > 25


def test_what_the_kernel_refuses_is_told_in_its_words() -> None:
    node = ready(3)
    lose(node, 1)
    node.refuses[block(1)] = "No buffer space available"
    answer = node.audit()
    assert outcomes(answer) == [(block(1), Kind.MISSING, Outcome.REFUSED, "No buffer space available")]
    assert (answer.differing, answer.healed, answer.agrees) == (1, 0, False)
    # It is known by now, and a difference all the same.
    assert outcomes(node.audit("two")) == outcomes(answer)
    node.refuses.clear()
    node.wait(60 * SECOND)
    assert node.audit("three").agrees


def test_what_is_not_done_in_time_is_told_as_in_work() -> None:
    node = ready(3)
    lose(node, 1)
    node.answers = False
    asked_at = node.now + INTERVAL_NS
    answer = node.audit()
    assert outcomes(answer) == [(block(1), Kind.MISSING, Outcome.WAITING, "")]
    assert answer.ended == asked_at + HEALING_NS


def test_what_was_in_work_already_and_ends_well_was_no_difference() -> None:
    node = ready(3)
    lose(node, 1)
    node.answers = False
    node.feed(KernelRouteChanged(KernelRoute(block(1), BLACKHOLE, OURS), present=False))
    node.wait(INTERVAL_NS)
    node.ask()
    assert node.answered == []
    node.table[RouteKey(block(1), 1024)] = KernelRoute(block(1), BLACKHOLE, OURS)
    node.feed(RoutesApplied((block(1),), present=True))
    (answer,) = node.answered
    assert answer.agrees
    assert [repair.prefix for repair in answer.repaired] == [block(1)]


def test_a_kernel_that_cannot_be_read_is_told_with_its_reason() -> None:
    node = ready(3)
    node.readable = False
    answer = node.audit()
    assert answer.failure == "the kernel's routes could not be read within 8 s: No buffer space"
    assert (answer.compared, answer.agrees) == (0, False)
    node.readable = True
    assert node.audit("two").agrees


def test_a_former_life_s_routes_are_left_alone_until_the_sweep() -> None:
    stray = Prefix.parse("198.51.100.0/24")
    node = Node(2, [KernelRoute(stray, BLACKHOLE, OURS)], peers=(silent_peer(),))
    (difference,) = node.audit().differences
    assert (difference.prefix, difference.kind) == (stray, Kind.UNWANTED)
    assert difference.outcome is Outcome.LEFT_ALONE
    assert "it goes when every peer has told its routes" in difference.reason
    assert RouteKey(stray, 1024) in node.table
    node.wait(120 * SECOND)
    assert node.audit("two").agrees
    assert RouteKey(stray, 1024) not in node.table


def test_a_second_route_of_our_metric_can_only_be_removed_by_hand() -> None:
    node = ready(2)
    appended = Route(RouteKind.UNICAST, (NextHop(Address.parse("192.0.2.9")),))
    # The kernel lists the one it uses first; the key only tells the two apart here.
    node.table[RouteKey(block(1), 1)] = KernelRoute(block(1), appended, OURS)
    (difference,) = node.audit().differences
    assert (difference.prefix, difference.kind, difference.outcome) == (
        block(1),
        Kind.UNWANTED,
        Outcome.LEFT_ALONE,
    )
    assert "by hand" in difference.reason


def test_of_very_many_differences_some_are_told_and_all_are_counted_and_healed() -> None:
    node = ready(DIFFERENCES_MAX + 200)
    before = dict(node.table)
    node.table.clear()
    answer = node.audit()
    assert (answer.differing, answer.healed) == (DIFFERENCES_MAX + 200, DIFFERENCES_MAX + 200)
    assert len(answer.differences) == DIFFERENCES_MAX
    listed = [entry.prefix for entry in answer.differences]
    assert listed == sorted(listed, key=lambda prefix: prefix.address)
    assert node.table == before
    assert len([fact for fact in node.facts if isinstance(fact, AuditDiffered)]) == FACTS_MAX
    (ended,) = [fact for fact in node.facts if isinstance(fact, AuditEnded)]
    assert ended == AuditEnded(1200, 1200, 1200, ("root@somewhere",))


def test_what_lasts_is_logged_once_and_stays_in_the_status() -> None:
    node = ready(3)
    lose(node, 1)
    node.table[RouteKey(block(1), 1024)] = KernelRoute(block(1), BLACKHOLE, STATIC)
    for _ in range(3):
        node.read()
        node.wait(60 * SECOND)
    assert node.status is not None
    assert (node.status.differing, node.status.healed) == (1, 0)
    told = [fact for fact in node.facts if isinstance(fact, AuditDiffered)]
    assert [(fact.prefix, fact.kind, fact.outcome) for fact in told] == [(block(1), "Conflict", "LeftAlone")]


def test_who_asks_while_the_kernel_is_read_for_another_gets_a_reading_of_their_own() -> None:
    node = ready(3)
    node.wait(INTERVAL_NS)
    reads = node.reads
    node.answers = False
    lose(node, 1)
    node.ask("one")
    node.ask("two")
    node.wait(PATIENCE_NS)
    assert [answer.requests for answer in node.answered] == [("one",), ("two",)]
    assert node.reads == reads + 2


def test_a_flood_of_requests_has_the_kernel_read_once_a_second() -> None:
    node = ready(3)
    reads = node.reads
    for number in range(50):
        node.ask(f"request-{number}")
        node.wait(SECOND // 10)
    node.wait(SECOND)
    assert node.reads - reads <= 7
    answered = [request for answer in node.answered for request in answer.requests]
    assert sorted(answered) == sorted(f"request-{number}" for number in range(50))


def test_of_very_many_repairs_the_last_are_told_and_all_are_counted() -> None:
    node = ready(REPAIRS_MAX + 50)
    for number in range(REPAIRS_MAX + 50):
        node.feed(KernelRouteChanged(KernelRoute(block(number), BLACKHOLE, OURS), present=False))
    answer = node.audit()
    assert answer.repairs == REPAIRS_MAX + 50
    assert [entry.prefix for entry in answer.repaired] == [
        block(number) for number in range(50, REPAIRS_MAX + 50)
    ]


def test_a_change_of_a_foreign_route_or_one_that_changes_nothing_is_no_repair() -> None:
    node = ready(2)
    ours = KernelRoute(block(1), BLACKHOLE, OURS)
    theirs = KernelRoute(Prefix.parse("198.51.100.0/24"), BLACKHOLE, STATIC)
    node.feed(KernelRouteChanged(ours, present=True), KernelRouteChanged(theirs, present=True))
    node.feed(KernelRouteChanged(theirs, present=False))
    assert node.audit().repairs == 0


def test_a_table_that_is_read_again_and_again_is_compared_now_and_then() -> None:
    node = ready(2)
    found = []
    for _ in range(25):
        lose(node, 1)
        node.read()
        node.wait(SECOND)
        found.append(node.status.healed if node.status else 0)
    assert found == [1] * 10 + [2] * 10 + [3] * 5
    lose(node, 1)
    assert node.audit().healed == 1
