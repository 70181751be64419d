"""What is known of a peer without a session from elsewhere than BGP."""

from enum import IntEnum


class Presence(IntEnum):
    """Whether it is worth waiting for. A session with the peer ends all other knowledge."""

    EXPECTED = 0
    AWAY = 1
    """Its agent does not run for now; its host may well forward."""
    DEAD = 2
    """Its host is dead: no packet should be sent there."""
