"""Two nodes agree on their session: what one says of the other is what the other says of itself."""

import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.config import PeerConfig
from felixbgp.cluster.inputs import KeyPut, StoredValue
from felixbgp.cluster.state import ClusterState
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Intent
from felixbgp.net import IPV4, IPV6, Address, Family
from felixbgp.resources.keys import ResourceKey

NODES = ("a", "b", "c")
ADDRESSES = {
    # The order of the texts is not that of the numbers.
    "a": ("10.0.0.9", "fd00::9"),
    "b": ("10.0.0.10", "fd00::10"),
    "c": ("10.0.0.11", "fd00::a"),
}
SELECTORS = ("all()", "rack == '1'", "rack == '2'", "has(rr)", "!has(rr)")


class Machine(NamedTuple):
    """A node as it is drawn."""

    labels: dict[str, str]
    as_number: int | None
    cluster_id: str | None
    families: tuple[Family, ...]
    port: int | None


class End(NamedTuple):
    """A session and the node that derives it."""

    intent: Intent
    config: PeerConfig

    @property
    def resource(self) -> str:
        return self.intent.origins[self.config.peer].resource

    @property
    def scope(self) -> str:
        return self.intent.origins[self.config.peer].scope


machines = st.fixed_dictionaries(
    {
        name: st.builds(
            Machine,
            st.sampled_from(({"rack": "1"}, {"rack": "2"}, {"rack": "1", "rr": "x"})),
            st.sampled_from((None, 2)),
            st.sampled_from((None, None, "1.1.1.1", "2.2.2.2")),
            st.sampled_from(((IPV4,), (IPV6,), (IPV4, IPV6))),
            st.sampled_from((None, 179, 500)),
        )
        for name in NODES
    }
)
scopes = st.sampled_from(({}, {"node": "a"}, *({"nodeSelector": selector} for selector in SELECTORS)))
manners = st.sampled_from(
    (
        {},
        {"nextHopMode": "Self"},
        {"keepOriginalNextHop": True},
        {"ttlSecurity": 1, "maxRestartTime": "5s"},
        {"numAllowedLocalASNumbers": 1, "keepaliveTime": "9s"},
    )
)
by_selector = st.builds(
    lambda scope, manner, selector: {**scope, **manner, "peerSelector": selector},
    scopes,
    manners,
    st.sampled_from(SELECTORS),
)
by_name = st.builds(
    lambda scope, manner, name: {**scope, **manner, "of": name}, scopes, manners, st.sampled_from(NODES)
)
defaults = st.sampled_from(
    ({}, {"nodeToNodeMeshEnabled": False}, {"asNumber": 64567, "listenPort": 150}, {"listenPort": 179})
)


def resources(
    cluster: dict[str, Machine], peers: Sequence[dict[str, object]], default: dict[str, object]
) -> Iterator[tuple[str, str, dict[str, object], dict[str, str]]]:
    """Kind, name, spec, labels."""
    yield "BGPConfiguration", "default", default, {}
    for name, machine in cluster.items():
        bgp: dict[str, object] = {
            "asNumber": machine.as_number,
            "routeReflectorClusterID": machine.cluster_id,
        }
        if IPV4 in machine.families:
            bgp["ipv4Address"] = ADDRESSES[name][0]
        if IPV6 in machine.families:
            bgp["ipv6Address"] = ADDRESSES[name][1]
        yield "Node", name, {"bgp": bgp}, machine.labels
        if machine.port is not None:
            yield "BGPConfiguration", f"node.{name}", {"listenPort": machine.port}, {}
    for number, spec in enumerate(peers):
        named = spec.get("of")
        if named is None:
            yield "BGPPeer", f"p{number}", spec, {}
            continue
        written = {field: value for field, value in spec.items() if field != "of"}
        machine = cluster[str(named)]
        written["asNumber"] = machine.as_number or default.get("asNumber", 64512)
        written["peerIP"] = ADDRESSES[str(named)][0 if IPV4 in machine.families else 1]
        yield "BGPPeer", f"p{number}", written, {}


