"""Z1 and Z2 with real probes: from the mesh to reflectors and back loses no packet of 20,000 a second."""

import pytest

from bench.losses.case import Case, run
from bench.losses.cluster import Cluster
from bench.losses.reflectors import CASES

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

BY_NAME = {case.name: case for case in CASES}
IN_SHORT = (
    "all-at-once",
    "all-back",
    "wrong-order",
    "second-reflector",
    "reflector-no-more",
    "reflector-deleted",
)
"""Those that differ; the others are among the published ones."""


@pytest.mark.parametrize("case", [pytest.param(BY_NAME[name], id=name) for name in IN_SHORT])
def test_nothing_is_lost(lossless: Cluster, case: Case) -> None:
    losses = run(case, lossless)
    assert losses.losing() == []
    assert losses.sent > 10_000
