"""`felixbgp node …`: what the nodes publish of themselves, from any machine that reaches etcd."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from felixbgp.cli.audit import audit
from felixbgp.cli.completion import complete_node
from felixbgp.cli.diags import diags
from felixbgp.cli.drain import drain, undrain
from felixbgp.cli.form_options import output_option
from felixbgp.cli.node_names import missing_text, wanted_node
from felixbgp.cli.node_report import NodeReport, as_object, read_reports, render
from felixbgp.cli.node_watch import watch as watch_nodes
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.store import NoAnswerError, NoStoreError, Store, StoreError, run_with_store
from felixbgp.cli.table import wants_colour
from felixbgp.cli.this_host import own_directory, read_documents
from felixbgp.runtime.settings_file import SettingsError
from felixbgp.runtime.state_directory import StateDirectoryError
from felixbgp.status.keys import NODES, prefix_of_node


@click.group()
def node() -> None:
    """Show what the nodes tell of themselves, audit them, and take them out of service.

    \b
    Example:
      felixbgp node status --all
    """  # noqa: D301 - \b tells click not to wrap


node.add_command(audit)
node.add_command(diags)
node.add_command(drain)
node.add_command(undrain)


@node.command()
@click.argument("name", metavar="[NODE]", required=False, shell_complete=complete_node)
@click.option("--all", "every", is_flag=True, help="All nodes that ever published a status.")
@output_option("table", "wide", "json", "yaml")
@click.option(
    "--watch",
    is_flag=True,
    help="Go on showing the cluster (or NODE) on the terminal, problems first, until Ctrl-C.",
)
@etcd_options
def status(name: str | None, every: bool, output: str, watch: bool, **given: Any) -> None:
    """Show a node's peerings and problems: of NODE, of this host, or of --all.

    Under the tables is why a session is not Established, and what to do.

    It needs no root and no access to the node, only to etcd; while that cannot be reached, this host's agent
    is shown as it keeps itself on its disk. Leaves with 1 when a node shown has no running agent or a status
    that cannot be read.

    \b
    Examples:
      felixbgp node status
      felixbgp node status node-1 -o wide
      felixbgp node status --all -o json
      felixbgp node status --watch
    """  # noqa: D301 - \b tells click not to wrap
    if name is not None and every:
        raise click.UsageError("give a NODE or --all, not both")
    settings = etcd_settings(given)
    if watch:
        _check_watchable(output)
        prefix = NODES if name is None else prefix_of_node(name)
        run_with_store(settings, partial(watch_nodes, prefix, name))
        return
    wanted = None if every else wanted_node(name)
    try:
        reports = run_with_store(settings, partial(_read, wanted))
    except (NoStoreError, NoAnswerError) as error:
        reports = _kept_here(wanted, given, error)
    click.echo(_formatted(reports, output, single=wanted is not None), nl=False)
    if not all(report.is_well for report in reports):
        raise click.exceptions.Exit(1)


def _check_watchable(output: str) -> None:
    if output != "table":
        raise click.UsageError("--watch draws on the terminal and has no other form")
    if not sys.stdout.isatty():
        raise click.ClickException("--watch needs a terminal; for programs there is -o json without --watch")


async def _read(wanted: str | None, store: Store) -> list[NodeReport]:
    """The reports of one node or of all; at least one."""
    reports = read_reports(await store.list(NODES if wanted is None else prefix_of_node(wanted)))
    if not reports:
        others = [] if wanted is None else read_reports(await store.list(NODES))
        raise StoreError(missing_text(wanted, [report.node for report in others]))
    return reports


def _kept_here(wanted: str | None, given: dict[str, Any], error: StoreError) -> list[NodeReport]:
    """The report of this host's agent from its disk, which is said; raises the error if there is none."""
    try:
        directory = own_directory(wanted, given)
        found = [] if directory is None or wanted is None else read_documents(directory, wanted)
    except (SettingsError, StateDirectoryError) as fault:
        raise StoreError(f"{error.message}\n{fault}") from error
    if not found:
        raise error
    click.echo(f"{error.message}\nThis is what the agent of this host keeps in {directory}:\n", err=True)
    return read_reports(found)


def _formatted(reports: Sequence[NodeReport], output: str, *, single: bool) -> str:
    if output in ("table", "wide"):
        now_ns = time.time_ns()
        wide, coloured = output == "wide", wants_colour()
        return "".join(render(report, now_ns, wide=wide, coloured=coloured) for report in reports)
    objects = [as_object(report) for report in reports]
    printed = objects[0] if single else objects
    return as_json(printed) if output == "json" else as_yaml(printed)
