"""Who talks to whom: the rows and columns of the matrix, and the sessions that prove them.

Every daemon has one namespace (two, for what kills it) and we have one beside it, joined by a cable:

    fxi-…-them  THEIR_ADDRESS ══════ 10.77.1.N  fxi-…-us
    one daemon, AS 65000             one speaker of ours per session, numbered N
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from felixbgp.net import IPV4, IPV6, Address, Family, Prefix

THEIR_AS = 65000
OUR_FIRST_AS = 65100
THEIR_IDENTIFIER = Address.parse("10.77.0.1")
PASSWORD = b"right-and-secret"
WRONG_PASSWORD = b"right-and-secre7"


class Feature(Enum):
    """A column of the matrix."""

    PLAIN = "plain"
    MD5 = "MD5"
    TTL = "TTL security"
    ADD_PATH = "add-path"
    RESTART = "graceful restart"
    REFRESH = "route refresh"
    EXTENDED = "extended message"
    REFLECTOR = "reflector"
    COMMUNITIES = "communities"
    POLICY = "export policy"
    SHUTDOWN = "graceful shutdown"


@dataclass(frozen=True, slots=True)
class Variant:
    """Half a row of the matrix: within or between AS numbers, and one family."""

    external: bool
    family: Family

    @property
    def slug(self) -> str:
        """For names in configurations."""
        return f"{'ebgp' if self.external else 'ibgp'}{4 if self.family == IPV4 else 6}"

    def __str__(self) -> str:
        return f"{'eBGP' if self.external else 'iBGP'} {'IPv4' if self.family == IPV4 else 'IPv6'}"


VARIANTS = tuple(Variant(external, family) for external in (False, True) for family in (IPV4, IPV6))


class Role(Enum):
    """What one session is for."""

    PLAIN = "plain"
    """Both sides dial. A source behind our speaker brings routes of all kinds."""
    MD5_DIAL = "md5dial"
    MD5_ACCEPT = "md5accept"
    TTL_DIAL = "ttldial"
    TTL_ACCEPT = "ttlaccept"
    TTL_FAR = "ttlfar"
    """We dial with a TTL of 1, as a router too far away would look."""
    TTL_FAR_ACCEPT = "ttlfaraccept"
    """The same, when they dial."""
    CLIENT_A = "clienta"
    CLIENT_B = "clientb"
    """Two that announce one prefix; within the AS the daemon is their reflector."""
    COLLECTOR = "collector"
    """Wants all paths there are, and has two of one prefix to tell."""
    LEAVING = "leaving"
    """Announces all as a last resort for a while, as a drained node does."""
    RESTARTING = "restarting"
    """Is killed, and sees its peer killed; in namespaces of its own."""


WE_ONLY_ACCEPT = (Role.MD5_ACCEPT, Role.TTL_ACCEPT, Role.TTL_FAR_ACCEPT)
THEY_ONLY_ACCEPT = (Role.MD5_DIAL, Role.TTL_DIAL, Role.TTL_FAR)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One session as the daemon is told of it: our end, by number, and what it is for."""

    number: int
    variant: Variant
    role: Role

    @property
    def name(self) -> str:
        """Of letters and digits only."""
        return f"{self.role.value}{self.variant.slug}"

    @property
    def family(self) -> Family:
        """Of the session and of the routes in it."""
        return self.variant.family

    @property
    def address(self) -> Address:
        """Our end."""
        return our_address(self.family, self.number)

    @property
    def asn(self) -> int:
        """Our AS number; between AS numbers everyone has another, so that routes pass from one to another."""
        return OUR_FIRST_AS + self.number if self.variant.external else THEIR_AS

    @property
    def identifier(self) -> Address:
        """Our BGP identifier."""
        return our_address(IPV4, self.number)

    @property
    def prefix(self) -> Prefix:
        """What this speaker alone originates."""
        return numbered_prefix(self.family, 88, self.number)

    @property
    def former_prefix(self) -> Prefix:
        """What it originates no more after a restart."""
        return numbered_prefix(self.family, 93, self.number)

    @property
    def source_prefix(self) -> Prefix:
        """What the source behind it announces, with communities."""
        return numbered_prefix(self.family, 90, self.number)

    @property
    def large_prefix(self) -> Prefix:
        """What the source behind it announces with more attributes than 4096 octets hold."""
        return numbered_prefix(self.family, 91, self.number)

    @property
    def changed_prefix(self) -> Prefix:
        """What it originates and its export policy changes."""
        return numbered_prefix(self.family, 94, self.number)

    @property
    def shared_prefix(self) -> Prefix:
        """What two speakers, or two sources, of this variant announce both."""
        return numbered_prefix(self.family, 92, 2 * VARIANTS.index(self.variant))

    @property
    def doubled_prefix(self) -> Prefix:
        """What two sources behind one speaker announce."""
        return numbered_prefix(self.family, 92, 2 * VARIANTS.index(self.variant) + 1)

    @property
    def password(self) -> bytes | None:
        """The TCP MD5 key both sides should have."""
        return PASSWORD if self.role in (Role.MD5_DIAL, Role.MD5_ACCEPT) else None

    @property
    def has_ttl_security(self) -> bool:
        """Whether the daemon wants a TTL of 255 (RFC 5082)."""
        return self.role in (Role.TTL_DIAL, Role.TTL_ACCEPT, Role.TTL_FAR, Role.TTL_FAR_ACCEPT)

    @property
    def is_far(self) -> bool:
        """Whether we send with a TTL of 1."""
        return self.role in (Role.TTL_FAR, Role.TTL_FAR_ACCEPT)

    @property
    def is_reflector_client(self) -> bool:
        """Whether the daemon is our route reflector."""
        return not self.variant.external and self.role in (Role.CLIENT_A, Role.CLIENT_B, Role.COLLECTOR)

    @property
    def they_dial(self) -> bool:
        """Whether the daemon opens connections."""
        return self.role not in THEY_ONLY_ACCEPT

    @property
    def we_dial(self) -> bool:
        """Whether we open connections."""
        return self.role not in WE_ONLY_ACCEPT


