"""Capabilities of OPEN: how we write each, and what those of a peer say (RFC 5492).

A builder gives one `Capability`. A reader takes all of an OPEN, since some of them may come several times.
Values whose length breaks their form are refused before (`validate_open`); readers overlook them.

RFC 4760 §8 (multiprotocol), 2918 and 7313 (route refresh), 8950 §4 (extended next hop), 8654 §3 (extended
messages), 9234 §4.1 (role), 4724 §3 and 8538 §2 (graceful restart), 6793 §3 (AS numbers), 7911 §4
(add-path), 9494 §3.1 (long-lived graceful restart).
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from felixbgp.bgp.wire.messages import Capability, PeerRestart
from felixbgp.net import IPV4, IPV6, Family


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


class Role(IntEnum):
    """RFC 9234 §4.1: what the sender is to the receiver of the capability."""

    PROVIDER = 0
    ROUTE_SERVER = 1
    ROUTE_SERVER_CLIENT = 2
    CUSTOMER = 3
    PEER = 4

    @property
    def counterpart(self) -> "Role":
        """What the other side has to be (RFC 9234 §4.2, Table 2)."""
        return _COUNTERPARTS[self]


_COUNTERPARTS: Final = {
    Role.PROVIDER: Role.CUSTOMER,
    Role.CUSTOMER: Role.PROVIDER,
    Role.ROUTE_SERVER: Role.ROUTE_SERVER_CLIENT,
    Role.ROUTE_SERVER_CLIENT: Role.ROUTE_SERVER,
    Role.PEER: Role.PEER,
}

Capabilities = tuple[Capability, ...]

RESTART_TIME_S_MAX: Final = 0xFFF
"""RFC 4724 §3: the field has twelve bits."""
LONG_LIVED_STALE_TIME_S_MAX: Final = 0xFFFFFF
"""RFC 9494 §3.1: the field has three octets."""

_RESTARTING: Final = 0x8000
_NOTIFICATION: Final = 0x4000
_FORWARDING_PRESERVED: Final = 0x80
_ADD_PATH_RECEIVE: Final = 1
_ADD_PATH_SEND: Final = 2

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


def extended_next_hop(families: Iterable[Family]) -> Capability:
    """RFC 8950 §4: routes of these families may have an IPv6 next hop."""
    triples = [b"%b\0%c\0\2" % (family.afi.to_bytes(2, "big"), family.safi) for family in families]
    return Capability(CapabilityCode.EXTENDED_NEXT_HOP, b"".join(triples))


def role(value: int) -> Capability:
    """RFC 9234 §4.1: a `Role`, our own."""
    return Capability(CapabilityCode.ROLE, bytes((value,)))


def graceful_restart(
    restart_time_s: int,
    families: Iterable[tuple[Family, bool]],
    *,
    restarting: bool,
    notification: bool,
) -> Capability:
    """RFC 4724 §3; with each family, whether its forwarding state was preserved.

    `restarting` and `notification` are the R and N bits (RFC 8538 §2). Raises `ValueError` for a time of
    more than `RESTART_TIME_S_MAX`.
    """
    if restart_time_s > RESTART_TIME_S_MAX:
        raise ValueError(f"a restart time of {restart_time_s} s cannot be sent")
    head = restart_time_s | _RESTARTING * restarting | _NOTIFICATION * notification
    parts = [_family(family) + _flags(preserved) for family, preserved in families]
    return Capability(CapabilityCode.GRACEFUL_RESTART, b"".join((head.to_bytes(2, "big"), *parts)))


def long_lived(families: Iterable[tuple[Family, bool, int]]) -> Capability:
    """RFC 9494 §3.1: per family, whether its forwarding state was preserved, and the stale time in seconds.

    Raises `ValueError` for a time of more than `LONG_LIVED_STALE_TIME_S_MAX`.
    """
    parts: list[bytes] = []
    for family, preserved, stale_time_s in families:
        if stale_time_s > LONG_LIVED_STALE_TIME_S_MAX:
            raise ValueError(f"a stale time of {stale_time_s} s cannot be sent")
        parts.append(_family(family) + _flags(preserved) + stale_time_s.to_bytes(3, "big"))
    return Capability(CapabilityCode.LONG_LIVED_GRACEFUL_RESTART, b"".join(parts))


def add_path(families: Iterable[tuple[Family, bool, bool]]) -> Capability:
    """RFC 7911 §4: per family, whether we take several paths for a prefix, and whether we send them.

    A family with neither is left out, as there is no value for it.
    """
    parts = [
        b"%b%c" % (_family(family), _ADD_PATH_RECEIVE * receive | _ADD_PATH_SEND * send)
        for family, receive, send in families
        if receive or send
    ]
    return Capability(CapabilityCode.ADD_PATH, b"".join(parts))


def _family(family: Family) -> bytes:
    return b"%b%c" % (family.afi.to_bytes(2, "big"), family.safi)


def _flags(preserved: bool) -> bytes:
    return bytes((_FORWARDING_PRESERVED * preserved,))


def read_families(capabilities: Capabilities) -> tuple[Family, ...]:
    """The families of all multiprotocol capabilities, each once, in their order."""
    values = _values(capabilities, CapabilityCode.MULTIPROTOCOL)
    return tuple(dict.fromkeys(Family(int.from_bytes(one[:2], "big"), one[3]) for one in values))


def read_four_octet_as(capabilities: Capabilities) -> int | None:
    """The AS number of the four-octet capability."""
    for value in _values(capabilities, CapabilityCode.FOUR_OCTET_AS):
        return int.from_bytes(value, "big")
    return None


def read_extended_next_hop(capabilities: Capabilities) -> tuple[Family, ...]:
    """The IPv4 families whose routes may have an IPv6 next hop (RFC 8950 §4)."""
    found: dict[Family, None] = {}
    for value in _values(capabilities, CapabilityCode.EXTENDED_NEXT_HOP):
        for one in _cut(value, 6):
            # AFI and next hop's AFI are of two octets each, and so is the SAFI, which has one elsewhere.
            family = Family(int.from_bytes(one[:2], "big"), int.from_bytes(one[2:4], "big"))
            if family.afi == IPV4.afi and int.from_bytes(one[4:], "big") == IPV6.afi:
                found[family] = None
    return tuple(found)


def read_roles(capabilities: Capabilities) -> tuple[int, ...]:
    """The roles that the peer says it has, each once; more than one is a mismatch (RFC 9234 §4.2)."""
    return tuple(dict.fromkeys(one[0] for one in _values(capabilities, CapabilityCode.ROLE)))


def read_graceful_restart(capabilities: Capabilities) -> PeerRestart | None:
    """RFC 4724 §3: the last instance counts; `notification` is the N bit as it was sent."""
    found: PeerRestart | None = None
    for value in _values(capabilities, CapabilityCode.GRACEFUL_RESTART):
        head = int.from_bytes(value[:2], "big")
        families = {_family_of(one): bool(one[3] & _FORWARDING_PRESERVED) for one in _cut(value[2:], 4)}
        found = PeerRestart(
            restarting=bool(head & _RESTARTING),
            notification=bool(head & _NOTIFICATION),
            restart_time_s=head & RESTART_TIME_S_MAX,
            families=tuple(families.items()),
        )
    return found


def read_long_lived(capabilities: Capabilities) -> tuple[tuple[Family, bool, int], ...]:
    """RFC 9494 §3.1, §4.1: nothing without the graceful restart capability, which it goes with."""
    if read_graceful_restart(capabilities) is None:
        return ()
    found: dict[Family, tuple[Family, bool, int]] = {}
    for value in _values(capabilities, CapabilityCode.LONG_LIVED_GRACEFUL_RESTART):
        # The last instance counts, as of the capability it goes with.
        found = {}
        for one in _cut(value, 7):
            family = _family_of(one)
            preserved = bool(one[3] & _FORWARDING_PRESERVED)
            found[family] = (family, preserved, int.from_bytes(one[4:], "big"))
    return tuple(found.values())


class AddPath(NamedTuple):
    """What the sender of an add-path capability can do in a family."""

    receive: bool
    """It takes several paths for a prefix."""
    send: bool
    """It sends them."""


def read_add_path(capabilities: Capabilities) -> dict[Family, AddPath]:
    """RFC 7911 §4: with a Send/Receive field that means nothing, the capability is ignored as a whole."""
    found: dict[Family, AddPath] = {}
    for value in _values(capabilities, CapabilityCode.ADD_PATH):
        parts = _cut(value, 4)
        if all(1 <= one[3] <= _ADD_PATH_RECEIVE | _ADD_PATH_SEND for one in parts):
            for one in parts:
                found[_family_of(one)] = AddPath(
                    bool(one[3] & _ADD_PATH_RECEIVE), bool(one[3] & _ADD_PATH_SEND)
                )
    return found


_FORMS: Final[dict[int, tuple[int, int]]] = {
    CapabilityCode.MULTIPROTOCOL: (4, 0),
    CapabilityCode.EXTENDED_NEXT_HOP: (0, 6),
    CapabilityCode.ROLE: (1, 0),
    CapabilityCode.GRACEFUL_RESTART: (2, 4),
    CapabilityCode.FOUR_OCTET_AS: (4, 0),
    CapabilityCode.ADD_PATH: (0, 4),
    CapabilityCode.LONG_LIVED_GRACEFUL_RESTART: (0, 7),
}
"""Capabilities whose value we read: octets at its head, and of each entry after it (0: there are none)."""


def is_well_formed(capability: Capability) -> bool:
    """Whether the length of the value fits its code; any does for a code that has no form here."""
    if capability.code not in _FORMS:
        return True
    head, entry = _FORMS[capability.code]
    rest = len(capability.value) - head
    return rest >= 0 and rest % entry == 0 if entry else rest == 0


def _values(capabilities: Capabilities, code: CapabilityCode) -> Iterator[bytes]:
    """The values of all instances, malformed ones left out."""
    return (one.value for one in capabilities if one.code == code and is_well_formed(one))


def _family_of(octets: bytes) -> Family:
    return Family(int.from_bytes(octets[:2], "big"), octets[2])


def _cut(value: bytes, size: int) -> list[bytes]:
    return [value[start : start + size] for start in range(0, len(value), size)]
