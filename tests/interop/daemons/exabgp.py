"""ExaBGP, read through its API: it writes events as JSON to a process, and reads commands from it.

It has no tables and passes nothing on, so that it announces by itself what other daemons would relay.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.interop.daemons.base import Daemon, Limit, Route, Session, numbers, output, program
from tests.interop.plan import (
    LARGE_COUNT,
    RESTART_SECONDS,
    THEIR_AS,
    THEIR_COLOURED,
    THEIR_COMMUNITY,
    THEIR_IDENTIFIER,
    THEIR_LARGE,
    THEIR_LARGE_COMMUNITY,
    THEIR_ROUTE_TARGET,
    Feature,
    Neighbour,
    Role,
    their_address,
    their_prefix,
)

API = """\
  api {
    processes [ api ];
    neighbor-changes;
    receive {
      parsed;
      update;
    }
  }
"""
STATES = {"connected": "Connected", "up": "Established", "down": "Idle"}


@dataclass
class _Seen:
    """One neighbour as the events show it; routes by prefix and path identifier."""

    state: str = "Idle"
    updates: int = 0
    routes: dict[tuple[str, str], Route] = field(default_factory=dict)

    def session(self) -> Session:
        return Session(state=self.state, updates_received=self.updates)

    def take(self, peer: Address, event: Mapping[str, Any]) -> None:
        if "state" in event:
            self.state = STATES[event["state"]]
            self.routes.clear()
            return
        update = event["message"].get("update", {})
        for nlris in update.get("withdraw", {}).values():
            for one in nlris:
                self.routes.pop((one["nlri"], one.get("path-information", "")), None)
        for hops in update.get("announce", {}).values():
            self.updates += 1
            for next_hop, nlris in hops.items():
                route = _read_route(peer, Address.parse(next_hop), update["attribute"])
                for one in nlris:
                    self.routes[one["nlri"], one.get("path-information", "")] = route


class ExaBgp(Daemon):
    """One ExaBGP, and a shell as its API process: commands come from a pipe, events go into a file."""

    name: ClassVar[str] = "ExaBGP"
    package: ClassVar[str] = "exabgp"
    relays: ClassVar[bool] = False
    partial: ClassVar[Mapping[Feature, Limit]] = {
        Feature.TTL: Limit(
            "it checks nothing",
            "it sets IP_MINTTL on listening sockets only, and only where Python has that name",
        ),
        Feature.RESTART: Limit(
            "it has no tables to keep routes in", "exabgp.conf(5): it hands them to its API"
        ),
        Feature.REFLECTOR: Limit(
            "it passes no routes on",
            "exabgp.conf(5): it announces what stands in `static` or what its API is told",
        ),
    }
    keeps_routes: ClassVar[bool] = False
    note: ClassVar[str] = """\
