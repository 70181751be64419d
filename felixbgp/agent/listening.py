"""Where connections are accepted: the wanted endpoints against those that are open."""

from felixbgp.agent.effects import Listen
from felixbgp.agent.inputs import ListenFailed, Listening
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Prefix

RETRY_NS = 5_000_000_000
"""An address that is not there yet, or a port that another speaker still holds, is tried again after this."""


class Listener:
    """Asks for the whole wanted set whenever it changes or a part of it is due for another attempt."""

    def __init__(self) -> None:
        self._wanted: tuple[Endpoint, ...] = ()
        self._keys: tuple[tuple[Prefix, bytes], ...] = ()
        self._dirty = False
        self._retry_at: int | None = None
        self._problems: dict[Endpoint, str] = {}

    def want(self, endpoints: tuple[Endpoint, ...], keys: tuple[tuple[Prefix, bytes], ...] = ()) -> None:
        """State the wanted set and the passwords; endpoints that are open already stay open."""
        if (endpoints, keys) == (self._wanted, self._keys):
            return
        self._wanted, self._keys = endpoints, keys
        self._problems = {e: reason for e, reason in self._problems.items() if e in endpoints}
        self._dirty = True

    def feed(self, event: Listening | ListenFailed, now: int) -> None:
        """Take an answer; one for an endpoint that is no longer wanted is of no interest."""
        if event.endpoint not in self._wanted:
            return
        if isinstance(event, Listening):
            self._problems.pop(event.endpoint, None)
        else:
            self._problems[event.endpoint] = event.reason
            self._retry_at = now + RETRY_NS

    def take(self, now: int) -> list[Listen]:
        """The effect that is due, if any."""
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            self._dirty = self._dirty or bool(self._problems)
        if not self._dirty:
            return []
        self._dirty = False
        return [Listen(self._wanted, self._keys)]

    def next_deadline(self) -> int | None:
        """When to try again; 0 when something is to be asked for now."""
        return 0 if self._dirty else self._retry_at

    def problems(self) -> dict[str, str]:
        """Endpoints that cannot be opened, in words, and why."""
        return {f"{e.address} port {e.port}": reason for e, reason in self._problems.items()}
