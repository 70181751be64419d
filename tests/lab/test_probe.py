"""`felixbgp lab probe`: the command of the README, and what it says when something is lost."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from bench.losses.cluster import Cluster
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.probes import SHOWN_MAX, ProbeError, Probes
from felixbgp.lab.waiting import NotInTimeError

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "docs/examples/reflectors.yaml"


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*felixbgp_command(), "lab", "probe", *arguments], capture_output=True, text=True, check=False
    )


def test_a_lab_of_its_own_and_no_packet_lost_from_the_mesh_to_reflectors(name: str) -> None:
    done = probe("--name", name, "--up", "3", "--", "felixbgp", "apply", "-f", str(EXAMPLE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "workload → host" in done.stdout
    assert "nothing was lost" in done.stdout
    assert "Successfully applied 4 resource(s)" in done.stdout
    gone = subprocess.run([*felixbgp_command(), "lab", "status", "--name", name], check=False)
    assert gone.returncode == 1


def test_a_cable_that_is_out_for_a_moment_is_seen(lossless: Cluster) -> None:
    node = lossless.plan.nodes[0]
    lossless.restore()
    inside = f"ip -n {lossless.plan.fabric} link set {node.name}"
    done = probe(
        "--name", lossless.plan.name, "--watch", "0", "-o", "json", "--",
        "sh", "-c", f"{inside} down; sleep 0.1; {inside} up; exit 3",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    cut = {
        pair["lost"] > 50
        for pair in document["pairs"]
        if f"{node.name}-w1" in (pair["source"], pair["target"])
    }
    others = {
        pair["lost"]
        for pair in document["pairs"]
        # The ToR spreads what its host sends over all nodes, and so some of it over this one.
        if not {f"{node.name}-w1", lossless.plan.tors[0].host.name} & {pair["source"], pair["target"]}
    }
    assert cut == {True}
    assert others == {0}
    assert document["gapMs"] > 50


def probers() -> list[int]:
    """Processes of ours that probe, in the order of their endpoints."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [
        int(pid) for pid in children if b"felixbgp.lab.prober" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_pairs_that_do_not_work_are_named(bare: Lab) -> None:
    """Two nodes without agents reach nobody but their own workloads."""
    with Probes.between(bare.plan.workloads) as probes, pytest.raises(NotInTimeError) as raised:
        probes.wait_until_all_work(seconds_max=10)
    # Which of the eight pairs are named goes by how many packets each could send.
    named = re.findall(r"(node-\d)-w\d to (node-\d)-w\d \(IPv4\)", str(raised.value))
    assert len(named) == SHOWN_MAX
    assert all(source != target for source, target in named)


def test_a_prober_that_dies_is_no_lost_packet(bare: Lab) -> None:
    first, second, *_ = bare.plan.workloads
    with Probes.between((first, second)) as probes:
        probes.wait_until_all_work()
        os.kill(probers()[-1], signal.SIGKILL)
        with pytest.raises(ProbeError, match=f"the prober at {second.name} does not say"):
            probes.stop()
