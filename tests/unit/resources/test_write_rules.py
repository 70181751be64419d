"""The rules between objects, asked when one is written."""

import pytest

from felixbgp.net import Prefix
from felixbgp.resources import AffinityState, AnyResource, BlockAffinity
from felixbgp.resources.write_rules import broken_rules_of_itself, broken_write_rules
from tests.support.documents import accepted


def pool(cidr: str, name: str = "x", **spec: object) -> AnyResource:
    return accepted("IPPool", {"cidr": cidr} | spec, name)


def block(cidr: str, host: str = "n") -> BlockAffinity:
    return BlockAffinity(host, Prefix.parse(cidr), AffinityState.CONFIRMED)


def told(
    resource: AnyResource, stored: AnyResource | None = None, *others: AnyResource | BlockAffinity
) -> list[str]:
    return [str(error) for error in broken_write_rules(resource, stored, others)]


@pytest.mark.parametrize("other", ["10.0.0.0/16", "10.0.0.0/8", "10.0.1.0/24"])
def test_a_new_pool_overlaps_no_other(other: str) -> None:
    sentence = f'spec.cidr: "10.0.0.0/16" overlaps with IPPool(y), {other}'
    assert told(pool("10.0.0.0/16"), None, pool(other, "y")) == [sentence]


def test_every_overlap_is_told_in_order() -> None:
    others = [pool("10.0.2.0/24", "z"), pool("10.1.0.0/16", "b"), pool("10.0.1.0/24", "a")]
    assert told(pool("10.0.0.0/16"), None, *others) == [
        'spec.cidr: "10.0.0.0/16" overlaps with IPPool(a), 10.0.1.0/24',
        'spec.cidr: "10.0.0.0/16" overlaps with IPPool(z), 10.0.2.0/24',
    ]


def test_pools_side_by_side_of_another_family_and_the_pool_itself_are_no_overlap() -> None:
    others = [pool("10.1.0.0/16", "y"), pool("fd00::/64", "z"), pool("10.0.0.0/16")]
    assert told(pool("10.0.0.0/16"), None, *others) == []


def test_a_pool_that_is_changed_is_not_asked_about_overlaps() -> None:
    """What overlaps was there before, and disabling one of the two is how to mend it."""
    before, after = pool("10.0.0.0/16"), pool("10.0.0.0/16", disabled=True)
    assert told(after, before, pool("10.0.0.0/8", "y")) == []


def test_a_new_pool_has_the_size_of_the_blocks_that_are_there() -> None:
    blocks = [
        block("10.0.9.0/28", "b"),
        block("10.0.8.0/28", "a"),
        block("10.0.1.0/26"),
        block("11.0.0.0/28"),
    ]
    assert told(pool("10.0.0.0/16"), None, *blocks) == [
        'spec.blockSize: 26 is not the size of the block 10.0.8.0/28, which "a" has in this range'
    ]
    assert told(pool("10.0.0.0/16"), None, block("10.0.1.0/26")) == []


def test_what_of_a_pool_cannot_be_changed() -> None:
    before = pool("10.0.0.0/16", allowedUses=["LoadBalancer"])
    assert told(pool("10.1.0.0/16", blockSize=28), before) == [
        'spec.cidr: "10.1.0.0/16" cannot be changed; it is 10.0.0.0/16',
        "spec.blockSize: 28 cannot be changed; it is 26",
        "spec.allowedUses: cannot be changed from LoadBalancer to another use",
    ]


def test_what_only_looks_like_a_change() -> None:
    assert told(pool("fd00:0::/64", blockSize=122), pool("fd00::/64")) == []
    assert told(pool("10.0.0.0/16", ipipMode="Always", allowedUses=["Tunnel"]), pool("10.0.0.0/16")) == []


def test_pools_of_load_balancers() -> None:
    wrong = pool(
        "10.0.0.0/16",
        allowedUses=["LoadBalancer", "Tunnel"],
        ipipMode="Always",
        disableBGPExport=True,
        nodeSelector="has(x)",
    )
    assert told(wrong) == [
        "spec.allowedUses: cannot have LoadBalancer together with another use",
        'spec.ipipMode: "Always" cannot be set for a pool of load balancers',
        "spec.disableBGPExport: true cannot be set for a pool of load balancers",
        'spec.nodeSelector: "has(x)" is not all(), as load balancers need',
    ]
    vxlan = pool("10.0.0.0/16", allowedUses=["LoadBalancer"], vxlanMode="Always")
    assert told(vxlan) == ['spec.vxlanMode: "Always" cannot be set for a pool of load balancers']
    assert told(pool("10.0.0.0/16", allowedUses=["LoadBalancer"])) == []


def test_the_filters_of_a_peer_exist() -> None:
    peer = accepted("BGPPeer", {"filters": ["b", "a", "c", "b"]})
    known = accepted("BGPFilter", {}, "a")
    assert told(peer, None, known) == ["spec.filters: BGPFilter(s) not found: b, c"]
    assert told(peer, peer, known, accepted("BGPFilter", {}, "b"), accepted("BGPFilter", {}, "c")) == []
    assert told(accepted("BGPPeer", {})) == []


@pytest.mark.parametrize(
    ("kind", "field", "more"),
    [
        ("BGPPeer", "password", {"peerIP": "192.0.2.1", "asNumber": 1}),
        ("BGPConfiguration", "nodeMeshPassword", {}),
    ],
)
def test_a_password_is_in_a_secret_that_there_can_be(kind: str, field: str, more: dict[str, object]) -> None:
    """And one that is stored already counts as it did: `accepted` reads it as an agent does."""
    wrong = accepted(kind, {field: {"secretKeyRef": {"name": "../x", "key": "a/b"}}, **more}, "default")
    sentences = [
        f'spec.{field}.secretKeyRef.name: "../x" is no name of a secret',
        f'spec.{field}.secretKeyRef.key: "a/b" is no key of a secret',
    ]
    assert told(wrong) == sentences
    assert told(wrong, wrong) == sentences
    assert [str(error) for error in broken_rules_of_itself(wrong)] == sentences
    assert told(accepted(kind, {field: {"secretKeyRef": {"name": "x", "key": "b"}}, **more}, "default")) == []
    assert told(accepted(kind, {field: {}, **more}, "default")) == []


def test_other_kinds_have_no_such_rules() -> None:
    assert told(accepted("Node", {}), None, accepted("Node", {})) == []
    assert list(broken_rules_of_itself(accepted("Node", {}))) == []
