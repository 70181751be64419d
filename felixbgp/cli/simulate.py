"""`felixbgp simulate`: clusters on a virtual clock in which things go wrong, one for each seed."""

# ruff: noqa: D301 - click wants the character \b itself: "leave this paragraph's lines as they are"

import multiprocessing
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click

from felixbgp.cli.main import EXIT_INTERRUPTED
from felixbgp.cli.recordings import Recordings
from felixbgp.sim.draw import draw
from felixbgp.sim.plan import Plan
from felixbgp.sim.shrink import without_machine
from felixbgp.sim.story import Tell
from felixbgp.sim.swarm import Verdict, run, smallest

SEEDS_AT_ONCE = 10
"""What a processor is given at a time: a second's work or so."""
TOLD_EVERY_S = 10.0
SEEDS_MAX = 1_000_000
"""A day's work for many processors; the command keeps something of each."""
_RANGE = re.compile(r"(?:(\d{1,99})\.\.)?(\d{1,99})")


class Outcome(NamedTuple):
    """What is kept of a run: little, for there are thousands."""

    seed: int
    shape: str
    virtual_s: float
    processor_s: float
    rule: str
    where: tuple[str, ...]
    at_s: float


@click.command()
@click.option("--seed", type=int, metavar="N", help="Replay one seed, and tell what happens.")
@click.option("--seeds", metavar="A..B|COUNT", help="Run many, on all processors: A to B, or 1 to COUNT.")
@click.option("--shrink", is_flag=True, help="Look for the smallest part of a plan that still fails.")
@click.option("--only", metavar="N,N…", help="With --seed: these events of the plan and no others.")
@click.option("--without", metavar="NAME,…", help="With --seed: without these machines.")
@click.option("--nodes", type=click.IntRange(3, 1000), help="So many nodes, whatever the seed says.")
@click.option(
    "--journals",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --seed: record every agent there, for `felixbgp replay`.",
)
@click.option("-q", "--quiet", is_flag=True, help="With --seed: tell the plan and the verdict alone.")
@click.option("--jobs", type=click.IntRange(1), help="How many processors to use; all unless given.")
def simulate(  # noqa: PLR0917 - click passes options by name
    seed: int | None,
    seeds: str | None,
    shrink: bool,
    only: str | None,
    without: str | None,
    nodes: int | None,
    journals: Path | None,
    quiet: bool,
    jobs: int | None,
) -> int:
    """Run simulated clusters, in which machines, links, kernels, etcd and operators do what they should not.

    Every agent is the real one; clock, network, kernels and etcd are not. A seed decides all of it. At every
    step it is checked that no route is lost that need not be, that nothing is announced that should not be,
    and that packets do not go round; at the end all must be as the store demands.

    The exit status is 1 if any rule was violated.

    \b
    Examples:
      felixbgp simulate --seeds 1000
      felixbgp simulate --seed 141
      felixbgp simulate --seed 141 --shrink
      felixbgp simulate --seed 141 --journals /tmp/seed-141
    """
    if (seed is None) == (seeds is None):
        raise click.UsageError("give either --seed or --seeds")
    if seed is None:
        if only is not None or without is not None or journals is not None:
            raise click.UsageError("--only, --without and --journals go with --seed")
        return _run_many(_range_of(seeds or ""), jobs or os.cpu_count() or 1, nodes, shrinks=shrink)
    plan = _part_of(draw(seed, nodes), only, without)
    return _run_one(plan, nodes, shrinks=shrink, quiet=quiet, journals=journals)


def _range_of(text: str) -> range:
    """The seeds that are meant."""
    found = _RANGE.fullmatch(text)
    first, last = (1, 0) if found is None else (int(found[1] or 1), int(found[2]))
    if first > last:
        raise click.BadParameter(f"{text!r} is neither a count nor A..B", param_hint="--seeds")
    if last - first >= SEEDS_MAX:
        raise click.BadParameter(f"{text!r} is more than {SEEDS_MAX:,} seeds", param_hint="--seeds")
    return range(first, last + 1)


def _part_of(plan: Plan, only: str | None, without: str | None) -> Plan:
    """The events and machines of a plan that are wanted."""
    if only is not None:
        numbers = [number.strip() for number in only.split(",") if number.strip()]
        wrong = [number for number in numbers if not number.isdecimal() or int(number) >= len(plan.events)]
        if wrong:
            text = f"the plan has events 0 to {len(plan.events) - 1}, and no {wrong[0]}"
            raise click.BadParameter(text, param_hint="--only")
        plan = plan.only(set(map(int, numbers)))
    names = [machine.name for machine in plan.machines]
    for name in filter(None, map(str.strip, (without or "").split(","))):
        if name not in names:
            text = f"the plan has the machines {' '.join(names)}, and no {name!r}"
            raise click.BadParameter(text, param_hint="--without")
        plan = without_machine(plan, name)
    return plan


# -- one -------------------------------------------------------------------------------------------------


def _run_one(plan: Plan, nodes: int | None, *, shrinks: bool, quiet: bool, journals: Path | None) -> int:
    _tell_lines(plan.lines())
    tell = None if quiet else _tell
    verdict = run(plan, tell) if journals is None else _recorded(plan, tell, journals)
    _tell_lines(_lines_of(verdict))
    if verdict.is_well:
        return 0
    if shrinks:
        _tell_lines(_smallest_of(verdict, nodes))
    return 1


