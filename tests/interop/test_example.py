"""The library's example, as a reader would run it, against a real router."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from felixbgp.lab import bird, netns

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "speak.py"
US, THEM, NAMESPACE = "192.0.2.1", "192.0.2.2", f"fxi-x{os.getpid()}"
CONFIGURATION = f"""
log stderr all;
router id {THEM};
protocol device {{}}
protocol static {{ ipv4; route 203.0.113.0/24 blackhole; }}
protocol bgp example {{
  local {THEM} as 64567; neighbor {US} as 64512; passive; multihop;
  ipv4 {{ import all; export all; next hop self; }};
}}
"""


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Path]:
    """BIRD in a namespace with both addresses; gives its control socket."""
    program = bird.find_bird()
    assert program is not None
    with ExitStack() as stack:
        netns.create([NAMESPACE])
        stack.callback(netns.remove, [NAMESPACE])
        netns.batch(["link set lo up", f"addr add {US}/32 dev lo", f"addr add {THEM}/32 dev lo"], NAMESPACE)
        configuration, control = tmp_path / "bird.conf", tmp_path / "bird.ctl"
        configuration.write_text(CONFIGURATION)
        arguments = netns.exec_arguments(NAMESPACE, bird.arguments(program, configuration, control))
        process = stack.enter_context(subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True))
        stack.callback(process.terminate)
        assert process.stderr is not None
        assert any("Started" in line for line in process.stderr)
        yield control


def test_thirty_lines_speak_to_a_router(router: Path) -> None:
    arguments = [sys.executable, str(EXAMPLE), US, THEM, "64567", "10.1.0.0/26"]
    with subprocess.Popen(
        netns.exec_arguments(NAMESPACE, arguments), stdout=subprocess.PIPE, text=True
    ) as example:
        try:
            assert example.stdout is not None
            told = {example.stdout.readline().strip() for _ in range(2)}
            assert told == {"10.1.0.0/26 via", f"203.0.113.0/24 via {THEM}"}
            assert "Established" in bird.query(router, "show protocols example")
            while f"from {US}" not in (routes := bird.query(router, "show route 10.1.0.0/26 all")):
                assert "Established" in bird.query(router, "show protocols example")
            assert "BGP.as_path: 64512" in routes
        finally:
            example.terminate()


def test_the_example_is_short() -> None:
    code = EXAMPLE.read_text().split('"""', 2)[2]
    statements = [
        line for line in code.splitlines() if line.strip() and not line.startswith(("from", "import"))
    ]
    assert len(statements) <= 35
