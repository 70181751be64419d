"""The directory of secrets: read what resources refer to, and again whenever it changes.

    ReadSecretFiles ─► want ─┐
    inotify, then quiet ─────┼─► read every wanted file ─► SecretFilesRead, when it is news
    every AUDIT_SECONDS ─────┘

Written for both ways such a directory comes about: mounted by Kubernetes, where a symbolic link is swapped
for each update, and filled by a deployment tool, file by file. Nothing is read but wanted names.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import trio
from inotify_simple import INotify, flags

from felixbgp.agent.inputs import Input
from felixbgp.cluster.inputs import SecretFilesRead
from felixbgp.cluster.secrets import CONTENT_OCTETS_MAX, SecretFile, SecretId

AUDIT_SECONDS: Final = 15.0
"""How long a change may go unseen where inotify is blind: a directory that was not there, a mount over it, a
link out of it, or no inotify left on this host. Reading some small files costs nothing."""
QUIET_SECONDS: Final = 0.2
"""A change is looked at when nothing moved for so long: a file that is being written anew is empty for a
moment, and that would end a session."""
QUIET_SECONDS_MAX: Final = 2.0
"""And after this at the latest, however much moves."""

_CHANGES: Final = (
    flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.CLOSE_WRITE
    | flags.ATTRIB
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
)


class SecretFiles:
    """Follows the files of the wanted secrets in one directory."""

    def __init__(self, directory: Path, deliver: Callable[[Iterable[Input]], None]) -> None:
        self._directory = directory
        self._deliver = deliver
        self._wanted: tuple[SecretId, ...] = ()
        self._told: SecretFilesRead | None = None
        self._wake = trio.Event()

    def want(self, secrets: tuple[SecretId, ...]) -> None:
        """Tell of exactly these from now on."""
        self._wanted = secrets
        self._told = None
        self._wake.set()

    async def run(self) -> None:
        """Deliver what the directory holds, for ever."""
        while True:
            self._wake = trio.Event()
            if not self._wanted:
                await self._wake.wait()
                continue
            with _watch(self._directories()) as notices:
                await self._read()
                await self._wait_for_change(notices)

    def _directories(self) -> list[Path]:
        names = dict.fromkeys(secret.name for secret in self._wanted if not secret.fault())
        return [self._directory, *(self._directory / name for name in names)]

    async def _read(self) -> None:
        wanted = self._wanted
        files = await trio.to_thread.run_sync(read_files, self._directory, wanted, abandon_on_cancel=True)
        if wanted == self._wanted:
            self._tell(SecretFilesRead(str(self._directory), files))

    def _tell(self, read: SecretFilesRead) -> None:
        if read != self._told:
            self._told = read
            self._deliver([read])

    async def _wait_for_change(self, notices: INotify | None) -> None:
        """Until other secrets are wanted, a directory changed and is quiet, or the next audit is due."""
        with trio.move_on_after(AUDIT_SECONDS):
            async with trio.open_nursery() as nursery:
                if notices is not None:
                    nursery.start_soon(_wait_for_quiet, notices, nursery.cancel_scope)
                await self._wake.wait()
                nursery.cancel_scope.cancel()


async def _wait_for_quiet(notices: INotify, done: trio.CancelScope) -> None:
    """Cancel the scope once something changed and then nothing did for a while."""
    await trio.lowlevel.wait_readable(notices)
    with trio.move_on_after(QUIET_SECONDS_MAX):
        moving = True
        while moving:
            notices.read(timeout=0)
            with trio.move_on_after(QUIET_SECONDS) as quiet:
                await trio.lowlevel.wait_readable(notices)
            moving = not quiet.cancelled_caught
    done.cancel()


@contextmanager
def _watch(directories: Iterable[Path]) -> Iterator[INotify | None]:
    """Notices of changes in those of the directories that can be watched; None when the host has none left.

    Made anew for every look: what a name stands for may be another directory by then.
    """
    try:
        notices = INotify()
    except OSError:
        yield None
        return
    with closing(notices):
        for directory in directories:
            try:
                notices.add_watch(directory, _CHANGES)
            except OSError:
                continue  # It is not there, or not for us to read: the audit finds it when it comes.
        yield notices


def read_files(directory: Path, secrets: Iterable[SecretId]) -> tuple[SecretFile, ...]:
    """What the directory holds for each secret; one with a name that is none is not looked for."""
    return tuple(
        SecretFile(secret) if secret.fault() else _read_file(directory, secret) for secret in secrets
    )


def _read_file(directory: Path, secret: SecretId) -> SecretFile:
    try:
        # Should it be a pipe, O_NONBLOCK keeps us from waiting for its writer.
        descriptor = os.open(directory / secret.name / secret.key, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return SecretFile(secret)
    except OSError as error:
        return SecretFile(secret, problem=_reason(error))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return SecretFile(secret, problem="is not a regular file")
        return SecretFile(secret, os.read(descriptor, CONTENT_OCTETS_MAX))
    except OSError as error:
        return SecretFile(secret, problem=_reason(error))
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
