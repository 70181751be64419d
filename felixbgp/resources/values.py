"""The types of single fields: each reads what Calico accepts and writes what Calico writes.

A validator here raises ValueError with a reason that reads on after the value: `is not an IP address`.
"""

import re
from typing import Annotated, NamedTuple, TypeVar

from pydantic import PlainSerializer, PlainValidator, StrictStr
from pydantic.functional_validators import AfterValidator

from felixbgp.net import Address, AddressError, Family, Prefix, PrefixError
from felixbgp.resources.selectors import Selector
from felixbgp.resources.selectors import parse as parse_selector

Entry = TypeVar("Entry")

MAX_AS_NUMBER = 0xFFFF_FFFF

# No text is read as a number, address or prefix when it is longer than any of them can be.
_MAX_LITERAL_CHARACTERS = 64


def parse_as_number(value: object) -> int:
    """A number, a decimal text, or RFC 5396 asdot (`1.10` = 65546); 1 to 4294967295.

    Calico (api/pkg/lib/numorstring) also takes 0, which means absent there; RFC 7607 forbids it on the wire.
    """
    number = value if isinstance(value, int) and not isinstance(value, bool) else _as_number_of_text(value)
    if not 1 <= number <= MAX_AS_NUMBER:
        raise ValueError(f"is not between 1 and {MAX_AS_NUMBER}")
    return number


def _as_number_of_text(value: object) -> int:
    if isinstance(value, float):
        raise ValueError('is not an AS number; write high.low in quotes: "1.10"')  # noqa: TRY004 - pydantic hears ValueError only
    if not isinstance(value, str) or len(value) > _MAX_LITERAL_CHARACTERS:
        raise ValueError("is not an AS number")
    parts = value.split(".")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("is not an AS number")
    if len(parts) == 1:
        return int(value)
    high, low = int(parts[0]), int(parts[1])
    if max(high, low) > 0xFFFF:
        raise ValueError("is not an AS number: the parts of high.low go to 65535")
    return high << 16 | low


def _text(value: object, reason: str) -> str:
    if not isinstance(value, str) or len(value) > _MAX_LITERAL_CHARACTERS:
        raise ValueError(reason)
    return value


def parse_address(value: object) -> Address:
    """A bare IPv4 or IPv6 address."""
    reason = "is not an IP address"
    try:
        return Address.parse(_text(value, reason))
    except AddressError as error:
        raise ValueError(reason) from error


def _parse_address_of(family: Family, name: str) -> PlainValidator:
    def parse(value: object) -> Address:
        reason = f"is not an {name} address"
        try:
            address = Address.parse(_text(value, reason))
        except AddressError as error:
            raise ValueError(reason) from error
        if address.family != family:
            raise ValueError(reason)
        return address

    return PlainValidator(parse)


def parse_prefix(value: object) -> Prefix:
    """A CIDR without host bits, or a bare address as its host prefix."""
    text = _text(value, "is not a CIDR")
    try:
        return Prefix.parse(text)
    except PrefixError as error:
        raise ValueError(_why_no_prefix(text)) from error


def parse_host_prefix(value: object) -> Prefix:
    """One address, bare or as /32 or /128."""
    prefix = parse_prefix(value)
    if prefix.length != prefix.family.bits:
        raise ValueError("holds more than one address; write the address alone")
    return prefix


def _why_no_prefix(text: str) -> str:
    try:
        network = Prefix.parse(text, strict=False)
    except PrefixError:
        return "is not a CIDR"
    return f"has host bits set; the network is {network}"


class InterfaceAddress(NamedTuple):
    """An address and the length of its network, as in Node.spec.bgp.ipv4Address: `10.0.0.1/24`."""

    address: Address
    length: int

    @property
    def subnet(self) -> Prefix:
        """The network the address is in; the host prefix when none was written."""
        return Prefix.of(self.address, self.length)

    def __str__(self) -> str:
        bare = self.length == self.address.family.bits
        return str(self.address) if bare else f"{self.address}/{self.length}"


def _parse_interface_address(family: Family, name: str) -> PlainValidator:
    def parse(value: object) -> InterfaceAddress:
        reason = f"is not an {name} address, with or without a prefix length"
        text = _text(value, reason)
        try:
            prefix = Prefix.parse(text, strict=False)
            address = Address.parse(text.partition("/")[0])
        except (PrefixError, AddressError) as error:
            raise ValueError(reason) from error
        if address.family != family:
            raise ValueError(reason)
        return InterfaceAddress(address, prefix.length)

    return PlainValidator(parse)


class PeerAddress(NamedTuple):
    """An address, and a port when one was written: `192.0.2.1`, `192.0.2.1:166`, `[2001:db8::1]:166`."""

    address: Address
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return str(self.address)
        host = str(self.address) if len(self.address) == 4 else f"[{self.address}]"
        return f"{host}:{self.port}"


_WITH_PORT = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})")


def parse_peer_address(value: object) -> PeerAddress:
    """An address of a host, or one with a port from 1 to 65535; IPv6 with a port stands in brackets."""
    peer = _parse_address_and_port(value)
    if not peer.address.is_of_one_host:
        raise ValueError("is no address of a host: it is unspecified, multicast or broadcast")
    return peer


