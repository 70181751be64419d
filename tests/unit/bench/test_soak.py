"""What a soak makes of what it saw; the soak itself is `make soak`."""

import pytest

from bench.load.soak import WARM_SECONDS, Result, delay, growth

WARM = [200.0 + second for second in range(WARM_SECONDS)]
"""It may grow as it likes meanwhile."""


def test_memory_may_grow_while_it_gets_warm() -> None:
    assert list(growth(WARM)) == []
    assert list(growth([*WARM, 400.0, 410.0, 419.0])) == []


def test_memory_that_grows_afterwards_is_a_fault() -> None:
    assert list(growth([*WARM, 400.0, 425.0, 400.0])) == ["memory grew from 400.0 to 425.0 MiB"]


def test_a_rate_that_was_not_kept_is_a_fault() -> None:
    assert list(delay(Result(asked_seconds=100.0, seconds=102.0, changes=10))) == []
    (fault,) = delay(Result(asked_seconds=100.0, seconds=104.0, changes=10))
    assert fault == "10 changes took 104.0 s instead of 100.0"


def test_the_last_line_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    Result(seconds=10.0, changes=200_000, resident_mib=[1.0] * (WARM_SECONDS + 1)).show()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "PASSED: 20,000 changes a second, no session lost, counts agree, memory flat"
    )
    Result(faults=["the agent died", "another"]).show()
    assert capsys.readouterr().out.splitlines()[-1] == "FAILED: 2 faults, the first: the agent died"


def test_a_short_soak_says_nothing_of_memory() -> None:
    assert Result(seconds=10.0, resident_mib=[1.0]).verdict.endswith("too short to judge memory")
