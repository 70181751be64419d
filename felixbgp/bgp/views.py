"""What two ends of a session make of each other's routes: functions of configuration and both OPENs alone."""

from collections.abc import Iterable
from typing import Final

from felixbgp.bgp.config import PeerConfig, SpeakerConfig
from felixbgp.bgp.policy.types import Action, Match, Policy, Rule
from felixbgp.bgp.rib.acceptance import Acceptance, shared_acceptance
from felixbgp.bgp.rib.export import AsPathEdits, ExportView
from felixbgp.bgp.rib.path import PathPeer
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.framer import EXTENDED_MESSAGE_OCTETS_MAX, MESSAGE_OCTETS_MAX
from felixbgp.bgp.wire.messages import Negotiated
from felixbgp.net import Address, Family

ANYTHING: Final = Policy()
NOTHING: Final = Policy((Rule("an external peer needs a policy (RFC 8212)", Match(), Action.REJECT),))


def effective_policy(config: PeerConfig, configured: Policy) -> Policy:
    """The policy to go by: what nobody wrote down does not let an external peer in (RFC 8212 §2)."""
    missing = configured == ANYTHING and config.external and config.requires_policy
    return NOTHING if missing else configured


def path_peer(config: PeerConfig, negotiated: Negotiated) -> PathPeer:
    """The peer as its paths have it."""
    return PathPeer(
        config.peer,
        external=config.external,
        identifier=negotiated.peer_identifier,
        remote_as=config.remote_as,
        client=config.route_reflector_client,
        draining=config.is_last_resort,
        counted=config.counted,
        leaving=config.draining,
    )


def acceptance(
    config: PeerConfig, speaker: SpeakerConfig, family: Family, local: Address, negotiated: Negotiated
) -> Acceptance:
    """The rules for what the peer tells; `local` is our end of the session."""
    return shared_acceptance(
        family,
        local_as=frozenset((config.local_as, speaker.local_as)),
        allowed_local_as=config.allowed_local_as,
        identifier=speaker.bgp_identifier,
        cluster_id=_cluster_id(speaker),
        own_addresses=frozenset((local, speaker.bgp_identifier)),
        external=config.external,
        remote_as=config.remote_as,
        peer_role=_peer_role(config),
        extended_next_hop=family in negotiated.extended_next_hop,
    )


def export_view(
    config: PeerConfig, speaker: SpeakerConfig, family: Family, local: Address, negotiated: Negotiated
) -> ExportView:
    """What decides on what the peer is told; `local` is our end of the session."""
    return ExportView(
        family=family,
        external=config.external,
        client=config.route_reflector_client,
        local_as=config.local_as,
        local_address=local,
        next_hop=config.next_hop,
        cluster_id=_cluster_id(speaker),
        peer_role=_peer_role(config),
        long_lived=family in [known for known, _, _ in negotiated.long_lived],
        policy=effective_policy(config, config.export_policy),
        four_octet_as=negotiated.four_octet_as,
        as_path_edits=_as_path_edits(config),
        extended_next_hop=family in negotiated.extended_next_hop,
        add_path=family in negotiated.add_path_send,
        message_octets_max=(
            EXTENDED_MESSAGE_OCTETS_MAX if negotiated.extended_message else MESSAGE_OCTETS_MAX
        ),
    )


def loses_by_reset(negotiated: Negotiated, families: Iterable[Family]) -> bool:
    """Whether the end of a session takes routes along, here or at the peer (RFC 8538 §4)."""
    restart = negotiated.graceful_restart
    if restart is None or not restart.notification:
        return True
    kept = dict(restart.families)
    return any(family not in kept for family in families)


def _as_path_edits(config: PeerConfig) -> AsPathEdits | None:
    overridden = config.remote_as if config.override_as else None
    edits = AsPathEdits(overridden, config.remove_private_as, config.prepend_local_as)
    return edits if config.external and edits != AsPathEdits() else None


def _peer_role(config: PeerConfig) -> Role | None:
    """What an external peer is to us: the other end of what we are to it."""
    return None if config.role is None or not config.external else config.role.counterpart


def _cluster_id(speaker: SpeakerConfig) -> bytes:
    return speaker.bgp_identifier if speaker.cluster_id is None else speaker.cluster_id
