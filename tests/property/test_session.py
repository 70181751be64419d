"""Two peers over faulty TCP end up with one session; one peer survives any octets; timers always progress."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes
from felixbgp.bgp.inputs import Endpoint, TcpAccepted, TcpClosed, TcpConnected, TcpConnectFailed
from felixbgp.bgp.session.actions import SessionAction, SessionDown, SessionEstablished
from felixbgp.bgp.session.peer import Peer
from felixbgp.bgp.wire.capabilities import graceful_restart
from felixbgp.bgp.wire.codec import encode_keepalive, encode_notification, encode_route_refresh
from felixbgp.bgp.wire.framer import Framer, frame
from felixbgp.bgp.wire.messages import MessageType, NotificationMessage, RouteRefreshMessage
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, IPV6, Address

SECOND_NS = 1_000_000_000
ADDRESSES = (Address.parse("192.0.2.1"), Address.parse("192.0.2.2"))


@dataclass
class End:
    """One end of a TCP connection: what is under way to it. "up" comes first, "closed" last.

    Things arrive `pace` times as often as elsewhere.
    """

    side: int
    number: int
    pace: float
    other: "End | None" = None
    inbox: list[str | bytes] = field(default_factory=list)
    up: bool = False
    over: bool = False


@dataclass
class World:
    """Two peers, the connections between them, and a clock; `choose` decides what happens next."""

    choose: Random
    identifiers: tuple[Address, Address] = ADDRESSES
    as_numbers: tuple[int, int] = (64512, 64512)
    passive: tuple[bool, bool] = (False, False)
    graceful_restart: tuple[GracefulRestart | None, GracefulRestart | None] = (None, None)
    delay_open_s: tuple[int, int] = (0, 0)
    now: int = 0
    established: int = 0
    downs: int = 0
    ends: list[End] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.peers = [self.peer(side) for side in (0, 1)]

    def peer(self, side: int) -> Peer:
        config = PeerConfig(
            peer=PeerId(ADDRESSES[1 - side]),
            name=f"peer-{1 - side}",
            families=(IPV4,),
            local_as=self.as_numbers[side],
            remote_as=self.as_numbers[1 - side],
            passive=self.passive[side],
            graceful_restart=self.graceful_restart[side],
            delay_open_s=self.delay_open_s[side],
        )
        speaker = SpeakerConfig(bgp_identifier=self.identifiers[side], local_as=self.as_numbers[side])
        return Peer(config, speaker, self.choose.random, lambda: next(self.numbers))

    def do(self, side: int, actions: list[SessionAction]) -> None:
        for action in actions:
            match action:
                case Connect():
                    dialler, answerer = (
                        End(one, number, self.choose.choice((1.0, 0.01)))
                        for one, number in ((side, action.connection), (1 - side, -next(self.numbers)))
                    )
                    answerer.other = dialler
                    answerer.inbox.append("up")
                    dialler.other = answerer
                    dialler.inbox.append("up")
                    self.ends += [dialler, answerer]
                case SendBytes():
                    end = self.end(side, action.connection)
                    assert end.up, "octets before the connection is up, or after its end"
                    assert end.other is not None
                    end.other.inbox.append(b"".join(action.chunks))
                case CloseConnection():
                    self.close(self.end(side, action.connection))
                case SessionEstablished():
                    self.established += 1
                case SessionDown():
                    self.downs += 1
                case _:
                    pass

    def end(self, side: int, number: int) -> End:
        (end,) = [one for one in self.ends if (one.side, one.number) == (side, number)]
        return end

    def close(self, end: End) -> None:
        assert not end.over, "closed twice"
        self.ends.remove(end)
        end.over = True
        end.up = False
        assert end.other is not None
        if not end.other.over:
            end.other.inbox.append("closed")

    def deliver(self, end: End) -> None:
        """Let the next thing, or a part of it, arrive."""
        peer, item = self.peers[end.side], end.inbox.pop(0)
        here, there = (Endpoint(ADDRESSES[side], 179) for side in (end.side, 1 - end.side))
        if isinstance(item, bytes):
            cut = self.choose.randint(1, len(item))
            if item[cut:]:
                end.inbox.insert(0, item[cut:])
            self.do(end.side, peer.received(end.number, item[:cut], self.now))
        elif item == "closed":
            self.ends.remove(end)
            end.up, end.over = False, True
            self.do(end.side, peer.closed(TcpClosed(end.number, ""), self.now))
        elif end.number < 0:
            end.up = True
            self.do(end.side, peer.accepted(TcpAccepted(end.number, here, there), self.now))
        else:
            end.up = True
            self.do(end.side, peer.connected(TcpConnected(end.number, here, there), self.now))

    def reset(self, end: End) -> None:
        """Lose the connection and everything under way on it."""
        assert end.other is not None
        for one in (end, end.other):
            if one.over:
                continue
            if one.up:
                one.inbox[:] = ["closed"]
            else:
                self.ends.remove(one)
                one.over = True
                if one.number > 0:
                    failed = TcpConnectFailed(one.number, "Connection refused")
                    self.do(one.side, self.peers[one.side].connect_failed(failed, self.now))

    def crash(self, side: int) -> None:
        """Lose a whole speaker, which the other side does not notice, and start it again."""
        self.downs += self.peers[side].established is not None
        for end in [one for one in self.ends if one.side == side]:
            self.ends.remove(end)
            end.over = True
        self.peers[side] = self.peer(side)
        self.do(side, self.peers[side].start(self.now, restarting=True))

    def step(self) -> bool:
        """Deliver something; False when nothing is under way."""
        ready = [end for end in self.ends if end.inbox]
        if ready:
            (end,) = self.choose.choices(ready, [one.pace for one in ready])
            self.deliver(end)
        return bool(ready)

    def tick(self) -> None:
        """Go to the next deadline, which lies later once it was served."""
        deadlines = [at for peer in self.peers if (at := peer.next_deadline()) is not None]
        self.now = max(self.now, min(deadlines))
        for side in self.choose.sample((0, 1), 2):
            self.do(side, self.peers[side].run_timers(self.now))
            after = self.peers[side].next_deadline()
            assert after is None or after > self.now

    def start(self) -> None:
        for side in self.choose.sample((0, 1), 2):
            self.do(side, self.peers[side].start(self.now))

    def settle(self) -> None:
        """Without further faults: run until both are Established, over the same connection."""
        for _ in range(500):
            while self.step():
                pass
            if all(peer.established is not None for peer in self.peers):
                break
            self.tick()
        one, other = [end for end in self.ends if end.number == self.peers[end.side].established]
        assert one.other is other
        # A speaker that crashed may have left connections that lead nowhere, which time out.
        assert all(end in (one, other) or (end.other is not None and end.other.over) for end in self.ends)
        assert [peer.state for peer in self.peers] == ["Established", "Established"]
        assert [peer.last_error for peer in self.peers] == ["", ""]


RESTARTS = (None, GracefulRestart(), GracefulRestart(notification=False))
BOTH_RESTART = st.just((RESTARTS[1], RESTARTS[1]))
ANY_RESTARTS = st.tuples(st.sampled_from(RESTARTS), st.sampled_from(RESTARTS))
NO_DELAY = st.just((0, 0))
ANY_DELAYS = st.tuples(st.sampled_from((0, 1, 7)), st.sampled_from((0, 1, 7)))


def worlds_of(
    restarts: st.SearchStrategy[tuple[GracefulRestart | None, GracefulRestart | None]],
    delays: st.SearchStrategy[tuple[int, int]],
) -> st.SearchStrategy[World]:
    return st.builds(
        World,
        choose=st.randoms(use_true_random=True),
        identifiers=st.sampled_from((ADDRESSES, ADDRESSES[::-1])),
        passive=st.sampled_from(((False, False), (True, False), (False, True))),
        graceful_restart=restarts,
        delay_open_s=delays,
    ) | st.builds(
        World,
        choose=st.randoms(use_true_random=True),
        identifiers=st.just((ADDRESSES[0], ADDRESSES[0])),
        as_numbers=st.sampled_from(((64512, 64513), (64513, 64512))),
        graceful_restart=restarts,
        delay_open_s=delays,
    )


@given(worlds_of(ANY_RESTARTS, NO_DELAY))
def test_without_faults_the_first_session_stays_whatever_the_order_of_arrival(world: World) -> None:
    world.start()
    world.settle()
    assert (world.established, world.downs) == (2, 0)
    assert world.now == 0, "a second attempt was needed"


@given(worlds_of(BOTH_RESTART, NO_DELAY), st.integers(0, 1))
def test_a_speaker_that_restarts_gracefully_is_back_before_the_old_session_times_out(
    world: World, side: int
) -> None:
    world.start()
    world.settle()
    world.crash(side)
    if not world.passive[side]:
        world.settle()
        assert world.now == 0, "the other side held on to the old session"


@given(
    worlds_of(ANY_RESTARTS, ANY_DELAYS),
    st.lists(st.sampled_from(("deliver", "reset", "crash", "tick", "restart")), max_size=60),
)
def test_after_any_faults_exactly_one_session_comes_up_and_lasts(world: World, faults: list[str]) -> None:
    world.start()
    for fault in faults:
        if fault == "deliver":
            world.step()
        elif fault == "reset" and world.ends:
            world.reset(world.choose.choice(world.ends))
        elif fault == "crash":
            world.crash(world.choose.randint(0, 1))
        elif fault == "tick":
            world.tick()
        elif fault == "restart":
            side = world.choose.randint(0, 1)
            world.do(side, world.peers[side].stop(world.now, 4))
            world.do(side, world.peers[side].start(world.now))
    world.settle()
    downs, until = world.downs, world.now + 600 * SECOND_NS
    while world.now < until:
        while world.step():
            pass
        world.tick()
    assert len(world.ends) == 2
    assert world.downs == downs
    assert world.established == world.downs + 2


class Single:
    """One peer whose transport the test plays; checks what every answer must keep to."""

    HERE: ClassVar = Endpoint(ADDRESSES[0], 179)
    THERE: ClassVar = Endpoint(ADDRESSES[1], 40000)

    def __init__(
        self,
        graceful_restart: GracefulRestart | None = None,
        *,
        detect_collision_established: bool = False,
        delay_open_s: int = 0,
    ) -> None:
        numbers = count(1)
        config = PeerConfig(
            peer=PeerId(ADDRESSES[1]),
            name="peer",
            families=(IPV4, IPV6),
            local_as=64512,
            remote_as=64513,
            graceful_restart=graceful_restart,
            detect_collision_established=detect_collision_established,
            delay_open_s=delay_open_s,
        )
        speaker = SpeakerConfig(bgp_identifier=ADDRESSES[0], local_as=64512)
        self.peer = Peer(config, speaker, lambda: 0.5, lambda: next(numbers))
        self.ended: dict[int, list[bytes]] = {}
        self.octets: dict[int, bytes] = {}
        self.sessions = 0

    def see(self, actions: list[SessionAction]) -> None:
        for action in actions:
            match action:
                case SendBytes(connection, chunks):
                    assert connection not in self.ended
                    self.octets[connection] = self.octets.get(connection, b"") + b"".join(chunks)
                case CloseConnection(connection):
                    assert connection not in self.ended
                    self.ended[connection] = []
                case SessionEstablished():
                    self.sessions += 1
                case SessionDown():
                    self.sessions -= 1
                case _:
                    pass
        assert self.sessions == (self.peer.established is not None)
        assert len(self.peer._connections) <= 2


OPEN = encode_open(
    make_open(
        local_as=64513,
        hold_time_s=9,
        bgp_identifier=ADDRESSES[1],
        families=(IPV4, IPV6),
        extra=(graceful_restart(60, ((IPV4, True),), restarting=True, notification=True),),
    )
)
KEEPALIVE = encode_keepalive()
mutated = st.builds(
    lambda message, at, octet: message[: at % len(message)] + octet + message[at % len(message) + 1 :],
    st.sampled_from((OPEN, KEEPALIVE)),
    st.integers(0, 100),
    st.binary(min_size=1, max_size=1),
)
messages = st.one_of(
    st.just(OPEN),
    st.just(KEEPALIVE),
    st.builds(frame, st.sampled_from(MessageType), st.binary(max_size=40)),
    st.builds(
        lambda code, subcode, data: encode_notification(NotificationMessage(code, subcode, data)),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=20),
    ),
    st.just(encode_route_refresh(RouteRefreshMessage(IPV4))),
    mutated,
    st.binary(max_size=60),
)


@given(
    st.lists(messages, max_size=8).map(b"".join),
    st.lists(st.integers(1, 50), max_size=10),
    st.booleans(),
    st.booleans(),
)
def test_any_octets_are_answered_by_the_rules_and_never_raise(
    octets: bytes, cuts: list[int], greeted: bool, confirmed: bool
) -> None:
    single, number = Single(), -1
    single.see(single.peer.start(0))
    single.see(single.peer.accepted(TcpAccepted(number, Single.HERE, Single.THERE), 0))
    octets = OPEN * greeted + KEEPALIVE * (greeted and confirmed) + octets
    for cut in [*cuts, len(octets)]:
        single.see(single.peer.received(number, octets[:cut], 0))
        octets = octets[cut:]
    framer = Framer()
    framer.feed(single.octets[number])
    kinds = [kind for kind, _ in framer.messages()]
    assert kinds[0] is MessageType.OPEN
    assert MessageType.NOTIFICATION not in kinds[:-1]
    if kinds[-1] is MessageType.NOTIFICATION:
        assert number in single.ended
    assert single.peer.last_error.isprintable()


events = st.lists(
    st.tuples(
        st.sampled_from(
            ("start", "stop", "accept", "up", "failed", "closed", "octets", "fail", "wait", "sent")
        ),
        st.sampled_from((-3, -2, -1, 1, 2, 3)),
        messages,
        st.integers(0, 100),
    ),
    max_size=30,
)


singles = st.builds(
    Single,
    st.sampled_from(RESTARTS),
    detect_collision_established=st.booleans(),
    delay_open_s=st.sampled_from((0, 5)),
)


@given(singles, events)
def test_any_order_of_events_keeps_the_rules_and_the_clock_going(
    single: Single, history: list[tuple[str, int, bytes, int]]
) -> None:
    now, seen = 0, set[int]()
    for kind, number, octets, seconds in history:
        now += seconds * SECOND_NS
        peer = single.peer
        match kind:
            case "start":
                single.see(peer.start(now, restarting=seconds % 2 == 0))
            case "stop":
                single.see(peer.stop(now, number % 10, "why"))
                assert peer.next_deadline() is None
                assert peer.state == "Idle"
            case "accept" if number < 0 and number not in seen:
                seen.add(number)
                single.see(peer.accepted(TcpAccepted(number, Single.HERE, Single.THERE), now))
            case "up" if number > 0 and number not in seen:
                seen.add(number)
                single.see(peer.connected(TcpConnected(number, Single.HERE, Single.THERE), now))
            case "failed":
                single.see(peer.connect_failed(TcpConnectFailed(number, "Connection refused"), now))
            case "closed":
                single.see(peer.closed(TcpClosed(number, "Connection reset by peer"), now))
            case "octets":
                single.see(peer.received(number, octets, now))
            case "fail":
                hold_ns = (0, None, 10 * SECOND_NS)[seconds % 3]
                single.see(peer.fail(3, number % 12, b"", now, hold_ns=hold_ns))
            case "sent":
                peer.sent(now)
            case _:
                pass
        if (before := peer.next_deadline()) is not None and before <= now:
            single.see(peer.run_timers(now))
            assert (after := peer.next_deadline()) is None or after > now
        else:
            assert peer.run_timers(now) == []
