"""How close a peer is to the number of prefixes it may announce in one family."""

from enum import IntEnum
from struct import pack

from felixbgp.bgp.config import PrefixLimit
from felixbgp.net import Family


class LimitStep(IntEnum):
    """How far the peer went; the worst of a session counts."""

    BELOW = 0
    NEAR = 1
    BEYOND = 2


class LimitWatch:
    """Watches one session's table of one family; each step is news once."""

    __slots__ = ("limit", "step")

    def __init__(self, limit: PrefixLimit) -> None:
        self.limit = limit
        self.step = LimitStep.BELOW

    def passed(self, count: int) -> LimitStep | None:
        """The step that was reached for the first time with `count` prefixes announced, or None."""
        step = LimitStep.BELOW
        if count > self.limit.maximum:
            step = LimitStep.BEYOND
        elif 100 * count >= self.limit.warn_at_percent * self.limit.maximum:
            step = LimitStep.NEAR
        if step <= self.step:
            return None
        self.step = step
        return step

    def data(self, family: Family) -> bytes:
        """What a NOTIFICATION says of it: the family and its limit (RFC 4486 §4)."""
        return pack(">HBI", family.afi, family.safi, self.limit.maximum)

    def describe(self, family: Family, count: int, excess: int) -> str:
        """In words, for status; "" while all is well."""
        if self.step is LimitStep.BELOW:
            return ""
        text = f"{count} of at most {self.limit.maximum} {family.label} prefixes"
        return f"{text}, and {excess} announcements beyond were dropped" if excess else text
