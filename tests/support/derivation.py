"""Clusters in few words, and every session that a node must derive from them.

A `Row` is one line of a table: a rule, the objects of a cluster, and what one node makes of them. `check`
looks at every attribute of every session, at all problems, and at both ways to derive: at once, and object
after object.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from felixbgp.bgp.config import GracefulRestart, NextHopMode, PeerConfig, PeerId
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.policy.types import Action, Policy
from felixbgp.cluster.inputs import KeyPut, SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.secrets import SECRETS, SecretFile
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.derive import derive
from felixbgp.intent.policies import INTERNAL_REJECTED_INTERFACES
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import Address, Family
from felixbgp.resources.keys import ResourceKey

LOCAL: Final = "kube-master"
"""The node that derives, as in Calico's golden files."""
OWN: Final = "the node's own address"
"""What a session's `source` is when the table says nothing."""
SECRET_REFERENCE: Final = {"secretKeyRef": {"name": "bgp", "key": "password"}}

SCOPES: Final = {"Mesh": "mesh", "Global": "global", "Node": "node", "Local_Workload": "workload"}
"""What the beginning of a peer's name says about where it comes from (§3.2, §3.5, §3.8)."""


class Object(NamedTuple):
    """A key of the store and its value."""

    key: str
    value: bytes


