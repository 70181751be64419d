"""A peer with nothing but routes: it says what it was given, octet for octet ours, and keeps what it hears.

Our speakers originate plain routes only; a source behind one gives it others to pass on.
"""

from collections.abc import Iterable

import trio

from felixbgp.bgp.config import BGP_PORT
from felixbgp.bgp.wire.capabilities import EXTENDED_MESSAGE
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, MESSAGE_OCTETS_MAX, Framer
from felixbgp.bgp.wire.messages import MessageType, Negotiated, OpenMessage, PathAttributes, UpdateMessage
from felixbgp.bgp.wire.open import decode_open, encode_open, make_open, negotiate
from felixbgp.bgp.wire.update import decode_update, encode_announcements, encode_end_of_rib
from felixbgp.net import IPV4, Address, Family, Prefix

RECEIVE_OCTETS = 65536


class Source:
    """An internal peer that dials one of our speakers; without a hold time, so it need not keep alive."""

    def __init__(
        self,
        address: Address,
        asn: int,
        identifier: Address,
        routes: Iterable[tuple[PathAttributes, Prefix]],
    ) -> None:
        self.address = address
        self.ended = ""
        """Why the session ended, should it."""
        self.updates: list[UpdateMessage] = []
        """What the speaker said."""
        self._asn = asn
        self._identifier = identifier
        self._routes = tuple(routes)

    def received(self, prefix: Prefix) -> PathAttributes | None:
        """The attributes the speaker announced last for a prefix."""
        found = [
            attributes
            for update in self.updates
            for family, attributes, nlris in update.announced
            if family == prefix.family and prefix.nlri in nlris
        ]
        return found[-1] if found else None

    async def run(self, speaker: Address) -> None:
        """One session, until it ends or is cancelled; the speaker must be listening."""
        family = trio.socket.AF_INET if speaker.family == IPV4 else trio.socket.AF_INET6
        with trio.socket.socket(family, trio.socket.SOCK_STREAM) as sock:
            await sock.bind((str(self.address), 0))
            await sock.connect((str(speaker), BGP_PORT))
            stream = trio.SocketStream(sock)
            ours = self._open(speaker.family)
            await stream.send_all(encode_open(ours) + encode_keepalive())
            framer, negotiated = Framer(), None
            async for data in stream:
                framer.feed(bytes(data))
                for kind, body in framer.messages():
                    if kind is MessageType.OPEN:
                        negotiated = negotiate(ours, decode_open(body))
                        if negotiated.extended_message:
                            framer.messages_octets_max = EXTENDED_MESSAGE_OCTETS_MAX
                    elif negotiated is None or kind is MessageType.NOTIFICATION:
                        self.ended = f"{kind.name} {body!r}"
                    elif kind is MessageType.KEEPALIVE:
                        await stream.send_all(self._announcements(negotiated))
                    elif kind is MessageType.UPDATE:
                        self.updates.append(decode_update(body, negotiated, ebgp=False))

    def _open(self, family: Family) -> OpenMessage:
        return make_open(
            local_as=self._asn,
            hold_time_s=0,
            bgp_identifier=self._identifier,
            families=(family,),
            extra=(EXTENDED_MESSAGE,),
        )

    def _announcements(self, negotiated: Negotiated) -> bytes:
        """All routes; those that only an extended message could carry are left out where none may be sent."""
        length = EXTENDED_MESSAGE_OCTETS_MAX if negotiated.extended_message else MESSAGE_OCTETS_MAX
        messages = [
            message
            for attributes, prefix in self._routes
            for message in encode_announcements(prefix.family, attributes, (prefix.nlri,), max_length=length)
        ]
        return b"".join((*messages, *map(encode_end_of_rib, negotiated.families)))
