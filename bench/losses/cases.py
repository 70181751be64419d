"""All cases, in the order of the table."""

from bench.losses import reflectors, takeover
from bench.losses.case import Case

CASES: tuple[Case, ...] = (*reflectors.CASES, *takeover.CASES)
from bench.losses import policies, reflectors
from bench.losses.case import Case

CASES: tuple[Case, ...] = (*reflectors.CASES, *policies.CASES)
