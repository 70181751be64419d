"""The generated part of docs/performance.md, from results to text."""

import pytest

from bench.load import page
from bench.load.loads import LOADS
from bench.load.measuring import Measured, Outcome
from bench.load.results import document


def outcome(
    daemon: str, cpu_seconds: float, *, routes: int = 1_000_000, given_up: str = "", load: str = "ebgp-1m"
) -> Outcome:
    phase = Measured(
        "announce",
        routes,
        seconds=1.0,
        cpu_seconds=cpu_seconds,
        resident_mib=100.0,
        generator_cpu_seconds=0.25,
    )
    return Outcome(load, daemon, routes, phases=[phase], given_up=given_up)


def text(*outcomes: Outcome) -> str:
    obstacles = {"ebgp-1m": {"exabgp": "has no decision process", "frr": ""}}
    value = document(outcomes, LOADS, {}, obstacles, {"ebgp-1m": {"felixbgp": "by values", "bird": ""}})
    value["beside"] = {"P9": "soon"}
    return page.update(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", value)


def test_medians_stand_with_their_spread_and_the_ratio_to_bird() -> None:
    found = text(*(outcome("felixbgp", cpu) for cpu in (3.0, 1.0, 2.0)), outcome("bird", 1.0))
    assert "| 2 (1 to 3) **2.00** | 1 **1.00** |" in found
    assert "| eBGP, 1,000,000 /24, 10 per set | announce | 25% | 25% |" in found
    assert found.startswith("before\n")
    assert found.endswith("after\n")
    assert "old" not in found


def test_what_was_given_up_and_who_has_no_part_is_said() -> None:
    found = text(outcome("felixbgp", 1.0, given_up="no answer\nlong log"), outcome("bird", 1.0))
    assert "| given up | 1 **1.00** |" in found
    assert "- Given up: eBGP, 1,000,000 /24, 10 per set, announce, felixbgp: no answer\n" in found
    assert "- ExaBGP has no part in ebgp-1m: has no decision process." in found
    assert "- FRR" not in found
    assert "- felixbgp in ebgp-1m: by values." in found
    assert "- BIRD" not in found
    assert "### P9\n\n```\nsoon\n```" in found


def test_fewer_routes_stand_beside_the_figure_that_they_were_for() -> None:
    found = text(outcome("bird", 1.0), outcome("gobgp", 5.0, routes=100_000))
    assert "| 1 **1.00** | 50 (100,000 routes) **50.00** |" in found
    assert "| 100 | 100 (100,000 routes) |" in found


def test_an_aim_is_met_or_missed_by_the_compiled_core() -> None:
    found = text(outcome("felixbgp", 1.5), outcome("interpreted", 4.0), outcome("bird", 1.0))
    assert "| P1 | announce 1,000,000, 10 per set, CPU time | 1 of BIRD's | 1.5 | 4 | missed |" in found
    assert "| P8 | memory with 1,000,000 routes | 406 MiB | 100 | 100 | met |" in found
    assert "| P3 | withdraw 1,000,000, CPU time | 1.5 of BIRD's | not run | not run |  |" in found


def test_no_cell_is_silent() -> None:
    found = text(outcome("bird", 1.0), outcome("exabgp", 1.0, load="idle"), outcome("bird", 1.0, load="idle"))
    assert "| 1 **1.00** | cannot |" in found
    found = text(outcome("bird", 1.0), outcome("frr", 1.0, load="idle"), outcome("bird", 1.0, load="idle"))
    assert "| 1 **1.00** | not run |" in found


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(page.MarksMissingError):
        page.update("nothing", document((), LOADS, {}, {}, {}))


def test_the_longest_step_of_all_runs_is_told_where_somebody_tells() -> None:
    runs = [outcome("felixbgp", 1.0), outcome("felixbgp", 1.0), outcome("bird", 1.0)]
    assert "Longest step" not in text(*runs)
    runs[0].longest_step_ms, runs[0].longest_step_kind, runs[1].longest_step_ms = 10, "take", 5
    found = text(*runs)
    assert "| load | felixbgp |\n|---|---|\n| eBGP, 1,000,000 /24, 10 per set | 10 take |" in found
