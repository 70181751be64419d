"""What `felixbgp diags` asks of this host's agent itself: what it answers, keeps on its disk and recorded."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import quote

import trio

from felixbgp.bgp.inputs import Endpoint
from felixbgp.cli.collectors import (
    OUTPUT_BYTES_MAX,
    CannotCollectError,
    Collector,
    cut,
    run_command,
)
from felixbgp.cli.node_report import read_reports, render
from felixbgp.cli.this_host import read_documents
from felixbgp.runtime.endpoint_client import EndpointError, ask
from felixbgp.runtime.journal_file import FORMER
from felixbgp.runtime.settings import AgentSettings, StatusSettings, authority
from felixbgp.runtime.state_directory import STATUS, StateDirectoryError

ANSWER_SECONDS_MAX: Final = 5.0
"""For one answer of the agent; it gives up on a loop that does not turn after that, too."""
EXPLANATIONS_MAX: Final = 50
EXPLANATIONS_SECONDS_MAX: Final = 20.0
"""Prefixes that are explained, and for how long at most: what is wrong with one is wrong with many."""
PAST: Final = "1h"
PAST_SECONDS: Final = 3600
HISTORY_SECONDS_MAX: Final = 60.0
"""A large journal takes minutes to be done again; those who need it have the journal itself."""
MAIN: Final = "from felixbgp.cli.main import main; main()"


def agent_collectors(settings: Callable[[], AgentSettings]) -> Iterator[Collector]:
    """What the agent of these settings tells, which may not run. Each asks for the settings by itself."""
    for name, path in (("readiness.json", "/readiness"), ("liveness.json", "/liveness")):
        yield Collector(name, partial(_health, settings, f"{path}?format=json"))
    yield Collector("metrics.txt", lambda: _metrics(settings()))
    yield Collector("status.txt", lambda: _status(settings()))
    yield Collector("status.json", lambda: _read(_state_directory(settings()) / STATUS))
    yield Collector("explanations.jsonl", lambda: _explanations(settings()))
    yield Collector("history.txt", lambda: _history(_journal(settings())))
    yield Collector("recording/journal", lambda: _recording(_journal(settings())))
    yield Collector("recording/journal-before", lambda: _recording(_former(_journal(settings()))))


def _health(settings: Callable[[], AgentSettings], target: str) -> bytes:
    return _asked(settings().health, "health_address", target)


def _asked(where: Endpoint | None, setting: str, target: str) -> bytes:
    """What an agent answers on this host without a certificate, whatever its status."""
    if where is None:
        raise CannotCollectError(f"the settings say that nobody is answered ({setting})")
    connection = HTTPConnection(str(where.address), where.port, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", target)
        return cut(connection.getresponse().read(OUTPUT_BYTES_MAX + 1))
    except (OSError, HTTPException) as error:
        raise CannotCollectError(f"{authority(where)}: {error}") from error
    finally:
        connection.close()


def _metrics(settings: AgentSettings) -> bytes:
    return _asked(settings.telemetry.prometheus, "telemetry.prometheus", "/metrics")


def _state_directory(settings: AgentSettings) -> Path:
    if settings.state_directory is None:
        raise CannotCollectError("the agent keeps nothing on its disk (state_directory)")
    return settings.state_directory


def _status(settings: AgentSettings) -> bytes:
    """As `node status` shows it, with the cause of each session that is not Established."""
    try:
        reports = read_reports(read_documents(_state_directory(settings), settings.node))
    except StateDirectoryError as error:
        raise CannotCollectError(str(error)) from error
    if not reports:
        raise CannotCollectError("the agent has kept no status yet")
    return "".join(render(report, time.time_ns(), wide=True) for report in reports).encode()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return cut(file.read(OUTPUT_BYTES_MAX + 1))


def _explanations(settings: AgentSettings) -> bytes:
    """Of this node's blocks and of routes that it put into its kernel, why they are as they are."""
    if settings.status is None:
        raise CannotCollectError("the settings say that nobody is answered (status.address)")
    prefixes = [*_blocks(settings), *_routes(settings)]
    if not prefixes:
        raise CannotCollectError("there is neither a block nor a route to be explained")
    asked = partial(
        _ask_all, settings.status, settings.node, list(dict.fromkeys(prefixes))[:EXPLANATIONS_MAX]
    )
    return "".join(f"{line}\n" for line in trio.run(asked)).encode()


def _blocks(settings: AgentSettings) -> list[str]:
    try:
        document = json.loads(_read(_state_directory(settings) / STATUS))
        return [str(block) for block in document.get("blocks", [])]
    except (CannotCollectError, OSError, ValueError, AttributeError, TypeError):
        return []  # It is told elsewhere that there is no status.


def _routes(settings: AgentSettings) -> list[str]:
    """Destinations of the kernel's routes with our protocol."""
    found: list[str] = []
    for family in ("-4", "-6"):
        words = ["ip", "-json", family, "route", "show", "table", str(settings.route_table)]
        try:
            listed = json.loads(run_command([*words, "protocol", str(settings.route_protocol)]) or b"[]")
            found += [str(route["dst"]) for route in listed[:EXPLANATIONS_MAX]]
        except (CannotCollectError, ValueError, KeyError, TypeError):
            continue  # The routes are in files of their own, or why there are none.
    return found


async def _ask_all(status: StatusSettings, node: str, prefixes: list[str]) -> list[str]:
    """A JSON object for each, until the time is up."""
    lines: list[str] = []
    deadline = trio.current_time() + EXPLANATIONS_SECONDS_MAX
    for prefix in prefixes:
        seconds = min(ANSWER_SECONDS_MAX, deadline - trio.current_time())
        if seconds <= 0:
            lines.append(
                json.dumps({"fault": f"not asked for {len(prefixes) - len(lines)} more: no time left"})
            )
            break
        target = f"/explain?prefix={quote(prefix, safe='')}"
        try:
            answer = await ask(authority(status.endpoint), node, status.tls, target, seconds)
            lines.append(json.dumps({"prefix": prefix, "explanation": json.loads(answer)}))
        except (EndpointError, ValueError) as error:
            lines.append(json.dumps({"prefix": prefix, "fault": str(error)}))
    return lines


def _journal(settings: AgentSettings) -> Path:
    if settings.journal is None:
        raise CannotCollectError("the agent is not recorded (journal)")
    return settings.journal


def _former(path: Path) -> Path:
    return path.with_name(path.name + FORMER)


def _history(journal: Path) -> bytes:
    """What `felixbgp history` tells of the last hour."""
    files = [str(path) for path in (_former(journal), journal) if path.exists()]
    if not files:
        raise CannotCollectError(f"{journal}: there is none")
    command = [sys.executable, "-c", MAIN, "history", "--since", PAST, *files]
    return run_command(command, HISTORY_SECONDS_MAX)


def _recording(path: Path) -> bytes:
    """A journal of the last hour, whole: nothing can be done again with the end of one."""
    told = path.stat()
    if told.st_mtime < time.time() - PAST_SECONDS:
        raise CannotCollectError(f"{path} was not written for {PAST}; take it along where it matters")
    if told.st_size > OUTPUT_BYTES_MAX:
        raise CannotCollectError(
            f"{path} has {told.st_size} bytes, which is too much; take it along if need be"
        )
    return path.read_bytes()
