"""Malformed UPDATEs of every class of RFC 7606, by their verdict, for an IPv4 session between two AS numbers.

Each is wrong in one way. AS 64999 is who sends them, and 203.0.113.0/24 what most of them are about.
"""

from felixbgp.bgp.wire.framer import frame
from felixbgp.bgp.wire.messages import MessageType

ORIGIN, AS_PATH, NEXT_HOP = (
    b"\x40\x01\x01\x00",
    b"\x40\x02\x06\x02\x01\x00\x00\xfd\xe7",
    b"\x40\x03\x04\xc0\x00\x02\x63",
)
PREFIX = b"\x18\xcb\x00\x71"
"""203.0.113.0/24"""


def an_update(*attributes: bytes, nlri: bytes = PREFIX, withdrawn: bytes = b"") -> bytes:
    octets = b"".join(attributes)
    lengths = [len(one).to_bytes(2, "big") for one in (withdrawn, octets)]
    return frame(MessageType.UPDATE, lengths[0] + withdrawn + lengths[1] + octets + nlri)


WITHDRAW = (
    an_update(b"\x40\x01\x02\x00\x00", AS_PATH, NEXT_HOP),
    an_update(b"\x40\x01\x01\x03", AS_PATH, NEXT_HOP),
    an_update(b"\x80\x01\x01\x00", AS_PATH, NEXT_HOP),
    an_update(ORIGIN, b"\x40\x02\x03\x02\x02\x00", NEXT_HOP),
    an_update(ORIGIN, b"\x40\x02\x06\x07\x01\x00\x00\xfd\xe7", NEXT_HOP),
    an_update(ORIGIN, AS_PATH),
    an_update(ORIGIN, AS_PATH, b"\x40\x03\x03\xc0\x00\x02"),
    an_update(ORIGIN, AS_PATH, b"\x40\x03\x04\xe0\x00\x00\x01"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\x80\x04\x03\x00\x00\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x08\x03\x00\x00\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x10\x07" + bytes(7)),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x20\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x23\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x08\xff\x00"),
)
DISCARD = (
    an_update(ORIGIN, ORIGIN, AS_PATH, NEXT_HOP),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\x40\x05\x04\x00\x00\x00\x64"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\x40\x06\x01\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x07\x06" + bytes(6)),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\x80\x09\x03" + bytes(3)),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\x80\x0a\x03" + bytes(3)),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, b"\xc0\x11\x06\x02\x01\x00\x00\xfd\xe7"),
)
RESET = (
    frame(MessageType.UPDATE, b"\xff\xff\x00\x00"),
    an_update(ORIGIN, AS_PATH, NEXT_HOP, nlri=b"\x21\x00\x00\x00\x00\x00"),
    an_update(withdrawn=b"\x20\x0a", nlri=b""),
    an_update(b"\x40\x63\x00", ORIGIN, AS_PATH, NEXT_HOP),
    an_update(b"\x80\x0e\x02\x00\x01", ORIGIN, AS_PATH, nlri=b""),
    an_update(b"\x80\x0e\x05\x00\x01\x01\x05\x00", ORIGIN, AS_PATH, nlri=b""),
    an_update(b"\x80\x0f\x03\x00\x01\x01", b"\x80\x0f\x03\x00\x01\x01", nlri=b""),
    an_update(b"\x40\x01\x02\x00\x00", nlri=b""),
)
