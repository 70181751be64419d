"""The whole product as one object without I/O.

    Input ──feed──► ClusterState ──derive──► Intent ──► Speaker ──Loc-RIB──► Fib
                                                           │                  │
    Effect ◄──drain── one sequencer: control, withdrawals, kernel, announcements, deletes, status

Standing rules:

* `feed` stores, `drain` works; no input is lost and none is acted upon twice.
* Nothing is derived, and so nothing torn down, before the first complete snapshot of the store, or of what
  was kept of it where it does not answer.
* Kernel routes left by a former life are swept when every peer has sent its table again and no other peers
  have come or gone for a while, or after a deadline; until then they forward.
* An agent that does not forward (`--no-kernel`) selects, and keeps no route beyond the Loc-RIB.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from felixbgp import __version__
from felixbgp.agent.auditing import SECOND_NS, Auditing
from felixbgp.agent.config import AgentConfig
from felixbgp.agent.connected import ConnectedInput
from felixbgp.agent.datastore import Datastore
from felixbgp.agent.effects import Effect, Fact, Follow, IntentProblem, Observe, ReadSecretFiles, SetLogLevel
from felixbgp.agent.explain import Explainer
from felixbgp.agent.former import FormerRoutes
from felixbgp.agent.forwarding import Forwarding
from felixbgp.agent.inputs import (
    AuditWriteFailed,
    AuditWritten,
    Input,
    ListenFailed,
    Listening,
    LivenessInput,
    NodeStatusResourceInput,
    StatusWriteFailed,
    StatusWritten,
    StepsMeasured,
    TurnInput,
)
from felixbgp.agent.intake import PARTS_AT_ONCE, PARTS_BESIDE, Intake
from felixbgp.agent.listening import Listener
from felixbgp.agent.liveness import Liveness
from felixbgp.agent.next_hops import RECURSIONS_MAX
from felixbgp.agent.origination import Origination
from felixbgp.agent.publication import Publication
from felixbgp.agent.readiness import STARTING_NS, Readiness, readiness_of
from felixbgp.agent.reporting import Reporting
from felixbgp.agent.reprieve import REPRIEVE_NS, NodeReprieve
from felixbgp.agent.rooms import Rooms
from felixbgp.agent.transition import UNCONFIGURED, Transition
from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.inputs import Endpoint, TransportInput
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.snapshot import FamilyCounts, PeerSnapshot, RouteSnapshot, SpeakerStatistics
from felixbgp.bgp.speaker import Speaker
from felixbgp.cluster.demands import Demands
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import DatastoreRestored, StateRecovered, StoreInput
from felixbgp.cluster.node_statuses import NODE_STATUSES, NodeStatuses, is_of_node_statuses
from felixbgp.cluster.parts import Parts, whole
from felixbgp.cluster.state import ClusterState, required_prefixes
from felixbgp.fib.fib import Fib, FibStatistics
from felixbgp.fib.types import KernelInput
from felixbgp.intent.derivation import Derivation, Derived
from felixbgp.intent.types import DEFAULT_LOG_LEVEL, Intent
from felixbgp.intent.unforwarded import without_kernel
from felixbgp.net import IPV4, IPV6, Family, Prefix
from felixbgp.resources.calico_node_status import StatusClass
from felixbgp.status import node_status, report, report_routes
from felixbgp.status.explanation import Explanation
from felixbgp.status.node_status import LongestStep, NodeStatus, RouteCounts
from felixbgp.status.report import PeerTable, Report
from felixbgp.status.report_routes import RouteFacts, RouteTables, Surroundings

SWEEP_DEADLINE_NS = 120_000_000_000
"""A peer that is still not back after this, or after a longer restart time (RFC 4724 §4.2), is gone."""
PICTURED_AT_ONCE = 200
"""Peers that are looked at for a status in one part of it: two milliseconds."""
BUILT = 200
"""What it takes to put a status of 1,000 peers together, or to look at 4,000 routes, in parts."""
FACTS_AT_ONCE = 100
"""Lines of the log: 1.5 ms. Of 1,000 BGPPeers without the filter that they name, each is one."""
UNSETTLED_NS_MAX = 1_000_000_000
"""For how long a status waits until what belongs together is read and derived, to tell of all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatistics:
    """Sizes and queues of the rooms."""

    in_sync: bool
    revision: int
    speaker: SpeakerStatistics
    fib: FibStatistics


