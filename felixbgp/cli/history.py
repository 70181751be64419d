"""`felixbgp history`: what changed in the store, and what became of the sessions, by the agents' journals."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from felixbgp.cli.form_options import output_option
from felixbgp.cli.history_report import Wanted, as_objects, gather, rendered
from felixbgp.cli.journals import Journal, look_at, paths_of
from felixbgp.cli.kinds import kind_of
from felixbgp.cli.moments import time_of
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.table import printable
from felixbgp.runtime.settings import AGENT_FILE

RESOURCES, SESSIONS = "resources", "sessions"


@click.command()
@click.argument("journals", nargs=-1, metavar="[JOURNAL]...", type=click.Path(path_type=Path, exists=True))
@click.option("--node", metavar="NAME", help="That node's journals alone.")
@click.option("--since", metavar="WHEN", help="10m, 2h, 1d ago, or 2026-05-01T12:30:00.")
@click.option("--only", type=click.Choice([RESOURCES, SESSIONS]), help="One half of it; resources is quick.")
@click.option("--peer", metavar="ADDRESS", help="Sessions with this peer.")
@click.option("--resource", metavar="KIND[/NAME]", help="Resources of a kind, or one of them.")
@click.option("--all", "every", is_flag=True, help="Every step of every session, also of dials in vain.")
@output_option("table", "json", "yaml")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"The agent's settings file, {AGENT_FILE} unless given.",
)
def history(
    *,
    journals: tuple[Path, ...],
    node: str | None,
    since: str | None,
    only: str | None,
    peer: str | None,
    resource: str | None,
    every: bool,
    output: str,
    config: Path | None,
) -> None:
    """Show what changed in etcd and what became of the sessions: when, at which revision, and why.

    It reads the journals of this host's agent, which `felixbgp agent --journal FILE` writes, or those given:
    files, or folders of files, of as many nodes as you like. What an agent's sessions did is had by doing
    again all that the agent did, as `felixbgp replay` does; a large journal takes its time. A change of etcd
    that several nodes were told of is shown once. What is missing of a journal is said where it is missing.

    \b
    Examples:
      felixbgp history --since 2h
      felixbgp history --node node-1 --peer 192.0.2.1 /var/tmp/journals
      felixbgp history --only resources --resource bgppeer/rack1-tor -o yaml
    """  # noqa: D301 - \b tells click not to wrap
    kind, _, name = (resource or "").partition("/")
    wanted = Wanted(
        since_ns=None if since is None else time_of(since, time.time_ns()),
        resources=only != SESSIONS,
        sessions=only != RESOURCES,
        peer=peer,
        kind=kind_of(kind) if kind else None,
        name=name or None,
        every=every,
    )
    faults: list[str] = []
    found = look_at(paths_of(journals, config), faults)
    for fault in faults:
        click.echo(f"warning: {printable(fault)}", err=True)
    ours = [one for one in found if node in (None, one.node)]
    if not found:
        raise click.ClickException("there is no journal that can be read")
    if not ours:
        others = ", ".join(sorted({one.node for one in found}))
        raise click.ClickException(f"there is no journal of node {node!r}, but of: {printable(others)}")
    if since is not None:
        _require_times(ours)
    entries = gather(ours, wanted)
    if output == "table":
        click.echo(rendered(entries), nl=False)
    else:
        click.echo((as_json if output == "json" else as_yaml)(as_objects(entries)), nl=False)


def _require_times(journals: Sequence[Journal]) -> None:
    """Refuse where none of them says what time it was; tell of those that do not."""
    timeless = sum(one.wall_offset_ns is None for one in journals)
    if timeless == len(journals):
        raise click.ClickException(
            "the journals do not say what time it was, as those of a simulation; leave --since out"
        )
    if timeless:
        click.echo(
            f"warning: {timeless} of {len(journals)} journals do not say what time it was; "
            "all of what they tell is shown",
            err=True,
        )
