"""`felixbgp explain`: why a prefix is where it is on the nodes, by asking their agents.

etcd ── alive keys: who runs, and where it answers ──▶ us ── TLS, our certificate ──▶ agents
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import click
import trio

from felixbgp.cli.completion import complete_node
from felixbgp.cli.explain_report import (
    ExplanationError,
    NodeAnswer,
    as_object,
    covering,
    decode,
    render,
    with_withholders,
)
from felixbgp.cli.form_options import output_option, timeout_option
from felixbgp.cli.node_names import missing_text
from felixbgp.cli.node_report import NodeReport, read_reports
from felixbgp.cli.options import etcd_options, etcd_settings, tls_files, tls_options
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.store import Store, StoreError, run_with_store
from felixbgp.cli.table import wants_colour
from felixbgp.net import Prefix, PrefixError
from felixbgp.runtime.endpoint_client import EndpointError, ask
from felixbgp.runtime.settings import TlsFiles
from felixbgp.status.keys import NODES

TIMEOUT_SECONDS: Final = 10
TIMEOUT_SECONDS_MAX: Final = 600
TOGETHER_MAX: Final = 50
"""Agents that are asked at a time: a handshake is some milliseconds of ours."""


@click.command()
@click.argument("prefix_text", metavar="PREFIX")
@click.option(
    "--node",
    "name",
    metavar="NODE",
    shell_complete=complete_node,
    help="Show this node alone; all are asked, as any may have kept the prefix from it.",
)
@timeout_option("How long to wait for each agent.", default=TIMEOUT_SECONDS, at_most=TIMEOUT_SECONDS_MAX)
@output_option("table", "json", "yaml")
@tls_options
@etcd_options
def explain(prefix_text: str, name: str | None, timeout: float, output: str, **given: Any) -> None:
    """Say where PREFIX was learned, what decided about it, who was told, and what the kernel has.

    Every agent is asked over its status endpoint (`status.address` of its settings), with a certificate: ours
    for agents, or else the one for etcd. Of every rule that decided it is said which resource it stands in,
    and at which revision of etcd that was written. Where a prefix never arrived, who withheld it is named.

    An address without a length means the longest prefix that covers it; on the node of a workload that is the
    route to the workload.

    Leaves with 1 when a node did not answer.

    \b
    Examples:
      felixbgp explain 10.65.2.0/26
      felixbgp explain 10.65.2.0/26 --node node-1
      felixbgp explain 10.65.2.5 -o json
    """  # noqa: D301 - \b tells click not to wrap
    try:
        prefix = Prefix.parse(prefix_text)
    except PrefixError as error:
        raise click.UsageError(str(error)) from error
    settings = etcd_settings(given)
    tls = tls_files(given, settings)
    work = partial(_explain, prefix, name, tls, timeout, is_address="/" not in prefix_text)
    answers = run_with_store(settings, work)
    shown = [answer for answer in answers if name in (None, answer.node)]
    click.echo(_formatted(shown, output, single=name is not None), nl=False)
    if any(answer.explanation is None for answer in shown):
        raise click.exceptions.Exit(1)


async def _explain(
    prefix: Prefix, name: str | None, tls: TlsFiles, seconds: float, store: Store, *, is_address: bool
) -> list[NodeAnswer]:
    """What each node says, by name; at least one. Raises `StoreError`.

    Of an address, what a node that has no route to it alone says of the prefix by which it is routed.
    """
    reports = read_reports(await store.list(NODES))
    if not reports or name not in (None, *(report.node for report in reports)):
        raise StoreError(missing_text(name, [report.node for report in reports]))
    answers = with_withholders(await _ask_all(reports, prefix, tls, seconds))
    wider = covering(answers) if is_address else None
    if wider is None:
        return answers
    instead = with_withholders(await _ask_all(reports, wider, tls, seconds))
    return [one if one.knows_it else other for one, other in zip(answers, instead, strict=True)]


async def _ask_all(
    reports: Sequence[NodeReport], prefix: Prefix, tls: TlsFiles, seconds: float
) -> list[NodeAnswer]:
    answers: dict[str, NodeAnswer] = {}
    limit = trio.CapacityLimiter(TOGETHER_MAX)

    async def ask_one(report: NodeReport) -> None:
        async with limit:
            answers[report.node] = await _ask(report, prefix, tls, seconds)

    async with trio.open_nursery() as nursery:
        for report in reports:
            nursery.start_soon(ask_one, report)
    return [answers[report.node] for report in reports]


async def _ask(report: NodeReport, prefix: Prefix, tls: TlsFiles, seconds: float) -> NodeAnswer:
    node = report.node
    if report.alive is None:
        return NodeAnswer(node, fault="its agent is not running")
    if not report.alive.endpoint:
        return NodeAnswer(node, fault="its agent answers nobody; its settings have no status.address")
    target = f"/explain?prefix={quote(str(prefix), safe='')}"
    try:
        return NodeAnswer(node, decode(await ask(report.alive.endpoint, node, tls, target, seconds)))
    except EndpointError as error:
        return NodeAnswer(node, fault=f"its agent did not answer: {error}")
    except ExplanationError as error:
        return NodeAnswer(node, fault=f"its answer cannot be read: {error}")


def _formatted(answers: Sequence[NodeAnswer], output: str, *, single: bool) -> str:
    if output == "table":
        coloured = wants_colour()
        return "".join(render(answer, coloured=coloured) for answer in answers)
    objects: list[Mapping[str, object]] = [as_object(answer) for answer in answers]
    printed = objects[0] if single else objects
    return as_json(printed) if output == "json" else as_yaml(printed)
