"""What the guard says of figures; counting them takes a compiler and valgrind, and is `make guard`."""

import json
from pathlib import Path

import pytest

from bench import guard

HELD = {"announce, instructions": 1000.0, "announce, octets": 200.0, "write, blocks": 0.0}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "guard.json"
    path.write_text(json.dumps({"3.11": HELD}))
    monkeypatch.setattr(guard, "FILE", path)
    return path


def measured(monkeypatch: pytest.MonkeyPatch, **changed: float) -> None:
    figures = HELD | {name.replace("_", ", "): figure for name, figure in changed.items()}
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/valgrind")
    monkeypatch.setattr(guard, "counted", lambda: {name: figures[name] for name in list(figures)[:1]})
    monkeypatch.setattr(guard, "taken", lambda: {name: figures[name] for name in list(figures)[1:]})


def test_the_same_figures_pass() -> None:
    assert guard.compare(HELD, HELD) == []


def test_a_rise_within_the_tolerance_passes() -> None:
    assert guard.compare(HELD, HELD | {"announce, instructions": 1009.0}) == []


def test_a_regression_is_named_with_both_figures() -> None:
    (line,) = guard.compare(HELD, HELD | {"announce, instructions": 1020.0})
    assert line == "announce, instructions: 1000.0 became 1020.0, +2.0%; 1% is allowed"


def test_what_took_nothing_may_not_take_something() -> None:
    (line,) = guard.compare(HELD, HELD | {"write, blocks": 1.0})
    assert line.startswith("write, blocks: 0.0 became 1.0")


def test_an_improvement_passes_and_is_to_be_written_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.compare(HELD, HELD | {"announce, instructions": 800.0}) == []
    assert "fell by more than 10%: write it down with `make guard-update`" in capsys.readouterr().out


def test_a_figure_that_is_not_measured_any_more_is_wrong() -> None:
    new = {name: figure for name, figure in HELD.items() if name != "announce, octets"}
    assert guard.compare(HELD, new) == ["announce, octets: is not measured any more"]


def test_a_figure_that_is_not_written_down_is_wrong() -> None:
    assert guard.compare(HELD, HELD | {"new": 1.5}) == ["new: 1.5 is not written down"]


@pytest.mark.usefixtures("file")
def test_a_regression_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(monkeypatch, announce_instructions=1100.0)
    assert guard.main([], "3.11") == 1
    assert capsys.readouterr().err == (
        "guard: announce, instructions: 1000.0 became 1100.0, +10.0%; 1% is allowed\n"
    )
    measured(monkeypatch)
    assert guard.main([], "3.11") == 0


@pytest.mark.usefixtures("file")
def test_a_version_without_figures_is_told_of_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.main([], "3.14") == 0
    said = capsys.readouterr().out
    assert "NOTHING COMPARED: guard.json has no figures for Python 3.14, only for 3.11." in said
    assert "`make guard-update` writes them" in said


def test_an_update_leaves_other_versions_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, announce_octets=150.0)
    assert guard.main(["--update"], "3.9") == 0
    written = json.loads(file.read_text())
    assert list(written) == ["3.9", "3.11"]
    assert written == {"3.9": HELD | {"announce, octets": 150.0}, "3.11": HELD}
