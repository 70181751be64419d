"""`felixbgp lab`: a cluster on this machine, made of network namespaces and real daemons."""

# ruff: noqa: D301 - click wants the character \b itself: "leave this paragraph's lines as they are"

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from tabulate import tabulate

from felixbgp.cli.lab_common import CannotError, interruptible, name_option, need, plain_errors
from felixbgp.cli.lab_probe import probe
from felixbgp.lab import checks, processes, state
from felixbgp.lab.demo import require_for_demo, run_demo
from felixbgp.lab.lab import EXPECTED, NODE_ENDPOINT, TOR_KINDS, Lab
from felixbgp.lab.lab import down as take_down
from felixbgp.lab.plan import NODES_MAX, SUBNETS_MAX, TORS_MAX, WORKLOADS_MAX, LabPlan
from felixbgp.lab.router import main as run_router

MESH_SECONDS_MAX = 300.0
"""A hundred agents that share two processors take minutes to start."""


@click.group()
def lab() -> None:
    """Make a whole cluster on this machine: nodes, routers, workloads, etcd.

    Every node is a network namespace with its own `felixbgp agent`. Needs root.

    \b
    Example:
      felixbgp lab up --nodes 3 --tors 1
      eval "$(felixbgp lab env)"
      felixbgp node status --all
      felixbgp lab exec node-1 -- ip route
      felixbgp lab down
    """


@lab.command()
@name_option
@click.option("--nodes", type=click.IntRange(1, NODES_MAX), default=3, show_default=True, help="Nodes.")
@click.option(
    "--tors", type=click.IntRange(0, TORS_MAX), default=1, show_default=True, help="Top-of-rack routers."
)
@click.option(
    "--workloads",
    type=click.IntRange(0, WORKLOADS_MAX),
    default=2,
    show_default=True,
    help="Workloads on each node.",
)
@click.option("--ipv6/--no-ipv6", default=True, show_default=True, help="IPv6 beside IPv4.")
@click.option(
    "--subnets",
    type=click.IntRange(1, SUBNETS_MAX),
    default=1,
    show_default=True,
    help="Networks, joined by a router, in which nodes and ToRs take turns.",
)
@click.option(
    "--tor-kind",
    type=click.Choice(TOR_KINDS),
    default="auto",
    show_default=True,
    help="What plays the ToRs; auto takes BIRD 2 when it is installed.",
)
@click.option("--agents/--no-agents", default=True, show_default=True, help="Start an agent on every node.")
@click.option("--wait", is_flag=True, help="Return when all sessions of the mesh are Established.")
@click.option(
    "--etcd-endpoints",
    metavar="URL[,URL…]",
    help="Use this etcd instead of starting one.",  # The environment may still name that of a former lab.
)
@click.option("--force", is_flag=True, help="Use that etcd although it holds a cluster's nodes already.")
def up(
    *,
    name: str,
    nodes: int,
    tors: int,
    workloads: int,
    ipv6: bool,
    subnets: int,
    tor_kind: str,
    agents: bool,
    wait: bool,
    etcd_endpoints: str | None,
    force: bool,
) -> None:
    """Bring a lab up. What fails half-way is taken down again.

    Nodes are node-1, node-2 …, their namespaces felix-node-1 …; fabric 172.30.0.0/16 and
    fd00:172:30::/64, nodes at 172.30.1.N, ToRs (AS 64567) at 172.30.2.N, pools 10.65.0.0/16 and
    fd00:10:65::/112. With --subnets 2 the second is 172.31.0.0/16, and every other node in it.

    \b
    Example:
      felixbgp lab up --nodes 10 --tors 2 --name big
    """
    need(root=True)
    with plain_errors(), interruptible():
        plan = LabPlan(
            name=name,
            node_count=nodes,
            tor_count=tors,
            workload_count=workloads,
            ipv6=ipv6,
            subnet_count=subnets,
        )
        made = Lab.up(
            plan,
            tor_kind=tor_kind,
            endpoints=endpoint_list(etcd_endpoints),
            force=force,
            agents=agents,
            report=lambda line: click.echo(f"{name}: {line}", err=True),
        )
        if wait and agents:
            wait_for_mesh(made)
        click.echo(f"lab {name} is up: {plan.node_count} nodes, {plan.tor_count} ToRs ({made.tor_kind})")
        click.echo(f"state and logs   {made.folder}")
        click.echo(f'talk to its etcd eval "$(felixbgp lab env --name {name})"')
        click.echo(f"look inside      felixbgp lab exec --name {name} node-1 -- ip route")
        click.echo(f"take it down     felixbgp lab down --name {name}")


@lab.command(context_settings={"ignore_unknown_options": True})
@name_option
@click.argument("member", metavar="NODE")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD…")
def exec(name: str, member: str, command: tuple[str, ...]) -> None:  # noqa: A001 - it is the verb's name
    """Run a command inside node-1, tor-1, node-1-w1 (a workload) or fabric.

    Its exit status is ours. On a node NODENAME and ETCD_ENDPOINTS are set as for its agent.

    \b
    Example:
      felixbgp lab exec node-1 -- ip -6 route
      felixbgp lab exec node-1-w1 -- ping -c 1 10.65.0.129
    """
    need(root=True)
    with plain_errors():
        found = Lab.attach(name)
        arguments, node = found.exec_arguments(member, command), found.plan.node_at(member)
    environment = dict(os.environ)
    if node is not None:
        environment |= {"NODENAME": node.name}
        environment |= dict.fromkeys(("ETCD_ENDPOINTS", "ETCDCTL_ENDPOINTS"), NODE_ENDPOINT)
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environment)  # noqa: S606 - to become that command is the purpose


