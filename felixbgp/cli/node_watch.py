"""`felixbgp node status --watch`: what the nodes publish, followed in etcd and drawn whenever it changes.

etcd watch ─▶ Documents ─▶ cluster_view.screen ─▶ terminal, REDRAW_SECONDS at least between two
"""

import shutil
import signal
import sys
import time
from contextlib import suppress
from typing import Final

import trio

from felixbgp.cli.cluster_view import screen
from felixbgp.cli.node_report import NodeReport, read_reports
from felixbgp.cli.store import Store, Stored, StoreError
from felixbgp.cli.table import wants_colour
from felixbgp.cluster.inputs import DatastoreLost, DatastoreRestored, KeyDeleted, KeyPut, SnapshotReceived
from felixbgp.runtime.etcd.watch import Batch
from felixbgp.status.keys import parse_key

REDRAW_SECONDS: Final = 0.2
CLOCK_SECONDS: Final = 1.0
_BEGIN: Final = "\x1b[?1049h\x1b[?25l"
"""The other screen of the terminal, so that what was on it is there again afterwards; no cursor."""
_END: Final = "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class Documents:
    """What the nodes published, as it is now; a node's are read again when one of them was written."""

    def __init__(self) -> None:
        self.lost = ""
        """Why etcd cannot be followed now; "" while it can."""
        self.is_listed = False
        self._stored: dict[str, dict[str, Stored]] = {}
        self._reports: dict[str, NodeReport] = {}

    def take(self, batch: Batch) -> None:
        """Look at what is stored, or was written. Raises `StoreError` when we may not."""
        for event in batch:
            match event:
                case SnapshotReceived():
                    self.is_listed = True
                    self._stored.clear()
                    self._reports.clear()
                    for stored in event.values:
                        self._put(Stored(*stored))
                case KeyPut():
                    self._put(Stored(*event.stored))
                case KeyDeleted():
                    self._delete(event.key)
                case DatastoreRestored():
                    self.lost = ""
                case DatastoreLost():
                    if event.refused:
                        raise StoreError(f"etcd does not let us read what the agents tell: {event.reason}")
                    self.lost = event.reason
                case _:
                    pass

    def reports(self, only: str | None = None) -> list[NodeReport]:
        """Of all nodes, or of one."""
        for node in self._stored.keys() - self._reports.keys():
            self._reports[node] = read_reports(self._stored[node].values())[0]
        return [self._reports[node] for node in sorted(self._reports) if only in (None, node)]

    def _put(self, stored: Stored) -> None:
        parsed = parse_key(stored.key)
        if parsed is not None:
            self._stored.setdefault(parsed[0], {})[stored.key] = stored
            self._reports.pop(parsed[0], None)

    def _delete(self, key: str) -> None:
        parsed = parse_key(key)
        if parsed is None or key not in self._stored.get(parsed[0], {}):
            return
        del self._stored[parsed[0]][key]
        self._reports.pop(parsed[0], None)
        if not self._stored[parsed[0]]:
            del self._stored[parsed[0]]


async def watch(prefix: str, only: str | None, store: Store) -> None:
    """Show the nodes whose keys begin with `prefix` until somebody interrupts it; `only` one of them."""
    sys.stdout.write(_BEGIN)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_interrupted, nursery.cancel_scope)
            await _follow(prefix, only, store)
    except* StoreError as errors:
        raise errors.exceptions[0] from None
    finally:
        sys.stdout.write(_END)
        sys.stdout.flush()


async def _follow(prefix: str, only: str | None, store: Store) -> None:
    documents = Documents()
    async with store.following([prefix]) as batches:
        while True:
            with trio.move_on_after(CLOCK_SECONDS):
                documents.take(await batches.receive())
            with suppress(trio.WouldBlock):
                while True:
                    documents.take(batches.receive_nowait())
            if documents.is_listed or documents.lost:
                _draw(documents.reports(only), documents.lost)
            await trio.sleep(REDRAW_SECONDS)


def _draw(reports: list[NodeReport], lost: str) -> None:
    """Over what is there, line by line, which does not flicker as an empty screen in between would."""
    size = shutil.get_terminal_size()
    coloured = wants_colour()
    lines = screen(reports, time.time_ns(), size=(size.columns, size.lines), lost=lost, coloured=coloured)
    sys.stdout.write(_HOME + "\r\n".join(line + _END_OF_LINE for line in lines) + _BELOW)
    sys.stdout.flush()


async def _cancel_when_interrupted(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
