"""`python -m bench load`: the loads and daemons that were asked for, side by side."""

import argparse
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, TypeVar

from bench.load import page, plots, results
from bench.load.daemons.base import Daemon, UnavailableError
from bench.load.daemons.bird import Bird
from bench.load.daemons.exabgp import ExaBgp
from bench.load.daemons.felix import Felix, Interpreted
from bench.load.daemons.frr import Frr
from bench.load.daemons.gobgp import GoBgp
from bench.load.daemons.mirror import Mirror
from bench.load.loads import LOADS, Load
from bench.load.measuring import Outcome, measure
from bench.load.site import remove_leftovers

DAEMONS: tuple[type[Daemon], ...] = (Felix, Interpreted, Bird, Frr, GoBgp, ExaBgp)

ALL: tuple[type[Daemon], ...] = (*DAEMONS, Mirror)
"""The mirror is for who asks for it by name."""
BESIDE = {
    "200,000 routes into the kernel and out again (P4)": ("-m", "bench", "routes"),
    "The generator by itself: a mirror that decides nothing": (
        "-m",
        "bench",
        "load",
        "--loads",
        "ebgp-1m,rr-300",
        "--daemons",
        "mirror",
        "--runs",
        "1",
        "--brief",
    ),
    "The size of a cluster (P5, P6, P7, P9)": ("-m", "bench", "scale"),
}
"""Measurements of their own, whose results stand beside the loads: Python's arguments."""
BESIDE_SECONDS_MAX = 1800.0
REPEATED_SECONDS_MAX = 15.0
"""What is measured for longer is measured once: loads that last for a fixed time, and slow daemons."""
REPEATED_WHOLE_SECONDS_MAX = 90.0
"""The same with all that is around it: what was given up after minutes will be again."""
COMPILED = Path(".venv-compiled/bin/python").absolute()


Named = TypeVar("Named")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    loads = ",".join(load.name for load in LOADS)
    daemons = ",".join(kind.name for kind in ALL)
    parser.add_argument("--loads", help=f"comma-separated, of {loads}")
    parser.add_argument("--daemons", help=f"comma-separated, of {daemons}")
    parser.add_argument("--runs", type=int, default=3, help="how often (%(default)s)")
    parser.add_argument("--routes", type=int, help="so many instead of what the loads say")
    parser.add_argument("--json", type=Path, help="write all results there")
    parser.add_argument("--brief", action="store_true", help="print a line a phase and no tables")
    parser.add_argument(
        "--publish",
        action="store_true",
        help="measure the other benches too, and write bench/results, docs/plots and docs/performance.md",
    )


def run(asked: argparse.Namespace) -> int:
    """Measure and print; gives the exit status."""
    loads = _chosen_loads(asked.loads)
    daemons = [kind for kind in _chosen_daemons(asked.daemons) if _is_there(kind)]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    signal.signal(signal.SIGTERM, _stop)
    remove_leftovers()
    value = _measure_all(asked, loads, daemons)
    if not asked.brief:
        print("\n".join(page.tables(value)))
    if asked.publish:
        value["beside"] = _beside()
        publish(value)
    return int(any(outcome["given_up"] for outcome in value["outcomes"]))


def _measure_all(asked: argparse.Namespace, loads: list[Load], daemons: list[type[Daemon]]) -> dict[str, Any]:
    """Run by run; the file that was asked for has after each what there is until then."""
    versions = {kind.name: kind.version() for kind in daemons}
    obstacles = {load.name: {kind.name: kind.obstacle(load) for kind in daemons} for load in loads}
    remarks = {load.name: {kind.name: kind.remark(load) for kind in daemons} for load in loads}
    outcomes: list[Outcome] = []
    once: set[tuple[str, str]] = set()
    for load, _, kind in product(loads, range(asked.runs), daemons):
        if kind.obstacle(load) or (load.name, kind.name) in once:
            continue
        routes = asked.routes or (load.slow_routes if kind.is_slow else load.routes)
        started = monotonic()
        outcomes.append(measure(load, kind, routes))
        measured = sum(phase.seconds for phase in outcomes[-1].phases)
        if measured > REPEATED_SECONDS_MAX or monotonic() > started + REPEATED_WHOLE_SECONDS_MAX:
            once.add((load.name, kind.name))
        show(outcomes[-1])
        if asked.json:
            results.write(results.document(outcomes, loads, versions, obstacles, remarks), asked.json)
    return results.document(outcomes, loads, versions, obstacles, remarks)


def publish(value: dict[str, Any]) -> None:
    """Write the file of this release, its drawings and its tables."""
    results.write(value, results.path_of())
    plots.draw(value)
    page.PAGE.write_text(page.update(page.PAGE.read_text(), value))


def _beside() -> dict[str, str]:
    """What the other benches print; each is a process of its own, and the core compiled."""
    said = {}
    for title, arguments in BESIDE.items():
        done = subprocess.run(
            (str(COMPILED), *arguments),
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            timeout=BESIDE_SECONDS_MAX,
            check=False,
        )
        said[title] = done.stdout if done.returncode == 0 else f"failed:\n{done.stderr[-1000:]}"
    return said


def show(outcome: Outcome) -> None:
    """A line a phase."""
    for phase in outcome.phases:
        each = phase.cpu_seconds / max(1, phase.routes) * 1e6
        print(
            f"{outcome.load:12} {outcome.daemon:12} {phase.phase:20} {phase.routes:9} routes "
            f"CPU {phase.cpu_seconds:7.3f} s ({phase.cpu_seconds_until_received:7.3f}) {each:8.3f} µs each, "
            f"wall {phase.seconds:7.3f} s, {phase.resident_mib:6.0f} MiB, {phase.updates} UPDATEs, "
            f"generator {phase.generator_cpu_seconds:.3f} s",
            flush=True,
        )
    if outcome.given_up:
        print(f"{outcome.load:12} {outcome.daemon:12} GIVEN UP: {outcome.given_up}", flush=True)


def _chosen(all_of: Mapping[str, Named], names: str) -> list[Named]:
    wanted = names.split(",")
    if unknown := [name for name in wanted if name not in all_of]:
        sys.exit(f"no {', '.join(unknown)}; there are {', '.join(all_of)}")
    return [one for name, one in all_of.items() if name in wanted]


def _chosen_loads(names: str | None) -> list[Load]:
    return list(LOADS) if names is None else _chosen({load.name: load for load in LOADS}, names)


def _chosen_daemons(names: str | None) -> list[type[Daemon]]:
    if names is None:
        return list(DAEMONS)
    return _chosen({kind.name: kind for kind in ALL}, names)


def _is_there(kind: type[Daemon]) -> bool:
    try:
        print(f"{kind.title} {kind.version()}")
    except UnavailableError as error:
        print(f"{kind.title}: {error}")
        return False
    return True


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit("told to stop")
