"""RFC 4271 §8.2.2: every state with every event of §8.1 that exists here, by the event's number there.

The table is `fsm.golden`; `--update-golden` rewrites it. A row says what one event does to a peer in one
state: the state after it, then what the peer asks for, in order. Connection 1 is dialled, others accepted.

"held" is Idle while IdleHoldTimer runs, "down" is Idle after AutomaticStop, "delayed" is a connection whose
DelayOpenTimer runs, "collisions" stands for CollisionDetectEstablishedState, "graceful" for graceful restart
with the N bit on both sides (RFC 4724, RFC 8538). Left out of the events are 3, 5 to 7 (a speaker starts its
peers itself: 1 and 13 stand for them), and 14 and 15 (TCP tells nothing before it is up). Events 19 and 20
are one here, as the states tell whether the DelayOpenTimer runs. The peer has the higher identifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.facts import SessionStateChanged
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected, TcpConnectFailed
from felixbgp.bgp.session.actions import (
    DownKind,
    Observed,
    RefreshRequested,
    SessionAction,
    SessionDown,
    SessionEstablished,
    UpdatesArrived,
)
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.capabilities import graceful_restart
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.errors import decode_hard_reset, encode_hard_reset
from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType, NotificationMessage, RouteRefreshMessage
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, Address

SECOND_NS = 1_000_000_000
NOW = 1000 * SECOND_NS
LOCAL, REMOTE = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
HERE, THERE = Endpoint(LOCAL, 40000), Endpoint(REMOTE, 179)
NEWCOMER = -9
RESTART = graceful_restart(120, ((IPV4, True),), restarting=False, notification=True)


def peer_open(as_number: int = 64513) -> bytes:
    return encode_open(
        make_open(
            local_as=as_number,
            hold_time_s=90,
            bgp_identifier=REMOTE,
            families=(IPV4,),
            extra=(RESTART,),
        )
    )


OPEN, KEEPALIVE = peer_open(), encode_keepalive()
UPDATE = frame(MessageType.UPDATE, bytes(4))


def notification(code: int, subcode: int, data: bytes = b"") -> bytes:
    return encode_notification(NotificationMessage(code, subcode, data))


def stopped(**parameters: object) -> Peer:
    numbers = count(1)
    config = PeerConfig(
        peer=PeerId(REMOTE),
        name="tor",
        families=(IPV4,),
        local_as=64512,
        remote_as=64513,
        **parameters,  # type: ignore[arg-type]
    )
    speaker = SpeakerConfig(bgp_identifier=LOCAL, local_as=64512)
    return Peer(config, speaker, lambda: 0.0, lambda: next(numbers))


def connecting(**parameters: object) -> Peer:
    peer = stopped(**parameters)
    peer.start(NOW)
    return peer


def active(**parameters: object) -> Peer:
    peer = connecting(**parameters)
    peer.connect_failed(TcpConnectFailed(1, "Connection refused"), NOW)
    return peer


def connected(**parameters: object) -> Peer:
    peer = connecting(**parameters)
    peer.connected(TcpConnected(1, HERE, THERE), NOW)
    return peer


def held() -> Peer:
    peer = connected()
    peer.received(1, notification(2, 2), NOW)
    return peer


def accepted(**parameters: object) -> Peer:
    peer = active(**parameters)
    peer.accepted(TcpAccepted(-1, HERE, THERE), NOW)
    return peer


def opened(**parameters: object) -> Peer:
    peer = connected(**parameters)
    peer.received(1, OPEN, NOW)
    return peer


def established(**parameters: object) -> Peer:
    peer = opened(**parameters)
    peer.received(1, KEEPALIVE, NOW)
    return peer


def down() -> Peer:
    peer = established()
    peer.fail(6, 1, b"", NOW, hold_ns=60 * SECOND_NS)
    return peer


STATES: dict[str, Callable[[], Peer]] = {
    "Idle": stopped,
    "Idle, passive": lambda: stopped(passive=True),
    "Idle, held": held,
    "Idle, down": down,
    "Connect": connecting,
    "Connect, delayed": lambda: connected(delay_open_s=5),
    "Active": active,
    "Active, delayed": lambda: accepted(delay_open_s=5),
    "OpenSent": connected,
    "OpenConfirm": opened,
    "Established": established,
    "Established, collisions": lambda: established(detect_collision_established=True),
    "Established, graceful": lambda: established(graceful_restart=GracefulRestart()),
}

Event = Callable[[Peer], list[SessionAction]]


@dataclass
class Timer:
    """An event that only time brings about: where the timer runs, and for how many seconds."""

    runs_s: dict[str, float]


def hears(octets: bytes) -> Event:
    """On the connection that there is, or on one that is no more."""
    return lambda peer: peer.received(next(iter(peer._connections), 1), octets, NOW)


def accept(peer: Peer) -> list[SessionAction]:
    return peer.accepted(TcpAccepted(NEWCOMER, HERE, THERE), NOW)


def fails(peer: Peer) -> list[SessionAction]:
    closed = TcpClosed(next(iter(peer._connections), 1), "Connection reset by peer")
    return peer.connect_failed(TcpConnectFailed(1, "Connection refused"), NOW) + peer.closed(closed, NOW)


def newcomer(octets: bytes) -> Event:
    return lambda peer: accept(peer) + peer.received(NEWCOMER, octets, NOW)


# The hold times are 90 s and 240 s, DelayOpenTime 5 s, and the jitter takes off a quarter.
EVENTS: dict[str, Event | Timer] = {
    "1, 4 ManualStart": lambda peer: peer.start(NOW),
    "2 ManualStop": lambda peer: peer.stop(NOW, 2),
    "8 AutomaticStop": lambda peer: peer.fail(6, 1, b"", NOW, hold_ns=60 * SECOND_NS),
    "9 ConnectRetryTimer_Expires": Timer({"Connect": 6, "Active": 0.1875, "Active, delayed": 0.1875}),
    "10 HoldTimer_Expires": Timer(
        {
            "OpenSent": 240,
            "OpenConfirm": 90,
            "Established": 90,
            "Established, collisions": 90,
            "Established, graceful": 90,
        }
    ),
    "11 KeepaliveTimer_Expires": Timer(
        {
            "OpenConfirm": 22.5,
            "Established": 22.5,
            "Established, collisions": 22.5,
            "Established, graceful": 22.5,
        }
    ),
    "12 DelayOpenTimer_Expires": Timer({"Connect, delayed": 5, "Active, delayed": 5}),
    "13 IdleHoldTimer_Expires": Timer({"Idle, held": 0.75, "Idle, down": 60}),
    "16 Tcp_CR_Acked": lambda peer: peer.connected(TcpConnected(1, HERE, THERE), NOW),
    "17 TcpConnectionConfirmed": accept,
    "18 TcpConnectionFails": fails,
    "19, 20 BGPOpen": hears(OPEN),
    "21 BGPHeaderErr": hears(bytes(19)),
    "22 BGPOpenMsgErr": hears(peer_open(as_number=64999)),
    "17, 19, 23 OpenCollisionDump": newcomer(OPEN),
    "17, 19, 26 the newcomer goes on": newcomer(OPEN + KEEPALIVE),
    "24 NotifMsgVerErr": hears(notification(2, 1)),
    "25 NotifMsg": hears(notification(6, 3)),
    "25 NotifMsg, a Hard Reset": hears(notification(6, 9, encode_hard_reset(6, 4))),
    "26 KeepAliveMsg": hears(KEEPALIVE),
    "27 UpdateMsg": hears(UPDATE),
    "28 UpdateMsgErr": lambda peer: peer.fail(3, 1, b"", NOW),
    "29 SendHoldTimer_Expires (RFC 9687)": lambda peer: peer.fail(8, 0, b"", NOW),
    "ROUTE-REFRESH (RFC 2918)": hears(encode_route_refresh(RouteRefreshMessage(IPV4))),
}


def shown(action: SessionAction) -> str:
    match action:
        case Connect(number):
            return f"dial {number}"
        case SendBytes(number, (message,)):
            return f"{shown_message(message)} to {number}"
        case CloseConnection(number):
            return f"close {number}"
        case SessionEstablished():
            return "session up"
        case SessionDown(kind=kind):
            return "session lost" if kind is DownKind.LOST else "session down"
        case UpdatesArrived():
            return "UPDATE handed on"
        case RefreshRequested():
            return "refresh handed on"
        case _:
            raise AssertionError(action)


def shown_message(message: bytes) -> str:
    kind = MessageType(message[18])
    if kind is not MessageType.NOTIFICATION:
        return kind.name
    code, subcode, data = message[19], message[20], message[21:]
    inner = decode_hard_reset(data) if (code, subcode) == (6, 9) else None
    within = f" around {inner.code}/{inner.subcode}" if inner is not None else ""
    return f"NOTIFICATION {code}/{subcode}{within}"


def happens(event: str, state: str) -> tuple[Peer, list[SessionAction]] | None:
    """The peer after the event, and what it asked for; None for a timer that does not run."""
    peer, kind = STATES[state](), EVENTS[event]
    if not isinstance(kind, Timer):
        return peer, kind(peer)
    if state not in kind.runs_s:
        return None
    at = NOW + int(kind.runs_s[state] * SECOND_NS)
    while (deadline := peer.next_deadline()) is not None and deadline < at:
        peer.run_timers(deadline)
    assert deadline == at
    return peer, peer.run_timers(at)


def row(event: str, state: str) -> str:
    result = happens(event, state)
    if result is None:
        return f"  {state:24}the timer does not run"
    peer, actions = result
    waiting = ", waiting" if peer.state == "Idle" and peer.next_deadline() is not None else ""
    words = ", ".join(shown(one) for one in actions if not isinstance(one, Observed))
    return f"  {state:24}{peer.state + waiting:15} {words}".rstrip()


def test_every_state_and_event_give_the_row_of_the_table(golden: Callable[[str, str], None]) -> None:
    paragraphs = ["\n".join((event, *(row(event, state) for state in STATES))) for event in EVENTS]
    golden("fsm.golden", "\n\n".join(paragraphs) + "\n")


@pytest.mark.parametrize("state", STATES)
def test_the_states_are_what_they_are_called(state: str) -> None:
    assert STATES[state]().state == state.partition(",")[0]


@pytest.mark.parametrize("state", STATES)
def test_the_first_timer_of_a_state_is_one_of_the_table(state: str) -> None:
    timers = [kind.runs_s for kind in EVENTS.values() if isinstance(kind, Timer)]
    expected = min((runs_s[state] for runs_s in timers if state in runs_s), default=None)
    deadline = STATES[state]().next_deadline()
    assert (None if deadline is None else (deadline - NOW) / SECOND_NS) == expected


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_changes_of_state_are_observed_with_both_their_ends(event: str, state: str) -> None:
    result = happens(event, state)
    if result is None:
        return
    peer, actions = result
    facts = [one.fact for one in actions if isinstance(one, Observed)]
    changes = [fact for fact in facts if isinstance(fact, SessionStateChanged)]
    path = [STATES[state]().state, *(change.new for change in changes)]
    assert [(change.old, change.new) for change in changes] == list(pairwise(path))
    assert path[-1] == peer.state
    assert all(change.reason for change in changes)
