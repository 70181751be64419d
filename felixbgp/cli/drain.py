"""`felixbgp node drain` and `undrain`: take a node out of service without a lost packet, and back.

us ──► drains/<node>, "Announce" ──► the node: GRACEFUL_SHUTDOWN; the others: any other path, and who has none
    ◄── statuses: seen by all, needed by nobody, for a while
    ──► drains/<node>, "Withdraw" ──► the node announces nothing
    ◄── statuses: nobody has anything from it ──► safe to stop
"""

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any

import click
import trio

from felixbgp.cli.completion import complete_node
from felixbgp.cli.drain_proof import Proof, proof_of
from felixbgp.cli.drain_watch import Watched
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.origin import origin
from felixbgp.cli.outcome import say
from felixbgp.cli.store import NoAnswerError, NoStoreError, Put, Store, StoreError, run_with_store
from felixbgp.cli.table import printable
from felixbgp.cluster.drains import Drain, DrainPhase, drain_key
from felixbgp.runtime.etcd.watch import Batch
from felixbgp.status import drain_document

TIMEOUT_SECONDS = 300
"""For people who move workloads meanwhile."""
UNDRAIN_TIMEOUT_SECONDS = 30
SETTLE_SECONDS = 10
"""Behind those who tell are some who do not: clients of reflectors, routers. They hear of it in this time."""
SECONDS_MAX = 86_400
TOLD_EVERY_SECONDS = 1
"""What keeps a drain waiting is told as often, and not before: the statuses are on their way."""
LISTING_SECONDS = 60
"""1,000 statuses with 1,000 peers each are 365 MB."""


