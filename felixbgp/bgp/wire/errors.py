"""NOTIFICATION codes, their names, and the one exception a peer's octets can cause.

Sources: RFC 4271 §4.5 and §6, RFC 4486 and 9384 (Cease), RFC 5492 §5 and 9234 §5 (OPEN), RFC 6608 (FSM),
RFC 7313 §5 (ROUTE-REFRESH), RFC 8538 §3 (Hard Reset), RFC 9003 (shutdown communication), RFC 9687 §3.
"""

from enum import IntEnum
from typing import Final

from felixbgp.bgp.wire.messages import NotificationMessage


class ErrorCode(IntEnum):
    """RFC 4271 §4.5; RFC 7313 §5; RFC 9687 §3."""

    MESSAGE_HEADER = 1
    OPEN_MESSAGE = 2
    UPDATE_MESSAGE = 3
    HOLD_TIMER_EXPIRED = 4
    FINITE_STATE_MACHINE = 5
    CEASE = 6
    ROUTE_REFRESH_MESSAGE = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class HeaderSubcode(IntEnum):
    """RFC 4271 §6.1."""

    CONNECTION_NOT_SYNCHRONIZED = 1
    BAD_MESSAGE_LENGTH = 2
    BAD_MESSAGE_TYPE = 3


class OpenSubcode(IntEnum):
    """RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §5; 0 is for a recognised but malformed parameter."""

    UNSPECIFIC = 0
    UNSUPPORTED_VERSION_NUMBER = 1
    BAD_PEER_AS = 2
    BAD_BGP_IDENTIFIER = 3
    UNSUPPORTED_OPTIONAL_PARAMETER = 4
    UNACCEPTABLE_HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7
    ROLE_MISMATCH = 11


class UpdateSubcode(IntEnum):
    """RFC 4271 §6.3."""

    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2
    MISSING_WELL_KNOWN_ATTRIBUTE = 3
    ATTRIBUTE_FLAGS_ERROR = 4
    ATTRIBUTE_LENGTH_ERROR = 5
    INVALID_ORIGIN_ATTRIBUTE = 6
    INVALID_NEXT_HOP_ATTRIBUTE = 8
    OPTIONAL_ATTRIBUTE_ERROR = 9
    INVALID_NETWORK_FIELD = 10
    MALFORMED_AS_PATH = 11


class FsmSubcode(IntEnum):
    """RFC 6608 §3: a message that does not belong in the named state."""

    UNSPECIFIED = 0
    UNEXPECTED_MESSAGE_IN_OPEN_SENT = 1
    UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM = 2
    UNEXPECTED_MESSAGE_IN_ESTABLISHED = 3


class CeaseSubcode(IntEnum):
    """RFC 4486 §3; RFC 8538 §3 (9); RFC 9384 §3 (10)."""

    MAXIMUM_PREFIXES_REACHED = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DE_CONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    OTHER_CONFIGURATION_CHANGE = 6
    CONNECTION_COLLISION_RESOLUTION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


class RouteRefreshSubcode(IntEnum):
    """RFC 7313 §5."""

    INVALID_MESSAGE_LENGTH = 1


_CODE_NAMES: Final[dict[int, str]] = {
    1: "Message Header Error",
    2: "OPEN Message Error",
    3: "UPDATE Message Error",
    4: "Hold Timer Expired",
    5: "Finite State Machine Error",
    6: "Cease",
    7: "ROUTE-REFRESH Message Error",
    8: "Send Hold Timer Expired",
}

_SUBCODE_NAMES: Final[dict[tuple[int, int], str]] = {
    (1, 1): "Connection Not Synchronized",
    (1, 2): "Bad Message Length",
    (1, 3): "Bad Message Type",
    (2, 1): "Unsupported Version Number",
    (2, 2): "Bad Peer AS",
    (2, 3): "Bad BGP Identifier",
    (2, 4): "Unsupported Optional Parameter",
    (2, 5): "Authentication Failure (deprecated)",
    (2, 6): "Unacceptable Hold Time",
    (2, 7): "Unsupported Capability",
    (2, 11): "Role Mismatch",
    (3, 1): "Malformed Attribute List",
    (3, 2): "Unrecognized Well-known Attribute",
    (3, 3): "Missing Well-known Attribute",
    (3, 4): "Attribute Flags Error",
    (3, 5): "Attribute Length Error",
    (3, 6): "Invalid ORIGIN Attribute",
    (3, 7): "AS Routing Loop (deprecated)",
    (3, 8): "Invalid NEXT_HOP Attribute",
    (3, 9): "Optional Attribute Error",
    (3, 10): "Invalid Network Field",
    (3, 11): "Malformed AS_PATH",
    (5, 1): "Receive Unexpected Message in OpenSent State",
    (5, 2): "Receive Unexpected Message in OpenConfirm State",
    (5, 3): "Receive Unexpected Message in Established State",
    (6, 1): "Maximum Number of Prefixes Reached",
    (6, 2): "Administrative Shutdown",
    (6, 3): "Peer De-configured",
    (6, 4): "Administrative Reset",
    (6, 5): "Connection Rejected",
    (6, 6): "Other Configuration Change",
    (6, 7): "Connection Collision Resolution",
    (6, 8): "Out of Resources",
    (6, 9): "Hard Reset",
    (6, 10): "BFD Down",
    (7, 1): "Invalid Message Length",
}

