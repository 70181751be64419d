"""Every parameter has a class, and a change of several has all of theirs."""

from dataclasses import fields, replace

import pytest

from felixbgp.bgp.changes import (
    PEER_CHANGES,
    SPEAKER_CHANGES,
    Affects,
    keeping_session,
    peer_change,
    speaker_change,
)
from felixbgp.bgp.config import NextHopMode, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.policy.types import Action, Policy
from felixbgp.net import IPV4, IPV6, Address

PEER = PeerConfig(
    peer=PeerId(Address.parse("10.0.0.2")), name="peer", families=(IPV4,), local_as=1, remote_as=2
)
SPEAKER = SpeakerConfig(bgp_identifier=Address.parse("10.0.0.1"), local_as=1)
REJECT = Policy(default=Action.REJECT)


def test_the_tables_are_complete() -> None:
    assert set(PEER_CHANGES) == {field.name for field in fields(PeerConfig)}
    assert set(SPEAKER_CHANGES) == {field.name for field in fields(SpeakerConfig)}


@pytest.mark.parametrize(
    ("changed", "affects"),
    [
        ({}, Affects.NOTHING),
        ({"name": "other"}, Affects.NOTHING),
        ({"keepalive_time_s": 5}, Affects.NOTHING),
        ({"import_policy": REJECT}, Affects.IMPORT),
        ({"allowed_local_as": 1}, Affects.IMPORT),
        ({"export_policy": REJECT}, Affects.EXPORT),
        ({"next_hop": NextHopMode.SELF}, Affects.EXPORT),
        ({"route_reflector_client": True}, Affects.IMPORT | Affects.EXPORT),
        ({"import_policy": REJECT, "export_policy": REJECT}, Affects.IMPORT | Affects.EXPORT),
        ({"remote_as": 3}, Affects.SESSION),
        ({"local_as": 3}, Affects.SESSION),
        ({"hold_time_s": 3}, Affects.SESSION),
        ({"families": (IPV6,)}, Affects.SESSION),
        ({"passive": True}, Affects.NOTHING),
        ({"transport": TransportOptions(password=b"new")}, Affects.SESSION),
    ],
)
def test_peer(changed: dict[str, object], affects: Affects) -> None:
    assert peer_change(PEER, replace(PEER, **changed)) == affects  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [{"local_as": 3}, {"remote_as": 3}])
def test_policies_made_for_other_as_numbers_wait_unless_nothing_is_to_be_told(number: dict[str, int]) -> None:
    wanted = replace(PEER, **number, import_policy=REJECT)  # type: ignore[arg-type]
    assert keeping_session(PEER, wanted) == PEER
    assert keeping_session(PEER, replace(wanted, export_policy=REJECT)) == replace(PEER, export_policy=REJECT)


def test_what_a_session_bears_is_changed_under_it_and_the_rest_is_not() -> None:
    new = replace(PEER, name="other", import_policy=REJECT, draining=True, hold_time_s=30, families=(IPV6,))
    kept = keeping_session(PEER, new)
    assert kept == replace(PEER, name="other", import_policy=REJECT, draining=True)
    assert peer_change(kept, new) == Affects.SESSION


@pytest.mark.parametrize(
    ("changed", "affects"),
    [
        ({"bgp_identifier": Address.parse("10.0.0.9")}, Affects.SESSION),
        ({"local_as": 9}, Affects.IMPORT),
        ({"cluster_id": Address.parse("9.9.9.9")}, Affects.IMPORT | Affects.EXPORT),
    ],
)
def test_speaker(changed: dict[str, object], affects: Affects) -> None:
    assert speaker_change(SPEAKER, replace(SPEAKER, **changed)) == affects  # type: ignore[arg-type]
