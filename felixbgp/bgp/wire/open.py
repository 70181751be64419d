"""OPEN: octets to `OpenMessage` and back, its capabilities, its validation, and what two OPENs agree on.

RFC 4271 §4.2 and §6.2; RFC 5492 (capabilities), 9072 (extended optional parameters length), 4760 §8
(multiprotocol), 6793 (four-octet AS numbers), 2918 and 7313 (route refresh), 8654 (extended messages),
6286 (identifiers), 7607 (AS 0).
"""

from enum import IntEnum
from typing import Final

from felixbgp.bgp.wire.errors import ErrorCode, OpenSubcode, WireError
from felixbgp.bgp.wire.framer import HEADER_OCTETS, MESSAGE_OCTETS_MAX, bad_message_length, frame
from felixbgp.bgp.wire.messages import Capability, MessageType, Negotiated, OpenMessage
from felixbgp.net import IPV4, Address, Family

VERSION: Final = 4
AS_TRANS: Final = 23456
"""RFC 6793 §9: stands for any AS number that two octets cannot hold."""
AS_TWO_OCTETS_MAX: Final = 0xFFFF

_CAPABILITIES_PARAMETER: Final = 2
_EXTENDED_PARAMETERS: Final = 255
_FIXED_OCTETS: Final = 10
_NANOSECONDS: Final = 1_000_000_000


class CapabilityCode(IntEnum):
    """The capabilities that have a name here; any other is carried by its number."""

    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    EXTENDED_NEXT_HOP = 5
    EXTENDED_MESSAGE = 6
    ROLE = 9
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65
    ADD_PATH = 69
    ENHANCED_ROUTE_REFRESH = 70
    LONG_LIVED_GRACEFUL_RESTART = 71
    FQDN = 73
    ROUTE_REFRESH_CISCO = 128


_VALUE_OCTETS: Final[dict[int, int]] = {
    CapabilityCode.MULTIPROTOCOL: 4,
    CapabilityCode.FOUR_OCTET_AS: 4,
}
"""Capabilities whose value we read, and the one length it can have."""

ROUTE_REFRESH: Final = Capability(CapabilityCode.ROUTE_REFRESH)
ENHANCED_ROUTE_REFRESH: Final = Capability(CapabilityCode.ENHANCED_ROUTE_REFRESH)
EXTENDED_MESSAGE: Final = Capability(CapabilityCode.EXTENDED_MESSAGE)


def multiprotocol(family: Family) -> Capability:
    """RFC 4760 §8."""
    value = b"%b\0%c" % (family.afi.to_bytes(2, "big"), family.safi)
    return Capability(CapabilityCode.MULTIPROTOCOL, value)


def four_octet_as(number: int) -> Capability:
    """RFC 6793 §3."""
    return Capability(CapabilityCode.FOUR_OCTET_AS, number.to_bytes(4, "big"))


def make_open(
    *,
    local_as: int,
    hold_time_s: int,
    bgp_identifier: Address,
    families: tuple[Family, ...],
    extra: tuple[Capability, ...] = (ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH, EXTENDED_MESSAGE),
) -> OpenMessage:
    """Our OPEN: the families, four-octet AS numbers, then `extra` capabilities."""
    return OpenMessage(
        my_as=local_as if local_as <= AS_TWO_OCTETS_MAX else AS_TRANS,
        hold_time_s=hold_time_s,
        bgp_identifier=bytes(bgp_identifier),
        capabilities=(*(multiprotocol(one) for one in families), four_octet_as(local_as), *extra),
    )


def families_of(message: OpenMessage) -> tuple[Family, ...]:
    """The families an OPEN offers, in its order; without any multiprotocol capability IPv4 unicast."""
    found: dict[Family, None] = {}
    for one in message.capabilities:
        if one.code == CapabilityCode.MULTIPROTOCOL and len(one.value) == 4:
            found[Family(int.from_bytes(one.value[:2], "big"), one.value[3])] = None
    return tuple(found) or (IPV4,)


def as_number_of(message: OpenMessage) -> int:
    """The AS number of the sender: that of the four-octet capability, else the two-octet field."""
    for one in message.capabilities:
        if one.code == CapabilityCode.FOUR_OCTET_AS and len(one.value) == 4:
            return int.from_bytes(one.value, "big")
    return message.my_as


