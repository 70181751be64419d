"""One scenario per standard, over IPv4 and over IPv6: only the form of an UPDATE differs between them."""

from dataclasses import dataclass, replace

import pytest

from felixbgp.bgp.config import GracefulRestart, PrefixLimit
from felixbgp.bgp.policy.types import Policy
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    Role,
    add_path,
    graceful_restart,
    long_lived,
    role,
)
from felixbgp.bgp.wire.codec import encode_route_refresh
from felixbgp.bgp.wire.communities import (
    BLACKHOLE,
    GRACEFUL_SHUTDOWN,
    LLGR_STALE,
    NO_ADVERTISE,
    NO_EXPORT,
    NO_EXPORT_SUBCONFED,
)
from felixbgp.bgp.wire.messages import (
    Capability,
    MessageType,
    NotificationMessage,
    PathAttributes,
    RouteRefreshMessage,
)
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.intent.drains import announcing
from felixbgp.net import IPV4, IPV6, Address, Family, Prefix
from tests.support.paths import OUR_AS, sequence
from tests.support.played import Played
from tests.support.speakers import Network, Node

RESTART = GracefulRestart(restart_time_s=120, forwarding_preserved=True, long_lived_stale_time_s=600)


@dataclass(frozen=True)
class World:
    """Addresses and prefixes of one family, and a node there."""

    family: Family
    address: str
    prefix: str
    node: Node

    def peer(self, number: int, asn: int | None = None, **parameters: object) -> Played:
        """A peer that is not in session yet."""
        return Played(self.node, self.address.format(number), asn=asn, **parameters)

    @property
    def block(self) -> str:
        return self.prefix.format(1)

    @property
    def nlri(self) -> bytes:
        return Prefix.parse(self.block).nlri


@pytest.fixture(params=[IPV4, IPV6], ids=["IPv4", "IPv6"])
def world(request: pytest.FixtureRequest) -> World:
    address, prefix = ("10.0.0.{}", "10.{}.0.0/24") if request.param == IPV4 else ("fd00::{}", "fd{:02}::/48")
    return World(request.param, address, prefix, Network().node(address.format(1), asn=OUR_AS))


def learned(world: World, *, to_external: bool, **attributes: object) -> PathAttributes | None:
    """What a peer hears of a route of an external one."""
    source = world.peer(2, 65002).establish()
    listener = world.peer(3, 65003 if to_external else None).establish()
    source.announce(world.block, **attributes)  # type: ignore[arg-type]
    return listener.routes().get(world.block)


def test_rfc4271_a_route_enters_and_leaves_an_as(world: World) -> None:
    inside = learned(world, to_external=False)
    assert inside is not None
    assert (Address(inside.next_hop), inside.as_path) == (
        Address.parse(world.address.format(2)),
        sequence(65002),
    )
    outside = world.peer(4, 65004).establish().routes()[world.block]
    assert (Address(outside.next_hop), outside.as_path) == (world.node.address, sequence(OUR_AS, 65002))


def test_rfc4760_end_of_rib_is_that_of_the_family(world: World) -> None:
    peer = world.peer(2).establish()
    assert [update.end_of_rib for update in peer.updates()] == [world.family]
    peer.end_of_rib()
    assert peer.snapshot.end_of_rib_received


def test_rfc4456_reflection_marks_and_is_not_taken_in_twice(world: World) -> None:
    client = world.peer(2, route_reflector_client=True).establish()
    other = world.peer(3).establish()
    client.announce(world.block)
    told = other.routes()[world.block]
    identifier = bytes(world.node.config.bgp_identifier)
    seen = client.snapshot.remote_identifier
    assert (told.originator_id, told.cluster_list) == (seen, (identifier,))
    other.announce(world.prefix.format(2), cluster_list=(identifier,))
    assert "CLUSTER_LIST" in refusal(other, world.prefix.format(2))
    other.announce(world.prefix.format(2), originator_id=identifier)
    assert "ORIGINATOR_ID" in refusal(other, world.prefix.format(2))


def refusal(peer: Played, prefix: str) -> str:
    exchange = peer.node.speaker._peerings.by_peer[peer.snapshot.peer].exchange
    assert exchange is not None
    return exchange.ribs[peer.family].refusal(Prefix.parse(prefix).nlri)


@pytest.mark.parametrize(
    ("community", "inside", "outside"),
    [
        (NO_EXPORT, True, False),
        (NO_EXPORT_SUBCONFED, True, False),
        (NO_ADVERTISE, False, False),
        (7, True, True),
    ],
    ids=["NO_EXPORT", "NO_EXPORT_SUBCONFED", "NO_ADVERTISE", "any other"],
)
@pytest.mark.parametrize("to_external", [True, False], ids=["eBGP", "iBGP"])
def test_rfc1997_well_known_communities(
    world: World, community: int, inside: bool, outside: bool, to_external: bool
) -> None:
    told = learned(world, to_external=to_external, communities=(community,))
    assert (told is not None) is (outside if to_external else inside)


