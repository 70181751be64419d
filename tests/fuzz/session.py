"""A speaker between a peer that does anything at all and one that only listens.

The octets are a script: what is sent, and in which chunks, connections that come and go, time that passes.
Whatever it is, nothing raises, everything sent is BGP, the listener keeps its session and knows no route but
those of the Loc-RIB; and once the peer is gone, nothing of it is left.
"""

from dataclasses import replace
from typing import Final

from felixbgp.bgp.config import GracefulRestart, LimitAction, PeerConfig, PeerId, PrefixLimit, SpeakerConfig
from felixbgp.bgp.effects import CloseConnection, Connect, SendBytes, SetOptions, TransportEffect
from felixbgp.bgp.inputs import (
    BytesReceived,
    BytesWritten,
    Endpoint,
    TcpAccepted,
    TcpClosed,
    TcpConnected,
    TcpConnectFailed,
)
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.bgp.session.offer import our_open
from felixbgp.bgp.speaker import Speaker
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, Framer, frame
from felixbgp.bgp.wire.messages import MessageType
from felixbgp.bgp.wire.open import encode_open, make_open, negotiate
from felixbgp.bgp.wire.update import decode_update
from felixbgp.net import IPV4, IPV6, Address, Family, Nlri
from tests.fuzz.wire import forget

SECOND: Final = 1_000_000_000
HERE, PEER, LISTENER = (Address.parse(f"192.0.2.{last}") for last in (1, 2, 3))
SPEAKER: Final = SpeakerConfig(bgp_identifier=HERE, local_as=64512)
OWN: Final = b"\x18\x0a\xff\x00"
TURNS_MAX: Final = 3000
STEPS_MAX: Final = 30
"""Of a script; more of them are slower and show nothing that is new."""


def _config(address: Address, remote_as: int, *families: Family) -> PeerConfig:
    return PeerConfig(
        peer=PeerId(address), name=str(address), families=families, local_as=64512, remote_as=remote_as
    )


LISTENER_CONFIG: Final = replace(_config(LISTENER, 64599, IPV4), passive=True, hold_time_s=0)
LISTENER_OPEN: Final = make_open(
    local_as=64599, hold_time_s=0, bgp_identifier=LISTENER, families=(IPV4,), extra=()
)
LISTENER_SESSION: Final = negotiate(LISTENER_OPEN, our_open(LISTENER_CONFIG, SPEAKER))


def config_of(first: int, second: int) -> PeerConfig:
    """One of all kinds of peers."""
    families = (IPV4, IPV6) if second & 32 else (IPV4,)
    restart = GracefulRestart(restart_time_s=30, long_lived_stale_time_s=60 if first & 4 else 0)
    limit = PrefixLimit(maximum=3, action=tuple(LimitAction)[1 + (second >> 6 & 1)], restart_after_s=9)
    return replace(
        _config(PEER, 64513 if first & 1 else 64512, *families),
        graceful_restart=restart if first & 2 else None,
        add_path_receive=bool(first & 8),
        add_path_send=bool(first & 8),
        extended_next_hop=bool(first & 16),
        role=Role.PEER if first & 32 else None,
        prefix_limit=limit if first & 64 else None,
        delay_open_s=1 if first & 128 else 0,
        passive=bool(second & 1),
        detect_collision_established=bool(second & 2),
        extended_message=bool(second & 4),
        enhanced_refresh=bool(second & 8),
        route_reflector_client=bool(second & 128),
    )


