"""Why a session goes, and what there is to mend afterwards: in the words of the status."""

import pytest

from felixbgp.cli.plan import notes_of
from felixbgp.cluster.inputs import StoredValue
from felixbgp.plan.outcome import Outcome
from felixbgp.plan.planning import plan
from felixbgp.resources.keys import ResourceKey
from tests.support.stored import Item, cluster_of, resource, without_mesh

TOR = "172.30.2.1"
FILTER = resource("BGPFilter", "f", {"exportV4": [{"action": "Accept"}]})


def peer(name: str, **more: object) -> Item:
    return resource("BGPPeer", name, {"peerIP": TOR, "asNumber": 65001, **more})


def planned(items: list[Item], *changed: Item | tuple[str, None]) -> Outcome:
    return plan([StoredValue(key, value, 1) for key, value in items], dict(changed))


def removals(outcome: Outcome) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(str(one.peer), one.reason) for one in node.sessions if one.change.value == "removed"]
        for name, node in outcome.nodes.items()
    }


def told(outcome: Outcome) -> list[tuple[str, str]]:
    return [(problem.subject, problem.reason) for problem in outcome.problems]


def test_a_filter_that_goes() -> None:
    stored = [*cluster_of(2), without_mesh(), FILTER, peer("tor", filters=["f"])]
    outcome = planned(stored, (FILTER[0], None))
    reason = "BGPFilter f does not exist or is invalid; the session stays down"
    assert removals(outcome) == {"node-1": [(TOR, reason)], "node-2": [(TOR, reason)]}
    assert told(outcome) == [("BGPPeer tor", reason)]
    gone = planned(stored, (str(ResourceKey("BGPPeer", "tor")), None))
    assert removals(gone)["node-1"] == [(TOR, "nobody wants it any more")]
    assert gone.problems == ()


def test_a_filter_of_one_end() -> None:
    """The other end wants the session for a BGPPeer of its own."""
    there = resource("BGPPeer", "to-1", {"node": "node-2", "peerIP": "172.30.0.1", "asNumber": 64512})
    spec: dict[str, object] = {"node": "node-1", "peerIP": "172.30.0.2", "asNumber": 64512, "filters": ["f"]}
    outcome = planned(
        [*cluster_of(2), without_mesh(), FILTER, resource("BGPPeer", "to-2", spec), there], (FILTER[0], None)
    )
    reason = "BGPFilter f does not exist or is invalid; the session stays down"
    assert removals(outcome) == {"node-1": [("172.30.0.2", reason)], "node-2": [("172.30.0.1", reason)]}


@pytest.mark.parametrize(
    ("name", "key", "fault"),
    [("../x", "tor", '"../x" is no name of a secret'), ("bgp", "a/b", '"a/b" is no key of a secret')],
)
def test_a_password_that_no_secret_can_hold(name: str, key: str, fault: str) -> None:
    secret = {"secretKeyRef": {"name": name, "key": key}}
    reason = f'secret "{name}", key "{key}": {fault}; the session stays down'
    guarded = peer("tor", password=secret)
    stored = [*cluster_of(1), without_mesh()]
    for outcome in (planned(stored, guarded), planned([*stored, peer("tor")], guarded)):
        assert told(outcome) == [("BGPPeer tor", reason)]
    assert removals(outcome) == {"node-1": [(TOR, reason)]}
    mesh = planned(cluster_of(2), resource("BGPConfiguration", "default", {"nodeMeshPassword": secret}))
    reason = reason.replace("the session", "the mesh")
    assert removals(mesh) == {"node-1": [("172.30.0.2", reason)], "node-2": [("172.30.0.1", reason)]}


def test_what_is_to_be_mended_only_then() -> None:
    ignored = resource("BGPConfiguration", "other", {})
    stored = [*cluster_of(2), peer("tor"), ignored]
    nobody = resource("BGPPeer", "nobody", {})
    another = peer("x", asNumber=65002)
    workloads = resource("BGPPeer", "workloads", {"localWorkloadSelector": "all()", "asNumber": 65003})
    assert told(planned(stored, nobody, another, workloads)) == [
        ("BGPPeer nobody", "names no peer: it has neither peerIP nor peerSelector"),
        ("BGPPeer x", f"{TOR} is already a peer by BGPPeer tor, which comes first"),
    ]
    assert planned([*stored, another], nobody, (nobody[0], None)).problems == ()
    assert planned([*stored, another], (another[0], None), (ignored[0], None)).problems == ()


def test_an_object_is_noted_once_whatever_the_nodes_say_of_it() -> None:
    outcome = planned(cluster_of(3), resource("BGPPeer", "six", {"peerIP": "2001:db8::1", "asNumber": 65001}))
    assert list(notes_of(outcome, (), None)) == [
        "BGPPeer six: spec.peerIP: is of a family in which Node node-1 has no address (and 2 more)"
    ]
