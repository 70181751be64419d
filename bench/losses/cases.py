"""All cases, in the order of the table."""

from bench.losses import policies, reflectors, restarts, takeover
from bench.losses.case import Case

CASES: tuple[Case, ...] = (*reflectors.CASES, *policies.CASES, *restarts.CASES, *takeover.CASES)
