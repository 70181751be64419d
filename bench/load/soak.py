"""Many route changes a second, for as long as it takes to see whether anything grows, is lost or drifts.

```
   four senders ── 20,000 changes a second: routes come, change, go ──► felixbgp ──► a receiver
```

At the end the senders fall silent. Then the receiver must hold what they announced last, each by the right
AS_PATH; the agent's status must count as many; every session must be the one it was; the rate must have been
kept; and the agent's memory must be what it was after the first minutes. The last line is the verdict, which
the exit status says, too.
"""

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from bench.load.daemons.base import Place
from bench.load.daemons.felix import NODE, Felix, Interpreted
from bench.load.generator import Job
from bench.load.loads import Load, parties_of
from bench.load.measuring import (
    ANSWER_SECONDS_MORE,
    CHECK_SECONDS_MAX,
    CONNECT_SECONDS_MAX,
    PREPARE_SECONDS_MAX,
    GivenUpError,
    a_generator,
    ask,
    cpu_seconds,
    memory_mib,
    must_live,
)
from bench.load.plan import Dispatch, Party, Phase, Plan, Routes, routes_of
from bench.load.site import a_site, remove_leftovers
from bench.load.tables import SEED, Group, announcements, prefixes, uniform, withdrawals
from felixbgp.lab import netns

SECONDS = 1800.0
RATE = 20_000
SENDERS = 4
BLOCKS = 2_500
"""Of each sender, ten prefixes that change together."""
PER_BLOCK = 10
VARIANTS = 4
"""Different attributes that a block comes with."""
WITHDRAWN_SHARE = 0.3
TICK_S = 0.02
WARM_SECONDS = 180
"""After which memory must not grow any more; a shorter soak says nothing of memory."""
GROWTH_MAX = 0.05
RATE_MISSED_MAX = 0.02
STATUS_LOOKS_MAX = 60
"""A second apart."""