def test_rfc4360_and_rfc8092_what_goes_out_of_our_as(world: World) -> None:
    colours = (b"\x00\x02" + bytes(6), b"\x40\x04" + bytes(6))
    large = ((65002, 1, 2),)
    told = learned(world, to_external=True, extended_communities=colours, large_communities=large)
    assert told is not None
    assert (told.extended_communities, told.large_communities) == (colours[:1], large)


def test_rfc7999_and_rfc8326_what_an_external_peer_asks_for(world: World) -> None:
    told = learned(world, to_external=False, communities=(GRACEFUL_SHUTDOWN, BLACKHOLE))
    assert told is not None
    assert (told.local_pref, told.communities) == (0, (GRACEFUL_SHUTDOWN, BLACKHOLE, NO_EXPORT))


def test_rfc8326_4_2_a_session_about_to_end_tells_all_again_as_a_last_resort(world: World) -> None:
    """What was told is told again, marked, over the session that there is."""
    source = world.peer(2, 65002).establish()
    external, internal = world.peer(3, 65003).establish(), world.peer(4).establish()
    source.announce(world.block)
    told = [peer.routes()[world.block] for peer in (external, internal)]
    assert [(one.communities, one.local_pref) for one in told] == [((), None), ((), 100)]
    for peer in (external, internal):
        config = replace(world.node.peers[peer.snapshot.peer], export_policy=announcing(Policy()))
        world.node.configure(*({**world.node.peers, config.peer: config}.values()))
    world.node.network.settle()
    told = [peer.routes()[world.block] for peer in (external, internal)]
    marked = (GRACEFUL_SHUTDOWN,)
    assert [(one.communities, one.local_pref) for one in told] == [(marked, None), (marked, 0)]
    assert [one.as_path for one in told] == [sequence(OUR_AS, 65002), sequence(65002)]
    assert {peer.snapshot.established_count for peer in (external, internal)} == {1}
    source.announce(world.prefix.format(2))
    assert internal.routes()[world.prefix.format(2)].communities == marked


@pytest.mark.parametrize("asn", [65003, None], ids=["eBGP", "iBGP"])
def test_rfc8326_4_1_what_is_about_to_go_is_used_where_there_is_nothing_else(
    world: World, asn: int | None
) -> None:
    """An external peer is taken at its community; in our AS LOCAL_PREF 0 has come with it."""
    leaving, other = world.peer(2, asn).establish(), world.peer(3, asn).establish()
    extra: dict[str, object] = {} if asn else {"local_pref": 0}
    leaving.announce(world.block)
    other.announce(world.block, as_path=sequence(*(65003,) * 5))
    assert world.node.routes()[world.block] == world.address.format(2)
    leaving.announce(world.block, communities=(GRACEFUL_SHUTDOWN,), **extra)  # type: ignore[arg-type]
    assert world.node.routes()[world.block] == world.address.format(3)
    other.withdraw(world.block)
    assert world.node.routes()[world.block] == world.address.format(2)


def test_rfc7606_a_malformed_attribute_takes_its_routes_along_and_nothing_else(world: World) -> None:
    peer = world.peer(2, 65002).establish()
    peer.announce(world.block, world.prefix.format(2))
    good = PathAttributes(next_hop=bytes(peer.address), as_path=sequence(65002))
    (message,) = encode_announcements(world.family, good, [world.nlri])
    peer.say(message.replace(b"\x40\x01\x01\x00", b"\x40\x01\x01\x03"))
    assert list(peer.adj_rib_in()) == [world.prefix.format(2)]
    assert dict(peer.snapshot.malformed_updates) == {"treat-as-withdraw": 1}
    peer.say(message.replace(world.nlri, b"\xff" + world.nlri[1:]))
    assert [one.code for one in peer.notifications()] == [3]
    assert dict(peer.snapshot.malformed_updates) == {"treat-as-withdraw": 1, "session reset": 1}


def test_rfc6793_an_old_speaker_hears_and_says_it_in_two_attributes(world: World) -> None:
    old = world.peer(2, 65002).establish(two_octets=True)
    new = world.peer(3, 4_200_000_001).establish()
    new.announce(world.block)
    (update,) = (one for one in old.updates() if one.announced)
    ((_, heard, _),) = update.announced
    assert heard.as_path == sequence(OUR_AS, 4_200_000_001)
    assert b"\x5b\xa0" in old.octets  # AS_TRANS
    old.announce(world.prefix.format(2), as_path=sequence(65002, 4_200_000_002))
    assert new.routes()[world.prefix.format(2)].as_path == sequence(OUR_AS, 65002, 4_200_000_002)


