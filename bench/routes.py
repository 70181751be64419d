"""200,000 routes of one BGP peer into a kernel and out again: felixbgp beside BIRD, in one lab and one run.

```
   the peer 172.30.3.1 ──► node-1: felixbgp, its etcd ──► kernel
           `───────────► tor-1: BIRD ─────────────────► kernel
   172.30.3.2 ── a route now and then ──► node-1 ──► 172.30.3.3: how long until it hears of it?
   172.30.3.4 ── who is no peer ────────► node-1: how long until it is turned away?
```

Counted from the first UPDATE sent until the kernel has them all, or none; CPU time is of the one process. The
two questions at the bottom are asked of felixbgp every 50 ms meanwhile.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bench.peer import Peer, dial
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.messages import Origin, PathAttributes, Segment, SegmentType, UpdateMessage
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements, encode_withdrawals
from felixbgp.lab import checks, netns, processes
from felixbgp.lab.lab import Lab, down
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.processes import Running
from felixbgp.lab.waiting import NotInTimeError, wait_until
from felixbgp.net import IPV4, Address, Prefix

ROUTES = 200_000
PER_ATTRIBUTES = 10
"""Prefixes that share their path attributes, about as many as in the Internet's table."""
PEER, PROBE, LISTENER, STRANGER = (f"172.30.3.{number}" for number in range(1, 5))
AS_NUMBERS = {PEER: 65001, PROBE: 65002, LISTENER: 65003}
FIRST = 20 << 16
"""The upper three octets of the first prefix: 20.0.0.0/24."""
PROBE_SECONDS = 0.05
PHASE_SECONDS_MAX = 300.0


@dataclass(frozen=True)
class Phase:
    """What one way took: into the kernel, or out of it."""

    seconds: float
    cpu_seconds: float


@dataclass
class Waits:
    """How long answers took, in seconds."""

    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        middle, late = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
        last = ordered[-1] * 1000
        return f"{len(ordered):6} times, median {middle:.0f} ms, p99 {late:.0f} ms, max {last:.0f} ms"


@dataclass(frozen=True)
class Result:
    """One speaker's run."""

    loaded: Phase
    unloaded: Phase
    resident_mib: float
    rejections: Waits = field(default_factory=Waits)
    echoes: Waits = field(default_factory=Waits)


def announcements(count: int) -> list[bytes]:
    """UPDATEs that announce /24s."""
    messages = []
    for first in range(0, count, PER_ATTRIBUTES):
        tail = 1_000_000 + first // PER_ATTRIBUTES
        path = (Segment(SegmentType.AS_SEQUENCE, (AS_NUMBERS[PEER], 64999, tail)),)
        attributes = PathAttributes(origin=Origin.IGP, as_path=path, next_hop=Address.parse(PEER))
        nlris = list(nlris_of(range(first, min(first + PER_ATTRIBUTES, count))))
        messages += encode_announcements(IPV4, attributes, nlris)
    return messages


def nlris_of(numbers: Sequence[int]) -> Iterator[bytes]:
    """The prefixes with these numbers."""
    return (b"\x18" + (FIRST + number).to_bytes(3, "big") for number in numbers)


def kernel_prefixes(process: Running) -> int:
    """How many prefixes the IPv4 table of a process's namespace has, at the price of a walk in the kernel."""
    text = Path(f"/proc/{process.pid}/net/fib_triestat").read_text(encoding="ascii")
    main = text.partition("Main:")[2].partition("Local:")[0]
    return int(main.partition("Prefixes:")[2].split()[0])


