"""`felixbgp lab probe`: what a command costs in packets, counted at 1 kHz between all endpoints of a lab."""

# ruff: noqa: D301 - click wants the character \b itself: "leave this paragraph's lines as they are"

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from tabulate import tabulate

from felixbgp.cli.lab_common import interruptible, name_option, need, plain_errors
from felixbgp.lab import probing, state
from felixbgp.lab.lab import Lab, down
from felixbgp.lab.plan import NODES_MAX, LabPlan
from felixbgp.lab.probing import Probed

WATCH_SECONDS = 2.0


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@name_option
@click.option(
    "--up",
    "nodes",
    type=click.IntRange(2, NODES_MAX),
    metavar="NODES",
    help="When no such lab is up, make one of so many nodes with a workload each, and a ToR they peer with.",
)
@click.option("--keep", is_flag=True, help="Leave the lab that --up made up.")
@click.option("--ipv6", is_flag=True, help="Probe over IPv6 as well as over IPv4.")
@click.option(
    "--watch",
    type=click.FloatRange(0, 3600),
    default=WATCH_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to go on when all sessions stand that the resources want.",
)
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD…")
def probe(
    *,
    name: str,
    nodes: int | None,
    keep: bool,
    ipv6: bool,
    watch: float,
    output: str,
    command: tuple[str, ...],
) -> None:
    """Run a command while packets pass, and count those that are lost.

    From every workload to every other one, and to the host behind every ToR that nodes peer with, and back,
    one UDP packet a millisecond. CMD finds the lab's etcd in its environment. Afterwards it goes on until
    exactly the sessions stand that the resources want. Exit status 1 if a packet was lost or that is not
    so after two minutes and a half, else that of CMD.

    \b
    Example:
      felixbgp lab probe --up 4 -- \\
        felixbgp apply -f docs/examples/reflectors.yaml
      felixbgp lab probe -- sleep 60
    """
    need(root=True)
    with plain_errors(), interruptible(), _lab(name, nodes, keep=keep) as found:
        probed = probing.probe(
            found, command, families=(4, 6) if ipv6 else (4,), watch_seconds=watch, report=_say
        )
        _show(found, probed, output)
    raise SystemExit(1 if probed.losses.lost or probed.unsettled else probed.status)


@contextmanager
def _lab(name: str, nodes: int | None, *, keep: bool) -> Iterator[Lab]:
    """The lab that is up, or one for the length of the command."""
    if nodes is None or name in state.lab_names():
        yield Lab.attach(name)
        return
    made = Lab.up(LabPlan(name=name, node_count=nodes, tor_count=1, workload_count=1), report=_say)
    try:
        probing.peer_with_tors(made)
        probing.wait_until_ready(made)
        yield made
    finally:
        if not keep:
            down(name)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _show(found: Lab, probed: Probed, output: str) -> None:
    losses = probed.losses
    if output == "json":
        document = {
            "sent": losses.sent,
            "lost": losses.lost,
            "gapMs": losses.gap_ms,
            "seconds": losses.seconds,
            "unsettled": probed.unsettled,
            "pairs": [asdict(pair) for pair in losses.pairs],
        }
        click.echo(json.dumps(document, indent=2))
        return
    rows = [
        (line.between, line.pairs, f"{line.sent:,}", f"{line.lost:,}", f"{line.gap_ms:,}")
        for line in probing.summary(found.plan, losses)
    ]
    headers = ("between", "pairs", "sent", "lost", "longest gap, ms")
    click.echo(
        "\n" + tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * 4)) + "\n"
    )
    for line in losses.losing():
        click.echo(line)
    lost = f"{losses.lost:,} packets were lost" if losses.lost else "nothing was lost"
    click.echo(
        f"{losses.sent:,} packets in {losses.seconds:.1f} s: {lost}. "
        + (
            probed.unsettled
            or f"The wanted sessions stood, alone, {probed.settled_seconds:.1f} s after the command."
        )
    )