Sessions that either side could open are opened by us: where its connection and ours meet, it may forget
the one that we keep, and never read from it.
"""

    def version(self) -> str:
        return output((program("exabgp"), "--version")).splitlines()[0].split()[-1]

    def write_configuration(self) -> None:
        commands, events, script = (self.folder / name for name in ("commands", "events", "api.sh"))
        if not commands.exists():
            output(("mkfifo", str(commands)))
        events.write_text("")
        script.write_text(f"cat <>{commands} &\ncat >>{events}\n")
        head = f"process api {{\n  run /bin/sh {script};\n  encoder json;\n}}\n"
        (self.folder / "exabgp.conf").write_text(
            head + "".join(_neighbour(one, coloured=not self.is_back) for one in self.neighbours)
        )

    def commands(self) -> tuple[tuple[str, ...], ...]:
        return ((program("exabgp"), str(self.folder / "exabgp.conf")),)

    def environment(self) -> tuple[tuple[str, str], ...]:
        return (
            ("exabgp_tcp_bind", f"{their_address(IPV4)} {their_address(IPV6)}"),
            ("exabgp_daemon_drop", "false"),
            ("exabgp_api_cli", "false"),
            ("PYTHONUNBUFFERED", "1"),
        )

    def is_ready(self) -> bool:
        return len(self.ask(program("ss"), "-tlnH", "sport = :179").splitlines()) == 2

    def sessions(self) -> dict[Address, Session]:
        seen = self._replay()
        return {one.address: seen.get(one.address, _Seen()).session() for one in self.neighbours}

    def routes(self, prefix: Prefix) -> list[Route]:
        return [
            route
            for seen in self._replay().values()
            for (text, _), route in seen.routes.items()
            if text == str(prefix)
        ]

    def refresh(self, neighbour: Neighbour) -> None:
        self._tell(f"neighbor {neighbour.address} announce route-refresh {neighbour.family.label} unicast")

    def _replay(self) -> dict[Address, "_Seen"]:
        """What every neighbour said, from all events so far; the last line may not be whole yet."""
        found: dict[Address, _Seen] = {}
        for line in (self.folder / "events").read_text().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                neighbour = json.loads(line)["neighbor"]
                peer = Address.parse(neighbour["address"]["peer"])
                found.setdefault(peer, _Seen()).take(peer, neighbour)
        return found

    def _tell(self, command: str) -> None:
        with (self.folder / "commands").open("w") as pipe:
            pipe.write(command + "\n")


def _colons(values: tuple[int, ...]) -> str:
    return ":".join(map(str, values))


def _neighbour(neighbour: Neighbour, *, coloured: bool) -> str:
    settings = [
        f"router-id {THEIR_IDENTIFIER}",
        f"local-address {their_address(neighbour.family)}",
        f"local-as {THEIR_AS}",
        f"peer-as {neighbour.asn}",
        f"passive {str(neighbour.we_dial).lower()}",
    ]
    if neighbour.password is not None:
        settings.append(f"md5-password '{neighbour.password.decode()}'")
    if neighbour.has_ttl_security:
        settings += ["incoming-ttl 255", "outgoing-ttl 255"]
    capabilities = ["route-refresh enable", "extended-message enable"]
    family = f"{neighbour.family.label} unicast"
    sections = f"  family {{\n    {family};\n  }}\n"
    if neighbour.role is Role.COLLECTOR:
        capabilities.append("add-path send/receive")
        sections += f"  add-path {{\n    {family};\n  }}\n"
    if neighbour.role is Role.RESTARTING:
        capabilities.append(f"graceful-restart {RESTART_SECONDS}")
    sections += "  capability {\n" + "".join(f"    {one};\n" for one in capabilities) + "  }\n"
    sections += API
    sections += (
        "  static {\n"
        + "".join(f"    route {one};\n" for one in _routes(neighbour, coloured=coloured))
        + "  }\n"
    )
    head = "".join(f"  {one};\n" for one in settings)
    return f"neighbor {neighbour.address} {{\n{head}{sections}}}\n"


def _routes(neighbour: Neighbour, *, coloured: bool) -> Iterator[str]:
    family = neighbour.family
    yield f"{their_prefix(family)} next-hop self"
    if coloured:
        yield (
            f"{their_prefix(family, THEIR_COLOURED)} next-hop self community [ {_colons(THEIR_COMMUNITY)} ] "
            f"large-community [ {_colons(THEIR_LARGE_COMMUNITY)} ] "
            f"extended-community [ target:{_colons(THEIR_ROUTE_TARGET)} ]"
        )
    if neighbour.role is Role.PLAIN:
        many = " ".join(f"{THEIR_AS}:4:{number}" for number in range(LARGE_COUNT))
        yield f"{their_prefix(family, THEIR_LARGE)} next-hop self large-community [ {many} ]"
    if neighbour.role is Role.COLLECTOR:
        for number in (1, 2):
            yield f"{neighbour.shared_prefix} next-hop self path-information {number} med {number}"


def _read_route(peer: Address, next_hop: Address, attributes: Mapping[str, Any]) -> Route:
    def tuples(name: str) -> frozenset[tuple[int, ...]]:
        return frozenset(map(tuple, attributes.get(name, [])))

    targets = [one["string"] for one in attributes.get("extended-community", [])]
    originator = attributes.get("originator-id")
    return Route(
        neighbour=peer,
        next_hop=next_hop,
        as_path=tuple(attributes.get("as-path", [])),
        local_pref=attributes.get("local-preference"),
        communities=tuples("community"),
        large_communities=tuples("large-community"),
        route_targets=frozenset(numbers(one) for one in targets if one.startswith("target:")),
        originator_id=None if originator is None else Address.parse(originator),
        cluster_list=tuple(map(Address.parse, attributes.get("cluster-list", []))),
    )
