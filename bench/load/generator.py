"""The process that plays all senders and receivers of a load; told what to do over a pipe, a step at a time.

One thread and one selector. Every answer is sent at the instant it describes, so that whoever asked can read
the device's CPU clock then.
"""

import gc
import resource
import selectors
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic, process_time

from bench.load.loads import Load, plan_of
from bench.load.plan import DEVICE_V4, DEVICE_V6, Dispatch, Phase
from bench.load.session import Session
from felixbgp.lab import netns

QUIET_SECONDS = 0.1
"""When nothing came for so long, what is held is looked at."""
TICK_SECONDS = 0.5
KEEPALIVE_SECONDS = 25.0
DIALLED_AT_ONCE = 16
"""More than a daemon lets wait to be accepted would be dropped, and tried again ever more seldom."""
ANSWER_SECONDS_MAX = 3.0
FOLD_SECONDS = 1.0
REDIAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Told:
    """What a phase was, as the receivers saw it.

    Seconds are from the first octet sent to the last UPDATE received.
    """

    seconds: float
    announced: int
    withdrawn: int
    updates: int
    octets: int
    cpu_seconds: float
    """Of the generator itself."""
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Job:
    """What a generator is for."""

    load: Load
    routes: int
    namespace: str
    is_changed: bool = True


