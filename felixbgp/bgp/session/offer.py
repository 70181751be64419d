"""What we offer a peer in our OPEN: its configuration, as capabilities (RFC 5492)."""

from collections.abc import Iterator

from felixbgp.bgp.config import PeerConfig, SpeakerConfig
from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    add_path,
    extended_next_hop,
    graceful_restart,
    long_lived,
    role,
)
from felixbgp.bgp.wire.messages import Capability, OpenMessage
from felixbgp.bgp.wire.open import make_open
from felixbgp.net import IPV4


def our_open(
    config: PeerConfig, speaker: SpeakerConfig, *, restarting: bool = False, forwarding: bool = False
) -> OpenMessage:
    """The OPEN for a peer; `restarting` and `forwarding` are the bits of RFC 4724 §3, if that is configured.

    `forwarding`: what the peer may still send here, for routes of an earlier session, goes its way.
    """
    return make_open(
        local_as=config.local_as,
        hold_time_s=config.hold_time_s,
        bgp_identifier=speaker.bgp_identifier,
        families=config.families,
        extra=tuple(_options(config, restarting=restarting, forwarding=forwarding)),
    )


def _options(config: PeerConfig, *, restarting: bool, forwarding: bool) -> Iterator[Capability]:
    families = config.families
    yield ROUTE_REFRESH
    if config.enhanced_refresh:
        yield ENHANCED_ROUTE_REFRESH
    if config.extended_message:
        yield EXTENDED_MESSAGE
    if config.extended_next_hop and IPV4 in families:
        yield extended_next_hop((IPV4,))
    if config.add_path_receive or config.add_path_send:
        yield add_path((family, config.add_path_receive, config.add_path_send) for family in families)
    if config.role is not None and config.external:
        yield role(config.role)
    if config.graceful_restart is not None:
        wanted = config.graceful_restart
        yield graceful_restart(
            wanted.restart_time_s,
            ((family, forwarding) for family in families),
            restarting=restarting,
            notification=wanted.notification,
        )
        if wanted.long_lived_stale_time_s:
            stale_time_s = wanted.long_lived_stale_time_s
            yield long_lived((family, forwarding, stale_time_s) for family in families)