class Progress(NamedTuple):
    """How far the agent has come with what the store sent."""

    revision: int
    """Up to here all is read, and what follows from it derived."""
    changes: int
    """How often the intent has become another one."""
    peers: int
    """How many peers the last of these changes concerned."""
    is_in_force: bool
    """Whether every peer has what the intent says of it, but for what waits for a reason of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """What there is, counted: under two microseconds a peer."""

    sessions: Mapping[str, int]
    """Peers by the state of their sessions (RFC 4271 §8.2.2)."""
    routes: Mapping[Family, FamilyCounts]
    kernel: Mapping[Family, tuple[int, int]]
    """Kernel routes wanted, and there; nothing where none are written."""


class Agent:
    """One node's agent: facts in by `feed`, effects out by `drain`; `now` is monotonic nanoseconds.

    `jitter` gives numbers in [0, 1); with the same inputs and the same jitter the effects are the same.
    """

    def __init__(self, config: AgentConfig, jitter: Callable[[], float]) -> None:
        self._config = config
        self._state = ClusterState(config.node)
        self._intent: Intent | None = None
        self._given = False
        self._demands: Demands | None = None
        self._log_level = DEFAULT_LOG_LEVEL
        derivation = Derivation(config.node, router_id=config.router_id, route_metric=config.route_metric)
        self._lists_us = derivation.lists_us
        self._held_since: dict[PeerId, int] = {}
        """The peers that must have no session, and since when."""
        self._node_statuses = NodeStatuses(config.node)
        self._intake = Intake(self._state, derivation, self._node_statuses)
        self._keys_by_peer: dict[PeerId, tuple[Prefix, bytes]] = {}
        self._speaker = Speaker(UNCONFIGURED, jitter, forwards=config.forwards)
        self._liveness = Liveness(self._speaker, derivation.node_at)
        self._transition = Transition(self._speaker, config.draining_seconds * SECOND_NS, derivation.node_at)
        self._node_reprieve = NodeReprieve(config.draining_seconds * SECOND_NS)
        self._fib = Fib(config.route_protocol, config.route_table)
        self._former = FormerRoutes(self._fib, self._speaker.owing)
        self._origination = Origination()
        self._forwarding = Forwarding()
        self._listener = Listener()
        self._publication = Publication()
        self._reporting = Reporting()
        rooms = Rooms(self._fib, self._speaker, self._origination)
        self._auditing = Auditing(
            config.node, __version__, config.route_protocol, rooms, forwards=config.forwards
        )
        self._started_at: int | None = None
        self._reconfigured_at = 0
        self._settled_at = 0
        self._datastore = Datastore(required_prefixes(config.node), (DRAINS,))
        self._explainer = Explainer(
            config, self._state, rooms, self._forwarding, self._datastore, node_at=derivation.node_at
        )
        self._steps = StepsMeasured()
        self._sweep_at: int | None = None
        self._unsettled_until: int | None = None
        """After a restart: until when the peers may not be all there are."""
        self._is_restart = False
        self._is_selecting = False
        self._derived_revision = 0
        self._changes = self._peers_changed = 0
        """How often the intent became another one, and how many peers the last time was about."""
        self._facts: list[Fact] = []

    def feed(self, event: Input, now: int) -> None:
        """Take one input; cheap, the work is done by `drain`."""
        if self._started_at is None:
            self._started_at = now
        if isinstance(event, StoreInput) and is_of_node_statuses(event):
            # Others' reports, and the echo of our own, change nothing that our own status shows.
            self._intake.feed(event)
            return
        if isinstance(event, StoreInput) and self._auditing.requests.concerns(event):
            self._auditing.feed_request(event, now)
            return
        self._publication.touch()
        if isinstance(event, TransportInput):
            self._speaker.feed(event, now)
        elif isinstance(event, KernelInput):
            if self._config.forwards:
                self._feed_kernel(event, now)
        elif isinstance(event, StoreInput):
            self._feed_store(event, now)
        elif isinstance(event, Listening | ListenFailed):
            self._listener.feed(event, now)
        elif isinstance(event, StatusWritten | StatusWriteFailed):
            self._publication.feed(event, now)
        elif isinstance(event, NodeStatusResourceInput):
            self._reporting.feed(event, now)
        elif isinstance(event, AuditWritten | AuditWriteFailed):
            self._auditing.feed(event)
        elif isinstance(event, LivenessInput):
            self._liveness.feed(event, now)
        elif isinstance(event, TurnInput):
            self._transition.feed(event, now)
        elif isinstance(event, StepsMeasured):
            self._steps = event
        elif isinstance(event, StateRecovered):
            for snapshot in self._datastore.recover(event, now, in_sync=self._state.in_sync()):
                self._intake.feed(snapshot)
        else:
            self._given = True
            self._transition.stand_alone()
            self._follow(Derived.between(self._intent or Intent(), event.intent), now)

    def drain(self, now: int, budget: int) -> list[Effect]:
        """Do what is due, for about `budget` prefixes; the effects are to be carried out in this order."""
        return self.take(now, budget) + self.tell(now, budget) + self.publish(now)

    def take(self, now: int, budget: int) -> list[Effect]:
        """The first part of a drain: run the sessions, take in what came, select routes."""
        if budget > 0:
            self._fib.read_on()
        self._take_in(now)
        effects: list[Effect] = [*self._demand(), *self._set_log_level(), *self._listener.take(now)]
        effects += self._speaker.control(now)
        effects += self._liveness.take(now)
        effects += self._transition.take(now)
        self._originate(budget)
        self._is_selecting = self._select(now, budget)
        if self._transition.take_over(now):
            self._publication.touch()
        return effects

    def tell(self, now: int, budget: int) -> list[Effect]:
        """The second part: tell peers and kernel, of about `budget` prefixes.

        A turn costs every peer a message, whatever is in it, so that while `is_selecting` it may be left out
        for a while.
        """
        self._sweep(now)
        effects: list[Effect] = [*self._speaker.withdrawals(now, budget)]
        effects += self._fib.replacements(now, budget)
        for family, nlris in self._fib.take_released().items():
            self._speaker.release(family, nlris)
        effects += self._speaker.announcements(now, budget, self._fib.held())
        if not self._speaker.is_handing_out:
            # All peers know by now that what goes from the kernel does not lead here any more.
            effects += self._fib.deletions(now, budget)
        effects += self._audit(now, budget)
        return effects

    def publish(self, now: int) -> list[Effect]:
        """The last part: tell the store and the operator how it stands."""
        effects: list[Effect] = []
        if self._may_publish() and (self._is_settled or now - self._settled_at >= UNSETTLED_NS_MAX):
            effects += self._reporting.take(now, lambda classes: self._report(classes, now))
            if not self._reporting.is_building:
                effects += self._publication.take(now, lambda: self._build_status(now))
        self._facts += self._take_facts()
        effects += map(Observe, self._facts[:FACTS_AT_ONCE])
        del self._facts[:FACTS_AT_ONCE]
        return effects

    @property
    def backlog(self) -> int:
        """What the last `take` left, in units of about two microseconds (`bgp/backlog.py`).

        That is what inputs of connections cost. A change of a peer counts as one, and so does all that is to
        be read of the store or derived: these say only that there is more to `take`. The store is held back
        by itself.
        """
        return self._speaker.backlog + (1 if self._intake.has_work else 0)

    @property
    def is_selecting(self) -> bool:
        """Whether the last `take` left some of what peers had sent."""
        return self._is_selecting

    @property
    def is_handing_out(self) -> bool:
        """Whether there are peers who wait for what the last `tell` worked out for all."""
        return self._speaker.is_handing_out

    @property
    def is_telling(self) -> bool:
        """Whether the last `tell` left something that peers could be told."""
        return self._speaker.has_more_to_tell()

    @property
    def untold_count(self) -> int:
        """How many prefixes some peer could be told of now and was not, at least."""
        return self._speaker.untold_count()

    def next_deadline(self) -> int | None:
        """When to drain again though nothing was fed; a time in the past, or 0, means now."""
        deadlines = (
            0
            if self._facts or self._intake.has_work or (not self._given and self._state.has_demands())
            else None,
            0 if self._is_originating() or not self._forwarding.is_settled else None,
            self._speaker.next_deadline(),
            self._fib.next_deadline(),
            self._listener.next_deadline(),
            self._auditing.next_deadline(),
            *(
                (self._publication.next_deadline(), self._reporting.next_deadline())
                if self._may_publish()
                else ()
            ),
            *((self._sweep_at, self._unsettled_until) if self._datastore.is_confirmed else ()),
            self._transition.next_deadline(),
            self._node_reprieve.next_deadline(),
            self._liveness.next_deadline(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def is_behind(self, connection: int) -> bool:
        """Whether so much of a peer waits here that its connection should not be read for now."""
        return self._speaker.is_behind(connection)

    def is_behind_store(self) -> bool:
        """Whether so much of the store waits here that it should not be read for now."""
        return self._intake.is_much

    def explain(self, prefix: Prefix) -> Explanation:
        """What `felixbgp explain` shows of a prefix; the agent stays as it is."""
        return self._explainer.explain(prefix, self._intent or Intent())

    def cause(self, peer: PeerId) -> Cause | None:
        """Why a peer has no session, as the status names it."""
        return node_status.cause_of(peer, self._speaker.cause(peer), self._intent or Intent(), self._lists_us)

    def readiness(self, now: int) -> Readiness:
        """Whether the node can be relied on, and if not, why."""
        return readiness_of(
            in_sync=self._given or self._state.in_sync(),
            datastore=self._datastore.state,
            is_given=self._given,
            kernel=self._kernel_obstacle(),
            not_listening=self._listener.problems(),
            peers=self._speaker.standings(),
            is_deferring=self._speaker.is_deferring,
            is_starting=self._started_at is None or now - self._started_at < STARTING_NS,
        )

    def _kernel_obstacle(self) -> str:
        """Why the kernel is not known; "" where it is, or none is written to."""
        if not self._config.forwards:
            return ""
        return self._fib.unheard() or ("" if self._fib.is_known else "its routes were not read yet")

    def status(self, now: int) -> NodeStatus:
        """What `felixbgp node status` shows, as of now."""
        return whole(self._build_status(now))

    def _build_status(self, now: int) -> Parts[NodeStatus]:
        peers = yield from self._picture_peers()
        blocks_in_use = yield from self._blocks_in_use()
        return (
            yield from node_status.build(
                node=self._config.node,
                version=__version__,
                intent=self._intent,
                peers=peers,
                routes=self._route_counts(),
                invalid={**self._state.invalid, **self._node_statuses.invalid},
                ignored={**self._state.ignored, **self._node_statuses.ignored},
                report_problems=(*self._transition.problems(), *self._reporting.problems()),
                audit=self._auditing.status(),
                route_problems=self._fib.problems(),
                kernel_unheard=self._fib.unheard(),
                next_hop_problems={
                    next_hop: (count, self._forwarding.reason(next_hop))
                    for next_hop, count in self._speaker.unresolved().items()
                },
                listen_problems=self._listener.problems(),
                datastore=self._datastore.state,
                longest_step=LongestStep(
                    self._steps.longest_ms,
                    self._steps.lately_ms,
                    self._steps.longest_kind,
                    self._steps.lately_kind,
                ),
                leaving=self._transition.leaves(),
                blocks_in_use=blocks_in_use,
                untold=self._untold(),
                held_since=self._held_since,
                lists_us=self._lists_us,
                now=now,
            )
        )

    def _untold(self) -> int:
        """How much a drained node's peers are still to be told, at least one while that is not known."""
        if self._intent is None or self._intent.drain is None:
            return 0
        unknown = self._speaker.is_changing or self._speaker.has_more_to_tell()
        return self._speaker.statistics().prefixes_to_send or (1 if unknown else 0)

    def _blocks_in_use(self) -> Parts[tuple[Prefix, ...]]:
        """Of a drained node; all that may be in use while the kernel's routes are not known."""
        intent = self._intent
        if intent is None or intent.drain is None:
            return ()
        if self._fib.is_reading or self._fib.unheard() or self._is_originating():
            return intent.aggregates
        return (yield from self._origination.blocks_in_use(intent.aggregates))

    def paths(self, family: Family) -> list[RouteSnapshot]:
        """All eligible paths of a family, those selected marked; a table's size in work and memory."""
        return self._speaker.routes(family, sys.maxsize)

    def statistics(self) -> AgentStatistics:
        """Sizes and queues, for metrics and tests."""
        return AgentStatistics(
            in_sync=self._state.in_sync(),
            revision=self._state.revision,
            speaker=self._speaker.statistics(),
            fib=self._fib.statistics(),
        )

    def progress(self) -> Progress:
        """How far the store's changes have come; for who follows one of them from outside."""
        return Progress(
            self._derived_revision, self._changes, self._peers_changed, not self._speaker.is_changing
        )

    def tallies(self) -> Tallies:
        """Counts by state, stage and family, for metrics."""
        return Tallies(
            sessions=self._speaker.sessions_by_state(),
            routes=self._speaker.counts_by_family(),
            kernel=self._fib.counts_by_family() if self._config.forwards else {},
        )

    def _feed_kernel(self, event: KernelInput, now: int) -> None:
        self._auditing.observe(event, now)
        self._fib.feed(event, now)
        self._forwarding.feed(event)
        if isinstance(event, ConnectedInput):
            self._origination.feed(event)

    def _feed_store(self, event: StoreInput, now: int) -> None:
        self._datastore.observe(event, now, in_sync=self._state.in_sync())
        if isinstance(event, DatastoreRestored):
            self._publication.restored(now)
            self._reporting.restored(now)
        self._intake.feed(event)

    @property
    def _is_settled(self) -> bool:
        """Whether what was read of the store is derived, and carried out as far as it is about peers."""
        return not (self._intake.is_amid or self._speaker.is_changing)

    def _may_publish(self) -> bool:
        return not self._given and self._state.in_sync()

    def _demand(self) -> Iterator[Effect]:
        """What the state wants to be told from now on; a plain router follows no store."""
        demands = None if self._given or self._intake.is_amid else self._state.take_demands()
        if demands is None:
            return
        # What is not read yet is an obstacle to what needs it, and the status says so.
        if self._state.in_sync():
            self._intake.derive_again()
        before, self._demands = self._demands, demands
        if before is None or before.prefixes != demands.prefixes:
            known = () if before is None else before.prefixes
            for event in self._datastore.stand_in(one for one in demands.prefixes if one not in known):
                self._intake.feed(event)
            optional = (*demands.prefixes, DRAINS, NODE_STATUSES, self._auditing.requests.prefix)
            yield Follow(required_prefixes(self._config.node), optional)
        if demands.secrets != (before or Demands()).secrets:
            yield ReadSecretFiles(demands.secrets)

    def _set_log_level(self) -> Iterator[Effect]:
        level = DEFAULT_LOG_LEVEL if self._intent is None else self._intent.log_level
        if level != self._log_level:
            self._log_level = level
            yield SetLogLevel(level)

    def _take_in(self, now: int) -> None:
        """Bring the rooms in line with the store, when all that came together was read and derived."""
        derived = self._intake.take(PARTS_BESIDE if self._speaker.backlog else PARTS_AT_ONCE)
        if self._is_settled:
            self._settled_at = now
        if self._intake.has_other_reports:
            self._intake.has_other_reports = False
            self._publication.touch()
        for name, wanted in self._node_statuses.take_changes():
            self._reporting.want(name, wanted, now)
        if derived is not None:
            self._publication.touch()
            self._follow(self._node_reprieve.follow(derived, now), now)
        if (end := self._node_reprieve.take_over(now)) is not None:
            self._publication.touch()
            self._follow(end, now)
        if not self._intake.has_work:
            self._derived_revision = self._state.revision
        self._settle(now)

    def _settle(self, now: int) -> None:
        """Say that the store's state is in force, when all of it is read and derived."""
        was_confirmed = self._datastore.is_confirmed
        is_in_force = self._is_settled and not self._intake.has_work
        if not (self._state.in_sync() and (was_confirmed or is_in_force)):
            return
        if self._datastore.settle(now, self._state.revision):
            self._publication.touch()
            if not was_confirmed and self._sweep_at is not None:
                # Peers that were not known before have their time to send what they have, too.
                self._sweep_at = now + self._longest_restart_ns()

    def _follow(self, derived: Derived, now: int) -> None:
        wanted = derived.intent if self._config.forwards else without_kernel(derived.intent)
        before, self._intent = self._intent, wanted
        if wanted == before and not derived.departed:
            return  # A node that left may be one that is being drained: the intent has it no more.
        self._reconfigured_at = now
        self._held_since = {peer: self._held_since.get(peer, now) for peer in wanted.held_down}
        self._changes += 1
        self._peers_changed = len(derived.peers)
        self._auditing.configure(wanted)
        known = frozenset(before.problems if before else ())
        self._facts += (IntentProblem(problem) for problem in wanted.problems if problem not in known)
        if before is None and self._may_have_lived():
            self._is_restart = True
            self._speaker.begin_restart(now)
            self._liveness.expect(list(wanted.peers), now)
        changed = self._transition.follow(wanted, derived, now)
        self._origination.configure(wanted)
        if self._config.forwards:
            self._forwarding.configure(wanted)
        endpoints = tuple(Endpoint(address, wanted.listen_port) for address in wanted.listen)
        self._listener.want(endpoints, self._keys(changed))
        if before is None and self._config.forwards:
            self._sweep_at = now + self._longest_restart_ns()
        if self._sweep_at is not None and self._is_restart and self._config.draining_seconds and changed:
            self._unsettled_until = now + REPRIEVE_NS

    def _longest_restart_ns(self) -> int:
        """How long a peer may be away for which a kernel route of a former life may be right."""
        peers = () if self._intent is None else self._intent.peers.values()
        restarts = [peer.graceful_restart for peer in peers if peer.graceful_restart is not None]
        longest_s = max([restart.restart_time_s for restart in restarts], default=0)
        return max(SWEEP_DEADLINE_NS, longest_s * SECOND_NS)

    def _may_have_lived(self) -> bool:
        """Whether there was an agent before whose routes forward on: here, or those that it reflected.

        Who only reflects has no kernel to tell by, and to be careful for nothing costs it seconds.
        """
        return self._fib.has_own() or not (self._config.forwards or self._given)

    def _keys(self, changed: Mapping[PeerId, PeerConfig | None]) -> tuple[tuple[Prefix, bytes], ...]:
        """The passwords that the listener must ask for; two peers at one address have one (RFC 2385)."""
        for peer, config in changed.items():
            if config is None or config.transport.password is None:
                self._keys_by_peer.pop(peer, None)
            else:
                address = Prefix.of(peer.address, peer.address.family.bits)
                self._keys_by_peer[peer] = address, config.transport.password
        return tuple(dict(self._keys_by_peer[peer] for peer in sorted(self._keys_by_peer)).items())

    def _originate(self, budget: int) -> None:
        self._origination.kernel_changed(self._fib.take_foreign_changes(budget))
        self._forwarding.kernel_changed(self._fib.take_used_changes(budget))
        for prefix, route in self._origination.take_changes(budget):
            self._speaker.originate(prefix.family, prefix.nlri, route)

    def _is_originating(self) -> bool:
        waiting = self._fib.has_foreign_changes() or self._fib.has_used_changes()
        return waiting or self._origination.has_changes()

    def _select(self, now: int, budget: int) -> bool:
        """Take in what peers sent, select routes, and say which of them the kernel shall have.

        Gives whether the budget was too small for what peers sent.

        A selected route may be the way to a next hop, so that others can be used, or no longer can. Before
        all of the kernel's routes are known, next hops would be judged by half a table.
        """
        is_selecting = self._speaker.take_in(now, budget) == 0 < budget
        if not self._config.forwards:
            self._speaker.decide(now, budget)
            return is_selecting
        if self._fib.is_reading or self._fib.has_used_changes():
            return is_selecting
        self._forwarding.forget(self._speaker.take_unused_next_hops())
        self._forwarding.track(self._speaker.next_hops.take_unjudged())
        for first in (True, *(False,) * RECURSIONS_MAX):
            self._forwarding.settle(now)
            verdicts = self._forwarding.take_verdicts()
            if not (verdicts or first):
                break
            self._speaker.judge(verdicts)
            self._former.want_each(self._forwarding.select(self._speaker.decide(now, budget)))
        self._former.want_each(self._forwarding.take_routes(budget))
        return is_selecting

    def _audit(self, now: int, budget: int) -> list[Effect]:
        """Compare a part of what was read; the status shows the result."""
        if self._fib.is_reading:
            return []  # What differs is not known yet to be on its way.
        before = self._auditing.status()
        effects = self._auditing.take(now, budget)
        if self._auditing.status() != before:
            self._publication.touch()
        return [*effects]

    def _sweep(self, now: int) -> None:
        """Let go of a former life's kernel routes once the peers have said what is still true."""
        if self._sweep_at is None or not self._datastore.is_confirmed:
            return
        if self._unsettled_until is not None and now >= self._unsettled_until:
            self._unsettled_until = None
        if now >= self._sweep_at or (self._is_anybody_asked() and self._speaker.has_all_tables()):
            speaker = self._speaker.statistics()
            if speaker.updates_waiting or speaker.prefixes_to_decide:
                return
            if self._former.let_go():
                return
            self._sweep_at = self._unsettled_until = None
            self._liveness.stop_awaiting()
            self._fib.start()
            self._auditing.begin()

    def _is_anybody_asked(self) -> bool:
        """Whether those who can tell what is still true of a former life's routes are among the peers.

        A node may have started between two writes that belong together, as the one that takes its mesh and
        the one that replaces it. Without any peer its routes wait for that as long as they would have while
        the mesh is drained, and otherwise until the peers have been the same ones for REPRIEVE_NS.
        """
        may_wait = self._is_restart and self._config.draining_seconds > 0
        if not may_wait or self._intent is None:
            return True
        return bool(self._intent.peers) and self._is_settled and self._unsettled_until is None

    def _route_counts(self) -> RouteCounts | None:
        if not self._config.forwards:
            return None
        counted = self._fib.statistics()
        return RouteCounts(wanted=counted.wanted, installed=counted.installed, failed=counted.problems)

    def _picture_peers(self) -> Parts[list[PeerSnapshot]]:
        found: list[PeerSnapshot] = []
        pictures = self._speaker.pictures()
        while some := list(islice(pictures, PICTURED_AT_ONCE)):
            found += some
            yield PICTURED_AT_ONCE
        return found

    def _report(self, classes: frozenset[StatusClass], now: int) -> Parts[Report]:
        """What a CalicoNodeStatus that asks for these classes is told."""
        routes: RouteTables | None = None
        if StatusClass.ROUTES in classes:
            routes = yield from self._reported_routes()
        intent = self._intent or Intent()
        tables: tuple[PeerTable, PeerTable] | None = None
        if StatusClass.BGP in classes:
            pictures = yield from self._picture_peers()
            tables = yield from report.bgp_of(intent, pictures, now)
        agent = (intent, f"felixbgp {__version__}", self._started_at or 0, self._reconfigured_at)
        return Report(
            agent=report.agent_of(*agent) if StatusClass.AGENT in classes else None,
            bgp=tables,
            routes=routes,
        )

    def _reported_routes(self) -> Parts[RouteTables]:
        wanted = self._fib.wanted if self._config.forwards else None
        around = Surroundings(self._config.route_metric, wanted, (self._intent or Intent()).origins)
        facts, limit = [], report_routes.SCANNED_MAX
        for family in (IPV4, IPV6):
            yield BUILT
            paths = self._speaker.routes(family, limit, without=RouteSource.KERNEL)
            facts.append(RouteFacts(family, paths, self._fib.foreign(family, limit)))
        yield BUILT
        return (yield from report_routes.routes_of(facts[0], facts[1], around))

    def _take_facts(self) -> list[Fact]:
        return [
            *self._datastore.take_facts(),
            *self._state.take_facts(),
            *self._transition.take_facts(),
            *self._liveness.take_facts(),
            *self._speaker.take_facts(),
            *self._fib.take_facts(),
            *self._forwarding.take_facts(),
            *self._node_statuses.take_facts(),
            *self._reporting.take_facts(),
            *self._auditing.take_facts(),
        ]
