"""The states of RFC 4271 §8.2.2."""

from enum import StrEnum


class SessionState(StrEnum):
    """How far a peer has come, in the standard's words; the order of the members is that of progress."""

    IDLE = "Idle"
    CONNECT = "Connect"
    ACTIVE = "Active"
    OPEN_SENT = "OpenSent"
    OPEN_CONFIRM = "OpenConfirm"
    ESTABLISHED = "Established"

    @property
    def rank(self) -> int:
        """0 for Idle up to 5 for Established."""
        return _RANK[self]


_RANK = {state: rank for rank, state in enumerate(SessionState)}
