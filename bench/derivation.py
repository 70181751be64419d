"""Deriving one node's intent in a cluster of 5,000: from nothing, and again after one change."""

import gc
import json
from collections.abc import Callable, Iterator
from time import process_time
from typing import NamedTuple

from felixbgp.cluster.inputs import KeyPut, RevisionReached, SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.derive import derive
from felixbgp.resources.keys import ResourceKey

NODES = 5_000
BGP_PEERS = 200
FILTERS = 100
RULES = 10
RACKS = 50
REFLECTORS = 4
LOCAL = "node-17"
ROUNDS = 3
CHANGES = 200
"""One change is too short to measure."""


class Change(NamedTuple):
    """What an operator does, and how the n-th of it reads."""

    name: str
    value: Callable[[int], tuple[str, bytes]]


def written(kind: str, name: str, spec: object, **labels: str) -> tuple[str, bytes]:
    document = {
        "kind": kind,
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
    return str(ResourceKey(kind, name)), json.dumps(document).encode()


def node(number: int, **labels: str) -> tuple[str, bytes]:
    """Its address, its rack, and for the first of them the role of a reflector."""
    bgp = {"ipv4Address": f"10.{number >> 8}.{number & 255}.1/16"}
    if number < REFLECTORS:
        bgp["routeReflectorClusterID"] = "1.0.0.1"
        labels["rr"] = "true"
    return written("Node", f"node-{number}", {"bgp": bgp}, rack=str(number % RACKS), **labels)


def bgp_peer(number: int, restart_s: int = 120) -> tuple[str, bytes]:
    """Each rack has two routers, peers with the reflectors, and with the nodes of the next rack."""
    turn, rack = divmod(number, RACKS)
    spec: dict[str, object] = {
        "nodeSelector": f"rack == '{rack}'",
        "filters": [f"filter-{number % FILTERS}", f"filter-{(number + 1) % FILTERS}"],
        "maxRestartTime": f"{restart_s}s",
    }
    if turn < 2:
        spec |= {"peerIP": f"192.0.{number}.1", "asNumber": 65000 + number}
    elif turn == 2:
        spec |= {"peerSelector": "has(rr)"}
    else:
        spec |= {"peerSelector": f"rack == '{(rack + 1) % RACKS}' && !has(rr)"}
    return written("BGPPeer", f"peer-{number}", spec)


def bgp_filter(number: int, third_octet: int = 0) -> tuple[str, bytes]:
    rules = [
        {"action": "Accept", "matchOperator": "In", "cidr": f"10.{rule}.{third_octet}.0/24"}
        for rule in range(RULES)
    ]
    return written("BGPFilter", f"filter-{number}", {"importV4": rules, "exportV4": rules})


def cluster() -> ClusterState:
    """All of it folded; the node whose intent is derived is in the mesh and in one rack."""
    values = [
        *map(node, range(NODES)),
        *map(bgp_peer, range(BGP_PEERS)),
        *map(bgp_filter, range(FILTERS)),
        written("IPPool", "pool", {"cidr": "10.0.0.0/8"}),
    ]
    stored = tuple(StoredValue(key, value, revision) for revision, (key, value) in enumerate(values, start=1))
    state = ClusterState(LOCAL)
    for prefix in watched_prefixes(LOCAL):
        listed = tuple(value for value in stored if value.key.startswith(prefix))
        state.feed(SnapshotReceived(prefix, len(values), listed))
    assert len(state.nodes) == NODES
    assert not state.invalid
    return state


CHANGES_OF = (
    Change("a label on a node", lambda turn: node(100 + turn, turn=str(turn))),
    Change("a filter in use", lambda turn: bgp_filter(17, third_octet=turn)),
    Change("a BGPPeer to a router", lambda turn: bgp_peer(17, restart_s=turn)),
    Change("a BGPPeer to a rack", lambda turn: bgp_peer(167, restart_s=turn)),
    Change("a new node", lambda turn: node(NODES + turn)),
    Change("a node that a BGPPeer selects", lambda turn: node(100 + turn, rr="true")),
)


def measured() -> Iterator[tuple[str, float]]:
    """CPU seconds: from nothing, then for each kind of change what following one of them takes."""
    state = cluster()
    yield f"derive 1 of {NODES} nodes", min(_from_nothing(state) for _ in range(ROUNDS))
    derivation = Derivation(LOCAL)
    derivation.update(state, state.take_changes())
    for change in CHANGES_OF:
        yield f"- {change.name}", _following(state, derivation, change)
    assert derivation.update(state, state.take_changes()).intent == derive(state, LOCAL)


def _from_nothing(state: ClusterState) -> float:
    gc.collect()
    started = process_time()
    derive(state, LOCAL)
    return process_time() - started


def _following(state: ClusterState, derivation: Derivation, change: Change) -> float:
    """One after the other; folding them is no part of it."""
    taken = 0.0
    for turn in range(CHANGES):
        revision = state.revision + 1
        state.feed(KeyPut(StoredValue(*change.value(turn), revision)))
        state.feed(RevisionReached(revision))
        started = process_time()
        derivation.update(state, state.take_changes())
        taken += process_time() - started
    return taken / CHANGES
