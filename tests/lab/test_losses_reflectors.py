"""Z1 and Z2 with real probes: from the mesh to reflectors and back loses no packet of 20,000 a second."""

import pytest

from bench.losses.case import run
from bench.losses.cluster import Cluster
from bench.losses.reflectors import CASES
from tests.lab.losing import assert_nothing_is_lost

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

BY_NAME = {case.name: case for case in CASES}


def test_from_the_mesh_to_reflectors_of_which_one_goes_and_comes_and_back(lossless: Cluster) -> None:
    """Each case begins as the one before it ended, which saves the way there; others are published only."""
    lossless.restore()
    for name in ("all-at-once", "reflector-no-more", "second-reflector", "all-back"):
        losses = run(BY_NAME[name], lossless, prepared=True)
        assert_nothing_is_lost(losses, lossless)
        assert losses.sent > 10_000
