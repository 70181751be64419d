"""The generated part of docs/performance.md, from results to text."""

import pytest

from bench.load import page
from bench.load.loads import LOADS
from bench.load.measuring import Measured, Outcome
from bench.load.results import document


def outcome(daemon: str, cpu_seconds: float, **more: str) -> Outcome:
    phase = Measured("announce", 1_000_000, seconds=1.0, cpu_seconds=cpu_seconds, resident_mib=100.0)
    return Outcome("ebgp-1m", daemon, 1_000_000, phases=[phase], **more)  # type: ignore[arg-type]


def text(*outcomes: Outcome) -> str:
    value = document(outcomes, LOADS, {}, {"ebgp-1m": {"exabgp": "cannot"}}, {"P9": "soon"})
    return page.update(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", value)


def test_medians_stand_with_their_spread_and_the_ratio_to_bird() -> None:
    found = text(*(outcome("felixbgp", cpu) for cpu in (3.0, 1.0, 2.0)), outcome("bird", 1.0))
    assert "| 2 (1 to 3) **2.00** | 1 (1 to 1) **1.00** |" in found
    assert found.startswith("before\n")
    assert found.endswith("after\n")
    assert "old" not in found


def test_what_was_given_up_and_who_has_no_part_is_said() -> None:
    found = text(outcome("felixbgp", 1.0, given_up="no answer\nlong log"), outcome("bird", 1.0))
    assert "| given up | 1 (1 to 1) **1.00** |" in found
    assert "- Given up: eBGP, 1,000,000 /24, 10 per set, announce, felixbgp: no answer\n" in found
    assert "- ExaBGP has no part in ebgp-1m: cannot." in found
    assert "### P9\n\n```\nsoon\n```" in found


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(page.MarksMissingError):
        page.update("nothing", document((), LOADS, {}, {}, {}))
