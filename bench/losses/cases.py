"""All cases, in the order of the table."""

from bench.losses import policies, reflectors, takeover
from bench.losses.case import Case

CASES: tuple[Case, ...] = (*reflectors.CASES, *policies.CASES, *takeover.CASES)
