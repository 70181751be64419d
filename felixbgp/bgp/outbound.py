"""The connections that have something to send, and how many of them are given it in one step.

    a turn:   work out what all are told, once ─▶ hand it out ─▶ hand it out ─▶ … ─▶ the next turn
                                                  64 outlets     the next 64

To hand messages to one connection takes microseconds, whatever they are; to a thousand, longer than a step
may take.
"""

from typing import Final

from felixbgp.bgp.rib.adj_rib_out import Outlet

OUTLETS_AT_ONCE: Final = 64
"""One takes up to 25 µs with its timers and the system call, interpreted; half of that compiled."""

OUTLETS_TOGETHER: Final = 16
"""So few are served in the step that works out what they are told. More are served in steps of their own, so
that the one cost can be told from the other."""


class Outbound:
    """Outlets with something to send, each once, the longest waiting first."""

    __slots__ = ("is_unfinished", "outlets")

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        """They put themselves in here."""
        self.is_unfinished = False
        """Whether some are left of a turn. Nothing new is worked out before they had theirs."""

    def begin(self) -> list[Outlet]:
        """The outlets to serve together with the working out of a turn: all, or, if they are many, none."""
        return self.go_on() if len(self.outlets) <= OUTLETS_TOGETHER else []

    def go_on(self) -> list[Outlet]:
        """The next outlets to serve in a turn that is unfinished."""
        taken = self.outlets[:OUTLETS_AT_ONCE]
        del self.outlets[:OUTLETS_AT_ONCE]
        return taken

    def look(self) -> None:
        """The step is over: see whether the turn is."""
        self.is_unfinished = bool(self.outlets)
