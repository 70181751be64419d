"""`felixbgp replay`: does an agent of today do what a recorded one did, and how did that one stand?"""

import time
from pathlib import Path

import click

from felixbgp import __version__
from felixbgp.cli.form_options import output_option
from felixbgp.cli.moments import time_of
from felixbgp.cli.printing import as_json, as_yaml
from felixbgp.cli.table import printable

EFFECT_SHOWN = 2000
"""Characters of an effect: a status with a thousand peers has some hundred thousand."""
SECOND_NS = 1_000_000_000


@click.command()
@click.argument("journal", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--at", metavar="WHEN", help="Show the agent as of this etcd revision, or this time.")
@output_option("table", "json", "yaml", text="Form of what --at shows.")
def replay(journal: Path, at: str | None, output: str) -> None:
    """Give an agent what JOURNAL says that one was given, and compare every effect, byte for byte.

    Nothing is sent, and nothing is written: there is no etcd, no peer and no kernel. A journal is written by
    `felixbgp agent --journal FILE`. Leaves with 1 where an effect differs, and says which and when.

    With --at nothing is compared: its peers, filters and routes are shown as they stood last while etcd had
    told it of nothing later than that revision (`felixbgp history` has them), or at a time: 10m, 2h, 1d ago,
    or 2026-05-01T12:30:00.

    \b
    Examples:
      felixbgp replay /var/lib/felixbgp/journal
      felixbgp replay /var/lib/felixbgp/journal --at 12345
      felixbgp replay /var/lib/felixbgp/journal --at 2h -o yaml
    """  # noqa: D301 - \b tells click not to wrap
    if at is not None:
        _show(journal, at, output)
        return
    _compare(journal)


def _show(journal: Path, at: str, output: str) -> None:
    # Loaded late, as below.
    from felixbgp.cli.replay_report import as_object, rendered  # noqa: PLC0415
    from felixbgp.journal.moment import Moment, stood_at  # noqa: PLC0415
    from felixbgp.journal.records import JournalError, read  # noqa: PLC0415

    is_revision = at.isdecimal()
    moment = Moment(int(at)) if is_revision else Moment(time_ns=time_of(at, time.time_ns()))
    cut: list[int] = []
    try:
        with journal.open("rb") as file:
            stood = stood_at(read(file, cut.append), moment)
    except (JournalError, OSError) as error:
        raise click.ClickException(f"{journal}: {error}") from error
    _tell_cut(cut)
    for remark in stood.remarks:
        click.echo(f"warning: {printable(remark)}", err=True)
    if output == "table":
        click.echo(rendered(stood), nl=False)
    else:
        click.echo((as_json if output == "json" else as_yaml)(as_object(stood)), nl=False)


def _tell_cut(cut: list[int]) -> None:
    """No error: an agent that was killed, or still writes, leaves such an end."""
    for number in cut:
        click.echo(f"warning: the journal is cut off in record {number}: what follows is missing", err=True)


def _compare(journal: Path) -> None:
    # Loaded late: only this verb needs all of the agent.
    from felixbgp.journal.records import JournalError, read  # noqa: PLC0415
    from felixbgp.journal.replay import replay as go_through  # noqa: PLC0415

    cut: list[int] = []
    try:
        with journal.open("rb") as file:
            replayed = go_through(read(file, cut.append))
    except (JournalError, OSError) as error:
        raise click.ClickException(f"{journal}: {error}") from error
    _tell_cut(cut)
    if replayed.version != __version__:
        click.echo(f"recorded by felixbgp {printable(replayed.version)}, and this is {__version__}", err=True)
    if replayed.ended:
        click.echo(f"the recording ends: {printable(replayed.ended)}", err=True)
    done = f"{replayed.inputs} inputs, {replayed.effects} effects in {replayed.calls} calls"
    if replayed.difference is None:
        click.echo(f"same effects: {done}, digest {replayed.digest}")
        return
    difference = replayed.difference
    click.echo(
        f"call {difference.number} ({difference.call}), {difference.after_ns / SECOND_NS:.6f} s after the "
        f"first record, differs in effect {difference.position + 1}: {difference.recorded} effects recorded, "
        f"{difference.replayed} now"
    )
    if difference.reason:
        click.echo(f"now: {printable(difference.reason)}")
    elif difference.effect is not None:
        click.echo(f"now: {printable(repr(difference.effect))[:EFFECT_SHOWN]}")
    else:
        click.echo("now: no such effect")
    click.echo(f"the same until then: {done}")
    raise click.exceptions.Exit(1)
