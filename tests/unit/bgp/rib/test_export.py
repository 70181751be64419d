"""What a path becomes on its way out: one table per rule of RFC 4271 §5, §9.2, RFC 1997 and RFC 4456."""

import pytest

from felixbgp.bgp.config import NextHopMode
from felixbgp.bgp.policy.types import Policy, RouteSource
from felixbgp.bgp.rib.decision import best_path
from felixbgp.bgp.rib.export import (
    LAST_RESORT_PREPENDED,
    AsPathEdits,
    Export,
    ExportView,
    export,
    is_private,
    told_attributes,
)
from felixbgp.bgp.rib.path import Path, as_path_length
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.communities import (
    GRACEFUL_SHUTDOWN,
    LLGR_STALE,
    NO_ADVERTISE,
    NO_EXPORT,
    NO_EXPORT_SUBCONFED,
)
from felixbgp.bgp.wire.messages import PathAttributes, Segment, UnknownAttribute
from felixbgp.bgp.wire.update import encode_set
from felixbgp.net import IPV4, IPV6, Address
from tests.support.paths import OUR_AS, as_set, own_path, path, path_peer, sequence

US = Address.parse("10.0.0.100")
THEM = Address.parse("10.9.9.9")
EXTERNAL = path_peer("10.0.0.1", asn=65001)
INTERNAL = path_peer("10.0.0.2")
CLIENT = path_peer("10.0.0.3", client=True)

TO_EXTERNAL = ExportView(
    family=IPV4,
    external=True,
    client=False,
    local_as=OUR_AS,
    local_address=US,
    next_hop=NextHopMode.AUTO,
    cluster_id=b"clus",
    policy=Policy(),
)
TO_INTERNAL = TO_EXTERNAL._replace(external=False)
TO_CLIENT = TO_INTERNAL._replace(client=True)


def exported(view: ExportView, one: Path) -> PathAttributes:
    result = told_attributes(view, one)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("view", "one", "goes"),
    [
        pytest.param(TO_EXTERNAL, path(EXTERNAL), True, id="eBGP to eBGP"),
        pytest.param(TO_EXTERNAL, path(INTERNAL), True, id="iBGP to eBGP"),
        pytest.param(TO_INTERNAL, path(EXTERNAL), True, id="eBGP to iBGP"),
        pytest.param(TO_INTERNAL, own_path(), True, id="own to iBGP"),
        pytest.param(TO_INTERNAL, path(INTERNAL), False, id="iBGP to iBGP: not"),
        pytest.param(TO_CLIENT, path(INTERNAL), True, id="non-client to client"),
        pytest.param(TO_INTERNAL, path(CLIENT), True, id="client to non-client"),
        pytest.param(TO_CLIENT, path(CLIENT), True, id="client to client"),
        pytest.param(TO_EXTERNAL, path(EXTERNAL, communities=(NO_EXPORT,)), False, id="NO_EXPORT to eBGP"),
        pytest.param(TO_INTERNAL, path(EXTERNAL, communities=(NO_EXPORT,)), True, id="NO_EXPORT to iBGP"),
        pytest.param(TO_INTERNAL, path(EXTERNAL, communities=(NO_ADVERTISE,)), False, id="NO_ADVERTISE"),
        pytest.param(
            TO_EXTERNAL, path(EXTERNAL, communities=(NO_EXPORT_SUBCONFED,)), False, id="NO_EXPORT_SUBCONFED"
        ),
        pytest.param(TO_EXTERNAL, path(EXTERNAL, communities=(1,)), True, id="any other community"),
    ],
)
def test_who_is_told(view: ExportView, one: Path, goes: bool) -> None:
    assert (export(view, one) is not None) is goes


