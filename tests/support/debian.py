"""Root file systems of Debian 12, made by debootstrap once and kept: others are laid over them."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

SUITE = "bookworm"
BASES = Path("/var/cache/felixbgp-tests")


def base(included: Sequence[str], *, in_cache: Sequence[str] = ()) -> Path:
    """The root file system with these packages, and others in apt's cache: those need no network.

    It is made if it is not there, which takes a minute or two; raises `AssertionError` with what was said.
    """
    recipe = hashlib.sha256(repr((SUITE, included, in_cache)).encode()).hexdigest()[:12]
    made = BASES / f"{SUITE}-{recipe}"
    if made.exists():
        return made
    BASES.mkdir(exist_ok=True)
    new = BASES / f"new-{os.getpid()}-{time.monotonic_ns()}"
    try:
        _run(
            "debootstrap", "--variant=minbase", f"--include={','.join(included)}", SUITE, str(new), _mirror()
        )
        if in_cache:
            _run("chroot", str(new), "apt-get", "update", "-qq")
            options = ("-y", "-qq", "--no-install-recommends", "--download-only")
            _run("chroot", str(new), "apt-get", "install", *options, *in_cache)
        new.rename(made)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return made


def _mirror() -> str:
    """Where this host has its own packages from."""
    said = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Label: Debian", "Component: main")
    return said.split()[0]


def _run(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