def _seconds(name: str, default: float, text: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}",
        type=click.FloatRange(min=0, max=SECONDS_MAX),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=text,
    )


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long to wait for a proof, for how long it has to hold, and whether to go on without one.

    `restarts` is whether the node's agent restarts and no more, so that what only the node has may stay.
    """

    timeout: float
    settle: float
    force: bool
    restarts: bool


@click.command()
@click.argument("name", metavar="NODE", shell_complete=complete_node)
@_seconds(
    "timeout", TIMEOUT_SECONDS, "How long to wait until nobody needs the node; then until all is withdrawn."
)
@_seconds(
    "settle", SETTLE_SECONDS, "For how long nobody must need it; routers that tell nothing follow meanwhile."
)
@click.option("--force", is_flag=True, help="After --timeout go on, whatever has no other path then.")
@click.option(
    "--restart", is_flag=True, help="Only its agent is to restart: what has no other path may stay on it."
)
@etcd_options
def drain(name: str, timeout: float, settle: float, force: bool, restart: bool, **given: Any) -> None:
    """Take NODE out of service: say when its agent, or the node, can be stopped and no packet is lost.

    The node announces everything with GRACEFUL_SHUTDOWN (RFC 8326), as a last resort. When the status of each
    of its peers says that all prefixes have another path, it withdraws everything. It stays drained, also
    when it restarts, until `felixbgp node undrain`. What only this node has, such as its workloads, keeps the
    drain waiting: move them first, or meanwhile.

    With --restart the node stays, and only its agent is to be started anew: what has another path has left it
    then, and what has none is kept by its peers while it restarts (RFC 4724). Nothing is withdrawn.

    Leaves with 0 when the node is safe to stop, and with 1 when it is not: the drain stays as far as it came,
    and the same command goes on with it.

    \b
    Examples:
      felixbgp node drain node-1
      felixbgp node drain node-1 --timeout 60 --force
      felixbgp node drain node-1 --restart
    """  # noqa: D301 - \b tells click not to wrap
    patience = _Patience(timeout, settle, force, restart)
    run_with_store(etcd_settings(given), partial(_drain, name, patience))


@click.command()
@click.argument("name", metavar="NODE", shell_complete=complete_node)
@_seconds("timeout", UNDRAIN_TIMEOUT_SECONDS, "How long to wait until the node's agent has seen it.")
@etcd_options
def undrain(name: str, timeout: float, **given: Any) -> None:
    """Put NODE back into service: it announces everything as before it was drained.

    Leaves with 0 when its agent does, or when the node was not drained.

    \b
    Example:
      felixbgp node undrain node-1
    """  # noqa: D301 - \b tells click not to wrap
    run_with_store(etcd_settings(given), partial(_undrain, name, timeout))


class _Session:
    """One command at work: what it follows, and what it told."""

    def __init__(self, store: Store, watched: Watched, batches: trio.MemoryReceiveChannel[Batch]) -> None:
        self.store = store
        self.watched = watched
        self._batches = batches
        self._told: dict[str, None] = {}
        self._obstacles: tuple[str, ...] = ()
        self._tell_at = trio.current_time() + TOLD_EVERY_SECONDS
        self._has_sent = False
        """Whether a drain of ours was written, or is on its way."""

    async def listen(self) -> None:
        """Wait for news."""
        self.watched.take(await self._batches.receive())

    def tell(self, *lines: str) -> None:
        """Say what was not said, or not so, before."""
        for line in lines:
            if line not in self._told:
                click.echo(f"{time.strftime('%H:%M:%S')} {printable(line)}", err=True)
        self._told = dict.fromkeys(lines)

    def warn(self, *lines: str) -> None:
        """Say what an operator should know."""
        for line in lines:
            click.echo(f"warning: {printable(line)}", err=True)

    def check_known(self) -> None:
        """Raise `StoreError` for a node of which nobody has heard."""
        if not self.watched.is_known:
            name = self.watched.node
            raise StoreError(
                f"there is no Node {name!r}, and no agent has published a status under that name"
            )

    def left_behind(self) -> str:
        """What becomes of the drain when the command ends now; nothing when there is none."""
        node = self.watched.node
        if self.watched.drain is not None:
            return _how_to_go_on(node)
        unknown = f"not known whether the drain was written; `felixbgp node undrain {node}` would end it"
        return unknown if self._has_sent else ""

    async def write(self, wanted: Drain) -> None:
        """Make this the drain, unless somebody else wrote it meanwhile. Raises `StoreError`."""
        watched = self.watched
        self._has_sent = True
        put = Put(drain_key(watched.node), drain_document.encode(wanted), watched.drain_revision)
        if not await self.store.put_unchanged([put]):
            raise StoreError(f"{_CHANGED} {watched.node} meanwhile; nothing was written")
        # Its event need not come: etcd may tell of it together with what somebody wrote over it.
        stored = await self.store.get(put.key)
        while stored is not None and watched.drain_heard < stored.revision:
            await self.listen()
        if stored is None or not self._is(wanted):
            raise StoreError(f"{_CHANGED} {watched.node} meanwhile")

    async def prove(self, wanted: Drain, seconds: float, proven: str, *, restarts: bool) -> None:
        """Wait until nothing keeps this phase waiting, and that for `seconds`; never ends without.

        `proven` is what to say when it begins to be so. What has no other path has to be the same all the
        time: on its way to one it is not kept yet.
        """
        while True:
            proof = self._judge(wanted, restarts=restarts)
            if proof.holds:
                self.tell(proven)
                self.warn(*(f"{peer} tells no status: nothing is proved of it" for peer in proof.unproven))
            with trio.move_on_after(seconds if proof.holds else inf) as settling:
                while _equal(proof, self._judge(wanted, restarts=restarts)):
                    await self._listen_and_tell()
            if settling.cancelled_caught:
                self.warn(*(f"{line}; it is kept" for line in proof.kept))
                return

    def _judge(self, wanted: Drain, *, restarts: bool) -> Proof:
        """The proof of now. Raises `StoreError` when it is another drain now."""
        watched = self.watched
        if watched.lost:
            proof = Proof((f"etcd does not answer: {watched.lost}",), ())
        elif not self._is(wanted):
            raise StoreError(f"{_CHANGED} {watched.node} meanwhile")
        else:
            proof = proof_of(watched.scene(wanted), restarts=restarts)
        self._obstacles = proof.obstacles
        return proof

    async def _listen_and_tell(self) -> None:
        """Wait for news, or until it is time to tell what keeps the drain waiting."""
        with trio.move_on_at(self._tell_at):
            await self.listen()
        if trio.current_time() >= self._tell_at:
            self._tell_at = trio.current_time() + TOLD_EVERY_SECONDS
            if self._obstacles:
                self.tell(*self._obstacles)

    def _is(self, wanted: Drain) -> bool:
        found = self.watched.drain
        return found is not None and (found.id, found.phase) == (wanted.id, wanted.phase)


def _equal(one: Proof, other: Proof) -> bool:
    """Whether both allow the same: what keeps them from it may differ."""
    return (one.holds, one.kept) == (other.holds, other.kept)


@contextmanager
def _told_when_broken_off(told: Callable[[], str]) -> Iterator[None]:
    """Say what is left behind in etcd when somebody interrupts the command, or etcd does not answer it.

    Both may be one: an interrupt that comes while we read from etcd ends the connection, before it gets here.
    """
    try:
        yield
    except (KeyboardInterrupt, trio.Cancelled, NoAnswerError, NoStoreError):
        if text := told():
            click.echo(f"error: {printable(text)}", err=True)
        raise


_CHANGED = "somebody else changed the drain of"


async def _drain(node: str, patience: _Patience, store: Store) -> None:
    async with _following(node, store) as session:
        session.check_known()
        if session.watched.own.alive is None:
            raise StoreError(f"the agent of {node} is not running: nobody can announce anything for it")
        with _told_when_broken_off(session.left_behind):
            result = await _lead(session, patience)
    say(f"{node}: {result}")


async def _lead(session: _Session, patience: _Patience) -> str:
    """Write each phase and wait for its proof; gives what can be done then. Raises `StoreError`."""
    node, wanted = session.watched.node, session.watched.drain
    if wanted is None:
        wanted = Drain(str(uuid.uuid4()), DrainPhase.ANNOUNCE, _now_ms(), origin())
        await session.write(wanted)
    if wanted.phase is DrainPhase.ANNOUNCE:
        session.tell(f"{node} announces everything with GRACEFUL_SHUTDOWN")
        what = "everything that can have one" if patience.restarts else "everything"
        proven = f"{what} has another path than {node}; {patience.settle:g} s more"
        await _wait(session, wanted, patience, proven)
        if patience.restarts:
            return "its agent can be restarted"
        wanted = replace(wanted, phase=DrainPhase.WITHDRAW)
        await session.write(wanted)
    session.tell(f"{node} withdraws everything")
    patience = replace(patience, settle=0, restarts=False)
    await _wait(session, wanted, patience, f"nobody has anything from {node}")
    return "safe to stop"


async def _wait(session: _Session, wanted: Drain, patience: _Patience, proven: str) -> None:
    """Wait for the proof of a phase. Raises `StoreError` when it does not come, unless that is forced."""
    with trio.move_on_after(patience.timeout + patience.settle):
        await session.prove(wanted, patience.settle, proven, restarts=patience.restarts)
        return
    node, lost = session.watched.node, session.watched.lost
    proof = proof_of(session.watched.scene(wanted), restarts=patience.restarts)
    left = (f"etcd does not answer: {lost}",) if lost else proof.obstacles
    if patience.force and not lost:
        session.warn(*(f"by --force, though {line}" for line in left))
        return
    left = left or (f"it has not been proved for {patience.settle:g} s",)
    raise StoreError("\n".join([f"{node} is not safe to stop:", *map(printable, left), _how_to_go_on(node)]))


def _how_to_go_on(node: str) -> str:
    return (
        f"the drain stays: go on with `felixbgp node drain {node}`, with --force whatever that costs, "
        f"or end it with `felixbgp node undrain {node}`"
    )


async def _undrain(node: str, seconds: float, store: Store) -> None:
    async with _following(node, store) as session:
        watched = session.watched
        if not watched.drain_revision:
            session.check_known()
            click.echo(f"{node} is not drained")
            return
        with _told_when_broken_off(lambda: _ended(watched)):
            result = await _end(session, seconds)
    say(result)


async def _end(session: _Session, seconds: float) -> str:
    """Delete the drain and wait for the agent; gives what became of it. Raises `StoreError`."""
    watched, node = session.watched, session.watched.node
    key = drain_key(node)
    if not await session.store.delete([key], revisions={key: watched.drain_revision}):
        raise StoreError(f"somebody else wrote {key} meanwhile; nothing was done")
    if watched.own.alive is None:
        return f"{node} is not drained any more; its agent is not running"
    with trio.move_on_after(seconds):
        while watched.drain_revision or _is_drained(watched):
            await session.listen()
        return f"{node} announces everything again"
    raise StoreError(_undrained(node, f"within {seconds:g} s"))


def _ended(watched: Watched) -> str:
    """How far it is when somebody interrupts the command."""
    if watched.drain_revision:
        return f"not known whether the drain of {watched.node} has ended"
    return _undrained(watched.node, "yet")


def _undrained(node: str, when: str) -> str:
    return (
        f"{node} is not drained any more, but its agent has not said so {when}; "
        f"`felixbgp node status {node}` shows when it does"
    )


def _is_drained(watched: Watched) -> bool:
    status = watched.own.status
    return status is not None and status.drained is not None


@asynccontextmanager
async def _following(node: str, store: Store) -> AsyncIterator[_Session]:
    """A session that knows what there is. Raises `StoreError` when etcd does not tell."""
    # A request of its own ends, with a reason, where etcd cannot be reached; to follow goes on for ever.
    await store.get(drain_key(node))
    watched = Watched(node)
    async with store.following(watched.prefixes) as batches:
        session = _Session(store, watched, batches)
        with trio.move_on_after(LISTING_SECONDS):
            while not watched.is_listed:
                await session.listen()
        if not watched.is_listed:
            raise StoreError(f"etcd has not told all within {LISTING_SECONDS} s: {watched.lost}")
        yield session


def _now_ms() -> int:
    return time.time_ns() // 1_000_000 * 1_000_000
