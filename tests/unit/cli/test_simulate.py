"""`felixbgp simulate`."""

import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from felixbgp.cli import simulate
from felixbgp.cli.main import cli
from felixbgp.lab.waiting import wait_until
from felixbgp.sim.draw import draw
from felixbgp.sim.faults import Kill
from felixbgp.sim.plan import Plan
from felixbgp.sim.swarm import Verdict
from tests.support.command import run_command

PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]
QUIET = 17
"""A seed whose plan has no event."""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["simulate", *arguments], prog_name="felixbgp")


def test_one_seed_is_told_with_its_plan_its_story_and_its_verdict() -> None:
    result = run("--seed", str(QUIET))
    assert result.exit_code == 0
    first, *story, verdict = result.output.splitlines()
    assert first == f"seed {QUIET}: 3 nodes, mixed, IPv4, a mesh, reflectors 1 2 3"
    assert any(line.endswith("node-1: 10.0.1.0/26 blackhole metric 1024") for line in story)
    assert verdict.startswith("well: at rest 4 s after the last event")


def test_a_part_of_a_plan_can_be_run_alone() -> None:
    result = run("--seed", "9", "--only", "0,2", "--without", "node-3", "-q")
    assert result.exit_code == 0
    assert "machines: node-1 node-2\n" in result.output
    assert [line[:8] for line in result.output.splitlines() if line.startswith("event")] == [
        "event 0:",
        "event 1:",
    ]


def test_every_life_of_every_agent_is_recorded_and_does_the_same_again(tmp_path: Path) -> None:
    plans = ((seed, draw(seed)) for seed in count(1))
    seed = next(
        seed
        for seed, plan in plans
        if len(plan.machines) < 5 and any(isinstance(event.what, Kill) for event in plan.events)
    )
    directory = tmp_path / "journals"
    result = run("--seed", str(seed), "-q", "--journals", str(directory))
    assert result.output == run("--seed", str(seed), "-q").output
    journals = sorted(directory.iterdir())
    assert len(journals) > len({path.stem for path in journals}), "no agent had a second life"
    for journal in journals:
        ran = run_command("replay", str(journal))
        assert ran.stdout.startswith("same effects: "), f"{journal.name}: {ran.output}"


def test_where_no_journal_can_be_written_a_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--seed", str(QUIET), "-q", "--journals", str(tmp_path / "file" / "journals"))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == f"error: {tmp_path}/file/journals: Not a directory"


def test_many_seeds_are_counted() -> None:
    result = run("--seeds", f"{QUIET}..{QUIET}", "--jobs", "1")
    assert result.exit_code == 0
    counted, verdict = result.output.splitlines()
    assert counted.startswith("1 seeds in ")
    assert verdict == "no violation"


def test_a_violation_is_told_and_shrunk_and_the_exit_status_is_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(plan: Plan, tell: object = None) -> Verdict:
        assert tell is None
        return Verdict(plan, "loop", ("packets go round",), 21_500_000_000) if plan.events else Verdict(plan)

    monkeypatch.setattr(simulate, "run", fails)
    monkeypatch.setattr("felixbgp.sim.swarm.run", fails)
    result = run("--seed", "9", "-q", "--shrink")
    assert result.exit_code == 1
    assert "violated: loop, at 21.500000 s\n  packets go round\n" in result.output
    assert "smallest: 1 of 4 events, 0 machines" in result.output
    assert "again: felixbgp simulate --seed 9 --only '0' --without node-1,node-2,node-3" in result.output
    assert "as a value: Plan(seed=9, " in result.output


def workers_of(process: "subprocess.Popen[str]") -> list[Path]:
    """What /proc has of them."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [Path("/proc", child) for child in children.split()]


def runs(process: Path) -> bool:
    """Whether it is there, and more than an entry that nobody has looked at."""
    with suppress(OSError):
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_whatever_ends_the_command_ends_its_workers(number: int, code: int) -> None:
    command = [*PROGRAM, "simulate", "--seeds", "100000", "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: len(workers_of(process)) == 2, "two workers", 60)
            workers = workers_of(process)
            process.send_signal(number)
            assert process.wait(30) == code
            wait_until(lambda: not any(map(runs, workers)), "their end", 30)
        finally:
            process.kill()
        _, told = process.communicate()
    # How far it is may be in it, where it took so long to come to that.
    assert "Traceback" not in told
    assert "error" not in told


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "give either --seed or --seeds"),
        (("--seed", "1", "--seeds", "2"), "give either --seed or --seeds"),
        (("--seeds", "2", "--only", "1"), "--only, --without and --journals go with --seed"),
        (("--seeds", "9..1"), "neither a count nor A..B"),
        (("--seeds", "many"), "neither a count nor A..B"),
        (("--seeds", "0"), "neither a count nor A..B"),
        (("--seeds", "9" * 23), "is more than 1,000,000 seeds"),
        (
            ("--seed", "9", "--without", "node-1,nosuch"),
            "the plan has the machines node-1 node-2 node-3, and no 'nosuch'",
        ),
        (("--seed", "9", "--only", "99"), "the plan has events 0 to 3, and no 99"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], error: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert error in result.output
