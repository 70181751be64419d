"""A root file system of Debian 12 in which packages are installed: a common one, with a layer of its own."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import debian

INCLUDED = ("libstdc++6", "python3", "systemd")
"""What the package depends on, so that nothing has to be fetched when it is installed."""


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
    root, upper, work = (folder / name for name in ("root", "upper", "work"))
    for directory in (root, upper, work):
        directory.mkdir(parents=True)
    layers = f"lowerdir={debian.base(INCLUDED)},upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "overlay", root], check=True)
    try:
        yield Machine(root)
    finally:
        subprocess.run(["umount", root], check=True)
        shutil.rmtree(folder)
