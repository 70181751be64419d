"""Who waits for an audit of this node: the keys under its `audit-requests/` in the store.

Whoever may write there can ask, with any value and as often as they like. So what is no request is told of
once a second at most, a request is answered once, and few of those that wait are kept.
"""

from typing import Final

from felixbgp.cluster.facts import InvalidValue, ReadRefused
from felixbgp.cluster.inputs import (
    KeyDeleted,
    KeyPut,
    PrefixRefused,
    SnapshotReceived,
    StoredValue,
    StoreInput,
)
from felixbgp.resources import FieldError
from felixbgp.status.audit_document import decode_request
from felixbgp.status.keys import audit_requests_prefix, parse_audit_request_key
from felixbgp.status.proto_json import DocumentError

WAITING_MAX: Final = 64
"""Requests answered by one audit. They are made by people: more at a time are a mistake or an attack."""
ANSWERED_MAX: Final = 1024
"""Answered requests that are remembered while their keys are there; the oldest are forgotten first."""
COMPLAINT_INTERVAL_NS: Final = 1_000_000_000

RequestFact = InvalidValue | ReadRefused


class AuditRequests:
    """The fold for node `node`."""

    def __init__(self, node: str) -> None:
        self.prefix = audit_requests_prefix(node)
        """The prefix to follow; an optional one: whoever may not read it is asked for nothing."""
        self._node = node
        self._waiting: dict[str, str] = {}
        """Ids, and who asked."""
        self._answered: dict[str, None] = {}
        self._refused = ""
        self._complain_after = 0
        self._facts: list[RequestFact] = []

    @property
    def waiting(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def concerns(self, event: StoreInput) -> bool:
        """Whether an event is about these keys."""
        match event:
            case SnapshotReceived() | PrefixRefused():
                return event.prefix == self.prefix
            case KeyPut():
                return event.stored.key.startswith(self.prefix)
            case KeyDeleted():
                return event.key.startswith(self.prefix)
            case _:
                return False

    def feed(self, event: StoreInput, now: int) -> None:
        """Take an event that concerns these keys."""
        match event:
            case SnapshotReceived():
                self._refused = ""
                there = {stored.key for stored in event.values}
                for key in [key for key in self._known() if key not in there]:
                    self._forget(key)
                for stored in event.values:
                    self._put(stored, now)
            case KeyPut():
                self._put(event.stored, now)
            case KeyDeleted():
                self._forget(event.key)
            case PrefixRefused():
                if event.reason != self._refused:
                    self._refused = event.reason
                    self._facts.append(ReadRefused(event.prefix, event.reason))
            case _:
                pass

    def take(self) -> dict[str, str]:
        """The ids that wait, each with who asked; they count as answered from now on."""
        taken, self._waiting = self._waiting, {}
        self._answered.update(dict.fromkeys(taken))
        while len(self._answered) > ANSWERED_MAX:
            del self._answered[next(iter(self._answered))]
        return taken

    def take_facts(self) -> list[RequestFact]:
        """What was wrong with requests since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def _known(self) -> list[str]:
        return [self.prefix + request for request in (*self._waiting, *self._answered)]

    def _forget(self, key: str) -> None:
        request = key.removeprefix(self.prefix)
        self._waiting.pop(request, None)
        self._answered.pop(request, None)

    def _put(self, stored: StoredValue, now: int) -> None:
        request = parse_audit_request_key(stored.key, self._node)
        if request is None:
            self._complain(stored, "its key does not end with 1 to 64 letters, digits and hyphens", now)
            return
        if request in self._waiting or request in self._answered:
            return
        try:
            origin = decode_request(stored.value)
        except DocumentError as error:
            self._complain(stored, str(error), now)
            return
        if len(self._waiting) >= WAITING_MAX:
            self._complain(stored, f"{WAITING_MAX} others wait already", now)
            return
        self._waiting[request] = origin

    def _complain(self, stored: StoredValue, reason: str, now: int) -> None:
        if now < self._complain_after:
            return
        self._complain_after = now + COMPLAINT_INTERVAL_NS
        self._facts.append(InvalidValue(stored.key, stored.revision, (FieldError("", "", reason),)))
