"""How much half a drain may do, by how long the last ones took.

The core counts its work in prefixes. What one costs differs tenfold: by its attributes, by how many peers
hear of it, by the machine. So the number that takes a time is found while running.
"""

from typing import Final

LONG_NS: Final = 3_000_000
"""A step that takes longer than this was nearly too long: the bound is 5 ms, and what comes may cost more."""
SHORT_NS: Final = 1_500_000
"""One that takes less leaves room for twice as much, even where what comes next costs more."""
START: Final = 250
FEWEST: Final = 32
"""Prefixes to take in. One that has attributes of its own costs some tens of microseconds, interpreted."""
MOST: Final = 1200
"""With more, a step's own cost is no smaller a part: of 4,000 a route costs as much. And a surprise, prefixes
that cost five times as much as those before them, would be longer."""
TOLD_START: Final = 250
TOLD_FEWEST: Final = 50
"""Prefixes to tell: each may have to go to a thousand peers, in a message of its own."""
PROBE_STEPS: Final = 64
"""For how many steps it is believed that less work takes as long."""


class Pace:
    """The budget of the next step: at once less after a long one, slowly more while work waits.

    Where half the prefixes took as long, it is not prefixes that cost: to tell 300 peers anything at all
    takes milliseconds. A smaller budget would only repeat that more often, and so there is a larger one. The
    same where a step has consequences that cost more than itself, however little it did.
    """

    __slots__ = ("_fewest", "_lowest", "_most", "_start", "_steps_left", "_took_twice", "budget")

    def __init__(self, start: int, fewest: int, most: int) -> None:
        self._start = start
        self._fewest = fewest
        self._most = most
        self._lowest = fewest
        """No less for now."""
        self._steps_left = 0
        self._took_twice = 0
        """How long the last step took, if it used up twice this budget; else 0."""
        self.budget = start

    def learn(self, took_ns: int, *, is_more: bool, besides_ns: int = 0) -> None:
        """A step with this budget took so long; `is_more`: it left work behind.

        `besides_ns` is what other steps took because of it, and would have with any budget: to hand out to
        each of 300 peers what this one worked out for all. While that is more than the step, half of all
        time goes into repetition, and twice as much is done as soon as it surely takes no longer than it may.

        One that did not use its budget up says nothing of what a larger one would take; and what comes next
        may be of another kind, so that after a rest it begins anew.
        """
        budget, took_twice = self.budget, self._took_twice
        self._took_twice = 0
        self._steps_left -= 1
        if self._steps_left <= 0:
            self._lowest = self._fewest
        if not is_more:
            self.budget = min(budget, self._start)
        elif took_ns <= LONG_NS:
            if took_ns < besides_ns and took_ns <= LONG_NS // 2:
                self.budget = min(self._most, 2 * budget)
            elif took_ns < SHORT_NS:
                self.budget = min(self._most, budget + budget // 8)
        elif took_ns > took_twice * 3 // 4 > 0:
            self.budget = self._lowest = min(4 * budget, self._most)
            self._steps_left = PROBE_STEPS
        elif budget > self._lowest:
            self.budget, self._took_twice = max(self._lowest, budget // 2), took_ns
