"""The directory in which one agent keeps what it must know of when etcd is away.

    lock          held while an agent runs that writes here
    store         what the store held (`state_format`); for its owner alone, as it may have passwords
    alive.json    the agent that holds the lock: the document that stands in etcd under the leased key
    status.json   its last status: the document that stands in etcd beside it

A file is replaced as a whole or not at all. Whoever could write into the directory could tell the agent what
to do; so a file that others than root and ourselves may write is refused.
"""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Self

LOCK: Final = "lock"
STORE: Final = "store"
ALIVE: Final = "alive.json"
STATUS: Final = "status.json"
PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
"""What `felixbgp node status` shows to every user of the host."""
_FLOCK: Final = struct.Struct("hhqqi4x")
"""`struct flock` of fcntl(2) on 64-bit Linux: type, whence, start, length, pid."""
_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class StateDirectoryError(Exception):
    """What cannot be done with the directory or a file in it, and why."""


class StateDirectory:
    """Held by one agent, as long as it lives: the system lets go of the lock with the process."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def hold(cls, path: Path) -> Self:
        """Make the directory if need be, and lock it. Raises `StateDirectoryError`."""
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(path / LOCK, flags, PUBLIC)
        except OSError as error:
            raise StateDirectoryError(f"{path}: {error.strerror}") from error
        try:
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except OSError as error:
            os.close(lock)
            is_held = error.errno in (errno.EAGAIN, errno.EACCES)
            reason = "another agent uses it" if is_held else error.strerror
            raise StateDirectoryError(f"{path}: {reason}") from error
        return cls(path, lock)

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._lock)

    def write(self, name: str, pieces: Iterable[bytes], *, mode: int, lasting: bool) -> None:
        """Replace a file; a `lasting` one outlives a power failure. Raises `StateDirectoryError`."""
        new = self.path / f".{name}.new"
        try:
            self._write(new, pieces, mode, lasting=lasting)
            new.replace(self.path / name)
            if lasting:
                _sync(self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise StateDirectoryError(f"{self.path / name}: {error.strerror}") from error

    def _write(self, path: Path, pieces: Iterable[bytes], mode: int, *, lasting: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(path, flags, mode), "wb") as file:  # noqa: PTH123 - it is a descriptor
            os.fchmod(file.fileno(), mode)  # One that was left half written may have had another.
            file.writelines(pieces)
            file.flush()
            if lasting:
                os.fsync(file.fileno())


def is_held(path: Path) -> bool:
    """Whether an agent holds the directory now; the question does not disturb it."""
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(lock, fcntl.F_OFD_GETLK, asked)
    finally:
        os.close(lock)
    kind: int = _FLOCK.unpack(answer)[0]
    return kind != fcntl.F_UNLCK


def read_shown(path: Path, octets_max: int) -> bytes | None:
    """The same of a file that is only to be shown: the user that its directory belongs to may write it, too.

    That is the agent's, be it root or not (`StateDirectory=` of systemd), whoever we are.
    """
    try:
        found = path.parent.stat()
    except OSError:
        return read(path, octets_max)
    return read(path, octets_max, () if found.st_mode & _OF_OTHERS else (found.st_uid,))


def read(path: Path, octets_max: int, more_owners: Collection[int] = ()) -> bytes | None:
    """A file's content; None if it is not there. Raises `StateDirectoryError`.

    It must be root's, ours, or of one of `more_owners`.
    """
    try:
        # Should it be a pipe, O_NONBLOCK keeps us from waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateDirectoryError(f"{path}: {error.strerror}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - it is a descriptor
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise StateDirectoryError(f"{path}: it is not a regular file")
        if found.st_mode & _OF_OTHERS or found.st_uid not in (0, os.geteuid(), *more_owners):
            mode = stat.filemode(found.st_mode)
            raise StateDirectoryError(f"{path}: others may write it ({mode}, owner {found.st_uid})")
        try:
            content = file.read(octets_max + 1)
        except OSError as error:
            raise StateDirectoryError(f"{path}: {error.strerror}") from error
    if len(content) > octets_max:
        raise StateDirectoryError(f"{path}: it is longer than {octets_max} octets")
    return content


def _sync(directory: Path) -> None:
    """Have the directory's entry on the disk as well."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
