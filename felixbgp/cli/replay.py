"""`felixbgp replay`: does an agent of today do what a recorded one did?"""

from pathlib import Path

import click

from felixbgp import __version__
from felixbgp.cli.table import printable

EFFECT_SHOWN = 2000
"""Characters of an effect: a status with a thousand peers has some hundred thousand."""
SECOND_NS = 1_000_000_000


@click.command()
@click.argument("journal", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def replay(journal: Path) -> None:
    """Give an agent what JOURNAL says that one was given, and compare every effect, byte for byte.

    Nothing is sent, and nothing is written: there is no etcd, no peer and no kernel. A journal is written by
    `felixbgp agent --journal FILE`. Leaves with 1 where an effect differs, and says which and when.

    \b
    Examples:
      felixbgp replay /var/lib/felixbgp/journal
    """  # noqa: D301 - \b tells click not to wrap
    # Loaded late: only this verb needs all of the agent.
    from felixbgp.journal.records import JournalError, read  # noqa: PLC0415
    from felixbgp.journal.replay import replay as go_through  # noqa: PLC0415

    try:
        with journal.open("rb") as file:
            replayed = go_through(read(file))
    except (JournalError, OSError) as error:
        raise click.ClickException(f"{journal}: {error}") from error
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