@dataclass(slots=True)
class Result:
    """What was done, and what was wrong in the end; `faults` empty when nothing was."""

    asked_seconds: float = 0.0
    seconds: float = 0.0
    changes: int = 0
    announced: int = 0
    withdrawn: int = 0
    cpu_seconds: float = 0.0
    resident_mib: list[float] = field(default_factory=list)
    """A second apart."""
    longest_step: str = ""
    """Of the agent's loop, as its status has it."""
    faults: list[str] = field(default_factory=list)

    def show(self) -> None:
        """Print it all."""
        print(
            f"{self.changes} changes in {self.seconds:.1f} s; the receiver heard of {self.announced} "
            f"announced and {self.withdrawn} withdrawn routes; the agent took {self.cpu_seconds:.1f} CPU s"
        )
        memory = self.resident_mib or [0.0]
        each = ", ".join(f"{one:.1f}" for one in memory[:: max(1, len(memory) // 15)])
        print(f"memory of the agent, MiB: {each}; {memory[-1]:.1f} at the end")
        print(f"longest step of the agent's loop: {self.longest_step}")
        for fault in self.faults:
            print(f"FAULT {fault}")
        print(self.verdict)

    @property
    def verdict(self) -> str:
        """In one line."""
        if self.faults:
            return f"FAILED: {len(self.faults)} faults, the first: {self.faults[0]}"
        rate = self.changes / self.seconds if self.seconds else 0.0
        memory = "memory flat" if len(self.resident_mib) > WARM_SECONDS else "too short to judge memory"
        return f"PASSED: {rate:,.0f} changes a second, no session lost, counts agree, {memory}"


class Churn:
    """What the senders do, drawn from a seeded chance, and what has been announced last."""

    def __init__(self, load: Load, rate: int) -> None:
        self._seconds, self._rate = load.seconds, rate
        self._chance = random.Random(SEED)  # noqa: S311 - to be the same every time
        self._last: dict[tuple[int, int], int] = {}
        self._senders = parties_of(load)[:-1]
        self._tables = [[self._variants(party, block) for block in range(BLOCKS)] for party in self._senders]
        self._messages = [
            [
                (*(announcements([group], party.sender) for group in variants), _gone(variants[0]))
                for variants in table
            ]
            for party, table in zip(self._senders, self._tables, strict=True)
        ]

    def dispatches(self) -> Iterator[Dispatch]:
        """In every tick what is due by then, a message a block."""
        done, tick = 0, 0
        while (at_s := tick * TICK_S) < self._seconds:
            due = int(at_s * self._rate) // PER_BLOCK
            parts: list[list[bytes]] = [[] for _ in self._senders]
            for _ in range(due - done):
                sender = self._chance.randrange(len(self._senders))
                parts[sender].append(self._change(sender))
            yield from (Dispatch(number, b"".join(part), at_s) for number, part in enumerate(parts) if part)
            done, tick = due, tick + 1

    def held(self, _number: int) -> Routes:
        """What the receiver must hold now."""
        return {
            nlri: path
            for (sender, block), variant in self._last.items()
            for nlri, path in routes_of([self._tables[sender][block][variant]], self._senders[sender]).items()
        }

    def _change(self, sender: int) -> bytes:
        block = self._chance.randrange(BLOCKS)
        if (sender, block) in self._last and self._chance.random() < WITHDRAWN_SHARE:
            del self._last[sender, block]
            return self._messages[sender][block][VARIANTS]
        variant = self._last[sender, block] = self._chance.randrange(VARIANTS)
        return self._messages[sender][block][variant]

    def _variants(self, party: Party, block: int) -> list[Group]:
        (base,) = uniform(24, PER_BLOCK).groups(PER_BLOCK, (party.number * BLOCKS + block) * PER_BLOCK)
        return [Group((*base.path, 70_000 + number), base.nlris) for number in range(VARIANTS)]


def _gone(group: Group) -> bytes:
    return withdrawals(group.nlris, is_ipv6=False)


def churn(load: Load, rate: int, _is_changed: bool) -> Plan:
    """The plan; a rate takes the place of a number of routes."""
    work = Churn(load, rate)
    nlris = prefixes(uniform(24, PER_BLOCK).groups(SENDERS * BLOCKS * PER_BLOCK, 0))
    phase = Phase(
        "churn",
        work.dispatches(),
        work.held,
        int(load.seconds * rate),
        is_counted=False,
        seconds_min=load.seconds,
    )
    return Plan(parties_of(load), (SENDERS,), 4, (phase,), {nlri: nlri for nlri in nlris})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long (%(default)s)")
    parser.add_argument("--rate", type=int, default=RATE, help="route changes a second (%(default)s)")
    parser.add_argument("--interpreted", action="store_true", help="the agent without its compiled core")


def main(asked: argparse.Namespace) -> int:
    """Do it and print; gives the exit status."""
    result = run(asked.seconds, asked.rate, Interpreted if asked.interpreted else Felix)
    result.show()
    return int(bool(result.faults))


def run(seconds: float, rate: int, kind: type[Felix]) -> Result:
    """Do it; everything is removed afterwards."""
    load = Load(
        name="soak", title="soak", planner=churn, routes=0, slow_routes=0, shape=uniform(24, PER_BLOCK),
        parties=SENDERS + 1, seconds=seconds,
    )  # fmt: skip
    remove_leftovers()
    result = Result(asked_seconds=seconds)
    with TemporaryDirectory(prefix="felixbench-") as folder, a_site(parties_of(load)) as site:
        felix = kind(Place(site.device, Path(folder)), load)
        try:
            with a_generator(Job(load, rate, site.load)) as pipe:
                _soak(felix, pipe, result)
        except GivenUpError as error:
            result.faults.append(f"given up: {error}")
        finally:
            felix.stop()
    return result


def _soak(felix: Felix, pipe: Any, result: Result) -> None:
    ((_, result.changes),) = ask(pipe, PREPARE_SECONDS_MAX)
    felix.start()
    connected = ask(pipe, CONNECT_SECONDS_MAX + ANSWER_SECONDS_MORE, "connect", CONNECT_SECONDS_MAX)
    if isinstance(connected, str):
        result.faults.append(connected)
        return
    before = cpu_seconds(felix.measured())
    limit = felix.load.seconds + CHECK_SECONDS_MAX
    pipe.send(("perform", 0, limit))
    while not pipe.poll(1.0) and len(result.resident_mib) < limit + ANSWER_SECONDS_MORE:
        must_live(felix)
        result.resident_mib.append(memory_mib(felix.measured()))
    told = ask(pipe, ANSWER_SECONDS_MORE)
    result.cpu_seconds = cpu_seconds(felix.measured()) - before
    result.seconds, result.announced, result.withdrawn = told.seconds, told.announced, told.withdrawn
    faults, _ = ask(pipe, ANSWER_SECONDS_MORE, "check", 0, 0.0)
    result.longest_step = json.dumps(_status(felix).get("longestStep", {}))
    result.faults += [*faults, *delay(result), *growth(result.resident_mib)]
    result.faults += _drift(felix, ask(pipe, 60.0, "holding"))


def delay(result: Result) -> Iterator[str]:
    """Where the changes took longer than they should have: then the rate was another."""
    if result.seconds > result.asked_seconds * (1 + RATE_MISSED_MAX) + 1.0:
        yield f"{result.changes} changes took {result.seconds:.1f} s instead of {result.asked_seconds:.1f}"


def growth(resident_mib: list[float]) -> Iterator[str]:
    """Of memory, after what it takes to get warm."""
    later = resident_mib[WARM_SECONDS:]
    if later and max(later) > later[0] * (1 + GROWTH_MAX):
        yield f"memory grew from {later[0]:.1f} to {max(later):.1f} MiB"


def _drift(felix: Felix, held: int) -> Iterator[str]:
    """Between what the receiver holds and what the agent says that it has received and announced."""
    peers: list[dict[str, Any]] = []
    received, told = 0, [0]
    for _ in range(STATUS_LOOKS_MAX):
        peers = _status(felix).get("peers", [])
        received = sum(int(peer.get("prefixes", {}).get("received", 0)) for peer in peers)
        told = [int(peer.get("prefixes", {}).get("advertised", 0)) for peer in peers]
        if received == held and held in told:
            break
        sleep(1)
    else:
        yield f"the receiver holds {held}; the status says {received} received, {told} advertised"
    for peer in peers:
        if peer.get("state") != "Established":
            yield f"{peer.get('address')} is {peer.get('state')}"


def _status(felix: Felix) -> dict[str, Any]:
    with netns.inside(felix.place.namespace):
        value = felix.store.get(f"/felixbgp/v1/nodes/{NODE}/status")
    return dict(json.loads(value or b"{}"))
