"""Which sessions stand, and which the resources want."""

import json

from felixbgp.lab import calico, sessions
from felixbgp.lab.lab import STATUS_PREFIX
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan

PLAN = LabPlan(node_count=2, workload_count=0, ipv6=False)
STATUS = {
    "peers": [
        {"address": "172.30.1.2", "state": "Established"},
        {"address": "172.30.2.1", "state": "Active"},
    ]
}


def test_the_mesh_and_a_router_are_wanted() -> None:
    values = calico.cluster_resources(PLAN)
    values |= calico.peer_resource("tor", {"peerIP": PLAN.tors[0].ipv4, "asNumber": TOR_AS_NUMBER})
    stored = {key: value.encode() for key, value in values.items()}
    wanted = sessions.wanted({node.name: sessions.intent_of(node.name, stored) for node in PLAN.nodes})
    assert wanted == {
        "node-1": frozenset({"172.30.1.2", "172.30.2.1"}),
        "node-2": frozenset({"172.30.1.1", "172.30.2.1"}),
    }


def test_a_session_with_an_as_number_of_before_is_not_what_is_wanted() -> None:
    values = {key: value.encode() for key, value in calico.cluster_resources(PLAN).items()}
    entry = {"address": "172.30.1.2", "state": "Established", "localAs": 64512, "remoteAs": 64512}
    documents = {
        f"{STATUS_PREFIX}node-1/alive": b"{}",
        f"{STATUS_PREFIX}node-1/status": json.dumps({"peers": [entry]}).encode(),
    }
    assert sessions.outdated({"node-1": sessions.intent_of("node-1", values)}, documents) == []
    (key, text), *_ = calico.configuration_resource("default", {"asNumber": 64600}).items()
    assert sessions.outdated(
        {"node-1": sessions.intent_of("node-1", values | {key: text.encode()})}, documents
    ) == ["node-1: still a session of AS 64512 with 172.30.1.2, AS 64512"]


def test_an_agent_that_is_no_more_has_no_sessions_whatever_it_said_last() -> None:
    documents = {f"{STATUS_PREFIX}node-1/status": json.dumps(STATUS).encode()}
    assert sessions.established(documents, "node-1") == frozenset()
    documents[f"{STATUS_PREFIX}node-1/alive"] = b"{}"
    assert sessions.established(documents, "node-1") == {"172.30.1.2"}


def test_differences_go_both_ways() -> None:
    wanted, found = {"node-1": frozenset({"a", "b"})}, {"node-1": frozenset({"b", "c"})}
    assert sessions.differing(wanted, found) == [
        "node-1: no session with a",
        "node-1: still a session with c",
    ]
