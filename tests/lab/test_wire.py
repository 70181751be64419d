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


def tshark(capture: Path, wanted: str, *fields: str) -> list[list[str]]:
    """The fields of all packets that a display filter selects. A capture still being written is cut short."""
    arguments = ["tshark", "-n", "-r", str(capture), "-Y", wanted, "-T", "fields"]
    arguments += [word for field in fields for word in ("-e", field)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_whole_session_is_read_without_complaint(lab: Lab, tmp_path: Path) -> None:
    if shutil.which("tshark") is None or shutil.which("dumpcap") is None:
        pytest.skip("tshark is not installed")
    tor, capture = lab.plan.tors[0], tmp_path / "bgp.pcapng"
    dumpcap = [shutil.which("dumpcap") or "", "-q", "-i", "br0", "-f", "tcp port 179", "-w", str(capture)]
    with subprocess.Popen(
        lab.exec_arguments("fabric", dumpcap), stderr=subprocess.PIPE, text=True
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
            ours = f"(ip.dst == {tor.ipv4} || ipv6.dst == {tor.ipv6}) && bgp"
            wait_until(
                lambda: sum("3" in types.split(",") for (types,) in tshark(capture, ours, "bgp.type")) >= 6,
                "six NOTIFICATIONs in the capture", 60,
            )  # fmt: skip
        finally:
            process.send_signal(signal.SIGINT)

    types = Counter(kind for (kinds,) in tshark(capture, ours, "bgp.type") for kind in kinds.split(","))
    assert types[OPEN] >= 6
    assert min(types[UPDATE], types[KEEPALIVE]) >= 6
    assert tshark(capture, "bgp && (_ws.malformed || _ws.expert.severity == error)", "frame.number") == []
    ceases = tshark(
        capture, f"{ours} && bgp.type == 3", "bgp.notify.major_error", "bgp.notify.minor_error_cease"
    )
    assert ceases == [["6", "3"]] * 6
