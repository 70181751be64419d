"""RFC 4271 §8.2.2: every state with every event of §8.1 that exists here, by the event's number there.

Left out: 3 to 8 (options not taken), 12 and 20 (DelayOpenTimer), 13 (IdleHoldTimer, here one with 9), 14 and
15 (TCP tells nothing before it is up), 23 (test_collision). "Idle, held" is Idle while IdleHoldTimer runs.
"""

from collections.abc import Callable
from itertools import count

import pytest

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected, TcpConnectFailed
from felixbgp.bgp.session.actions import (
    Observed,
    RefreshRequested,
    SessionAction,
    SessionDown,
    SessionEstablished,
    UpdateArrived,
)
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, NotificationMessage, RouteRefreshMessage
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, Address

SECOND_NS = 1_000_000_000
NOW = 1000 * SECOND_NS
LOCAL, REMOTE = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
HERE, THERE = Endpoint(LOCAL, 40000), Endpoint(REMOTE, 179)


def peer_open(as_number: int = 64513) -> bytes:
    return encode_open(make_open(local_as=as_number, hold_time_s=90, bgp_identifier=REMOTE, families=(IPV4,)))


OPEN, KEEPALIVE = peer_open(), encode_keepalive()
UPDATE = frame(MessageType.UPDATE, bytes(4))


def notification(code: int, subcode: int) -> bytes:
    return encode_notification(NotificationMessage(code, subcode))


def stopped() -> Peer:
    numbers = count(1)
    config = PeerConfig(peer=PeerId(REMOTE), name="tor", families=(IPV4,), local_as=64512, remote_as=64513)
    speaker = SpeakerConfig(bgp_identifier=LOCAL, local_as=64512)
    return Peer(config, speaker, lambda: 0.0, lambda: next(numbers))


def after(build: Callable[[], Peer], event: Callable[[Peer], object]) -> Callable[[], Peer]:
    def built() -> Peer:
        peer = build()
        event(peer)
        return peer

    return built


connect = after(stopped, lambda peer: peer.start(NOW))
active = after(connect, lambda peer: peer.connect_failed(TcpConnectFailed(1, "Connection refused"), NOW))
open_sent = after(connect, lambda peer: peer.connected(TcpConnected(1, HERE, THERE), NOW))
held = after(open_sent, lambda peer: peer.received(1, notification(2, 2), NOW))
open_confirm = after(open_sent, lambda peer: peer.received(1, OPEN, NOW))
established = after(open_confirm, lambda peer: peer.received(1, KEEPALIVE, NOW))

STATES: dict[str, Callable[[], Peer]] = {
    "Idle": stopped,
    "Idle, held": held,
    "Connect": connect,
    "Active": active,
    "OpenSent": open_sent,
    "OpenConfirm": open_confirm,
    "Established": established,
}


def tcp_fails(peer: Peer) -> list[SessionAction]:
    failed = peer.connect_failed(TcpConnectFailed(1, "Connection refused"), NOW)
    return failed + peer.closed(TcpClosed(1, "Connection reset by peer"), NOW)


def after_seconds(seconds: int) -> Callable[[Peer], list[SessionAction]]:
    return lambda peer: peer.run_timers(NOW + seconds * SECOND_NS)


def hears(octets: bytes) -> Callable[[Peer], list[SessionAction]]:
    return lambda peer: peer.received(1, octets, NOW)


