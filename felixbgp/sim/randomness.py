"""Numbers that one seed decides, the same on every machine and Python (SplitMix64)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

_MASK = (1 << 64) - 1
Drawn = TypeVar("Drawn")


class Randomness:
    """An endless sequence of numbers; call it for one in [0, 1)."""

    def __init__(self, seed: int) -> None:
        self._state = self._seed = seed & _MASK

    def __call__(self) -> float:
        """The next number, in [0, 1)."""
        return (self.bits() >> 11) / (1 << 53)

    def bits(self) -> int:
        """The next 64 bits (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def fork(self) -> "Randomness":
        """A sequence of its own, so that one node's draws do not move another's."""
        return Randomness(self.bits())

    def part(self, name: str) -> "Randomness":
        """The sequence of one part, by its name: neither its draws nor new parts move those of others."""
        named = sha256(name.encode()).digest()
        return Randomness(self._seed ^ int.from_bytes(named[:8], "big"))

    def between(self, least: int, most: int) -> int:
        """A whole number, both ends among them."""
        return least + self.bits() % (most - least + 1)

    def chance(self, of_one: float) -> bool:
        """True in this part of all cases."""
        return self() < of_one

    def pick(self, choices: Sequence[Drawn]) -> Drawn:
        """One of them."""
        return choices[self.bits() % len(choices)]

    def sample(self, choices: Sequence[Drawn], count: int) -> list[Drawn]:
        """So many of them, in the order in which they stand."""
        left = list(enumerate(choices))
        taken = [left.pop(self.bits() % len(left)) for _ in range(min(count, len(left)))]
        return [choice for _, choice in sorted(taken, key=lambda one: one[0])]
