"""What of a fact reaches the log."""

import logging
from dataclasses import dataclass
from typing import cast

import pytest

from felixbgp.agent.effects import Fact, Listen
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.bgp.effects import Connect, TransportOptions
from felixbgp.bgp.facts import ConnectionRefused
from felixbgp.bgp.inputs import Endpoint
from felixbgp.cluster.facts import ReadRefused
from felixbgp.cluster.inputs import KeyPut, SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.secrets import SECRETS, FoundSecret, SecretFile, SecretId
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.runtime import telemetry

PASSWORD = b"correct horse"
ADDRESS = Address.parse("192.0.2.1")
OPTIONS = TransportOptions(password=PASSWORD)
PEER = PeerConfig(
    peer=PeerId(ADDRESS), name="tor", families=(IPV4,), local_as=1, remote_as=2, transport=OPTIONS
)
STORED = StoredValue(f"{SECRETS}tor/password", PASSWORD, 7)
SECRET = SecretId("tor", "password")


@dataclass(frozen=True, slots=True)
class Carrying:
    """A fact that came to carry what it should not."""

    value: object


CARRIERS = [
    OPTIONS,
    PEER,
    Connect(1, Endpoint(ADDRESS, 179), OPTIONS, 1),
    Listen((), ((Prefix.parse("192.0.2.1/32"), PASSWORD),)),
    STORED,
    KeyPut(STORED),
    SnapshotReceived(SECRETS, 7, (STORED,)),
    SecretFilesRead("/etc/felixbgp/secrets", (SecretFile(SECRET, PASSWORD),)),
    FoundSecret(PASSWORD),
]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: type(carrier).__name__)
def test_a_password_is_in_no_repr_and_in_no_log_line(carrier: object) -> None:
    for text in (repr(carrier), str(carrier), telemetry.text_of(cast("Fact", Carrying(carrier)))):
        assert "correct" not in text


def test_a_value_that_is_no_secret_is_shown() -> None:
    assert "correct" in repr(StoredValue("/calico/a", PASSWORD, 7))


def test_a_fact_is_its_name_and_its_fields() -> None:
    refused = ConnectionRefused("192.0.2.1", "no peer of ours")
    assert telemetry.text_of(refused) == "ConnectionRefused remote=192.0.2.1 reason='no peer of ours'"


@pytest.mark.parametrize(
    ("level", "fact", "logged"),
    [
        ("info", ReadRefused(SECRETS, "permission denied"), True),
        ("error", ReadRefused(SECRETS, "permission denied"), False),
    ],
    ids=["a warning on level info", "a warning on level error"],
)
def test_the_level_decides_what_is_written(
    level: str, fact: Fact, *, logged: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = telemetry.LOGGER.level, telemetry.LOGGER.handlers[:], telemetry.LOGGER.propagate
    try:
        telemetry.start_logging("debug")
        telemetry.set_level(level)
        telemetry.observe(fact)
    finally:
        telemetry.LOGGER.level, telemetry.LOGGER.handlers[:], telemetry.LOGGER.propagate = before
        logging.getLogger("felixbgp").setLevel(before[0])
    assert ("ReadRefused" in capsys.readouterr().err) is logged
