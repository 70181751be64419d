"""P5: one write to etcd, a new BGPPeer, until its session has brought the first route into the remote kernel.

    write ─▶ etcd ─▶ node-1's agent (and node-2's) ─▶ OPEN, UPDATE ─▶ node-2, or a passive BIRD ─▶ its kernel

Beside it a BIRD that is told of a new peer by `birdc configure`, with the timers that Calico gives it.
"""

import os
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import NamedTuple

from felixbgp.lab import bird, calico, netns, processes
from felixbgp.lab.lab import Lab, down
from felixbgp.lab.plan import AS_NUMBER, TOR_AS_NUMBER, LabPlan
from felixbgp.lab.waiting import NotInTimeError, wait_until
from felixbgp.net import Prefix

TURNS = 20
BIRD_TURNS = 5
REST_SECONDS = 0.5
"""Between two turns, so that the end of a session is over on both sides."""
PATIENCE_SECONDS = 30.0
RTMGRP_IPV4_ROUTE = 0x40
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
PEER = "/calico/resources/v3/projectcalico.org/bgppeers/measured"
DIALS, WAITS = "scale-dials", "scale-waits"


class Latency(NamedTuple):
    """Seconds from the write until the route was in the remote kernel, one for each turn."""

    seconds: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        return median(self.seconds) * 1000

    @property
    def longest_ms(self) -> float:
        return max(self.seconds) * 1000


class Routes:
    """What happens to one route in the kernel of a namespace, from the moment this is made."""

    def __init__(self, namespace: str, prefix: str) -> None:
        self._wanted = bytes(Prefix.parse(prefix).address)
        with netns.inside(namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, RTMGRP_IPV4_ROUTE))
        self._socket.settimeout(PATIENCE_SECONDS)

    def close(self) -> None:
        self._socket.close()

    def wait(self, kind: int) -> float:
        """Until the route came, or went; gives when."""
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError as error:
                raise NotInTimeError(f"no message {kind} of the route") from error
            if int.from_bytes(data[4:6], "little") == kind and self._wanted in data:
                return monotonic()


def of_felixbgp(turns: int) -> tuple[Latency, Latency]:
    """To another agent, and to a BIRD that waits to be dialled."""
    plan = LabPlan(name=f"s{os.getpid()}"[:12], node_count=2, tor_count=1, workload_count=0, ipv6=False)
    try:
        lab = Lab.up(plan, tor_kind="bird", settings={"FELIXBGP_DRAINING_SECONDS": "0"})
        lab.store.put_all(calico.configuration_resource("default", {"nodeToNodeMeshEnabled": False}))
        first, second = plan.nodes[:2]
        tor = plan.tors[0]
        sleep(3 * REST_SECONDS)
        to_agent = {"node": first.name, "peerIP": second.ipv4, "asNumber": AS_NUMBER}
        to_bird = {"node": first.name, "peerIP": tor.ipv4, "asNumber": TOR_AS_NUMBER}
        return (
            _turns(lab, to_agent, second.namespace, first.block_v4, turns),
            _turns(lab, to_bird, tor.namespace, first.block_v4, turns),
        )
    finally:
        down(plan.name)


def _turns(lab: Lab, spec: dict[str, object], namespace: str, block: str, turns: int) -> Latency:
    found = []
    for _ in range(turns):
        routes = Routes(namespace, block)
        began = monotonic()
        lab.put_peer("measured", spec)
        found.append(routes.wait(RTM_NEWROUTE) - began)
        lab.store.delete([PEER])
        routes.wait(RTM_DELROUTE)
        routes.close()
        sleep(REST_SECONDS)
    return Latency(tuple(found))


# ---- BIRD as Calico runs it

TIMERS = "connect delay time 2; connect retry time 5; error wait time 5, 30;"


def of_bird(turns: int) -> Latency:
    """Two BIRDs: the one is told of the other, which waits to be dialled."""
    program = bird.find_bird()
    assert program is not None
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        netns.remove((DIALS, WAITS))
        netns.create((DIALS, WAITS))
        stack.callback(netns.remove, (DIALS, WAITS))
        netns.batch((f"link add scale0 netns {DIALS} type veth peer name scale0 netns {WAITS}",))
        for space, address in ((DIALS, "192.0.2.1"), (WAITS, "192.0.2.2")):
            netns.batch(
                ("link set lo up", "link set scale0 up", f"address add {address}/24 dev scale0"), space
            )
            (directory / f"{space}.conf").write_text(_configuration(space, peers=space == WAITS))
            command = bird.arguments(program, directory / f"{space}.conf", directory / space)
            running = processes.spawn(
                processes.Command(space, command, str(directory / f"{space}.log"), space)
            )
            stack.callback(processes.stop_all, [running])
            wait_until(partial(bird.query, directory / space, "show status"), "BIRD", 10)
        return Latency(tuple(_one_of_bird(directory) for _ in range(turns)))


def _one_of_bird(directory: Path) -> float:
    routes = Routes(WAITS, "198.51.100.0/24")
    began = monotonic()
    _configure(directory, peers=True)
    took = routes.wait(RTM_NEWROUTE) - began
    _configure(directory, peers=False)
    routes.wait(RTM_DELROUTE)
    routes.close()
    # BIRD, unlike us, does not listen to who comes back while it waits after an error.
    sleep(6)
    return took


def _configure(directory: Path, *, peers: bool) -> None:
    (directory / f"{DIALS}.conf").write_text(_configuration(DIALS, peers=peers))
    subprocess.run(
        ["birdc", "-s", str(directory / DIALS), "configure"], check=True, capture_output=True, timeout=10
    )


def _configuration(space: str, *, peers: bool) -> str:
    own, other = ("192.0.2.1", "192.0.2.2") if space == DIALS else ("192.0.2.2", "192.0.2.1")
    stub = "protocol static { ipv4; route 198.51.100.0/24 blackhole; }" if space == DIALS else ""
    passive = "passive on;" if space == WAITS else ""
    peer = f"""
protocol bgp peer {{
  local {own} as {AS_NUMBER};
  neighbor {other} as {AS_NUMBER};
  multihop; graceful restart; {TIMERS} {passive}
  ipv4 {{ import all; export all; next hop self; gateway recursive; add paths on; }};
}}"""
    return f"""
router id {own};
protocol device {{}}
protocol direct {{ ipv4; }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
{stub}
{peer if peers else ""}
"""
