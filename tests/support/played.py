"""Peers played by hand: a test says their part octet by octet, and reads what they are answered.

They stand beside the nodes of `speakers.Network` and dial themselves; the node waits for them.
"""

from dataclasses import replace
from itertools import count

from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpAccepted, TcpClosed
from felixbgp.bgp.snapshot import PeerSnapshot
from felixbgp.bgp.wire.capabilities import EXTENDED_MESSAGE, ROUTE_REFRESH
from felixbgp.bgp.wire.codec import decode_notification, encode_keepalive
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, Framer, frame
from felixbgp.bgp.wire.messages import (
    Capability,
    MessageType,
    Negotiated,
    NotificationMessage,
    OpenMessage,
    PathAttributes,
    UpdateMessage,
)
from felixbgp.bgp.wire.open import decode_open, encode_open, make_open, negotiate
from felixbgp.bgp.wire.update import (
    decode_update,
    encode_announcements,
    encode_end_of_rib,
    encode_withdrawals,
)
from felixbgp.net import Address, Family, Prefix
from tests.support.paths import sequence
from tests.support.speakers import Node

_CONNECTIONS = count(-100_000, -1)
KEEPALIVE = encode_keepalive()
Path = tuple[str, int]
"""A prefix and the identifier of a path to it; 0 where none are sent."""


