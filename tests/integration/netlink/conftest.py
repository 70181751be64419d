"""A network namespace of the test's own, which vanishes with it, and a Kernel that runs in it."""

import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
import trio

from felixbgp.fib.fib import Fib
from felixbgp.fib.types import KernelEffect, KernelInput, KernelRouteChanged
from felixbgp.net import Prefix
from felixbgp.runtime.netlink.kernel import Kernel

CLONE_NEWNET = 0x40000000
HOME_THREADS = 4
PROTOCOL, METRIC = 179, 1024
MARKERS = count()
"""Of two who listen in one namespace, each must know its own."""
Wanted = TypeVar("Wanted")

libc = ctypes.CDLL(None, use_errno=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/netlink" in str(item.path):
            item.add_marker(pytest.mark.root)


def call(function: Callable[..., int], *arguments: int) -> None:
    if function(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def ip(command: str) -> str:
    return subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True).stdout


def ip_batch(commands: Iterable[str], *flags: str) -> None:
    subprocess.run(["ip", *flags, "-batch", "-"], input="\n".join(commands), check=True, text=True)


def threads_of_home() -> ThreadPoolExecutor:
    """Threads that all began before any namespace was entered."""
    pool, all_there = ThreadPoolExecutor(HOME_THREADS), Barrier(HOME_THREADS)
    for begun in [pool.submit(all_there.wait) for _ in range(HOME_THREADS)]:
        begun.result()
    return pool


POOL = threads_of_home()


@pytest.fixture(autouse=True)
def home_threads() -> Iterator[None]:
    """Have no thread begin in a namespace.

    trio keeps its threads for a while, and one that began in a namespace stays in it: whoever used it next,
    in another test, would be there and not know it. The patch is not the test's own `monkeypatch`, which the
    test may undo.
    """

    async def run_sync(function: Callable[..., object], *arguments: object, **_: object) -> object:
        token, done = trio.lowlevel.current_trio_token(), trio.Event()
        future = POOL.submit(function, *arguments)
        future.add_done_callback(lambda _: token.run_sync_soon(done.set))
        with trio.CancelScope(shield=True):
            await done.wait()
        return future.result()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.to_thread, "run_sync", run_sync)
        yield


def networks_of_threads() -> set[Path]:
    """Where this process is: with a thread that was left behind in a namespace, more than one place."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # It has ended meanwhile.
            found.add((thread / "ns/net").readlink())
    return found


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    """This thread in a namespace without a name: eth0 with addresses, its other end eth1, both up."""
    with Path("/proc/thread-self/ns/net").open("rb") as home:
        call(libc.unshare, CLONE_NEWNET)
        try:
            ip_batch(
                [
                    "link set lo up",
                    "link add eth0 type veth peer name eth1",
                    # Link-local addresses come when they like, and tests count what they hear.
                    "link set eth0 addrgenmode none",
                    "link set eth1 addrgenmode none",
                    "link set eth1 up",
                    "link set eth0 up",
                    "addr add 192.0.2.2/24 dev eth0",
                    "addr add 2001:db8::2/64 dev eth0 nodad",
                    "addr add 198.51.100.2/24 dev eth1",
                    "addr add 2001:db8:1::2/64 dev eth1 nodad",
                ]
            )
            yield
        finally:
            call(libc.setns, home.fileno(), CLONE_NEWNET)
            assert networks_of_threads() == {Path("/proc/thread-self/ns/net").readlink()}


class Inbox:
    """What was delivered; a test takes it in order."""

    def __init__(self) -> None:
        self.waiting: list[KernelInput] = []
        self.deliveries = 0
        self._arrived = trio.Event()

    def deliver(self, events: Iterable[KernelInput]) -> None:
        self.waiting += events
        self.deliveries += 1
        self._arrived.set()

    async def until(self, wanted: Callable[[KernelInput], bool]) -> list[KernelInput]:
        """Everything up to the first that is wanted; what follows it stays."""
        looked_at = 0
        with trio.fail_after(30):
            while True:
                for position in range(looked_at, len(self.waiting)):
                    if wanted(self.waiting[position]):
                        taken, self.waiting = self.waiting[: position + 1], self.waiting[position + 1 :]
                        return taken
                looked_at = len(self.waiting)
                self._arrived = trio.Event()
                await self._arrived.wait()

    async def next(self, kind: type[Wanted]) -> Wanted:
        """The next of this kind."""
        found = (await self.until(lambda event: isinstance(event, kind)))[-1]
        assert isinstance(found, kind)
        return found


@asynccontextmanager
async def running(table: int = 254, taken_over: Sequence[int] = ()) -> AsyncIterator[tuple[Kernel, Inbox]]:
    """A Kernel that has delivered its first view, and the inbox with it."""
    inbox = Inbox()
    with closing(Kernel(PROTOCOL, table, taken_over)) as kernel:
        async with trio.open_nursery() as nursery:
            await nursery.start(kernel.run, inbox.deliver)
            yield kernel, inbox
            nursery.cancel_scope.cancel()


def is_event_of(prefix: Prefix) -> Callable[[KernelInput], bool]:
    return lambda event: isinstance(event, KernelRouteChanged) and event.route.prefix == prefix


async def all_heard(inbox: Inbox) -> list[KernelInput]:
    """Everything delivered up to a route of somebody else, added now."""
    marker = Prefix.parse(f"203.0.113.{next(MARKERS) % 256}/32")
    ip(f"route add blackhole {marker} metric 7")
    heard = (await inbox.until(is_event_of(marker)))[:-1]
    ip(f"route del blackhole {marker} metric 7")
    # What came between the two is not to be lost, either.
    return heard + (await inbox.until(is_event_of(marker)))[:-1]


def read_all(fib: Fib) -> None:
    """Believe what was fed, as the agent does step by step."""
    while fib.is_reading:
        fib.read_on()


async def settle(fib: Fib, kernel: Kernel, inbox: Inbox) -> int:
    """Feed the fib and carry out what it asks for until it asks for nothing; gives how much that was."""
    written = 0
    while True:
        for event in inbox.waiting:
            fib.feed(event, 0)
        inbox.waiting.clear()
        read_all(fib)
        effects: list[KernelEffect] = [*fib.replacements(0, 1000), *fib.deletions(0, 1000)]
        if not effects:
            return written
        for effect in effects:
            written += len(effect.routes)
            inbox.deliver(await kernel.apply(effect))
