"""Look for octets that break a target: python -m tests.fuzz [TARGET …] [--seconds N] [--jobs N]."""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["felixbgp"]):
    from tests.fuzz.targets import CORPUS, OCTETS_MAX, TARGETS

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
"""What was found so far by target, and octets that broke one; not for the repository."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if none")
    parser.add_argument("--seconds", type=int, default=10, help="for each target (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes for each target (%(default)s)")
    parser.add_argument("--merge", action="store_true", help="keep in the corpus what reaches more code")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.worker:
        fuzz(arguments.targets[0], options)
    codes = [
        one
        for target in arguments.targets or TARGETS
        for one in run(target, arguments.seconds, arguments.jobs, merge=arguments.merge)
    ]
    return 1 if any(codes) else 0


def fuzz(target: str, options: list[str]) -> None:
    """Hand over to libFuzzer, which ends the process."""
    # To merge, libFuzzer starts its first argument again, by the shell.
    command = f"{sys.executable} -m tests.fuzz --worker {target}"
    atheris.Setup([command, f"-max_len={OCTETS_MAX[target]}", *options], TARGETS[target])
    atheris.Fuzz()


def run(target: str, seconds: int, jobs: int, *, merge: bool) -> list[int]:
    """Start the processes of a target and wait for them; they share what they find."""
    found, kept = WORK / target, CORPUS / target
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", "--worker", target]
    options = [f"-max_total_time={seconds}", "-timeout=10", "-print_final_stats=1", "-reload=1"]
    options += [f"-artifact_prefix={WORK}/{target}-", str(found), str(kept)]
    workers = [subprocess.Popen([*command, *options], cwd=ROOT) for _ in range(jobs)]
    codes = [worker.wait() for worker in workers]
    if merge:
        minimised = WORK / f"{target}.minimised"
        minimised.mkdir()
        merged = subprocess.run(
            [*command, "-merge=1", str(minimised), str(kept), str(found)], cwd=ROOT, check=False
        )
        codes.append(merged.returncode)
        if not merged.returncode:
            for old in kept.iterdir():
                old.unlink()
            for new in minimised.iterdir():
                new.rename(kept / new.name)
        minimised.rmdir()
    return codes


if __name__ == "__main__":
    sys.exit(main())
