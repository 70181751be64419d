"""What a node keeps of the store, to begin with when that is away: keys and values as they are, by prefix.

Standing rules:

* Nothing is worth keeping before all that is followed was heard: half a state is none.
* Of what many share only what concerns this node is kept: its endpoints, and the passwords that some resource
  refers to. Who asks for reports and audits is not kept, as no intent is derived from that.
* An event that is older than what is known of its prefix was delivered before: after a disconnect some come
  again. A snapshot is the truth, also with a lower revision.
"""

from collections.abc import Iterable
from typing import Final

from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.cluster.secrets import SECRETS, SecretId, key_of
from felixbgp.resources.workload_endpoint import is_endpoint_of

KEPT_OPTIONAL: Final = (DRAINS, WORKLOAD_ENDPOINTS, SECRETS)
"""Of the optional prefixes those that an intent is derived from."""


class _Followed:
    """What was heard under one prefix."""

    __slots__ = ("is_heard", "revision", "values")

    def __init__(self) -> None:
        self.is_heard = False
        self.revision = 0
        self.values: dict[str, StoredValue] = {}


class LastKnown:
    """Of node `node`, while it follows the store."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._required: tuple[str, ...] = ()
        self._followed: dict[str, _Followed] = {}
        self._secret_keys: frozenset[str] = frozenset()

    def follow(self, required: Iterable[str], optional: Iterable[str]) -> None:
        """Keep what is under these prefixes, as far as it is kept, and forget all others."""
        self._required = tuple(required)
        wanted = (*self._required, *(one for one in optional if one in KEPT_OPTIONAL))
        self._followed = {prefix: self._followed.get(prefix) or _Followed() for prefix in wanted}

    def want_secrets(self, secrets: Iterable[SecretId]) -> None:
        """These are the ones that some resource refers to."""
        self._secret_keys = frozenset(key_of(secret) for secret in secrets)

    @property
    def is_answered(self) -> bool:
        """Whether the store has said what is under all required prefixes."""
        return bool(self._required) and all(self._followed[one].is_heard for one in self._required)

    @property
    def is_whole(self) -> bool:
        """Whether all that is followed was heard, or refused."""
        return self.is_answered and all(followed.is_heard for followed in self._followed.values())

    @property
    def revision(self) -> int:
        """The highest of what is kept."""
        return max((followed.revision for followed in self._followed.values()), default=0)

    def snapshots(self) -> tuple[SnapshotReceived, ...]:
        """What is kept, one for each prefix."""
        return tuple(self._snapshot(prefix, followed) for prefix, followed in self._followed.items())

    def hear(self, event: StoreInput) -> bool:
        """Take what the store said; True when there may be something else to keep."""
        match event:
            case SnapshotReceived():
                return self._replace(event)
            case KeyPut():
                return self._put(event.stored)
            case KeyDeleted():
                return self._delete(event)
            case PrefixRefused():
                return self._refused(event.prefix)
            case _:
                return False

    def _replace(self, snapshot: SnapshotReceived) -> bool:
        followed = self._followed.get(snapshot.prefix)
        if followed is None:
            return False
        followed.is_heard, followed.revision = True, snapshot.revision
        followed.values = {one.key: one for one in snapshot.values if self._is_kept(one.key)}
        return True

    def _put(self, stored: StoredValue) -> bool:
        followed = self._of(stored.key)
        if followed is None or stored.revision < followed.revision or not self._is_kept(stored.key):
            return False
        followed.revision = stored.revision
        followed.values[stored.key] = stored
        return True

    def _delete(self, event: KeyDeleted) -> bool:
        followed = self._of(event.key)
        if followed is None or event.revision < followed.revision:
            return False
        followed.revision = event.revision
        return followed.values.pop(event.key, None) is not None

    def _refused(self, prefix: str) -> bool:
        """What was heard before stays valid; there is nothing to wait for."""
        followed = self._followed.get(prefix)
        if followed is None or followed.is_heard:
            return False
        followed.is_heard = True
        return True

    def _of(self, key: str) -> _Followed | None:
        found = next((prefix for prefix in self._followed if key.startswith(prefix)), None)
        return None if found is None else self._followed[found]

    def _is_kept(self, key: str) -> bool:
        return not key.startswith(WORKLOAD_ENDPOINTS) or is_endpoint_of(key, self._node)

    def _snapshot(self, prefix: str, followed: _Followed) -> SnapshotReceived:
        values = tuple(followed.values.values())
        if prefix == SECRETS:
            values = tuple(one for one in values if one.key in self._secret_keys)
        return SnapshotReceived(prefix, followed.revision, values)
