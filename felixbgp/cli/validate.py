"""`felixbgp validate`: check files of resources, without etcd."""

from collections.abc import Iterator, Sequence

import click

from felixbgp.cli.calicoctl import accepted_from_calicoctl
from felixbgp.cli.files import faults_of, texts
from felixbgp.cli.kinds import counted, described
from felixbgp.cli.table import printable
from felixbgp.intent.unreachable import unreachable_rules
from felixbgp.resources import (
    AnyResource,
    BgpConfiguration,
    BgpFilter,
    BgpPeer,
    CalicoNodeStatus,
    ResourceKey,
)
from felixbgp.resources.documents import Document, load_yaml_documents


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
@click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option("--skip-empty", is_flag=True, help="Files without resources are no error.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@accepted_from_calicoctl
def validate(files: tuple[str, ...], recursive: bool, skip_empty: bool, strict: bool) -> None:
    """Check the resources in FILE, without etcd, and tell everything that is wrong.

    A warning is what may be meant, but hardly is: a BGPFilter that no file has, a rule that can never
    match, a resource given twice.

    \b
    Examples:
      felixbgp validate -f peers.yaml
      felixbgp validate -f manifests/ --strict
    """  # noqa: D301 - \b tells click not to wrap
    checked = [
        (name, document)
        for name, text in texts(files, recursive=recursive)
        for document in load_yaml_documents(text)
    ]
    faults = [line for name, document in checked for line in faults_of(name, document)]
    resources = [document.resource for _, document in checked if document.resource is not None]
    warnings = [printable(f"{name}: {document}: {text}") for name, document, text in _warnings(checked)]
    for warning in () if strict else warnings:
        click.echo(f"warning: {warning}", err=True)
    if strict:
        faults += warnings
    if faults:
        raise click.ClickException("\n".join(faults))
    if not resources and not skip_empty:
        raise click.ClickException(f"no resource in {', '.join(files)}")
    # calicoctl's words for none.
    keys = [resource.key for resource in resources]
    click.echo(counted("validated", keys) if keys else "No resources specified")


def _warnings(checked: Sequence[tuple[str, Document]]) -> Iterator[tuple[str, Document, str]]:
    """What is allowed, and hardly meant."""
    seen: set[ResourceKey] = set()
    known = {document.resource.key for _, document in checked if document.resource is not None}
    for name, document in checked:
        resource = document.resource
        if resource is None:
            continue
        key = resource.key
        if key in seen:
            yield name, document, f"{described(key)} is given before; the last one counts"
        seen.add(key)
        for text in [*_unresolved(resource, known), *_unreachable(resource)]:
            yield name, document, f"{described(key)}: {text}"


def _unreachable(resource: AnyResource) -> Iterator[str]:
    """The rules of a filter that can never match."""
    if isinstance(resource, BgpFilter):
        yield from map(str, unreachable_rules(resource))


def _unresolved(resource: AnyResource, known: set[ResourceKey]) -> Iterator[str]:
    """What the resource names that is not among those given; of nodes only when any are given."""
    if isinstance(resource, BgpPeer):
        for index, name in enumerate(resource.spec.filters):
            if ResourceKey("BGPFilter", name) not in known:
                yield f"spec.filters[{index}]: no BGPFilter {name!r} is given; sessions stay down without it"
    node = _node_of(resource)
    nodes_given = any(key.kind == "Node" for key in known)
    if node is not None and nodes_given and ResourceKey("Node", node) not in known:
        yield f"no Node {node!r} is given"


def _node_of(resource: AnyResource) -> str | None:
    """The node that a resource is about, if it is about one."""
    if isinstance(resource, BgpPeer | CalicoNodeStatus):
        return resource.spec.node
    if isinstance(resource, BgpConfiguration) and resource.name.startswith("node."):
        return resource.name.removeprefix("node.")
    return None
