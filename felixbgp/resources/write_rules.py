"""The rules between objects that hold when one is written (libcalico-go/lib/clientv3/{ippool,bgppeer}.go).

They are no rules of a value: what is stored already is read whatever they say.
"""

from collections.abc import Iterator, Mapping

from felixbgp.resources.bgp_peer import BgpPeer
from felixbgp.resources.decode import AnyResource
from felixbgp.resources.errors import FieldError, quote
from felixbgp.resources.ip_pool import IpPool
from felixbgp.resources.keys import ResourceKey


def write_errors(
    resource: AnyResource, stored: AnyResource | None, others: Mapping[ResourceKey, AnyResource]
) -> list[FieldError]:
    """Why a valid object must not be written; empty when it may be.

    `stored` is the same object as it is, None when it is new or cannot be read. `others` are the IPPools and
    BGPFilters that there are, or will be by the same command; the object itself may be among them.
    """
    match resource:
        case IpPool():
            return [*_changes_of_pool(resource, stored), *_overlaps(resource, others)]
        case BgpPeer():
            return list(_missing_filters(resource, others))
        case _:
            return []


def _changes_of_pool(pool: IpPool, stored: AnyResource | None) -> Iterator[FieldError]:
    """Blocks and addresses hang on a pool's range and on the size of its blocks."""
    if not isinstance(stored, IpPool):
        return
    before, after = stored.spec, pool.spec
    if before.cidr != after.cidr:
        reason = f"cannot be changed; it is {quote(str(before.cidr))}"
        yield FieldError("spec.cidr", quote(str(after.cidr)), reason)
    if before.effective_block_size != after.effective_block_size:
        reason = f"cannot be changed; it is {before.effective_block_size}"
        yield FieldError("spec.blockSize", str(after.effective_block_size), reason)


def _overlaps(pool: IpPool, others: Mapping[ResourceKey, AnyResource]) -> Iterator[FieldError]:
    cidr = pool.spec.cidr
    for key in sorted(others, key=str):
        other = others[key]
        if not isinstance(other, IpPool) or key == pool.key:
            continue
        if other.spec.cidr.covers(cidr) or cidr.covers(other.spec.cidr):
            reason = f"overlaps with {other.spec.cidr} of IPPool {other.name}"
            yield FieldError("spec.cidr", quote(str(cidr)), reason)


def _missing_filters(peer: BgpPeer, others: Mapping[ResourceKey, AnyResource]) -> Iterator[FieldError]:
    missing = [name for name in peer.spec.filters if ResourceKey("BGPFilter", name) not in others]
    if missing:
        yield FieldError("spec.filters", "", f"BGPFilter(s) not found: {', '.join(missing)}")
