"""`felixbgp node audit`: have nodes compare intent, Loc-RIB and kernel, and put right what is theirs.

us ──► audit-requests/<id>, leased ──► agent: reads the kernel, compares, heals
◄────────────────────────── audit ◄─┘
"""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any

import click
import trio

from felixbgp.cli.audit_report import NodeAudit, as_object, render
from felixbgp.cli.completion import complete_node
from felixbgp.cli.form_options import output_option, timeout_option
from felixbgp.cli.node_names import missing_text, wanted_node
from felixbgp.cli.node_report import NodeReport, read_reports
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.origin import origin
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.store import Store, StoreError, run_with_store
from felixbgp.cli.table import wants_colour
from felixbgp.cluster.inputs import DatastoreLost, DatastoreRestored, KeyPut, SnapshotReceived, StoreInput
from felixbgp.runtime.etcd.watch import Batch
from felixbgp.status import audit_document
from felixbgp.status.audit import AuditAnswer
from felixbgp.status.keys import NODES, audit_key, audit_request_key, prefix_of_node
from felixbgp.status.node_status import DatastoreCondition
from felixbgp.status.proto_json import DocumentError

TIMEOUT_SECONDS = 10
"""An agent that cannot read its kernel says so after 8."""
TIMEOUT_SECONDS_MAX = 3600
LEASE_SECONDS = 5
"""How much longer than we wait a request stays, when we end without taking it away."""


@click.command()
@click.argument("name", metavar="[NODE]", required=False, shell_complete=complete_node)
@click.option("--all", "every", is_flag=True, help="All nodes that ever published a status.")
@timeout_option("How long to wait for the answers.", default=TIMEOUT_SECONDS, at_most=TIMEOUT_SECONDS_MAX)
@output_option("table", "json", "yaml")
@etcd_options
def audit(name: str | None, every: bool, timeout: float, output: str, **given: Any) -> None:
    """Compare intent, Loc-RIB and kernel of NODE, of this host, or of --all, and put right what is ours.

    The node's agent reads its kernel afresh and answers by way of etcd: this needs no root and no access to
    the node. Where the three differ they are shown side by side, with what became of it. Routes of others are
    left alone. What was put right since the last audit is shown too.

    Leaves with 0 when all three agreed, with 1 when they did not, also when that is put right by now, or when
    a node did not answer.

    \b
    Examples:
      felixbgp node audit
      felixbgp node audit node-1 -o yaml
      felixbgp node audit --all --timeout 60
    """  # noqa: D301 - \b tells click not to wrap
    if name is not None and every:
        raise click.UsageError("give a NODE or --all, not both")
    settings = etcd_settings(given)
    wanted = None if every else wanted_node(name)
    audits = run_with_store(settings, partial(_audit, wanted, timeout))
    click.echo(_formatted(audits, output, single=wanted is not None), nl=False)
    if not all(found.agrees for found in audits):
        raise click.exceptions.Exit(1)


async def _audit(wanted: str | None, seconds: float, store: Store) -> list[NodeAudit]:
    """What each node found; at least one. Raises `StoreError`."""
    reports = read_reports(await store.list(NODES if wanted is None else prefix_of_node(wanted)))
    if not reports:
        others = [] if wanted is None else read_reports(await store.list(NODES))
        raise StoreError(missing_text(wanted, [report.node for report in others]))
    running = [report.node for report in reports if report.alive is not None]
    waiting = _Waiting(running, str(uuid.uuid4()))
    if running:
        await _ask(store, waiting, seconds)
    return [_result(report, waiting, seconds) for report in reports]


class _Waiting:
    """Who was asked, by one request each with the same id, and who has answered."""

    def __init__(self, nodes: Iterable[str], request: str) -> None:
        self.nodes = {audit_key(node): node for node in nodes}
        self.request = request
        self.answers: dict[str, AuditAnswer] = {}
        self.faults: dict[str, str] = {}
        self.lost = ""
        """Why etcd cannot be followed now; "" while it can."""
        self._unlisted = dict.fromkeys(self.nodes)

    @property
    def is_listed(self) -> bool:
        """Whether every answer from now on will be seen."""
        return not self._unlisted

    @property
    def is_over(self) -> bool:
        """Whether all have answered."""
        return len(self.answers) + len(self.faults) == len(self.nodes)

    def take(self, batch: Batch) -> None:
        """Look at what is stored, or was written. Raises `StoreError` when we may not."""
        for event in batch:
            if isinstance(event, SnapshotReceived):
                self._unlisted.pop(event.prefix, None)
                for stored in event.values:
                    self._look(stored.key, stored.value)
            elif isinstance(event, KeyPut):
                self._look(event.stored.key, event.stored.value)
            else:
                self._note_loss(event)

    def _note_loss(self, event: StoreInput) -> None:
        if isinstance(event, DatastoreRestored):
            self.lost = ""
        elif isinstance(event, DatastoreLost):
            if event.refused:
                raise StoreError(f"etcd does not let us read the answers: {event.reason}")
            self.lost = event.reason

    def _look(self, key: str, value: bytes) -> None:
        node = self.nodes.get(key)
        # A cheap look first: an old answer, or one for somebody else, need not be readable.
        if node is None or self.request.encode() not in value:
            return
        try:
            answer = audit_document.decode(value)
        except DocumentError as error:
            self.faults[node] = f"the value of its key 'audit' cannot be read: {error}"
            return
        if self.request in answer.requests:
            self.answers[node] = answer


async def _ask(store: Store, waiting: _Waiting, seconds: float) -> None:
    """Ask, and wait for the answers as long as that is."""
    value = audit_document.encode_request(origin())
    requests = {audit_request_key(node, waiting.request): value for node in waiting.nodes.values()}
    with trio.move_on_after(seconds):
        async with store.following(list(waiting.nodes)) as batches:
            while not waiting.is_listed:
                waiting.take(await batches.receive())
            async with store.leased(requests, ceil(seconds) + LEASE_SECONDS):
                while not waiting.is_over:
                    waiting.take(await batches.receive())


def _result(report: NodeReport, waiting: _Waiting, seconds: float) -> NodeAudit:
    node = report.node
    if report.alive is None:
        return NodeAudit(node, None, "its agent is not running")
    if node in waiting.answers:
        return NodeAudit(node, waiting.answers[node])
    if node in waiting.faults:
        return NodeAudit(node, None, waiting.faults[node])
    parts = [f"its agent ({report.alive.version}) did not answer within {seconds:g} s"]
    if waiting.lost:
        parts.append(f"etcd does not answer: {waiting.lost}")
    elif report.status is not None and report.status.datastore.condition is not DatastoreCondition.IN_SYNC:
        parts.append(f"its datastore is {report.status.datastore.condition.value}")
    return NodeAudit(node, None, "; ".join(parts))


def _formatted(audits: Sequence[NodeAudit], output: str, *, single: bool) -> str:
    if output == "table":
        now_ns, coloured = time.time_ns(), wants_colour()
        return "".join(render(found, now_ns, coloured=coloured) for found in audits)
    objects: list[Mapping[str, object]] = [as_object(found) for found in audits]
    printed = objects[0] if single else objects
    return as_json(printed) if output == "json" else as_yaml(printed)
