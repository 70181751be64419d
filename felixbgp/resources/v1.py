"""Calico's API of version 1: node, ipPool and bgpPeer, and what they are in version 3.

Fields of Calico's libcalico-go/lib/apis/v1; names and values of the converted as in
libcalico-go/lib/upgrade/converters. There a BGP peer and a pool have no name but what they are about.
"""

import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, StrictBool, StrictStr, ValidationError

from felixbgp.net import IPV4, Address, AddressError, Prefix, PrefixError
from felixbgp.resources.base import API_VERSION, Value
from felixbgp.resources.errors import NOTHING, Fault, FieldError, field_errors, quote
from felixbgp.resources.values import (
    AsNumber,
    InterfaceAddress,
    IpAddress,
    Ipv4InterfaceAddress,
    Ipv6InterfaceAddress,
)

NOT_OF_BGP = ("hostEndpoint", "workloadEndpoint", "profile", "policy", "tier")
"""The kinds of version 1 that are about policy, which is not ours."""


def _parse_cidr(value: object) -> InterfaceAddress:
    """A CIDR whose host bits stay as they are written: version 1 took them, version 3 does not."""
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("is not a CIDR")
    try:
        address = Address.parse(value.partition("/")[0])
        return InterfaceAddress(address, Prefix.parse(value, strict=False).length)
    except (AddressError, PrefixError) as error:
        raise ValueError("is not a CIDR") from error


class _Resource(Value):
    api_version: Literal["v1"]
    kind: StrictStr


class _Scope(Enum):
    GLOBAL = "global"
    NODE = "node"


class _PeerMetadata(Value):
    scope: _Scope
    node: StrictStr | None = None
    peer_ip: Annotated[IpAddress, Field(alias="peerIP")]

    def faults(self) -> Iterator[Fault]:
        if self.scope is _Scope.GLOBAL and self.node is not None:
            yield Fault(("node",), self.node, "cannot be set with scope global")
        if self.scope is _Scope.NODE and self.node is None:
            yield Fault(("node",), NOTHING, "is missing; scope node needs it")


class _PeerSpec(Value):
    as_number: AsNumber


class _Peer(_Resource):
    metadata: _PeerMetadata
    spec: _PeerSpec


class _Ipip(Value):
    enabled: StrictBool = False
    mode: Literal["always", "cross-subnet"] | None = None


class _PoolMetadata(Value):
    cidr: Annotated[InterfaceAddress, PlainValidator(_parse_cidr)]


class _PoolSpec(Value):
    ipip: _Ipip | None = None
    nat_outgoing: Annotated[StrictBool, Field(alias="nat-outgoing")] = False
    disabled: StrictBool = False


class _Pool(_Resource):
    metadata: _PoolMetadata
    spec: _PoolSpec = _PoolSpec()


class _NodeMetadata(Value):
    name: StrictStr


class _NodeBgp(Value):
    as_number: AsNumber | None = None
    ipv4_address: Ipv4InterfaceAddress | None = None
    ipv6_address: Ipv6InterfaceAddress | None = None

    def faults(self) -> Iterator[Fault]:
        if self.ipv4_address is None and self.ipv6_address is None:
            yield Fault((), NOTHING, "has neither an ipv4Address nor an ipv6Address")


class _OrchRef(Value):
    node_name: StrictStr | None = None
    orchestrator: StrictStr


class _NodeSpec(Value):
    bgp: _NodeBgp | None = None
    orch_refs: tuple[_OrchRef, ...] = ()


class _Node(_Resource):
    metadata: _NodeMetadata
    spec: _NodeSpec = _NodeSpec()


def convert(document: object) -> dict[str, object] | list[FieldError]:
    """What a resource of version 1 is in version 3, not yet checked by the rules there; or why not."""
    if not isinstance(document, dict):
        return [FieldError("", "", "is not an object")]
    version, kind = document.get("apiVersion"), document.get("kind")
    if version == API_VERSION:
        return [FieldError("apiVersion", quote(version), "is what would come out: nothing to convert")]
    if kind is None:
        return [FieldError("kind", "", "is missing")]
    known = _KINDS.get(kind.lower()) if isinstance(kind, str) else None
    if known is None or version != "v1":
        return [FieldError("kind", quote(kind), _why_not(version, kind))]
    model, to_v3 = known
    try:
        return to_v3(model.model_validate(document))
    except ValidationError as error:
        return field_errors(error)


