"""Z10 with real probes: felixbgp takes BIRD's place on a node of a BIRD mesh, and nothing is lost."""

import pytest

from bench.losses.case import run
from bench.losses.takeover import CASES, Migration
from tests.lab.conftest import fresh_name
from tests.lab.losing import assert_nothing_is_lost

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(240)]


def test_birds_routes_forward_on_until_they_are_ours() -> None:
    case = CASES[0]
    with Migration.up(case.plan(fresh_name())) as cluster:
        losses = run(case, cluster)
        assert "took over" in cluster.lab.log(cluster.plan.nodes[0].name)
        assert_nothing_is_lost(losses, cluster)
    assert losses.sent > 10_000
