"""Which received paths may take part in the decision (RFC 4271 §9.1.2, RFC 4456 §8)."""

import pytest

from felixbgp.bgp.rib.acceptance import Acceptance, shared_acceptance, usable_next_hop
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.communities import BLACKHOLE, GRACEFUL_SHUTDOWN, NO_EXPORT
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import IPV4, IPV6, Address
from tests.support.paths import as_set, sequence

IDENTIFIER = b"\12\0\0\1"
CLUSTER = b"\12\0\0\7"


def acceptance(
    *, allowed_local_as: int = 0, external: bool = True, peer_role: Role | None = None
) -> Acceptance:
    return Acceptance(
        IPV4,
        local_as=frozenset((64512, 65000)),
        allowed_local_as=allowed_local_as,
        identifier=IDENTIFIER,
        cluster_id=CLUSTER,
        own_addresses=frozenset((b"\12\0\0\1",)),
        external=external,
        remote_as=65001,
        peer_role=peer_role,
    )


def refusal(allowed_local_as: int = 0, **attributes: object) -> str:
    known = {"next_hop": b"\12\0\0\2", **attributes}
    return acceptance(allowed_local_as=allowed_local_as).refusal(PathAttributes(**known))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        pytest.param({}, "", id="nothing against it"),
        pytest.param({"as_path": sequence(1, 64512, 2)}, "AS loop", id="our AS in a sequence"),
        pytest.param({"as_path": (*sequence(1), as_set(64512))}, "AS loop", id="our AS in a set"),
        pytest.param({"as_path": sequence(65000)}, "AS loop", id="our AS towards this peer"),
        pytest.param({"as_path": sequence(0x10000, 0xFC000001)}, "", id="its octets across two numbers"),
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


def test_a_peer_that_is_about_to_go_is_the_last_resort() -> None:
    """RFC 8326 §4.1: from an external peer, GRACEFUL_SHUTDOWN means LOCAL_PREF 0."""
    leaving = PathAttributes(next_hop=b"\12\0\0\2", communities=(1, GRACEFUL_SHUTDOWN))
    assert acceptance(external=True).amended(leaving) == leaving.replace(local_pref=0)
    assert acceptance(external=False).amended(leaving) is leaving
    staying = leaving.replace(communities=(1,))
    assert acceptance(external=True).amended(staying) is staying


def test_a_black_hole_of_another_as_goes_no_further_than_ours() -> None:
    """RFC 7999 §3.2; the route itself is used as any other (§3.3)."""
    received = PathAttributes(next_hop=b"\12\0\0\2", communities=(1, BLACKHOLE))
    found = acceptance(external=True)
    assert found.amended(received) == received.replace(communities=(1, BLACKHOLE, NO_EXPORT))
    assert found.refusal(received) == ""
    assert acceptance(external=False).amended(received) is received


@pytest.mark.parametrize(
    ("peer_role", "mark", "leak"),
    [
        (Role.CUSTOMER, None, False),
        (Role.CUSTOMER, 65001, True),
        (Role.ROUTE_SERVER_CLIENT, 65009, True),
        (Role.PEER, 65001, False),
        (Role.PEER, 65009, True),
        (Role.PROVIDER, 65009, False),
        (Role.ROUTE_SERVER, 65009, False),
        (None, 65009, False),
    ],
)
def test_route_leaks(peer_role: Role | None, mark: int | None, leak: bool) -> None:
    """RFC 9234 §5, on receipt."""
    received = PathAttributes(next_hop=b"\12\0\0\2", only_to_customer=mark)
    assert acceptance(peer_role=peer_role).refusal(received).startswith("route leak") is leak


@pytest.mark.parametrize("peer_role", [*Role, None])
def test_what_comes_from_above_or_beside_is_marked(peer_role: Role | None) -> None:
    received = PathAttributes(next_hop=b"\12\0\0\2")
    marked = peer_role in {Role.PROVIDER, Role.ROUTE_SERVER, Role.PEER}
    assert acceptance(peer_role=peer_role).amended(received).only_to_customer == (65001 if marked else None)
    known = received.replace(only_to_customer=65009)
    assert acceptance(peer_role=peer_role).amended(known) is known


def test_an_ipv4_route_may_have_an_ipv6_next_hop_where_that_was_agreed() -> None:
    gateway = Address.parse("2001:db8::9")
    assert usable_next_hop(gateway, IPV4, extended=True)
    assert not usable_next_hop(gateway, IPV4)
    assert not usable_next_hop(Address.parse("fe80::1"), IPV4, extended=True)
    assert not usable_next_hop(Address.parse("10.0.0.1"), IPV6, extended=True)


def test_peers_that_are_alike_share_their_rules() -> None:
    def rules(remote_as: int) -> Acceptance:
        return shared_acceptance(
            IPV4,
            local_as=frozenset((64512,)),
            allowed_local_as=0,
            identifier=IDENTIFIER,
            cluster_id=CLUSTER,
            own_addresses=frozenset((IDENTIFIER,)),
            remote_as=remote_as,
            peer_role=Role.PEER,
        )

    assert rules(65001) is rules(65001)
    leaking = PathAttributes(next_hop=b"\12\0\0\2", only_to_customer=65001)
    assert [rules(asn).refusal(leaking)[:10] for asn in (65001, 65002)] == ["", "route leak"]