@lab.command()
@name_option
def env(name: str) -> None:
    """Print what to export to talk to the lab's etcd from this shell, and for `felixbgp lab` to mean it.

    \b
    Example:
      eval "$(felixbgp lab env)"
      felixbgp node status --all
      etcdctl get --prefix /felixbgp/v1/
    """
    with plain_errors():
        exported = Lab.attach(name).environment() | {"FELIXBGP_LAB": name}
        for variable, value in exported.items():
            click.echo(f"export {variable}={value}")


@lab.command()
@name_option
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
def status(name: str, output: str) -> None:
    """Show the lab's folder, etcd and processes. Exit status 1 when one of them is dead.

    \b
    Example:
      felixbgp lab status
      felixbgp lab status -o json
    """
    with plain_errors():
        found = Lab.attach(name)
        rows = [process_row(running) for running in found.processes.values()]
        if output == "json":
            document = {"name": name, "folder": str(found.folder), "endpoints": found.endpoints}
            click.echo(json.dumps(document | {"processes": rows}, indent=2))
        else:
            click.echo(f"lab      {name} ({found.plan.node_count} nodes, {found.plan.tor_count} ToRs)")
            click.echo(f"folder   {found.folder}")
            click.echo(f"etcd     {','.join(found.endpoints)}\n")
            click.echo(tabulate(rows, headers="keys", floatfmt=".2f"))
    if any(row["state"] == "dead" for row in rows):
        raise SystemExit(1)


@lab.command()
@name_option
def down(name: str) -> None:
    """Remove a lab: its processes, namespaces and files. Also clears up after a failed `up`.

    \b
    Example:
      felixbgp lab down --name big
    """
    need(root=True)
    with plain_errors():
        gone = take_down(name)
    click.echo(f"lab {name} is gone" if gone else f"there is no lab {name}")


@lab.command("list")
def list_labs() -> None:
    """List the labs on this host.

    \b
    Example:
      felixbgp lab list
    """
    for found in state.lab_names():
        click.echo(found)


@lab.command()
@click.option("--nodes", type=click.IntRange(2, 20), default=3, show_default=True, help="Nodes.")
@name_option
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave the lab up at the end.  [env: KEEP]")
@click.option(
    "--tor-kind", type=click.Choice(TOR_KINDS), default="auto", show_default=True, help="What plays the ToR."
)
@click.option(
    "--etcd-endpoints",
    metavar="URL[,URL…]",
    help="Use this etcd instead of starting one.",
)
def demo(nodes: int, name: str, keep: bool, tor_kind: str, etcd_endpoints: str | None) -> None:
    """From a resource in etcd to a packet that arrives: a tour of everything, then nothing is left.

    \b
    Example:
      felixbgp lab demo
      KEEP=1 felixbgp lab demo
    """
    need(root=True)
    endpoints = endpoint_list(etcd_endpoints)
    try:
        require_for_demo(own_etcd=not endpoints)
    except EXPECTED as error:
        raise CannotError(str(error)) from error
    with plain_errors(), interruptible():
        plan = LabPlan(name=name, node_count=nodes, tor_count=1)
        good = run_demo(plan, tor_kind=tor_kind, endpoints=endpoints, keep=keep)
    raise SystemExit(0 if good else 1)


@lab.command(hidden=True)
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def router(config: Path) -> None:
    """Run a plain router from a JSON file: what plays a ToR without BIRD.

    \b
    Example:
      felixbgp lab router /run/felixbgp/felix/tor-1.json
    """
    run_router([str(config)])


lab.add_command(probe)


def endpoint_list(text: str | None) -> Sequence[str]:
    """Split a comma-separated list; empty for none."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def wait_for_mesh(made: Lab) -> None:
    """Wait for all sessions of the mesh and say how long the agents took."""
    wanted = checks.mesh_sessions(made.plan)
    count = sum(map(len, wanted.values())) // 2
    checks.wait_for(
        lambda: checks.missing_sessions(made.store, wanted), f"{count} sessions Established", MESH_SECONDS_MAX
    )
    took = time.time() - made.agents_started
    click.echo(f"all {count} sessions Established {took:.1f} s after the start of the first agent")


def process_row(running: processes.Running) -> dict[str, str | int | float]:
    """One line of `lab status`."""
    used = processes.usage(running)
    words = {"T": "stopped", "D": "waiting"}
    return {
        "process": running.command.name,
        "state": words.get(used.state, "running") if used else "dead",
        "pid": running.pid,
        "cpu_seconds": used.cpu_seconds if used else 0.0,
        "rss_mib": round(used.resident_bytes / 2**20, 1) if used else 0.0,
        "log": running.command.log,
    }
