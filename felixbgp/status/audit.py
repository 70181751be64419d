"""What an audit tells: the three views of every prefix about which they do not agree, and what became of it.

Times are nanoseconds of whichever clock the holder uses: monotonic inside the agent, since 1970 once decoded.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute, Selected
from felixbgp.fib.foreign import protocol_name
from felixbgp.fib.types import KernelRoute, NextHop, Route
from felixbgp.net import Prefix

DIFFERENCES_MAX: Final = 1_000
"""A kernel that lost everything lost 100,000 routes: the first of them tell it as well as all."""
REPAIRS_MAX: Final = 200
"""The last ones: who takes away one route again and again is seen by these."""
TEXT_MAX: Final = 160
"""Characters of one view. With 1,000 differences of four views an answer stays below the 1.5 MiB that etcd
takes by default; a route of 16 next hops is cut."""


class Kind(Enum):
    """How the views differ; felixbgp/v1/audit.proto explains each."""

    MISSING = "Missing"
    DIFFERENT = "Different"
    UNWANTED = "Unwanted"
    CONFLICT = "Conflict"
    NOT_ORIGINATED = "NotOriginated"
    NOT_INTENDED = "NotIntended"
    NOT_PROGRAMMED = "NotProgrammed"
    NOT_SELECTED = "NotSelected"


class Outcome(Enum):
    """What became of a difference by the end of the audit."""

    HEALED = "Healed"
    WAITING = "Waiting"
    """Being written, or decided."""
    REFUSED = "Refused"
    """By the kernel; it is tried again."""
    LEFT_ALONE = "LeftAlone"


class Views(NamedTuple):
    """One prefix as all sides have it; the empty text where there is nothing."""

    intent: str = ""
    loc_rib: str = ""
    wanted: str = ""
    kernel: str = ""


class Difference(NamedTuple):
    """A prefix about which the views differ; `reason` is the kernel's own words, or why it is left alone."""

    prefix: Prefix
    kind: Kind
    views: Views
    outcome: Outcome
    reason: str = ""


class Repair(NamedTuple):
    """A route of ours that was not as wanted, and was put right as soon as that was heard of."""

    prefix: Prefix
    time: int
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How many prefixes each side has."""

    originated: int = 0
    selected: int = 0
    wanted: int = 0
    installed: int = 0
    foreign: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditAnswer:
    """What an audit that somebody asked for found.

    `differing` counts all differences, `differences` has the first of them by prefix; so with `repairs` and
    `repaired`. `failure` says why nothing was compared.
    """

    requests: tuple[str, ...]
    node: str
    version: str
    began: int
    ended: int
    totals: Totals = Totals()
    compared: int = 0
    differing: int = 0
    healed: int = 0
    differences: tuple[Difference, ...] = ()
    repaired: tuple[Repair, ...] = ()
    repairs: int = 0
    failure: str = ""

    @property
    def agrees(self) -> bool:
        """Whether there was nothing to tell apart, or to heal."""
        return not self.failure and not self.differing


class AuditStatus(NamedTuple):
    """The result of the comparisons: since when it is so, and what was put right since the agent started.

    `compared` is the number of prefixes at `since`: a newer number alone would have the status written again.
    """

    since: int
    compared: int
    differing: int
    healed: int = 0
    last_healed: int = 0


def intent_text(intended: LocalRoute | None, excluded: str, *, service: bool) -> str:
    """Why a prefix is originated, and what keeps it out of the kernel ("" when nothing does)."""
    parts = [] if intended is None else [_origin_text(intended, service=service)]
    if excluded:
        parts.append(excluded)
    return _cut("; ".join(parts))


def selected_text(selected: Selected | None) -> str:
    """What the Loc-RIB has."""
    if selected is None:
        return ""
    if selected.peer is None:
        return f"originated: {_source_name(selected.source)}"
    hops = ", ".join(map(str, selected.next_hops))
    return _cut(f"from {selected.peer}" + (f" via {hops}" if hops else ""))


def route_text(route: Route | None) -> str:
    """A route as `ip route` writes it."""
    if route is None:
        return ""
    what = " ".join(map(_hop_text, route.next_hops)) if route.next_hops else route.kind.name.lower()
    return _cut(f"{what} metric {route.metric}")


def kernel_text(routes: tuple[KernelRoute, ...]) -> str:
    """All routes of a prefix in the kernel, each with who wrote it."""
    return _cut(
        "; ".join(f"{route_text(found.route)} proto {protocol_name(found.protocol)}" for found in routes)
    )


def _origin_text(intended: LocalRoute, *, service: bool) -> str:
    match intended.source:
        case RouteSource.AGGREGATE:
            return "service range" if service else "own block"
        case RouteSource.STATIC if intended.next_hop is not None:
            return f"static route via {intended.next_hop}"
        case _:
            name = _source_name(intended.source)
            return f"{name} on {intended.interface}" if intended.interface else name


def _source_name(source: RouteSource) -> str:
    return source.name.lower().replace("_", " ") + " route"


def _hop_text(hop: NextHop) -> str:
    parts = [] if hop.gateway is None else [f"via {hop.gateway}"]
    if hop.interface:
        parts.append(f"dev {hop.interface}")
    if hop.onlink:
        parts.append("onlink")
    if hop.weight != 1:
        parts.append(f"weight {hop.weight}")
    return " ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