def derived(
    cluster: dict[str, Machine], peers: Sequence[dict[str, object]], default: dict[str, object]
) -> dict[str, Intent]:
    state = ClusterState()
    for revision, (kind, name, spec, labels) in enumerate(resources(cluster, peers, default), start=1):
        document = {
            "kind": kind,
            "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
        }
        state.feed(KeyPut(StoredValue(str(ResourceKey(kind, name)), json.dumps(document).encode(), revision)))
    assert not state.invalid
    return {name: derive(state, name, router_id=Address.parse("1.1.1.1")) for name in NODES}


def sessions(intents: dict[str, Intent], name: str, other: str, family: Family) -> list[End]:
    """What node `name` derives to node `other`."""
    address = Address.parse(ADDRESSES[other][family == IPV6])
    intent = intents[name]
    return [End(intent, config) for peer, config in intent.peers.items() if peer.address == address]


def ends(intents: dict[str, Intent]) -> Iterator[tuple[End, End]]:
    """Every session between two nodes, once from each side; there is one at most per pair and family."""
    for name, other in permutations(NODES, 2):
        for family in (IPV4, IPV6):
            here = sessions(intents, name, other, family)
            there = sessions(intents, other, name, family)
            assert len(here) == len(there) <= 1
            if here:
                yield here[0], there[0]


@given(machines, st.lists(by_selector | by_name, max_size=3), defaults)
def test_each_end_is_what_the_other_takes_it_for(
    cluster: dict[str, Machine], peers: list[dict[str, object]], default: dict[str, object]
) -> None:
    for here, there in ends(derived(cluster, peers, default)):
        assert here.config.remote_as == there.config.local_as
        assert here.config.peer.port == there.intent.listen_port
        assert there.config.transport.local_address == here.config.peer.address
        assert here.config.families == there.config.families
        if here.scope == "mesh":
            assert there.scope == "mesh"
            assert here.config.passive != there.config.passive
        assert not (here.config.passive and there.config.passive)


@given(machines, st.lists(by_selector, max_size=3), defaults)
def test_a_client_has_a_reflector_and_is_none_of_the_same_cluster(
    cluster: dict[str, Machine], peers: list[dict[str, object]], default: dict[str, object]
) -> None:
    for here, there in ends(derived(cluster, peers, default)):
        assert here.intent.speaker is not None
        assert there.intent.speaker is not None
        ours, theirs = here.intent.speaker.cluster_id, there.intent.speaker.cluster_id
        reflects = ours is not None and ours != theirs and not here.config.external
        assert here.config.route_reflector_client is reflects


@given(machines, by_selector, st.sampled_from((None, 64700)), st.sampled_from(("Auto", "Manual")))
def test_one_bgp_peer_gives_both_ends_the_same_manners(
    cluster: dict[str, Machine], peer: dict[str, object], local_as: int | None, reverse: str
) -> None:
    """Also with a localASNumber, which only those present that peer; and all who are to answer do answer."""
    spec = peer | {"localASNumber": local_as, "reversePeering": reverse}
    intents = derived(cluster, [spec], {"nodeToNodeMeshEnabled": False})
    for name, other in permutations(NODES, 2):
        for family in (IPV4, IPV6):
            here, there = sessions(intents, name, other, family), sessions(intents, other, name, family)
            if reverse == "Manual" and not (here and there):
                continue
            assert len(here) == len(there) <= 1
            for one, answer in zip(here, there, strict=True):
                assert one.resource == answer.resource
                assert one.config.remote_as == answer.config.local_as
                for shared in ("next_hop", "allowed_local_as", "graceful_restart", "keepalive_time_s"):
                    assert getattr(one.config, shared) == getattr(answer.config, shared)
                assert one.config.transport.ttl == answer.config.transport.ttl
                assert one.config.transport.min_ttl == answer.config.transport.min_ttl
