"""What a derivation makes anew after a change, and that it leaves everything else as it was."""

from felixbgp.bgp.config import PeerConfig
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation, Derived
from felixbgp.intent.types import Intent
from tests.support.derivation import Object, bgp_filter, bgp_peer, configuration, defaults, node, resource

LOCAL = node("kube-master", "10.192.0.2", labels={"rack": "1"})
CLUSTER = (
    LOCAL,
    node("kube-node-1", "10.192.0.3", labels={"rack": "2"}),
    node("kube-node-2", "10.192.0.4", labels={"rack": "2"}),
    node("kube-node-3", "10.192.0.5", labels={"rack": "3"}),
    bgp_filter("f", "importV4"),
    bgp_filter("g", "importV4"),
    bgp_peer("racks", node="kube-master", peerSelector="rack == '2'", filters=["f"]),
    bgp_peer("router", node="kube-master", peerIP="192.0.2.1", asNumber=64567, filters=["g"]),
    bgp_peer("elsewhere", node="kube-node-3", peerIP="192.0.2.2", asNumber=64567, filters=["f"]),
    resource("IPPool", "pool", {"cidr": "10.65.0.0/16"}),
)


class Followed:
    """A derivation for kube-master that has seen CLUSTER, and what the last change came to."""

    def __init__(self) -> None:
        self._state = ClusterState("kube-master")
        for prefix in watched_prefixes("kube-master"):
            self._state.feed(SnapshotReceived(prefix, 1, ()))
        self._derivation = Derivation("kube-master")
        self._revision = 1
        self.before = self.after = Intent()
        self.changed: list[str] = []
        self.put(*CLUSTER)

    def put(self, *objects: Object) -> None:
        """Write these, and derive once."""
        for key, value in objects:
            self._revision += 1
            self._state.feed(KeyPut(StoredValue(key, value, self._revision)))
        self._update()

    def delete(self, written: Object) -> None:
        self._revision += 1
        self._state.feed(KeyDeleted(written.key, self._revision))
        self._update()

    def _update(self) -> None:
        self.before = self.after
        derived: Derived = self._derivation.update(self._state, self._state.take_changes())
        self.after = derived.intent
        self.changed = sorted(str(peer) for peer in derived.peers)
        self.departed = sorted(map(str, derived.departed))
        self.held_down = sorted(map(str, derived.held_down))
        for peer, config in self.before.peers.items():
            assert peer in derived.peers or self.after.peers[peer] == config

    def is_untouched(self, name: str) -> bool:
        """Whether a session of before is the same object still."""
        found = self.peer(name)
        return self.before.peers.get(found.peer) is found

    def peer(self, name: str) -> PeerConfig:
        return next(config for config in self.after.peers.values() if config.name == name)


def test_at_first_everything() -> None:
    assert Followed().changed == ["10.192.0.3", "10.192.0.4", "10.192.0.5", "192.0.2.1"]


def test_a_label_that_nobody_asks_for() -> None:
    followed = Followed()
    followed.put(node("kube-node-3", "10.192.0.5", labels={"rack": "3", "colour": "red"}))
    assert followed.changed == []
    assert followed.after == followed.before
    assert followed.after.peers is followed.before.peers


def test_a_label_that_a_bgp_peer_asks_for() -> None:
    followed = Followed()
    followed.put(node("kube-node-3", "10.192.0.5", labels={"rack": "2"}))
    assert followed.changed == ["10.192.0.5"]
    assert followed.peer("Node_10_192_0_5").import_policy is followed.peer("Node_10_192_0_4").import_policy


def test_another_address_is_another_peer() -> None:
    followed = Followed()
    followed.put(node("kube-node-3", "10.192.0.6", labels={"rack": "3"}))
    assert followed.changed == ["10.192.0.5", "10.192.0.6"]


def test_a_port_of_one_node() -> None:
    followed = Followed()
    followed.put(configuration("kube-node-3", listenPort=500))
    assert followed.changed == ["10.192.0.5", "10.192.0.5:500"]