def main(pipe: Connection, job: Job) -> None:
    """Do what comes over the pipe until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    load = job.load
    with netns.inside(job.namespace):
        generator = Generator(load, job)
        gc.collect()
        gc.freeze()
        gc.disable()
        pipe.send([(phase.name, phase.routes) for phase in generator.plan.phases])
        generator.serve(pipe)


class Generator:
    """All sessions of a load."""

    def __init__(self, load: Load, job: Job) -> None:
        self.plan = plan_of(load, job.routes, is_changed=job.is_changed)
        device = DEVICE_V6 if load.is_ipv6 else DEVICE_V4
        self._selector = selectors.DefaultSelector()
        self._sessions = [
            Session(party, device, self.plan.nlri_octets, self._selector) for party in self.plan.parties
        ]
        self._receivers = [self._sessions[number] for number in self.plan.receivers]
        self._held: list[dict[bytes, bytes]] = [{} for _ in self._receivers]
        self._folded_at = 0.0
        self._keepalive_at = monotonic() + KEEPALIVE_SECONDS

    def serve(self, pipe: Connection) -> None:
        """Answer questions until there are no more."""
        self._selector.register(pipe, selectors.EVENT_READ)
        while True:
            self._step(TICK_SECONDS)
            try:
                if pipe.poll():
                    question, *arguments = pipe.recv()
                    pipe.send(getattr(self, question)(*arguments))
            except (EOFError, BrokenPipeError):
                return

    def connect(self, seconds_max: float) -> float | str:
        """Seconds until all sessions were Established; a text says which were not in time."""
        started = monotonic()
        missing = self._sessions
        while missing := [session for session in missing if not session.is_established]:
            if monotonic() > started + seconds_max:
                return self._missing()
            for session in missing[:DIALLED_AT_ONCE]:
                if monotonic() > session.dialled_at + ANSWER_SECONDS_MAX:
                    session.give_up()
                if session.is_closed and monotonic() > session.dialled_at + REDIAL_SECONDS:
                    session.dial()
            self._step(REDIAL_SECONDS)
        return monotonic() - started

    def perform(self, number: int, seconds_max: float) -> Told:
        """One phase, until all that was expected has come, or the time is over."""
        phase = self.plan.phases[number]
        before, cpu = self._counts(), process_time()
        announced, withdrawn = before[0] + phase.announced, before[1] + phase.withdrawn
        coming = iter(phase.dispatches)
        started = monotonic()
        upcoming = next(coming, None)
        complete = False
        while not complete and monotonic() < started + seconds_max:
            upcoming = self._dispatch(upcoming, coming, started)
            self._step(self._pause(upcoming, started))
            if upcoming is not None or monotonic() < started + phase.seconds_min:
                if not phase.is_counted:
                    self._fold_in_time()
                continue
            if phase.is_counted:
                counts = self._counts()
                complete = counts[0] >= announced and counts[1] >= withdrawn
            elif monotonic() > self._last() + QUIET_SECONDS:
                complete = not self.faults(number)
        counts = self._counts()
        seconds = max(self._last() - started, phase.seconds_min)
        announced, withdrawn, updates, octets = (now - then for now, then in zip(counts, before, strict=True))
        return Told(seconds, announced, withdrawn, updates, octets, process_time() - cpu, complete)

    def check(self, number: int, seconds_max: float) -> tuple[list[str], float]:
        """What is wrong with what the receivers hold, and how long they had to wait until it was right."""
        started = monotonic()
        while (found := self.faults(number)) and monotonic() < started + seconds_max:
            self._step(QUIET_SECONDS)
        return found, max(0.0, self._last() - started)

    def faults(self, number: int) -> list[str]:
        """In what the receivers hold; [] when it is all as it must be."""
        phase = self.plan.phases[number]
        found = [
            f"{session.party.address}: {session.ended}"
            for session in self._sessions
            if not session.is_established
        ]
        for session, held in zip(self._receivers, self._held, strict=True):
            session.tally.fold(held, self.plan.shared)
            for nlri in self.plan.own.get(session.party.number, frozenset()) & held.keys():
                del held[nlri]
            if fault := _difference(held, phase, session.party.number, session.party.takes_many_paths):
                found.append(f"{session.party.address}: {fault}")
        return found

    def holding(self) -> int:
        """How many routes all receivers together hold."""
        return sum(map(len, self._held))

    def _counts(self) -> tuple[int, int, int, int]:
        announced = withdrawn = updates = octets = 0
        for session in self._receivers:
            tally = session.tally
            announced += tally.announced
            withdrawn += tally.withdrawn
            updates += tally.updates
            octets += tally.octets
        return announced, withdrawn, updates, octets

    def _last(self) -> float:
        """When the last octets came."""
        return max((session.heard_at for session in self._receivers), default=0.0)

    def _dispatch(
        self, upcoming: Dispatch | None, coming: Iterator[Dispatch], started: float
    ) -> Dispatch | None:
        """Send what is due; gives the first that is not."""
        elapsed = monotonic() - started
        while upcoming is not None and upcoming.at_s <= elapsed:
            self._sessions[upcoming.party].send(upcoming.messages)
            upcoming = next(coming, None)
        return upcoming

    def _pause(self, upcoming: Dispatch | None, started: float) -> float:
        if upcoming is None:
            return QUIET_SECONDS
        return min(TICK_SECONDS, max(0.0, started + upcoming.at_s - monotonic()))

    def _fold_in_time(self) -> None:
        """In a phase that lasts, so that what was received is not kept for minutes."""
        if monotonic() > self._folded_at + FOLD_SECONDS:
            self._folded_at = monotonic()
            for session, held in zip(self._receivers, self._held, strict=True):
                session.tally.fold(held, self.plan.shared)

    def _step(self, seconds: float) -> None:
        """Whatever the sockets want done."""
        for key, events in self._selector.select(seconds):
            session = key.data
            if session is not None:
                session.attend(events)
        if monotonic() > self._keepalive_at:
            self._keepalive_at = monotonic() + KEEPALIVE_SECONDS
            for session in self._sessions:
                session.keep_alive()

    def _missing(self) -> str:
        missing = [session for session in self._sessions if not session.is_established]
        why = f"{missing[0].party.address}: {missing[0].ended}"
        return f"{len(missing)} of {len(self._sessions)} sessions are not Established, {why}"


def _difference(held: Mapping[bytes, bytes], phase: Phase, number: int, takes_many_paths: bool) -> str:
    """In words; "" when there is none. Path identifiers are the device's own choice and not compared."""
    wanted = phase.holds(number)
    if len(held) != len(wanted):
        return f"holds {len(held)} routes of {len(wanted)}"
    if takes_many_paths:
        same = {(key[4:], path) for key, path in held.items()} == {
            (key[4:], path) for key, path in wanted.items()
        }
    else:
        same = held == wanted
    if same:
        return ""
    others = sum(wanted.get(nlri) != path for nlri, path in held.items())
    return f"{others} routes are not as announced"
