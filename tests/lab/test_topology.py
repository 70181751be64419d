"""`felixbgp topology` of a live cluster in which one session is broken."""

import os
import subprocess
from xml.etree import ElementTree as ET

import pytest

from felixbgp.cli.topology_graphviz import PROBLEM
from felixbgp.lab import checks
from felixbgp.lab.lab import Lab, felixbgp_command

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

TOR_AS = 64567
SECONDS_MAX = 90.0
LINE = "{http://www.w3.org/2000/svg}line"


def drawn(lab: Lab, form: str = "text") -> str:
    command = [*felixbgp_command(), "topology", "-o", form]
    environment = dict(os.environ) | lab.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_broken_session_is_named_and_red(lab: Lab) -> None:
    first, second, third = (node.name for node in lab.plan.nodes)
    tor = lab.plan.tors[0]
    lab.put_peer("well", {"peerIP": tor.ipv4, "asNumber": TOR_AS, "node": second})
    lab.put_peer("broken", {"peerIP": tor.ipv4, "asNumber": TOR_AS + 1, "node": first})

    def missing() -> list[str]:
        text = drawn(lab)
        wanted = ("NOT ESTABLISHED: 1 of 8\n", f"{first}: ", f"the peer says it is AS {TOR_AS}")
        return [text] if any(one not in text for one in wanted) else []

    checks.wait_for(missing, "one session is named", SECONDS_MAX)
    text = drawn(lab)
    problem = text[text.index("NOT ESTABLISHED") :]
    assert (
        f"{first} — {tor.ipv4} (AS {TOR_AS + 1}, broken) (IPv4, external, BGPPeer broken): {first}: "
        in problem
    )
    assert second not in problem
    assert f"    mesh      {second}, {third}\n    external  !{tor.ipv4} (AS {TOR_AS + 1}, broken)\n" in text
    lines = ET.fromstring(drawn(lab, "svg")).iter(LINE)  # noqa: S314 - it is our own
    told = {"".join(line.itertext()).strip(): line.get("stroke") for line in lines}
    assert len(told) == 8
    (red,) = (name for name, colour in told.items() if colour == PROBLEM)
    # Between the two drawings it may have come to another state.
    assert red.partition(f": {first}: ")[0] == problem.splitlines()[1].strip().partition(f": {first}: ")[0]
    lab.delete_peer("broken")
    lab.delete_peer("well")
    checks.wait_for(
        lambda: [] if "NOT ESTABLISHED" not in (told := drawn(lab)) else [told], "well", SECONDS_MAX
    )
