"""The sessions of a lab's nodes: those that the resources in etcd want, and those that stand.

What is wanted is derived for each node by the same function that the agents use.
"""

import json
from collections.abc import Mapping
from typing import Any

from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Intent
from felixbgp.lab.checks import Sessions
from felixbgp.lab.lab import STATUS_PREFIX, Lab
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.store import Store


def intents(store: Store, plan: LabPlan) -> dict[str, Intent]:
    """What each node must do."""
    found = store.get_prefix("/calico/")
    return {node.name: intent_of(node.name, found) for node in plan.nodes}


def intent_of(node: str, values: Mapping[str, bytes]) -> Intent:
    """What a node must do, by keys and values of etcd."""
    state = ClusterState(node)
    for prefix in watched_prefixes(node):
        stored = (StoredValue(key, value, 1) for key, value in values.items() if key.startswith(prefix))
        state.feed(SnapshotReceived(prefix, 1, tuple(stored)))
    return derive(state, node)


def wanted(found: Mapping[str, Intent]) -> dict[str, frozenset[str]]:
    """For each node the addresses of its peers, but for those that are shut down."""
    return {
        name: frozenset(str(peer.address) for peer, config in intent.peers.items() if config.shutdown is None)
        for name, intent in found.items()
    }


def standing(store: Store, plan: LabPlan) -> dict[str, frozenset[str]]:
    """For each node the addresses of the peers with an Established session, as its status has them."""
    documents = store.get_prefix(STATUS_PREFIX)
    return {node.name: established(documents, node.name) for node in plan.nodes}


def established(documents: Mapping[str, bytes], node: str) -> frozenset[str]:
    """The peers of an agent with an Established session, by the documents under `STATUS_PREFIX`.

    Of an agent that is no more there is still what was last known.
    """
    return frozenset(entry["address"] for entry in _established(documents, node))


def _established(documents: Mapping[str, bytes], node: str) -> list[dict[str, Any]]:
    if f"{STATUS_PREFIX}{node}/alive" not in documents:
        return []
    document = json.loads(documents.get(f"{STATUS_PREFIX}{node}/status", b"{}"))
    return [entry for entry in document.get("peers", []) if entry.get("state") == "Established"]


def differing(wanted_ones: Sessions, found: Sessions) -> list[str]:
    """Sessions that are wanted and do not stand, and the other way round, in words."""
    return [
        f"{node}: {'no session' if address in wanted_ones[node] else 'still a session'} with {address}"
        for node in wanted_ones
        for address in sorted(wanted_ones[node] ^ found[node])
    ]


def outdated(found: Mapping[str, Intent], documents: Mapping[str, bytes]) -> list[str]:
    """In words, sessions that stand with other AS numbers than wanted: they wait for their turn to reset."""
    words = []
    for node, intent in found.items():
        numbers = {
            str(peer.address): (config.local_as, config.remote_as) for peer, config in intent.peers.items()
        }
        for entry in _established(documents, node):
            stands = (entry.get("localAs"), entry.get("remoteAs"))
            if stands != numbers.get(entry["address"], stands):
                words.append(
                    f"{node}: still a session of AS {stands[0]} with {entry['address']}, AS {stands[1]}"
                )
    return words


def unsettled(lab: Lab) -> list[str]:
    """What `differing` and `outdated` say of a lab whose nodes all have agents."""
    found, documents = intents(lab.store, lab.plan), lab.store.get_prefix(STATUS_PREFIX)
    stand = {node.name: established(documents, node.name) for node in lab.plan.nodes}
    return differing(wanted(found), stand) + outdated(found, documents)
