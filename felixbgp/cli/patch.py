"""`felixbgp patch`: change some fields of a resource."""

from functools import partial
from typing import Any

import click
import yaml

from felixbgp.cli.kinds import described
from felixbgp.cli.naming import edit, object_arguments
from felixbgp.cli.options import etcd_options
from felixbgp.cli.table import printable
from felixbgp.cli.writing import missing
from felixbgp.resources.documents import load_plain_documents
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
    change = partial(_changed, parsed_patch(text))
    key, report = edit(kind, name, change, given)
    for _, error in report.errors:
        hint = (
            f"; `felixbgp create` makes one: {_beginning(key.kind, key.name)}"
            if error == missing(key)
            else ""
        )
        raise click.ClickException(f"Failed to patch '{key.kind}' resource: [{printable(error)}]{hint}")
    if report.broken_off:
        raise click.ClickException(f"Failed to patch '{key.kind}' resource: [{printable(report.broken_off)}]")
    if given["dry_run"]:
        click.echo("".join(report.dry), nl=False)
        click.echo(f"{described(key)} would be patched", err=True)
        return
    click.echo(f"Successfully patched 1 '{key.kind}' resource")


def parsed_patch(text: str) -> Json:
    """The patch as an object. Raises `click.UsageError`."""
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


def _beginning(kind: str, name: str) -> str:
    """The least that `create` takes of such an object, to begin with."""
    least = {
        "apiVersion": "projectcalico.org/v3",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {},
    }
    text = yaml.safe_dump(least, default_flow_style=True, width=1000, sort_keys=False).strip()
    return f"echo '{text}' | felixbgp create -f -"
