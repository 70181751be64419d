"""`felixbgp delete`: remove resources, by file or by name."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from felixbgp.cli.completion import complete_kind, complete_name
from felixbgp.cli.files import read_given
from felixbgp.cli.kinds import described, key_of, kind_of
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.outcome import Words, tell
from felixbgp.cli.stating import in_namespace
from felixbgp.cli.store import Store, StoreError, run_with_store
from felixbgp.cli.usage import Usage, belongings, usage_of
from felixbgp.cli.writing import Report, conflict, missing, printable_lines
from felixbgp.resources import ResourceKey

WORDS = Words("delete", "deleted")


@click.command()
@click.argument("kind", required=False, shell_complete=complete_kind)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE", help="Delete what these name.")
@click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace, where the kind has them.")
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

    \b
    Examples:
      felixbgp delete bgppeer rack1-tor rack2-tor
      felixbgp delete -f rack1-tor.yaml
      felixbgp delete node node-7 --force
    """  # noqa: D301 - \b tells click not to wrap
    wanted = _wanted(kind, names, files, given)
    run = partial(_Deletion(wanted, skip_not_exists, given["force"], given["dry_run"]).run)
    report = run_with_store(etcd_settings(given), run)
    tell(WORDS, list(wanted), report, dry_run=given["dry_run"])


def _wanted(
    kind: str | None, names: Sequence[str], files: Sequence[str], given: dict[str, Any]
) -> dict[ResourceKey, str | None]:
    """What to delete, each with the resourceVersion that it must have."""
    if bool(files) == bool(kind):
        raise click.UsageError("give KIND and NAME, or -f FILE")
    if kind is None:
        found = in_namespace(read_given(files, recursive=given["recursive"]), given["namespace"])
        return {one.resource.key: one.resource.metadata.resource_version for one in found}
    if not names:
        raise click.UsageError("give the NAME of what to delete")
    return {key_of(kind_of(kind), name, given["namespace"]): None for name in names}


class _Deletion:
    """One run of `delete`."""

    def __init__(
        self, wanted: dict[ResourceKey, str | None], skip_not_exists: bool, force: bool, dry_run: bool
    ) -> None:
        self._wanted = wanted
        self._skip_not_exists = skip_not_exists
        self._force = force
        self._dry_run = dry_run
        self._report = Report()

    async def run(self, store: Store) -> Report:
        """Look for users of what is to go, then delete in order."""
        usage = await usage_of(store, list(self._wanted))
        if not self._force:
            _refuse(usage)
        for key, version in self._wanted.items():
            try:
                await self._delete(store, key, version)
            except StoreError as error:
                self._report.broken_off = error.message
                break
        for used in usage if self._force else ():
            if used.remains and used.key in self._report.done:
                click.echo(f"warning: {described(used.key)} is gone; left behind: {used.remains}", err=True)
        return self._report

    async def _delete(self, store: Store, key: ResourceKey, version: str | None) -> None:
        stored = await store.get(str(key))
        if stored is None and not self._skip_not_exists:
            self._report.errors.append((key, missing(key)))
            return
        if stored is not None and version not in (None, str(stored.revision)):
            self._report.errors.append((key, conflict(key)))
            return
        if self._dry_run:
            self._report.dry.append(f"# {described(key)}: would be deleted\n")
        elif stored is not None:
            revision = stored.revision if version is not None else None
            if not await store.delete(str(key), revision):
                self._report.errors.append((key, conflict(key)))
                return
            for own in await belongings(store, key) if self._force else ():
                await store.delete(own)
        self._report.done.append(key)


def _refuse(usage: Sequence[Usage]) -> None:
    """End the command when something that is in use would be deleted."""
    lines = [f"{described(used.key)} is in use by {', '.join(used.users)}" for used in usage if used.users]
    if lines:
        lines.append("nothing was deleted; --force deletes it all the same")
        raise click.ClickException(printable_lines(lines))
