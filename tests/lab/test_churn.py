"""The short form of `python -m bench churn`: see there what is done, and what must be left of it."""

import pytest

from bench import churn

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS = 15.0
"""Every kind of mishap several times; the cable goes out once."""


def test_what_is_left_of_fifteen_seconds_of_trouble() -> None:
    result = churn.run(SECONDS)
    assert result.faults == []
    assert result.multipath > 100
    assert result.changes > churn.CHANGES_PER_SECOND * (SECONDS - 1)
    assert min(result.deletions, result.link_flaps, result.cable_flaps, result.rewrites) > 0
