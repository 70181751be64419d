"""What differs in the cluster's state since somebody last looked, so that only that is derived again."""

from collections.abc import Iterable

from felixbgp.cluster.secrets import SecretId


class Changes:
    """The names of what is not as it was; what changed and changed back is named all the same.

    True when anything did. Names stand in the order in which they changed first.
    """

    __slots__ = ("_hosts", "_names", "_prefixes", "_secrets")

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}
        self._hosts: dict[str, None] = {}
        self._secrets: dict[SecretId, None] = {}
        self._prefixes: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._names or self._hosts or self._secrets or self._prefixes)

    def add(self, kind: str, name: str) -> None:
        """A resource came, went, or means something else; `name` is its place in the state's table."""
        self._names.setdefault(kind, {})[name] = None

    def add_blocks(self, host: str) -> None:
        """The blocks of a host are others."""
        self._hosts[host] = None

    def add_secrets(self, secrets: Iterable[SecretId]) -> None:
        """What can be said of these secrets is something else."""
        self._secrets.update(dict.fromkeys(secrets))

    def add_prefix(self, prefix: str) -> None:
        """An optional prefix was read for the first time, or cannot be read any more."""
        self._prefixes[prefix] = None

    def of(self, kind: str) -> tuple[str, ...]:
        """The resources of a kind."""
        return tuple(self._names.get(kind, ()))

    def includes(self, kind: str, *names: str) -> bool:
        """Whether one of these resources is among them."""
        found = self._names.get(kind, {})
        return any(name in found for name in names)

    def blocks_of(self, host: str) -> bool:
        """Whether the blocks of this host are among them."""
        return host in self._hosts

    @property
    def secrets(self) -> tuple[SecretId, ...]:
        """The secrets."""
        return tuple(self._secrets)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The optional prefixes."""
        return tuple(self._prefixes)
