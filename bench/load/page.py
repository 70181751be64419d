"""What is generated in docs/performance.md: tables of a document of results, between two marks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.load.results import Line, Spread, Summary, ratio, summary

PAGE = Path(__file__).parents[2] / "docs/performance.md"
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"
TITLES = {
    "felixbgp": "felixbgp", "interpreted": "interpreted", "bird": "BIRD", "frr": "FRR", "gobgp": "GoBGP",
    "exabgp": "ExaBGP", "mirror": "mirror",
}  # fmt: skip
TARGETS = (
    ("P1", "announce 1,000,000, 10 per set, CPU time", ("ebgp-1m", "announce"), "cpu", 1.0),
    ("P2", "reflector, 300 clients with 100, CPU time", ("rr-300", "announce"), "cpu", 0.2),
    ("P2", "the same, wall time", ("rr-300", "announce"), "wall", 0.5),
    ("P3", "withdraw 1,000,000, CPU time", ("ebgp-1m", "withdraw"), "cpu", 1.5),
    ("P8", "memory with 1,000,000 routes", ("ebgp-1m", "announce"), "resident_mib", 406.0),
)
"""Name, text, load and phase, what of it, and at most how much."""


class MarksMissingError(Exception):
    """The page has no place for the tables."""


def update(text: str, value: Mapping[str, Any]) -> str:
    """The page with other tables. Raises `MarksMissingError`."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise MarksMissingError(f"{BEGIN} and {END} are not both there")
    return head + BEGIN + "\n" + "\n".join(tables(value)) + "\n" + END + tail


def tables(value: Mapping[str, Any]) -> Iterator[str]:
    """Lines of Markdown."""
    found = summary(value)
    daemons = [name for name in TITLES if any(name in lines for lines in found.values())]
    machine, versions = value["machine"], value["daemons"]
    said = ", ".join(f"{TITLES[name]} {versions[name]}" for name in daemons if name in versions)
    yield f"felixbgp {value['version']}; {said}."
    yield f"{machine['processors']} processors ({machine['processor']}), Linux {machine['kernel']},"
    yield f"Python {machine['python']}."
    yield from _targets(found)
    yield from _table(value, found, daemons, "CPU time, µs per route", "cpu")
    yield from _table(value, found, daemons, "Wall time, µs per route", "wall")
    yield from _memory(value, found, daemons)
    yield from _steps(value)
    yield from _generator(value, found, daemons)
    yield from _notes(value, found)
    for title, text in value["beside"].items():
        yield from ("", f"### {title}", "", "```", text.strip(), "```")


def _targets(found: Summary) -> Iterator[str]:
    yield from ("", "### What was aimed at, and what the loads below came to", "")
    yield "| | | aim | felixbgp | interpreted | |"
    yield "|---|---|---|---|---|---|"
    for name, text, key, what, aim in TARGETS:
        lines = found.get(key, {})
        figures = [_figure(lines, daemon, what) for daemon in ("felixbgp", "interpreted")]
        unit = " MiB" if what == "resident_mib" else " of BIRD's"
        shown = [_number(figure) if figure is not None else "not run" for figure in figures]
        met = "" if figures[0] is None else "met" if figures[0] <= aim else "missed"
        yield f"| {name} | {text} | {aim:g}{unit} | {shown[0]} | {shown[1]} | {met} |"
    yield "| P4 to P7, P9 | | | below | | |"


def _figure(lines: Mapping[str, Line], daemon: str, what: str) -> float | None:
    if what != "resident_mib":
        return ratio(lines, daemon, what)
    return lines[daemon].resident_mib.middle if daemon in lines and lines[daemon].runs else None


def _table(
    value: Mapping[str, Any], found: Summary, daemons: list[str], title: str, what: str
) -> Iterator[str]:
    yield from _head(f"{title}: median (least to most), ratio to BIRD", daemons)
    for (load, phase), lines in found.items():
        cells = [
            _cell(lines, daemon, what) if daemon in lines else _absent(value, load, daemon)
            for daemon in daemons
        ]
        yield f"| {value['loads'][load]} | {phase} | " + " | ".join(cells) + " |"


def _memory(value: Mapping[str, Any], found: Summary, daemons: list[str]) -> Iterator[str]:
    yield from _head("Resident memory when all routes are there, MiB: median", daemons)
    for (load, phase), lines in found.items():
        if phase in ("announce", "idle"):
            cells = [
                _number(lines[daemon].resident_mib.middle) + _fewer(lines, daemon)
                if daemon in lines and lines[daemon].runs
                else _absent(value, load, daemon)
                for daemon in daemons
            ]
            yield f"| {value['loads'][load]} | {phase} | " + " | ".join(cells) + " |"