@pytest.mark.parametrize(
    ("view", "one", "next_hop"),
    [
        pytest.param(TO_EXTERNAL, path(EXTERNAL), US, id="eBGP: ourselves"),
        pytest.param(TO_EXTERNAL, own_path(next_hop="10.9.9.9"), US, id="eBGP, own: ourselves"),
        pytest.param(TO_EXTERNAL._replace(next_hop=NextHopMode.KEEP), path(EXTERNAL), THEM, id="eBGP, keep"),
        pytest.param(
            TO_EXTERNAL._replace(next_hop=NextHopMode.KEEP), own_path(), US, id="eBGP, keep, own: ourselves"
        ),
        pytest.param(TO_INTERNAL, path(EXTERNAL), THEM, id="iBGP: as learned"),
        pytest.param(TO_CLIENT, path(INTERNAL), THEM, id="reflected: as learned"),
        pytest.param(TO_INTERNAL._replace(next_hop=NextHopMode.SELF), path(EXTERNAL), US, id="iBGP, self"),
        pytest.param(TO_CLIENT._replace(next_hop=NextHopMode.SELF), path(INTERNAL), US, id="reflected, self"),
        pytest.param(TO_INTERNAL, own_path(), US, id="iBGP, own: ourselves"),
        pytest.param(TO_INTERNAL, own_path(next_hop="10.9.9.9"), THEM, id="iBGP, own: its gateway"),
        pytest.param(
            TO_INTERNAL._replace(next_hop=NextHopMode.SELF),
            own_path(next_hop="10.9.9.9"),
            US,
            id="iBGP, own, self: ourselves",
        ),
        pytest.param(
            TO_INTERNAL,
            own_path(next_hop="169.254.1.1"),
            US,
            id="iBGP, own: a link-local gateway is ours alone",
        ),
        pytest.param(
            TO_INTERNAL, own_path(next_hop="fd00::1"), US, id="iBGP, own: a gateway of another family"
        ),
    ],
)
def test_next_hop(view: ExportView, one: Path, next_hop: Address) -> None:
    result = export(view, one)
    assert result is not None
    assert exported(view, one).next_hop == next_hop
    assert result.via_us is (next_hop == US)


def test_a_route_that_we_cannot_offer_a_next_hop_for_stays_here() -> None:
    assert export(TO_INTERNAL._replace(family=IPV6), own_path()) is None


def test_towards_external_peers_our_preferences_are_private() -> None:
    one = path(
        INTERNAL,
        as_path=sequence(65009),
        med=5,
        local_pref=300,
        originator_id=b"orig",
        cluster_list=(b"abcd",),
        communities=(1,),
        atomic_aggregate=True,
    )
    assert exported(TO_EXTERNAL, one) == PathAttributes(
        as_path=sequence(OUR_AS, 65009), next_hop=US, communities=(1,), atomic_aggregate=True
    )


@pytest.mark.parametrize(("local_pref", "told"), [(None, 100), (0, 0), (300, 300)])
def test_towards_internal_peers_the_preference_is_always_there(local_pref: int | None, told: int) -> None:
    one = path(EXTERNAL, as_path=sequence(65001), med=5, local_pref=local_pref)
    assert exported(TO_INTERNAL, one) == PathAttributes(
        as_path=sequence(65001), next_hop=THEM, med=5, local_pref=told
    )


def test_what_comes_over_a_session_about_to_end_is_told_as_a_last_resort() -> None:
    leaving = INTERNAL.as_leaving(draining=True, counted=False)
    to_router = exported(TO_EXTERNAL, path(leaving, communities=(7,)))
    assert to_router.communities == (7, GRACEFUL_SHUTDOWN)
    # Whoever does not heed the community goes by the length of the path.
    as_usual = exported(TO_EXTERNAL, path(INTERNAL))
    assert as_path_length(to_router.as_path) == as_path_length(as_usual.as_path) + LAST_RESORT_PREPENDED
    to_client = exported(TO_CLIENT, path(leaving, local_pref=200))
    assert (to_client.communities, to_client.local_pref) == ((GRACEFUL_SHUTDOWN,), 0)


def test_so_it_is_told_before_it_is_the_last_resort_here() -> None:
    leading = INTERNAL.as_leaving(draining=False, counted=False, leaving=True)
    assert GRACEFUL_SHUTDOWN in exported(TO_EXTERNAL, path(leading)).communities
    other = path(EXTERNAL, as_path=sequence(65001, 65002, 65003))
    assert best_path([path(leading), other]).path.peer is leading
    draining = leading.as_leaving(draining=True, counted=False)
    assert best_path([path(draining), other]).path is other


