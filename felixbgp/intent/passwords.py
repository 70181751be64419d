"""The password of a session, or why the session must stay down without it (architecture decision 10)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from felixbgp.cluster.demands import secret_of
from felixbgp.cluster.secrets import FoundSecret, MissingSecret, SecretId
from felixbgp.resources.base import Password

Lookup = Callable[[SecretId], FoundSecret | MissingSecret]


@dataclass(frozen=True, slots=True)
class SessionPassword:
    """The TCP MD5 key to use, None for none; or an obstacle, in words, and then there shall be no session."""

    key: bytes | None = field(default=None, repr=False)
    obstacle: str = ""


def session_password(wanted: Password | None, lookup: Lookup) -> SessionPassword:
    """What a `password` field of a resource comes to.

    With `optional: true` a secret that does not exist means a session without password, as a Kubernetes pod
    starts without it. One of which nobody can say whether it exists does not.
    """
    secret = secret_of(wanted)
    if wanted is None or wanted.secret_key_ref is None or secret is None:
        return SessionPassword()
    found = lookup(secret)
    if isinstance(found, FoundSecret):
        return SessionPassword(found.password)
    if found.absent and wanted.secret_key_ref.optional:
        return SessionPassword()
    return SessionPassword(obstacle=f"{secret}: {found.reason}")
