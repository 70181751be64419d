"""What stands in a journal for passwords: names that mean as much to an agent, and nothing to a reader.

An agent does three things with a password: it takes off a newline, looks at the length, and compares. A name
is made of the password and a key that is thrown away with the recorder. So the same password has the same
name within one journal, and nowhere else, and nobody can try passwords against it. A replay works on these.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from felixbgp.agent.effects import Listen
from felixbgp.bgp.effects import TransportOptions
from felixbgp.cluster.inputs import StoredValue
from felixbgp.cluster.secrets import CONTENT_OCTETS_MAX, PASSWORD_OCTETS_MAX, SECRETS, SecretFile

KEY_OCTETS: Final = 32
WITH_SECRETS: Final = (SecretFile, StoredValue, TransportOptions, Listen)
"""Of all that an agent is told and asks for, what leaves a field out of its repr, as a test holds us to."""


class Pseudonyms:
    """Of one journal; `key` is random, and kept nowhere else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fields(self, value: object, fields: Sequence[Any]) -> Sequence[Any]:
        """The fields of an object with names for what is secret in it."""
        if isinstance(value, StoredValue):
            if not value.key.startswith(SECRETS):
                return fields
            return value.key, self.content(value.value), value.revision
        if isinstance(value, SecretFile):
            content = None if value.content is None else self.content(value.content)
            return value.secret, content, value.problem
        if isinstance(value, TransportOptions):
            if value.password is None:
                return fields
            return [self.name(one) if one is value.password else one for one in fields]
        if isinstance(value, Listen):
            return value.endpoints, tuple((prefix, self.name(key)) for prefix, key in value.keys)
        return fields

    def content(self, content: bytes) -> bytes:
        """For what a file or a key in etcd holds: a password, and perhaps a newline."""
        seen = content[:CONTENT_OCTETS_MAX]
        newline = next((end for end in (b"\r\n", b"\n") if seen.endswith(end)), b"")
        return self.name(seen.removesuffix(newline)) + newline

    def name(self, password: bytes) -> bytes:
        """For a password; as good, or as bad, as that one: of none, none, of one too long, one too long."""
        if not password:
            return password
        name = blake2b(password, key=self._key, digest_size=32).hexdigest().encode()
        return name if len(password) <= PASSWORD_OCTETS_MAX else name.ljust(PASSWORD_OCTETS_MAX + 1, b".")
