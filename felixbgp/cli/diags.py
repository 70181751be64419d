"""`felixbgp diags`, or `felixbgp node diags`: everything that helps to find a fault, in one archive."""

import io
import json
import os
import socket
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import click

from felixbgp import __version__
from felixbgp.cli.agent_collectors import agent_collectors
from felixbgp.cli.blotting import KEY_OCTETS_MAX, RULES, Blotter
from felixbgp.cli.collectors import (
    CannotCollectError,
    Gathered,
    from_etcd,
    local_collectors,
    secrets_in_etcd,
)
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, run_with_store
from felixbgp.cli.table import printable
from felixbgp.runtime.core import core_form
from felixbgp.runtime.settings import KEY, PASSWORD, SECRETS_DIR, AgentSettings, load, node_name
from felixbgp.runtime.settings_file import SettingsError

SECONDS_MAX = 300.0
"""After which nothing more is gathered; what is under way then has a limit of its own."""
BYTES_MAX = 512 << 20
"""The same, of what is gathered; packed it is a tenth."""
SECRET_FILES_MAX = 10_000
_REMOVED = (
    "passwords and keys of the settings are told as set or not set",
    "passwords in etcd (/felixbgp/v1/secrets/) and in the directory of secrets are not gathered",
    "TCP MD5 keys of sockets are not asked for",
    "known secrets are blotted out, also in base64, hexadecimal, URLs, JSON and Python's form",
)


class Source(NamedTuple):
    """What gives files, and how it is called where there is no room for it any more."""

    name: str
    gather: Callable[[], list[Gathered]]


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
    and keys are not in it, and manifest.json says what was removed; but addresses, names and routes are in
    it: look before you send it to others.

    \b
    Examples:
      felixbgp diags --output-dir /tmp
      felixbgp node diags
    """  # noqa: D301 - \b tells click not to wrap
    node = _node(given)
    stem = f"felixbgp-diags-{node}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    path = output_dir / f"{stem}.tar.gz"
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with _finished(path) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            # First, since what is secret there is to be removed from everything.
            etcd, secrets = _from_etcd(node, given)
            bundle = _Bundle(archive, stem, Blotter([*_secrets(given), *secrets]))
            bundle.fill(_sources(unit, given, etcd))
            bundle.finish(node)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    click.echo(
        f"\nDiags saved to {path.resolve()}{f'; {bundle.failed} could not be had' if bundle.failed else ''}"
    )


class _Bundle:
    """The archive as it is filled: what goes in, what was removed of it, and when it is enough."""

    def __init__(self, archive: tarfile.TarFile, stem: str, blotter: Blotter) -> None:
        self._archive = archive
        self._stem = stem
        self._blotter = blotter
        self._began = time.monotonic()
        self._bytes = 0
        self._told: list[str] = []
        self._files: list[dict[str, object]] = []
        self.failed = 0

    def fill(self, sources: Iterable[Source]) -> None:
        """Gather, telling each file."""
        for source in sources:
            began = time.monotonic()
            full = self._full()
            found = [Gathered(source.name, None, full)] if full else source.gather()
            for gathered in found:
                self._take(gathered, time.monotonic() - began)

    def finish(self, node: str) -> None:
        """Say what is in the archive, and what is not."""
        self._add("contents.txt", "".join(f"{line}\n" for line in self._told).encode())
        manifest = {
            "node": node,
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "felixbgp": __version__,
            "core": core_form(),
            "seconds": round(time.monotonic() - self._began, 1),
            "removed": {
                "places": sum(int(str(file.get("removed", 0))) for file in self._files),
                "knownSecrets": self._blotter.secret_count,
                "rules": [*_REMOVED, *(f"{rule}, whoever's they are" for rule in RULES)],
            },
            "files": self._files,
        }
        self._add("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n")

    def _full(self) -> str:
        """Why nothing more is gathered; "" while there is room."""
        if time.monotonic() - self._began > SECONDS_MAX:
            return f"left out: the others have taken {SECONDS_MAX:g} s"
        if self._bytes > BYTES_MAX:
            return f"left out: the others have {BYTES_MAX >> 20} MiB"
        return ""

    def _take(self, gathered: Gathered, seconds: float) -> None:
        told, removed = self._blotter.blot(printable(str(gathered)).encode())
        content: bytes | None = None
        if gathered.content is not None:
            content, removed = self._blotter.blot(gathered.content)
        line = told.decode()
        click.echo(line)
        self._told.append(line)
        file: dict[str, object] = {"name": gathered.name, "seconds": round(seconds, 2), "removed": removed}
        if content is None:
            self.failed += 1
            file["failed"] = self._blotter.blot(gathered.reason.encode())[0].decode()
        else:
            file["bytes"] = len(content)
            self._bytes += len(content)
            self._add(gathered.name, content)
        self._files.append(file)

    def _add(self, name: str, content: bytes) -> None:
        _add(self._archive, f"{self._stem}/{name}", content)


def _sources(unit: str, given: dict[str, Any], etcd: Sequence[Gathered]) -> Iterator[Source]:
    settings = partial(_agent_settings, given)
    for collector in (*local_collectors(unit, settings), *agent_collectors(settings)):
        yield Source(collector.name, partial(_collected, collector.name, collector.collect))
    yield Source("etcd", lambda: list(etcd))


def _collected(name: str, collect: Callable[[], bytes]) -> list[Gathered]:
    try:
        return [Gathered(name, collect())]
    except (CannotCollectError, OSError) as error:
        return [Gathered(name, None, str(error))]


def _from_etcd(node: str, given: dict[str, Any]) -> tuple[list[Gathered], list[bytes]]:
    """What stands in etcd, and which secrets, which are for the blotter alone."""

    async def read(store: Store) -> tuple[list[Gathered], list[bytes]]:
        files = await from_etcd(node, store)
        return files, [] if files[-1].content is None else await secrets_in_etcd(store)

    try:
        return run_with_store(etcd_settings(given), read)
    except click.ClickException as error:
        return [Gathered("etcd", None, error.message)], []


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


def _secrets(given: dict[str, Any]) -> Iterator[bytes]:
    """What must not be in the archive, as far as this host has it and we may read it.

    Settings that are wrong hide no more than what stands in them alone.
    """
    for variable in (PASSWORD.variable, KEY.variable):
        yield os.environ.get(variable, "").encode()
    for header in os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(","):
        yield header.partition("=")[2].encode()
        yield unquote_to_bytes(header.partition("=")[2])
    directory = SECRETS_DIR
    with suppress(click.ClickException):
        etcd = etcd_settings(given)
        yield etcd.password.encode()
        yield etcd.key_pem.encode()
        yield from _content(etcd.key_file)
    with suppress(CannotCollectError):
        settings = _agent_settings(given)
        directory = settings.secrets_dir
        yield from _content(None if settings.status is None else settings.status.tls.key_file)
    with suppress(OSError):
        for path in islice(directory.glob("*/*"), SECRET_FILES_MAX):
            yield from _content(path)


def _content(path: Path | None) -> Iterator[bytes]:
    with suppress(OSError):
        if path is not None and path.stat().st_size <= KEY_OCTETS_MAX:
            yield path.read_bytes()


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
