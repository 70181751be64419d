"""`felixbgp get`: show resources as they are stored."""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import click

from felixbgp.cli.completion import complete_form, complete_kind, complete_name
from felixbgp.cli.kinds import described, key_of, kind_of, namespace_of
from felixbgp.cli.objects import Found, Object, as_object, exported
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.output import DEFAULT_GLOBAL_AS, Form, Surroundings, parse_form
from felixbgp.cli.store import Store, Stored, StoreError, run_with_store
from felixbgp.cli.table import harmless, printable
from felixbgp.resources import BgpConfiguration, Decoded, ResourceKey, decode
from felixbgp.resources.keys import NAMESPACED, prefix_of

_DEFAULT_CONFIGURATION = ResourceKey("BGPConfiguration", "default")


class Request(NamedTuple):
    """One resource, or with no `key` all of a kind, in a namespace if one is given."""

    kind: str
    key: ResourceKey | None = None
    namespace: str | None = None


class Namespaces(NamedTuple):
    """What was said of namespaces: one, `every`, or nothing."""

    name: str | None = None
    every: bool = False

    def check(self, kind: str) -> None:
        """Refuse what makes no sense for a kind, in calicoctl's words."""
        if self.name is not None and self.every:
            raise click.UsageError("cannot use both --namespace and --all-namespaces flags at the same time")
        if self.every and kind not in NAMESPACED:
            raise click.UsageError(f"{kind} is not namespaced")

    def key(self, kind: str, name: str, own: str | None = None) -> ResourceKey:
        """The key of one resource; `own` is the namespace that it states itself."""
        self.check(kind)
        if self.every:
            raise click.UsageError("cannot use --all-namespace flag for getting a single resource")
        if own is not None and self.name is not None and own != self.name:
            raise click.UsageError(
                f"resource namespace does not match client namespace. {own} != {self.name}"
            )
        return key_of(kind, name, self.name or own)

    def all_of(self, kind: str) -> Request:
        """All of a kind."""
        self.check(kind)
        return Request(kind, namespace=None if self.every else namespace_of(kind, self.name))


class Answer(NamedTuple):
    """What was found, what could not be, and what is wrong with some of it."""

    found: list[Found]
    faults: list[str]
    warnings: list[str]


def _form(ctx: click.Context, param: click.Parameter, value: str) -> Form:  # noqa: ARG001 - click's
    return parse_form(value)


