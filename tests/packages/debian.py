"""A root file system of Debian 12 in which packages are installed: debootstrap's, with a layer of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
INCLUDED = "libstdc++6,python3,systemd"
"""What the package depends on, so that nothing has to be fetched when it is installed."""
BASE = Path("/var/cache/felixbgp-packages") / f"{SUITE}-base"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that is switched off; commands run in it one by one."""

    root: Path

    def run(self, *command: str) -> str:
        """What a command prints; fails when it does."""
        done = self.tried(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def tried(self, *command: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ends. A namespace of its own keeps /proc away from this host's."""
        words = [
            *("unshare", "--mount", "--pid", "--fork", "--net"),
            *("sh", "-c", 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'),
        ]
        return subprocess.run(
            [*words, str(self.root), *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def a_machine(folder: Path) -> Iterator[Machine]:
    """A machine as debootstrap makes it; what is done to it stays in the folder, and goes."""
    base = make_base()
    root, upper, work = (folder / name for name in ("root", "upper", "work"))
    for directory in (root, upper, work):
        directory.mkdir(parents=True)
    layers = f"lowerdir={base},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", root], check=True)
    try:
        yield Machine(root)
    finally:
        subprocess.run(["umount", root], check=True)
        shutil.rmtree(folder)


def make_base() -> Path:
    """The root file system, made by debootstrap where it is not there yet, which takes a minute."""
    if not BASE.exists():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        new = BASE.with_name(f"new-{os.getpid()}")
        try:
            command = ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(new), mirror()]
            subprocess.run(command, check=True, capture_output=True)
            new.rename(BASE)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return BASE


def mirror() -> str:
    """Where this host has its own packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian", "Component: main"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return said.stdout.split()[0]