# With this jitter KEEPALIVEs are due after 22.5 s, the hold times are 90 s and 240 s, and dialling is over or
# begins anew within 6 s.
EVENTS: dict[str, Callable[[Peer], list[SessionAction]]] = {
    "1 ManualStart": lambda peer: peer.start(NOW),
    "2 ManualStop": lambda peer: peer.stop(NOW, 2),
    "9 ConnectRetryTimer_Expires": after_seconds(6),
    "10 HoldTimer_Expires": after_seconds(240),
    "11 KeepaliveTimer_Expires": after_seconds(23),
    "16 Tcp_CR_Acked": lambda peer: peer.connected(TcpConnected(1, HERE, THERE), NOW),
    "17 TcpConnectionConfirmed": lambda peer: peer.accepted(TcpAccepted(-1, HERE, THERE), NOW),
    "18 TcpConnectionFails": tcp_fails,
    "19 BGPOpen": hears(OPEN),
    "21 BGPHeaderErr": hears(bytes(19)),
    "22 BGPOpenMsgErr": hears(peer_open(as_number=64999)),
    "24 NotifMsgVerErr": hears(notification(2, 1)),
    "25 NotifMsg": hears(notification(6, 3)),
    "26 KeepAliveMsg": hears(KEEPALIVE),
    "27 UpdateMsg": hears(UPDATE),
    "28 UpdateMsgErr": lambda peer: peer.fail(3, 1, b"", NOW),
    "ROUTE-REFRESH (RFC 2918)": hears(encode_route_refresh(RouteRefreshMessage(IPV4))),
}


def shown(action: SessionAction) -> str:
    match action:
        case Connect(number):
            return f"dial {number}"
        case SendBytes(number, (message,)):
            kind = MessageType(message[18])
            codes = f" {message[19]}/{message[20]}" if kind is MessageType.NOTIFICATION else ""
            return f"{kind.name} to {number}{codes}"
        case CloseConnection(number):
            return f"close {number}"
        case SessionEstablished():
            return "session up"
        case SessionDown():
            return "session down"
        case UpdateArrived():
            return "UPDATE handed on"
        case RefreshRequested():
            return "refresh handed on"
        case _:
            raise AssertionError(action)


def row(state: str, event: str) -> str:
    peer = STATES[state]()
    actions = [shown(action) for action in EVENTS[event](peer) if not isinstance(action, Observed)]
    waiting = ", held" if peer.state == "Idle" and peer.next_deadline() is not None else ""
    return f"{event:27} {state:11} -> {peer.state + waiting:11} {', '.join(actions)}".rstrip()


