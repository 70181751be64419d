"""What the runs said, in one file that stays: `bench/results/losses.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.load.results import FOLDER, machine
from bench.losses.case import Case
from felixbgp import __version__
from felixbgp.lab.probes import Losses

PATH = FOLDER / "losses.json"
Outcome = dict[str, Any]
"""`sent`, `lost`, `gapMs`, `lagMs`, `seconds`, and `losing`, the worst pairs in words; or `fault`."""


def outcome(losses: Losses) -> Outcome:
    """One run."""
    return {
        "sent": losses.sent,
        "lost": losses.lost,
        "gapMs": losses.gap_ms,
        "lagMs": round(losses.lag_ms_max, 1),
        "seconds": round(losses.seconds, 1),
        "losing": losses.losing()[:3],
    }


def is_bad(case: Case, found: Outcome) -> bool:
    """Whether a run of felixbgp failed, or lost something that it must not lose."""
    return "fault" in found or (case.lossless and found["lost"] > 0)


def document(versions: Mapping[str, str]) -> dict[str, Any]:
    """A document without cases."""
    return {"version": __version__, "machine": machine(), "daemons": dict(versions), "cases": {}}


def add(value: dict[str, Any], case: Case, daemon: str, outcomes: list[Outcome]) -> None:
    """Put the runs of a case with one daemon in the place of former ones."""
    entry = value["cases"].setdefault(case.name, {"outcomes": {}})
    entry |= {"group": case.group, "title": case.title, "lossless": case.lossless, "bird": case.bird}
    entry["outcomes"][daemon] = outcomes


def read(path: Path = PATH) -> dict[str, Any]:
    """What was published last; without cases when nothing was."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {"cases": {}}


def write(value: Mapping[str, Any], path: Path = PATH) -> None:
    """Write a document."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
