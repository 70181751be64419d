"""Adj-RIBs-In between two sessions, where the families of a peer differ."""

from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.retention import Retention
from felixbgp.bgp.rib.acceptance import Acceptance
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.session.backoff import SECOND_NS
from felixbgp.bgp.wire.messages import Negotiated, PathAttributes, PeerRestart
from felixbgp.net import IPV4, IPV6, Address, Family
from tests.support.paths import path_peer

NEXT_HOPS = {IPV4: b"\12\0\0\2", IPV6: bytes(Address.parse("fd00::2"))}
NLRI = {IPV4: b"\x08\x0a", IPV6: b"\x08\xfd"}


def a_rib(family: Family) -> AdjRibIn:
    """With one route in it."""
    acceptance = Acceptance(
        family,
        local_as=frozenset((64512,)),
        allowed_local_as=0,
        identifier=b"\12\0\0\1",
        cluster_id=b"\12\0\0\1",
        own_addresses=frozenset(),
    )
    rib = AdjRibIn(LocRib(family), path_peer(), acceptance, Policy(), due={})
    rib.announce(PathAttributes(next_hop=NEXT_HOPS[family]), (NLRI[family],))
    return rib


def given_up(ribs: dict[Family, AdjRibIn]) -> list[Family]:
    return [family for family, rib in ribs.items() if rib.expired_count]


def negotiated(long_lived: dict[Family, int]) -> Negotiated:
    restart = PeerRestart(
        restarting=False, notification=True, restart_time_s=120, families=((IPV4, True), (IPV6, True))
    )
    return Negotiated(
        families=(IPV4, IPV6),
        peer_as=64512,
        peer_identifier=Address.parse("10.0.0.2"),
        hold_time_ns=0,
        keepalive_ns=0,
        graceful_restart=restart,
        long_lived=tuple((family, True, seconds) for family, seconds in long_lived.items()),
    )


def test_each_family_is_kept_for_the_time_the_peer_asked_for_it() -> None:
    """RFC 9494 §3.1: the stale time is per family; one without any goes with the restart time."""
    ribs = {family: a_rib(family) for family in (IPV4, IPV6)}
    retention = Retention()
    retention.keep(ribs, negotiated({IPV6: 600}), 0, long_lived=True)
    assert given_up(ribs) == []
    assert retention.next_deadline() == 120 * SECOND_NS
    retention.expire(120 * SECOND_NS)
    assert given_up(ribs) == [IPV4]
    assert retention.ribs == [ribs[IPV6]]
    assert retention.next_deadline() == 720 * SECOND_NS
    retention.expire(720 * SECOND_NS)
    assert given_up(ribs) == [IPV4, IPV6]
    assert retention.next_deadline() is None


def test_a_family_whose_time_is_not_over_stays() -> None:
    ribs = {family: a_rib(family) for family in (IPV4, IPV6)}
    retention = Retention()
    retention.keep(ribs, negotiated({IPV4: 60, IPV6: 600}), 0, long_lived=True)
    retention.expire(120 * SECOND_NS)
    assert given_up(ribs) == []
    retention.expire(180 * SECOND_NS)
    assert given_up(ribs) == [IPV4]
    assert retention.ribs == [ribs[IPV6]]