TABLE = """
1 ManualStart               Idle        -> Connect     dial 1
1 ManualStart               Idle, held  -> Idle, held
1 ManualStart               Connect     -> Connect
1 ManualStart               Active      -> Active
1 ManualStart               OpenSent    -> OpenSent
1 ManualStart               OpenConfirm -> OpenConfirm
1 ManualStart               Established -> Established

2 ManualStop                Idle        -> Idle
2 ManualStop                Idle, held  -> Idle
2 ManualStop                Connect     -> Idle        close 1
2 ManualStop                Active      -> Idle
2 ManualStop                OpenSent    -> Idle        NOTIFICATION to 1 6/2, close 1
2 ManualStop                OpenConfirm -> Idle        NOTIFICATION to 1 6/2, close 1
2 ManualStop                Established -> Idle        NOTIFICATION to 1 6/2, close 1, session down

9 ConnectRetryTimer_Expires Idle        -> Idle
9 ConnectRetryTimer_Expires Idle, held  -> Connect     dial 2
9 ConnectRetryTimer_Expires Connect     -> Active      close 1
9 ConnectRetryTimer_Expires Active      -> Connect     dial 2
9 ConnectRetryTimer_Expires OpenSent    -> OpenSent
9 ConnectRetryTimer_Expires OpenConfirm -> OpenConfirm
9 ConnectRetryTimer_Expires Established -> Established

10 HoldTimer_Expires        Idle        -> Idle
10 HoldTimer_Expires        Idle, held  -> Connect     dial 2
10 HoldTimer_Expires        Connect     -> Active      close 1
10 HoldTimer_Expires        Active      -> Connect     dial 2
10 HoldTimer_Expires        OpenSent    -> Active      NOTIFICATION to 1 4/0, close 1
10 HoldTimer_Expires        OpenConfirm -> Active      NOTIFICATION to 1 4/0, close 1
10 HoldTimer_Expires        Established -> Active      NOTIFICATION to 1 4/0, close 1, session down

11 KeepaliveTimer_Expires   Idle        -> Idle
11 KeepaliveTimer_Expires   Idle, held  -> Connect     dial 2
11 KeepaliveTimer_Expires   Connect     -> Active      close 1
11 KeepaliveTimer_Expires   Active      -> Connect     dial 2
11 KeepaliveTimer_Expires   OpenSent    -> OpenSent
11 KeepaliveTimer_Expires   OpenConfirm -> OpenConfirm KEEPALIVE to 1
11 KeepaliveTimer_Expires   Established -> Established KEEPALIVE to 1

16 Tcp_CR_Acked             Idle        -> Idle
16 Tcp_CR_Acked             Idle, held  -> Idle, held
16 Tcp_CR_Acked             Connect     -> OpenSent    OPEN to 1
16 Tcp_CR_Acked             Active      -> Active
16 Tcp_CR_Acked             OpenSent    -> OpenSent
16 Tcp_CR_Acked             OpenConfirm -> OpenConfirm
16 Tcp_CR_Acked             Established -> Established

17 TcpConnectionConfirmed   Idle        -> Idle        NOTIFICATION to -1 6/5, close -1
17 TcpConnectionConfirmed   Idle, held  -> OpenSent    OPEN to -1
17 TcpConnectionConfirmed   Connect     -> OpenSent    OPEN to -1
17 TcpConnectionConfirmed   Active      -> OpenSent    OPEN to -1
17 TcpConnectionConfirmed   OpenSent    -> OpenSent    OPEN to -1
17 TcpConnectionConfirmed   OpenConfirm -> OpenConfirm OPEN to -1
17 TcpConnectionConfirmed   Established -> Established NOTIFICATION to -1 6/7, close -1

18 TcpConnectionFails       Idle        -> Idle
18 TcpConnectionFails       Idle, held  -> Idle, held
18 TcpConnectionFails       Connect     -> Active
18 TcpConnectionFails       Active      -> Active
18 TcpConnectionFails       OpenSent    -> Active
18 TcpConnectionFails       OpenConfirm -> Active
18 TcpConnectionFails       Established -> Active      session down

19 BGPOpen                  Idle        -> Idle
19 BGPOpen                  Idle, held  -> Idle, held
19 BGPOpen                  Connect     -> Connect
19 BGPOpen                  Active      -> Active
19 BGPOpen                  OpenSent    -> OpenConfirm KEEPALIVE to 1
19 BGPOpen                  OpenConfirm -> Idle, held  NOTIFICATION to 1 5/2, close 1
19 BGPOpen                  Established -> Idle, held  NOTIFICATION to 1 5/3, close 1, session down

21 BGPHeaderErr             Idle        -> Idle
21 BGPHeaderErr             Idle, held  -> Idle, held
21 BGPHeaderErr             Connect     -> Connect
21 BGPHeaderErr             Active      -> Active
21 BGPHeaderErr             OpenSent    -> Idle, held  NOTIFICATION to 1 1/1, close 1
21 BGPHeaderErr             OpenConfirm -> Idle, held  NOTIFICATION to 1 1/1, close 1
21 BGPHeaderErr             Established -> Idle, held  NOTIFICATION to 1 1/1, close 1, session down

22 BGPOpenMsgErr            Idle        -> Idle
22 BGPOpenMsgErr            Idle, held  -> Idle, held
22 BGPOpenMsgErr            Connect     -> Connect
22 BGPOpenMsgErr            Active      -> Active
22 BGPOpenMsgErr            OpenSent    -> Idle, held  NOTIFICATION to 1 2/2, close 1
22 BGPOpenMsgErr            OpenConfirm -> Idle, held  NOTIFICATION to 1 5/2, close 1
22 BGPOpenMsgErr            Established -> Idle, held  NOTIFICATION to 1 5/3, close 1, session down

24 NotifMsgVerErr           Idle        -> Idle
24 NotifMsgVerErr           Idle, held  -> Idle, held
24 NotifMsgVerErr           Connect     -> Connect
24 NotifMsgVerErr           Active      -> Active
24 NotifMsgVerErr           OpenSent    -> Idle, held  close 1
24 NotifMsgVerErr           OpenConfirm -> Idle, held  close 1
24 NotifMsgVerErr           Established -> Idle, held  close 1, session down

25 NotifMsg                 Idle        -> Idle
25 NotifMsg                 Idle, held  -> Idle, held
25 NotifMsg                 Connect     -> Connect
25 NotifMsg                 Active      -> Active
25 NotifMsg                 OpenSent    -> Idle, held  close 1
25 NotifMsg                 OpenConfirm -> Idle, held  close 1
25 NotifMsg                 Established -> Idle, held  close 1, session down

26 KeepAliveMsg             Idle        -> Idle
26 KeepAliveMsg             Idle, held  -> Idle, held
26 KeepAliveMsg             Connect     -> Connect
26 KeepAliveMsg             Active      -> Active
26 KeepAliveMsg             OpenSent    -> Idle, held  NOTIFICATION to 1 5/1, close 1
26 KeepAliveMsg             OpenConfirm -> Established session up
26 KeepAliveMsg             Established -> Established

27 UpdateMsg                Idle        -> Idle
27 UpdateMsg                Idle, held  -> Idle, held
27 UpdateMsg                Connect     -> Connect
27 UpdateMsg                Active      -> Active
27 UpdateMsg                OpenSent    -> Idle, held  NOTIFICATION to 1 5/1, close 1
27 UpdateMsg                OpenConfirm -> Idle, held  NOTIFICATION to 1 5/2, close 1
27 UpdateMsg                Established -> Established UPDATE handed on

28 UpdateMsgErr             Idle        -> Idle
28 UpdateMsgErr             Idle, held  -> Idle, held
28 UpdateMsgErr             Connect     -> Connect
28 UpdateMsgErr             Active      -> Active
28 UpdateMsgErr             OpenSent    -> OpenSent
28 UpdateMsgErr             OpenConfirm -> OpenConfirm
28 UpdateMsgErr             Established -> Idle, held  NOTIFICATION to 1 3/1, close 1, session down

ROUTE-REFRESH (RFC 2918)    Idle        -> Idle
ROUTE-REFRESH (RFC 2918)    Idle, held  -> Idle, held
ROUTE-REFRESH (RFC 2918)    Connect     -> Connect
ROUTE-REFRESH (RFC 2918)    Active      -> Active
ROUTE-REFRESH (RFC 2918)    OpenSent    -> Idle, held  NOTIFICATION to 1 5/1, close 1
ROUTE-REFRESH (RFC 2918)    OpenConfirm -> Idle, held  NOTIFICATION to 1 5/2, close 1
ROUTE-REFRESH (RFC 2918)    Established -> Established refresh handed on
"""
ROWS = [line for line in TABLE.splitlines() if line]


@pytest.mark.parametrize(("event", "state"), [(event, state) for event in EVENTS for state in STATES])
def test_state_and_event_give_the_row_of_the_table(event: str, state: str) -> None:
    expected = [line for line in ROWS if line.startswith(f"{event:27} {state:11} ->")]
    assert expected == [row(state, event)]


@pytest.mark.parametrize("state", STATES)
def test_the_states_are_what_they_are_called(state: str) -> None:
    assert STATES[state]().state == state.removesuffix(", held")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_a_change_of_state_is_observed_once_with_both_its_ends(event: str, state: str) -> None:
    peer = STATES[state]()
    before = peer.state
    facts = [one.fact for one in EVENTS[event](peer) if isinstance(one, Observed)]
    changes = [fact for fact in facts if isinstance(fact, SessionStateChanged)]
    expected = [] if peer.state == before else [(before, peer.state)]
    assert [(change.old, change.new) for change in changes] == expected
    assert all(change.reason for change in changes)