def test_a_node_comes_and_goes() -> None:
    followed = Followed()
    new = node("kube-node-9", "10.192.0.9")
    followed.put(new)
    assert followed.changed == ["10.192.0.9"]
    assert followed.is_untouched("Mesh_10_192_0_5")
    assert list(followed.after.peers) == sorted(followed.after.peers)
    followed.delete(new)
    assert followed.changed == ["10.192.0.9"]


def test_a_bgp_peer_of_ours() -> None:
    followed = Followed()
    followed.put(bgp_peer("router", node="kube-master", peerIP="192.0.2.1", asNumber=64568, filters=["g"]))
    assert followed.changed == ["192.0.2.1"]
    assert followed.is_untouched("Node_10_192_0_3")


def test_a_bgp_peer_of_another_node() -> None:
    followed = Followed()
    followed.put(bgp_peer("elsewhere", node="kube-node-3", peerIP="192.0.2.3", asNumber=64567))
    assert followed.changed == []


def test_a_filter_is_for_those_that_use_it_and_they_share_it() -> None:
    followed = Followed()
    followed.put(bgp_filter("f", "exportV4"))
    assert followed.changed == ["10.192.0.3", "10.192.0.4"]
    one, other = followed.peer("Node_10_192_0_3"), followed.peer("Node_10_192_0_4")
    assert one.export_policy is other.export_policy
    assert one.import_policy is other.import_policy


def test_a_filter_that_goes_and_comes_back() -> None:
    followed = Followed()
    followed.delete(bgp_filter("f"))
    assert followed.changed == ["10.192.0.3", "10.192.0.4"]
    assert [str(peer) for peer in followed.after.peers] == ["10.192.0.5", "192.0.2.1"]
    followed.put(bgp_filter("f", "importV4"))
    assert followed.changed == ["10.192.0.3", "10.192.0.4"]
    assert len(followed.after.peers) == 4


def test_pools_are_for_everybody() -> None:
    followed = Followed()
    followed.put(resource("IPPool", "pool", {"cidr": "10.65.0.0/16", "disableBGPExport": True}))
    assert len(followed.changed) == 4


def test_many_changes_at_once() -> None:
    followed = Followed()
    followed.put(
        bgp_filter("g", "exportV4"),
        node("kube-node-9", "10.192.0.9"),
        bgp_peer("racks", node="kube-master", peerSelector="rack == '3'"),
    )
    assert followed.changed == ["10.192.0.3", "10.192.0.4", "10.192.0.5", "10.192.0.9", "192.0.2.1"]
    assert followed.peer("Mesh_10_192_0_3").passive


def test_the_default_configuration_makes_everything_anew_and_tells_what_differs() -> None:
    followed = Followed()
    followed.put(defaults(nodeMeshMaxRestartTime="5s"))
    assert followed.changed == ["10.192.0.5"]


def test_our_own_node_goes_and_comes_back() -> None:
    followed = Followed()
    followed.delete(LOCAL)
    assert len(followed.changed) == 4
    assert (followed.after.peers, followed.after.speaker) == ({}, None)
    followed.put(LOCAL)
    assert len(followed.changed) == 4


def test_a_node_that_leaves() -> None:
    followed = Followed()
    followed.delete(node("kube-node-3", "10.192.0.5"))
    assert (followed.changed, followed.departed) == (["10.192.0.5"], ["10.192.0.5"])
    followed.put(LOCAL)
    assert followed.departed == []


def test_a_node_that_leaves_while_the_local_one_is_deleted() -> None:
    followed = Followed()
    followed.delete(LOCAL)
    followed.delete(node("kube-node-3", "10.192.0.5"))
    assert followed.departed == []
    followed.put(LOCAL)
    assert followed.departed == ["10.192.0.5"]
    followed.put(node("kube-master", "10.192.0.2", labels={"rack": "2"}))
    assert followed.departed == []


def test_who_must_stay_down_is_known_when_the_local_node_is_there_again() -> None:
    followed = Followed()
    followed.delete(LOCAL)
    followed.delete(bgp_filter("g", "importV4"))
    followed.put(LOCAL)
    assert followed.held_down == ["192.0.2.1"]