def resource(kind: str, name: str, spec: object, **metadata: object) -> Object:
    document = {
        "kind": kind,
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    namespace = metadata.get("namespace")
    key = ResourceKey(kind, name, None if namespace is None else str(namespace))
    return Object(str(key), json.dumps(document).encode())


def node(
    name: str,
    ipv4: str = "",
    ipv6: str = "",
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **bgp: object,
) -> Object:
    written = {"ipv4Address": ipv4, "ipv6Address": ipv6, **bgp}
    metadata = {"labels": labels or {}, "annotations": annotations or {}}
    return resource("Node", name, {"bgp": written}, **metadata)


def bgp_peer(name: str, **spec: object) -> Object:
    return resource("BGPPeer", name, spec)


def defaults(**spec: object) -> Object:
    """The BGPConfiguration `default`."""
    return resource("BGPConfiguration", "default", spec)


def configuration(name: str, **spec: object) -> Object:
    """The BGPConfiguration of one node."""
    return resource("BGPConfiguration", f"node.{name}", spec)


def bgp_filter(name: str, *lists: str) -> Object:
    """A BGPFilter with one rule in each of these lists: importV4, exportV4, importV6, exportV6."""
    return resource("BGPFilter", name, {which: [{"action": "Reject"}] for which in lists})


def workload(name: str, *networks: str, on: str = LOCAL, **labels: str) -> Object:
    spec = {
        "node": on,
        "orchestrator": "k8s",
        "endpoint": "eth0",
        "pod": name,
        "interfaceName": f"cali{name}",
        "ipNetworks": list(networks),
    }
    place = f"{on.replace('-', '--')}-k8s-{name}-eth0"
    return resource("WorkloadEndpoint", place, spec, namespace="default", labels=labels)


def password(value: str) -> Object:
    """What SECRET_REFERENCE means, kept in etcd."""
    return Object(f"{SECRETS}bgp/password", value.encode())


MESH_OFF: Final = defaults(nodeToNodeMeshEnabled=False)


@dataclass(frozen=True)
class Session:
    """All there is to say of a session. What a row does not say is as it is for most."""

    name: str
    at: str
    """The peer's address; with a port that is not 179, `10.192.0.3:500` or `[2001::103]:500`."""
    by: str = ""
    """The BGPPeer it comes from; "" for the mesh."""
    local_as: int = 64512
    remote_as: int = 64512
    passive: bool = False
    client: bool = False
    next_hop: NextHopMode = NextHopMode.AUTO
    allowed_local_as: int = 0
    restart_s: int = 120
    keepalive_s: int | None = None
    source: str | None = OWN
    ttl: int = 64
    min_ttl: int | None = None
    password: bytes | None = None
    imports: tuple[str, ...] = ()
    """The BGPFilters that incoming routes go through, in order."""
    exports: tuple[str, ...] = ()
    internal: bool = True
    """Whether Calico's own export policy treats the peer as one inside the AS."""


class Row(NamedTuple):
    """One line of a table."""

    rule: str
    cluster: Sequence[Object]
    sessions: Sequence[Session] = ()
    problems: Sequence[str] = ()
    """Subject and field of each: `BGPPeer p spec.peerIP`."""
    on: str = LOCAL
    router_id: str | None = None


def rule_of(row: Row) -> str:
    return row.rule


def check(row: Row) -> None:
    """Derive as the row's node, and compare everything with the row."""
    *_, state = _following(row, row.cluster)
    intent = derive(state, row.on, router_id=_router_id(row))
    own = {address.family: str(address) for address in _own_addresses(row, state)}
    for session in row.sessions:
        peer = _peer(session.at)
        assert peer in intent.peers, f"{session.name} is missing; there are {_names(intent)}"
        config = intent.peers[peer]
        without_policies = replace(config, import_policy=Policy(), export_policy=Policy())
        assert without_policies == _expected(session, peer, own)
        assert intent.origins[peer] == PeerOrigin(
            SCOPES[session.name.split(f"_{_host(peer)}")[0]], session.by
        )
        assert _filters(config.import_policy, "import") == session.imports
        assert _filters(config.export_policy, "export") == session.exports
        assert (config.import_policy.default, config.export_policy.default) == (Action.ACCEPT, Action.REJECT)
        assert _is_internal(config.export_policy) is session.internal
    assert _names(intent) == sorted(session.name for session in row.sessions)
    found = [f"{problem.subject} {problem.field}".rstrip() for problem in intent.problems]
    assert found == sorted(row.problems), intent.problems
    backwards = [Object(key, value) for key, value in dict(row.cluster).items()][::-1]
    for cluster in (row.cluster, backwards):
        assert _derived_step_by_step(row, cluster) == intent


def _derived_step_by_step(row: Row, cluster: Sequence[Object]) -> Intent:
    """Object after object, each followed by an update; and the updates add up to the peers."""
    derivation = Derivation(row.on, router_id=_router_id(row))
    peers: dict[PeerId, PeerConfig] = {}
    intent = Intent()
    for state in _following(row, cluster):
        intent, changed, *_ = derivation.update(state, state.take_changes())
        peers |= {peer: config for peer, config in changed.items() if config is not None}
        for gone in (peer for peer, config in changed.items() if config is None):
            del peers[gone]
        assert peers == intent.peers
    return intent


def _following(row: Row, cluster: Sequence[Object]) -> Iterator[ClusterState]:
    """A view of the row's node, after every event."""
    state = ClusterState(row.on)
    for prefix in watched_prefixes(row.on):
        state.feed(SnapshotReceived(prefix, 1, ()))
        yield state
    stored: list[StoredValue] = []
    for revision, (key, value) in enumerate(cluster, start=2):
        stored.append(StoredValue(key, value, revision))
        state.feed(KeyPut(stored[-1]))
        yield from _answering(state, stored)
        yield state


def _answering(state: ClusterState, stored: Sequence[StoredValue]) -> Iterator[ClusterState]:
    """The same view, given what it asks for: no files, and what is in the store so far."""
    if (demands := state.take_demands()) is not None:
        state.feed(SecretFilesRead("/secrets", tuple(SecretFile(secret) for secret in demands.secrets)))
        yield state
        for prefix in demands.prefixes:
            listed = tuple(value for value in stored if value.key.startswith(prefix))
            state.feed(SnapshotReceived(prefix, stored[-1].revision, listed))
            yield state


def _expected(session: Session, peer: PeerId, own: dict[Family, str]) -> PeerConfig:
    family = peer.address.family
    source = own[family] if session.source == OWN else session.source
    return PeerConfig(
        peer=peer,
        name=session.name,
        families=(family,),
        local_as=session.local_as,
        remote_as=session.remote_as,
        passive=session.passive,
        route_reflector_client=session.client,
        next_hop=session.next_hop,
        allowed_local_as=session.allowed_local_as,
        keepalive_time_s=session.keepalive_s,
        graceful_restart=GracefulRestart(restart_time_s=session.restart_s, forwarding_preserved=True),
        transport=TransportOptions(
            local_address=None if source is None else Address.parse(source),
            ttl=session.ttl,
            min_ttl=session.min_ttl,
            password=session.password,
        ),
    )


def _peer(at: str) -> PeerId:
    if at.startswith("["):
        host, port = at[1:].split("]:")
        return PeerId(Address.parse(host), int(port))
    if at.count(":") == 1:
        host, port = at.split(":")
        return PeerId(Address.parse(host), int(port))
    return PeerId(Address.parse(at))


def _host(peer: PeerId) -> str:
    return str(peer.address).replace(".", "_").replace(":", "_")


def _names(intent: Intent) -> list[str]:
    return sorted(config.name for config in intent.peers.values())


def _own_addresses(row: Row, state: ClusterState) -> Iterator[Address]:
    local = state.nodes.get(row.on)
    bgp = None if local is None else local.effective_bgp
    for written in () if bgp is None else (bgp.ipv4_address, bgp.ipv6_address):
        if written is not None:
            yield written.address


def _filters(policy: Policy, direction: str) -> tuple[str, ...]:
    """The BGPFilters a policy has rules of, each once, in order; their rules stand before all others."""
    names = [rule.name.split() for rule in policy.rules]
    of_filters = [words[1] for words in names if words[0] == "filter" and words[2] == direction]
    assert [words[1] for words in names[: len(of_filters)]] == of_filters
    return tuple(dict.fromkeys(of_filters))


def _is_internal(export_policy: Policy) -> bool:
    rejected = {rule.match.interface for rule in export_policy.rules if rule.action is Action.REJECT}
    return rejected.issuperset(INTERNAL_REJECTED_INTERFACES)


def _router_id(row: Row) -> Address | None:
    return None if row.router_id is None else Address.parse(row.router_id)
