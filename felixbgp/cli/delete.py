"""`felixbgp delete`: remove resources, by file or by name."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from felixbgp.cli.apply import key_of_resource
from felixbgp.cli.files import read_resources
from felixbgp.cli.kinds import counted, described, key_of, kind_of
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, StoreError, run_with_store
from felixbgp.resources import BgpPeer, ResourceKey, decode
from felixbgp.resources.keys import prefix_of


@click.command()
@click.argument("kind", required=False)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-f", "--filename", "files", multiple=True, metavar="FILE", help="Delete what these files name."
)
@click.option("--skip-not-exists", is_flag=True, help="What does not exist is no error.")
@etcd_options
def delete(
    kind: str | None, names: tuple[str, ...], files: tuple[str, ...], skip_not_exists: bool, **given: Any
) -> None:
    """Delete resources: those named, or those in FILE.

    A BGPFilter that a BGPPeer still uses is not deleted: without it the peer would stay down.

    \b
    Examples:
      felixbgp delete bgppeer rack1-tor rack2-tor
      felixbgp delete -f rack1-tor.yaml
    """  # noqa: D301 - \b tells click not to wrap
    keys = _wanted(kind, names, files)
    settings = etcd_settings(given)
    deleted = run_with_store(settings, partial(_delete, keys, skip_not_exists))
    click.echo(counted("deleted", deleted) if deleted else "Nothing to delete")


def _wanted(kind: str | None, names: Sequence[str], files: Sequence[str]) -> list[ResourceKey]:
    if bool(files) == bool(kind):
        raise click.UsageError("give KIND and NAME, or -f FILE")
    if kind is None:
        return [key_of_resource(resource) for resource in read_resources(files)]
    if not names:
        raise click.UsageError("give the NAME of what to delete")
    return [key_of(kind_of(kind), name) for name in names]


async def _delete(keys: Sequence[ResourceKey], skip_not_exists: bool, store: Store) -> list[ResourceKey]:
    await _refuse_filters_in_use(keys, store)
    deleted: list[ResourceKey] = []
    for key in keys:
        try:
            existed = await store.delete(str(key))
            if not existed and not skip_not_exists:
                raise StoreError("resource does not exist")  # noqa: TRY301 - told like any other failure
        except StoreError as error:
            before = f"deleted {len(deleted)} of {len(keys)} resources, then " if len(keys) > 1 else ""
            raise StoreError(f"{before}{described(key)}: {error}") from error
        if existed:
            deleted.append(key)
    return deleted


async def _refuse_filters_in_use(keys: Sequence[ResourceKey], store: Store) -> None:
    filters = {key.name for key in keys if key.kind == "BGPFilter"}
    if not filters:
        return
    for stored in await store.list(prefix_of("BGPPeer")):
        decoded = decode(stored.key, stored.value)
        peer = None if isinstance(decoded, list) else decoded.value
        if not isinstance(peer, BgpPeer) or key_of_resource(peer) in keys:
            continue
        used = [name for name in peer.spec.filters or () if name in filters]
        if used:
            subject = described(ResourceKey("BGPFilter", used[0]))
            raise StoreError(f"{subject} is used by {described(key_of_resource(peer))}; nothing was deleted")
