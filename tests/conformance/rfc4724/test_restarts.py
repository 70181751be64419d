"""RFC 4724: graceful restart with a peer played by hand, which goes, comes back, and says what it likes."""

import pytest

from felixbgp.bgp.config import GracefulRestart
from felixbgp.bgp.speaker import Speaker
from felixbgp.bgp.wire.capabilities import CapabilityCode, graceful_restart
from felixbgp.bgp.wire.codec import encode_notification
from felixbgp.bgp.wire.messages import Capability, MessageType, NotificationMessage, UpdateMessage
from felixbgp.net import IPV4, IPV6, Family
from tests.support.paths import OUR_AS, sequence
from tests.support.played import KEEPALIVE, Played
from tests.support.speakers import Network, half

ONE, TWO, THREE = "10.1.0.0/26", "10.2.0.0/26", "10.3.0.0/26"
PLAIN = GracefulRestart(notification=False)
RESTART_TIME_S = 60
END_OF_RIB = UpdateMessage(end_of_rib=IPV4)


def capability(
    *families: Family, preserved: bool = True, restarting: bool = False, notification: bool = False
) -> Capability:
    return graceful_restart(
        RESTART_TIME_S,
        ((family, preserved) for family in families),
        restarting=restarting,
        notification=notification,
    )


CAPABILITY = capability(IPV4)
BACK = capability(IPV4, restarting=True)


def peer(ours: GracefulRestart | None = PLAIN, theirs: Capability = CAPABILITY) -> Played:
    """In session, with two routes."""
    network = Network()
    played = Played(network.node("10.0.0.1", asn=OUR_AS), "10.0.0.2", asn=65001, graceful_restart=ours)
    played.establish(theirs)
    played.announce(ONE, TWO)
    played.end_of_rib()
    return played


def routes(played: Played) -> list[str]:
    return list(played.node.routes())


def offered(played: Played) -> list[bytes]:
    """The values of our graceful restart capabilities."""
    capabilities = played.their_open.capabilities
    return [one.value for one in capabilities if one.code == CapabilityCode.GRACEFUL_RESTART]


def restart(played: Played) -> None:
    """Our process ends, and another one takes its place."""
    node = played.node
    node.speaker = Speaker(node.config, half)
    node.loc_rib.clear()
    node.speaker.begin_restart(node.network.now)
    node.configure(*node.peers.values())


# ---- 3, the capability


def test_3_the_capability_is_there_once_and_its_reserved_bits_are_zero() -> None:
    played = peer(GracefulRestart(notification=False, restart_time_s=0xFFF))
    assert offered(played) == [b"\x0f\xff\0\1\1\0"]
    restart(played)
    played.establish(CAPABILITY)
    assert offered(played) == [b"\x8f\xff\0\1\1\0"]
    played.hang_up()
    played.establish(CAPABILITY)
    assert offered(played) == [b"\x0f\xff\0\1\1\x80"]


def test_3_reserved_bits_are_ignored() -> None:
    played = peer(theirs=Capability(CapabilityCode.GRACEFUL_RESTART, b"\x30\x3c\0\1\1\xff"))
    played.hang_up()
    assert routes(played) == [ONE, TWO]
    played.node.network.run_for(RESTART_TIME_S - 1)
    assert routes(played) == [ONE, TWO]
    played.establish(Capability(CapabilityCode.GRACEFUL_RESTART, b"\x80\x3c\0\1\1\x7f"))
    assert routes(played) == []


def test_3_of_several_capabilities_the_last_counts() -> None:
    played = peer()
    played.hang_up()
    played.establish(CAPABILITY, capability(IPV6))
    assert routes(played) == []
    played.hang_up()
    played.establish(capability(IPV6), CAPABILITY)
    played.announce(ONE)
    played.hang_up()
    assert routes(played) == [ONE]


# ---- 4, End-of-RIB and NOTIFICATION


@pytest.mark.parametrize("ours", [PLAIN, None], ids=["graceful restart", "without"])
@pytest.mark.parametrize("prefixes", [(), (THREE,)], ids=["nothing to say", "a route"])
def test_4_end_of_rib_follows_the_initial_table(ours: GracefulRestart | None, prefixes: tuple[str]) -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    node.originate(*prefixes)
    network.settle()
    played = Played(node, "10.0.0.2", asn=65001, graceful_restart=ours).establish(CAPABILITY)
    updates = played.updates()
    assert [update.end_of_rib for update in updates] == [*(None for _ in prefixes), IPV4]
    assert list(played.routes()) == list(prefixes)


@pytest.mark.parametrize("sent_by_us", [True, False], ids=["sent", "received"])
def test_4_a_notification_takes_the_routes_along(sent_by_us: bool) -> None:
    played = peer()
    if sent_by_us:
        played.say(bytes(19))
        assert [one.code for one in played.notifications()] == [1]
    else:
        played.say(encode_notification(NotificationMessage(6, 4)))
    assert routes(played) == []


# ---- 4.1, we restart


