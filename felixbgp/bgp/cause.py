"""Why a peer has no session: a closed list, so that every reader knows all that can be said."""

from enum import Enum


class Cause(Enum):
    """What keeps a session from being Established; the values are the words of the status document.

    Most of them a speaker finds out by itself. That a peer does not list us, or that something is missing
    without which there shall be no session, may also be known to whoever configures it.
    """

    STARTING = "Starting"
    """No attempt has ended yet: one is under way, or the peer is the one who dials."""
    REFUSED = "Refused"
    UNREACHABLE = "Unreachable"
    TIMED_OUT = "TimedOut"
    """Nobody answered. A host that asks for another TCP MD5 key, or for one at all, is as silent."""
    DIAL_FAILED = "DialFailed"
    """The system did not open a connection, for a reason of its own."""
    CONNECTION_CLOSED = "ConnectionClosed"
    """The connection ended without a NOTIFICATION."""
    WRONG_AS = "WrongAS"
    WRONG_IDENTIFIER = "WrongIdentifier"
    HOLD_TIMER = "HoldTimer"
    NOTIFICATION_RECEIVED = "NotificationReceived"
    """Any that has no word of its own here."""
    NOTIFICATION_SENT = "NotificationSent"
    """We ended the connection, with a NOTIFICATION that has no word of its own here."""
    NOT_LISTED = "PeerDoesNotListUs"
    CONFIGURATION_MISSING = "FilterOrSecretMissing"
    RESTARTING = "Restarting"
    DRAINING = "Draining"
    ADDRESS_NOT_LOCAL = "AddressNotOnHost"
    MAXIMUM_PREFIXES = "MaximumPrefixes"
    SHUT_DOWN = "ShutDown"
    """An operator wants no session."""