def _steps(value: Mapping[str, Any]) -> Iterator[str]:
    """What the agent's status says after each load; its start, when it learns of all peers, is part of it."""
    steps: dict[str, dict[str, tuple[int, str]]] = {}
    for outcome in value["outcomes"]:
        step = outcome.get("longest_step_ms", 0), outcome.get("longest_step_kind", "")
        if step[0]:
            of_load = steps.setdefault(outcome["load"], {})
            of_load[outcome["daemon"]] = max(of_load.get(outcome["daemon"], step), step)
    names = [name for name in TITLES if any(name in of_load for of_load in steps.values())]
    if not names:
        return
    title = "Longest step of the agent's loop, ms, from its start on: the most of all runs (5: up to 5)"
    yield from ("", f"### {title}", "", "| load | " + " | ".join(TITLES[name] for name in names) + " |")
    yield "|---" * (len(names) + 1) + "|"
    for load, of_load in steps.items():
        found = [of_load.get(name, (0, "not run")) for name in names]
        cells = [f"{milliseconds or ''} {kind}".strip() for milliseconds, kind in found]
        yield f"| {value['loads'][load]} | " + " | ".join(cells) + " |"


def _generator(value: Mapping[str, Any], found: Summary, daemons: list[str]) -> Iterator[str]:
    yield from _head("Was the generator waited for? Its own CPU time in % of the wall time: median", daemons)
    for (load, phase), lines in found.items():
        cells = [
            f"{lines[daemon].generator.middle:.0%}" if daemon in lines and lines[daemon].runs else "not run"
            for daemon in daemons
        ]
        yield f"| {value['loads'][load]} | {phase} | " + " | ".join(cells) + " |"


def _absent(value: Mapping[str, Any], load: str, daemon: str) -> str:
    """Of a cell without figures: a note below the tables says why."""
    return "cannot" if daemon in value["obstacles"].get(load, {}) else "not run"


def _head(title: str, daemons: list[str]) -> Iterator[str]:
    yield from ("", f"### {title}", "")
    yield "| load | | " + " | ".join(TITLES[name] for name in daemons) + " |"
    yield "|---" * (len(daemons) + 2) + "|"


def _cell(lines: Mapping[str, Line], daemon: str, what: str) -> str:
    line = lines[daemon]
    if not line.runs:
        return "given up"
    spread: Spread = getattr(line, what)
    text = _number(spread.middle) + ("" if line.routes else " s")
    if line.runs > 1:
        text += f" ({_number(spread.least)} to {_number(spread.most)})"
    text += _fewer(lines, daemon)
    to_reference = ratio(lines, daemon, what)
    return text if to_reference is None else f"{text} **{to_reference:.2f}**"


def _fewer(lines: Mapping[str, Line], daemon: str) -> str:
    most = max(line.routes for line in lines.values())
    return "" if lines[daemon].routes == most else f" ({lines[daemon].routes:,} routes)"


def _number(value: float) -> str:
    """With three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _notes(value: Mapping[str, Any], found: Summary) -> Iterator[str]:
    notes = []
    for (load, phase), lines in found.items():
        for daemon, line in lines.items():
            notes += [f"{value['loads'][load]}, {phase}, {TITLES[daemon]}: {fault}" for fault in line.faults]
    fewer = {
        daemon
        for lines in found.values()
        for daemon, line in lines.items()
        if line.routes < max(one.routes for one in lines.values())
    }
    yield from ("", "- A figure without a spread is of one run: it lasts for a fixed time, or took long.")
    for daemon, title in TITLES.items():
        if daemon in fewer:
            yield f"- {title} got fewer routes in some loads, as it would have taken minutes."
    for (daemon, why), loads in _by_text(value["obstacles"]).items():
        yield f"- {TITLES[daemon]} has no part in {', '.join(loads)}: {why}."
    for (daemon, why), loads in _by_text(value["remarks"]).items():
        yield f"- {TITLES[daemon]} in {', '.join(loads)}: {why}."
    yield from (f"- Given up: {note}" for note in notes)


def _by_text(texts: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], list[str]]:
    """The loads, by daemon and what is said of it."""
    loads: dict[tuple[str, str], list[str]] = {}
    for load, ones in texts.items():
        for daemon, text in ones.items():
            loads.setdefault((daemon, text), []).append(load)
    return loads
