"""The fold: what is known after which events, and what each feed answers."""

import json

import pytest

from felixbgp.cluster import state as state_module
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.facts import (
    ClusterInSync,
    FieldsIgnored,
    InvalidValue,
    StaleEventIgnored,
    StoreLost,
    StoreRestored,
    ValueCorrected,
)
from felixbgp.cluster.inputs import (
    DatastoreLost,
    DatastoreRestored,
    KeyDeleted,
    KeyPut,
    RevisionReached,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.net import Prefix
from felixbgp.resources import AffinityState

R = "/calico/resources/v3/projectcalico.org/"
NODE = f"{R}nodes/a"
BLOCK = "/calico/ipam/v2/host/a/ipv4/block/10.65.0.0-26"


def node(address: str = "10.0.0.1", **metadata: object) -> bytes:
    return json.dumps(
        {
            "kind": "Node",
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": "a", **metadata},
            "spec": {"bgp": {"ipv4Address": address}},
        }
    ).encode()


def put(key: str, value: bytes, revision: int) -> KeyPut:
    return KeyPut(StoredValue(key, value, revision))


def snapshot(prefix: str, revision: int, *values: StoredValue) -> SnapshotReceived:
    return SnapshotReceived(prefix, revision, values)


def address_of(state: ClusterState) -> str | None:
    found = state.nodes.get("a")
    return None if found is None or found.spec.bgp is None else str(found.spec.bgp.ipv4_address)


def test_a_node_comes_changes_and_goes() -> None:
    state = ClusterState("a")
    assert state.feed(put(NODE, node("10.0.0.1"), 1))
    assert address_of(state) == "10.0.0.1"
    assert state.feed(put(NODE, node("10.0.0.2"), 2))
    assert address_of(state) == "10.0.0.2"
    assert state.feed(KeyDeleted(NODE, 3))
    assert state.nodes == {}
    assert state.revision == 3


def test_late_and_repeated_events_change_nothing() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node("10.0.0.2"), 5))
    assert not state.feed(put(NODE, node("10.0.0.1"), 4))
    assert not state.feed(put(NODE, node("10.0.0.2"), 5))
    assert not state.feed(KeyDeleted(NODE, 3))
    assert address_of(state) == "10.0.0.2"
    assert state.take_facts() == [StaleEventIgnored(NODE, 4, 5), StaleEventIgnored(NODE, 3, 5)]
    assert state.take_facts() == []


def test_a_put_older_than_the_deletion_does_not_bring_the_key_back() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node(), 1))
    state.feed(KeyDeleted(NODE, 3))
    assert not state.feed(put(NODE, node(), 2))
    assert state.nodes == {}
    assert state.feed(put(NODE, node(), 4))


def test_a_deletion_of_an_unknown_key_is_remembered_too() -> None:
    state = ClusterState("a")
    assert not state.feed(KeyDeleted(NODE, 3))
    assert not state.feed(put(NODE, node(), 2))


def test_the_memory_of_deleted_keys_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MAX_TOMBSTONES", 2)
    state = ClusterState("a")
    for number in range(3):
        state.feed(KeyDeleted(f"{R}nodes/n{number}", 10 + number))
    state.feed(put(NODE, node(), 1))
    assert not state.feed(put(f"{R}nodes/n2", node(), 5))
    assert state.invalid == {}
    state.feed(put(f"{R}nodes/n0", node(), 5))
    assert list(state.invalid) == [f"{R}nodes/n0"]


def test_what_means_nothing_is_no_change() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node(), 1))
    assert not state.feed(put(NODE, node(uid="u", creationTimestamp="2024-05-01T10:00:00Z"), 2))
    assert state.feed(put(NODE, node(labels={"a": "b"}), 3))
    assert state.feed(
        put(NODE, node(annotations={"projectcalico.org/RouteReflectorClusterID": "1.1.1.1"}), 4)
    )


def test_an_invalid_value_counts_as_absent_until_it_is_corrected() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node(), 1))
    assert state.feed(put(NODE, node("10.0.0.300"), 2))
    assert state.nodes == {}
    (error,) = state.invalid[NODE]
    assert str(error).startswith('spec.bgp.ipv4Address: "10.0.0.300"')
    assert not state.feed(put(NODE, node("10.0.0.300", uid="u"), 3))
    assert state.feed(put(NODE, node(), 4))
    assert state.invalid == {}
    assert state.take_facts() == [InvalidValue(NODE, 2, (error,)), ValueCorrected(NODE, 4)]


def test_unknown_fields_are_named_until_they_are_gone_and_the_value_counts() -> None:
    state = ClusterState("a")
    assert state.feed(put(NODE, node(new=1), 1))
    assert address_of(state) == "10.0.0.1"
    (error,) = state.ignored[NODE]
    assert str(error) == "metadata.new: is not known to this version and is ignored"
    assert state.invalid == {}
    assert not state.feed(put(NODE, node(new=2), 2))
    assert state.feed(put(NODE, node(), 3))
    assert state.ignored == {}
    assert state.take_facts() == [FieldsIgnored(NODE, 1, (error,))]


@pytest.mark.parametrize("after", [put(NODE, b"", 2), KeyDeleted(NODE, 2), snapshot(f"{R}nodes/", 2)])
def test_unknown_fields_of_a_value_that_counts_no_more_are_not_named(after: StoreInput) -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node(new=1), 1))
    assert state.feed(after)
    assert state.ignored == {}


def test_an_invalid_value_that_goes_away_is_corrected() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, b"", 1))
    state.take_facts()
    assert state.feed(KeyDeleted(NODE, 2))
    assert state.invalid == {}
    assert state.take_facts() == [ValueCorrected(NODE, 2)]


