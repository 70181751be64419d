"""A BGP peer for measurements: a plain socket in a lab's fabric, and a thread that reads it."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Self

from felixbgp.bgp.config import BGP_PORT
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import MessageType, Negotiated, UpdateMessage
from felixbgp.bgp.wire.open import decode_open, encode_open, make_open, negotiate
from felixbgp.bgp.wire.update import decode_update, encode_end_of_rib
from felixbgp.lab import netns
from felixbgp.net import IPV4, Address

RECEIVE_OCTETS = 1 << 16
ANSWER_SECONDS_MAX = 120.0
RETRY_SECONDS = 0.2

Heard = Callable[[UpdateMessage], None]


class Peer:
    """An external peer that dials a speaker, for routes of the family of its address.

    It says at once that it has told all it has. It has no hold time, so that nothing need be kept alive.
    `heard` is called with every UPDATE of the speaker, in the reading thread.
    """

    def __init__(
        self,
        namespace: str,
        address: str,
        as_number: int,
        speaker: str,
        heard: Heard = lambda _: None,
    ) -> None:
        self._heard = heard
        self.address = Address.parse(address)
        self._ours = make_open(
            local_as=as_number,
            hold_time_s=0,
            bgp_identifier=Address(bytes(self.address[-4:])),
            families=(self.address.family,),
            extra=(),
        )
        self._negotiated: Negotiated | None = None
        self._established = threading.Event()
        self._ended = ""
        self._socket = dial(namespace, address, speaker)
        self._thread = threading.Thread(target=self._read, name=address, daemon=True)

    def __enter__(self) -> Self:
        self._socket.sendall(encode_open(self._ours) + encode_keepalive())
        self._thread.start()
        if not self._established.wait(ANSWER_SECONDS_MAX) or self._ended:
            raise ConnectionError(f"no session: {self._ended or 'no answer'}")
        self.send([encode_end_of_rib(self.address.family)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    @property
    def ended(self) -> str:
        """Why the session is over; "" while it stands."""
        return self._ended

    def send(self, messages: Iterable[bytes]) -> None:
        """Send whole messages; waits while the speaker does not read."""
        self._socket.sendall(b"".join(messages))

    def _read(self) -> None:
        framer = Framer()
        try:
            while data := self._socket.recv(RECEIVE_OCTETS):
                framer.feed(data)
                for kind, body in framer.messages():
                    self._take(kind, body)
            self._ended = self._ended or "the speaker closed it"
        except OSError as error:
            self._ended = self._ended or str(error)
        self._established.set()

    def _take(self, kind: MessageType, body: bytes) -> None:
        if kind is MessageType.OPEN:
            self._negotiated = negotiate(self._ours, decode_open(body))
        elif kind is MessageType.NOTIFICATION:
            self._ended = f"NOTIFICATION {body.hex(' ')}"
        elif kind is MessageType.KEEPALIVE:
            self._established.set()
        elif kind is MessageType.UPDATE and self._negotiated is not None:
            self._heard(decode_update(body, self._negotiated, ebgp=True))


def dial(namespace: str, address: str, speaker: str) -> socket.socket:
    """A connection to a speaker from an address of the namespace; waits until it listens."""
    deadline = monotonic() + ANSWER_SECONDS_MAX
    family = socket.AF_INET if Address.parse(speaker).family == IPV4 else socket.AF_INET6
    while True:
        with netns.inside(namespace):
            connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.bind((address, 0))
            connection.connect((speaker, BGP_PORT))
        except ConnectionRefusedError:
            connection.close()
            if monotonic() > deadline:
                raise
            threading.Event().wait(RETRY_SECONDS)
        except BaseException:
            connection.close()
            raise
        else:
            return connection
