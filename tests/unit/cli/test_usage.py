"""Who uses a resource."""

import pytest

from felixbgp.cli.usage import Surroundings, Usage, _node_of_endpoint, watched
from felixbgp.net import Prefix
from felixbgp.resources import AffinityKey, BgpPeer, IpPool, ResourceKey, validate
from tests.support.documents import document


def peer(name: str, **spec: object) -> BgpPeer:
    found = validate(document("BGPPeer", {"peerIP": "192.0.2.1", "asNumber": 1, **spec}, name))
    assert isinstance(found, BgpPeer)
    return found


def pool(name: str, cidr: str) -> IpPool:
    found = validate(document("IPPool", {"cidr": cidr}, name))
    assert isinstance(found, IpPool)
    return found


POOLS = [pool("p", "10.65.0.0/16"), pool("q", "10.66.0.0/16")]
AROUND = Surroundings(
    revision=7,
    peers=[peer("a", filters=["f", "g"]), peer("b", filters=["f"], node="n"), peer("c", node="n-1")],
    configurations={"/calico/resources/v3/projectcalico.org/bgpconfigurations/node.n"},
    pools={each.key: each for each in POOLS},
    blocks=[AffinityKey("n", Prefix.parse("10.65.1.0/26"))],
    endpoints={"n": 3, "idle": 0},
    published={"n": ["/felixbgp/v1/nodes/n/alive"], "idle": ["/felixbgp/v1/nodes/idle/status"]},
)
A, B, F = ResourceKey("BGPPeer", "a"), ResourceKey("BGPPeer", "b"), ResourceKey("BGPFilter", "f")


@pytest.mark.parametrize(
    ("key", "users"),
    [
        (F, ("BGPPeer(a)", "BGPPeer(b)")),
        (ResourceKey("BGPFilter", "g"), ("BGPPeer(a)",)),
        (ResourceKey("BGPFilter", "h"), ()),
        (ResourceKey("IPPool", "p"), ("block 10.65.1.0/26 of n",)),
        (ResourceKey("IPPool", "q"), ()),
        (ResourceKey("IPPool", "unreadable"), ()),
        (
            ResourceKey("Node", "n"),
            ("BGPPeer(b) (spec.node)", "its running agent", "1 address block(s)", "3 workload endpoint(s)"),
        ),
        (ResourceKey("Node", "idle"), ()),
        (A, ()),
        (ResourceKey("BGPConfiguration", "default"), ()),
    ],
    ids=str,
)
def test_users_are_named(key: ResourceKey, users: tuple[str, ...]) -> None:
    assert AROUND.usage_of(key).users == users


def test_what_is_deleted_as_well_uses_nothing() -> None:
    assert AROUND.usage_of(F, {A}).users == ("BGPPeer(b)",)
    assert AROUND.usage_of(F, {A, B}).users == ()
    assert AROUND.usage_of(ResourceKey("Node", "n"), {B}).users[0] == "its running agent"


def test_of_many_users_the_first_are_named() -> None:
    crowded = AROUND._replace(peers=[peer(f"p{number}", filters=["f"]) for number in range(9)])
    assert crowded.usage_of(F).users == (*(f"BGPPeer(p{number})" for number in range(5)), "4 more")


def test_what_is_about_a_node_alone() -> None:
    usage = AROUND.usage_of(ResourceKey("Node", "n"))
    assert usage.belongings == (B, ResourceKey("BGPConfiguration", "node.n"))
    assert usage.published == ("/felixbgp/v1/nodes/n/alive",)
    assert usage.remains.startswith("1 address block(s), 3 workload endpoint(s), which are Calico's")
    idle = ResourceKey("Node", "idle")
    assert AROUND.usage_of(idle) == Usage(idle, published=("/felixbgp/v1/nodes/idle/status",))


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("n-k8s-web-eth0", "n"),
        ("node--1-k8s-web-eth0", "node-1"),
        ("node--1.rack--2-cni-x-eth0", "node-1.rack-2"),
        ("n", "n"),
        ("-k8s", ""),
    ],
)
def test_the_node_of_a_workload_endpoint_is_in_its_name(name: str, node: str) -> None:
    assert _node_of_endpoint(f"/calico/resources/v3/projectcalico.org/workloadendpoints/x/{name}") == node


def test_what_can_be_used_is_watched_while_it_is_deleted() -> None:
    assert watched(F) == ("/calico/resources/v3/projectcalico.org/bgppeers/",)
    assert watched(ResourceKey("IPPool", "p")) == ("/calico/ipam/v2/host/",)
    assert "/felixbgp/v1/nodes/n/alive" in watched(ResourceKey("Node", "n"))
    assert watched(A) == ()
