"""The rules between objects, which hold when one is written: what calicoctl asks the store about first.

Calico's libcalico-go/lib/clientv3/{ippool,bgppeer}.go, the validator's rules for pools of load balancers, and
ours for the names of secrets. A stored object that breaks one of these still counts: it is whoever writes it
next who is told.
"""

from collections.abc import Iterable, Iterator, Sequence

from felixbgp.net import Prefix
from felixbgp.resources.base import Password
from felixbgp.resources.bgp_configuration import BgpConfiguration
from felixbgp.resources.bgp_filter import BgpFilter
from felixbgp.resources.bgp_peer import BgpPeer
from felixbgp.resources.block_affinity import BlockAffinity
from felixbgp.resources.decode import AnyResource
from felixbgp.resources.errors import FieldError, quote
from felixbgp.resources.ip_pool import AllowedUse, EncapsulationMode, IpPool
from felixbgp.resources.secret_names import secret_faults
from felixbgp.resources.selectors import EVERYTHING


def broken_write_rules(
    resource: AnyResource, stored: AnyResource | None, others: Iterable[AnyResource | BlockAffinity]
) -> list[FieldError]:
    """What stands against writing `resource` in the place of `stored`; None: it is new.

    `others` are the valid objects there will be beside it: of a pool the pools and the claims on blocks, of a
    peer the filters; what else is in it does not matter, nor does the order.
    """
    return [*_rules_beside(resource, stored, others), *broken_rules_of_itself(resource)]


def broken_rules_of_itself(resource: AnyResource) -> Iterator[FieldError]:
    """What stands against writing `resource` whatever is stored."""
    match resource:
        case IpPool():
            if AllowedUse.LOAD_BALANCER in resource.spec.allowed_uses:
                yield from _rules_of_load_balancers(resource)
        case BgpPeer():
            yield from _rules_of_secret("spec.password", resource.spec.password)
        case BgpConfiguration():
            yield from _rules_of_secret("spec.nodeMeshPassword", resource.spec.node_mesh_password)
        case _:
            pass


def _rules_beside(
    resource: AnyResource, stored: AnyResource | None, others: Iterable[AnyResource | BlockAffinity]
) -> Iterator[FieldError]:
    match resource:
        case IpPool():
            yield from _rules_of_pool(resource, stored if isinstance(stored, IpPool) else None, list(others))
        case BgpPeer():
            yield from _rules_of_peer(resource, others)
        case _:
            pass


def _rules_of_peer(peer: BgpPeer, others: Iterable[AnyResource | BlockAffinity]) -> Iterator[FieldError]:
    known = {other.name for other in others if isinstance(other, BgpFilter)}
    missing = [name for name in peer.spec.filters if name not in known]
    if missing:
        yield FieldError("spec.filters", "", f"BGPFilter(s) not found: {', '.join(dict.fromkeys(missing))}")


def _rules_of_pool(
    pool: IpPool, stored: IpPool | None, others: Sequence[AnyResource | BlockAffinity]
) -> Iterator[FieldError]:
    if stored is None:
        yield from overlaps(pool, others)
        yield from _blocks_of_other_size(pool, others)
    else:
        yield from _changes(pool, stored)


def overlaps(pool: IpPool, others: Iterable[AnyResource | BlockAffinity]) -> Iterator[FieldError]:
    """The other pools that a new one shares addresses with."""
    found = [
        other
        for other in others
        if isinstance(other, IpPool) and other.name != pool.name and _overlap(pool.spec.cidr, other.spec.cidr)
    ]
    for other in sorted(found, key=lambda each: each.name):
        reason = f"overlaps with IPPool({other.name}), {other.spec.cidr}"
        yield FieldError("spec.cidr", quote(str(pool.spec.cidr)), reason)


def _blocks_of_other_size(
    pool: IpPool, others: Sequence[AnyResource | BlockAffinity]
) -> Iterator[FieldError]:
    size = pool.spec.effective_block_size
    blocks = [
        other
        for other in others
        if isinstance(other, BlockAffinity)
        and other.cidr.length != size
        and _overlap(pool.spec.cidr, other.cidr)
    ]
    if blocks:
        first = min(blocks, key=lambda each: (each.cidr, each.host))
        reason = f"is not the size of the block {first.cidr}, which {quote(first.host)} has in this range"
        yield FieldError("spec.blockSize", quote(size), reason)


def _changes(pool: IpPool, stored: IpPool) -> Iterator[FieldError]:
    if pool.spec.cidr != stored.spec.cidr:
        reason = f"cannot be changed; it is {stored.spec.cidr}"
        yield FieldError("spec.cidr", quote(str(pool.spec.cidr)), reason)
    before, after = stored.spec.effective_block_size, pool.spec.effective_block_size
    if before != after:
        yield FieldError("spec.blockSize", quote(after), f"cannot be changed; it is {before}")
    was, uses = set(stored.spec.allowed_uses), set(pool.spec.allowed_uses)
    if AllowedUse.LOAD_BALANCER in was and uses - {AllowedUse.LOAD_BALANCER}:
        yield FieldError("spec.allowedUses", "", "cannot be changed from LoadBalancer to another use")


def _rules_of_load_balancers(pool: IpPool) -> Iterator[FieldError]:
    """A pool whose addresses are not workloads': there is nothing to encapsulate, and no node to select."""
    spec = pool.spec
    if len(set(spec.allowed_uses)) > 1:
        yield FieldError("spec.allowedUses", "", "cannot have LoadBalancer together with another use")
    for field, mode in (("ipipMode", spec.effective_ipip_mode), ("vxlanMode", spec.vxlan_mode)):
        if mode is not EncapsulationMode.NEVER:
            yield FieldError(f"spec.{field}", quote(mode), "cannot be set for a pool of load balancers")
    if spec.disable_bgp_export:
        yield FieldError("spec.disableBGPExport", "true", "cannot be set for a pool of load balancers")
    if spec.node_selector != EVERYTHING:
        yield FieldError(
            "spec.nodeSelector", quote(str(spec.node_selector)), "is not all(), as load balancers need"
        )


def _rules_of_secret(field: str, password: Password | None) -> Iterator[FieldError]:
    if password is None or password.secret_key_ref is None:
        return
    secret = password.secret_key_ref
    for error in secret_faults(secret.name, secret.key):
        yield error._replace(field=f"{field}.secretKeyRef.{error.field}")


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.covers(other) or other.covers(one)