@pytest.mark.parametrize(
    ("known", "originator", "clusters"),
    [
        pytest.param({}, bytes(INTERNAL.peer.address), (b"clus",), id="first reflection"),
        pytest.param(
            {"originator_id": b"orig", "cluster_list": (b"abcd",)},
            b"orig",
            (b"clus", b"abcd"),
            id="second reflection",
        ),
    ],
)
def test_reflection_marks(known: dict[str, object], originator: bytes, clusters: tuple[bytes, ...]) -> None:
    attributes = exported(TO_CLIENT, path(INTERNAL, **known))
    assert (attributes.originator_id, attributes.cluster_list) == (originator, clusters)


def test_a_route_of_an_external_peer_is_not_marked() -> None:
    attributes = exported(TO_CLIENT, path(EXTERNAL))
    assert (attributes.originator_id, attributes.cluster_list) == (None, ())


def test_the_source_of_an_export_is_the_peer_or_ourselves() -> None:
    learned, own = export(TO_EXTERNAL, path(EXTERNAL)), export(TO_EXTERNAL, own_path(RouteSource.KERNEL))
    assert learned is not None
    assert own is not None
    assert (learned.source, own.source) == (EXTERNAL.peer, None)


def test_exports_are_the_same_if_source_and_attributes_are() -> None:
    one = Export(EXTERNAL.peer, encode_set(IPV4, PathAttributes()), via_us=True)
    assert one.same(Export(EXTERNAL.peer, encode_set(IPV4, PathAttributes()), via_us=True))
    assert not one.same(Export(None, encode_set(IPV4, PathAttributes()), via_us=True))
    assert not one.same(Export(EXTERNAL.peer, encode_set(IPV4, PathAttributes(med=1)), via_us=True))
    assert not one.same(None)


THEIR_AS = 65001


@pytest.mark.parametrize(
    ("edits", "before", "after"),
    [
        pytest.param(AsPathEdits(), sequence(1, 2), sequence(OUR_AS, 1, 2), id="no edit"),
        pytest.param(
            AsPathEdits(overridden=THEIR_AS),
            (*sequence(1, THEIR_AS, 2), as_set(THEIR_AS, 3)),
            (*sequence(OUR_AS, 1, OUR_AS, 2), as_set(OUR_AS, 3)),
            id="override: our AS for the peer's, also in sets",
        ),
        pytest.param(
            AsPathEdits(without_private=True),
            (*sequence(64512, 1, 65534), as_set(4_200_000_000)),
            sequence(OUR_AS, 1),
            id="no private AS, and no empty segment",
        ),
        pytest.param(
            AsPathEdits(without_private=True),
            sequence(65001),
            sequence(OUR_AS),
            id="ours stays, though private",
        ),
        pytest.param(
            AsPathEdits(prepended=2), sequence(1), sequence(OUR_AS, OUR_AS, OUR_AS, 1), id="prepend"
        ),
        pytest.param(
            AsPathEdits(THEIR_AS, without_private=True, prepended=1),
            sequence(THEIR_AS, 1),
            sequence(OUR_AS, OUR_AS, 1),
            id="private ones go before they could be overridden",
        ),
    ],
)
def test_as_path_towards_external_peers(
    edits: AsPathEdits, before: tuple[Segment, ...], after: tuple[Segment, ...]
) -> None:
    one = path(EXTERNAL, as_path=before)
    assert exported(TO_EXTERNAL._replace(as_path_edits=edits), one).as_path == after
    assert exported(TO_INTERNAL._replace(as_path_edits=edits), one).as_path == before


@pytest.mark.parametrize(
    ("asn", "private"),
    [
        (64511, False),
        (64512, True),
        (65534, True),
        (65535, False),
        (4_199_999_999, False),
        (4_200_000_000, True),
        (4_294_967_294, True),
        (4_294_967_295, False),
    ],
)
def test_private_as_numbers(asn: int, private: bool) -> None:
    assert is_private(asn) is private


