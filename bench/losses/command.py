"""`python -m bench losses`: cases with felixbgp and with BIRD, so many runs each."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from bench.losses import page, results
from bench.losses.bird import Twin
from bench.losses.case import Case, run
from bench.losses.cases import CASES
from bench.losses.cluster import Cluster
from bench.losses.results import Outcome
from felixbgp.lab import bird
from felixbgp.lab.lab import EXPECTED
from felixbgp.lab.probes import ProbeError

WORKLOADS = 10
"""On each node. Probes between all of them would be 1.6 million packets a second."""
DAEMONS: dict[str, type[Cluster]] = {"felixbgp": Cluster, "bird": Twin}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    names = ", ".join(case.name for case in CASES)
    parser.add_argument("--cases", help=f"comma-separated groups (Z1) or names, of {names}")
    parser.add_argument("--daemons", default=",".join(DAEMONS), help="comma-separated (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="how often (%(default)s)")
    parser.add_argument(
        "--workloads",
        type=int,
        default=WORKLOADS,
        help="on each node, of which one is probed (%(default)s)",
    )
    parser.add_argument(
        "--logs",
        type=Path,
        help="keep every daemon's log there of a lab in which felixbgp lost something or failed",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="put the results into bench/results/losses.json and docs/losses.md",
    )


def main(asked: argparse.Namespace) -> int:
    """Measure and print; 1 when something was lost by felixbgp that must not be, or a run failed."""
    signal.signal(signal.SIGTERM, _stop)
    cases = _chosen(asked.cases)
    logs: Path | None = asked.logs
    failed = False
    for daemon in asked.daemons.split(","):
        for case, outcomes in _measured(DAEMONS[daemon], cases, asked.runs, asked.workloads, logs):
            if asked.publish:
                publish(case, daemon, outcomes)
            if DAEMONS[daemon] is Cluster:
                failed |= any(results.is_bad(case, one) for one in outcomes)
    return int(failed)


def publish(case: Case, daemon: str, outcomes: list[Outcome]) -> None:
    """Replace what was measured now in the results and the page; the rest stays."""
    value = results.document(_versions())
    value["cases"] = results.read()["cases"]
    results.add(value, case, daemon, outcomes)
    results.write(value)
    order = [case.name for case in CASES]
    page.PAGE.write_text(page.update(page.PAGE.read_text(encoding="utf-8"), value, order), encoding="utf-8")


def _measured(
    kind: type[Cluster], cases: list[Case], runs: int, workloads: int, logs: Path | None
) -> Iterator[tuple[Case, list[Outcome]]]:
    """Cases of one shape share a lab; a run that failed takes it with it."""
    with ExitStack() as stack:
        shape: object = None
        cluster: Cluster | None = None
        for case in cases:
            if kind is Twin and not case.bird:
                continue
            outcomes: list[Outcome] = []
            while len(outcomes) < runs:
                wanted = (case.cluster if kind is Cluster else kind, case.nodes, case.tors)
                if cluster is None or shape != wanted:
                    stack.close()
                    plan = case.plan(f"l{os.getpid()}", workloads)
                    cluster = stack.enter_context(wanted[0].up(plan))
                    shape = wanted
                outcomes.append(_outcome(case, cluster))
                if logs and kind is Cluster and results.is_bad(case, outcomes[-1]):
                    _keep_logs(cluster, logs / f"{case.name}-{len(outcomes)}")
                if "fault" in outcomes[-1]:
                    cluster = None
            yield case, outcomes


def _outcome(case: Case, cluster: Cluster) -> Outcome:
    try:
        found = results.outcome(run(case, cluster))
    except (*EXPECTED, ProbeError) as error:
        found = {"fault": f"failed: {error}"}
    _show(case, cluster.daemon, found)
    return found


def _keep_logs(cluster: Cluster, folder: Path) -> None:
    """What every daemon has said since the lab came up, which goes with it."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in cluster.lab.folder.glob("*.log"):
        shutil.copy(log, folder)


def _show(case: Case, daemon: str, found: Outcome) -> None:
    if "fault" in found:
        print(f"{case.group} {case.name:22} {daemon:9} {found['fault']}", flush=True)
        return
    print(
        f"{case.group} {case.name:22} {daemon:9} {found['lost']:8,} lost of {found['sent']:9,}, "
        f"longest gap {found['gapMs']:6,} ms; {found['seconds']:5.1f} s, "
        f"sent late by {found['lagMs']:.0f} ms at most",
        flush=True,
    )
    for line in found["losing"]:
        print(f"    {line}", flush=True)


def _chosen(words: str | None) -> list[Case]:
    if words is None:
        return list(CASES)
    wanted = words.split(",")
    if unknown := set(wanted) - {word for case in CASES for word in (case.group, case.name)}:
        sys.exit(f"no case {', '.join(sorted(unknown))}")
    return [case for case in CASES if case.group in wanted or case.name in wanted]


def _versions() -> dict[str, str]:
    program = bird.find_bird()
    if program is None:
        return {}
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return {"bird": (done.stdout + done.stderr).split()[-1]}


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit("told to stop")
