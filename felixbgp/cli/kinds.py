"""How people name kinds of resources (calicoctl's aliases), and how one resource is named to them."""

import click

from felixbgp.resources.base import is_name
from felixbgp.resources.keys import ResourceKey

_ALIASES = {
    "BGPPeer": ("bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"),
    "BGPConfiguration": ("bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"),
    "BGPFilter": ("bgpfilter", "bgpfilters", "bgpf", "bgpfs", "bf", "bfs"),
    "IPPool": ("ippool", "ippools", "ipp", "ipps", "pool", "pools"),
    "Node": ("node", "nodes", "no", "nos"),
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


def key_of(kind: str, name: str) -> ResourceKey:
    """The key of one resource; refuses a name that no resource can have."""
    if not is_name(name):
        raise click.UsageError(
            f"{name!r} is not a name (lower case letters, digits, '-' and '.', at most 253)"
        )
    return ResourceKey(kind, name)


def described(key: ResourceKey) -> str:
    """The resource as messages name it: `BGPPeer(rack1-tor)`."""
    return f"{key.kind}({key.name})"


def counted(done: str, keys: list[ResourceKey]) -> str:
    """What was done, in the words of calicoctl: `Successfully applied 2 'BGPPeer' resource(s)`."""
    kinds = {key.kind for key in keys}
    kind = f"'{kinds.pop()}' " if len(kinds) == 1 else ""
    return f"Successfully {done} {len(keys)} {kind}resource(s)"
