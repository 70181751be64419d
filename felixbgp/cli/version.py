"""`felixbgp version`: of the client, of the cluster, and of the agents that run."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, NamedTuple

import click

from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, StoreError, run_with_store
from felixbgp.cli.table import printable, some
from felixbgp.runtime.core import core_form

_CLUSTER_INFORMATION = "/calico/resources/v3/projectcalico.org/clusterinformations/default"
"""Calico's own record of itself; it is read here and nowhere else."""
_UNKNOWN = "unknown"
_NODES_SHOWN = 5


class Cluster(NamedTuple):
    """What stands in etcd: Calico's version and type, and the nodes where an agent runs, by its version."""

    version: str
    type: str
    agents: Mapping[str, Sequence[str]]


def felixbgp_version() -> str:
    """The version of the installed package, `unknown` when it runs from a bare tree."""
    try:
        return installed_version("felixbgp")
    except PackageNotFoundError:
        return _UNKNOWN


@click.command()
@click.option("--client", is_flag=True, help="Only what can be told without etcd.")
@etcd_options
def version(client: bool, allow_version_mismatch: bool, **given: Any) -> None:
    """Show the versions of this client, of the cluster, and of the agents that run.

    Client and agents of different versions get on; that they differ is a warning, and no more.

    \b
    Examples:
      felixbgp version
      felixbgp version --client
    """  # noqa: D301 - \b tells click not to wrap
    own = felixbgp_version()
    _tell("Client Version", own)
    _tell("Client Platform", f"Python {platform.python_version()}, {platform.system()} {platform.release()}")
    _tell("Client Core", core_form())
    if client:
        return
    try:
        cluster = run_with_store(etcd_settings(given), _read)
    except StoreError as error:
        raise StoreError(f"Unable to retrieve Cluster Version or Type: {error.message}") from error
    _tell("Cluster Version", cluster.version)
    _tell("Cluster Type", cluster.type)
    if not cluster.agents:
        _tell("Agent Version", "no agent is running")
    for agent_version, nodes in sorted(cluster.agents.items()):
        _tell("Agent Version", f"{agent_version} on {some(nodes, _NODES_SHOWN)}")
    if not allow_version_mismatch and set(cluster.agents) - {own}:
        click.echo(f"warning: agents run that are not of this client's version, {own}", err=True)


def _tell(what: str, value: str) -> None:
    """One line, its columns where calicoctl has them."""
    click.echo(f"{what + ':':<18} {printable(value)}")


async def _read(store: Store) -> Cluster:
    # Loaded late: `--client` does without.
    from felixbgp.resources.decode import parse_json  # noqa: PLC0415

    stored = await store.get(_CLUSTER_INFORMATION)
    found = {} if stored is None else parse_json(stored.value)
    spec = found.get("spec") if isinstance(found, dict) else None
    facts = spec if isinstance(spec, dict) else {}
    return Cluster(
        version=str(facts.get("calicoVersion") or _UNKNOWN),
        type=str(facts.get("clusterType") or _UNKNOWN),
        agents=await _agents(store),
    )


async def _agents(store: Store) -> dict[str, list[str]]:
    """Key by key: the documents beside them may be many megabytes."""
    # Loaded late: `--client` does without, and it brings protobuf.
    from felixbgp.status.document import decode_alive  # noqa: PLC0415
    from felixbgp.status.keys import ALIVE, NODES, parse_key  # noqa: PLC0415
    from felixbgp.status.proto_json import DocumentError  # noqa: PLC0415

    agents: dict[str, list[str]] = {}
    for key in await store.keys(NODES):
        parsed = parse_key(key)
        stored = await store.get(key) if parsed is not None and parsed[1] == ALIVE else None
        if parsed is None or stored is None:
            continue
        try:
            running = decode_alive(stored.value).version
        except DocumentError:
            running = _UNKNOWN
        agents.setdefault(running, []).append(parsed[0])
    return agents
