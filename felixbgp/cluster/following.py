"""Which prefixes of the store a view follows, and how far it is with each.

The required ones are followed always, the optional ones while some resource calls for them. That the store
does not let us read an optional one is an answer too: it must not keep the rest of the cluster waiting.
"""

from collections.abc import Collection

UNREAD = "has not been read yet"


class Following:
    """`required` are the prefixes without which nothing can be derived."""

    def __init__(self, required: Collection[str]) -> None:
        self._awaited = dict.fromkeys(required)
        self._obstacles: dict[str, str] = {}
        """The optional prefixes, and why nothing is known of each; "" when it was read."""

    def follow(self, wanted: Collection[str]) -> tuple[list[str], list[str]]:
        """Follow exactly these optional prefixes; gives those that are new, and those that no longer are."""
        new = [prefix for prefix in wanted if prefix not in self._obstacles]
        gone = [prefix for prefix in self._obstacles if prefix not in wanted]
        for prefix in gone:
            del self._obstacles[prefix]
        self._obstacles.update(dict.fromkeys(new, UNREAD))
        return new, gone

    def is_followed(self, prefix: str) -> bool:
        """Whether this optional prefix is followed."""
        return prefix in self._obstacles

    def arrived(self, prefix: str) -> bool:
        """A snapshot of the prefix came, and so of all inside it; True when an optional one was not read."""
        for awaited in [awaited for awaited in self._awaited if awaited.startswith(prefix)]:
            del self._awaited[awaited]
        unread = [name for name, why in self._obstacles.items() if why and name.startswith(prefix)]
        self._obstacles.update(dict.fromkeys(unread, ""))
        return bool(unread)

    def refused(self, prefix: str, reason: str) -> bool:
        """The store does not let us read an optional prefix; True when that is news."""
        obstacle = f"cannot be read: {reason}"
        if self._obstacles.get(prefix, obstacle) == obstacle:
            return False
        self._obstacles[prefix] = obstacle
        return True

    def obstacle(self, prefix: str) -> str:
        """Why nothing is told of an optional prefix; "" when it was read, or is not followed."""
        return self._obstacles.get(prefix, "")

    def is_answered(self, wanted: Collection[str]) -> bool:
        """Whether the store has answered for every required prefix, and for these optional ones."""
        return not self._awaited and all(self._obstacles.get(prefix, UNREAD) != UNREAD for prefix in wanted)