class Played:
    """One peer of a node. What it hears is that of its last connection."""

    def __init__(self, node: Node, address: str, *, asn: int | None = None, **parameters: object) -> None:
        """`parameters` are for the node's view of this peer."""
        self.node = node
        self.address = Address.parse(address)
        self.family = self.address.family
        self.asn = node.config.local_as if asn is None else asn
        self.connection = 0
        self._from = 0
        self._open: OpenMessage | None = None
        config = PeerConfig(
            peer=PeerId(self.address),
            name=address,
            families=(self.family,),
            local_as=node.config.local_as,
            remote_as=self.asn,
            passive=True,
        )
        node.configure(*node.peers.values(), replace(config, **parameters))  # type: ignore[arg-type]

    # ---- what it does

    def connect(self) -> None:
        """Open a connection."""
        self.connection, self._from = next(_CONNECTIONS), len(self.node.sent)
        local, remote = Endpoint(self.node.address, 179), Endpoint(self.address, 40000)
        self.node.speaker.feed(TcpAccepted(self.connection, local, remote), self.node.network.now)
        self.node.network.settle()

    def hang_up(self, reason: str = "Connection reset by peer") -> None:
        """Let the connection break."""
        self.node.speaker.feed(TcpClosed(self.connection, reason), self.node.network.now)
        self.node.network.settle()

    def say(self, *messages: bytes) -> None:
        """Send octets, and take what is there to be read."""
        now = self.node.network.now
        self.node.speaker.feed(BytesReceived(self.connection, b"".join(messages)), now)
        self.node.network.settle()
        self.node.speaker.feed(BytesWritten(self.connection, 1 << 30), now)
        self.node.network.settle()

    def say_open(
        self,
        *extra: Capability,
        families: tuple[Family, ...] | None = None,
        hold_time_s: int = 90,
        two_octets: bool = False,
        my_as: int | None = None,
    ) -> None:
        """Send an OPEN with these capabilities; `two_octets`: AS numbers of four are unheard of.

        `my_as` is for the field of two octets.
        """
        self._open = make_open(
            local_as=self.asn,
            hold_time_s=hold_time_s,
            bgp_identifier=self.address
            if len(self.address) == 4
            else Address(bytes((10, *self.address[-3:]))),
            families=(self.family,) if families is None else families,
            extra=(ROUTE_REFRESH, *extra),
        )
        if two_octets:
            known = tuple(one for one in self._open.capabilities if one.code != 65)
            self._open = replace(self._open, capabilities=known)
        if my_as is not None:
            self._open = replace(self._open, my_as=my_as)
        self.say(encode_open(self._open))

    def establish(
        self,
        *extra: Capability,
        families: tuple[Family, ...] | None = None,
        hold_time_s: int = 90,
        two_octets: bool = False,
    ) -> "Played":
        """Bring a session up."""
        self.connect()
        self.say_open(*extra, families=families, hold_time_s=hold_time_s, two_octets=two_octets)
        self.say(KEEPALIVE)
        assert self.state == "Established"
        return self

    def update(self, attributes: bytes, nlri: bytes = b"", withdrawn: bytes = b"") -> None:
        """Send an UPDATE as it stands (RFC 4271 §4.3)."""
        lengths = [len(one).to_bytes(2, "big") for one in (withdrawn, attributes)]
        body = b"".join((lengths[0], withdrawn, lengths[1], attributes, nlri))
        self.say(frame(MessageType.UPDATE, body))

    def announce(self, *prefixes: str, path_id: int = 0, **attributes: object) -> None:
        """Announce prefixes; next hop and AS_PATH are those of this peer unless told otherwise."""
        by_kind: dict[str, object] = {"as_path": sequence(self.asn)} if self.external else {"local_pref": 100}
        known = {"next_hop": bytes(self.address), **by_kind, **attributes}
        session = self.session
        self.say(
            *encode_announcements(
                self.family,
                PathAttributes(**known),  # type: ignore[arg-type]
                self._nlris(prefixes, path_id),
                four_octet_as=session.four_octet_as,
                max_length=EXTENDED_MESSAGE_OCTETS_MAX if EXTENDED_MESSAGE in session.capabilities else 4096,
            )
        )

    def withdraw(self, *prefixes: str, path_id: int = 0) -> None:
        """Withdraw prefixes."""
        self.say(*encode_withdrawals(self.family, self._nlris(prefixes, path_id)))

    def end_of_rib(self) -> None:
        """Say that the table is complete."""
        self.say(encode_end_of_rib(self.family))

    def forget(self) -> None:
        """Read only what comes from now on."""
        self._from = len(self.node.sent)

    # ---- what it sees

    @property
    def external(self) -> bool:
        """Whether the node is in another AS."""
        return self.asn != self.node.config.local_as

    @property
    def snapshot(self) -> PeerSnapshot:
        """How the node sees this peer."""
        return next(one for one in self.node.speaker.peers() if one.peer.address == self.address)

    @property
    def state(self) -> str:
        """The state of the node's side."""
        return self.snapshot.state

    @property
    def octets(self) -> bytes:
        """Everything heard."""
        sent = self.node.sent[self._from :]
        return b"".join(chunk for one in sent if one.connection == self.connection for chunk in one.chunks)

    def heard(self) -> list[tuple[MessageType, bytes]]:
        """The messages heard: type and body."""
        framer = Framer(EXTENDED_MESSAGE_OCTETS_MAX)
        framer.feed(self.octets)
        return list(framer.messages())

    def kinds(self) -> list[MessageType]:
        """The types of the messages heard."""
        return [kind for kind, _ in self.heard()]

    @property
    def their_open(self) -> OpenMessage:
        """The node's OPEN of this connection."""
        sent = (chunk for one in self.node.sent if one.connection == self.connection for chunk in one.chunks)
        return next(decode_open(chunk[19:]) for chunk in sent if chunk[18] == MessageType.OPEN)

    @property
    def session(self) -> Negotiated:
        """What both sides agreed on, seen from here."""
        assert self._open is not None
        return negotiate(self._open, self.their_open)

    def notifications(self) -> list[NotificationMessage]:
        """The NOTIFICATIONs heard."""
        return [decode_notification(body) for kind, body in self.heard() if kind is MessageType.NOTIFICATION]

    def updates(self) -> list[UpdateMessage]:
        """The UPDATEs heard."""
        bodies = [body for kind, body in self.heard() if kind is MessageType.UPDATE]
        return [decode_update(body, self.session, self.external) for body in bodies]

    def paths(self) -> dict[Path, PathAttributes]:
        """What this peer knows from the node: announcements less withdrawals."""
        known: dict[Path, PathAttributes] = {}
        for update in self.updates():
            assert update.errors == ()
            for family, nlris in update.withdrawn:
                for nlri in nlris:
                    known.pop(self._path(family, nlri), None)
            for family, attributes, nlris in update.announced:
                known.update({self._path(family, nlri): attributes for nlri in nlris})
        return known

    def routes(self) -> dict[str, PathAttributes]:
        """The same where there is one path per prefix."""
        return {prefix: attributes for (prefix, _), attributes in self.paths().items()}

    def adj_rib_in(self) -> dict[str, PathAttributes]:
        """What the node has of this peer, before any policy."""
        return self.node.rib_in(self, self.family)  # type: ignore[arg-type]

    def _nlris(self, prefixes: tuple[str, ...], path_id: int) -> list[bytes]:
        identifier = path_id.to_bytes(4, "big") if self.family in self.session.add_path_send else b""
        return [identifier + Prefix.parse(one).nlri for one in prefixes]

    def _path(self, family: Family, nlri: bytes) -> Path:
        if family not in self.session.add_path_receive:
            return str(Prefix(family, nlri)), 0
        return str(Prefix(family, nlri[4:])), int.from_bytes(nlri[:4], "big")