SHUTDOWN_COMMUNICATION_OCTETS_MAX = 255
"""RFC 9003 §2: the length is one octet."""

_WITH_COMMUNICATION = (CeaseSubcode.ADMINISTRATIVE_SHUTDOWN, CeaseSubcode.ADMINISTRATIVE_RESET)


class WireError(Exception):
    """A peer sent what ends the session; the attributes are those of the NOTIFICATION to answer with.

    `code`, `subcode` and `data` go onto the wire; `text` says in words what was wrong, for people.
    """

    def __init__(self, code: int, subcode: int, data: bytes = b"", text: str = "") -> None:
        self.code = code
        self.subcode = subcode
        self.data = data
        self.text = text or notification_text(code, subcode)
        super().__init__(code, subcode, data, self.text)

    def __str__(self) -> str:
        return f"{notification_text(self.code, self.subcode)}: {self.text}"

    def notification(self) -> NotificationMessage:
        """The NOTIFICATION that answers this error."""
        return NotificationMessage(int(self.code), int(self.subcode), self.data)


def notification_text(code: int, subcode: int) -> str:
    """The names of a code and subcode, e.g. `Cease: Administrative Shutdown`; numbers when unassigned."""
    name = _CODE_NAMES.get(code, f"error code {int(code)}")
    if (code, subcode) in _SUBCODE_NAMES:
        return f"{name}: {_SUBCODE_NAMES[code, subcode]}"
    return f"{name}: subcode {int(subcode)}" if subcode else name


def describe_notification(message: NotificationMessage) -> str:
    """A received NOTIFICATION in one printable line: names, then what its data tells, when it does."""
    text = notification_text(message.code, message.subcode)
    if message.code != ErrorCode.CEASE:
        return text
    if message.subcode in _WITH_COMMUNICATION:
        communication = decode_shutdown_communication(message.data)
        return f"{text}: {communication}" if communication else text
    inner = decode_hard_reset(message.data) if message.subcode == CeaseSubcode.HARD_RESET else None
    if inner is None:
        return text
    # One level only, as a hostile peer could nest thousands.
    if (inner.code, inner.subcode) == (ErrorCode.CEASE, CeaseSubcode.HARD_RESET):
        return f"{text}: {notification_text(inner.code, inner.subcode)}"
    return f"{text}: {describe_notification(inner)}"


def encode_hard_reset(code: int, subcode: int, data: bytes = b"") -> bytes:
    """The data of a Cease/9: the NOTIFICATION it stands for (RFC 8538 §3.1)."""
    return bytes((code, subcode)) + data


def decode_hard_reset(data: bytes) -> NotificationMessage | None:
    """The NOTIFICATION that a Hard Reset stands for; None when its data is too short to tell."""
    return NotificationMessage(data[0], data[1], data[2:]) if len(data) >= 2 else None


def encode_shutdown_communication(text: str) -> bytes:
    """The data of a Cease/2 or Cease/4 (RFC 9003 §2); the text is cut to 255 octets at a character."""
    octets = text.encode("utf-8", "replace")[:SHUTDOWN_COMMUNICATION_OCTETS_MAX]
    octets = octets.decode("utf-8", "ignore").encode()
    return bytes((len(octets),)) + octets if octets else b""


def decode_shutdown_communication(data: bytes) -> str:
    """The text in the data of a Cease/2 or Cease/4, safe to print; "" when there is none.

    RFC 9003 §2 and §4: what is not UTF-8 or not printable comes out escaped, and a length that does not fit
    is overlooked, for the words may still help an operator.
    """
    text = data[1 : 1 + data[0]].decode("utf-8", "backslashreplace") if data else ""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
