"""`python -m bench flows` (root): how many flows move when one next hop of four leaves and comes.

4,096 flows, each asked of the kernel in a namespace of its own (layer-4 hash). *Survivors* are the flows of
the next hops that stay; whatever of them moves, moves for nothing. Prints a table for each family.
"""

import ctypes
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence

from felixbgp.net import IPV4, Prefix
from felixbgp.runtime.netlink.nexthops import BUCKETS
from tests.support.flows import Lookups, Way, flows_to, hash_ports

CLONE_NEWNET = 0x40000000
FLOWS = 4096
ALL = (0, 1, 2, 3)
RESILIENT = f"type resilient buckets {BUCKETS} idle_timer 60 unbalanced_timer 300"
PREFIXES = (Prefix.parse("10.99.0.0/24"), Prefix.parse("fd99::/64"))

Write = Callable[[Prefix, Sequence[int]], None]


def ip(*lines: str) -> None:
    """Run lines of `ip`."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)


def gateway(prefix: Prefix, number: int) -> str:
    """The next hop behind an interface, as `ip` takes it."""
    address = f"192.0.{number}.1" if prefix.family is IPV4 else f"2001:db8:{number}::1"
    return f"via {address} dev out{number}"


def legacy(prefix: Prefix, numbers: Sequence[int]) -> None:
    """RTA_MULTIPATH, replaced."""
    ip(f"route replace {prefix} " + " ".join(f"nexthop {gateway(prefix, number)}" for number in numbers))


def in_place(kind: str) -> Write:
    """One group of nexthop objects, changed in place."""

    def write(prefix: Prefix, numbers: Sequence[int]) -> None:
        members = "/".join(str(number + 1) for number in numbers)
        ip(f"nexthop replace id 10 group {members} {kind}", f"route replace {prefix} nhid 10")

    return write


class AnotherGroup:
    """A new resilient group for each set; `as_before` makes it as the last one, and changes it then."""

    def __init__(self, *, as_before: bool) -> None:
        self._as_before = as_before
        self._past: list[Sequence[int]] = []
        self._number = 100

    def __call__(self, prefix: Prefix, numbers: Sequence[int]) -> None:
        self._number += 1
        self._past = [*self._past, numbers] if self._as_before else [numbers]
        for each in self._past:
            members = "/".join(str(number + 1) for number in each)
            ip(f"nexthop replace id {self._number} group {members} {RESILIENT}")
        ip(f"route replace {prefix} nhid {self._number}")


def measure(prefix: Prefix, name: str, write: Write, gone: int, order: Sequence[int] = ALL) -> None:
    """Print what a next hop's leaving and coming moves, one line."""
    left = [number for number in order if number != gone]
    with Lookups() as lookups:
        flows = flows_to(prefix, FLOWS)
        ways: list[list[Way]] = []
        for numbers in (ALL, left, ALL):
            write(prefix, numbers)
            ways.append(lookups.ways(flows))
    before, without, after = ways
    lost = Counter(before).keys() - Counter(without).keys()
    survivors = [pair for pair in zip(before, without, strict=True) if pair[0] not in lost]
    moved = sum(old != new for old, new in survivors)
    came = [(old, new) for old, new in zip(without, after, strict=True) if old != new]
    astray = sum(new not in lost for _, new in came)
    print(
        f"| {name}, number {gone + 1} | {moved:,} of {len(survivors):,} ({moved / len(survivors):.0%}) "
        f"| {len(came):,} ({len(came) / FLOWS:.0%}), {astray:,} of them to another than the newcomer |"
    )


def measure_share(prefix: Prefix) -> None:
    """Print when a newcomer under load gets its share."""
    with Lookups() as lookups:
        flows = flows_to(prefix, FLOWS)
        timers = RESILIENT.replace("unbalanced_timer 300", "unbalanced_timer 1")
        in_place(timers)(prefix, ALL[:3])
        before = lookups.ways(flows)
        in_place(timers)(prefix, ALL)
        at_once = lookups.ways(flows)
        time.sleep(1.5)
        later = lookups.ways(flows)
    first = sum(old != new for old, new in zip(before, at_once, strict=True))
    moved = [(old, new) for old, new in zip(at_once, later, strict=True) if old != new]
    astray = sum(new in Counter(before) for _, new in moved)
    print(
        f"\nA newcomer where every bucket is in use: {first} flows at once; after unbalanced_timer "
        f"{len(moved):,} ({len(moved) / FLOWS:.0%}), {astray} of them to another than the newcomer."
    )


def run() -> None:
    """Both families."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNET):
        raise SystemExit("python -m bench flows needs root")
    hash_ports()
    ip("link set lo up")
    for number in ALL:
        ip(
            f"link add out{number} type veth peer name far{number}",
            f"link set far{number} up",
            f"link set out{number} up",
            f"addr add 192.0.{number}.2/24 dev out{number}",
            f"addr add 2001:db8:{number}::2/64 dev out{number} nodad",
        )
    for prefix in PREFIXES:
        print(f"\n{prefix.family.label}\n\n| way, who leaves and comes | survivors moved, 4→3 | moved, 3→4 |")
        print("|---|---|---|")
        ip(*(f"nexthop replace id {number + 1} {gateway(prefix, number)}" for number in ALL))
        for gone in (0, 1, 3):
            measure(prefix, "RTA_MULTIPATH", legacy, gone)
        measure(prefix, "RTA_MULTIPATH in another order", legacy, 3, (2, 1, 0, 3))
        ways: dict[str, Callable[[], Write]] = {
            "plain group in place": lambda: in_place(""),
            "resilient group in place": lambda: in_place(RESILIENT),
            "another resilient group": lambda: AnotherGroup(as_before=False),
            "another, made as the one before": lambda: AnotherGroup(as_before=True),
        }
        for name, make in ways.items():
            for gone in (0, 1, 3):
                measure(prefix, name, make(), gone)
                ip(f"route del {prefix}", "nexthop flush groups")
                ip(*(f"nexthop replace id {number + 1} {gateway(prefix, number)}" for number in ALL))
        measure_share(prefix)
        ip("nexthop flush")