def has_capability(message: OpenMessage, *codes: int) -> bool:
    """Whether an OPEN has any capability of these codes."""
    return any(one.code in codes for one in message.capabilities)


def encode_open(message: OpenMessage) -> bytes:
    """The whole message. Raises `ValueError` for capabilities that OPEN cannot hold."""
    parts: list[bytes] = []
    for one in message.capabilities:
        if len(one.value) > 255:
            raise ValueError(f"capability {one.code} of {len(one.value)} octets cannot be sent")
        parts.append(b"%c%c%b" % (one.code, len(one.value), one.value))
    parameters = _encode_parameters(b"".join(parts))
    if HEADER_OCTETS + _FIXED_OCTETS + len(parameters) > MESSAGE_OCTETS_MAX:
        raise ValueError("the capabilities do not fit an OPEN")
    fixed = b"%c%b%b%b" % (
        message.version,
        message.my_as.to_bytes(2, "big"),
        message.hold_time_s.to_bytes(2, "big"),
        message.bgp_identifier,
    )
    return frame(MessageType.OPEN, fixed + parameters)


def _encode_parameters(capabilities: bytes) -> bytes:
    """Optional parameters length and one parameter with all capabilities (RFC 5492 §4, RFC 9072 §2)."""
    size = len(capabilities)
    if not size:
        return b"\0"
    if size + 2 < _EXTENDED_PARAMETERS:
        return b"%c%c%c%b" % (size + 2, _CAPABILITIES_PARAMETER, size, capabilities)
    return b"\xff\xff%b%c%b%b" % (
        (size + 3).to_bytes(2, "big"),
        _CAPABILITIES_PARAMETER,
        size.to_bytes(2, "big"),
        capabilities,
    )


def decode_open(body: bytes) -> OpenMessage:
    """Read the body of an OPEN; only its form is judged here, see `validate_open`.

    An OPEN of another version comes back without capabilities, as only its first octets have a known form.
    Raises `WireError`.
    """
    if len(body) < _FIXED_OCTETS:
        raise bad_message_length(HEADER_OCTETS + len(body), "an OPEN has at least 29 octets")
    return OpenMessage(
        version=body[0],
        my_as=int.from_bytes(body[1:3], "big"),
        hold_time_s=int.from_bytes(body[3:5], "big"),
        bgp_identifier=body[5:9],
        capabilities=_decode_parameters(body) if body[0] == VERSION else (),
    )


def _decode_parameters(body: bytes) -> tuple[Capability, ...]:
    start, size, width = _FIXED_OCTETS, body[9], 1
    if size and body[10:11] == b"\xff":
        # RFC 9072 §2: the type tells the extended form; the one-octet length before it is then ignored.
        start, size, width = _FIXED_OCTETS + 3, int.from_bytes(body[11:13], "big"), 2
    if start + size != len(body):
        raise _malformed("the optional parameters length does not match the length of the message")
    found: list[Capability] = []
    while start < len(body):
        kind = body[start]
        value_start = start + 1 + width
        value_end = value_start + int.from_bytes(body[start + 1 : value_start], "big")
        if value_start > len(body) or value_end > len(body):
            raise _malformed(f"optional parameter {kind} is longer than the optional parameters")
        if kind != _CAPABILITIES_PARAMETER:
            raise WireError(
                ErrorCode.OPEN_MESSAGE,
                OpenSubcode.UNSUPPORTED_OPTIONAL_PARAMETER,
                text=f"optional parameter {kind} is not known",
            )
        _decode_capabilities(body[value_start:value_end], found)
        start = value_end
    return tuple(found)


def _decode_capabilities(value: bytes, found: list[Capability]) -> None:
    position = 0
    while position < len(value):
        end = position + 2 + (value[position + 1] if position + 1 < len(value) else 255)
        if end > len(value):
            raise _malformed(f"capability {value[position]} is longer than its optional parameter")
        found.append(Capability(value[position], value[position + 2 : end]))
        position = end


