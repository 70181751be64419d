"""`felixbgp validate`: check files of resources, without etcd."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import click

from felixbgp.cli.calicoctl import accepted_from_calicoctl
from felixbgp.cli.files import STANDARD_INPUT, STANDARD_INPUT_NAME, faults_of, texts
from felixbgp.cli.kinds import counted, described
from felixbgp.cli.table import printable
from felixbgp.intent.unreachable import unreachable_rules
from felixbgp.intent.without_effect import overruled, unused_fields, why_without_effect
from felixbgp.net import PrefixTrie
from felixbgp.resources import (
    AnyResource,
    BgpConfiguration,
    BgpFilter,
    BgpPeer,
    CalicoNodeStatus,
    FieldError,
    IpPool,
    ResourceKey,
)
from felixbgp.resources.documents import Document, load_yaml_documents
from felixbgp.resources.write_rules import broken_rules_of_itself, overlaps


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

    Wrong is what `felixbgp apply` would refuse, and what no agent does anything by: IPPools that overlap, a
    BGPPeer that names no peer, a BGPConfiguration of a name that means nothing. A warning is what may be
    meant, but hardly is: a BGPFilter that no file has, a rule that can never match, a resource given twice, a
    peerIP that another BGPPeer has for the same nodes.

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
    resources = [document.resource for _, document in checked if document.resource is not None]
    given = Together.of(resources)
    faults = [line for name, document in checked for line in _faults(name, document, given)]
    warnings = [
        printable(f"{name}: {document}: {text}") for name, document, text in warnings_of(checked, given)
    ]
    for warning in () if strict else warnings:
        click.echo(f"warning: {warning}", err=True)
    if strict:
        faults += warnings
    if faults:
        raise click.ClickException("\n".join(faults))
    if not resources and not skip_empty:
        names = [STANDARD_INPUT_NAME if name == STANDARD_INPUT else name for name in files]
        raise click.ClickException(f"no resource in {', '.join(names)}")
    # calicoctl's words for none.
    keys = [resource.key for resource in resources]
    click.echo(counted("validated", keys) if keys else "No resources specified")


class Together(NamedTuple):
    """What all files together have; of a resource that is given twice the last one."""

    keys: frozenset[ResourceKey]
    has_nodes: bool
    overlapping: Mapping[str, Sequence[IpPool]]
    """By name of a pool, those that share addresses with it."""
    overruled: Mapping[str, FieldError]
    """By name, the BGPPeers that lose against another one."""

    @classmethod
    def of(cls, resources: Iterable[AnyResource]) -> Self:
        """Look through them once."""
        by_key = {resource.key: resource for resource in resources}
        return cls(
            frozenset(by_key),
            any(key.kind == "Node" for key in by_key),
            _overlapping(one for one in by_key.values() if isinstance(one, IpPool)),
            overruled(one for one in by_key.values() if isinstance(one, BgpPeer)),
        )


def _overlapping(pools: Iterable[IpPool]) -> dict[str, list[IpPool]]:
    """Found by prefix: each held against all others takes seconds for two thousand."""
    found: dict[str, list[IpPool]] = defaultdict(list)
    wider: PrefixTrie[list[IpPool]] = PrefixTrie()
    for pool in sorted(pools, key=lambda one: one.spec.cidr.length):
        for _, others in wider.covering(pool.spec.cidr):
            found[pool.name] += others
            for other in others:
                found[other.name].append(pool)
        wider[pool.spec.cidr] = [*(wider.get(pool.spec.cidr) or ()), pool]
    return found


def _faults(name: str, document: Document, given: Together) -> Iterator[str]:
    """What is wrong with a document, what the verbs that write would refuse, and what means nothing."""
    yield from faults_of(name, document)
    resource = document.resource
    if resource is None:
        return
    for error in broken_rules_of_itself(resource):
        yield _line(name, document, resource, error)
    if isinstance(resource, IpPool):
        for error in overlaps(resource, given.overlapping.get(resource.name, ())):
            yield _line(name, document, resource, error)
    if (found := why_without_effect(resource)) is not None:
        yield _line(name, document, resource, found)


def _line(name: str, document: Document, resource: AnyResource, error: FieldError) -> str:
    return printable(f"{name}: {document}: {described(resource.key)}: {error}")


def warnings_of(
    checked: Sequence[tuple[str, Document]], given: Together
) -> Iterator[tuple[str, Document, str]]:
    """What is allowed, and hardly meant."""
    seen: set[ResourceKey] = set()
    for name, document in checked:
        resource = document.resource
        if resource is None:
            continue
        key = resource.key
        if key in seen:
            yield name, document, f"{described(key)} is given before; the last one counts"
        seen.add(key)
        for text in [*_unresolved(resource, given), *map(str, _without_effect(resource, given))]:
            yield name, document, f"{described(key)}: {text}"


def _without_effect(resource: AnyResource, given: Together) -> Iterable[FieldError]:
    """The parts of a resource that no node does anything by."""
    match resource:
        case BgpFilter():
            return unreachable_rules(resource)
        case BgpConfiguration():
            return unused_fields(resource)
        case BgpPeer() if resource.name in given.overruled:
            return [given.overruled[resource.name]]
        case _:
            return ()


def _unresolved(resource: AnyResource, given: Together) -> Iterator[str]:
    """What the resource names that is not among those given; of nodes only when any are given."""
    if isinstance(resource, BgpPeer):
        for index, name in enumerate(resource.spec.filters):
            if ResourceKey("BGPFilter", name) not in given.keys:
                yield f"spec.filters[{index}]: no BGPFilter {name!r} is given; sessions stay down without it"
    node = _node_of(resource)
    if node is not None and given.has_nodes and ResourceKey("Node", node) not in given.keys:
        yield f"no Node {node!r} is given"


def _node_of(resource: AnyResource) -> str | None:
    """The node that a resource is about, if it is about one."""
    if isinstance(resource, BgpPeer | CalicoNodeStatus):
        return resource.spec.node
    if isinstance(resource, BgpConfiguration) and resource.name.startswith("node."):
        return resource.name.removeprefix("node.")
    return None