class Rig:
    """The speaker, what it has sent, and what may not happen."""

    def __init__(self, config: PeerConfig, *, takes: bool) -> None:
        self.config = config
        self.takes = takes
        """Whether the peer takes the octets it is sent."""
        self.now = SECOND
        self.speaker = Speaker(SPEAKER, lambda: 0.5)
        self.loc_rib: dict[tuple[Family, Nlri], Selected] = {}
        self.told: set[bytes] = set()
        self.dialled: list[int] = []
        self.connections: dict[int, Framer] = {}
        self.last: dict[int, MessageType] = {}
        """By connection, the type of the last message we sent."""
        self.lost: set[int] = set()
        """Connections that ended, which the speaker has not heard of."""
        self.accepted = 0
        self.speaker.configure(SPEAKER, {one.peer: one for one in (config, LISTENER_CONFIG)}, self.now)
        self.speaker.originate(IPV4, OWN, LocalRoute(RouteSource.AGGREGATE))
        self.listener = self.accept(LISTENER)
        self.receive(self.listener, encode_open(LISTENER_OPEN) + encode_keepalive())
        self.settle()
        assert self.told == {OWN}

    def accept(self, address: Address) -> int:
        self.accepted -= 1
        self.connections[self.accepted] = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
        event = TcpAccepted(self.accepted, Endpoint(HERE, 179), Endpoint(address, 50000 - self.accepted))
        self.speaker.feed(event, self.now)
        return self.accepted

    def answer_dial(self, *, success: bool) -> None:
        """The oldest dial comes to its end."""
        if not self.dialled:
            return
        number = self.dialled.pop(0)
        if success:
            self.connections[number] = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
            connected = TcpConnected(number, Endpoint(HERE, 40000), Endpoint(PEER, 179))
            self.speaker.feed(connected, self.now)
        else:
            self.speaker.feed(TcpConnectFailed(number, "connection refused"), self.now)

    def receive(self, number: int, octets: bytes) -> None:
        if number in self.connections:
            self.speaker.feed(BytesReceived(number, octets), self.now)

    def close(self, number: int) -> None:
        if self.connections.pop(number, None) is not None:
            self.lost.add(number)
            self.speaker.feed(TcpClosed(number, ""), self.now)

    def others(self) -> list[int]:
        """The peer's connections, the latest last."""
        return [number for number in self.connections if number != self.listener]

    def settle(self) -> None:
        """Go on until there is nothing to do at this moment, then look at everything."""
        for _ in range(TURNS_MAX):
            at = self.speaker.next_deadline()
            if at is None or at > self.now:
                break
            self.turn()
        else:
            raise AssertionError("the speaker never comes to rest")
        self.check()

    def turn(self) -> None:
        speaker = self.speaker
        effects = speaker.control(self.now)
        speaker.take_in(self.now, 100)
        for change in speaker.decide(self.now, 100):
            if change.selected is None:
                del self.loc_rib[change.family, change.nlri]
            else:
                self.loc_rib[change.family, change.nlri] = change.selected
        effects += speaker.withdrawals(self.now, 100)
        effects += speaker.announcements(self.now, 100, {})
        speaker.take_facts()
        lost, self.lost = self.lost, set()
        for effect in effects:
            if effect.connection not in lost:
                self.carry_out(effect)

    def carry_out(self, effect: TransportEffect) -> None:
        match effect:
            case Connect():
                self.dialled.append(effect.connection)
            case CloseConnection():
                if effect.connection in self.dialled:
                    self.dialled.remove(effect.connection)
                else:
                    del self.connections[effect.connection]
            case SendBytes():
                self.send(effect.connection, b"".join(effect.chunks))
            case SetOptions():
                pass

    def send(self, number: int, octets: bytes) -> None:
        """What we send is BGP, and a NOTIFICATION is the last of it."""
        framer = self.connections[number]
        framer.feed(octets)
        for message_type, body in framer.messages():
            assert self.last.get(number) is not MessageType.NOTIFICATION
            assert number in self.last or message_type in (MessageType.OPEN, MessageType.NOTIFICATION)
            self.last[number] = message_type
            if number == self.listener and message_type is MessageType.UPDATE:
                self.listen(body)
        assert framer.buffered == 0, "we sent a part of a message"
        if self.takes or number == self.listener:
            self.speaker.feed(BytesWritten(number, len(octets)), self.now)

    def listen(self, body: bytes) -> None:
        update = decode_update(body, LISTENER_SESSION, ebgp=True)
        assert update.errors == ()
        for _, nlris in update.withdrawn:
            assert self.told.issuperset(nlris), "what was never told is withdrawn"
            self.told.difference_update(nlris)
        for _, attributes, nlris in update.announced:
            assert attributes.as_path[0].asns[0] == 64512
            self.told.update(nlris)

    def check(self) -> None:
        speaker = self.speaker
        assert self.listener in self.connections
        selected = {nlri for family, nlri in self.loc_rib if family == IPV4}
        assert OWN in self.told <= selected
        for (family, nlri), one in self.loc_rib.items():
            assert speaker.selected(family, nlri) is not None
            assert one.peer in (None, self.config.peer)
        statistics = speaker.statistics()
        assert statistics.prefixes == len(self.loc_rib)
        assert statistics.updates_waiting == statistics.prefixes_to_decide == 0
        assert statistics.prefixes_to_send == 0 or not self.takes
        for peer in speaker.peers():
            assert peer.prefixes_accepted <= peer.prefixes_received
            assert peer.prefixes_stale <= peer.prefixes_received
            assert (peer.state == "Established") == (peer.hold_time_s is not None)
            if peer.peer.address == LISTENER:
                assert (peer.state, peer.prefixes_advertised) == ("Established", len(self.told))
            elif (limit := self.config.prefix_limit) is not None and limit.action is LimitAction.DROP:
                assert peer.prefixes_received <= limit.maximum * len(self.config.families)

    def forget_peer(self) -> None:
        """The peer is no longer configured: what is left is what was before it."""
        self.speaker.configure(SPEAKER, {LISTENER_CONFIG.peer: LISTENER_CONFIG}, self.now)
        self.settle()
        assert list(self.connections) == [self.listener]
        assert not self.dialled
        assert self.told == {OWN}
        assert list(self.loc_rib) == [(IPV4, OWN)]
        statistics = self.speaker.statistics()
        assert (statistics.paths, statistics.attributes) == (1, 0)


