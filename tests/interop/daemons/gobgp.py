"""GoBGP, read through `gobgp -j`; what it originates is told by the same CLI."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from felixbgp.bgp.wire.attributes import AttributeType
from felixbgp.net import IPV4, IPV6, Address, Prefix
from tests.interop.daemons.base import Daemon, Limit, NoAnswerError, Route, Session, numbers, output, program
from tests.interop.plan import (
    RESTART_SECONDS,
    THEIR_AS,
    THEIR_COLOURED,
    THEIR_COMMUNITY,
    THEIR_IDENTIFIER,
    THEIR_LARGE_COMMUNITY,
    THEIR_ROUTE_TARGET,
    Feature,
    Neighbour,
    Role,
    their_address,
    their_prefix,
)

STATES = ("Unknown", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established")
"""SessionState of its gobgp.proto."""


class GoBgp(Daemon):
    """One gobgpd."""

    name: ClassVar[str] = "GoBGP"
    package: ClassVar[str] = "gobgpd"
    limits: ClassVar[Mapping[Feature, Limit]] = {
        Feature.REFRESH: Limit(
            "it answers requests and never makes one", "`gobgp neighbor ADDRESS softresetin` is all it has"
        ),
        Feature.EXTENDED: Limit("no extended messages", "it calls our capability `UnknownCapability(6)`"),
    }

    def version(self) -> str:
        return output((program("gobgpd"), "--version")).split()[-1]

    def write_configuration(self) -> None:
        # A killed one leaves it behind, and the next would end on it.
        (self.folder / "socket").unlink(missing_ok=True)
        head = f'[global.config]\nas = {THEIR_AS}\nrouter-id = "{THEIR_IDENTIFIER}"\n'
        (self.folder / "gobgpd.toml").write_text(head + "".join(map(_neighbour, self.neighbours)))

    def commands(self) -> tuple[tuple[str, ...], ...]:
        files = ("-f", str(self.folder / "gobgpd.toml"), "--api-hosts", self._socket)
        back = ("--graceful-restart",) if self.is_back else ()
        return ((program("gobgpd"), *files, *back, "--log-plain", "--pprof-disable"),)

    def is_ready(self) -> bool:
        try:
            return len(self.sessions()) == len(self.neighbours)
        except NoAnswerError:
            return False

    def prepare(self) -> None:
        coloured = (
            *("community", _colons(THEIR_COMMUNITY)),
            *("large-community", _colons(THEIR_LARGE_COMMUNITY)),
            *("rt", _colons(THEIR_ROUTE_TARGET)),
        )
        for family in (IPV4, IPV6):
            add = ("global", "rib", "add", "-a", family.label)
            self._ask(*add, str(their_prefix(family)))
            if not self.is_back:
                self._ask(*add, str(their_prefix(family, THEIR_COLOURED)), *coloured)

    def sessions(self) -> dict[Address, Session]:
        return {
            Address.parse(one["conf"]["neighbor_address"]): _read_session(one)
            for one in json.loads(self._ask("neighbor", "-j"))
        }

    def routes(self, prefix: Prefix) -> list[Route]:
        shown = self._ask("global", "rib", "-a", prefix.family.label, str(prefix), "-j")
        paths = json.loads(shown).get(str(prefix), [])
        return [_read_route(path) for path in paths]

    def refresh(self, neighbour: Neighbour) -> None:
        self._ask("neighbor", str(neighbour.address), "softresetin", "-a", neighbour.family.label)

    @property
    def _socket(self) -> str:
        return f"unix://{self.folder}/socket"

    def _ask(self, *arguments: str) -> str:
        return self.ask(program("gobgp"), "--target", self._socket, *arguments)


def _colons(values: tuple[int, ...]) -> str:
    return ":".join(map(str, values))


def _neighbour(neighbour: Neighbour) -> str:
    family = f"{neighbour.family.label}-unicast"
    password = neighbour.password or b""
    sections = f"""
[[neighbors]]
[neighbors.config]
neighbor-address = "{neighbour.address}"
peer-as = {neighbour.asn}
auth-password = "{password.decode()}"
[neighbors.timers.config]
connect-retry = 5
[neighbors.transport.config]
local-address = "{their_address(neighbour.family)}"
passive-mode = {str(not neighbour.they_dial).lower()}
[neighbors.route-reflector.config]
route-reflector-client = {str(neighbour.is_reflector_client).lower()}
[neighbors.ttl-security.config]
enabled = {str(neighbour.has_ttl_security).lower()}
ttl-min = 255
"""
    if neighbour.role is Role.COLLECTOR:
        sections += "[neighbors.add-paths.config]\nsend-max = 8\nreceive = true\n"
    if neighbour.role is Role.RESTARTING:
        sections += f"[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = {RESTART_SECONDS}\n"
    sections += f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}"\n'
    if neighbour.role is Role.RESTARTING:
        sections += "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n"
    return sections


def _read_session(value: dict[str, Any]) -> Session:
    state = value["state"]
    return Session(
        state=STATES[state.get("session_state", 0)],
        updates_received=state["messages"]["received"].get("update", 0),
        refreshes_sent=state["messages"]["sent"].get("refresh", 0),
    )


def _read_route(path: dict[str, Any]) -> Route:
    attributes = {one["type"]: one for one in path["attrs"]}

    def value(kind: AttributeType, key: str = "value") -> list[Any]:
        return list(attributes.get(kind, {}).get(key, []))

    peer = path.get("neighbor-ip", "<nil>")
    next_hop = attributes.get(AttributeType.NEXT_HOP) or attributes.get(AttributeType.MP_REACH_NLRI) or {}
    originator = attributes.get(AttributeType.ORIGINATOR_ID, {}).get("value")
    targets = [one["value"] for one in value(AttributeType.EXTENDED_COMMUNITIES) if one.get("subtype") == 2]
    large = value(AttributeType.LARGE_COMMUNITIES)
    return Route(
        neighbour=None if peer == "<nil>" else Address.parse(peer),
        next_hop=Address.parse(next_hop["nexthop"]),
        as_path=tuple(asn for one in value(AttributeType.AS_PATH, "as_paths") for asn in one.get("asns", [])),
        local_pref=attributes.get(AttributeType.LOCAL_PREF, {}).get("value"),
        communities=frozenset(
            (one >> 16, one & 0xFFFF) for one in value(AttributeType.COMMUNITIES, "communities")
        ),
        large_communities=frozenset((one["ASN"], one["LocalData1"], one["LocalData2"]) for one in large),
        route_targets=frozenset(map(numbers, targets)),
        originator_id=None if originator is None else Address.parse(originator),
        cluster_list=tuple(map(Address.parse, value(AttributeType.CLUSTER_LIST))),
        stale=path.get("stale", False),
    )
