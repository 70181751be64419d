"""What a change of configuration costs: never a reset where the change can be made in place.

One row per parameter. A parameter that both ends agreed on in OPEN, or that belongs to the TCP connection,
needs a new session; what is only our own judgement is applied to the routes that are here.
"""

from dataclasses import replace
from enum import Flag, auto
from typing import Final

from felixbgp.bgp.config import PeerConfig, SpeakerConfig


class Affects(Flag):
    """What has to be done again."""

    NOTHING = 0
    IMPORT = auto()
    """Judge the Adj-RIB-In again: loops, policy, client or not."""
    EXPORT = auto()
    """Compare the Adj-RIB-Out with what the peer should know now, and tell it the difference."""
    DECISION = auto()
    """Decide again for every prefix."""
    ADMINISTRATION = auto()
    """Stop or start the session, as an operator wants it."""
    SESSION = auto()
    """Cease/6 (RFC 4486, other configuration change) and a new session."""


PEER_CHANGES: Final[dict[str, Affects]] = {
    "peer": Affects.SESSION,
    "name": Affects.NOTHING,
    "families": Affects.SESSION,
    "local_as": Affects.SESSION,
    "remote_as": Affects.SESSION,
    "shutdown": Affects.ADMINISTRATION,
    "hold_time_s": Affects.SESSION,
    # The peer is never told; a session that is up goes by it from its next KEEPALIVE on.
    "keepalive_time_s": Affects.NOTHING,
    # These three are about connections to come.
    "passive": Affects.NOTHING,
    "delay_open_s": Affects.NOTHING,
    "detect_collision_established": Affects.NOTHING,
    "graceful_restart": Affects.SESSION,
    "add_path_receive": Affects.SESSION,
    "add_path_send": Affects.SESSION,
    "extended_message": Affects.SESSION,
    "enhanced_refresh": Affects.SESSION,
    "extended_next_hop": Affects.SESSION,
    "role": Affects.SESSION,
    "role_strict": Affects.SESSION,
    # Client or not is a decision of the reflector alone (RFC 4456 §7); the peer is never told.
    "route_reflector_client": Affects.IMPORT | Affects.EXPORT,
    "next_hop": Affects.EXPORT,
    "allowed_local_as": Affects.IMPORT,
    # A higher limit does not bring back what was dropped; a new session does.
    "prefix_limit": Affects.SESSION,
    "attributes_octets_max": Affects.SESSION,
    "requires_policy": Affects.IMPORT | Affects.EXPORT,
    "override_as": Affects.EXPORT,
    "remove_private_as": Affects.EXPORT,
    "prepend_local_as": Affects.EXPORT,
    "transport": Affects.SESSION,
    "import_policy": Affects.IMPORT,
    "export_policy": Affects.EXPORT,
    "leading": Affects.IMPORT,
    "draining": Affects.IMPORT | Affects.ADMINISTRATION,
    # Who brought a path is counted from the next judgement on.
    "counted": Affects.IMPORT,
}

SPEAKER_CHANGES: Final[dict[str, Affects]] = {
    "bgp_identifier": Affects.SESSION,
    # Of the sessions it is `PeerConfig.local_as` that counts; here it only adds to the loop check.
    "local_as": Affects.IMPORT,
    "cluster_id": Affects.IMPORT | Affects.EXPORT,
    "multipath_external": Affects.DECISION,
    "multipath_internal": Affects.DECISION,
}


def peer_change(old: PeerConfig, new: PeerConfig) -> Affects:
    """What follows from a changed peer."""
    return _combined(PEER_CHANGES, old, new)


def keeping_session(old: PeerConfig, new: PeerConfig) -> PeerConfig:
    """`new` as far as the session of `old` bears it; `old` where AS numbers differ, which policies go by.

    Where nothing is to be told any more, that holds at once even then: a node that is drained waits for no
    turn.
    """
    if (old.local_as, old.remote_as) != (new.local_as, new.remote_as):
        return old if new.export_policy.accepts_any else replace(old, export_policy=new.export_policy)
    kept = {name: getattr(old, name) for name, affects in PEER_CHANGES.items() if Affects.SESSION in affects}
    return replace(new, **kept)


def speaker_change(old: SpeakerConfig, new: SpeakerConfig) -> Affects:
    """What follows, for every peer, from a changed speaker."""
    return _combined(SPEAKER_CHANGES, old, new)


def _combined(table: dict[str, Affects], old: object, new: object) -> Affects:
    affects = Affects.NOTHING
    for name, effect in table.items():
        if getattr(old, name) != getattr(new, name):
            affects |= effect
    return affects