KEEPALIVE: Final = encode_keepalive()


def script(data: bytes) -> None:
    """Play a script: two octets of configuration, then steps."""
    if len(data) < 3:
        return
    forget()
    config = config_of(data[0], data[1])
    rig = Rig(config, takes=not data[1] & 16)
    theirs = replace(config, local_as=config.remote_as, remote_as=64512)
    opened = encode_open(
        our_open(theirs, replace(SPEAKER, bgp_identifier=PEER), restarting=bool(data[0] & 2))
    )
    rig.accept(PEER)
    position, steps = 2, 0
    while position < len(data) and steps < STEPS_MAX:
        position = _step(rig, opened, data, position)
        steps += 1
        rig.settle()
    rig.forget_peer()


def _step(rig: Rig, opened: bytes, data: bytes, position: int) -> int:
    """Do one thing; returns where the next one is."""
    kind, parameter = data[position] & 7, data[position] >> 3
    position += 1
    connections = rig.others()
    number = connections[-1] if connections else 0
    match kind:
        case 0:
            rig.accept(PEER)
        case 1:
            rig.answer_dial(success=bool(parameter & 1))
        case 2 if parameter & 1:
            rig.close(number)
        case 2 if number:
            # The other connection has its turn.
            rig.connections[connections[0]] = rig.connections.pop(connections[0])
        case 3:
            rig.now += SECOND << parameter % 12
        case 4:
            rig.receive(number, opened + KEEPALIVE if parameter & 1 else opened)
        case 5:
            rig.receive(number, KEEPALIVE)
        case 6 | 7 if position < len(data):
            size = data[position]
            octets = data[position + 1 : position + 1 + size]
            position += 1 + size
            if kind == 7:
                octets = frame(tuple(MessageType)[parameter % 5], octets)
                parameter //= 5
            # In chunks; the first one is dealt with before the next comes.
            step = len(octets) >> parameter % 4 or 1
            for start in range(0, len(octets), step):
                rig.receive(number, octets[start : start + step])
                rig.turn()
        case _:
            pass
    return position