def _malformed(text: str) -> WireError:
    """RFC 4271 §6.2: a parameter that is recognised but malformed is "Unspecific"."""
    return WireError(ErrorCode.OPEN_MESSAGE, OpenSubcode.UNSPECIFIC, text=text)


def validate_open(
    message: OpenMessage, *, expected_as: int, local_as: int, local_identifier: Address
) -> None:
    """Judge a peer's OPEN (RFC 4271 §6.2); raises `WireError` at the first thing that is wrong."""
    if message.version != VERSION:
        raise WireError(
            ErrorCode.OPEN_MESSAGE,
            OpenSubcode.UNSUPPORTED_VERSION_NUMBER,
            VERSION.to_bytes(2, "big"),
            f"version {message.version} is not supported",
        )
    for one in message.capabilities:
        if _VALUE_OCTETS.get(one.code, len(one.value)) != len(one.value):
            raise _malformed(f"capability {one.code} cannot have {len(one.value)} octets")
    _validate_as(message, expected_as)
    if message.hold_time_s in (1, 2):
        raise WireError(
            ErrorCode.OPEN_MESSAGE,
            OpenSubcode.UNACCEPTABLE_HOLD_TIME,
            text=f"a hold time of {message.hold_time_s} s is too short",
        )
    if message.bgp_identifier == b"\0\0\0\0":
        raise _bad_identifier("the BGP identifier is zero")
    if expected_as == local_as and message.bgp_identifier == local_identifier:
        raise _bad_identifier("an internal peer has our own BGP identifier")


def _validate_as(message: OpenMessage, expected_as: int) -> None:
    peer_as = as_number_of(message)
    # RFC 7607 §2: zero is wrong in the two-octet field too, whatever the capability says.
    if message.my_as == 0 or peer_as == 0:
        text = "AS number 0 is reserved"
    elif peer_as != expected_as:
        text = f"the peer says it is AS {peer_as}, not AS {expected_as}"
    else:
        return
    raise WireError(ErrorCode.OPEN_MESSAGE, OpenSubcode.BAD_PEER_AS, text=text)


def _bad_identifier(text: str) -> WireError:
    """RFC 6286 §2.2."""
    return WireError(ErrorCode.OPEN_MESSAGE, OpenSubcode.BAD_BGP_IDENTIFIER, text=text)


def negotiate(local: OpenMessage, remote: OpenMessage) -> Negotiated:
    """What our OPEN and a valid one of the peer agree on.

    A capability counts when both have it. The hold time is the smaller one, and zero means no timers
    (RFC 4271 §4.2); KEEPALIVEs go out at a third of it (§10). Families keep our order. Raises `WireError`
    Unsupported Capability when there is no common family: RFC 5492 §5.
    """
    offered = families_of(remote)
    families = tuple(one for one in families_of(local) if one in offered)
    if not families:
        raise WireError(
            ErrorCode.OPEN_MESSAGE,
            OpenSubcode.UNSUPPORTED_CAPABILITY,
            b"".join(b"\x01\x04" + multiprotocol(one).value for one in families_of(local)),
            "there is no address family that both sides speak",
        )
    hold_time_s = min(local.hold_time_s, remote.hold_time_s)
    return Negotiated(
        families=families,
        peer_as=as_number_of(remote),
        peer_identifier=Address(remote.bgp_identifier),
        hold_time_ns=hold_time_s * _NANOSECONDS,
        keepalive_ns=hold_time_s * _NANOSECONDS // 3,
        four_octet_as=_both(local, remote, CapabilityCode.FOUR_OCTET_AS),
        # Code 128 is what routers sent before RFC 2918 had a number; some still send nothing else.
        route_refresh=_both(local, remote, CapabilityCode.ROUTE_REFRESH, CapabilityCode.ROUTE_REFRESH_CISCO),
        enhanced_route_refresh=_both(local, remote, CapabilityCode.ENHANCED_ROUTE_REFRESH),
        extended_message=_both(local, remote, CapabilityCode.EXTENDED_MESSAGE),
        capabilities=remote.capabilities,
    )


def _both(local: OpenMessage, remote: OpenMessage, *codes: int) -> bool:
    return has_capability(local, *codes) and has_capability(remote, *codes)
