"""A prefix condition laid out for comparison with NLRI octets."""

from typing import NamedTuple, Self

from felixbgp.bgp.policy.types import PrefixMatch
from felixbgp.net import Family, Nlri


class PrefixTest(NamedTuple):
    """What `PrefixMatch` says, for prefixes of one family."""

    min_length: int
    max_length: int
    octets: bytes
    """The octets that the pattern's length covers completely."""
    mask: int
    """Significant bits of the octet after them; 0 when there is none."""
    rest: int
    """The value of that octet under the mask."""
    family_differs: bool
    negated: bool

    @classmethod
    def of(cls, match: PrefixMatch, family: Family) -> Self:
        """Lay out a condition."""
        pattern = match.prefix
        whole, partial = divmod(pattern.length, 8)
        mask = 0xFF00 >> partial & 0xFF
        return cls(
            # A shorter prefix than the pattern is never inside it, whatever min_length says; this also keeps
            # the comparison from reading beyond the end of the NLRI.
            min_length=max(match.min_length, pattern.length),
            max_length=match.max_length,
            octets=pattern.nlri[1 : 1 + whole],
            mask=mask,
            rest=pattern.nlri[1 + whole] & mask if mask else 0,
            family_differs=pattern.family != family,
            negated=match.negated,
        )

    def holds(self, nlri: Nlri) -> bool:
        """Whether the prefix lies inside the pattern, turned round when negated."""
        return self.inside(nlri) is not self.negated

    def inside(self, nlri: Nlri) -> bool:
        """Whether the prefix lies inside the pattern and its length within the pattern's bounds."""
        if self.family_differs or not self.min_length <= nlri[0] <= self.max_length:
            return False
        end = 1 + len(self.octets)
        return nlri[1:end] == self.octets and (not self.mask or nlri[end] & self.mask == self.rest)
