"""`felixbgp get`: show resources as they are stored."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
import yaml

from felixbgp.cli.kinds import described, key_of, kind_of
from felixbgp.cli.options import etcd_options, etcd_settings
from felixbgp.cli.store import Store, Stored, StoreError, run_with_store
from felixbgp.cli.table import plain, printable
from felixbgp.resources import (
    AnyResource,
    BgpConfiguration,
    BgpFilter,
    BgpPeer,
    IpPool,
    Node,
    ResourceKey,
    decode,
)
from felixbgp.resources.base import API_VERSION
from felixbgp.resources.decode import parse_json
from felixbgp.resources.keys import prefix_of

Row = tuple[str, ...]


@click.command()
@click.argument("kind")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "yaml", "json"]),
    default="table",
    show_default=True,
    help="Form of the output.",
)
@etcd_options
def get(kind: str, names: tuple[str, ...], output: str, **given: Any) -> None:
    """Show resources of a KIND: all, or those named.

    \b
    Examples:
      felixbgp get bgppeers
      felixbgp get node node-1 -o yaml
      felixbgp get ippools -o wide
    """  # noqa: D301 - \b tells click not to wrap
    wanted = kind_of(kind)
    keys = [key_of(wanted, name) for name in names]
    stored = run_with_store(etcd_settings(given), partial(_read, wanted, keys))
    if output in ("table", "wide"):
        click.echo(_table(wanted, stored, wide=output == "wide"))
        return
    objects = [as_object(entry) for entry in stored]
    printed = objects[0] if len(names) == 1 else _listed(wanted, objects)
    if output == "json":
        click.echo(json.dumps(printed, ensure_ascii=False, indent=2))
    else:
        click.echo(yaml.safe_dump(printed, sort_keys=False, allow_unicode=True), nl=False)


async def _read(kind: str, keys: Sequence[ResourceKey], store: Store) -> list[Stored]:
    if not keys:
        return await store.list(prefix_of(kind))
    found = []
    for key in keys:
        stored = await store.get(str(key))
        if stored is None:
            raise StoreError(f"resource does not exist: {described(key)}")
        found.append(stored)
    return found


def as_object(stored: Stored) -> dict[str, object]:
    """The stored object with its resourceVersion, which is etcd's revision of the key."""
    found = parse_json(stored.value)
    if isinstance(found, list):
        raise click.ClickException(printable(f"{stored.key}: {found[0]}"))
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        metadata["resourceVersion"] = str(stored.revision)
    return found


def _listed(kind: str, objects: list[dict[str, object]]) -> dict[str, object]:
    return {"apiVersion": API_VERSION, "kind": f"{kind}List", "items": objects}


def _table(kind: str, stored: Sequence[Stored], *, wide: bool) -> str:
    headers, row = _columns(kind, wide=wide)
    rows: list[Row] = []
    for entry in stored:
        decoded = decode(entry.key, entry.value)
        if isinstance(decoded, list):
            # What is invalid is absent to the agents, and therefore here; but it is said.
            click.echo(f"warning: {printable(f'{entry.key}: {decoded[0]}')}", err=True)
        else:
            rows.append(row(decoded.value))
    return plain(headers, rows)


def _columns(kind: str, *, wide: bool) -> tuple[Row, Callable[[Any], Row]]:
    """The columns that calicoctl shows for a kind, and what fills them."""
    columns: dict[str, tuple[Row, Callable[[Any], Row]]] = {
        "BGPConfiguration": (("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"), _configuration),
        "BGPFilter": (
            ("NAME", "NUMEXPORTV4", "NUMIMPORTV4", "NUMEXPORTV6", "NUMIMPORTV6"),
            _filter,
        ),
        "BGPPeer": (("NAME", "PEERIP", "NODE", "ASN"), _peer),
        "IPPool": (("NAME", "CIDR", "SELECTOR"), _pool),
        "Node": (("NAME",), _name),
    }
    if wide and kind == "Node":
        return ("NAME", "ASN", "IPV4", "IPV6"), _wide_node
    if wide and kind == "IPPool":
        headers = ("NAME", "CIDR", "NAT", "IPIPMODE", "VXLANMODE", "DISABLED", "DISABLEBGPEXPORT", "SELECTOR")
        return headers, _wide_pool
    return columns[kind]


def _configuration(resource: BgpConfiguration) -> Row:
    spec = resource.spec
    mesh = "-" if spec.node_to_node_mesh_enabled is None else str(spec.node_to_node_mesh_enabled).lower()
    number = "-" if spec.as_number is None else str(spec.as_number)
    return resource.name, spec.log_severity_screen or "", mesh, number


def _filter(resource: BgpFilter) -> Row:
    spec = resource.spec
    lists = (spec.export_v4, spec.import_v4, spec.export_v6, spec.import_v6)
    return (resource.name, *(str(len(rules)) for rules in lists))


def _peer(resource: BgpPeer) -> Row:
    spec = resource.spec
    scope = spec.node or (str(spec.node_selector) if spec.node_selector is not None else "(global)")
    address = "" if spec.peer_ip is None else str(spec.peer_ip)
    return resource.name, address, scope, str(spec.as_number or 0)


def _pool(resource: IpPool) -> Row:
    return resource.name, str(resource.spec.cidr), str(resource.spec.node_selector)


def _wide_pool(resource: IpPool) -> Row:
    spec = resource.spec
    return (
        resource.name,
        str(spec.cidr),
        str(spec.nat_outgoing).lower(),
        spec.effective_ipip_mode.value,
        spec.vxlan_mode.value,
        str(spec.disabled).lower(),
        str(spec.disable_bgp_export).lower(),
        str(spec.node_selector),
    )


def _name(resource: AnyResource) -> Row:
    return (resource.name,)


def _wide_node(resource: Node) -> Row:
    bgp = resource.spec.bgp
    if bgp is None:
        return resource.name, "", "", ""
    number = "(global)" if bgp.as_number is None else str(bgp.as_number)
    addresses = (bgp.ipv4_address, bgp.ipv6_address)
    return (resource.name, number, *("" if address is None else str(address) for address in addresses))