def _parse_address_and_port(value: object) -> PeerAddress:
    reason = "is not an IP address, or IPv4:port, or [IPv6]:port"
    text = _text(value, reason)
    found = _WITH_PORT.fullmatch(text)
    try:
        if found is None:
            return PeerAddress(Address.parse(text))
        address = Address.parse(found[1] or found[2])
    except AddressError as error:
        raise ValueError(reason) from error
    if (found[1] is None) != (len(address) == 4):
        raise ValueError(reason)
    port = int(found[3])
    if not 1 <= port <= 65535:
        raise ValueError("has a port that is not between 1 and 65535")
    return PeerAddress(address, port)


def _parse_selector(value: object) -> Selector:
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - pydantic hears ValueError only
    return parse_selector(value)


_GO_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+|0")


def _check_duration(text: str) -> str:
    if len(text) > _MAX_LITERAL_CHARACTERS or _GO_DURATION.fullmatch(text) is None:
        raise ValueError('is not a duration; write it as "90s" or "1m30s"')
    return text


_DURATION_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(duration: str) -> float:
    """A valid duration in seconds."""
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))


def whole_seconds_of(duration: str) -> int:
    """A valid duration in whole seconds, halves rounded up, as Calico writes them for BIRD."""
    return int(seconds_of(duration) + 0.5)


_COMMUNITY = re.compile(r"[0-9]{1,10}:[0-9]{1,10}(:[0-9]{1,10})?")


def is_community(text: str) -> bool:
    """Whether `text` is a standard (`aa:nn`, 16 bit each) or large (`aa:nn:mm`, 32 bit each) community."""
    found = _COMMUNITY.fullmatch(text)
    if found is None:
        return False
    limit = 0xFFFF if found[1] is None else 0xFFFF_FFFF
    return all(int(part) <= limit for part in text.split(":"))


def _check_community(text: str) -> str:
    if not is_community(text):
        raise ValueError("is not a community; write aa:nn or aa:nn:mm")
    return text


def _pattern(regex: str, reason: str) -> AfterValidator:
    compiled = re.compile(regex)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(reason)
        return text

    return AfterValidator(check)


def _whole_number(lowest: int, highest: int) -> PlainValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError("is not a whole number")  # noqa: TRY004 - pydantic hears ValueError only
        if not lowest <= value <= highest:
            raise ValueError(f"is not between {lowest} and {highest}")
        return value

    return PlainValidator(check)


def entries(lowest: int, highest: int) -> AfterValidator:
    """For the type of a list: how many entries it may have, when it is written at all."""
    wanted = f"{lowest} to {highest} entries" if lowest < highest else f"exactly {lowest} entry"

    def check(found: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if not lowest <= len(found) <= highest:
            raise ValueError(f"does not have {wanted}")
        return found

    return AfterValidator(check)


_AS_TEXT = PlainSerializer(str, return_type=str)

AsNumber = Annotated[int, PlainValidator(parse_as_number)]
IpAddress = Annotated[Address, PlainValidator(parse_address), _AS_TEXT]
Ipv4Address = Annotated[Address, _parse_address_of(Family(1, 1), "IPv4"), _AS_TEXT]
Ipv6Address = Annotated[Address, _parse_address_of(Family(2, 1), "IPv6"), _AS_TEXT]
Cidr = Annotated[Prefix, PlainValidator(parse_prefix), _AS_TEXT]
HostPrefix = Annotated[Prefix, PlainValidator(parse_host_prefix), _AS_TEXT]
Ipv4InterfaceAddress = Annotated[InterfaceAddress, _parse_interface_address(Family(1, 1), "IPv4"), _AS_TEXT]
Ipv6InterfaceAddress = Annotated[InterfaceAddress, _parse_interface_address(Family(2, 1), "IPv6"), _AS_TEXT]
PeerIp = Annotated[PeerAddress, PlainValidator(parse_peer_address), _AS_TEXT]
SelectorText = Annotated[Selector, PlainValidator(_parse_selector), _AS_TEXT]
Duration = Annotated[StrictStr, AfterValidator(_check_duration)]
Community = Annotated[StrictStr, AfterValidator(_check_community)]
Port = Annotated[int, _whole_number(1, 65535)]
HopCount = Annotated[int, _whole_number(0, 255)]
"""uint8 in Calico; 0 counts as not set there."""
LocalAsCount = Annotated[int, _whole_number(0, 0x7FFF_FFFF)]
RoutePriority = Annotated[int, _whole_number(1, 0x7FFF_FFFE)]
Ipv4Length = Annotated[int, _whole_number(0, 32)]
Ipv6Length = Annotated[int, _whole_number(0, 128)]
UpdatePeriod = Annotated[int, _whole_number(0, 86_400)]
"""Seconds; a day at most."""
Count = Annotated[int, _whole_number(0, 0x7FFF_FFFF)]
BlockSize = Annotated[int, _whole_number(20, 128)]
NodeName = Annotated[StrictStr, _pattern(r"[a-zA-Z0-9_.-]{1,253}", "is not a node name")]
InterfacePattern = Annotated[
    StrictStr,
    _pattern(
        r"[a-zA-Z0-9_.*-]{1,15}", "is not a pattern of an interface name (up to 15 of a-z A-Z 0-9 _ . - *)"
    ),
]
InterfaceName = Annotated[
    StrictStr,
    _pattern(r"[a-zA-Z0-9_.-]{1,15}", "is not an interface name (up to 15 of a-z A-Z 0-9 _ . -)"),
]
Identifier = Annotated[
    StrictStr, _pattern(r"[a-zA-Z0-9_.-]{1,128}", "is not a name (up to 128 of a-z A-Z 0-9 _ . -)")
]
MacAddress = Annotated[StrictStr, _pattern(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", "is not a MAC address")]
