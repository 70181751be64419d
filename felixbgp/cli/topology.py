"""`felixbgp topology`: the cluster's sessions as text, for Graphviz, or as a picture."""

from functools import partial
from typing import Any

import click

from felixbgp.cli.form_options import output_option
from felixbgp.cli.node_report import NodeReport, read_reports
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, run_with_store
from felixbgp.cli.table import wants_colour
from felixbgp.cli.topology_graphviz import as_dot
from felixbgp.cli.topology_model import topology_of
from felixbgp.cli.topology_svg import as_svg
from felixbgp.cli.topology_text import rendered
from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import FOLLOWED_KINDS, ClusterState
from felixbgp.resources.keys import prefix_of
from felixbgp.status.keys import NODES

GROUP_BY = "rack"


@click.command()
@output_option("text", "dot", "svg", text="Lines, a graph for Graphviz, or a picture.")
@click.option(
    "--group-by",
    metavar="LABEL",
    default=GROUP_BY,
    show_default=True,
    help="Nodes with the same value of this label stand together.",
)
@etcd_options
def topology(output: str, group_by: str, **given: Any) -> None:
    """Draw the sessions that the resources want, those that are not Established in red, with the reason.

    Mesh, route reflectors and their clients, and routers that are no nodes are told apart. What is wanted is
    derived from etcd as every agent does for itself; how it stands is what the agents publish there. Of more
    than 25 nodes those that are alike are told together. A picture needs no Graphviz; with Graphviz, `-o dot`
    can be laid out in other ways.

    \b
    Examples:
      felixbgp topology
      felixbgp topology -o svg > cluster.svg
      felixbgp topology -o dot | dot -Tpdf -o cluster.pdf
    """  # noqa: D301 - \b tells click not to wrap
    state, reports = run_with_store(etcd_settings(given), _read)
    drawn = topology_of(state, reports, group_by)
    click.echo(_form(output)(drawn), nl=False)


def _form(output: str) -> Any:
    match output:
        case "dot":
            return as_dot
        case "svg":
            return as_svg
        case _:
            return partial(rendered, coloured=wants_colour())


async def _read(store: Store) -> tuple[ClusterState, list[NodeReport]]:
    """The resources, as a view of every node, and what the nodes tell. Raises `StoreError`."""
    state = ClusterState()
    for kind in FOLLOWED_KINDS:
        await _read_kind(store, kind, state)
    if any(peer.spec.local_workload_selector is not None for peer in state.bgp_peers.values()):
        await _read_kind(store, "WorkloadEndpoint", state)
    return state, read_reports(await store.list(NODES))


async def _read_kind(store: Store, kind: str, state: ClusterState) -> None:
    revision, listed = await store.listing(prefix_of(kind))
    values = tuple(StoredValue(one.key, one.value, one.revision) for one in listed)
    state.feed(SnapshotReceived(prefix_of(kind), revision, values))