def _recorded(plan: Plan, tell: Tell | None, directory: Path) -> Verdict:
    """The same run with a journal of every agent."""
    try:
        with Recordings(directory) as recordings:
            return run(plan, tell, recordings.make_agent)
    except OSError as error:
        raise click.ClickException(f"{directory}: {error.strerror}") from error


def _tell(now: int, text: str) -> None:
    click.echo(f"{now / 1e9:11.6f} {text}")


def _tell_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _lines_of(verdict: Verdict) -> Iterator[str]:
    if verdict.is_well:
        seconds = f"{verdict.rested_ns / 1e9:.0f} s after the last event"
        yield f"well: at rest {seconds}, looked at until {verdict.at_ns / 1e9:.0f} s"
        return
    yield f"violated: {verdict.rule}, at {verdict.at_ns / 1e9:.6f} s"
    yield from (f"  {line}" for line in verdict.where)


def _smallest_of(verdict: Verdict, nodes: int | None) -> Iterator[str]:
    plan = verdict.plan
    small = smallest(verdict)
    numbers = ",".join(str(number) for number, event in enumerate(plan.events) if event in small.events)
    gone = ",".join(one.name for one in plan.machines if one not in small.machines)
    without = f" --without {gone}" if gone else ""
    size = "" if nodes is None else f" --nodes {nodes}"
    yield f"smallest: {len(small.events)} of {len(plan.events)} events, {len(small.machines)} machines"
    yield from (f"  {line}" for line in small.lines())
    yield from _lines_of(run(small))
    yield f"again: felixbgp simulate --seed {plan.seed}{size} --only '{numbers}'{without}"
    yield f"as a value: {replace(small, shape='')!r}"


# -- many ------------------------------------------------------------------------------------------------


def _run_many(seeds: range, jobs: int, nodes: int | None, *, shrinks: bool) -> int:
    began = last = time.monotonic()
    outcomes: list[Outcome] = []
    parts = [seeds[first : first + SEEDS_AT_ONCE] for first in range(0, len(seeds), SEEDS_AT_ONCE)]
    with ProcessPoolExecutor(max_workers=min(jobs, len(parts)), initializer=_begin_worker) as pool:
        try:
            for done in as_completed([pool.submit(_run_some, part, nodes) for part in parts]):
                outcomes += _new(done, nodes, shrinks=shrinks)
                if time.monotonic() - last >= TOLD_EVERY_S:
                    last = time.monotonic()
                    click.echo(_progress(outcomes, len(seeds), last - began), err=True)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            # The end of the block would wait for the seeds that they are at.
            for worker in multiprocessing.active_children():
                worker.kill()
            if isinstance(error, KeyboardInterrupt):
                # Python, as it leaves, and the pool's thread may close the same pipe, or wait for each other.
                os._exit(EXIT_INTERRUPTED)
            raise
    _tell_lines(_summary(outcomes, time.monotonic() - began))
    return 1 if any(outcome.rule for outcome in outcomes) else 0


def _begin_worker() -> None:
    """Have a worker end by the command alone, and with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_some(seeds: range, nodes: int | None) -> list[Outcome]:
    """Run in a process of its own."""
    return [_outcome(seed, nodes) for seed in seeds]


def _outcome(seed: int, nodes: int | None) -> Outcome:
    began = time.process_time()
    verdict = run(draw(seed, nodes))
    seconds = time.process_time() - began
    at_s = verdict.at_ns / 1e9
    return Outcome(seed, verdict.plan.shape, at_s, seconds, verdict.rule, verdict.where, at_s)


def _new(done: "Future[list[Outcome]]", nodes: int | None, *, shrinks: bool) -> list[Outcome]:
    """Tell at once of what failed."""
    outcomes = done.result()
    for outcome in outcomes:
        if outcome.rule:
            click.echo(
                f"seed {outcome.seed} ({outcome.shape}) violated: {outcome.rule}, at {outcome.at_s:.6f} s"
            )
            _tell_lines(f"  {line}" for line in outcome.where[:5])
            if shrinks:
                _tell_lines(f"  {line}" for line in _smallest_of(run(draw(outcome.seed, nodes)), nodes))
    return outcomes


def _progress(outcomes: list[Outcome], count: int, seconds: float) -> str:
    failed = sum(1 for outcome in outcomes if outcome.rule)
    return f"{len(outcomes)} of {count} seeds in {seconds:.0f} s, {failed} with a violation"


def _summary(outcomes: list[Outcome], seconds: float) -> Iterator[str]:
    failed = sorted((outcome.seed, outcome.rule) for outcome in outcomes if outcome.rule)
    processor_s = sorted(outcome.processor_s for outcome in outcomes)
    virtual_s = sum(outcome.virtual_s for outcome in outcomes)
    yield (
        f"{len(outcomes)} seeds in {seconds:.0f} s: {virtual_s / 3600:.0f} hours of clusters, "
        f"{sum(processor_s):.0f} s of processors, median {processor_s[len(processor_s) // 2]:.2f} s a seed, "
        f"longest {processor_s[-1]:.1f} s"
    )
    if not failed:
        yield "no violation"
        return
    for rule, count in Counter(rule for _, rule in failed).most_common():
        seeds = " ".join(str(seed) for seed, its in failed if its == rule)
        yield f"{count} with {rule}: {seeds}"
