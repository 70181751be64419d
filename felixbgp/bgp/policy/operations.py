"""What a rule changes on the routes that it matches."""

from collections.abc import Iterable
from typing import assert_never

from felixbgp.bgp.policy.conditions import carries
from felixbgp.bgp.policy.types import AddCommunity, Community, Operation, PrependAsPath, SetLocalPref
from felixbgp.bgp.wire.as_path import can_be_passed_on, prepended
from felixbgp.bgp.wire.messages import PathAttributes


def carry_out(operations: Iterable[Operation], attributes: PathAttributes) -> PathAttributes:
    """The attributes after all operations, in their order; the same object when nothing changes."""
    for operation in operations:
        match operation:
            case AddCommunity():
                attributes = _with_community(attributes, operation.community)
            case PrependAsPath():
                attributes = _with_as_path(attributes, operation.asns)
            case SetLocalPref():
                if attributes.local_pref != operation.value:
                    attributes = attributes.replace(local_pref=operation.value)
            case _:
                assert_never(operation)
    return attributes


def _with_community(attributes: PathAttributes, community: Community) -> PathAttributes:
    """Communities are sets (RFC 1997, RFC 8092 §3), which `PathAttributes` has in ascending order."""
    if carries(attributes, community):
        return attributes
    if isinstance(community, int):
        return attributes.replace(communities=tuple(sorted((*attributes.communities, community))))
    large = tuple(sorted((*attributes.large_communities, community)))
    return attributes.replace(large_communities=large)


def _with_as_path(attributes: PathAttributes, asns: tuple[int, ...]) -> PathAttributes:
    """A path that would become too long to be passed on stays as it is: nobody prefers it anyway."""
    longer = prepended(asns, attributes.as_path)
    return attributes.replace(as_path=longer) if can_be_passed_on(longer) else attributes
