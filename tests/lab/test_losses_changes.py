"""Z4, Z5 and Z6 with real probes, in short: policies change, agents restart, etcd goes back and is cut off.

The long forms, of ten nodes and ten minutes, are among the published ones. An agent killed twice is in
tests/unit/sim/test_restarts.py, the second time at the worst moment; others are in test_bad_days.py.
"""

from dataclasses import replace
from functools import partial

import pytest

from bench.losses import outages, policies, restarts
from bench.losses.case import Case, run
from bench.losses.cluster import Cluster
from tests.lab.losing import assert_nothing_is_lost

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

WATCH_SECONDS = 3.0
CUT_SECONDS = 16.0
"""The leased keys of those cut off are gone by then."""
BY_NAME = {case.name: case for case in (*policies.CASES, *restarts.CASES, *outages.CASES)}


def all_policies(cluster: Cluster) -> None:
    """One after the other."""
    for case in policies.CASES:
        case.change(cluster)


IN_SHORT = (
    replace(BY_NAME["filters"], name="policies", change=all_policies),
    replace(BY_NAME["all-killed-reflected"], unprobed=(), watch_seconds=WATCH_SECONDS),
    BY_NAME["etcd-restored"],
    replace(BY_NAME["etcd-cut"], change=partial(outages.cut_half, seconds=CUT_SECONDS)),
)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in IN_SHORT])
def test_nothing_is_lost(lossless: Cluster, case: Case) -> None:
    losses = run(case, lossless)
    assert_nothing_is_lost(losses, lossless)
    assert losses.sent > 10_000
