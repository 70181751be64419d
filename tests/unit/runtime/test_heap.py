"""What glibc does with memory that is free again."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from felixbgp.runtime.heap import keep_heap

def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096

if "keep" in sys.argv:
    assert keep_heap()
before = resident()
blocks = [bytes(100_000) for _ in range(1000)]
del blocks
print(resident() - before)
"""


@pytest.mark.parametrize(("argument", "is_kept"), [("keep", True), ("return", False)])
def test_freed_memory_stays_for_the_next_table(argument: str, is_kept: bool) -> None:
    command = [sys.executable, "-c", PROGRAM, argument]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (int(ran.stdout) > 50_000_000) is is_kept
