"""What `get` shows of each kind in a table: calicoctl's columns, filled from the objects as they are stored.

calicoctl/calicoctl/resourcemgr/*.go of v3.28; CalicoNodeStatus and ASSIGNMENTMODE are newer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from felixbgp.cli.objects import Object
from felixbgp.resources.values import parse_as_number

Fill = Callable[[Object], str]

NAMESPACE = "NAMESPACE"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a kind: those shown, those of `-o wide`, and what fills each there is."""

    narrow: Sequence[str]
    wide: Sequence[str]
    fill: Mapping[str, Fill]


def columns_of(kind: str, global_as: str) -> Columns:
    """The columns of a kind. `global_as` is the AS number that nodes without one of their own have."""
    if kind == "Node":
        return _nodes(global_as)
    return _COLUMNS[kind]


def _at(found: object, *path: str) -> object:
    """What stands at a path; None when nothing does, or something on the way is no object."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: object) -> str:
    """A value as Go prints it; what is not there is nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ",".join(_text(entry) for entry in value)
        case dict():
            return "{" + " ".join(_text(entry) for entry in value.values()) + "}"
        case _:
            return str(value)


def _field(*path: str, default: str = "") -> Fill:
    return lambda found: _text(_at(found, *path)) or default


def _count(*path: str) -> Fill:
    def fill(found: Object) -> str:
        rules = _at(found, *path)
        return str(len(rules)) if isinstance(rules, list) else "0"

    return fill


def _as_number(*path: str, default: str) -> Fill:
    """An AS number, which may be stored as a text, also as `hi.lo`."""

    def fill(found: Object) -> str:
        value = _at(found, *path)
        if value is None:
            return default
        try:
            return str(parse_as_number(value))
        except ValueError:
            return _text(value)

    return fill


def _first(*fills: Fill) -> Fill:
    """The first column that has something."""
    return lambda found: next(filter(None, (fill(found) for fill in fills)), "")


def _nodes(global_as: str) -> Columns:
    own = _as_number("spec", "bgp", "asNumber", default=f"({global_as})")
    return Columns(
        narrow=("NAME",),
        wide=("NAME", "ASN", "IPV4", "IPV6"),
        fill={
            "NAME": _NAME,
            "ASN": lambda found: own(found) if isinstance(_at(found, "spec", "bgp"), dict) else "",
            "IPV4": _field("spec", "bgp", "ipv4Address"),
            "IPV6": _field("spec", "bgp", "ipv6Address"),
        },
    )


_NAME = _field("metadata", "name")

_CONFIGURATION_COLUMNS = ("NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER")
_FILTER_COLUMNS = ("NAME", "NUMEXPORTV4", "NUMIMPORTV4", "NUMEXPORTV6", "NUMIMPORTV6")
_PEER_COLUMNS = ("NAME", "PEERIP", "NODE", "ASN")

_COLUMNS = {
    "BGPConfiguration": Columns(
        narrow=_CONFIGURATION_COLUMNS,
        wide=_CONFIGURATION_COLUMNS,
        fill={
            "NAME": _NAME,
            "LOGSEVERITY": _field("spec", "logSeverityScreen"),
            "MESHENABLED": _field("spec", "nodeToNodeMeshEnabled", default="-"),
            "ASNUMBER": _as_number("spec", "asNumber", default="-"),
        },
    ),
    "BGPFilter": Columns(
        narrow=_FILTER_COLUMNS,
        wide=_FILTER_COLUMNS,
        fill={
            "NAME": _NAME,
            "NUMEXPORTV4": _count("spec", "exportV4"),
            "NUMIMPORTV4": _count("spec", "importV4"),
            "NUMEXPORTV6": _count("spec", "exportV6"),
            "NUMIMPORTV6": _count("spec", "importV6"),
        },
    ),
    "BGPPeer": Columns(
        narrow=_PEER_COLUMNS,
        wide=_PEER_COLUMNS,
        fill={
            "NAME": _NAME,
            "PEERIP": _field("spec", "peerIP"),
            "NODE": _first(
                _field("spec", "node"),
                _field("spec", "nodeSelector"),
                lambda found: "(global)",  # noqa: ARG005
            ),
            "ASN": _as_number("spec", "asNumber", default="0"),
        },
    ),
    "CalicoNodeStatus": Columns(
        narrow=("NAME", "NODE"),
        wide=("NAME", "NODE", "CLASSES"),
        fill={"NAME": _NAME, "NODE": _field("spec", "node"), "CLASSES": _field("spec", "classes")},
    ),
    "IPPool": Columns(
        narrow=("NAME", "CIDR", "SELECTOR"),
        wide=("NAME", "CIDR", "NAT", "IPIPMODE", "VXLANMODE", "DISABLED", "DISABLEBGPEXPORT", "SELECTOR"),
        fill={
            "NAME": _NAME,
            "CIDR": _field("spec", "cidr"),
            "NAT": _field("spec", "natOutgoing", default="false"),
            "IPIPMODE": _field("spec", "ipipMode", default="Never"),
            "VXLANMODE": _field("spec", "vxlanMode", default="Never"),
            "DISABLED": _field("spec", "disabled", default="false"),
            "DISABLEBGPEXPORT": _field("spec", "disableBGPExport", default="false"),
            "SELECTOR": _field("spec", "nodeSelector", default="all()"),
            "ASSIGNMENTMODE": _field("spec", "assignmentMode", default="Automatic"),
        },
    ),
    "WorkloadEndpoint": Columns(
        narrow=("WORKLOAD", "NODE", "NETWORKS", "INTERFACE"),
        wide=("NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"),
        fill={
            NAMESPACE: _field("metadata", "namespace"),
            "NAME": _NAME,
            "WORKLOAD": _first(_field("spec", "workload"), _field("spec", "pod")),
            "NODE": _field("spec", "node"),
            "ORCHESTRATOR": _field("spec", "orchestrator"),
            "NETWORKS": _field("spec", "ipNetworks"),
            "INTERFACE": _field("spec", "interfaceName"),
            "PROFILES": _field("spec", "profiles"),
            "NATS": _field("spec", "ipNATs"),
        },
    ),
}
