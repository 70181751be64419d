"""The cluster's state depends on the current keys, never on the events that led there."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Intent
from felixbgp.resources import decode
from felixbgp.resources.documents import load_yaml_documents
from felixbgp.resources.selectors import SelectorError, parse

R = "/calico/resources/v3/projectcalico.org/"


def _document(kind: str, name: str, spec: object, labels: dict[str, str] | None = None) -> bytes:
    metadata = {"name": name, "labels": labels or {}}
    document = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
    return json.dumps(document).encode()


def _nodes(name: str) -> list[bytes]:
    bgp = {"ipv4Address": f"10.0.0.{ord(name) - 96}/24"}
    return [
        _document("Node", name, {"bgp": bgp}, {"rr": "true"}),
        _document("Node", name, {"bgp": bgp | {"asNumber": 2, "ipv6Address": f"fd00::{ord(name)}"}}),
        _document("Node", name, {"bgp": bgp | {"routeReflectorClusterID": "1.1.1.1"}}),
        _document("Node", name, {"bgp": {"ipv4Address": "10.0.0.1"}}),
        _document("Node", name, {"new": 1}),
        b"not json",
    ]


def _peers(name: str) -> list[bytes]:
    return [
        _document("BGPPeer", name, {"peerIP": "10.0.0.2", "asNumber": 64512}),
        _document("BGPPeer", name, {"peerIP": "192.0.2.1:180", "asNumber": 3, "filters": ["f"]}),
        _document("BGPPeer", name, {"nodeSelector": "has(rr)", "peerSelector": "all()", "ttlSecurity": 1}),
        _document("BGPPeer", name, {"node": "a", "peerSelector": "!has(rr)", "keepOriginalNextHop": True}),
        _document("BGPPeer", name, {"peerIP": "fd00::62", "asNumber": 2, "password": {}}),
        b"{}",
    ]


# Few keys with few values each, so that events collide.
VALUES: dict[str, list[bytes]] = {
    **{f"{R}nodes/{name}": _nodes(name) for name in "abc"},
    **{f"{R}bgppeers/{name}": _peers(name) for name in "pq"},
    f"{R}bgpconfigurations/default": [
        _document("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": False}),
        _document("BGPConfiguration", "default", {"asNumber": 2, "listenPort": 180}),
    ],
    f"{R}bgpfilters/f": [
        _document("BGPFilter", "f", {"importV4": [{"action": "Reject"}]}),
        _document("BGPFilter", "f", {"importV4": [{"action": "Accept", "priority": 1}]}),
    ],
    f"{R}ippools/x": [
        _document("IPPool", "x", {"cidr": "10.65.0.0/16"}),
        _document("IPPool", "x", {"cidr": "10.65.0.0/16", "vxlanMode": "Always", "disableBGPExport": True}),
    ],
    f"{R}ippools/y": [_document("IPPool", "y", {"cidr": "10.65.0.0/16", "ipipMode": "CrossSubnet"})],
    **{
        f"/calico/ipam/v2/host/a/ipv4/block/10.65.{n}.0-26": [
            b'{"state":"confirmed"}',
            b'{"state":"pending"}',
        ]
        for n in (1, 2)
    },
}

Event = KeyPut | KeyDeleted
keys_and_values = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(st.just(key), st.one_of(st.none(), st.sampled_from(VALUES[key])))
)
writes = st.lists(keys_and_values, max_size=20)


def events(written: Sequence[tuple[str, bytes | None]]) -> list[Event]:
    """The events a store would send: one revision per write."""
    return [
        KeyDeleted(key, revision) if value is None else KeyPut(StoredValue(key, value, revision))
        for revision, (key, value) in enumerate(written, start=1)
    ]


def view(state: ClusterState) -> object:
    """Everything a reader can see, the order of arrival excepted."""
    tables = (state.nodes, state.bgp_peers, state.bgp_configurations, state.bgp_filters, state.ip_pools)
    return (
        [dict(table) for table in tables],
        dict(state.affinities),
        dict(state.invalid),
        dict(state.ignored),
    )


def fold(happened: Sequence[Event]) -> ClusterState:
    state = ClusterState("a")
    for event in happened:
        state.feed(event)
    return state


@given(writes, st.data(), st.integers(0, 5))
def test_order_and_repetition_do_not_matter(
    written: list[tuple[str, bytes | None]], data: st.DataObject, repeated: int
) -> None:
    happened = events(written)
    expected = fold(happened)
    late = data.draw(st.permutations([*happened, *happened[:repeated]]))
    found = fold(late)
    assert view(found) == view(expected)
    for node in "abc":
        assert derive(found, node) == derive(expected, node)


@given(writes, st.integers(0, 20))
def test_a_snapshot_at_any_point_is_the_events_before_it(
    written: list[tuple[str, bytes | None]], point: int
) -> None:
    happened = events(written)
    current: dict[str, StoredValue] = {}
    for event in happened[:point]:
        match event:
            case KeyPut(stored):
                current[stored.key] = stored
            case KeyDeleted(key):
                current.pop(key, None)
    by_snapshot = ClusterState("a")
    for prefix in watched_prefixes("a"):
        listed = tuple(stored for key, stored in sorted(current.items()) if key.startswith(prefix))
        by_snapshot.feed(SnapshotReceived(prefix, min(point, len(written)), listed))
    # What the snapshot holds may be delivered again.
    for event in happened[max(0, point - 3) :]:
        by_snapshot.feed(event)
    by_events = fold(happened)
    assert by_snapshot.in_sync()
    assert view(by_snapshot) == view(by_events)
    assert derive(by_snapshot, "a") == derive(by_events, "a")


@given(writes, st.booleans())
def test_feed_tells_every_change_of_the_intent(
    written: list[tuple[str, bytes | None]], annotated: bool
) -> None:
    node = "b" if annotated else "a"
    state = ClusterState("a")
    before = derive(state, node)
    for event in events(written):
        told = state.feed(event)
        after = derive(state, node)
        assert told or after == before
        before = after


@given(writes)
def test_two_nodes_agree_on_their_session(written: list[tuple[str, bytes | None]]) -> None:
    """Of two nodes that peer with each other at least one dials."""
    state = fold(events(written))
    intents = {node: derive(state, node) for node in state.nodes}
    own: dict[bytes, str] = {}
    for node, intent in intents.items():
        for address in _addresses(state, node):
            # Two nodes with one address cannot agree on anything.
            own[address] = "" if address in own else node
        assert list(intent.peers) == sorted(intent.peers)
    for node, intent in intents.items():
        for peer, config in intent.peers.items():
            other = intents.get(own.get(peer.address, ""))
            if other is None:
                continue
            back = [
                answer
                for answer in other.peers.values()
                if answer.peer.address in _addresses(state, node) and answer.families == config.families
            ]
            if len(back) == 1:
                assert not (config.passive and back[0].passive)


def _addresses(state: ClusterState, node: str) -> list[bytes]:
    bgp = state.nodes[node].spec.bgp
    if bgp is None:
        return []
    return [found.address for found in (bgp.ipv4_address, bgp.ipv6_address) if found is not None]


@given(writes)
def test_an_intent_is_whole(written: list[tuple[str, bytes | None]]) -> None:
    """Each peer has an origin, its own key and a name of its own; no node peers with itself."""
    state = fold(events(written))
    for node in "abc":
        intent: Intent = derive(state, node)
        assert intent.peers.keys() == intent.origins.keys()
        assert all(config.peer == peer for peer, config in intent.peers.items())
        assert len({config.name for config in intent.peers.values()}) == len(intent.peers)
        if node in state.nodes:
            assert not {peer.address for peer in intent.peers} & set(_addresses(state, node))


any_bytes = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["kind", "apiVersion", "metadata", "spec", "name", "bgp", "asNumber", "cidr", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
)


@given(st.sampled_from([*sorted(VALUES), "/other"]), any_bytes)
def test_any_bytes_are_a_value_or_errors(key: str, value: bytes) -> None:
    decoded = decode(key, value)
    errors = decoded if isinstance(decoded, list) else decoded.ignored
    assert errors or not isinstance(decoded, list)
    for error in errors:
        assert str(error).isprintable()


@given(st.sampled_from(sorted(VALUES)), st.data())
def test_any_broken_value_is_a_value_or_errors(key: str, data: st.DataObject) -> None:
    """A good value with one part replaced."""
    value = data.draw(st.sampled_from(VALUES[key]))
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(len(value), start + 6)))
    broken = value[:start] + data.draw(st.binary(max_size=4)) + value[end:]
    decoded = decode(key, broken)
    assert not isinstance(decoded, list) or all(str(error).isprintable() for error in decoded)


@given(st.text(alphabet="ab:-[]{}*&#'\"|>!% \n\t,?\\0", max_size=40))
def test_any_text_is_documents(text: str) -> None:
    for document in load_yaml_documents(text):
        assert (document.resource is None) == bool(document.errors)


@given(st.text(alphabet="ab!&|=(){}'\", inotcshd", max_size=30))
def test_any_text_is_a_selector_or_an_error(text: str) -> None:
    try:
        selector = parse(text)
    except SelectorError:
        return
    assert selector.matches({}) in (True, False)
