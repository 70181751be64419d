"""`felixbgp node diags`: everything that helps to find a fault, in one archive."""

import io
import os
import socket
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from felixbgp.cli.collectors import CannotCollectError, Gathered, from_etcd, local_collectors
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import run_with_store
from felixbgp.cli.table import printable
from felixbgp.runtime.settings import AgentSettings, load, node_name
from felixbgp.runtime.settings_file import SettingsError

_SECRET_CHARACTERS_MIN = 4
"""Shorter ones are in every text by chance."""
_BLOT = b"(removed)"


@click.command()
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where to put the archive; here unless given.",
)
@click.option(
    "--unit", default="felixbgp", show_default=True, help="The agent's unit in systemd, for its journal."
)
@etcd_options
def diags(output_dir: Path, unit: str, **given: Any) -> None:
    """Gather what helps to find a fault on this node into one archive, FILE.tar.gz.

    It needs no agent and no etcd; what cannot be had is named and left out. As root it sees more. Passwords
    and keys are not in it, but addresses, names and routes are: look before you send it to others.

    \b
    Examples:
      felixbgp node diags
      felixbgp node diags --output-dir /tmp
    """  # noqa: D301 - \b tells click not to wrap
    node = _node(given)
    stem = f"felixbgp-diags-{node}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    path = output_dir / f"{stem}.tar.gz"
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with _finished(path) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            failed = _gather_into(archive, stem, _sources(node, unit, given), _secrets(given))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    click.echo(f"\nDiags saved to {path.resolve()}{f'; {failed} could not be had' if failed else ''}")


def _gather_into(
    archive: tarfile.TarFile,
    stem: str,
    sources: Iterable[Callable[[], list[Gathered]]],
    secrets: Sequence[bytes],
) -> int:
    """Fill the archive, telling each file; the number of those that could not be had."""
    failed = 0
    told: list[str] = []
    for source in sources:
        for gathered in source():
            line = printable(str(gathered))
            click.echo(line)
            told.append(line)
            if gathered.content is None:
                failed += 1
            else:
                _add(archive, f"{stem}/{gathered.name}", _blotted(gathered.content, secrets))
    _add(archive, f"{stem}/contents.txt", "".join(f"{line}\n" for line in told).encode())
    return failed


def _sources(node: str, unit: str, given: dict[str, Any]) -> Iterable[Callable[[], list[Gathered]]]:
    for collector in local_collectors(unit, partial(_agent_settings, given)):
        yield partial(_collected, collector.name, collector.collect)
    yield partial(_from_etcd, node, given)


def _collected(name: str, collect: Callable[[], bytes]) -> list[Gathered]:
    try:
        return [Gathered(name, collect())]
    except (CannotCollectError, OSError) as error:
        return [Gathered(name, None, str(error))]


def _from_etcd(node: str, given: dict[str, Any]) -> list[Gathered]:
    try:
        return run_with_store(etcd_settings(given), partial(from_etcd, node))
    except click.ClickException as error:
        return [Gathered("etcd", None, error.message)]


def _node(given: dict[str, Any]) -> str:
    """This node's name; the host's own when the settings are of no use, which is a reason to look."""
    try:
        return node_name({}, os.environ, given.get("config"))
    except SettingsError:
        return (
            "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter in "-.")
            or "unknown"
        )


def _agent_settings(given: dict[str, Any]) -> AgentSettings:
    try:
        return load({}, os.environ, given.get("config"))
    except SettingsError as error:
        raise CannotCollectError(str(error)) from error


def _secrets(given: dict[str, Any]) -> list[bytes]:
    """What must not be in the archive, as far as we are told it ourselves."""
    try:
        etcd = etcd_settings(given)
    except click.ClickException:
        return []
    return [text.encode() for text in (etcd.password, etcd.key_pem) if len(text) >= _SECRET_CHARACTERS_MIN]


def _blotted(content: bytes, secrets: Sequence[bytes]) -> bytes:
    for secret in secrets:
        content = content.replace(secret, _BLOT)
    return content


@contextmanager
def _finished(path: Path) -> Iterator[io.BufferedWriter]:
    """A new file that only we can read, and that has its name once it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mtime = time.time()
    entry.mode = 0o600
    archive.addfile(entry, io.BytesIO(content))