def _why_not(version: object, kind: object) -> str:
    convertible = "those of apiVersion v1 that can be converted are node, ipPool and bgpPeer"
    others = {name.lower() for name in NOT_OF_BGP}
    kubernetes = isinstance(version, str) and kind == "NetworkPolicy"
    if kubernetes or (version == "v1" and isinstance(kind, str) and kind.lower() in others):
        return f"is no resource of BGP; {convertible}"
    return f"of apiVersion {quote(version) or 'none'} is not known; {convertible}"


def _peer_of(peer: _Peer) -> dict[str, object]:
    address = peer.metadata.peer_ip
    spec: dict[str, object] = {"peerIP": str(address), "asNumber": peer.spec.as_number}
    if peer.metadata.node is None:
        return _v3("BGPPeer", _name_of_address(address), spec)
    node = normalised(peer.metadata.node)
    return _v3("BGPPeer", f"{node}.{_name_of_address(address)}", {"node": node, **spec})


def _pool_of(pool: _Pool) -> dict[str, object]:
    address, length = pool.metadata.cidr
    cidr = f"{address}/{length}"
    spec: dict[str, object] = {"cidr": cidr, "vxlanMode": "Never", "ipipMode": _ipip_mode(pool.spec.ipip)}
    if pool.spec.nat_outgoing:
        spec["natOutgoing"] = True
    if pool.spec.disabled:
        spec["disabled"] = True
    spec["blockSize"] = 26 if address.family == IPV4 else 122
    spec["nodeSelector"] = "all()"
    spec["allowedUses"] = ["Workload", "Tunnel"]
    return _v3("IPPool", re.sub(r"[.:/]", "-", cidr), spec)


def _ipip_mode(ipip: _Ipip | None) -> str:
    if ipip is None or not ipip.enabled:
        return "Never"
    return "CrossSubnet" if ipip.mode == "cross-subnet" else "Always"


def _node_of(node: _Node) -> dict[str, object]:
    spec: dict[str, object] = {}
    bgp = node.spec.bgp
    if bgp is not None:
        addresses = (("ipv4Address", bgp.ipv4_address), ("ipv6Address", bgp.ipv6_address))
        number: dict[str, object] = {} if bgp.as_number is None else {"asNumber": bgp.as_number}
        # Without a length version 1 meant the address alone, and its network was /32 or /128.
        written = {name: f"{found.address}/{found.length}" for name, found in addresses if found is not None}
        spec["bgp"] = number | written
    if node.spec.orch_refs:
        spec["orchRefs"] = [
            reference.model_dump(by_alias=True, exclude_none=True) for reference in node.spec.orch_refs
        ]
    return _v3("Node", normalised(node.metadata.name), spec)


def _v3(kind: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    metadata = {"name": name, "creationTimestamp": None}
    return {"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, "spec": spec}


def normalised(name: str) -> str:
    """A node's name of version 1 as version 3 allows it (names.go: ConvertNodeName)."""
    name = name.lower().replace("/", ".")
    name = re.sub(r"[^-.a-z0-9]+", "-", name)
    return re.sub(r"[.-]*[.][.-]*", ".", name).strip(".-")


def _name_of_address(address: Address) -> str:
    """`1-2-3-4`, or `00aa-00bb-0000-…` with every zero written out (names.go: convertIpToName)."""
    if len(address) == 4:
        return str(address).replace(".", "-")
    return address.hex("-", 2)


_KINDS: dict[str, tuple[type[_Resource], Callable[..., dict[str, object]]]] = {
    "bgppeer": (_Peer, _peer_of),
    "ippool": (_Pool, _pool_of),
    "node": (_Node, _node_of),
}
