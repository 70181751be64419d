"""`felixbgp delete`: remove resources, by file or by name."""

from collections.abc import Sequence
from typing import Any

import click

from felixbgp.cli.completion import complete_kind, complete_name
from felixbgp.cli.deleting import Deletion
from felixbgp.cli.file_options import NOTHING, folder_options
from felixbgp.cli.kinds import key_of, kind_of
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.outcome import Words, tell, told_when_broken_off
from felixbgp.cli.store import run_with_store
from felixbgp.cli.table import printable
from felixbgp.resources import ResourceKey

WORDS = Words("delete", "deleted", "of them did not exist", one_by_one=True)


@click.command()
@click.argument("kind", required=False, shell_complete=complete_kind)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE", help="Delete what these name.")
@folder_options
@click.option("-s", "--skip-not-exists", is_flag=True, help="What does not exist counts as deleted.")
@click.option("--force", is_flag=True, help="Also what is in use; with a Node what is about it alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@etcd_options
def delete(
    kind: str | None, names: tuple[str, ...], files: tuple[str, ...], skip_not_exists: bool, **given: Any
) -> None:
    """Delete resources: those named, or those in FILE.

    What is in use is not deleted unless forced: a BGPFilter that a BGPPeer names (its sessions would go
    down), a Node with a running agent, workloads, blocks or BGPPeers of its own, an IPPool with blocks in
    it. What is deleted by the same command uses nothing.

    A Node deleted by force takes its BGPPeers (spec.node) and its BGPConfiguration along. Addresses and
    workloads are Calico's: they are left, and told.

    \b
    Examples:
      felixbgp delete bgppeer rack1-tor rack2-tor
      felixbgp delete -f rack1-tor.yaml
      felixbgp delete node node-7 --force
    """  # noqa: D301 - \b tells click not to wrap
    wanted = _wanted(kind, names, files, given)
    if not wanted:
        click.echo(NOTHING)
        return
    dry_run, verbose = bool(given["dry_run"]), bool(given["verbose"])
    run = Deletion(wanted, skip_not_exists=skip_not_exists, force=given["force"], dry_run=dry_run)
    settings = etcd_settings(given)
    with told_when_broken_off(WORDS, list(wanted), run.report, verbose=verbose):
        run_with_store(settings, run.run)
    for note in run.notes:
        click.echo(f"note: {printable(note)}", err=True)
    tell(WORDS, list(wanted), run.report, dry_run=dry_run, verbose=verbose)


def _wanted(
    kind: str | None, names: Sequence[str], files: Sequence[str], given: dict[str, Any]
) -> dict[ResourceKey, str | None]:
    """What to delete, each with the resourceVersion that it must have."""
    if bool(files) == bool(kind):
        raise click.UsageError("give KIND and NAME, or -f FILE")
    if kind is None:
        # Loaded late: reading files is what the other way does without.
        from felixbgp.cli.stating import read_files  # noqa: PLC0415

        found = read_files(files, given)
        return {one.resource.key: one.resource.metadata.resource_version for one in found}
    if not names:
        raise click.UsageError("give the NAME of what to delete")
    return {key_of(kind_of(kind), name, given["namespace"]): None for name in names}
