"""What operators and orchestrators write: Calico's resources that BGP reads, and block affinities.

Takes stored bytes and keys in Calico's etcd layout, gives validated immutable values or a list of errors that
name field, value and reason. Knows nothing of clusters, peers or routes.
"""

from felixbgp.resources.bgp_configuration import BgpConfiguration
from felixbgp.resources.bgp_filter import BgpFilter
from felixbgp.resources.bgp_peer import BgpPeer
from felixbgp.resources.block_affinity import AffinityState, BlockAffinity
from felixbgp.resources.calico_node_status import CalicoNodeStatus
from felixbgp.resources.decode import AnyResource, Decoded, decode, encode, validate
from felixbgp.resources.errors import FieldError
from felixbgp.resources.ip_pool import IpPool
from felixbgp.resources.keys import AffinityKey, ResourceKey, parse_key
from felixbgp.resources.node import Node
from felixbgp.resources.workload_endpoint import WorkloadEndpoint, is_endpoint_of

__all__ = [
    "AffinityKey",
    "AffinityState",
    "AnyResource",
    "BgpConfiguration",
    "BgpFilter",
    "BgpPeer",
    "BlockAffinity",
    "CalicoNodeStatus",
    "Decoded",
    "FieldError",
    "IpPool",
    "Node",
    "ResourceKey",
    "WorkloadEndpoint",
    "decode",
    "encode",
    "is_endpoint_of",
    "parse_key",
    "validate",
]
