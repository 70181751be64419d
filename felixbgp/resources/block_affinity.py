"""BlockAffinity: that a node has claimed a block of addresses.

Calico's IPAM keeps these outside the resources, host and CIDR in the key, two fields in the value
(libcalico-go/lib/backend/model/block_affinity.go).
"""

from dataclasses import dataclass
from enum import Enum

from pydantic import ConfigDict

from felixbgp.net import Prefix
from felixbgp.resources.base import Value


class AffinityState(Enum):
    """How far a claim has come."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PENDING_DELETION = "pendingDeletion"


class AffinityValue(Value):
    """What stands in the store. A machine writes it, and what its later versions add is let pass."""

    model_config = ConfigDict(extra="ignore")

    state: AffinityState = AffinityState.CONFIRMED
    """An absent state is a confirmed one: the first versions had none."""


@dataclass(frozen=True, slots=True)
class BlockAffinity:
    """A host's claim on a block."""

    host: str
    cidr: Prefix
    state: AffinityState
