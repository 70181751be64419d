"""Network namespaces: make, list, configure and remove them, and look inside from this process."""

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
"""From linux/sched.h: the namespace type for setns(2)."""
COMMAND_TIMEOUT_S = 60
"""No `ip` command takes near as long; a hang must not hang the lab."""
RUN_NETNS = Path("/run/netns")
"""Where iproute2 keeps named namespaces."""


class NetworkError(Exception):
    """A command on the network failed; the text has the command's own words."""


def ip_command() -> str:
    """Path of iproute2's `ip`; raises `NetworkError` where it is missing."""
    found = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NetworkError("the lab needs the `ip` command (package iproute2)")
    return found


def batch(lines: Iterable[str], namespace: str = "") -> None:
    """Run `ip -batch` in a namespace ("" = ours), one command a line; the first failure raises."""
    text = "".join(f"{line}\n" for line in lines)
    where = ["-n", namespace] if namespace else []
    _run([ip_command(), *where, "-batch", "-"], text)


def query(arguments: Iterable[str], namespace: str = "") -> list[dict[str, Any]]:
    """What `ip -j …` prints, as Python values; raises `NetworkError`."""
    where = ["-n", namespace] if namespace else []
    output = _run([ip_command(), *where, "-j", *arguments])
    return list(json.loads(output)) if output.strip() else []


def names() -> list[str]:
    """All named network namespaces of this host, sorted."""
    return sorted(entry.name for entry in RUN_NETNS.iterdir()) if RUN_NETNS.is_dir() else []


def create(namespaces: Iterable[str]) -> None:
    """Make namespaces; raises `NetworkError` if one is there already."""
    batch(f"netns add {namespace}" for namespace in namespaces)


def remove(namespaces: Iterable[str]) -> None:
    """Remove those of the namespaces that are there, with all that is in them."""
    present = set(names())
    doomed = [namespace for namespace in namespaces if namespace in present]
    if doomed:
        batch(f"netns del {namespace}" for namespace in doomed)


def pids(namespace: str) -> list[int]:
    """Processes that run in a namespace; empty when there is no such namespace."""
    if not (RUN_NETNS / namespace).exists():
        return []
    return [int(line) for line in _run([ip_command(), "netns", "pids", namespace]).split()]


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move this thread into a namespace for the length of a `with` block.

    Sockets opened inside stay there for life. Nothing in the block may wait: a thread of a pool or a trio
    task that resumed elsewhere would be in the wrong network.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        target = os.open(RUN_NETNS / namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def write_sysctls(namespace: str, values: Mapping[str, str]) -> None:
    """Set `net/…` paths below /proc/sys; one that this kernel lacks is left out."""
    with inside(namespace):
        for name, value in values.items():
            path = Path("/proc/sys") / name
            if path.exists():
                path.write_text(value, encoding="ascii")


def exec_arguments(namespace: str, command: Iterable[str]) -> list[str]:
    """The argument list that runs `command` inside a namespace."""
    return [ip_command(), "netns", "exec", namespace, *command]


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12; we start at 3.11.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise NetworkError(f"cannot enter the namespace: {os.strerror(code)}")


def _run(arguments: list[str], text: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list; names in it come from a checked plan
            arguments, input=text, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"`{' '.join(arguments)}` took over {COMMAND_TIMEOUT_S} seconds") from error
    if done.returncode != 0:
        raise NetworkError(f"`{' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
