"""Look for octets that break a target: python -m tests.fuzz [TARGET …] [--seconds N] [--jobs N]."""

import argparse
import shutil
import subprocess
import sys
from functools import partial
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
    parser.add_argument("--merge", action="store_true", help="only bring what was found into the corpus")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.worker:
        fuzz(arguments.targets[0], options)
    if options:
        parser.error(f"no such option: {options[0]}")
    action = merge if arguments.merge else partial(run, seconds=arguments.seconds, jobs=arguments.jobs)
    results = [action(target) for target in arguments.targets or TARGETS]
    return 0 if all(results) else 1


def fuzz(target: str, options: list[str]) -> None:
    """Hand over to libFuzzer, which ends the process."""
    # To merge, libFuzzer starts its first argument again, by the shell.
    command = " ".join(worker(target))
    atheris.Setup([command, f"-max_len={OCTETS_MAX[target]}", *options], TARGETS[target])
    atheris.Fuzz()


def run(target: str, seconds: int, jobs: int) -> bool:
    """Look for so long, in several processes that share what they find; says whether all went well."""
    found, kept = folders(target)
    options = [f"-max_total_time={seconds}", "-timeout=10", "-reload=1", f"-artifact_prefix={WORK}/{target}-"]
    command = [*worker(target), *options, str(found), str(kept)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(jobs)]
    codes = [process.wait() for process in processes]
    return not any(codes)


def merge(target: str) -> bool:
    """Make the corpus as few and short octets as reach all that it and what was found reach."""
    found, kept = folders(target)
    minimised = WORK / f"{target}.minimised"
    minimised.mkdir()
    command = [*worker(target), "-set_cover_merge=1", str(minimised), str(kept), str(found)]
    merged = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    if merged:
        for old in kept.iterdir():
            old.unlink()
        for new in minimised.iterdir():
            new.rename(kept / new.name)
    shutil.rmtree(minimised)
    return merged


def folders(target: str) -> tuple[Path, Path]:
    """What was found, and the corpus."""
    found, kept = WORK / target, CORPUS / target
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    return found, kept


def worker(target: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz", "--worker", target]


if __name__ == "__main__":
    sys.exit(main())
