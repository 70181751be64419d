"""Z3 with real probes: AS numbers change, towards a ToR too that keeps nothing, and nothing is lost."""

import pytest

from bench.losses.case import Case, run
from bench.losses.cluster import Cluster
from bench.losses.resets import CASES
from tests.lab.losing import assert_nothing_is_lost

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

BY_NAME = {case.name: case for case in CASES}
IN_SHORT = ("mesh-to-tor", "as-of-one", "as-of-all")


@pytest.mark.parametrize("case", [pytest.param(BY_NAME[name], id=name) for name in IN_SHORT])
def test_nothing_is_lost(lossless: Cluster, case: Case) -> None:
    losses = run(case, lossless)
    assert_nothing_is_lost(losses, lossless)
    assert losses.sent > 10_000
