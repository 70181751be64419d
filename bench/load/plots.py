"""Two drawings for the README and docs/performance.md: CPU time and memory, beside each other by daemon."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.load.page import TITLES
from bench.load.results import Line, Summary, summary

FOLDER = Path(__file__).parents[2] / "docs/plots"
COLOURS = {
    "felixbgp": "#0b6e4f", "interpreted": "#8fcfb5", "bird": "#d1495b", "frr": "#edae49", "gobgp": "#30638e",
}  # fmt: skip
LOADS = {
    "ebgp-1m": "1 M routes", "ebgp-1": "300,000, one per set", "full-table": "full table", "ipv6": "IPv6",
    "policy": "20 rules", "rivals": "10 rivals", "rr-300": "reflector, 300", "rr-1000": "reflector, 1,000",
}  # fmt: skip


def draw(value: Mapping[str, Any], folder: Path = FOLDER) -> list[Path]:
    """Draw both; the same results give the same files, to the octet."""
    found = summary(value)
    folder.mkdir(exist_ok=True)
    return [
        _bars(
            found,
            lambda line: line.cpu.middle,
            "CPU time to take in and pass on a route, µs",
            folder / "cpu.svg",
        ),
        _bars(found, lambda line: line.resident_mib.middle, "resident memory, MiB", folder / "memory.svg"),
    ]


def _bars(found: Summary, size: Callable[[Line], float], title: str, path: Path) -> Path:
    import matplotlib as mpl  # noqa: PLC0415 - of the group `bench`, which only drawing needs
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = [(found[load, "announce"], text) for load, text in LOADS.items() if (load, "announce") in found]
    with mpl.rc_context({"svg.hashsalt": "felixbgp", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.subplots()
        width = 0.8 / len(COLOURS)
        for turn, (daemon, colour) in enumerate(COLOURS.items()):
            bars = [
                (place + turn * width, size(lines[daemon]))
                for place, (lines, _) in enumerate(rows)
                if daemon in lines and lines[daemon].runs
            ]
            if bars:
                places, heights = zip(*bars, strict=True)
                axes.bar(places, heights, width, color=colour, label=TITLES[daemon])
        axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xticks([place + 0.32 for place in range(len(rows))], [text for _, text in rows])
        axes.tick_params(axis="x", rotation=20)
        axes.grid(visible=True, axis="y", alpha=0.3)
        axes.legend(ncols=len(COLOURS), fontsize=8)
        figure.savefig(path, format="svg", metadata={"Date": None})
    return path
