"""The process behind `lab.probes`: one UDP packet a millisecond to every other endpoint, and who came.

    parent ── one line of JSON: who we are, whom to send to, when it begins ──▶ stdin
    stdout ──▶ "ready": from everybody a hundred packets in a row
    parent ── "mark" ──▶ what follows is told in `report`; numbers are told of all
    parent ── "stop" ──▶ nothing more is sent; what is on its way is received
    parent ── "count" ──▶ one line of JSON (`report`), and the end

Packet number n of every pair is due n milliseconds after the common beginning, so a number is a time. A
sender that was not scheduled catches up: its packets are late and not lost. It must lose nothing itself, so
it has a large buffer, asks for a real-time priority, and says what its own sockets dropped.

    python -m felixbgp.lab.prober
"""

import contextlib
import gc
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from felixbgp.lab import netns

PORT: Final = 4179
"""In the endpoints' namespaces, where nobody else is."""
INTERVAL_NS: Final = 1_000_000
PACKET: Final = struct.Struct("!4sHBxIQ")
"""Mark, index of the sender, IP version, number, and when it was sent (nanoseconds of CLOCK_MONOTONIC)."""
MARK: Final = b"fbgp"
RECEIVE_OCTETS: Final = 64 << 20
"""A packet takes some 800 octets of it: four seconds of what twenty others send, should we be held up."""
BURST: Final = 16
"""Due packets of each pair sent before we look at what came: a sender that is late must not flood."""
IN_A_ROW: Final = 100
"""Packets without a gap after which a pair works."""
GROWTH: Final = 60_000
"""By how many packets the notes of who came grow: a minute."""
SO_MEMINFO: Final = 55
DROPS: Final = struct.Struct("9I")
"""The counters of SO_MEMINFO (linux/sock_diag.h); the last is SK_MEMINFO_DROPS."""


class Incoming:
    """What came from one endpoint in one family. A number counts once, however often it comes."""

    __slots__ = ("delay_ns_max", "duplicates", "highest", "in_a_row", "reordered", "seen")

    def __init__(self) -> None:
        self.seen = bytearray(GROWTH)
        self.highest = -1
        self.in_a_row = 0
        self.duplicates = 0
        self.reordered = 0
        self.delay_ns_max = 0

    def note(self, number: int, delay_ns: int) -> None:
        """Packet `number` came, so long after it was sent."""
        if number >= len(self.seen):
            self.seen.extend(bytes(number - len(self.seen) + GROWTH))
        if self.seen[number]:
            self.duplicates += 1
            return
        self.seen[number] = 1
        self.delay_ns_max = max(self.delay_ns_max, delay_ns)
        if number == self.highest + 1:
            self.in_a_row += 1
        elif number < self.highest:
            self.reordered += 1
            return
        else:
            self.in_a_row = 1
        self.highest = number

    def forget(self) -> None:
        """Begin anew with all that is no number."""
        self.duplicates = self.reordered = self.delay_ns_max = 0

    def ranges(self) -> list[tuple[int, int]]:
        """The numbers that came, as first and last of each row."""
        found, at = [], self.seen.find(1)
        while at >= 0:
            end = self.seen.find(0, at)
            end = len(self.seen) if end < 0 else end
            found.append((at, end - 1))
            at = self.seen.find(1, end)
        return found


class Prober:
    """One endpoint: its sockets, one for each family, and what it knows of all others."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.index: int = config["index"]
        self.begin_ns: int = config["begin_ns"]
        self.number = 0
        """Of the packet that is due next."""
        self.lag_ns_max = 0
        self.unsent: list[tuple[int, int, int]] = []
        """Index of the target, family and number of what could not be sent."""
        self._targets: list[tuple[int, int, socket.socket, tuple[str, int]]] = []
        self.incoming: dict[tuple[int, int], Incoming] = {}
        self._sockets: list[socket.socket] = []
        for version in config["families"]:
            opened = _open(config["namespace"], version)
            self._sockets.append(opened)
            for index, addresses in enumerate(config["addresses"]):
                if index != self.index:
                    self._targets.append((index, version, opened, (addresses[str(version)], PORT)))
                    self.incoming[index, version] = Incoming()

    def send(self, now: int) -> bool:
        """Send what is due, a burst at most; whether that was all of it."""
        due = (now - self.begin_ns) // INTERVAL_NS
        for _ in range(min(BURST, due - self.number + 1)):
            self.lag_ns_max = max(self.lag_ns_max, now - self.begin_ns - self.number * INTERVAL_NS)
            for index, version, opened, address in self._targets:
                packet = PACKET.pack(MARK, self.index, version, self.number, time.monotonic_ns())
                try:
                    opened.sendto(packet, address)
                except OSError:
                    self.unsent.append((index, version, self.number))
            self.number += 1
        return self.number > due

    def receive(self) -> None:
        """Take note of all that has come."""
        for opened in self._sockets:
            now = time.monotonic_ns()
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = opened.recv(64)
                    if len(data) != PACKET.size:
                        continue
                    mark, source, version, number, sent_ns = PACKET.unpack(data)
                    incoming = self.incoming.get((source, version))
                    if mark == MARK and incoming is not None:
                        incoming.note(number, now - sent_ns)

    def mark(self) -> None:
        """Begin anew with all that is no number."""
        self.lag_ns_max = 0
        for incoming in self.incoming.values():
            incoming.forget()

    def is_ready(self) -> bool:
        """Whether every pair works."""
        return all(incoming.in_a_row >= IN_A_ROW for incoming in self.incoming.values())

    def report(self) -> dict[str, Any]:
        """What was sent and what came, as JSON values."""
        return {
            "sent": self.number,
            "unsent": self.unsent,
            "lag_ms_max": self.lag_ns_max / 1e6,
            "dropped": sum(_drops(opened) for opened in self._sockets),
            "incoming": [
                {
                    "source": source,
                    "family": version,
                    "ranges": incoming.ranges(),
                    "duplicates": incoming.duplicates,
                    "reordered": incoming.reordered,
                    "delay_ms_max": incoming.delay_ns_max / 1e6,
                }
                for (source, version), incoming in self.incoming.items()
            ],
        }


def main() -> None:
    """Run until told to count, or until whoever started us is gone."""
    prober = Prober(json.loads(sys.stdin.readline()))
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    gc.disable()
    if _exchange(prober, until="stop", sends=True) and _exchange(prober, until="count", sends=False):
        _say(json.dumps(prober.report()))


def _exchange(prober: Prober, *, until: str, sends: bool) -> bool:
    """Send and receive until that word comes; False when nobody is there any more who could say it."""
    commands = select.poll()
    commands.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    ready = not sends
    while True:
        up_to_date = prober.send(time.monotonic_ns()) if sends else True
        prober.receive()
        if not ready and prober.is_ready():
            ready = True
            _say("ready")
        if commands.poll(0):
            word = sys.stdin.readline().strip()
            if word != "mark":
                return word == until
            prober.mark()
        if up_to_date:
            now = time.monotonic_ns()
            time.sleep((INTERVAL_NS - (now - prober.begin_ns) % INTERVAL_NS) / 1e9)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _open(namespace: str, version: int) -> socket.socket:
    with netns.inside(namespace):
        opened = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    opened.settimeout(0)
    if version == 6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    # The FORCE form may exceed the host's limit.
    opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), RECEIVE_OCTETS)
    opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), RECEIVE_OCTETS)
    opened.bind(("", PORT))
    return opened


def _drops(opened: socket.socket) -> int:
    counters = DROPS.unpack(opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, DROPS.size))
    return int(counters[-1])


if __name__ == "__main__":
    main()
