"""Results: all runs in one file, and what they say of each daemon in each phase."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.loads import Load
from bench.load.measuring import Outcome
from felixbgp import __version__

FOLDER = Path(__file__).parents[1] / "results"
REFERENCE = "bird"
"""Whom all ratios are to."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of the runs of one phase."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])


@dataclass(frozen=True, slots=True)
class Line:
    """One phase with one daemon. Microseconds are per route, or seconds where there are no routes."""

    routes: int
    runs: int
    cpu: Spread
    wall: Spread
    resident_mib: Spread
    generator: Spread
    """CPU time of the generator, as a share of the wall time."""
    faults: tuple[str, ...]


Summary = Mapping[tuple[str, str], Mapping[str, Line]]
"""By load and phase, then by daemon."""


def path_of(version: str = __version__) -> Path:
    """The file of a release."""
    return FOLDER / f"{version}.json"


def document(
    outcomes: Iterable[Outcome],
    loads: Iterable[Load],
    versions: Mapping[str, str],
    obstacles: Mapping[str, Mapping[str, str]],
    remarks: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """All that was measured, and where; `obstacles` and `remarks` are by load and daemon.

    What other benches said is to come in `beside`.
    """
    return {
        "version": __version__,
        "machine": machine(),
        "daemons": dict(versions),
        "loads": {load.name: load.title for load in loads},
        "obstacles": _said(obstacles),
        "remarks": _said(remarks),
        "outcomes": [outcome.as_json() for outcome in outcomes],
        "beside": {},
    }


def _said(texts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Without those who have nothing to say."""
    return {load: {daemon: text for daemon, text in ones.items() if text} for load, ones in texts.items()}


def machine() -> dict[str, str | int]:
    """What it was measured on."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processors": os.cpu_count() or 0,
        "processor": models[0] if models else platform.machine(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
    }


def write(value: Mapping[str, Any], path: Path) -> None:
    """Write a document."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def summary(value: Mapping[str, Any]) -> Summary:
    """What a document says, in its order."""
    runs: dict[tuple[str, str], dict[str, list[tuple[dict[str, Any], str]]]] = {}
    for outcome in value["outcomes"]:
        phases = outcome["phases"] or [{"phase": "announce", "routes": outcome["routes"]}]
        for phase in phases:
            fault = outcome["given_up"] if phase is phases[-1] else ""
            of_phase = runs.setdefault((outcome["load"], phase["phase"]), {})
            of_phase.setdefault(outcome["daemon"], []).append((phase, fault))
    return {
        key: {daemon: _line(found) for daemon, found in by_daemon.items()} for key, by_daemon in runs.items()
    }


def ratio(lines: Mapping[str, Line], daemon: str, what: str = "cpu") -> float | None:
    """To the reference in the same runs; None where one of them has no figure."""
    ours, theirs = lines.get(daemon), lines.get(REFERENCE)
    if ours is None or theirs is None or ours.faults or theirs.faults:
        return None
    reference: float = getattr(theirs, what).middle
    measured: float = getattr(ours, what).middle
    return measured / reference if reference else None


def _line(found: list[tuple[dict[str, Any], str]]) -> Line:
    faults = tuple(dict.fromkeys(fault.partition("\n")[0] for _, fault in found if fault))
    good = [phase for phase, fault in found if not fault and "seconds" in phase]
    routes = found[0][0]["routes"]
    if not good:
        nothing = Spread(0.0, 0.0, 0.0)
        return Line(routes, 0, nothing, nothing, nothing, nothing, faults or ("nothing was measured",))
    unit = 1e6 / routes if routes else 1.0
    return Line(
        routes,
        len(good),
        Spread.of(phase["cpu_seconds"] * unit for phase in good),
        Spread.of(phase["seconds"] * unit for phase in good),
        Spread.of(phase["resident_mib"] for phase in good),
        Spread.of(phase["generator_cpu_seconds"] / (phase["seconds"] or 1.0) for phase in good),
        faults,
    )
