"""No router: it gives every session's octets to all others, to see how fast the generator is by itself."""

import selectors
import socket
import sys
from typing import ClassVar

from bench.load.daemons.base import Daemon
from bench.load.plan import DEVICE_AS, DEVICE_V4, DEVICE_V6
from felixbgp.bgp.config import BGP_PORT
from felixbgp.bgp.wire.codec import encode_keepalive
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.net import IPV4, IPV6, Address

UPDATE = 2
HEADER_OCTETS = 19
RECEIVE_OCTETS = 1 << 18
BACKLOG = 1024


class Mirror(Daemon):
    """One process of Python that copies octets."""

    name: ClassVar[str] = "mirror"
    title: ClassVar[str] = "mirror"
    is_changing: ClassVar[bool] = False

    @classmethod
    def version(cls) -> str:
        return "no router"

    def start(self) -> None:
        self.spawn(self.name, sys.executable, "-m", "bench.load.daemons.mirror")


def updates_end(data: bytes) -> tuple[bytes, int]:
    """The whole UPDATEs at the front of a stream, and where they end; other messages are left out."""
    at, parts, start = 0, [], 0
    while len(data) - at >= HEADER_OCTETS:
        end = at + (data[at + 16] << 8 | data[at + 17])
        if end > len(data):
            break
        if data[at + 18] != UPDATE:
            parts.append(data[start:at])
            start = end
        at = end
    parts.append(data[start:at])
    return b"".join(parts), at


def main() -> None:
    """Copy until killed."""
    selector = selectors.DefaultSelector()
    rests: dict[socket.socket, bytes] = {}
    for kind, address in ((socket.AF_INET, DEVICE_V4), (socket.AF_INET6, DEVICE_V6)):
        listener = socket.socket(kind, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, BGP_PORT))
        listener.listen(BACKLOG)
        selector.register(listener, selectors.EVENT_READ, kind)
    while True:
        for key, _ in selector.select():
            source = key.fileobj
            assert isinstance(source, socket.socket)
            if key.data is not None:
                party, _ = source.accept()
                party.sendall(_greeting(is_ipv6=key.data is socket.AF_INET6))
                rests[party] = b""
                selector.register(party, selectors.EVENT_READ)
            elif data := source.recv(RECEIVE_OCTETS):
                data = rests[source] + data
                whole, end = updates_end(data)
                rests[source] = data[end:]
                # It waits where somebody does not read, so the generator must read while it sends: it does.
                for other in rests if whole else ():
                    if other is not source:
                        other.sendall(whole)
            else:
                selector.unregister(source)
                del rests[source]
                source.close()


def _greeting(*, is_ipv6: bool) -> bytes:
    """OPEN and KEEPALIVE at once, whoever it is: internal or external, the generator does not look."""
    opened = make_open(
        local_as=DEVICE_AS,
        hold_time_s=0,
        bgp_identifier=Address.parse(DEVICE_V4),
        families=(IPV6 if is_ipv6 else IPV4,),
    )
    return encode_open(opened) + encode_keepalive()


if __name__ == "__main__":
    main()
