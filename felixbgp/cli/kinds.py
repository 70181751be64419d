"""How people name kinds of resources (calicoctl's aliases), and how one resource is named to them."""

import click

from felixbgp.resources.base import DEFAULT_NAMESPACE, is_name, is_namespace
from felixbgp.resources.keys import NAMESPACED, ResourceKey

_ALIASES = {
    "BGPPeer": ("bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"),
    "BGPConfiguration": ("bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"),
    "BGPFilter": ("bgpfilter", "bgpfilters", "bgpf", "bgpfs", "bf", "bfs"),
    "CalicoNodeStatus": ("caliconodestatus", "caliconodestatuses", "nodestatus", "nodestatuses"),
    "IPPool": ("ippool", "ippools", "ipp", "ipps", "pool", "pools"),
    "Node": ("node", "nodes", "no", "nos"),
    "WorkloadEndpoint": ("workloadendpoint", "workloadendpoints", "wep", "weps"),
}
_KINDS = {alias: kind for kind, aliases in _ALIASES.items() for alias in aliases}


def kind_of(text: str) -> str:
    """The kind somebody means; refuses, with the kinds there are, what is none."""
    kind = _KINDS.get(text.lower())
    if kind is None:
        raise click.UsageError(
            f"resource type {text!r} is not supported; there are: {', '.join(sorted(_ALIASES))}"
        )
    return kind


def key_of(kind: str, name: str, namespace: str | None = None) -> ResourceKey:
    """The key of one resource, its namespace by `namespace_of`; refuses a name that no resource can have."""
    if not is_name(name):
        raise click.UsageError(
            f"{name!r} is not a name (lower case letters, digits, '-' and '.', at most 253)"
        )
    return ResourceKey(kind, name, namespace_of(kind, namespace))


def namespace_of(kind: str, given: str | None) -> str | None:
    """The namespace of a kind's resources: as given, else `default`; None for kinds that have none.

    Refuses one that was given for such a kind, and what is no namespace.
    """
    if kind not in NAMESPACED:
        if given is not None:
            raise click.UsageError(f"{kind} is not namespaced")
        return None
    if given is not None and not is_namespace(given):
        raise click.UsageError(
            f"{given!r} is not a namespace (lower case letters, digits and '-', at most 63)"
        )
    return given or DEFAULT_NAMESPACE


def described(key: ResourceKey) -> str:
    """The resource as messages name it: `BGPPeer(rack1-tor)`, `WorkloadEndpoint(shop/n-k8s-web-eth0)`."""
    return f"{key.kind}({key.name if key.namespace is None else f'{key.namespace}/{key.name}'})"


def counted(done: str, keys: list[ResourceKey]) -> str:
    """What was done, in the words of calicoctl: `Successfully applied 2 'BGPPeer' resource(s)`."""
    kinds = {key.kind for key in keys}
    kind = f"'{kinds.pop()}' " if len(kinds) == 1 else ""
    return f"Successfully {done} {len(keys)} {kind}resource(s)"
