"""What lies between two hosts: how long it takes there, and what is wrong with it at present.

Faults of one kind may overlap on a link, so each is counted: it is over when the last of them has ended.
"""

from enum import Enum

from felixbgp.sim.observer import NOBODY, Observer
from felixbgp.sim.randomness import Randomness

Link = frozenset[str]
"""The names of its two ends."""


class Trouble(Enum):
    """What can be wrong with a link."""

    CUT = "cut"
    """Nothing passes, and nobody is told: what was sent waits, as TCP's does."""
    CLOGGED = "clogged"
    """Who sends gets nothing off its hands: the other end's window is closed."""
    REFUSING = "refusing"
    """Who dials is refused at once, as by a firewall; connections that are there stay."""
    UNREACHABLE = "unreachable"
    """Who dials is told at once that there is no route; connections that are there stay."""
    CHOPPED = "chopped"
    """What is sent arrives in pieces, cut anywhere."""


class Links:
    """All links, by the names of the two ends. A host's link to itself is as good as any other."""

    def __init__(self, delay_ns: int, randomness: Randomness) -> None:
        self.randomness = randomness
        """For what a link does by chance."""
        self._least_ns = self._most_ns = delay_ns
        self._delays: dict[Link, int] = {}
        self._troubles: dict[tuple[Link, Trouble], int] = {}
        self.observer: Observer = NOBODY

    def set_delays(self, least_ns: int, most_ns: int) -> None:
        """Let everything take so long at least and at most, one way, on each link always the same."""
        self._least_ns, self._most_ns = least_ns, most_ns
        self._delays.clear()

    def delay(self, first: str, second: str) -> int:
        """How long everything takes, one way."""
        link = frozenset((first, second))
        delay = self._delays.get(link)
        if delay is None:
            own = self.randomness.part(" ".join(sorted(link)))
            delay = self._delays[link] = own.between(self._least_ns, self._most_ns)
        return delay

    def begin(self, trouble: Trouble, first: str, second: str) -> None:
        """Have one more trouble of a kind."""
        key = frozenset((first, second)), trouble
        self._troubles[key] = self._troubles.get(key, 0) + 1
        self.observer.link_changed(first, second)

    def end(self, trouble: Trouble, first: str, second: str) -> bool:
        """Have one trouble less; whether that was the last of its kind."""
        key = frozenset((first, second)), trouble
        count = self._troubles.pop(key, 0) - 1
        if count > 0:
            self._troubles[key] = count
        self.observer.link_changed(first, second)
        return count == 0

    def has(self, trouble: Trouble, first: str, second: str) -> bool:
        """Whether a link is so at present."""
        return bool(self._troubles) and (frozenset((first, second)), trouble) in self._troubles

    def is_sound(self) -> bool:
        """Whether nothing is wrong anywhere."""
        return not self._troubles

    def pieces(self, data: bytes) -> list[bytes]:
        """The data, cut where chance will have it: now and then after each octet."""
        first, parts = 0, []
        longest = 1 + int(self.randomness() ** 3 * len(data))
        while first < len(data):
            size = 1 + int(self.randomness() * longest)
            parts.append(data[first : first + size])
            first += size
        return parts
