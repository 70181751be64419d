"""`make guard`: instructions and memory per route of the compiled core, held against `bench/guard.json`.

They are counted, not timed: by callgrind, and by the allocator. So they are the same on a busy machine as on
an idle one, and a figure that rises by more than `TOLERANCE` is a change in the code. `make guard-update`
writes the file anew: after an improvement, or where a commit says what is worth the rise.

Each minor version of Python has figures of its own: its objects are of other sizes, and its C-API is another
program. Where the file has none for a version nothing is compared, which is said and is no failure.
`make guard-update-all` writes those of all versions that are there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.guard_load import ROUTES

TOLERANCE = 0.01
"""Two runs of one build differ by less than 0.05 %, an empty dict that is copied per route makes 1.5 %."""
SLACK = 0.10
"""A figure that fell by more is told of, so that it is written down and cannot rise again unseen."""
FILE = Path(__file__).with_name("guard.json")
LOAD = Path(__file__).with_name("guard_load.py")
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1"}
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"

Figures = dict[str, float]


def counted() -> Figures:
    """Instructions per route, by phase."""
    with TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", "--dump-before=getppid"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, str(LOAD)]
        names: list[str] = json.loads(run([*fixed_addresses(), *command]))
        totals = [total(Path(folder, f"out.{number}")) for number in range(1, 2 * len(names) + 1)]
    # Each phase lies between two calls: what the dump before its first one has is preparation.
    return {f"{name}, instructions": totals[2 * at + 1] / ROUTES for at, name in enumerate(names)}


def fixed_addresses() -> list[str]:
    """Objects hash by their address, so let it be the same each time where the system allows that."""
    prefix = ["setarch", "-R"]
    tried = shutil.which("setarch") and subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if tried and tried.returncode == 0 else []


def total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
    assert found is not None, f"callgrind counted nothing in {dump}"
    return int(found[1])


def taken() -> Figures:
    """Octets and blocks per route that is held."""
    figures: Figures = json.loads(run([sys.executable, str(LOAD), "memory"]))
    return figures


def run(command: list[str]) -> str:
    return subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout


def compare(old: Figures, new: Figures) -> list[str]:
    """Print all figures; returns what is wrong, a line for each."""
    wrong = [f"{name}: is not measured any more" for name in old if name not in new]
    for name, figure in new.items():
        before = old.get(name)
        if before is None:
            wrong.append(f"{name}: {figure:.1f} is not written down")
            continue
        change = (figure - before) / max(before, 1.0)  # No block at all per route is a figure, too.
        print(f"{name:<44} {before:>10.1f} {figure:>10.1f} {change:>+7.1%}")
        if change > TOLERANCE:
            wrong.append(
                f"{name}: {before:.1f} became {figure:.1f}, {change:+.1%}; {TOLERANCE:.0%} is allowed"
            )
        elif change < -SLACK:
            print(f"  fell by more than {SLACK:.0%}: write it down with `make guard-update`")
    return wrong


def update(held: dict[str, Figures], version: str, new: Figures) -> None:
    """Write the figures of a version anew; those of others stay."""
    held[version] = {name: round(figure, 3) for name, figure in new.items()}
    # By number: 3.9 comes before 3.11.
    ordered = sorted(held.items(), key=lambda one: [int(part) for part in one[0].split(".")])
    FILE.write_text(json.dumps(dict(ordered), indent=2) + "\n")
    print(f"wrote {FILE.name} for Python {version}: say in the commit why")


def main(arguments: list[str], version: str = VERSION) -> int:
    """Compare or update; gives the exit status."""
    held: dict[str, Figures] = json.loads(FILE.read_text()) if FILE.exists() else {}
    is_update = "--update" in arguments
    if not is_update and version not in held:
        print(
            f"guard: NOTHING COMPARED: {FILE.name} has no figures for Python {version}, only for "
            f"{', '.join(held) or 'none'}. Where the code is as it should be `make guard-update` writes them."
        )
        return 0
    if shutil.which("valgrind") is None:
        print("guard: valgrind is not installed", file=sys.stderr)
        return 1
    new = counted() | taken()
    if is_update:
        update(held, version, new)
        return 0
    wrong = compare(held[version], new)
    for line in wrong:
        print(f"guard: {line}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
