"""The demo: three nodes and a top-of-rack router exchange real routes, and packets arrive.

Every line that says something is so has looked: at the status keys, at BIRD, at the kernel, at an answer
to a ping. The resources go in by `felixbgp apply`, and the tables are what `felixbgp` and `ip` print.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from felixbgp.lab import checks
from felixbgp.lab.etcd import find_etcd
from felixbgp.lab.lab import Lab, LabError, down, felixbgp_command
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan, Tor
from felixbgp.lab.waiting import NotInTimeError

SESSION_SECONDS_MAX = 60.0
"""Two connect-retry periods and the start of the agents, on a slow machine."""
ROUTE_SECONDS_MAX = 30.0
PING_SECONDS_MAX = 20.0
COMMAND_SECONDS_MAX = 60
DEFAULT_NAME = "felix"
"""What every `felixbgp lab` verb takes without --name."""

GLOBAL_PEER = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: my-global-peer
spec:
  peerIP: {address}
  asNumber: {as_number}
"""
NODE_PEER = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: {node}-tor
spec:
  peerIP: {address}
  asNumber: {as_number}
  node: {node}
"""


def require_for_demo(*, own_etcd: bool) -> None:
    """Raise, in one line, when this host lacks what the demo needs."""
    if shutil.which("ping") is None:
        raise LabError("the demo needs the `ping` command (package iputils-ping)")
    if not Path("/proc/sys/net/ipv6").exists():
        raise LabError("the demo shows IPv4 and IPv6, and this kernel has no IPv6")
    if own_etcd:
        find_etcd()


def run_demo(plan: LabPlan, *, tor_kind: str, endpoints: Sequence[str], keep: bool) -> bool:
    """Bring a lab up, show that it works, and take it down; True when all of it held."""
    step(f"A cluster of {plan.node_count} nodes and {plan.tor_count} top-of-rack router on this machine")
    lab = Lab.up(plan, tor_kind=tor_kind, endpoints=endpoints, report=click.echo)
    good = False
    try:
        _tour(lab)
        good = True
    except NotInTimeError as error:
        click.secho(f"\nFAILED: {error}", fg="red")
        _show_logs(lab)
    finally:
        if keep:
            _explain(lab)
        else:
            step("Taking everything down")
            down(plan.name)
    if good:
        click.secho("\nAll of it holds.", fg="green")
    return good


def global_peer(tor: Tor) -> str:
    """A BGPPeer for all nodes: the router's IPv4 address."""
    return GLOBAL_PEER.format(address=tor.ipv4, as_number=TOR_AS_NUMBER)


def node_peers(plan: LabPlan, tor: Tor) -> str:
    """One BGPPeer for each node: the router's IPv6 address."""
    documents = [
        NODE_PEER.format(node=node.name, address=tor.ipv6, as_number=TOR_AS_NUMBER) for node in plan.nodes
    ]
    return "---\n".join(documents)


def step(title: str) -> None:
    """Print a heading."""
    click.secho(f"\n== {title}", bold=True)


def _tour(lab: Lab) -> None:
    plan, tor = lab.plan, lab.plan.tors[0]
    step("Full mesh of iBGP between the nodes, with no configuration")
    _wait(lambda: checks.missing_sessions(lab.store, checks.mesh_sessions(plan)), "mesh sessions Established")

    step("A global peer: every node peers with the router over IPv4")
    _apply(lab, "global-peer.yaml", global_peer(tor))
    _wait_for_tor(lab, 4)

    step("Per-node peers: each node peers with the router over IPv6")
    _apply(lab, "node-peers.yaml", node_peers(plan, tor))
    _wait_for_tor(lab, 6)

    step("Routes in every kernel: the nodes' blocks, the router's networks")
    _wait(lambda: checks.missing_routes(plan), "routes in all kernels", ROUTE_SECONDS_MAX)
    _wait(lambda: checks.missing_blackholes(plan), "own blocks held as blackholes", ROUTE_SECONDS_MAX)
    _show_cluster(lab, tor)
    _show_pings(lab)


def _wait_for_tor(lab: Lab, version: int) -> None:
    wanted = checks.tor_sessions(lab.plan, (version,))
    _wait(lambda: checks.missing_sessions(lab.store, wanted), f"nodes say IPv{version} Established")
    if lab.tor_kind == "bird":
        _wait(lambda: checks.missing_bird_sessions(lab, version), f"BIRD says IPv{version} Established")


def _wait(missing: checks.Missing, what: str, seconds_max: float = SESSION_SECONDS_MAX) -> None:
    click.echo(f"   {what} … ", nl=False)
    took = checks.wait_for(missing, what, seconds_max)
    click.secho(f"yes, after {took:.1f} s", fg="green")


def _apply(lab: Lab, file_name: str, text: str) -> None:
    path = lab.folder / file_name
    path.write_text(text, encoding="utf-8")
    click.echo("".join(f"     {line}\n" for line in text.splitlines()), nl=False)
    _show(lab, [*felixbgp_command(), "apply", "-f", str(path)], f"felixbgp apply -f {file_name}")


def _show_cluster(lab: Lab, tor: Tor) -> None:
    _show(lab, [*felixbgp_command(), "node", "status", "--all"], "felixbgp node status --all")
    for version in lab.plan.families:
        words = ["ip", f"-{version}", "route"]
        _show(lab, lab.exec_arguments("node-1", words), f"felixbgp lab exec node-1 -- {' '.join(words)}")
    if lab.tor_kind == "bird":
        words = ["birdc", "-r", "-s", str(lab.control(tor)), "show", "protocols"]
        _show(lab, lab.exec_arguments(tor.name, words), "birdc show protocols (on the router)")


def _show_pings(lab: Lab) -> None:
    step("Packets")
    pings = checks.workload_pings(lab.plan)
    _wait(
        lambda: checks.missing_pings(lab, pings),
        f"{len(pings)} pings between all workloads",
        PING_SECONDS_MAX,
    )
    pings = checks.tor_pings(lab.plan)
    what = f"{len(pings)} pings between the router and all workloads, both ways"
    _wait(lambda: checks.missing_pings(lab, pings), what, PING_SECONDS_MAX)


def _show(lab: Lab, arguments: Sequence[str], title: str) -> None:
    """Run a command with the lab's etcd in its environment and print what it prints; it must succeed."""
    click.secho(f"\n   $ {title}", fg="cyan")
    done = subprocess.run(  # noqa: S603 - lists of our own
        arguments,
        env=dict(os.environ) | lab.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    click.echo("".join(f"   {line}\n" for line in done.stdout.splitlines()), nl=False)
    if done.returncode != 0:
        raise NotInTimeError(f"`{title}` ended with exit status {done.returncode}")


def _show_logs(lab: Lab) -> None:
    click.echo("The ends of the logs:")
    for name in lab.processes:
        lines = lab.log(name).splitlines()[-5:]
        click.echo(f"--- {name}\n" + "\n".join(lines))


def _explain(lab: Lab) -> None:
    name = lab.plan.name
    which = "" if name == DEFAULT_NAME else f" --name {name}"
    step("Left up, as KEEP asks")
    click.echo(f'   eval "$(felixbgp lab env{which})"')
    click.echo("   felixbgp node status --all")
    click.echo(f"   felixbgp lab exec{which} node-1 -- ip route")
    click.echo(f"   felixbgp lab status{which}     (logs are in {lab.folder})")
    click.echo(f"   felixbgp lab down{which}")
    click.echo(f"   (felixbgp is {felixbgp_command()[0]})")
