"""Keys in etcd, in Calico's layout (libcalico-go/lib/backend/model/{resource,block_affinity}.go).

/calico/resources/v3/projectcalico.org/<plural>/<name>
/calico/resources/v3/projectcalico.org/<plural>/<namespace>/<name>     of the kinds in NAMESPACED
/calico/ipam/v2/host/<host>/ipv4/block/10.65.0.0-26
"""

from typing import NamedTuple

from felixbgp.net import IPV4, Prefix, PrefixError

RESOURCES = "/calico/resources/v3/projectcalico.org/"
HOSTS = "/calico/ipam/v2/host/"

PLURALS = {
    "BGPConfiguration": "bgpconfigurations",
    "BGPFilter": "bgpfilters",
    "BGPPeer": "bgppeers",
    "CalicoNodeStatus": "caliconodestatuses",
    "IPPool": "ippools",
    "Node": "nodes",
    "WorkloadEndpoint": "workloadendpoints",
}
"""The kinds kept as resources, and the word for each in its key."""

NAMESPACED = frozenset({"WorkloadEndpoint"})
"""The kinds whose names are unique within a namespace only."""

_KINDS = {plural: kind for kind, plural in PLURALS.items()}


class ResourceKey(NamedTuple):
    """A kind and a name; and a namespace, for the kinds in `NAMESPACED` and no other."""

    kind: str
    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{prefix_of(self.kind, self.namespace)}{self.name}"


class AffinityKey(NamedTuple):
    """A host and a block."""

    host: str
    cidr: Prefix

    def __str__(self) -> str:
        family = "ipv4" if self.cidr.family == IPV4 else "ipv6"
        return f"{HOSTS}{self.host}/{family}/block/{str(self.cidr).replace('/', '-')}"


Key = ResourceKey | AffinityKey


def prefix_of(kind: str, namespace: str | None = None) -> str:
    """What the keys of all resources of a kind begin with, or of those in a namespace.

    `kind` is one of `PLURALS`; only one of `NAMESPACED` has namespaces.
    """
    prefix = f"{RESOURCES}{PLURALS[kind]}/"
    return prefix if namespace is None else f"{prefix}{namespace}/"


def prefix_of_host(host: str) -> str:
    """What the keys of all blocks of a host begin with."""
    return f"{HOSTS}{host}/"


def parse_key(key: str) -> Key | None:
    """What a key stands for; None for a key that is none of ours, among them IPAM's own records."""
    if key.startswith(RESOURCES):
        return _parse_resource_key(key[len(RESOURCES) :].split("/"))
    if key.startswith(HOSTS):
        return _parse_affinity_key(key[len(HOSTS) :].split("/"))
    return None


def _parse_resource_key(parts: list[str]) -> ResourceKey | None:
    kind = _KINDS.get(parts[0])
    if kind is None or not all(parts) or len(parts) != (3 if kind in NAMESPACED else 2):
        return None
    return ResourceKey(kind, parts[-1], parts[1] if kind in NAMESPACED else None)


def _parse_affinity_key(parts: list[str]) -> AffinityKey | None:
    if len(parts) != 4 or not parts[0] or parts[1] not in ("ipv4", "ipv6") or parts[2] != "block":
        return None
    address, dash, length = parts[3].rpartition("-")
    if not dash:
        return None
    try:
        cidr = Prefix.parse(f"{address}/{length}")
    except PrefixError:
        return None
    return AffinityKey(parts[0], cidr) if (cidr.family == IPV4) == (parts[1] == "ipv4") else None
