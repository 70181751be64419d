"""What a load is for the generator: who takes part, who sends what when, what must be held in the end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.load.tables import Group, Sender, as_sequence
from felixbgp.net import Address

DEVICE_AS = 64512
DEVICE_V4, DEVICE_V6 = "10.99.0.1", "fd99::1"
PARTY_AS = 65001
"""Of the first external party; the others have the numbers after it."""
PARTIES_PER_OCTET = 250

Routes = Mapping[bytes, bytes]
"""AS_PATH by NLRI."""


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a session with the device under test."""

    number: int
    is_ipv6: bool = False
    is_internal: bool = False
    takes_many_paths: bool = False
    """Whether it receives several paths per prefix (RFC 7911)."""

    @property
    def address(self) -> str:
        """Its own, on the link."""
        if self.is_ipv6:
            return f"fd99::1:{self.number + 1:x}"
        return f"10.99.{1 + self.number // PARTIES_PER_OCTET}.{1 + self.number % PARTIES_PER_OCTET}"

    @property
    def identifier(self) -> Address:
        """Its BGP identifier."""
        return Address.parse(
            f"10.99.{1 + self.number // PARTIES_PER_OCTET}.{1 + self.number % PARTIES_PER_OCTET}"
        )

    @property
    def as_number(self) -> int:
        """Its AS."""
        return DEVICE_AS if self.is_internal else PARTY_AS + self.number

    @property
    def sender(self) -> Sender:
        """As whom it announces."""
        return Sender(None if self.is_internal else self.as_number, bytes(Address.parse(self.address)))


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Messages for one session, so many seconds after the phase began."""

    party: int
    messages: bytes
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One measured step.

    It is over when all receivers together have had so many NLRIs announced and withdrawn; where these are not
    known beforehand (`is_counted` False), when nothing comes any more and every receiver holds what it must.
    """

    name: str
    dispatches: Iterable[Dispatch]
    """In the order of their times."""
    holds: Callable[[int], Routes]
    """What each receiver must hold at the end, by its number."""
    routes: int
    """Prefixes or changes that the work is counted in."""
    announced: int = 0
    withdrawn: int = 0
    is_counted: bool = True
    seconds_min: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a load."""

    parties: Sequence[Party]
    receivers: Sequence[int]
    nlri_octets: int
    phases: Sequence[Phase]
    shared: Mapping[bytes, bytes] = field(default_factory=dict)
    """One object for each NLRI."""
    own: Mapping[int, frozenset[bytes]] = field(default_factory=dict)
    """What a client hears of itself does not count: it must ignore it (RFC 4456 §8). FRR tells it."""


def routes_of(groups: Sequence[Group], party: Party, *, is_changed: bool = True) -> dict[bytes, bytes]:
    """What a receiver holds of a table: internal paths as they were, others with the device's AS in front.

    `is_changed` False is for a device that only passes octets on.
    """
    front = () if party.is_internal or not is_changed else (DEVICE_AS,)
    own = () if party.is_internal else (party.as_number,)
    held: dict[bytes, bytes] = {}
    for group in groups:
        held.update(dict.fromkeys(group.nlris, as_sequence((*front, *own, *group.path))))
    return held
