"""The sessions of a cluster: those that the resources want, and how far they are by what the nodes tell.

    resources ── derive, for each node ──► wanted, by both ends ─┐
    status documents, leased keys ───────► how it stands, and why ┴─► Topology

What keeps an agent from opening a session (a password or a filter that is missing) is made up here, so that
the session is wanted all the same, and shown as one that is not Established.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.cli.node_report import NodeReport
from felixbgp.cluster.demands import secret_of
from felixbgp.cluster.inputs import KeyPut, SecretFilesRead, StoredValue
from felixbgp.cluster.secrets import SecretFile
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derive import derive
from felixbgp.intent.members import Member, Members
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Family
from felixbgp.resources import BgpConfiguration, BgpPeer
from felixbgp.resources.base import Password
from felixbgp.resources.bgp_configuration import DEFAULT_NAME
from felixbgp.resources.decode import encode
from felixbgp.resources.keys import ResourceKey
from felixbgp.status.node_status import PeerStatus

ESTABLISHED = "Established"


class Kind(Enum):
    """What a session is to the cluster."""

    MESH = "mesh"
    CLIENT = "reflection"
    """Between a route reflector and a client of it."""
    REFLECTORS = "between reflectors"
    NODES = "between nodes"
    EXTERNAL = "external"
    """With a router that is no node."""
    WORKLOAD = "workload"


class Place(NamedTuple):
    """A node, or a peer that is none, by which one tells them apart: a name or an address."""

    is_node: bool
    name: str


class Reason(NamedTuple):
    """Why a session is not Established, by what is known of one of its ends; a cause where that names one."""

    node: str
    why: str
    cause: Cause | None = None

    def __str__(self) -> str:
        return f"{self.node}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """One of them. `label` is how to call it, `group` its rack or the like, "" for none.

    `fault` is what is wrong with a node's agent, "" when it runs and tells.
    """

    place: Place
    label: str
    as_number: int
    cluster_id: str = ""
    group: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One that is wanted, by one or both of its ends; `reasons` is why it is not Established, if it is not.

    Of a `CLIENT` session the first end is the reflector; else the ends are in their order.
    """

    ends: tuple[Place, Place]
    family: Family
    kind: Kind
    resource: str
    reasons: tuple[Reason, ...] = ()

    @property
    def is_established(self) -> bool:
        """Whether all that want it say so."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Topology:
    """All of it; `apart` are nodes that have no BGP address, and so no session."""

    speakers: Mapping[Place, Speaker]
    sessions: tuple[Session, ...]
    apart: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[Speaker]:
        """Those that are nodes, by name as people count them."""
        return [one for one in self.speakers.values() if one.place.is_node]

    @property
    def others(self) -> list[Speaker]:
        """Those that are none."""
        return [one for one in self.speakers.values() if not one.place.is_node]

    @property
    def problems(self) -> list[Session]:
        """The sessions that are not Established."""
        return [one for one in self.sessions if not one.is_established]


class _Wish(NamedTuple):
    """A session as one end wants it."""

    member: Member
    config: PeerConfig
    origin: PeerOrigin


def topology_of(state: ClusterState, reports: Iterable[NodeReport], group_by: str = "") -> Topology:
    """The sessions that `state`, a view of every node, wants; nodes are grouped by the label `group_by`.

    The state is changed: see `pretend`. Work grows with the square of the nodes: 300 of them take seconds.
    """
    pretend(state)
    members = Members()
    for _ in members.read(state):
        pass
    return _Drawing(state, members, {report.node: report for report in reports}, group_by).topology()


def pretend(state: ClusterState) -> None:
    """Have the passwords and filters be there that resources name: their lack is no reason not to want."""
    _forget_impossible(state)
    peers = state.bgp_peers.values()
    default = state.bgp_configurations.get(DEFAULT_NAME)
    passwords = [
        *(peer.spec.password for peer in peers),
        *([] if default is None else [default.spec.node_mesh_password]),
    ]
    secrets = sorted({secret for password in passwords if (secret := secret_of(password)) is not None})
    state.feed(SecretFilesRead("", tuple(SecretFile(secret, b"-") for secret in secrets)))
    for name in sorted({name for peer in peers for name in peer.spec.filters} - state.bgp_filters.keys()):
        document = {"kind": "BGPFilter", "apiVersion": "projectcalico.org/v3", "metadata": {"name": name}}
        key, value = str(ResourceKey("BGPFilter", name)), json.dumps(document).encode()
        state.feed(KeyPut(StoredValue(key, value, state.revision + 1)))


def _forget_impossible(state: ClusterState) -> None:
    """Have no password where it can be in no secret: there is none of such a name, not even as a pretence."""
    default = state.bgp_configurations.get(DEFAULT_NAME)
    for peer in list(state.bgp_peers.values()):
        if _is_impossible(peer.spec.password):
            _put(state, peer.model_copy(update={"spec": peer.spec.model_copy(update={"password": None})}))
    if default is not None and _is_impossible(default.spec.node_mesh_password):
        spec = default.spec.model_copy(update={"node_mesh_password": None})
        _put(state, default.model_copy(update={"spec": spec}))


def _is_impossible(password: Password | None) -> bool:
    secret = secret_of(password)
    return secret is not None and bool(secret.fault())


def _put(state: ClusterState, resource: BgpPeer | BgpConfiguration) -> None:
    state.feed(KeyPut(StoredValue(str(resource.key), encode(resource), state.revision + 1)))


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key to sort names by as people count: node-2 before node-10."""
    parts: list[str] = [""]
    for character in text:
        if parts[-1] and character.isdecimal() != parts[-1].isdecimal():
            parts.append("")
        parts[-1] += character
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def _order(place: Place) -> tuple[bool, list[tuple[int, int, str]]]:
    return not place.is_node, natural(place.name)


