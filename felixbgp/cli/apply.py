"""`felixbgp apply`: create resources, or update those that exist."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from felixbgp.cli.files import read_resources
from felixbgp.cli.kinds import counted, described
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, Stored, StoreError, run_with_store
from felixbgp.resources import AnyResource, BgpPeer, ResourceKey, encode, validate
from felixbgp.resources.decode import parse_json
from felixbgp.resources.keys import prefix_of

ATTEMPTS_MAX = 5
"""Somebody else may write between our read and our write, but hardly this often."""

_FROM_THE_FILE = ("name", "labels", "annotations")
"""What of the metadata belongs to whoever writes the file; the rest is kept as it is stored."""


@click.command()
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="YAML or JSON file, folder of such files, or - for standard input. May be repeated.",
)
@etcd_options
def apply(files: tuple[str, ...], **given: Any) -> None:
    """Create resources, or update those that exist, from FILE.

    Everything is checked before anything is written.

    \b
    Examples:
      felixbgp apply -f rack1-tor.yaml
      cat peers/*.yaml | felixbgp apply -f -
    """  # noqa: D301 - \b tells click not to wrap
    settings = etcd_settings(given)
    resources = read_resources(files)
    keys = [key_of_resource(resource) for resource in resources]
    for warning in run_with_store(settings, _Application(resources).run):
        click.echo(f"warning: {warning}", err=True)
    click.echo(counted("applied", keys))


def key_of_resource(resource: AnyResource) -> ResourceKey:
    """Where a resource is stored."""
    return resource.key


class _Application:
    """One run of `apply`: its resources, and how far it came."""

    def __init__(self, resources: Sequence[AnyResource]) -> None:
        self._resources = resources

    async def run(self, store: Store) -> list[str]:
        """Write every resource in order; gives warnings."""
        for done, resource in enumerate(self._resources):
            try:
                await write_resource(store, resource)
            except StoreError as error:
                total = len(self._resources)
                before = f"applied {done} of {total} resources, then " if total > 1 else ""
                subject = described(key_of_resource(resource))
                raise StoreError(f"{before}{subject}: {error}") from error
        return await _missing_filters(store, self._resources)


async def write_resource(store: Store, resource: AnyResource) -> None:
    """Create or update one resource. Raises `StoreError`."""
    key = str(key_of_resource(resource))
    wanted_version = resource.metadata.resource_version
    for _ in range(ATTEMPTS_MAX):
        stored = await store.get(key)
        if wanted_version is not None and (stored is None or str(stored.revision) != wanted_version):
            raise StoreError(f"update conflict: resourceVersion {wanted_version} is not the current one")
        value = merged(resource, stored, uid=str(uuid.uuid4()), created=_now())
        if stored is not None and stored.value == value:
            return
        if await store.put_if_unchanged(key, value, stored.revision if stored is not None else 0):
            return
    raise StoreError(f"update conflict: somebody else wrote it {ATTEMPTS_MAX} times meanwhile")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(resource: AnyResource, stored: Stored | None, *, uid: str, created: str) -> bytes:
    """The value to write: spec, labels and annotations as given; everything else as it is stored.

    An object that is new, or whose stored value is of no use, gets `uid` and `created`, unless the file
    carries its own, as calicoctl has it.
    """
    document = json.loads(encode(resource))
    found = parse_json(stored.value) if stored is not None else {}
    existing = found if isinstance(found, dict) else {}
    metadata = document["metadata"]
    known = existing.get("metadata")
    for name, value in known.items() if isinstance(known, dict) else ():
        if name not in _FROM_THE_FILE and value is not None:
            metadata[name] = value
    metadata["uid"] = metadata.get("uid") or uid
    metadata["creationTimestamp"] = metadata.get("creationTimestamp") or created
    if "status" in existing:
        document.setdefault("status", existing["status"])
    checked = validate(document)
    if isinstance(checked, list):
        # What is stored beside the spec is broken: the file alone is right, and mends it.
        return merged(resource, None, uid=uid, created=created)
    return encode(checked)


async def _missing_filters(store: Store, resources: Sequence[AnyResource]) -> list[str]:
    """A warning for each peer that names filters which do not exist: its sessions stay down until they do."""
    peers = [resource for resource in resources if isinstance(resource, BgpPeer) and resource.spec.filters]
    if not peers:
        return []
    prefix = prefix_of("BGPFilter")
    known = {stored.key.removeprefix(prefix) for stored in await store.list(prefix)}
    warnings = []
    for peer in peers:
        missing = [name for name in peer.spec.filters or () if name not in known]
        if missing:
            subject = described(key_of_resource(peer))
            warnings.append(
                f"{subject}: BGPFilter(s) not found: {', '.join(missing)}; its sessions stay down"
            )
    return warnings
