"""Journals on this host: which files are some, whose they are, and in which order they were written."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import click

from felixbgp.journal.records import Began, Called, Fed, JournalError, read
from felixbgp.runtime.journal_file import FORMER
from felixbgp.runtime.settings import JOURNAL, journal_file
from felixbgp.runtime.settings_file import SettingsError

_FAMILY = b"felixbgp journal "


class Journal(NamedTuple):
    """One life of an agent. `begins` is nanoseconds since 1970, or of a clock that is nobody's."""

    path: Path
    node: str
    wall_offset_ns: int | None
    begins: int


def paths_of(given: Sequence[Path], config: Path | None) -> list[Path]:
    """The files that were given, those in folders that were, or the two of this host's agent."""
    if not given:
        return _own(config)
    found: list[Path] = []
    for path in given:
        try:
            found += sorted(filter(_is_journal, path.iterdir())) if path.is_dir() else [path]
        except OSError as error:
            raise click.ClickException(f"{path}: {error.strerror}") from error
    return list(dict.fromkeys(found))


def look_at(paths: Iterable[Path], faults: list[str]) -> list[Journal]:
    """What each of them is, in the order of their beginnings; why some are none goes to `faults`."""
    found: list[Journal] = []
    for path in paths:
        try:
            found.append(_look(path))
        except JournalError as error:
            faults.append(f"{path}: {error}")
        except OSError as error:
            faults.append(f"{path}: {error.strerror or error}")
    return sorted(found, key=lambda journal: (journal.begins, str(journal.path)))


def _own(config: Path | None) -> list[Path]:
    try:
        path = journal_file(os.environ, config)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if path is None:
        raise click.ClickException(
            f"the agent of this host is not recorded ({JOURNAL.variable}, or `{JOURNAL.name}` in its file of "
            "settings); give the journals"
        )
    former = path.with_name(path.name + FORMER)
    return [former, path] if former.exists() else [path]


def _is_journal(path: Path) -> bool:
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(_FAMILY)) == _FAMILY
    return False


def _look(path: Path) -> Journal:
    """Raises `JournalError` and `OSError`."""
    with path.open("rb") as file:
        records = read(file)
        began = next(records)
        if not isinstance(began, Began):
            raise JournalError("it does not begin")
        try:
            first = next((one for one in islice(records, 10) if isinstance(one, Fed | Called)), None)
        except JournalError:
            # Whoever reads all of it will say so.
            first = None
    begins = (began.wall_offset_ns or 0) + (0 if first is None else first.now)
    return Journal(path, began.config.node, began.wall_offset_ns, begins)
