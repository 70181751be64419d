"""One party's session with the device under test, on a plain socket that never blocks."""

import selectors
import socket
from contextlib import suppress
from time import monotonic

from bench.load.counting import KEEPALIVE, NOTIFICATION, Tally
from bench.load.plan import Party
from felixbgp.bgp.config import BGP_PORT
from felixbgp.bgp.wire.capabilities import add_path
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_end_of_rib
from felixbgp.net import IPV4, IPV6

OPEN = 1
HOLD_TIME_S = 90
RECEIVE_OCTETS = 1 << 20
_ROOM = memoryview(bytearray(RECEIVE_OCTETS))
"""For all sessions, as there is one thread: to make so large an object anew would cost more than to read."""
SEND_OCTETS = 1 << 18
"""Offered to the socket at once, which takes what it has room for."""
DIAL_SECONDS_MAX = 3.0


class Session:
    """It dials and says OPEN at once.

    It is Established with the first KEEPALIVE, and says then that it has told all routes it has.
    """

    __slots__ = (
        "_device", "_family", "_opening", "_out", "_selector", "_socket", "_waits_to_write",
        "dialled_at", "ended", "heard_at", "is_established", "party", "tally",
    )  # fmt: skip

    def __init__(self, party: Party, device: str, nlri_octets: int, selector: selectors.BaseSelector) -> None:
        self.party = party
        self.tally = Tally(nlri_octets, has_path_ids=party.takes_many_paths)
        self.is_established = False
        self.ended = "never dialled"
        """Why there is no session."""
        self.heard_at = 0.0
        self.dialled_at = 0.0
        self._device = device
        self._family = IPV6 if party.is_ipv6 else IPV4
        self._selector = selector
        self._socket: socket.socket | None = None
        self._opening = b""
        self._out: list[memoryview] = []
        self._waits_to_write = False

    @property
    def is_closed(self) -> bool:
        """Whether to dial again."""
        return self._socket is None

    def dial(self) -> None:
        """Connect and say OPEN; what goes wrong is in `ended`."""
        kind = socket.AF_INET6 if self.party.is_ipv6 else socket.AF_INET
        self.dialled_at = monotonic()
        dialled = socket.socket(kind, socket.SOCK_STREAM)
        try:
            dialled.settimeout(DIAL_SECONDS_MAX)
            dialled.bind((self.party.address, 0))
            dialled.connect((self._device, BGP_PORT))
        except OSError as error:
            self.ended = str(error)
            dialled.close()
            return
        dialled.settimeout(0)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._opening, self.ended = dialled, b"", "no answer"
        self._selector.register(dialled, selectors.EVENT_READ, self)
        self.send(self._open())

    def give_up(self) -> None:
        """Hang up, because nobody answers."""
        self._close("no answer")

    def send(self, messages: bytes) -> None:
        """Send as far as the socket takes it, and the rest when it has room."""
        self._out.append(memoryview(messages))
        self._flush()

    def keep_alive(self) -> None:
        """Say so, unless there is more to say."""
        if self.is_established and not self._out:
            self.send(encode_keepalive())

    def attend(self, events: int) -> None:
        """Read or write."""
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and self._socket is not None:
            self._receive(self._socket)

    def _receive(self, source: socket.socket) -> None:
        try:
            data = bytes(_ROOM[: source.recv_into(_ROOM)])
        except BlockingIOError:
            return
        except OSError as error:
            self._close(str(error))
            return
        if not data:
            self._close(f"closed by the device, NOTIFICATION {self.tally.notification.hex(' ')}")
        elif self.is_established:
            updates = self.tally.updates
            self.tally.take(data)
            if self.tally.updates != updates:
                self.heard_at = monotonic()
        else:
            self._open_up(data)

    def _open_up(self, data: bytes) -> None:
        """Messages before the session is Established, one at a time."""
        data = self._opening + data
        while not self.is_established and len(data) >= 19:
            length = int.from_bytes(data[16:18], "big")
            if len(data) < length:
                break
            kind, body, data = data[18], data[19:length], data[length:]
            if kind == OPEN:
                self.send(encode_keepalive())
            elif kind == NOTIFICATION:
                self._close(f"NOTIFICATION {body[:2].hex(' ')}")
                return
            elif kind == KEEPALIVE:
                self.is_established, self.ended = True, ""
                self.send(encode_end_of_rib(self._family))
        self._opening = data
        if self.is_established:
            self.tally.take(data)

    def _flush(self) -> None:
        target = self._socket
        if target is None:
            return
        out = self._out
        try:
            while out:
                sent = target.send(out[0][:SEND_OCTETS])
                out[0] = out[0][sent:]
                if not out[0]:
                    del out[0]
        except BlockingIOError:
            pass
        except OSError as error:
            self._close(str(error))
            return
        if bool(out) is not self._waits_to_write:
            self._waits_to_write = bool(out)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0)
            self._selector.modify(target, events, self)

    def _open(self) -> bytes:
        many = self.party.takes_many_paths
        extra = (add_path([(self._family, True, False)]),) if many else ()
        return encode_open(
            make_open(
                local_as=self.party.as_number,
                hold_time_s=HOLD_TIME_S,
                bgp_identifier=self.party.identifier,
                families=(self._family,),
                extra=extra,
            )
        )

    def _close(self, reason: str) -> None:
        if self._socket is None:
            return
        with suppress(KeyError):
            self._selector.unregister(self._socket)
        self._socket.close()
        self._socket, self._out, self._waits_to_write = None, [], False
        self.is_established, self.ended = False, reason
