"""What must not be written although it is valid by itself."""

import pytest

from felixbgp.resources import AnyResource, validate
from felixbgp.resources.write_rules import write_errors


def made(kind: str, name: str, **spec: object) -> AnyResource:
    document = {"apiVersion": "projectcalico.org/v3", "kind": kind, "metadata": {"name": name}, "spec": spec}
    resource = validate(document)
    assert not isinstance(resource, list), resource
    return resource


def errors(resource: AnyResource, *others: AnyResource, stored: AnyResource | None = None) -> list[str]:
    return [str(error) for error in write_errors(resource, stored, {other.key: other for other in others})]


POOL = made("IPPool", "x", cidr="10.65.0.0/16", blockSize=26)


@pytest.mark.parametrize(
    ("cidr", "overlaps"),
    [
        ("10.65.0.0/16", True),
        ("10.65.128.0/17", True),
        ("10.0.0.0/8", True),
        ("10.64.0.0/16", False),
        ("fd00::/48", False),
    ],
)
def test_pools_do_not_overlap(cidr: str, overlaps: bool) -> None:
    pool = made("IPPool", "y", cidr=cidr)
    told = [f'spec.cidr: "{cidr}" overlaps with 10.65.0.0/16 of IPPool x'] if overlaps else []
    assert errors(pool, POOL, pool) == told


def test_a_pool_does_not_overlap_with_itself() -> None:
    assert errors(POOL, POOL, stored=POOL) == []


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"cidr": "10.66.0.0/16"}, 'spec.cidr: "10.66.0.0/16" cannot be changed; it is "10.65.0.0/16"'),
        ({"blockSize": 27}, "spec.blockSize: 27 cannot be changed; it is 26"),
        ({"natOutgoing": True}, ""),
    ],
)
def test_a_pools_range_and_block_size_stay(spec: dict[str, object], told: str) -> None:
    changed = made("IPPool", "x", **{"cidr": "10.65.0.0/16", **spec})
    assert errors(changed, stored=POOL) == ([told] if told else [])


def test_every_filter_must_exist() -> None:
    peer = made("BGPPeer", "p", peerIP="192.0.2.1", asNumber=1, filters=["a", "b", "c"])
    assert errors(peer, made("BGPFilter", "b")) == ["spec.filters: BGPFilter(s) not found: a, c"]
    assert errors(peer, *(made("BGPFilter", name) for name in "abc")) == []


def test_other_kinds_have_no_such_rules() -> None:
    assert errors(made("Node", "n"), POOL) == []
