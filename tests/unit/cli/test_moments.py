"""Times as people give them."""

import time
from collections.abc import Iterator

import click
import pytest

from felixbgp.cli.moments import SECOND_NS, time_of, time_text

NOW_NS = 1_700_000_000 * SECOND_NS  # 2023-11-14T22:13:20Z


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 1_699_999_990),
        ("10m", 1_699_999_400),
        ("1h30m", 1_699_994_600),
        ("1d", 1_699_913_600),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20+02:00", 1_699_992_800),
        ("2023-11-15T00:13:20", 1_700_000_000),
        ("2023-11-15 00:13", 1_699_999_980),
        ("2023-11-15", 1_699_999_200),
    ],
)
def test_durations_and_times(text: str, seconds: int) -> None:
    assert time_of(text, NOW_NS) == seconds * SECOND_NS


@pytest.mark.parametrize(
    "text", ["", "ten", "10", "10x", "-5m", "m", "2023-13-01", "9" * 400 + "s", "0001-01-01"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError, match="is neither a duration"):
        time_of(text, NOW_NS)


def test_a_moment_is_told_in_the_local_zone() -> None:
    assert time_text(NOW_NS) == "2023-11-15 00:13:20"
