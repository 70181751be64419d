"""Where a password comes from, and what is said when there is none."""

import pytest

from felixbgp.cluster.following import UNREAD
from felixbgp.cluster.secrets import (
    FoundSecret,
    MissingSecret,
    SecretFile,
    SecretId,
    Secrets,
    key_of,
    parse_key,
)

TOR = SecretId("bgp-secrets", "tor")
DIRECTORY = "/etc/felixbgp/secrets"
PATH = f"{DIRECTORY}/bgp-secrets/tor"
KEY = "/felixbgp/v1/secrets/bgp-secrets/tor"


def found(file: SecretFile, stored: bytes | None = None, obstacle: str = "") -> FoundSecret | MissingSecret:
    """What is found when the directory says this and etcd that."""
    secrets = Secrets()
    secrets.take_files(DIRECTORY, [file])
    if stored is not None:
        secrets.store(file.secret, stored)
    return secrets.find(file.secret, obstacle)


def content(value: bytes) -> SecretFile:
    return SecretFile(TOR, value)


@pytest.mark.parametrize(
    ("value", "password"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret\n\n", b"secret\n"),
        (b" secret ", b" secret "),
        (b"\xff\x00", b"\xff\x00"),
        (b"x" * 80, b"x" * 80),
        (b"x" * 80 + b"\r\n", b"x" * 80),
    ],
    ids=["plain", "newline", "CRLF", "two newlines", "blanks", "any octets", "longest", "longest with CRLF"],
)
def test_a_password_is_the_value_without_one_newline(value: bytes, password: bytes) -> None:
    assert found(content(value)) == FoundSecret(password)
    assert found(SecretFile(TOR), value) == FoundSecret(password)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * 81, "is longer than the 80 octets TCP MD5 can take"),
        (b"x" * 1000 + b"\n", "is longer than the 80 octets TCP MD5 can take"),
    ],
    ids=["empty", "only a newline", "one octet too long", "much too long"],
)
def test_a_value_that_is_no_password(value: bytes, reason: str) -> None:
    assert found(content(value)) == MissingSecret(f"{PATH} {reason}")
    assert found(SecretFile(TOR), value) == MissingSecret(f"{KEY} in etcd {reason}")


def test_the_directory_wins() -> None:
    assert found(content(b"from the file"), b"from etcd") == FoundSecret(b"from the file")


@pytest.mark.parametrize(
    "file",
    [content(b""), content(b"x" * 81), SecretFile(TOR, problem="Permission denied")],
    ids=["empty", "too long", "unreadable"],
)
def test_a_file_of_no_use_is_not_passed_over(file: SecretFile) -> None:
    missing = found(file, b"from etcd")
    assert isinstance(missing, MissingSecret)
    assert not missing.absent


def test_an_unreadable_file_is_named_with_the_systems_words() -> None:
    assert found(SecretFile(TOR, problem="Permission denied")) == MissingSecret(f"{PATH}: Permission denied")


def test_absent_in_both_places() -> None:
    missing = found(SecretFile(TOR))
    reason = f"there is neither a file {PATH} nor a key {KEY} in etcd"
    assert missing == MissingSecret(reason, absent=True)


def test_etcd_that_does_not_answer_is_not_absence() -> None:
    missing = found(SecretFile(TOR), obstacle="cannot be read: permission denied")
    reason = f"there is no file {PATH}, and {KEY} in etcd cannot be read: permission denied"
    assert missing == MissingSecret(reason, absent=False)


def test_what_etcd_told_before_it_refused_stays_valid() -> None:
    assert found(SecretFile(TOR), b"secret", "cannot be read: permission denied") == FoundSecret(b"secret")


def test_a_directory_that_was_not_read_yet() -> None:
    secrets = Secrets()
    secrets.store(TOR, b"secret")
    assert secrets.find(TOR, "") == MissingSecret(UNREAD)
    secrets.take_files(DIRECTORY, [SecretFile(TOR)])
    secrets.keep_files([])
    assert secrets.find(TOR, "") == MissingSecret(UNREAD)


def test_a_change_names_the_secrets_that_differ() -> None:
    secrets = Secrets()
    other = SecretId("bgp-secrets", "other")
    assert secrets.take_files(DIRECTORY, [SecretFile(TOR), SecretFile(other)]) == {TOR, other}
    assert secrets.take_files(DIRECTORY, [SecretFile(TOR), SecretFile(other)]) == set()
    assert secrets.take_files(DIRECTORY, [content(b"new"), SecretFile(other)]) == {TOR}
    assert secrets.take_files(DIRECTORY, [content(b"new")]) == {other}
    assert secrets.take_files("/elsewhere", [content(b"new")]) == {TOR}
    assert secrets.store(TOR, b"a")
    assert not secrets.store(TOR, b"a")
    assert secrets.forget(TOR)
    assert not secrets.forget(TOR)


NAMES = [
    ("bgp-secrets", "tor", ""),
    ("A_b.c-1", ".dockerconfigjson", ""),
    ("..", "tor", '".." is no name of a secret'),
    (".", "tor", '"." is no name of a secret'),
    ("", "tor", '"" is no name of a secret'),
    ("a/b", "tor", '"a/b" is no name of a secret'),
    ("/etc", "shadow", '"/etc" is no name of a secret'),
    ("a\n", "tor", '"a�" is no name of a secret'),
    ("a" * 254, "tor", f'"{"a" * 78}… is no name of a secret'),
    ("a", "..", '".." is no key of a secret'),
    ("a", ".", '"." is no key of a secret'),
    ("a", "", '"" is no key of a secret'),
    ("a", "..data", '"..data" is no key of a secret'),
    ("a", "../../shadow", '"../../shadow" is no key of a secret'),
    ("a", "b\0", '"b�" is no key of a secret'),
    ("a", "ключ", '"ключ" is no key of a secret'),
]


@pytest.mark.parametrize(("name", "key", "fault"), NAMES)
def test_only_names_that_kubernetes_takes_are_looked_for(name: str, key: str, fault: str) -> None:
    secret = SecretId(name, key)
    assert secret.fault() == fault
    if fault:
        assert Secrets().find(secret, "") == MissingSecret(fault)
        assert parse_key(f"/felixbgp/v1/secrets/{name}/{key}") is None
    else:
        assert parse_key(key_of(secret)) == secret


@pytest.mark.parametrize("key", ["/felixbgp/v1/secrets/", "/felixbgp/v1/secrets/a", "/felixbgp/v1/nodes/a/b"])
def test_other_keys_hold_no_secret(key: str) -> None:
    assert parse_key(key) is None