UPWARD = [Role.PROVIDER, Role.ROUTE_SERVER]
DOWNWARD = [Role.CUSTOMER, Role.ROUTE_SERVER_CLIENT]


@pytest.mark.parametrize("role", Role)
def test_a_route_for_customers_only_goes_nowhere_else(role: Role) -> None:
    """RFC 9234 §5, on sending."""
    one = path(EXTERNAL, only_to_customer=65009)
    told = told_attributes(TO_EXTERNAL._replace(peer_role=role), one)
    assert (told is not None) is (role in DOWNWARD)
    if told is not None:
        assert told.only_to_customer == 65009
    assert exported(TO_INTERNAL, one).only_to_customer == 65009


@pytest.mark.parametrize("role", Role)
def test_what_goes_down_or_across_is_marked(role: Role) -> None:
    mark = exported(TO_EXTERNAL._replace(peer_role=role), own_path()).only_to_customer
    assert mark == (None if role in UPWARD else OUR_AS)


def test_roles_mean_nothing_inside_an_as_or_where_nobody_has_one() -> None:
    assert exported(TO_INTERNAL, own_path()).only_to_customer is None
    assert exported(TO_EXTERNAL, own_path()).only_to_customer is None
    assert exported(TO_EXTERNAL, path(EXTERNAL, only_to_customer=1)).only_to_customer == 1


def test_a_route_kept_beyond_its_session_goes_only_to_those_who_know_what_that_is() -> None:
    stale = path(EXTERNAL, communities=(LLGR_STALE,))
    assert export(TO_INTERNAL._replace(long_lived=False), stale) is None
    assert exported(TO_INTERNAL._replace(long_lived=True), stale).communities == (LLGR_STALE,)


IPV6_GATEWAY = bytes(Address.parse("2001:db8::9"))


def test_ipv4_routes_have_ipv6_next_hops_for_those_who_take_them() -> None:
    """RFC 8950: over an IPv6 session, ourselves; a learned one as it is, where it can be told at all."""
    us = Address.parse("2001:db8::1")
    over_ipv6 = TO_INTERNAL._replace(local_address=us)
    assert export(over_ipv6, own_path()) is None
    extended = over_ipv6._replace(extended_next_hop=True)
    assert exported(extended, own_path()).next_hop == us
    learned = path(EXTERNAL, next_hop=IPV6_GATEWAY)
    assert exported(extended, learned).next_hop == IPV6_GATEWAY
    # Who takes none is told of ourselves.
    assert exported(TO_INTERNAL, learned).next_hop == US


COLOURS = (b"\x00\x02\xfd\xe8\x00\x00\x00\x01", b"\x40\x04\xfd\xe8\x00\x00\x00\x02")
"""A route target, and a link bandwidth, which is not transitive (RFC 4360 §2)."""
COLOURS_V6 = tuple(bytes((kind, 2)) + bytes(18) for kind in (0x00, 0x40))
OTHER = UnknownAttribute(0xE0, 99, b"\x40" + bytes(19))


def coloured(*v6: bytes) -> Path:
    colours = (UnknownAttribute(0xC0, 25, b"".join(v6)),) if v6 else ()
    return path(EXTERNAL, extended_communities=COLOURS, unknown=(*colours, OTHER))


def test_extended_communities_that_are_not_transitive_stay_in_their_as() -> None:
    """RFC 4360 §6, and RFC 5701 §2 for those of IPv6."""
    one = coloured(*COLOURS_V6)
    inside, outside = exported(TO_INTERNAL, one), exported(TO_EXTERNAL, one)
    assert (inside.extended_communities, inside.unknown) == (COLOURS, one.attributes.unknown)
    assert outside.extended_communities == COLOURS[:1]
    assert outside.unknown == (UnknownAttribute(0xC0, 25, COLOURS_V6[0]), OTHER)
    assert exported(TO_EXTERNAL, coloured(COLOURS_V6[1])).unknown == (OTHER,)
    assert exported(TO_EXTERNAL, coloured()).unknown == (OTHER,)