def neighbours(roles: tuple[Role, ...]) -> tuple[Neighbour, ...]:
    """The sessions of one daemon: each role in each variant."""
    pairs = [(variant, role) for variant in VARIANTS for role in roles]
    return tuple(Neighbour(number, variant, role) for number, (variant, role) in enumerate(pairs, 1))


LASTING = tuple(role for role in Role if role is not Role.RESTARTING)


def their_address(family: Family) -> Address:
    """The daemon's end of the cable."""
    return THEIR_IDENTIFIER if family == IPV4 else Address.parse("fd77::1")


def our_address(family: Family, number: int) -> Address:
    """Our end of one session; sources behind our speakers have numbers above 100."""
    return Address.parse(f"10.77.1.{number}" if family == IPV4 else f"fd77::1:{number:x}")


def numbered_prefix(family: Family, kind: int, number: int) -> Prefix:
    """A prefix of the tests; `kind` is the second octet."""
    return Prefix.parse(f"10.{kind}.{number}.0/24" if family == IPV4 else f"fd{kind}:{number:x}::/48")


THEIR_PLAIN = 0
THEIR_COLOURED = 1
THEIR_LARGE = 2


def their_prefix(family: Family, number: int = THEIR_PLAIN) -> Prefix:
    """What the daemon originates: one plain prefix, one with communities, and (ExaBGP) one with very many."""
    return numbered_prefix(family, 89, number)


THEIR_COMMUNITY = (65000, 77)
THEIR_LARGE_COMMUNITY = (65000, 7, 4_000_000_000)
THEIR_ROUTE_TARGET = (65000, 9)
ADDED_COMMUNITY = (64998, 8)
ADDED_LARGE_COMMUNITY = (64998, 8, 4_000_000_001)
PREPENDED = (64998, 4_200_000_001)
"""What our export policy puts on one route."""
RESTART_SECONDS = 60
"""How long each side asks the other to keep its routes; far longer than a restart takes."""
LARGE_COUNT = 500
"""Large communities of 12 octets each: 6000 octets, more than a message of RFC 4271 holds."""


def cable(them: str, us: str, count: int) -> Iterator[tuple[str, list[str]]]:
    """What `ip -batch` is to do, per namespace ("" = the host's)."""
    yield "", [f"link add name eth0 netns {them} type veth peer name eth0 netns {us}"]
    for namespace, addresses in (
        (them, [their_address(IPV4), their_address(IPV6)]),
        (
            us,
            [
                our_address(family, number)
                for family in (IPV4, IPV6)
                for number in (*range(1, count + 1), *range(101, 101 + 2 * count))
            ],
        ),
    ):
        yield (
            namespace,
            [
                "link set lo up",
                "link set eth0 up",
                *(
                    f"address add {address}/{16 if address.family == IPV4 else 64} dev eth0"
                    + ("" if address.family == IPV4 else " nodad")
                    for address in addresses
                ),
            ],
        )