def test_rfc7911_two_paths_come_and_go(world: World) -> None:
    both = add_path([(world.family, True, True)])
    parameters = {"add_path_receive": True, "add_path_send": True}
    source, listener = (world.peer(number, 65000 + number, **parameters).establish(both) for number in (2, 3))
    for path_id in (7, 9):
        source.announce(world.block, path_id=path_id, med=path_id)
    assert len(listener.paths()) == 2
    source.withdraw(world.block, path_id=7)
    assert len(listener.paths()) == 1


def test_rfc8654_what_fits_only_an_extended_message_goes_to_those_who_take_it(world: World) -> None:
    source, takes = (world.peer(number, 65000 + number).establish(EXTENDED_MESSAGE) for number in (2, 3))
    takes_not = world.peer(4, 65004).establish()
    source.announce(world.block, large_communities=tuple((65002, 4, number) for number in range(500)))
    assert len(takes.routes()[world.block].large_communities) == 500
    assert takes_not.routes() == {}


def capabilities_of(world: World) -> tuple[Capability, ...]:
    """Graceful restart, also a long-lived one."""
    return (
        graceful_restart(120, [(world.family, True)], restarting=False, notification=True),
        long_lived([(world.family, True, 600)]),
    )


def test_rfc4724_a_lost_peer_is_waited_for_until_it_has_said_everything_again(world: World) -> None:
    peer = world.peer(2, 65002, graceful_restart=RESTART).establish(*capabilities_of(world))
    peer.announce(world.block, world.prefix.format(2))
    peer.hang_up()
    world.node.network.run_for(60)
    assert (peer.snapshot.prefixes_stale, len(world.node.routes())) == (2, 2)
    peer.establish(*capabilities_of(world))
    peer.announce(world.block)
    peer.end_of_rib()
    assert (peer.snapshot.prefixes_stale, list(world.node.routes())) == (0, [world.block])


def test_rfc9494_what_outlives_the_restart_time_is_marked(world: World) -> None:
    capabilities = capabilities_of(world)
    peer = world.peer(2, 65002, graceful_restart=RESTART, hold_time_s=0).establish(*capabilities)
    knows = world.peer(3, graceful_restart=RESTART, hold_time_s=0).establish(*capabilities)
    knows_not = world.peer(4, hold_time_s=0).establish()
    peer.announce(world.block)
    peer.hang_up()
    world.node.network.run_for(121)
    assert knows.routes()[world.block].communities == (LLGR_STALE,)
    assert knows_not.routes() == {}
    peer.establish(*capabilities)
    peer.end_of_rib()
    assert knows.routes() == {}


@pytest.mark.parametrize("enhanced", [True, False], ids=["RFC 7313", "RFC 2918"])
def test_rfc2918_and_rfc7313_a_refresh_brings_everything_again(world: World, enhanced: bool) -> None:
    world.node.originate(world.block)
    peer = world.peer(2).establish(*((ENHANCED_ROUTE_REFRESH,) if enhanced else ()))
    peer.forget()
    peer.say(encode_route_refresh(RouteRefreshMessage(world.family)))
    marks = [MessageType.ROUTE_REFRESH] * enhanced
    assert peer.kinds() == [*marks, MessageType.UPDATE, *marks]


def test_rfc9234_what_comes_from_a_provider_goes_to_customers_only(world: World) -> None:
    provider = world.peer(2, 65002, role=Role.CUSTOMER).establish(role(Role.PROVIDER))
    customer = world.peer(3, 65003, role=Role.PROVIDER).establish(role(Role.CUSTOMER))
    across = world.peer(4, 65004, role=Role.PEER).establish(role(Role.PEER))
    provider.announce(world.block)
    assert customer.routes()[world.block].only_to_customer == 65002
    assert across.routes() == {}
    customer.announce(world.prefix.format(2), only_to_customer=65003)
    assert "route leak" in refusal(customer, world.prefix.format(2))


def test_rfc4486_a_peer_beyond_its_limit_is_told_of_which_family(world: World) -> None:
    peer = world.peer(2, prefix_limit=PrefixLimit(maximum=1)).establish()
    peer.announce(world.block, world.prefix.format(2))
    data = world.family.afi.to_bytes(2, "big") + b"\1" + (1).to_bytes(4, "big")
    assert peer.notifications() == [NotificationMessage(6, 1, data)]


def test_rfc9003_a_shutdown_has_its_words(world: World) -> None:
    peer = world.peer(2).establish()
    config = world.node.peers[peer.snapshot.peer]
    world.node.configure(replace(config, shutdown="back at five"))
    world.node.network.settle()
    assert peer.notifications() == [NotificationMessage(6, 2, b"\x0cback at five")]


def test_rfc8212_without_policies_an_external_peer_brings_and_gets_nothing(world: World) -> None:
    world.node.originate(world.block)
    peer = world.peer(2, 65002, requires_policy=True).establish()
    peer.announce(world.prefix.format(2))
    assert peer.routes() == {}
    assert "RFC 8212" in refusal(peer, world.prefix.format(2))
