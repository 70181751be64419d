"""BIRD 2, read through `birdc`."""

import re
from collections.abc import Iterator
from typing import ClassVar

from felixbgp.net import IPV4, IPV6, Address, Prefix
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
    their_address,
    their_prefix,
)


class Bird(Daemon):
    """One BIRD; every session is a protocol named like its neighbour."""

    name: ClassVar[str] = "BIRD"
    package: ClassVar[str] = "bird2"

    def version(self) -> str:
        return self._ask("show status").split()[1]

    def write_configuration(self) -> None:
        sections = [_general(coloured=not self.is_back), *map(_protocol, self.neighbours)]
        (self.folder / "bird.conf").write_text("\n".join(sections))

    def commands(self) -> tuple[tuple[str, ...], ...]:
        back = ("-R",) if self.is_back else ()
        return ((program("bird"), "-f", *back, "-c", str(self.folder / "bird.conf"), "-s", self._control),)

    def is_ready(self) -> bool:
        try:
            return "Daemon is up" in self._ask("show status")
        except NoAnswerError:
            return False

    def sessions(self) -> dict[Address, Session]:
        names = {neighbour.name: neighbour.address for neighbour in self.neighbours}
        return {
            names[name]: _session(lines)
            for name, lines in _blocks(self._ask("show protocols all"))
            if name in names
        }

    def routes(self, prefix: Prefix) -> list[Route]:
        names = {neighbour.name: neighbour.address for neighbour in self.neighbours}
        try:
            shown = self._ask(f"show route all {prefix}")
        except NoAnswerError as error:
            if "Network not found" in str(error):
                return []
            raise
        return [_route(block, names) for block in _paths(shown, prefix)]

    def refresh(self, neighbour: Neighbour) -> None:
        self._ask(f"reload in {neighbour.name}")

    @property
    def _control(self) -> str:
        return str(self.folder / "control")

    def _ask(self, command: str) -> str:
        return self.ask(program("birdc"), "-s", self._control, *command.split())


def _general(*, coloured: bool) -> str:
    communities = (
        f"bgp_community.add(({THEIR_COMMUNITY[0]}, {THEIR_COMMUNITY[1]})); "
        f"bgp_large_community.add(({', '.join(map(str, THEIR_LARGE_COMMUNITY))})); "
        f"bgp_ext_community.add((rt, {THEIR_ROUTE_TARGET[0]}, {THEIR_ROUTE_TARGET[1]}));"
    )
    own = "".join(
        f"""\
protocol static own{version} {{
  ipv{version};
  route {their_prefix(family)} blackhole;
  {f"route {their_prefix(family, THEIR_COLOURED)} blackhole {{ {communities} }};" if coloured else ""}
}}
"""
        for version, family in ((4, IPV4), (6, IPV6))
    )
    return f"log stderr all;\nrouter id {THEIR_IDENTIFIER};\nprotocol device {{ }}\n{own}"


def _protocol(neighbour: Neighbour) -> str:
    options = ["direct", "connect delay time 1", "connect retry time 5", "error wait time 1, 2"]
    if neighbour.password is not None:
        options.append(f'password "{neighbour.password.decode()}"')
    if neighbour.has_ttl_security:
        options.append("ttl security on")
    if not neighbour.they_dial:
        options.append("passive")
    if neighbour.is_reflector_client:
        options.append("rr client")
    if neighbour.role is Role.RESTARTING:
        options += ["graceful restart on", f"graceful restart time {RESTART_SECONDS}"]
    options.append("enable extended messages on")
    channel = ["import all", "export all"]
    if neighbour.role is Role.COLLECTOR:
        channel.append("add paths on")
    return f"""\
protocol bgp {neighbour.name} {{
  local {their_address(neighbour.family)} as {THEIR_AS};
  neighbor {neighbour.address} as {neighbour.asn};
  {"; ".join(options)};
  ipv{4 if neighbour.family == IPV4 else 6} {{ {"; ".join(channel)}; }};
}}
"""


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """`show protocols all` by protocol: the name, then its lines."""
    for block in re.split(r"\n(?=\S)", text):
        lines = block.splitlines()
        if lines and lines[0].split():
            yield lines[0].split()[0], lines


def _session(lines: list[str]) -> Session:
    state = next((line.split()[-1] for line in lines if "BGP state:" in line), "Down")
    updates = next((int(line.split()[2]) for line in lines if "Import updates:" in line), None)
    return Session(state=state, updates_received=updates)


def _paths(text: str, prefix: Prefix) -> Iterator[list[str]]:
    """The paths of one prefix in `show route all`; a second path's line begins with blanks instead."""
    current: list[str] | None = None
    for line in text.splitlines():
        starts = re.match(r"(\S+|\s+)\s+(unicast|blackhole|unreachable) \[", line)
        if starts:
            if current:
                yield current
            if starts[1].strip():
                listed = starts[1]
            current = [line] if listed == str(prefix) else None
        elif current is not None:
            current.append(line)
    if current:
        yield current


def _route(lines: list[str], names: dict[str, Address]) -> Route:
    protocol = re.search(r"\[(\w+) ", lines[0])
    values = dict(re.findall(r"^\tBGP\.(\w+): (.*)$", "\n".join(lines), re.MULTILINE))
    tuples = {name: re.findall(r"\(([^)]*)\)", text) for name, text in values.items()}
    targets = [text for text in tuples.get("ext_community", []) if text.startswith("rt,")]
    return Route(
        neighbour=names.get(protocol[1]) if protocol else None,
        next_hop=Address.parse(values["next_hop"].split()[0]) if "next_hop" in values else None,
        as_path=tuple(map(int, values.get("as_path", "").split())),
        local_pref=int(values["local_pref"]) if "local_pref" in values else None,
        communities=frozenset(map(numbers, tuples.get("community", []))),
        large_communities=frozenset(map(numbers, tuples.get("large_community", []))),
        route_targets=frozenset(map(numbers, targets)),
        originator_id=Address.parse(values["originator_id"]) if "originator_id" in values else None,
        cluster_list=tuple(map(Address.parse, values.get("cluster_list", "").split())),
    )
