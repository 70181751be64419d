"""The file of a journal: written while an agent runs, as far as there is room in it.

Written at once, without a thread: what the agent did last must be in it when it is killed. The system takes
it into memory, in microseconds; where it has none left, the loop waits for the disk, which the status shows
as a long step. Whoever records an agent knows that.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from felixbgp.journal.pseudonyms import KEY_OCTETS, Pseudonyms
from felixbgp.journal.recorder import Recorder
from felixbgp.journal.records import Ended, encode, is_bare
from felixbgp.runtime.telemetry import LOGGER

OCTETS_MAX: Final = 256 << 20
"""A journal has to begin with the agent, so that it ends when it is full. Seven million routes that come, go
into the kernel and on to a peer; or weeks of a small cluster at rest."""
BUFFER_OCTETS: Final = 1 << 16
FORMER: Final = ".1"
"""What the journal of the life before is renamed to: mostly it is the one that somebody wants to see.

One in which nothing is goes instead: a start that fails, again and again, shall not push out the last life.
"""


class JournalFile:
    """Takes the octets of one agent's journal; never raises once it is open."""

    def __init__(self, path: Path, octets_max: int = OCTETS_MAX) -> None:
        """Raises `OSError` for a file that cannot be made."""
        self._path = path
        self._octets_max = self._room = octets_max
        _put_aside(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = open(os.open(path, flags, 0o600), "wb", buffering=BUFFER_OCTETS)  # noqa: PTH123, SIM115
        self._is_open = True

    def write(self, octets: bytes) -> None:
        """Append a record, unless it is the one too many."""
        if not self._is_open:
            return
        if len(octets) > self._room:
            self._stop(f"it has no room for more than {self._octets_max} octets")
            return
        self._room -= len(octets)
        try:
            self._file.write(octets)
        except OSError as error:
            self._stop(error.strerror or str(error))

    def flush(self) -> None:
        """Hand over to the system what was written."""
        if self._is_open:
            try:
                self._file.flush()
            except OSError as error:
                self._stop(error.strerror or str(error))

    def close(self) -> None:
        """End the journal."""
        self.flush()
        if self._is_open:
            self._is_open = False
            self._file.close()

    def _stop(self, reason: str) -> None:
        """Say why nothing more is recorded, here and there."""
        self._is_open = False
        LOGGER.warning("the journal %s ends: %s", self._path, reason)
        with suppress(OSError):  # A disk that is full has no room for this either; it is closed all the same.
            self._file.write(encode(Ended(reason)))
        with suppress(OSError):
            self._file.close()


def _put_aside(path: Path) -> None:
    """Make room for a new file. Raises `OSError`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    # Whatever else is there is not opened: a pipe would have us wait for its writer.
    if stat.S_ISREG(mode) and _is_bare(path):
        path.unlink()
    else:
        path.replace(path.with_name(path.name + FORMER))


def _is_bare(path: Path) -> bool:
    """Whether there is nothing in it; what cannot be read may be anything."""
    try:
        with path.open("rb") as file:
            return is_bare(file)
    except OSError:
        return False


def open_journal(path: Path) -> JournalFile | None:
    """A file for a new journal; None where none can be made, which the log says."""
    try:
        file = JournalFile(path)
    except OSError as error:
        LOGGER.warning("no journal is written (journal): %s: %s", path, error.strerror)
        return None
    LOGGER.info("everything is recorded in %s", path)
    return file


def recorder_of(file: JournalFile, wall_offset_ns: int | None = None) -> Recorder:
    """A recorder that writes there, with other names for passwords. `wall_offset_ns`: see `Began`."""
    pseudonyms = Pseudonyms(secrets.token_bytes(KEY_OCTETS))
    return Recorder(file.write, pseudonyms, file.flush, wall_offset_ns)
