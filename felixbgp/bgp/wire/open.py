"""OPEN: octets to `OpenMessage` and back, its validation, and what two OPENs agree on.

RFC 4271 §4.2 and §6.2; RFC 5492 (capabilities), 9072 (extended optional parameters length), 6793 (four-octet
AS numbers), 6286 (identifiers), 7607 (AS 0), 9234 §4.2 (roles), 7911 §5 (add-path).
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    CapabilityCode,
    Role,
    four_octet_as,
    is_well_formed,
    multiprotocol,
    read_add_path,
    read_extended_next_hop,
    read_families,
    read_four_octet_as,
    read_graceful_restart,
    read_long_lived,
    read_roles,
)
from felixbgp.bgp.wire.errors import ErrorCode, OpenSubcode, WireError
from felixbgp.bgp.wire.framer import HEADER_OCTETS, MESSAGE_OCTETS_MAX, bad_message_length, frame
from felixbgp.bgp.wire.messages import Capability, MessageType, Negotiated, OpenMessage, PeerRestart
from felixbgp.net import IPV4, Address, Family

VERSION: Final = 4
AS_TRANS: Final = 23456
"""RFC 6793 §9: stands for any AS number that two octets cannot hold."""
AS_TWO_OCTETS_MAX: Final = 0xFFFF

_CAPABILITIES_PARAMETER: Final = 2
_EXTENDED_PARAMETERS: Final = 255
"""In the place of a type: lengths have two octets (RFC 9072 §2)."""
_FIXED_OCTETS: Final = 10
ALIKE_MAX: Final = 64
"""What is remembered of OPENs, and what all peers share that say, or are told, the same. A session keeps it
for its life; the longest take 4 KiB each."""
_NANOSECONDS: Final = 1_000_000_000


@lru_cache(maxsize=ALIKE_MAX)
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
    return read_families(message.capabilities) or (IPV4,)


def as_number_of(message: OpenMessage) -> int:
    """The AS number of the sender: that of the four-octet capability, else the two-octet field."""
    number = read_four_octet_as(message.capabilities)
    return message.my_as if number is None else number


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
    if size + 2 <= 255:
        return b"%c%c%c%b" % (size + 2, _CAPABILITIES_PARAMETER, size, capabilities)
    return b"\xff%c%b%c%b%b" % (
        _EXTENDED_PARAMETERS,
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
        capabilities=_decode_parameters(body[_FIXED_OCTETS - 1 :]) if body[0] == VERSION else (),
    )


@lru_cache(maxsize=ALIKE_MAX)
def _decode_parameters(body: bytes) -> tuple[Capability, ...]:
    """The capabilities, from the length of the optional parameters on."""
    start, size, width = 1, body[0], 1
    if size and body[1:2] == bytes((_EXTENDED_PARAMETERS,)):
        # RFC 9072 §2: the type tells the extended form; the one-octet length before it is then ignored.
        start, size, width = 4, int.from_bytes(body[2:4], "big"), 2
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
    message: OpenMessage,
    *,
    expected_as: int,
    local_as: int,
    local_identifier: Address,
    role: Role | None = None,
    role_strict: bool = False,
) -> None:
    """Judge a peer's OPEN (RFC 4271 §6.2); raises `WireError` at the first thing that is wrong.

    `role` is ours towards this peer (RFC 9234), None when there is none; `role_strict` refuses a peer that
    tells none. Roles are for external peers only.
    """
    if message.version != VERSION:
        raise WireError(
            ErrorCode.OPEN_MESSAGE,
            OpenSubcode.UNSUPPORTED_VERSION_NUMBER,
            VERSION.to_bytes(2, "big"),
            f"version {message.version} is not supported",
        )
    for one in message.capabilities:
        # RFC 7911 §4 has malformed ADD-PATH ignored; for the others RFC 4271 §6.2 stands.
        if one.code != CapabilityCode.ADD_PATH and not is_well_formed(one):
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
    if expected_as != local_as:
        _validate_role(read_roles(message.capabilities), role, role_strict)


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


def _validate_role(theirs: tuple[int, ...], ours: Role | None, strict: bool) -> None:
    """RFC 9234 §4.2."""
    if len(theirs) > 1:
        text = f"the peer has several roles: {', '.join(map(str, theirs))}"
    elif ours is None or (not theirs and not strict):
        return
    elif not theirs:
        text = "the peer tells no role"
    elif theirs[0] != ours.counterpart:
        text = f"the peer's role {theirs[0]} does not go with our role {int(ours)}"
    else:
        return
    raise WireError(ErrorCode.OPEN_MESSAGE, OpenSubcode.ROLE_MISMATCH, text=text)


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
    receive, send = _add_path(families, local, remote)
    ours, theirs = (read_extended_next_hop(one.capabilities) for one in (local, remote))
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
        add_path_receive=receive,
        add_path_send=send,
        extended_next_hop=tuple(one for one in families if one in ours and one in theirs),
        graceful_restart=_graceful_restart(local, remote),
        long_lived=read_long_lived(remote.capabilities),
        peer_role=next(iter(read_roles(remote.capabilities)), None),
        capabilities=remote.capabilities,
    )


def _add_path(
    families: tuple[Family, ...], local: OpenMessage, remote: OpenMessage
) -> tuple[tuple[Family, ...], tuple[Family, ...]]:
    """In which families they put identifiers before prefixes, and in which we do (RFC 7911 §5)."""
    ours, theirs = read_add_path(local.capabilities), read_add_path(remote.capabilities)
    both = [one for one in families if one in ours and one in theirs]
    receive = tuple(one for one in both if ours[one].receive and theirs[one].send)
    send = tuple(one for one in both if ours[one].send and theirs[one].receive)
    return receive, send


def _graceful_restart(local: OpenMessage, remote: OpenMessage) -> PeerRestart | None:
    theirs = read_graceful_restart(remote.capabilities)
    ours = read_graceful_restart(local.capabilities)
    if theirs is None or (ours is not None and ours.notification):
        return theirs
    # RFC 8538 §2: the N bit of one side alone has no effect.
    return replace(theirs, notification=False)


def _both(local: OpenMessage, remote: OpenMessage, *codes: int) -> bool:
    return has_capability(local, *codes) and has_capability(remote, *codes)
