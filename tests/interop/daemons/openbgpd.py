"""OpenBGPD, read through `bgpctl`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.interop.daemons.base import Daemon, Limit, NoAnswerError, Route, Session, numbers, output, program
from tests.interop.plan import (
    THEIR_AS,
    THEIR_COLOURED,
    THEIR_COMMUNITY,
    THEIR_IDENTIFIER,
    THEIR_LARGE_COMMUNITY,
    THEIR_ROUTE_TARGET,
    VARIANTS,
    Feature,
    Neighbour,
    Role,
    their_address,
    their_prefix,
)

CHROOT = Path("/run/openbgpd")
"""The home of its user, where it locks its processes in; systemd would have made it."""
SBIN = "/usr/sbin"
WELL_KNOWN = {"GRACEFUL_SHUTDOWN": "65535:0"}
"""Communities that it calls by name."""


class OpenBgpd(Daemon):
    """One bgpd; every neighbour is described by its name."""

    name: ClassVar[str] = "OpenBGPD"
    package: ClassVar[str] = "openbgpd"
    limits: ClassVar[Mapping[Feature, Limit]] = {
        Feature.TTL: Limit(
            "`ttl-security` is of no effect between internal peers",
            "bgpd.conf(5) accepts it there without a word",
            tuple(variant for variant in VARIANTS if not variant.external),
        ),
        Feature.EXTENDED: Limit(
            "no extended messages", "bgpd.conf(5) has no `announce extended` in this version"
        ),
    }

    partial: ClassVar[Mapping[Feature, Limit]] = {
        Feature.RESTART: Limit(
            "it asks nobody to keep its routes",
            "bgpd.conf(5), `announce restart`: only the End-of-RIB marker is supported and announced",
        ),
    }
    has_routes_kept: ClassVar[bool] = False

    def version(self) -> str:
        return output((program("bgpd", SBIN), "-V")).split()[-1]

    def write_configuration(self) -> None:
        CHROOT.mkdir(mode=0o755, exist_ok=True)
        coloured = (
            f"community {_colons(THEIR_COMMUNITY)} large-community {_colons(THEIR_LARGE_COMMUNITY)} "
            f"ext-community rt {_colons(THEIR_ROUTE_TARGET)}"
        )
        lines = [
            f"AS {THEIR_AS}",
            f"router-id {THEIR_IDENTIFIER}",
            "fib-update no",
            f'socket "{self._socket}"',
        ]
        for family in (IPV4, IPV6):
            lines.append(f"listen on {their_address(family)}")
            lines.append(f"network {their_prefix(family)}")
            if not self.is_back:
                lines.append(f"network {their_prefix(family, THEIR_COLOURED)} set {{ {coloured} }}")
        lines += map(_neighbour, self.neighbours)
        lines += ["allow from any", "allow to any"]
        path = self.folder / "bgpd.conf"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)

    def commands(self) -> tuple[tuple[str, ...], ...]:
        return ((program("bgpd", SBIN), "-d", "-f", str(self.folder / "bgpd.conf")),)

    def is_ready(self) -> bool:
        try:
            return bool(self.sessions())
        except NoAnswerError:
            return False

    def sessions(self) -> dict[Address, Session]:
        shown = json.loads(self._ask("show", "neighbor"))
        return {Address.parse(one["remote_addr"]): _read_session(one) for one in shown.get("neighbors", [])}

    def routes(self, prefix: Prefix) -> list[Route]:
        shown = json.loads(self._ask("show", "rib", "detail", str(prefix)))
        return [_read_route(path) for path in shown.get("rib", [])]

    def refresh(self, neighbour: Neighbour) -> None:
        self._ask("neighbor", str(neighbour.address), "refresh")

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _ask(self, *arguments: str) -> str:
        return self.ask(program("bgpctl"), "-j", "-s", str(self._socket), *arguments)


def _colons(values: tuple[int, ...]) -> str:
    return ":".join(map(str, values))


def _neighbour(neighbour: Neighbour) -> str:
    settings = [f"remote-as {neighbour.asn}", f'descr "{neighbour.name}"']
    if neighbour.password is not None:
        settings.append(f'tcp md5sig password "{neighbour.password.decode()}"')
    if neighbour.has_ttl_security:
        settings.append("ttl-security yes")
    if not neighbour.they_dial:
        settings.append("passive")
    if neighbour.is_reflector_client:
        settings.append("route-reflector")
    if neighbour.role is Role.COLLECTOR:
        settings += ["announce add-path recv yes", "announce add-path send all"]
    return f"neighbor {neighbour.address} {{\n  " + "\n  ".join(settings) + "\n}"


def _read_session(value: dict[str, Any]) -> Session:
    return Session(state=value["state"], updates_received=value["stats"]["message"]["received"]["updates"])


def _read_route(path: dict[str, Any]) -> Route:
    attributes = {one["type"]: one for one in path.get("attributes", [])}
    originator = attributes.get("Originator Id", {}).get("originator")
    clusters = attributes.get("Cluster Id List", {}).get("cluster_list", [])
    peer = path["neighbor"]["remote_addr"]
    targets = [text for text in path.get("extended_communities", []) if text.startswith("rt ")]
    return Route(
        neighbour=None if peer == "???" else Address.parse(peer),
        next_hop=Address.parse(path["exit_nexthop"]),
        as_path=numbers(path["aspath"]),
        local_pref=path.get("localpref"),
        communities=frozenset(numbers(WELL_KNOWN.get(one, one)) for one in path.get("communities", [])),
        large_communities=frozenset(map(numbers, path.get("large_communities", []))),
        route_targets=frozenset(map(numbers, targets)),
        originator_id=None if originator is None else Address.parse(originator),
        cluster_list=tuple(map(Address.parse, clusters)),
        stale=path.get("stale", False),
    )
