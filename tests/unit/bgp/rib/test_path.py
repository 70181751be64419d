"""Which received paths may take part in the decision (RFC 4271 §9.1.2, RFC 4456 §8)."""

import pytest

from felixbgp.bgp.rib.path import Acceptance, as_path_length, usable_next_hop
from felixbgp.bgp.wire.messages import PathAttributes, Segment, SegmentType
from felixbgp.net import IPV4, IPV6, Address
from tests.support.paths import as_set, sequence

IDENTIFIER = b"\12\0\0\1"
CLUSTER = b"\12\0\0\7"


def refusal(allowed_local_as: int = 0, **attributes: object) -> str:
    acceptance = Acceptance(
        IPV4,
        local_as=frozenset((64512, 65000)),
        allowed_local_as=allowed_local_as,
        identifier=IDENTIFIER,
        cluster_id=CLUSTER,
        own_addresses=frozenset((b"\12\0\0\1",)),
    )
    known = {"next_hop": b"\12\0\0\2", **attributes}
    return acceptance.refusal(PathAttributes(**known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        pytest.param({}, "", id="nothing against it"),
        pytest.param({"as_path": sequence(1, 64512, 2)}, "AS loop", id="our AS in a sequence"),
        pytest.param({"as_path": (*sequence(1), as_set(64512))}, "AS loop", id="our AS in a set"),
        pytest.param({"as_path": sequence(65000)}, "AS loop", id="our AS towards this peer"),
        pytest.param({"as_path": sequence(64512), "allowed_local_as": 1}, "", id="once is allowed"),
        pytest.param(
            {"as_path": sequence(64512, 64512), "allowed_local_as": 1}, "AS loop", id="twice is not"
        ),
        pytest.param(
            {"originator_id": IDENTIFIER}, "reflection loop: ORIGINATOR_ID", id="we are the originator"
        ),
        pytest.param({"originator_id": CLUSTER}, "", id="another originator"),
        pytest.param({"cluster_list": (b"abcd", CLUSTER)}, "reflection loop: CLUSTER_LIST", id="our cluster"),
        pytest.param({"cluster_list": (b"abcd",)}, "", id="another cluster"),
        pytest.param({"next_hop": b"\12\0\0\1"}, "NEXT_HOP is ourselves", id="we are the next hop"),
        pytest.param({"next_hop": b"\0\0\0\0"}, "NEXT_HOP is not", id="the next hop is nobody"),
    ],
)
def test_eligibility(attributes: dict[str, int], reason: str) -> None:
    found = refusal(**attributes)
    assert found.startswith(reason)
    assert bool(found) is bool(reason)


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("10.0.0.1", True),
        ("169.254.1.1", True),
        ("223.255.255.254", True),
        ("0.0.0.0", False),
        ("127.0.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fd00::1", True),
        ("::2", True),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("ff02::1", False),
    ],
)
def test_next_hops(address: str, usable: bool) -> None:
    parsed = Address.parse(address)
    assert usable_next_hop(parsed, parsed.family) is usable


def test_a_next_hop_of_another_family_is_not_usable() -> None:
    assert not usable_next_hop(Address.parse("10.0.0.1"), IPV6)
    assert not usable_next_hop(b"", IPV4)


@pytest.mark.parametrize(
    ("as_path", "length"),
    [
        pytest.param((), 0, id="empty"),
        pytest.param(sequence(1, 2, 2), 3, id="a sequence counts every number"),
        pytest.param((*sequence(1), as_set(2, 3)), 2, id="a set counts once"),
        pytest.param(
            (
                Segment(SegmentType.AS_CONFED_SEQUENCE, (1, 2)),
                Segment(SegmentType.AS_CONFED_SET, (3,)),
                *sequence(4),
            ),
            1,
            id="confederations do not count",
        ),
    ],
)
def test_as_path_length(as_path: tuple[Segment, ...], length: int) -> None:
    assert as_path_length(as_path) == length
