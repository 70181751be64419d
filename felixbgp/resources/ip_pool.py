"""IPPool: a range workloads get addresses from, and how packets to it travel.

Fields and rules of Calico's api/pkg/apis/projectcalico/v3/ippool.go and its validator, up to v3.32. The
fields `ipip` and `nat-outgoing` of API version 1 are read as Calico's upgrade of old stores does.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import Field, JsonValue, StrictBool

from felixbgp.net import IPV4, Prefix
from felixbgp.resources.base import Resource, Value
from felixbgp.resources.errors import Fault
from felixbgp.resources.selectors import EVERYTHING
from felixbgp.resources.values import BlockSize, Cidr, SelectorText


class EncapsulationMode(Enum):
    """When packets between nodes are encapsulated."""

    NEVER = "Never"
    ALWAYS = "Always"
    CROSS_SUBNET = "CrossSubnet"


class AllowedUse(Enum):
    """What addresses of a pool are for."""

    WORKLOAD = "Workload"
    TUNNEL = "Tunnel"
    LOAD_BALANCER = "LoadBalancer"


class AssignmentMode(Enum):
    """Whether addresses are assigned unasked."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class LegacyMode(Enum):
    """IPIP modes as API version 1 spelled them."""

    ALWAYS = "always"
    CROSS_SUBNET = "cross-subnet"


class LegacyIpip(Value):
    """`ipip` of API version 1."""

    enabled: StrictBool = False
    """Whether IPIP is used."""
    mode: LegacyMode = LegacyMode.ALWAYS
    """When."""


_UNUSABLE = (Prefix.parse("169.254.0.0/16"), Prefix.parse("fe80::/10"))


class IpPoolSpec(Value):
    """IPPool.spec."""

    cidr: Cidr
    """The range."""
    vxlan_mode: EncapsulationMode = EncapsulationMode.NEVER
    """When packets between nodes travel in VXLAN. Felix writes the routes of such a pool."""
    ipip_mode: EncapsulationMode = EncapsulationMode.NEVER
    """When packets between nodes travel in IPIP; IPv4 only, and not together with `vxlanMode`."""
    nat_outgoing: StrictBool = False
    """Felix's: source NAT for packets that leave the pools."""
    disabled: StrictBool = False
    """Calico's IPAM assigns no more addresses. BGP treats the pool as before."""
    disable_bgp_export: StrictBool = False
    """Routes inside the pool are not announced."""
    block_size: BlockSize | None = None
    """Length of the prefix of a block; 26, or 122 for IPv6, unless set. IPv4: 20 to 32, IPv6: 116 to 128."""
    node_selector: SelectorText = EVERYTHING
    """IPAM's: nodes that may use the pool."""
    namespace_selector: SelectorText | None = None
    """IPAM's: namespaces that may use the pool."""
    allowed_uses: tuple[AllowedUse, ...] = (AllowedUse.WORKLOAD, AllowedUse.TUNNEL)
    """IPAM's: what addresses are for."""
    assignment_mode: AssignmentMode | None = None
    """IPAM's: whether addresses are assigned unasked."""
    ipip: LegacyIpip | None = None
    """The form of API version 1; counts where `ipipMode` is not set."""
    nat_outgoing_v1: StrictBool = Field(default=False, alias="nat-outgoing")
    """The form of API version 1."""

    @property
    def effective_ipip_mode(self) -> EncapsulationMode:
        """`ipipMode`, or what the field of API version 1 said when that is all there is."""
        if "ipip_mode" in self.model_fields_set or self.ipip is None or not self.ipip.enabled:
            return self.ipip_mode
        crossing = self.ipip.mode is LegacyMode.CROSS_SUBNET
        return EncapsulationMode.CROSS_SUBNET if crossing else EncapsulationMode.ALWAYS

    @property
    def effective_block_size(self) -> int:
        """`blockSize`, or 26 for IPv4 and 122 for IPv6."""
        return self.block_size or (26 if self.cidr.family == IPV4 else 122)

    def faults(self) -> Iterator[Fault]:
        """The cross-field rules of Calico's validator, overlap with other pools excepted."""
        yield from self._faults_of_mode()
        for range_ in _UNUSABLE:
            if range_.covers(self.cidr) or self.cidr.covers(range_):
                yield Fault(("cidr",), str(self.cidr), f"overlaps the link-local range {range_}")
        low, high = (20, 32) if self.cidr.family == IPV4 else (116, 128)
        if self.block_size is not None and not low <= self.block_size <= high:
            yield Fault(("blockSize",), self.block_size, f"is not between {low} and {high}", ("cidr",))
        elif self.effective_block_size < self.cidr.length and not self.disabled:
            reason = f"is smaller than one block (/{self.effective_block_size})"
            yield Fault(("cidr",), str(self.cidr), reason, ("blockSize", "disabled"))

    def _faults_of_mode(self) -> Iterator[Fault]:
        mode = self.effective_ipip_mode
        if mode is EncapsulationMode.NEVER:
            return
        if self.cidr.family != IPV4:
            yield Fault(("ipipMode",), mode.value, "is for IPv4 pools only", ("cidr", "ipip"))
        if self.vxlan_mode is not EncapsulationMode.NEVER:
            reason = f"cannot be set together with vxlanMode {self.vxlan_mode.value}"
            yield Fault(("ipipMode",), mode.value, reason, ("vxlanMode", "ipip"))


class IpPool(Resource):
    """A range of workload addresses."""

    kind: Literal["IPPool"]
    spec: IpPoolSpec
    status: JsonValue = None