def test_4_1_our_restart_is_told_and_nothing_is_said_before_everything_is_heard() -> None:
    played = peer()
    restart(played)
    played.node.originate(THREE)
    played.establish(CAPABILITY)
    assert offered(played)[0][0] & 0x80
    played.announce(ONE)
    assert (routes(played), played.updates()) == ([], [])
    played.end_of_rib()
    assert set(routes(played)) == {ONE, THREE}
    assert list(played.routes()) == [THREE]
    assert played.updates()[-1] == END_OF_RIB


@pytest.mark.parametrize(
    "theirs", [(), (capability(IPV4, restarting=True),)], ids=["no capability", "restarted too"]
)
def test_4_1_who_will_not_be_waited_for_is_not(theirs: tuple[Capability, ...]) -> None:
    played = peer()
    restart(played)
    played.node.originate(THREE)
    played.establish(*theirs)
    assert list(played.routes()) == [THREE]
    assert played.updates()[-1] == END_OF_RIB


# ---- 4.2, the peer restarts


def test_4_2_a_new_connection_ends_the_old_session_without_a_word() -> None:
    played = peer()
    old = played.connection
    before = played.octets
    played.connect()
    assert played.connection != old
    played.say_open(BACK)
    played.say(KEEPALIVE)
    assert (played.state, played.snapshot.established_count) == ("Established", 2)
    assert routes(played) == [ONE, TWO]
    assert MessageType.NOTIFICATION not in played.kinds()
    sent = b"".join(chunk for one in played.node.sent if one.connection == old for chunk in one.chunks)
    assert sent == before
    played.say(KEEPALIVE)
    assert played.state == "Established"


def test_4_2_routes_of_a_lost_peer_are_kept_as_stale_and_used_as_ever() -> None:
    network = Network()
    node = network.node("10.0.0.1", asn=OUR_AS)
    played = Played(node, "10.0.0.2", asn=65001, graceful_restart=PLAIN).establish(CAPABILITY)
    other = Played(node, "10.0.0.3", asn=65002).establish()
    played.announce(ONE)
    other.announce(ONE, as_path=sequence(65002, 7))
    assert node.routes() == {ONE: "10.0.0.2"}
    node.changes = 0
    other.forget()
    played.hang_up()
    assert (node.routes(), node.changes) == ({ONE: "10.0.0.2"}, 0)
    assert other.heard() == []
    assert played.snapshot.prefixes_stale == 1


@pytest.mark.parametrize("theirs", [capability(IPV6), capability()], ids=["another family", "no family"])
def test_4_2_routes_of_families_that_were_not_in_the_capability_are_not_kept(theirs: Capability) -> None:
    played = peer(theirs=theirs)
    played.hang_up()
    assert routes(played) == []


def test_4_2_what_was_stale_before_goes_with_a_loss_later_than_the_restart_time() -> None:
    """A deviation: not with one that comes earlier, after which the peer may still say it in time."""
    played = peer()
    played.hang_up()
    played.establish(BACK)
    played.announce(ONE)
    assert routes(played) == [ONE, TWO]
    played.hang_up()
    assert routes(played) == [ONE, TWO]
    played.establish(BACK)
    played.announce(ONE)
    played.node.network.run_for(RESTART_TIME_S + 1)
    assert routes(played) == [ONE, TWO]
    played.hang_up()
    assert routes(played) == [ONE]


def test_4_2_we_do_not_say_that_we_restarted_when_the_peer_did() -> None:
    played = peer()
    played.hang_up()
    played.establish(BACK)
    assert offered(played)[0][0] & 0x80 == 0


@pytest.mark.parametrize(("seconds", "kept"), [(RESTART_TIME_S - 1, True), (RESTART_TIME_S, False)])
def test_4_2_stale_routes_go_when_the_restart_time_is_over(seconds: int, kept: bool) -> None:
    played = peer()
    played.hang_up()
    played.node.network.run_for(seconds)
    assert routes(played) == ([ONE, TWO] if kept else [])


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param((capability(IPV4, preserved=False, restarting=True),), id="forwarding state lost"),
        pytest.param((capability(IPV6, restarting=True),), id="family missing"),
        pytest.param((capability(restarting=True),), id="no family"),
        pytest.param((), id="capability missing"),
    ],
)
def test_4_2_stale_routes_go_at_once_if_the_peer_did_not_preserve_them(theirs: tuple[Capability]) -> None:
    played = peer()
    played.hang_up()
    assert routes(played) == [ONE, TWO]
    played.establish(*theirs)
    assert routes(played) == []


def test_4_2_stale_routes_are_replaced_and_what_is_left_goes_with_end_of_rib() -> None:
    played = peer()
    played.hang_up()
    played.establish(BACK)
    assert played.updates()[-1] == END_OF_RIB
    played.announce(ONE, med=7)
    assert played.adj_rib_in()[ONE].med == 7
    assert (routes(played), played.snapshot.prefixes_stale) == ([ONE, TWO], 1)
    played.end_of_rib()
    assert (routes(played), played.snapshot.prefixes_stale) == ([ONE], 0)
