"""Why a prefix is where it is on one node, or is not: where it was learned, and who decided what.

Names of outcomes and steps are fixed: programs go by them. Texts are for people. As JSON every field is in
camelCase, as in all our documents (`by_alias` in pydantic).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

_CAMEL_CASE: Final = ConfigDict(alias_generator=to_camel)

EXPLANATION_VERSION: Final = 1
"""Of the form. What is only added does not count."""


class PathOutcome(StrEnum):
    """What became of a path to the prefix."""

    SELECTED = "Selected"
    ALSO_USED = "AlsoUsed"
    """As good as the selected one, and used with it (multipath)."""
    LOST = "Lost"
    """Another one was selected; `step` names the step of the decision process (docs/adr/0005)."""
    REJECTED = "Rejected"
    """By the import policy."""
    NOT_ELIGIBLE = "NotEligible"
    """By the standard: a loop, a NEXT_HOP that is ourselves, a leak."""
    UNRESOLVABLE = "Unresolvable"
    """There is no way to its NEXT_HOP."""
    UNDECIDED = "Undecided"
    """It is not decided yet."""


class ToldOutcome(StrEnum):
    """What a peer knows of the route."""

    TOLD = "Told"
    PENDING = "Pending"
    WAITS_FOR_KERNEL = "WaitsForKernel"
    WITHHELD = "Withheld"


class KernelOutcome(StrEnum):
    """What the kernel has of the prefix."""

    INSTALLED = "Installed"
    WAITING = "Waiting"
    CONFLICT = "Conflict"
    """Somebody else's route is in the place of ours."""
    REFUSED = "Refused"
    NOT_WANTED = "NotWanted"
    """No route of ours belongs there; `reason` says why."""
    UNSYNCHRONISED = "Unsynchronised"
    """What the kernel has is not known."""
    NO_KERNEL = "NoKernel"
    """The agent writes no routes (--no-kernel)."""


@dataclass(frozen=True, slots=True)
class Decider:
    """The rule that decided, the resource it is of, and the revision at which that was last written in etcd.

    `resource` is "BGPFilter/my-filter", "" for a rule that stands in none; `revision` is 0 where unknown.
    """

    rule: str
    resource: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPath:
    """One path to the prefix; `peer` is "" for a route of the node's own.

    `node` is the node of the cluster that the peer is, "" for another router.

    `step` is a name out of the decision process, "" where that had no say.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    outcome: PathOutcome
    peer: str = ""
    node: str = ""
    source: str = ""
    """Of one of the node's own: why it is originated."""
    step: str = ""
    reason: str = ""
    decider: Decider | None = None
    next_hop: str = ""
    as_path: str = ""
    local_pref: int = 100
    med: int = 0
    communities: tuple[str, ...] = ()
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRoute:
    """The route towards one peer. `learned_from` is "" for one of the node's own."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    outcome: ToldOutcome
    learned_from: str = ""
    reason: str = ""
    decider: Decider | None = None
    next_hop: str = ""
    as_path: str = ""
    local_pref: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSession:
    """A session: `address` is the peer's, `local` ours, "" while it is not Established.

    `node` is the node of the cluster that the peer is, "" for another router.
    """

    address: str
    port: int
    node: str
    scope: str
    resource: str
    revision: int
    state: str
    local: str
    told: tuple[ToldRoute, ...] = ()
    """Empty where nothing is selected, or while it is not known what the peer is to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedKernel:
    """Routes are as `ip route` writes them."""

    outcome: KernelOutcome
    reason: str = ""
    wanted: str = ""
    routes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that one node knows of one prefix. `revision` is that of etcd which it has heard of.

    `sessions` are those for the prefix's family.
    """

    node: str
    version: str
    prefix: str
    datastore: str
    revision: int
    paths: tuple[ExplainedPath, ...]
    sessions: tuple[ExplainedSession, ...]
    kernel: ExplainedKernel
    covering: str = ""
    """Where nothing is selected: the longest selected prefix that covers this one; "" for none."""
    note: str = ""
    """What makes all this provisional, in words."""
    form: int = EXPLANATION_VERSION

    @property
    def selected(self) -> ExplainedPath | None:
        """The path in use."""
        return next((path for path in self.paths if path.outcome is PathOutcome.SELECTED), None)
