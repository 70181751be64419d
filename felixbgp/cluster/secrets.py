"""Passwords: which secret a resource means, and what the two places where one can be kept say of it.

A directory on the node, one file per key (`<directory>/<name>/<key>`), is asked first; a key in etcd
(`/felixbgp/v1/secrets/<name>/<key>`) second. A file that is there but of no use is not passed over: whoever
can write to etcd shall not take the place of the node's own files.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from felixbgp.cluster.following import UNREAD
from felixbgp.resources.errors import quote
from felixbgp.resources.secret_names import secret_faults

SECRETS = "/felixbgp/v1/secrets/"
"""Where secrets are kept in etcd: one key per key of a secret, its value as it is."""

PASSWORD_OCTETS_MAX = 80
"""TCP_MD5SIG_MAXKEYLEN of linux/tcp.h."""

CONTENT_OCTETS_MAX = PASSWORD_OCTETS_MAX + 3
"""As much of a value as is ever looked at: a password, a newline of two octets, and one octet too many."""


class SecretId(NamedTuple):
    """A secret and one key of it, as a secretKeyRef names them; not checked."""

    name: str
    key: str

    def fault(self) -> str:
        """Why nothing can be kept under these names; "" when they are as Kubernetes has them."""
        found = next(secret_faults(self.name, self.key), None)
        return "" if found is None else f"{found.value} {found.reason}"

    def __str__(self) -> str:
        return f"secret {quote(self.name)}, key {quote(self.key)}"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """What the directory holds for a secret: its first octets, or why they cannot be read.

    Neither of them means that there is no such file.
    """

    secret: SecretId
    content: bytes | None = field(default=None, repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A password that can be used."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """No password, and why. `absent` says that both places were looked into and hold nothing."""

    reason: str
    absent: bool = False


class Secrets:
    """What is known of the secrets in both places."""

    def __init__(self) -> None:
        self._directory = ""
        self._files: dict[SecretId, SecretFile] = {}
        self._stored: dict[SecretId, bytes] = {}

    def take_files(self, directory: str, files: Iterable[SecretFile]) -> set[SecretId]:
        """The directory holds this now; the secrets of which it says something else than before."""
        read = {file.secret: file for file in files}
        before, self._files = self._files, read
        moved = directory != self._directory
        self._directory = directory
        return {secret for secret in {*before, *read} if moved or before.get(secret) != read.get(secret)}

    def keep_files(self, secrets: Iterable[SecretId]) -> None:
        """Forget what the directory held for all others: it is not looked into for them any more."""
        kept = set(secrets)
        self._files = {secret: file for secret, file in self._files.items() if secret in kept}

    def store(self, secret: SecretId, value: bytes) -> bool:
        """Etcd holds this value; True when it is another than before."""
        cut = value[:CONTENT_OCTETS_MAX]
        changed = self._stored.get(secret) != cut
        self._stored[secret] = cut
        return changed

    def forget(self, secret: SecretId) -> bool:
        """Etcd holds nothing for the secret; True when it did."""
        return self._stored.pop(secret, None) is not None

    def is_read(self, secret: SecretId) -> bool:
        """Whether the directory was looked into for the secret."""
        return secret in self._files

    def find(self, secret: SecretId, obstacle: str) -> FoundSecret | MissingSecret:
        """The password a secret holds, or why there is none.

        `obstacle` is why etcd tells nothing of secrets; "" when it does.
        """
        if fault := secret.fault():
            return MissingSecret(fault)
        file = self._files.get(secret)
        if file is None:
            return MissingSecret(UNREAD)
        path = f"{self._directory}/{secret.name}/{secret.key}"
        if file.problem:
            return MissingSecret(f"{path}: {file.problem}")
        if file.content is not None:
            return _usable(file.content, path)
        return self._find_stored(secret, path, obstacle)

    def _find_stored(self, secret: SecretId, path: str, obstacle: str) -> FoundSecret | MissingSecret:
        key = key_of(secret)
        value = self._stored.get(secret)
        if value is not None:
            return _usable(value, f"{key} in etcd")
        if obstacle:
            return MissingSecret(f"there is no file {path}, and {key} in etcd {obstacle}")
        return MissingSecret(f"there is neither a file {path} nor a key {key} in etcd", absent=True)


def key_of(secret: SecretId) -> str:
    """The key in etcd that holds a secret."""
    return f"{SECRETS}{secret.name}/{secret.key}"


def parse_key(key: str) -> SecretId | None:
    """The secret that a key in etcd holds; None when it is no such key."""
    name, slash, rest = key.removeprefix(SECRETS).partition("/")
    if not key.startswith(SECRETS) or not slash:
        return None
    secret = SecretId(name, rest)
    return None if secret.fault() else secret


def _usable(content: bytes, where: str) -> FoundSecret | MissingSecret:
    """A password without the newline that editors and `echo` leave at its end, if TCP MD5 can take it."""
    newline = b"\r\n" if content.endswith(b"\r\n") else b"\n"
    password = content.removesuffix(newline)
    if not password:
        return MissingSecret(f"{where} is empty")
    if len(password) > PASSWORD_OCTETS_MAX:
        return MissingSecret(f"{where} is longer than the {PASSWORD_OCTETS_MAX} octets TCP MD5 can take")
    return FoundSecret(password)
