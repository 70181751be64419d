"""Our bytes, read by a decoder that is not ours."""

import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from felixbgp.lab import checks
from felixbgp.lab.lab import Lab
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

OPEN, UPDATE, NOTIFICATION, KEEPALIVE = "1", "2", "3", "4"
COMPLAINTS = "_ws.malformed || (_ws.expert.severity >= 0x600000 && !tcp.analysis.flags)"
"""Warnings and errors (PI_WARN and above), those about lost and repeated segments excepted."""


def tshark(capture: Path, wanted: str, *fields: str, growing: bool = False) -> list[list[str]]:
    """The fields of all packets that a display filter selects.

    A capture that is still growing ends within a packet, and tshark says so; else it must be content.
    """
    arguments = ["tshark", "-n", "-r", str(capture), "-Y", wanted, "-T", "fields"]
    arguments += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert growing or done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_whole_session_is_read_without_complaint(lab: Lab, tmp_path: Path) -> None:
    tor, capture, dumpcap = lab.plan.tors[0], tmp_path / "bgp.pcapng", shutil.which("dumpcap")
    assert dumpcap is not None, "dumpcap is not installed (package tshark)"
    ours = f"bgp && (ip.dst == {tor.ipv4} || ipv6.dst == {tor.ipv6})"
    arguments = [dumpcap, "-q", "-i", "br0", "-f", "tcp port 179", "-w", str(capture)]
    with subprocess.Popen(
        lab.exec_arguments("fabric", arguments), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            # It names its file once it listens.
            assert any(line.startswith("File:") for line in process.stderr)
            for name, address in (("v4", tor.ipv4), ("v6", tor.ipv6)):
                lab.put_peer(name, {"peerIP": address, "asNumber": 64567})
            wanted = checks.tor_sessions(lab.plan)
            checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "ToR sessions", 90)
            checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes in all kernels", 60)
            for name in ("v4", "v6"):
                lab.delete_peer(name)
            ceases = f"{ours} && bgp.type == 3"
            wait_until(
                lambda: len(tshark(capture, ceases, "frame.number", growing=True)) >= 6, "six Ceases", 60
            )
        finally:
            process.send_signal(signal.SIGINT)

    types = Counter(kind for (kinds,) in tshark(capture, ours, "bgp.type") for kind in kinds.split(","))
    # A router that still rests after a former session hangs up on an OPEN or two.
    assert min(types[OPEN], types[UPDATE], types[KEEPALIVE]) >= 6
    assert types.keys() == {OPEN, UPDATE, NOTIFICATION, KEEPALIVE}
    assert tshark(capture, f"bgp && ({COMPLAINTS})", "frame.number", "_ws.expert.message") == []
    assert (
        tshark(capture, ceases, "bgp.notify.major_error", "bgp.notify.minor_error_cease") == [["6", "3"]] * 6
    )
    for node in lab.plan.nodes:
        assert network(node.block_v4) in announced(
            capture, f"ip.src == {node.ipv4} && {ours}", "bgp.nlri_prefix"
        )
        ipv6 = "bgp.mp_reach_nlri_ipv6_prefix"
        assert network(node.block_v6) in announced(capture, f"ipv6.src == {node.ipv6} && {ours}", ipv6)


def announced(capture: Path, wanted: str, field: str) -> set[str]:
    return {prefix for (prefixes,) in tshark(capture, wanted, field) for prefix in prefixes.split(",")}


def network(cidr: str) -> str:
    return cidr.partition("/")[0]
