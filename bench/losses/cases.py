"""All cases, in the order of the table."""

from bench.losses import drains, policies, reflectors, restarts, takeover
from bench.losses.case import Case

CASES: tuple[Case, ...] = (
    *reflectors.CASES,
    *policies.CASES,
    *restarts.CASES,
    *drains.CASES,
    *takeover.CASES,
)
