"""A reader that looks a route up as fast as it can, as packets do, and counts the answers.

    python -m tests.support.lookups ADDRESS COUNT

Each lookup connects a fresh UDP socket: the kernel then looks for a way to the destination and sends nothing.
The answer is the source address the kernel chose, which tells the interface, or the error. (RTM_GETROUTE will
not do: for IPv6 it says ENETUNREACH of a route that was found and is replaced before the answer is written.)

It ends after COUNT lookups and prints a dot for every round of `ADDRESSES` of them, then `Counted` as JSON.
To be run in the namespace whose routes are looked up.
"""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from errno import errorcode
from time import monotonic, process_time

import trio

from felixbgp.net import IPV4, Address

ADDRESSES = 32
"""The address and those after it, one after the other, so that each of several next hops has its turn."""
NOT_THERE = "ENETUNREACH"
"""What a packet finds when no route leads to its destination."""
DISCARD_PORT = 9


@dataclass
class Counted:
    """The answers, by source address or by the name of the error (a blackhole is EINVAL)."""

    answers: dict[str, int]
    seconds: float
    cpu_seconds: float

    @property
    def failures(self) -> int:
        return self.answers.get(NOT_THERE, 0)

    def __str__(self) -> str:
        lookups = sum(self.answers.values())
        each = ", ".join(f"{answer} {count}" for answer, count in sorted(self.answers.items()))
        return (
            f"{lookups} lookups in {self.seconds:.2f} s ({lookups / self.seconds:.0f} a second, "
            f"{self.cpu_seconds:.2f} s of CPU), {self.failures} failures: {each}"
        )


class Reader:
    """The process that looks up."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._descriptor = process.stdout.fileno()
        self._output = b""
        os.set_blocking(self._descriptor, False)

    async def whole_round(self) -> bool:
        """Wait until every address was looked up once more, from now on; False when it has ended instead."""
        self._read()
        # The first dot ends the round that has begun already.
        wanted = self._output.count(b".") + 2
        while self._output.count(b".") < wanted and b"\n" not in self._output:
            await trio.lowlevel.wait_readable(self._descriptor)
            self._read()
        return b"\n" not in self._output

    def counted(self) -> Counted:
        """Its counts, once it has ended."""
        return Counted(**json.loads(self._output.lstrip(b".")))

    def _read(self) -> None:
        with suppress(BlockingIOError):
            while octets := os.read(self._descriptor, 4096):
                self._output += octets


@contextmanager
def reading(address: str, count: int) -> Iterator[Reader]:
    """A reader in a process of its own, in this thread's namespace, for the length of a `with` block.

    It has a processor of its own where there are two: on one, nothing would be looked up while we write.
    """
    ours = os.sched_getaffinity(0)
    *others, last = sorted(ours)
    arguments = [sys.executable, "-m", "tests.support.lookups", address, str(count)]
    try:
        os.sched_setaffinity(0, {last})
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            os.sched_setaffinity(0, others or ours)
            try:
                yield Reader(process)
            finally:
                process.kill()
    finally:
        os.sched_setaffinity(0, ours)


def look_up(address: Address, count: int) -> Counted:
    """Look up until `count` is reached."""
    family = socket.AF_INET if address.family == IPV4 else socket.AF_INET6
    texts = [str(Address(address[:-1] + bytes((number,)))) for number in range(ADDRESSES)]
    answers: Counter[str] = Counter()
    started, cpu_started, done = monotonic(), process_time(), 0
    while done < count:
        answers.update(_answer(family, text) for text in texts)
        done += ADDRESSES
        os.write(sys.stdout.fileno(), b".")
    return Counted(dict(answers), monotonic() - started, process_time() - cpu_started)


def _answer(family: socket.AddressFamily, destination: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((destination, DISCARD_PORT))
        except OSError as error:
            return errorcode[error.errno or 0]
        return str(sock.getsockname()[0])


if __name__ == "__main__":
    counts = look_up(Address.parse(sys.argv[1]), int(sys.argv[2]))
    os.write(sys.stdout.fileno(), json.dumps(asdict(counts)).encode() + b"\n")
