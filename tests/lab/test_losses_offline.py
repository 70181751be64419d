"""Z7 with real probes: agents start while etcd is away, run from what they last knew, and nothing is lost."""

import pytest

from bench.losses.case import Case, run
from bench.losses.offline import CASES
from tests.lab.conftest import fresh_name
from tests.lab.losing import assert_nothing_is_lost

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

IN_SHORT = ("changed-without-etcd",)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES if case.name in IN_SHORT]
)
def test_nothing_is_lost(case: Case) -> None:
    with case.cluster.up(case.plan(fresh_name())) as cluster:
        losses = run(case, cluster)
        assert_nothing_is_lost(losses, cluster)
    assert losses.sent > 10_000