def test_the_name_in_the_key_counts() -> None:
    state = ClusterState("a")
    state.feed(put(f"{R}nodes/b", node(), 1))
    assert state.nodes == {}
    assert [error.field for error in state.invalid[f"{R}nodes/b"]] == ["metadata.name"]


def test_keys_of_others_are_not_kept() -> None:
    state = ClusterState("a")
    assert not state.feed(put("/calico/ipam/v2/host/a", b"{}", 1))
    assert not state.feed(put(f"{R}nodes/a/b", node(), 2))
    assert state.invalid == {}


def test_endpoints_and_reports_are_not_followed() -> None:
    state = ClusterState("a")
    for key in (f"{R}workloadendpoints/default/a-k8s-p-eth0", f"{R}caliconodestatuses/s"):
        assert not state.feed(put(key, b"not JSON", 1))
        assert not state.feed(KeyDeleted(key, 2))
    assert state.invalid == {}
    assert state.take_facts() == []


def test_every_kind_has_its_table() -> None:
    state = ClusterState("a")
    for plural, kind, spec in (
        ("bgppeers", "BGPPeer", {}),
        ("bgpconfigurations", "BGPConfiguration", {}),
        ("bgpfilters", "BGPFilter", {}),
        ("ippools", "IPPool", {"cidr": "10.65.0.0/16"}),
    ):
        document = {
            "kind": kind,
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": "x"},
            "spec": spec,
        }
        assert state.feed(put(f"{R}{plural}/x", json.dumps(document).encode(), 1))
    for table in (state.bgp_peers, state.bgp_configurations, state.bgp_filters, state.ip_pools):
        assert list(table) == ["x"]
    state.feed(KeyDeleted(f"{R}bgppeers/x", 2))
    assert state.bgp_peers == {}


def test_block_affinities_are_kept_per_host() -> None:
    state = ClusterState("a")
    block = Prefix.parse("10.65.0.0/26")
    assert state.feed(put(BLOCK, b'{"state":"pending"}', 1))
    assert state.feed(put(BLOCK, b'{"state":"confirmed"}', 2))
    assert not state.feed(put(BLOCK, b'{"state":"confirmed","deleted":false}', 3))
    assert state.affinities == {block: AffinityState.CONFIRMED}
    assert state.affinities_of("b") == {}
    assert state.feed(KeyDeleted(BLOCK, 4))
    assert state.affinities == {}


def test_a_snapshot_replaces_everything_under_its_prefix() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node("10.0.0.1"), 1))
    state.feed(put(BLOCK, b"", 2))
    assert state.feed(snapshot(f"{R}nodes/", 5, StoredValue(NODE, node("10.0.0.2"), 4)))
    assert address_of(state) == "10.0.0.2"
    assert len(state.affinities) == 1
    assert state.feed(snapshot(f"{R}nodes/", 6))
    assert state.nodes == {}
    assert not state.feed(snapshot(f"{R}nodes/", 7))


def test_after_a_snapshot_what_it_already_holds_is_late() -> None:
    state = ClusterState("a")
    state.feed(snapshot(f"{R}nodes/", 10, StoredValue(NODE, node("10.0.0.2"), 4)))
    assert not state.feed(put(NODE, node("10.0.0.9"), 7))
    assert not state.feed(KeyDeleted(NODE, 9))
    assert state.feed(KeyDeleted(NODE, 11))


def test_a_store_restored_from_a_backup_may_go_back() -> None:
    state = ClusterState("a")
    state.feed(snapshot(f"{R}nodes/", 100, StoredValue(NODE, node("10.0.0.2"), 90)))
    state.feed(KeyDeleted(NODE, 101))
    assert state.feed(snapshot(f"{R}nodes/", 50, StoredValue(NODE, node("10.0.0.1"), 40)))
    assert address_of(state) == "10.0.0.1"
    assert state.revision == 50
    assert state.feed(put(NODE, node("10.0.0.3"), 51))


def test_a_snapshot_speaks_of_its_prefix_only() -> None:
    state = ClusterState("a")
    state.feed(snapshot(f"{R}nodes/", 5, StoredValue(BLOCK, b"", 4)))
    assert state.affinities == {}


def test_in_sync_after_the_last_prefix_and_for_good() -> None:
    state = ClusterState("a")
    *first, last = watched_prefixes("a")
    for prefix in first:
        assert not state.feed(snapshot(prefix, 5))
    assert not state.in_sync()
    assert state.feed(snapshot(last, 6))
    assert state.in_sync()
    assert state.take_facts() == [ClusterInSync(6)]
    assert not state.feed(snapshot(last, 7))
    assert state.in_sync()


def test_one_snapshot_of_a_wider_prefix_will_do() -> None:
    state = ClusterState()
    assert state.feed(snapshot("/calico/", 5))
    assert state.in_sync()


def test_the_prefixes_of_an_agent_and_of_a_view_of_all() -> None:
    assert watched_prefixes("a")[-2:] == ("/calico/ipam/v2/host/a/", DRAINS)
    assert watched_prefixes()[-1] == "/calico/ipam/v2/host/"
    assert [prefix.removeprefix(R) for prefix in watched_prefixes()[:-1]] == [
        "bgpconfigurations/",
        "bgpfilters/",
        "bgppeers/",
        "ippools/",
        "nodes/",
    ]


def test_losing_the_store_keeps_what_is_known() -> None:
    state = ClusterState("a")
    state.feed(put(NODE, node(), 1))
    assert not state.feed(DatastoreLost("refused"))
    assert not state.feed(DatastoreRestored())
    assert not state.feed(RevisionReached(9))
    assert address_of(state) == "10.0.0.1"
    assert state.revision == 9
    assert state.take_facts() == [StoreLost("refused"), StoreRestored()]
