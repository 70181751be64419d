"""What each parameter of a peer makes of our OPEN, octet for octet."""

from dataclasses import replace

import pytest

from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.session.offer import our_open
from felixbgp.bgp.wire.capabilities import Role
from felixbgp.bgp.wire.messages import Capability
from felixbgp.net import IPV4, IPV6, Address

SPEAKER = SpeakerConfig(bgp_identifier=Address.parse("192.0.2.1"), local_as=64512)
PLAIN = PeerConfig(
    peer=PeerId(Address.parse("192.0.2.2")),
    name="tor",
    families=(IPV4, IPV6),
    local_as=64512,
    remote_as=64513,
    extended_message=False,
    enhanced_refresh=False,
)


def configured(**parameters: object) -> PeerConfig:
    return replace(PLAIN, **parameters)  # type: ignore[arg-type]


def offered(
    config: PeerConfig, *, restarting: bool = False, forwarding: bool = False
) -> tuple[Capability, ...]:
    """What comes after families, AS number and route refresh, which are always there."""
    message = our_open(config, SPEAKER, restarting=restarting, forwarding=forwarding)
    always = len(config.families) + 2
    assert message.capabilities[always - 1] == Capability(2)
    return message.capabilities[always:]


@pytest.mark.parametrize(
    ("parameters", "capabilities"),
    [
        ({}, ()),
        ({"enhanced_refresh": True}, (Capability(70),)),
        ({"extended_message": True}, (Capability(6),)),
        ({"extended_next_hop": True}, (Capability(5, b"\0\1\0\1\0\2"),)),
        ({"extended_next_hop": True, "families": (IPV6,)}, ()),
        ({"add_path_receive": True}, (Capability(69, b"\0\1\1\1\0\2\1\1"),)),
        ({"add_path_send": True}, (Capability(69, b"\0\1\1\2\0\2\1\2"),)),
        ({"add_path_receive": True, "add_path_send": True}, (Capability(69, b"\0\1\1\3\0\2\1\3"),)),
        ({"role": Role.PROVIDER}, (Capability(9, b"\0"),)),
        ({"role": Role.CUSTOMER}, (Capability(9, b"\3"),)),
        ({"role": Role.PROVIDER, "remote_as": 64512}, ()),  # RFC 9234 §4: of external sessions.
    ],
)
def test_each_parameter_has_its_capability(
    parameters: dict[str, object], capabilities: tuple[Capability, ...]
) -> None:
    assert offered(configured(**parameters)) == capabilities


@pytest.mark.parametrize(
    ("wanted", "restarting", "forwarding", "capabilities"),
    [
        (GracefulRestart(), False, False, (Capability(64, b"\x40\x78\0\1\1\0\0\2\1\0"),)),
        (GracefulRestart(), True, False, (Capability(64, b"\xc0\x78\0\1\1\0\0\2\1\0"),)),
        (
            GracefulRestart(notification=False, restart_time_s=4095),
            True,
            True,
            (Capability(64, b"\x8f\xff\0\1\1\x80\0\2\1\x80"),),
        ),
        (
            GracefulRestart(long_lived_stale_time_s=86400),
            False,
            True,
            (
                Capability(64, b"\x40\x78\0\1\1\x80\0\2\1\x80"),
                Capability(71, b"\0\1\1\x80\x01\x51\x80\0\2\1\x80\x01\x51\x80"),
            ),
        ),
    ],
)
def test_graceful_restart_has_its_bits_and_times(
    wanted: GracefulRestart, restarting: bool, forwarding: bool, capabilities: tuple[Capability, ...]
) -> None:
    config = configured(graceful_restart=wanted)
    assert offered(config, restarting=restarting, forwarding=forwarding) == capabilities


def test_without_graceful_restart_nobody_is_told_of_a_restart() -> None:
    assert offered(PLAIN, restarting=True) == ()


def test_everything_together_fits_an_open() -> None:
    config = configured(
        enhanced_refresh=True,
        extended_message=True,
        extended_next_hop=True,
        add_path_send=True,
        role=Role.PEER,
        graceful_restart=GracefulRestart(long_lived_stale_time_s=1),
    )
    assert [one.code for one in offered(config)] == [70, 6, 5, 69, 9, 64, 71]
