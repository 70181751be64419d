"""Numbers that one seed decides, the same on every machine and Python (SplitMix64)."""

_MASK = (1 << 64) - 1


class Randomness:
    """An endless sequence of numbers; call it for one in [0, 1)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

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