class _Drawing:
    def __init__(
        self, state: ClusterState, members: Members, reports: Mapping[str, NodeReport], group_by: str
    ) -> None:
        self._state = state
        self._members = members
        self._reports = reports
        self._group_by = group_by
        self._status: dict[str, dict[PeerId, PeerStatus]] = {
            name: {} if report.status is None else {peer.peer: peer for peer in report.status.peers}
            for name, report in reports.items()
        }
        self._speakers: dict[Place, Speaker] = {}

    def topology(self) -> Topology:
        for member in self._members:
            place = Place(is_node=True, name=member.name)
            self._speakers[place] = Speaker(
                place=place,
                label=member.name,
                as_number=member.as_number,
                cluster_id="" if member.cluster_id is None else str(member.cluster_id),
                group=member.labels.get(self._group_by, ""),
                fault=self._fault(member.name),
            )
        wishes: dict[tuple[Place, Place, Family], list[_Wish]] = {}
        for member in sorted(self._members, key=lambda one: natural(one.name)):
            intent = derive(self._state, member.name)
            for peer, config in intent.peers.items():
                wish = _Wish(member, config, intent.origins[peer])
                place, other = Place(is_node=True, name=member.name), self._other(wish)
                first, second = sorted((place, other), key=_order)
                wishes.setdefault((first, second, peer.address.family), []).append(wish)
        sessions = [self._session(*key, found) for key, found in wishes.items()]
        apart = sorted((name for name in self._state.nodes if self._members.get(name) is None), key=natural)
        speakers = {place: self._speakers[place] for place in sorted(self._speakers, key=_order)}
        sessions.sort(key=lambda one: (*map(_order, one.ends), one.family))
        return Topology(speakers, tuple(sessions), tuple(apart))

    def _fault(self, node: str) -> str:
        report = self._reports.get(node)
        if report is None or report.alive is None:
            return "its agent is not running"
        if report.faults:
            return report.faults[0]
        return "" if report.status is not None else "it has published no status"

    def _other(self, wish: _Wish) -> Place:
        """The other end: the node with that address, else a peer by its address, from now on a speaker."""
        peer = wish.config.peer
        nodes = self._members.at(peer.address)
        if nodes:
            return Place(is_node=True, name=nodes[0].name)
        place = Place(is_node=False, name=str(peer))
        resource = f", {wish.origin.resource}" if wish.origin.resource else ""
        label = f"{peer} (AS {wish.config.remote_as}{resource})"
        self._speakers.setdefault(place, Speaker(place=place, label=label, as_number=wish.config.remote_as))
        return place

    def _session(self, first: Place, second: Place, family: Family, wishes: list[_Wish]) -> Session:
        kind = _kind(self._speakers[first], self._speakers[second], wishes)
        ends = (first, second)
        if kind is Kind.CLIENT and not any(_has_client(wish, first) for wish in wishes):
            ends = (second, first)
        reasons = [reason for wish in wishes for reason in self._reasons(wish)]
        told = {wish.member.name for wish in wishes}
        if reasons:
            silent = [place.name for place in (first, second) if place.is_node and place.name not in told]
            reasons += (Reason(name, "it wants no such session") for name in silent)
        resources = sorted({wish.origin.resource for wish in wishes if wish.origin.resource})
        return Session(
            ends=ends,
            family=family,
            kind=kind,
            resource=", ".join(resources),
            reasons=tuple(dict.fromkeys(reasons)),
        )

    def _reasons(self, wish: _Wish) -> Iterator[Reason]:
        """Why one end does not say that the session is Established; nothing if it does."""
        node = wish.member.name
        if fault := self._speakers[Place(is_node=True, name=node)].fault:
            yield Reason(node, fault)
            return
        status = self._status[node].get(wish.config.peer)
        if status is None:
            yield Reason(node, self._obstacle(wish))
        elif status.state != ESTABLISHED:
            cause = "" if status.cause is None else f" ({status.cause.value})"
            error = f", {status.last_error}" if status.last_error else ""
            yield Reason(node, f"{status.state}{cause}{error}", status.cause)

    def _obstacle(self, wish: _Wish) -> str:
        """Why an agent has no such peer at all."""
        report = self._reports[wish.member.name]
        resource = wish.origin.resource
        subject = f"BGPPeer {resource}" if resource else f"BGPConfiguration {DEFAULT_NAME}"
        for problem in () if report.status is None else report.status.problems:
            if problem.subject == subject:
                return problem.reason
        return "its agent knows of no such peer yet"


def _has_client(wish: _Wish, reflector: Place) -> bool:
    return wish.config.route_reflector_client and wish.member.name == reflector.name


def _kind(first: Speaker, second: Speaker, wishes: list[_Wish]) -> Kind:
    scopes = {wish.origin.scope for wish in wishes}
    if "workload" in scopes:
        return Kind.WORKLOAD
    if not second.place.is_node:
        return Kind.EXTERNAL
    if first.cluster_id and second.cluster_id:
        return Kind.REFLECTORS
    if any(wish.config.route_reflector_client for wish in wishes):
        return Kind.CLIENT
    return Kind.MESH if scopes == {"mesh"} else Kind.NODES
