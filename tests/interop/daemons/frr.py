"""FRRouting's bgpd without zebra, since nothing is forwarded here; read through `vtysh`."""

import json
from typing import Any, ClassVar

from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from tests.interop.daemons.base import Daemon, NoAnswerError, Route, Session, numbers, program
from tests.interop.plan import (
    RESTART_SECONDS,
    THEIR_AS,
    THEIR_COLOURED,
    THEIR_COMMUNITY,
    THEIR_IDENTIFIER,
    THEIR_LARGE_COMMUNITY,
    THEIR_ROUTE_TARGET,
    Neighbour,
    Role,
    their_prefix,
)

FOLDER = "/usr/lib/frr"
WELL_KNOWN = {"gracefulShutdown": "65535:0"}
"""Communities that it calls by name."""


class Frr(Daemon):
    """One bgpd."""

    name: ClassVar[str] = "FRR"
    package: ClassVar[str] = "frr"

    def version(self) -> str:
        return self._ask("show version").split()[1]

    def write_configuration(self) -> None:
        lines = [
            "log stdout",
            f"router bgp {THEIR_AS}",
            f"bgp router-id {THEIR_IDENTIFIER}",
            "no bgp default ipv4-unicast",
            "no bgp ebgp-requires-policy",
            "no bgp network import-check",
            *_restarting(self.neighbours),
            *(line for neighbour in self.neighbours for line in _session(neighbour)),
            *_family(IPV4, self.neighbours, coloured=not self.is_back),
            *_family(IPV6, self.neighbours, coloured=not self.is_back),
            "exit",
            "route-map coloured permit 10",
            f"set community {_colons(THEIR_COMMUNITY)}",
            f"set large-community {_colons(THEIR_LARGE_COMMUNITY)}",
            f"set extcommunity rt {_colons(THEIR_ROUTE_TARGET)}",
        ]
        (self.folder / "bgpd.conf").write_text("\n".join(lines) + "\n")

    def commands(self) -> tuple[tuple[str, ...], ...]:
        folder = str(self.folder)
        files = ("-f", f"{folder}/bgpd.conf", "-i", f"{folder}/pid", "--vty_socket", folder)
        return ((program("bgpd", FOLDER), "--no_zebra", "--skip_runas", "-P", "0", *files),)

    def is_ready(self) -> bool:
        try:
            return bool(self.sessions())
        except NoAnswerError:
            return False

    def prepare(self) -> None:
        # It goes on without the lines that it does not understand.
        assert "on config line" not in self.log.read_text(), self.log.read_text()

    def sessions(self) -> dict[Address, Session]:
        shown = json.loads(self._ask("show bgp neighbors json"))
        return {
            Address.parse(one): _read_session(value)
            for one, value in shown.items()
            if "." in one or ":" in one
        }

    def routes(self, prefix: Prefix) -> list[Route]:
        shown = json.loads(self._ask(f"show bgp {_name(prefix.family)} unicast {prefix} json"))
        return [_read_route(path) for path in shown.get("paths", [])]

    def refresh(self, neighbour: Neighbour) -> None:
        self._ask(f"clear bgp {_name(neighbour.family)} unicast {neighbour.address} soft in")

    def _ask(self, command: str) -> str:
        return self.ask(program("vtysh"), "--vty_socket", str(self.folder), "-d", "bgpd", "-c", command)


def _name(family: Family) -> str:
    return "ipv4" if family == IPV4 else "ipv6"


def _colons(numbers: tuple[int, ...]) -> str:
    return ":".join(map(str, numbers))


def _restarting(neighbours: tuple[Neighbour, ...]) -> list[str]:
    if all(neighbour.role is not Role.RESTARTING for neighbour in neighbours):
        return []
    return ["bgp graceful-restart", f"bgp graceful-restart restart-time {RESTART_SECONDS}"]


def _session(neighbour: Neighbour) -> list[str]:
    settings = [f"remote-as {neighbour.asn}", "timers connect 5"]
    if neighbour.password is not None:
        settings.append(f"password {neighbour.password.decode()}")
    if neighbour.has_ttl_security:
        settings.append("ttl-security hops 1")
    if not neighbour.they_dial:
        settings.append("passive")
    return [f"neighbor {neighbour.address} {setting}" for setting in settings]


def _family(family: Family, neighbours: tuple[Neighbour, ...], *, coloured: bool) -> list[str]:
    lines = [f"address-family {_name(family)} unicast"]
    lines.append(f"network {their_prefix(family)}")
    if coloured:
        lines.append(f"network {their_prefix(family, THEIR_COLOURED)} route-map coloured")
    for neighbour in neighbours:
        if neighbour.family == family:
            settings = ["activate"]
            if neighbour.is_reflector_client:
                settings.append("route-reflector-client")
            if neighbour.role is Role.COLLECTOR:
                settings.append("addpath-tx-all-paths")
            lines += [f"neighbor {neighbour.address} {setting}" for setting in settings]
    return [*lines, "exit-address-family"]


def _read_session(value: dict[str, Any]) -> Session:
    return Session(
        state=value["bgpState"],
        updates_received=value.get("messageStats", {}).get("updatesRecv"),
    )


def _read_route(path: dict[str, Any]) -> Route:
    segments = path.get("aspath", {}).get("segments", [])
    targets = path.get("extendedCommunity", {}).get("string", "").split()
    peer = path.get("peer", {}).get("peerId", "(self)")
    return Route(
        neighbour=None if "unspec" in peer or peer in ("(self)", "0.0.0.0", "::") else Address.parse(peer),
        next_hop=Address.parse(path["nexthops"][0]["ip"]),
        as_path=tuple(asn for segment in segments for asn in segment["list"]),
        local_pref=path.get("locPrf"),
        communities=frozenset(
            numbers(WELL_KNOWN.get(one, one)) for one in path.get("community", {}).get("list", [])
        ),
        large_communities=frozenset(map(numbers, path.get("largeCommunity", {}).get("list", []))),
        route_targets=frozenset(numbers(one[3:]) for one in targets if one.startswith("RT:")),
        originator_id=Address.parse(path["originatorId"]) if "originatorId" in path else None,
        cluster_list=tuple(map(Address.parse, path.get("clusterList", {}).get("list", []))),
        stale=path.get("stale", False),
    )
