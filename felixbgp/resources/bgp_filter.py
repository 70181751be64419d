"""BGPFilter: ordered rules per direction and family; the first that matches decides.

Fields and rules of Calico's api/pkg/apis/projectcalico/v3/bgpfilter.go and its validator, up to v3.32.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Literal

from pydantic import Field

from felixbgp.net import IPV4, IPV6, Family, Prefix
from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import NOTHING, Fault
from felixbgp.resources.values import (
    AsNumber,
    Cidr,
    Community,
    InterfacePattern,
    Ipv4Length,
    Ipv6Length,
    RoutePriority,
    entries,
)


class MatchOperator(Enum):
    """How a route's prefix compares with the rule's CIDR."""

    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    IN = "In"
    NOT_IN = "NotIn"


class FilterAction(Enum):
    """What a matching rule does."""

    ACCEPT = "Accept"
    REJECT = "Reject"


class FilterSource(Enum):
    """Where a route comes from."""

    REMOTE_PEERS = "RemotePeers"


class PeerType(Enum):
    """Which peerings a rule is for."""

    EBGP = "eBGP"
    IBGP = "iBGP"


class PrefixLength(Value):
    """A range of prefix lengths; an absent end is that of the CIDR or of the family."""

    min: Ipv6Length | None = None
    """Shortest length."""
    max: Ipv6Length | None = None
    """Longest length."""


class PrefixLengthV4(PrefixLength):
    """Of IPv4."""

    min: Ipv4Length | None = None
    """Shortest length; that of the CIDR unless set."""
    max: Ipv4Length | None = None
    """Longest length; 32 unless set."""


class CommunityMatch(Value):
    """Communities a route must carry."""

    values: Annotated[tuple[Community, ...], entries(1, 1)]
    """The community, `aa:nn` or `aa:nn:mm`."""


class AddCommunity(Value):
    """Adds a community."""

    value: Community
    """The community, `aa:nn` or `aa:nn:mm`."""


class PrependAsPath(Value):
    """Puts AS numbers before the path."""

    prefix: Annotated[tuple[AsNumber, ...], entries(1, 10)]
    """The AS numbers, in their order."""


class SetPriority(Value):
    """Sets the route's priority."""

    value: RoutePriority
    """LOCAL_PREF becomes 2147483647 less this."""


class Operation(Value):
    """One change to a matching route."""

    add_community: AddCommunity | None = None
    """Adds a community."""
    prepend_as_path: PrependAsPath | None = None
    """Puts AS numbers before the AS path."""
    set_priority: SetPriority | None = None
    """Sets the priority, and with it LOCAL_PREF."""

    def faults(self) -> Iterator[Fault]:
        """Exactly one change each."""
        if len(self.model_fields_set) != 1:
            yield Fault((), NOTHING, "must have exactly one of addCommunity, prependASPath and setPriority")


class FilterRule(Value):
    """One rule: every condition that is given must hold; none given matches every route."""

    cidr: Cidr | None = None
    """The prefix with which that of the route is compared. Needs `matchOperator`."""
    prefix_length: PrefixLength | None = None
    """With `In` and `NotIn`: of the routes inside, those with a length in this range. Needs `cidr`."""
    source: FilterSource | None = None
    """`RemotePeers`: routes learned by BGP."""
    interface: InterfacePattern | None = None
    """Routes through an interface of this name; `*` stands for any characters."""
    match_operator: MatchOperator | None = None
    """`Equal`: the same prefix; `In`: the same or inside; `NotEqual`, `NotIn`: the opposite. Needs `cidr`."""
    peer_type: PeerType | None = None
    """Only on peerings with another AS (`eBGP`), or with the same (`iBGP`)."""
    communities: CommunityMatch | None = None
    """Routes that carry the community."""
    as_path_prefix: tuple[AsNumber, ...] = ()
    """Routes whose AS path begins with these numbers."""
    priority: RoutePriority | None = None
    """Routes whose LOCAL_PREF is 2147483647 less this."""
    action: FilterAction
    """What becomes of a route that matches."""
    operations: Annotated[tuple[Operation, ...], entries(1, 10)] = ()
    """Changes to a route that is accepted, in their order. With `Accept` only."""

    def faults(self) -> Iterator[Fault]:
        """The cross-field rules of Calico's validator."""
        if self.cidr is not None and self.match_operator is None:
            yield Fault(
                ("matchOperator",),
                NOTHING,
                "is missing: a cidr needs Equal, NotEqual, In or NotIn",
                ("cidr",),
            )
        if self.match_operator is not None and self.cidr is None:
            yield Fault(("cidr",), NOTHING, "is missing: matchOperator needs one", ("matchOperator",))
        if self.prefix_length is not None and self.cidr is None:
            yield Fault(("prefixLength",), {}, "can only be set together with cidr", ("cidr",))
        if self.operations and self.action is not FilterAction.ACCEPT:
            reason = "can only be set together with action Accept"
            yield Fault(("operations",), list(self.operations), reason, ("action",))


class FilterRuleV4(FilterRule):
    """A rule for IPv4."""

    prefix_length: PrefixLengthV4 | None = None
    """With `In` and `NotIn`: of the routes inside, those with a length in this range. Needs `cidr`."""

    def faults(self) -> Iterator[Fault]:
        """The CIDR is of the family, too."""
        yield from super().faults()
        yield from _faults_of_family(self.cidr, IPV4, "IPv4")


class FilterRuleV6(FilterRule):
    """A rule for IPv6."""

    def faults(self) -> Iterator[Fault]:
        """The CIDR is of the family, too."""
        yield from super().faults()
        yield from _faults_of_family(self.cidr, IPV6, "IPv6")


def _faults_of_family(cidr: Prefix | None, family: Family, name: str) -> Iterator[Fault]:
    if cidr is not None and cidr.family != family:
        yield Fault(("cidr",), str(cidr), f"is not {name}")


class BgpFilterSpec(Value):
    """BGPFilter.spec."""

    export_v4: tuple[FilterRuleV4, ...] = ()
    """Rules for what is announced, IPv4."""
    import_v4: tuple[FilterRuleV4, ...] = ()
    """Rules for what is received, IPv4."""
    export_v6: tuple[FilterRuleV6, ...] = ()
    """Rules for what is announced, IPv6."""
    import_v6: tuple[FilterRuleV6, ...] = ()
    """Rules for what is received, IPv6."""


class BgpFilter(Resource):
    """Rules that peers refer to by name."""

    kind: Literal["BGPFilter"]
    spec: BgpFilterSpec = Field(default_factory=BgpFilterSpec)
