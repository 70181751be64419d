"""All cases, in the order of the table."""

from bench.losses import dead, drains, offline, outages, policies, reflectors, resets, restarts, takeover
from bench.losses.case import Case

CASES: tuple[Case, ...] = (
    *reflectors.CASES,
    *resets.CASES,
    *policies.CASES,
    *restarts.CASES,
    *outages.CASES,
    *offline.CASES,
    *drains.CASES,
    *dead.CASES,
    *takeover.CASES,
)