@click.command()
@click.argument("kind", required=False, shell_complete=complete_kind)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE", help="Show what these files name.")
@click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too.")
@click.option("--skip-empty", is_flag=True, help="Files without resources are no error.")
@click.option(
    "-o",
    "--output",
    "form",
    default="ps",
    show_default=True,
    metavar="FORM",
    callback=_form,
    shell_complete=complete_form,
    help="ps, wide, yaml, json, custom-columns=NAME,…, jsonpath=TEMPLATE or jsonpath-file=FILE.",
)
@click.option("-n", "--namespace", metavar="NAME", help="Namespace of the resources; default unless given.")
@click.option("-A", "-a", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@click.option("--export", is_flag=True, help="Named ones without what belongs to this cluster alone.")
@etcd_options
def get(
    *,
    kind: str | None,
    names: tuple[str, ...],
    files: tuple[str, ...],
    recursive: bool,
    skip_empty: bool,
    form: Form,
    namespace: str | None,
    all_namespaces: bool,
    export: bool,
    **given: Any,
) -> None:
    """Show resources of a KIND: all, or those named; or those that FILE names.

    \b
    Examples:
      felixbgp get bgppeers
      felixbgp get nodes -o wide
      felixbgp get node node-1 -o yaml
      felixbgp get bgppeers -o jsonpath='{range .items[*]}{.metadata.name}{"\\n"}{end}'
    """  # noqa: D301 - \b tells click not to wrap
    namespaces = Namespaces(namespace, all_namespaces)
    if bool(files) == bool(kind):
        raise click.UsageError("give KIND, or -f FILE")
    if kind is None:
        requests = _in_files(files, namespaces, recursive=recursive, skip_empty=skip_empty)
    else:
        requests = _of_kind(kind, names, namespaces)
    answer, global_as = run_with_store(etcd_settings(given), partial(_read, requests))
    found = [_exported(entry) for entry in answer.found] if export and names else answer.found
    for warning in answer.warnings:
        click.echo(f"warning: {warning}", err=True)
    shown = all_namespaces or namespace is not None
    text = form(found, Surroundings(global_as=global_as, namespaces=shown))
    click.echo(harmless(text) if sys.stdout.isatty() else text, nl=False)
    if answer.faults:
        raise click.ClickException("\n".join(answer.faults))


def _of_kind(kind: str, names: Sequence[str], namespaces: Namespaces) -> list[Request]:
    try:
        wanted = kind_of(kind)
    except click.UsageError as error:
        raise click.UsageError(f"Failed to get resources: {error.message}") from error
    if not names:
        return [namespaces.all_of(wanted)]
    return [Request(wanted, namespaces.key(wanted, name)) for name in names]


def _in_files(
    files: Sequence[str], namespaces: Namespaces, *, recursive: bool, skip_empty: bool
) -> list[Request]:
    # Loaded late: reading files is what the other way does without.
    from felixbgp.cli.files import read_given  # noqa: PLC0415

    given = read_given(files, recursive=recursive, skip_empty=skip_empty)
    return [
        Request(found.kind, namespaces.key(found.kind, found.name, found.metadata.namespace))
        for found in (one.resource for one in given)
    ]


async def _read(requests: Sequence[Request], store: Store) -> tuple[Answer, str]:
    """The answer, and the AS number of nodes that have none of their own."""
    answer = Answer([], [], [])
    for kind, key, namespace in requests:
        if key is None:
            revision, listed = await store.listing(prefix_of(kind, namespace))
            objects = [
                found for entry in listed if (found := _object(entry, answer.warnings, answer)) is not None
            ]
            answer.found.append(Found(kind, tuple(objects), revision))
            continue
        stored = await store.get(str(key))
        if stored is None:
            # Go's word for the error behind it, of which there is none, belongs to calicoctl's message.
            answer.faults.append(f"resource does not exist: {described(key)} with error: <nil>")
        elif (found := _object(stored, answer.faults, answer)) is not None:
            answer.found.append(Found(kind, (found,)))
    nodes = any(found.kind == "Node" for found in answer.found)
    return answer, await _global_as(store) if nodes else DEFAULT_GLOBAL_AS


def _object(stored: Stored, unreadable: list[str], answer: Answer) -> Object | None:
    """The object that is stored, or None and why in `unreadable`.

    What agents make nothing of, all of it or some fields, is shown all the same, with warnings.
    """
    found = as_object(stored)
    if isinstance(found, list):
        unreadable.append(printable(f"{stored.key}: {found[0]}"))
        return None
    checked = decode(stored.key, stored.value)
    wrong = checked if isinstance(checked, list) else checked.ignored
    answer.warnings.extend(printable(f"{stored.key}: {fault}") for fault in wrong)
    return found


async def _global_as(store: Store) -> str:
    try:
        stored = await store.get(str(_DEFAULT_CONFIGURATION))
    except StoreError:
        # As calicoctl has it: whoever may read nodes alone still sees them.
        return "unknown"
    found = None if stored is None else decode(stored.key, stored.value)
    configuration = found.value if isinstance(found, Decoded) else None
    if isinstance(configuration, BgpConfiguration) and configuration.spec.as_number is not None:
        return str(configuration.spec.as_number)
    return DEFAULT_GLOBAL_AS


def _exported(found: Found) -> Found:
    return found._replace(objects=tuple(exported(entry) for entry in found.objects))