class Probe:
    """Asks felixbgp two questions, over and over, in a thread of its own."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._node = lab.plan.nodes[0].ipv4
        self._stop = threading.Event()
        self._sent: dict[bytes, float] = {}
        self.rejections, self.echoes = Waits(), Waits()

    def run(self) -> None:
        """Until told to stop."""
        number = 0
        fabric = self._lab.plan.fabric
        with (
            Peer(fabric, LISTENER, AS_NUMBERS[LISTENER], self._node, self._hear),
            Peer(fabric, PROBE, AS_NUMBERS[PROBE], self._node) as peer,
        ):
            while not self._stop.wait(PROBE_SECONDS):
                number += 1
                self._announce(peer, number)
                self.rejections.seconds.append(self._be_turned_away())

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _announce(self, peer: Peer, number: int) -> None:
        """A host of the pool, which the node tells external peers of once its kernel has it."""
        path = (Segment(SegmentType.AS_SEQUENCE, (AS_NUMBERS[PROBE],)),)
        attributes = PathAttributes(origin=Origin.IGP, as_path=path, next_hop=Address.parse(PROBE))
        nlri = Prefix.parse(f"10.65.{128 + number // 256 % 128}.{number % 256}/32").nlri
        self._sent[nlri] = monotonic()
        peer.send(encode_announcements(IPV4, attributes, [nlri]))

    def _hear(self, update: UpdateMessage) -> None:
        now = monotonic()
        for _, _, nlris in update.announced:
            for nlri in nlris:
                sent = self._sent.pop(nlri, None)
                if sent is not None:
                    self.echoes.seconds.append(now - sent)

    def _be_turned_away(self) -> float:
        ours = make_open(
            local_as=64999, hold_time_s=90, bgp_identifier=Address.parse(STRANGER), families=(IPV4,)
        )
        started = monotonic()
        with dial(self._lab.plan.fabric, STRANGER, self._node) as connection:
            connection.settimeout(PHASE_SECONDS_MAX)
            # It is told so, or, when that was said often enough, closed.
            with suppress(ConnectionError):
                connection.sendall(encode_open(ours) + encode_keepalive())
                connection.recv(1)
            return monotonic() - started


def one_way(process: Running, send: Callable[[], None], wanted: Callable[[int], bool]) -> Phase:
    """Send, and wait until the kernel has what is wanted."""
    before, started = used(process).cpu_seconds, monotonic()
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    wait_until(
        lambda: wanted(kernel_prefixes(process)),
        f"{process.command.name} is through",
        PHASE_SECONDS_MAX,
        describe=lambda: f"{kernel_prefixes(process)} prefixes in the kernel",
    )
    seconds = monotonic() - started
    sender.join()
    return Phase(seconds, used(process).cpu_seconds - before)


def used(process: Running) -> processes.Usage:
    """What the process has used; it must live."""
    usage = processes.usage(process)
    if usage is None:
        raise NotInTimeError(f"{process.command.name} is dead")
    return usage


def measure(lab: Lab, name: str, speaker: str, count: int, probe: Probe | None) -> Result:
    """All routes into the kernel of one process, then out."""
    process = lab.processes[name]
    base = kernel_prefixes(process)
    messages, withdrawals = announcements(count), encode_withdrawals(IPV4, list(nlris_of(range(count))))
    with ExitStack() as stack:
        peer = stack.enter_context(Peer(lab.plan.fabric, PEER, AS_NUMBERS[PEER], speaker))
        if probe is not None:
            thread = threading.Thread(target=probe.run)
            thread.start()
            stack.callback(thread.join)
            stack.callback(probe.stop)
        loaded = one_way(process, lambda: peer.send(messages), lambda found: found >= base + count)
        resident = used(process).resident_bytes / (1 << 20)
        unloaded = one_way(process, lambda: peer.send(withdrawals), lambda found: found < base + count // 100)
    if probe is None:
        return Result(loaded, unloaded, resident)
    return Result(loaded, unloaded, resident, probe.rejections, probe.echoes)


def run(count: int = ROUTES) -> None:
    """Make the lab, measure both, print, take it down."""
    plan = LabPlan(name=f"b{os.getpid()}", node_count=1, tor_count=1, workload_count=0, ipv6=False)
    try:
        lab = Lab.up(plan, tor_kind="bird")
        addresses = (PEER, PROBE, LISTENER, STRANGER)
        netns.batch([f"address add {address}/16 dev br0" for address in addresses], plan.fabric)
        for address, as_number in AS_NUMBERS.items():
            lab.put_peer(f"peer-{as_number}", {"peerIP": address, "asNumber": as_number})
        wait_until(
            lambda: all(checks.peer(lab.store, "node-1", address) for address in AS_NUMBERS),
            "the peers are known",
            PHASE_SECONDS_MAX,
        )
        bird = measure(lab, "tor-1", plan.tors[0].ipv4, count, None)
        felix = measure(lab, "node-1", plan.nodes[0].ipv4, count, Probe(lab))
    finally:
        down(plan.name)
    show(count, felix, bird)


def show(count: int, felix: Result, bird: Result) -> None:
    """Print the two beside each other."""
    print(f"\n{count} routes of one peer   {'felixbgp':>10} {'BIRD':>10} {'ratio':>8}")
    rows = (
        ("into the kernel, s", felix.loaded.seconds, bird.loaded.seconds),
        ("- CPU s", felix.loaded.cpu_seconds, bird.loaded.cpu_seconds),
        ("out of it, s", felix.unloaded.seconds, bird.unloaded.seconds),
        ("- CPU s", felix.unloaded.cpu_seconds, bird.unloaded.cpu_seconds),
        ("memory with all, MiB", felix.resident_mib, bird.resident_mib),
    )
    for name, ours, theirs in rows:
        print(f"{name:28} {ours:10.2f} {theirs:10.2f} {ours / theirs:8.1f}")
    print(f"a stranger is turned away   {felix.rejections}")
    print(f"a route is passed on        {felix.echoes}")
