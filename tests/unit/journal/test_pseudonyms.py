"""Passwords have other names in a journal, which mean the same to an agent."""

import pytest

from felixbgp.agent.effects import Listen
from felixbgp.bgp.effects import Connect, SetOptions, TransportOptions
from felixbgp.bgp.inputs import Endpoint
from felixbgp.cluster.inputs import KeyPut, SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.secrets import SECRETS, FoundSecret, MissingSecret, SecretFile, SecretId, _usable
from felixbgp.journal import codec
from felixbgp.journal.pseudonyms import Pseudonyms
from felixbgp.net import Address, Prefix

NAMES = Pseudonyms(b"k" * 32)
PASSWORD = b"correct horse"
PEER = Endpoint(Address.parse("10.0.0.2"), 179)


@pytest.mark.parametrize(
    "content",
    [
        PASSWORD,
        PASSWORD + b"\n",
        PASSWORD + b"\r\n",
        PASSWORD + b"\n\n",
        b"\n\n",
        b"x" * 80,
        b"x" * 80 + b"\n",
    ],
    ids=repr,
)
def test_what_is_of_use_is_so_under_its_other_name(content: bytes) -> None:
    found, renamed = _usable(content, "file"), _usable(NAMES.content(content), "file")
    assert isinstance(found, FoundSecret)
    assert isinstance(renamed, FoundSecret)
    assert renamed.password == NAMES.name(found.password) != found.password


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"x" * 81, b"x" * 200, b"x" * 81 + b"\n"], ids=repr)
def test_what_is_of_no_use_is_so_for_the_same_reason(content: bytes) -> None:
    found, renamed = _usable(content, "file"), _usable(NAMES.content(content), "file")
    assert isinstance(found, MissingSecret)
    assert renamed == found


def test_the_same_password_has_the_same_name_in_one_journal_and_in_no_other() -> None:
    assert NAMES.name(PASSWORD) == Pseudonyms(b"k" * 32).name(PASSWORD)
    assert NAMES.name(PASSWORD) != Pseudonyms(b"l" * 32).name(PASSWORD)
    assert NAMES.name(PASSWORD) != NAMES.name(b"other")


def test_no_input_and_no_effect_has_a_password_in_its_octets() -> None:
    stored = StoredValue(f"{SECRETS}bgp/mesh", PASSWORD + b"\n", 7)
    options = TransportOptions(password=PASSWORD, ttl=1)
    for value in (
        KeyPut(stored),
        SnapshotReceived(SECRETS, 7, (stored,)),
        SecretFilesRead("/secrets", (SecretFile(SecretId("bgp", "mesh"), PASSWORD),)),
        Connect(1, PEER, options, 5),
        SetOptions(1, options),
        Listen((PEER,), ((Prefix.of(PEER.address, 32), PASSWORD),)),
    ):
        octets = codec.encode(value, NAMES)
        assert PASSWORD not in octets
        assert NAMES.name(PASSWORD) in octets
        # All else is as it was.
        assert codec.encode(codec.decode(octets)) == octets
        assert repr(codec.decode(octets)) == repr(value)


def test_what_holds_no_secret_is_left_as_it_is() -> None:
    for value in (
        KeyPut(StoredValue("/calico/x", PASSWORD, 7)),
        Connect(1, PEER, TransportOptions(ttl=1), 5),
        SecretFilesRead("/secrets", (SecretFile(SecretId("bgp", "mesh"), problem="Permission denied"),)),
        Listen((PEER,)),
    ):
        assert codec.encode(value, NAMES) == codec.encode(value)
