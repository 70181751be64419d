"""What the resources call for beyond the prefixes that are always followed."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from felixbgp.cluster.secrets import SECRETS, SecretId
from felixbgp.resources import BgpConfiguration, BgpPeer, Node
from felixbgp.resources.base import Password
from felixbgp.resources.bgp_peer import BgpPeerSpec
from felixbgp.resources.keys import prefix_of

WORKLOAD_ENDPOINTS = prefix_of("WorkloadEndpoint")


class Demands(NamedTuple):
    """Optional prefixes to follow in the store, and secrets to look for in the node's directory; sorted."""

    prefixes: tuple[str, ...] = ()
    secrets: tuple[SecretId, ...] = ()


def demands_of(
    name: str, node: Node | None, defaults: BgpConfiguration | None, peers: Iterable[BgpPeer]
) -> Demands:
    """What an agent on node `name` must read; `defaults` is the BGPConfiguration `default`."""
    prefixes, passwords = [], [] if defaults is None else [defaults.spec.node_mesh_password]
    for peer in peers:
        passwords.append(peer.spec.password)
        if peer.spec.local_workload_selector is not None and _is_for(peer.spec, name, node):
            prefixes.append(WORKLOAD_ENDPOINTS)
    secrets = tuple(sorted(set(_references(passwords))))
    if secrets:
        prefixes.append(SECRETS)
    return Demands(tuple(sorted(set(prefixes))), secrets)


def secret_of(password: Password | None) -> SecretId | None:
    """The secret that a password is kept in; None when there is no password."""
    if password is None or password.secret_key_ref is None:
        return None
    return SecretId(password.secret_key_ref.name, password.secret_key_ref.key)


def _is_for(spec: BgpPeerSpec, name: str, node: Node | None) -> bool:
    """Whether a BGPPeer is one of this node's."""
    if spec.node is not None:
        return spec.node == name
    return spec.node_selector is None or (node is not None and spec.node_selector.matches(node.labels))


def _references(passwords: Iterable[Password | None]) -> Iterator[SecretId]:
    for password in passwords:
        if (secret := secret_of(password)) is not None:
            yield secret
