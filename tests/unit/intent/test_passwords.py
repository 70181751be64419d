"""What a password field comes to."""

import pytest

from felixbgp.cluster.secrets import FoundSecret, MissingSecret, SecretId
from felixbgp.intent.passwords import SessionPassword, session_password
from felixbgp.resources.base import Password

FOUND = FoundSecret(b"secret")
ABSENT = MissingSecret("is nowhere", absent=True)
UNKNOWN = MissingSecret("cannot be read: permission denied")
HELD = 'secret "s", key "k": '


def looked_up(found: FoundSecret | MissingSecret, **more: bool) -> SessionPassword:
    wanted = Password.model_validate({"secretKeyRef": {"name": "s", "key": "k", **more}})
    asked: list[SecretId] = []

    def lookup(secret: SecretId) -> FoundSecret | MissingSecret:
        asked.append(secret)
        return found

    password = session_password(wanted, lookup)
    assert asked == [SecretId("s", "k")]
    return password


@pytest.mark.parametrize("optional", [False, True])
def test_a_password_that_is_found_is_used(*, optional: bool) -> None:
    assert looked_up(FOUND, optional=optional) == SessionPassword(b"secret")


@pytest.mark.parametrize("missing", [ABSENT, UNKNOWN], ids=["absent", "unknown"])
def test_one_that_is_not_keeps_the_session_down(missing: MissingSecret) -> None:
    assert looked_up(missing) == SessionPassword(obstacle=HELD + missing.reason)
    assert looked_up(missing, optional=False) == SessionPassword(obstacle=HELD + missing.reason)


def test_an_optional_one_may_be_absent_but_not_unknown() -> None:
    assert looked_up(ABSENT, optional=True) == SessionPassword()
    assert looked_up(UNKNOWN, optional=True) == SessionPassword(obstacle=HELD + UNKNOWN.reason)


@pytest.mark.parametrize("wanted", [None, Password()], ids=["no field", "no reference in it"])
def test_no_reference_is_no_password(wanted: Password | None) -> None:
    def lookup(secret: SecretId) -> FoundSecret:
        raise AssertionError(secret)

    assert session_password(wanted, lookup) == SessionPassword()
