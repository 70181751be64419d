"""`felixbgp patch`: change some fields of a resource."""

import json
import shlex
from functools import partial
from typing import Any

import click

from felixbgp.cli.drafting import missing
from felixbgp.cli.naming import Edit, edit, failure_of, key_of_object, object_arguments, tell_dry
from felixbgp.cli.options import etcd_options
from felixbgp.cli.outcome import say
from felixbgp.cli.table import printable
from felixbgp.resources import ResourceKey
from felixbgp.resources.base import API_VERSION
from felixbgp.resources.editing import Json, patched

_TYPES = ("strategic", "merge", "json")


@click.command()
@object_arguments
@click.option(
    "-p", "--patch", "text", metavar="PATCH", required=True, help="The fields to change, as YAML or JSON."
)
@click.option(
    "-t",
    "--type",
    "kind_of_patch",
    type=click.Choice(_TYPES),
    default="strategic",
    show_default=True,
    help="Form of PATCH; json (RFC 6902) is not done.",
)
@etcd_options
def patch(kind: str, name: str, text: str, kind_of_patch: str, **given: Any) -> None:
    """Change some fields of one resource; all others stay as they are.

    Objects are merged field by field, labels and annotations among them; a list takes the place of a list;
    null takes a field away.

    \b
    Examples:
      felixbgp patch bgpconfiguration default -p '{"spec": {"nodeToNodeMeshEnabled": false}}'
      felixbgp patch node node-1 -p '{"spec": {"bgp": {"asNumber": "64514"}}}'
    """  # noqa: D301 - \b tells click not to wrap
    if kind_of_patch == "json":
        raise click.UsageError("a patch of type json (RFC 6902) is not supported; write it as a merge patch")
    wanted, version = _apart(parsed_patch(text))
    key = key_of_object(kind, name, given)
    report = edit(Edit(key, partial(_changed, wanted), version), given)
    if failure := failure_of(report):
        absent = failure == missing(key)
        hint = f"; `felixbgp create` makes one: {printable(_creation(key, wanted))}" if absent else ""
        raise click.ClickException(f"Failed to patch '{key.kind}' resource: [{failure}]{hint}")
    if given["dry_run"]:
        tell_dry(report)
        return
    say(f"Successfully patched 1 '{key.kind}' resource")


def parsed_patch(text: str) -> Json:
    """The patch as an object. Raises `click.UsageError`."""
    # Loaded late: help does without.
    from felixbgp.resources.documents import load_plain_documents  # noqa: PLC0415

    documents = load_plain_documents(text)
    if len(documents) != 1:
        raise click.UsageError("the patch must be one object")
    (document,) = documents
    if document.errors:
        raise click.UsageError(f"the patch {document.errors[0]}")
    if not isinstance(document.value, dict):
        raise click.UsageError('the patch must be an object, for example {"spec": {"asNumber": 64513}}')
    return document.value


def _changed(wanted: Json, stored: Json) -> Json:
    return patched(stored, wanted)


def _apart(wanted: Json) -> tuple[Json, str | None]:
    """The patch, and the resourceVersion that it says the object must have."""
    metadata = wanted.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("resourceVersion") is None:
        return wanted, None
    rest = {name: value for name, value in metadata.items() if name != "resourceVersion"}
    return {**wanted, "metadata": rest}, str(metadata["resourceVersion"])


def _creation(key: ResourceKey, wanted: Json) -> str:
    """The command that creates an object with what the patch wanted it to have."""
    named = {"name": key.name} if key.namespace is None else {"name": key.name, "namespace": key.namespace}
    least: Json = {"apiVersion": API_VERSION, "kind": key.kind, "metadata": named, "spec": {}}
    return f"echo {shlex.quote(json.dumps(patched(least, wanted)))} | felixbgp create -f -"
