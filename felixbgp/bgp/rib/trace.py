"""What became of one prefix in a speaker, step by step: pictures of a moment, for who wants to know why.

    ReceivedTrace (per peer) ──▶ Contest (Loc-RIB) ──▶ ToldTrace (per peer)

Nothing is decided here. Each picture is taken where the decision is made, by the code that makes it.
"""

from enum import Enum
from typing import Final, NamedTuple

from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.policy.types import DEFAULT, Policy, Rule
from felixbgp.bgp.rib.decision import Best, Lost
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Address

SPLIT_HORIZON: Final = "it comes from this peer, or leads to it"
NO_LOSERS: Final[Lost] = {}


class Contest(NamedTuple):
    """The candidates of a prefix and what the decision process makes of them, worked out anew."""

    paths: tuple[Path, ...] = ()
    """All that may take part, the selected one among them."""
    barred: tuple[Path, ...] = ()
    """Those of them whose NEXT_HOP is not resolvable (RFC 4271 §9.1.2)."""
    best: Best | None = None
    lost: Lost = NO_LOSERS
    is_due: bool = False
    """Whether this is not yet what is in force."""


class ReceivedTrace(NamedTuple):
    """One route as a peer sent it, and what import made of it."""

    path: Path
    """As it would be, or is, in the Loc-RIB; `received` has what the peer sent."""
    refusal: str
    """The standard's reason why it takes no part; "" if there is none."""
    is_accepted: bool
    """Whether the policy takes it, if it was asked."""
    rule: Rule | None
    """The rule of the import policy that decided; None for its default, or where it was not asked."""
    is_stale: bool
    """Whether it is of a session that is over, or about to be removed."""


class Telling(Enum):
    """What a peer knows of a route."""

    TOLD = "told"
    PENDING = "about to be told"
    WAITS_FOR_KERNEL = "waits for the kernel"
    WITHHELD = "withheld"


class ToldTrace(NamedTuple):
    """One route towards one peer."""

    path: Path
    telling: Telling
    attributes: PathAttributes | None
    """What the peer is told; None where that is nothing."""
    is_by_policy: bool
    """Whether the export policy withholds it."""
    rule: int | None
    """Which rule of the export policy decided, by its place; None where it was not asked."""
    reason: str
    """Why it is withheld, where that is not the policy."""


class PeerTrace(NamedTuple):
    """A prefix in the exchange with one peer."""

    config: PeerConfig
    export_policy: Policy
    """That in force; its rules have the names of now."""
    state: str
    local: Address | None
    """Our end of the session; None while there is none."""
    received: list[ReceivedTrace]
    told: list[ToldTrace]


class SpeakerTrace(NamedTuple):
    """A prefix in all tables of a speaker; peers in the order of their addresses."""

    contest: Contest
    peers: list[PeerTrace]
    is_deferred: bool
    """Whether nothing is selected yet: peers are awaited who have to tell their routes again (RFC 4724)."""


def back_to_its_source(trace: ToldTrace) -> ToldTrace:
    """Of a route towards the peer that it comes from, or leads to: it is never told of it."""
    return trace._replace(
        telling=Telling.WITHHELD, attributes=None, is_by_policy=False, rule=None, reason=SPLIT_HORIZON
    )


def rule_of(policy: Policy, number: int) -> Rule | None:
    """The rule at a place; None for `DEFAULT`."""
    return None if number == DEFAULT else policy.rules[number]
