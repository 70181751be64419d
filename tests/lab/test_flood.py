"""One peer sends malformed UPDATEs, two hundred a second, while ten others bring 10,000 routes each; then it
sends good ones, and refreshes, as fast as it can.

All of it is real: the agent and its kernel, etcd, and the ten, which are BIRDs. They come up and bring their
routes while the flood is on, with hold times short enough to run out should the agent fall behind.
"""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Any

import pytest

from felixbgp.bgp.wire.codec import encode_keepalive, encode_route_refresh
from felixbgp.bgp.wire.errors import ErrorCode
from felixbgp.bgp.wire.framer import Framer
from felixbgp.bgp.wire.messages import MessageType, PathAttributes, RouteRefreshMessage, Segment, SegmentType
from felixbgp.bgp.wire.open import encode_open, make_open
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.lab import bird, checks, netns, processes
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import FABRIC_V4, FABRIC_V6, LabPlan, Node
from felixbgp.lab.waiting import wait_until
from felixbgp.net import IPV4, Address, Prefix
from tests.lab.conftest import a_lab, fresh_name
from tests.lab.test_bad_days import STRANGER, STRANGER_AS, call
from tests.support.malformed import AS_PATH, DISCARD, NEXT_HOP, ORIGIN, RESET, WITHDRAW, an_update

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]

HOLD_SECONDS = 9
PEERS = range(1, 11)
"""The first five over IPv4, the others over IPv6."""
ROUTES = 10_000
RATE = 200
"""Malformed UPDATEs a second."""
SENT_BETWEEN_RESETS = 500
"""The flood then takes 20 s, twice the hold time, and no connection comes sooner than the agent takes it."""
FULL_SPEED_SECONDS = 5
VANDAL_ROUTES = 5000
GROWTH_OCTETS_MAX = 32 << 20
"""A few thousand routes, and what is queued of a peer at most; not what it sends in so many seconds."""
MARGIN_SECONDS = 60


def version(peer: int) -> int:
    return 4 if peer <= 5 else 6


def address(peer: int) -> str:
    return f"{FABRIC_V4}.3.{peer}" if version(peer) == 4 else f"{FABRIC_V6}:3:{peer}"


def asn(peer: int) -> int:
    return 65000 + peer


def prefixes(peer: int) -> Iterator[str]:
    """What a peer brings: hosts in 20.PEER.0.0/16, or networks in 2001:db8:PEER::/48."""
    for number in range(ROUTES):
        if version(peer) == 4:
            yield f"20.{peer}.{number >> 8}.{number & 255}"
        else:
            yield str(Prefix.parse(f"2001:db8:{peer:x}:{number:x}::/64"))


def configuration(peer: int, node: Node) -> Iterator[str]:
    """A BIRD that listens at its own address only, as all ten are in one namespace."""
    channel = f"ipv{version(peer)}"
    yield f"log stderr all;\nrouter id {STRANGER};\nprotocol device {{ }}\nprotocol static {{\n{channel};\n"
    length = "/32" if version(peer) == 4 else ""
    yield from (f"route {prefix}{length} blackhole;\n" for prefix in prefixes(peer))
    yield (
        "}\nprotocol bgp node {\n"
        f"local {address(peer)} as {asn(peer)};\nstrict bind;\n"
        f"neighbor {node.ipv4 if version(peer) == 4 else node.ipv6} as 64512;\n"
        f"hold time {HOLD_SECONDS};\nconnect delay time 1;\nerror wait time 1, 2;\n"
        f"{channel} {{ import none; export all; next hop self; }};\n}}\n"
    )


@contextmanager
def ten_routers(lab: Lab, folder: Path) -> Iterator[None]:
    """Ten BIRDs on the bridge, for the length of a `with` block; they log to `folder`."""
    masks = {4: "16", 6: "64 nodad"}
    netns.batch(
        [f"address add {address(peer)}/{masks[version(peer)]} dev br0" for peer in PEERS], lab.plan.fabric
    )
    program = bird.find_bird()
    assert program is not None
    with ExitStack() as stack:
        for peer in PEERS:
            config, control = (folder / f"{peer}.{suffix}" for suffix in ("conf", "ctl"))
            config.write_text("".join(configuration(peer, lab.plan.nodes[0])))
            arguments = netns.exec_arguments(lab.plan.fabric, bird.arguments(program, config, control))
            log = stack.enter_context((folder / f"{peer}.log").open("wb"))
            process = stack.enter_context(subprocess.Popen(arguments, stderr=log))
            stack.callback(process.terminate)
        yield


@dataclass
class Vandal:
    """The peer that floods. `run` is for a thread of its own and takes as long as the clock says, and until
    `others_are_up` is set."""

    lab: Lab
    others_are_up: threading.Event = field(default_factory=threading.Event)
    treated_as_withdraw: int = 0
    discarded: int = 0
    answers: list[int] = field(default_factory=list)
    """Codes of the NOTIFICATIONs that it got."""
    grown: int = 0
    """How many octets of memory the agent took more while it was sent all that TCP let through."""

    def run(self) -> None:
        for number, last in enumerate(cycle(RESET), 1):
            self._send_malformed(last)
            if number >= len(RESET) and self.others_are_up.is_set():
                break
        self._send_at_full_speed()

    def _dial(self) -> socket.socket:
        ours = make_open(
            local_as=STRANGER_AS, hold_time_s=90, bgp_identifier=Address.parse(STRANGER), families=(IPV4,)
        )
        connection = call(self.lab)
        connection.sendall(encode_open(ours) + encode_keepalive() + an_update(ORIGIN, AS_PATH, NEXT_HOP))
        return connection

    def _send_malformed(self, last: bytes) -> None:
        """By the clock, and at the end one that resets the session."""
        with self._dial() as connection:
            start, framer = time.monotonic(), Framer()
            bad = zip(cycle(WITHDRAW), cycle(DISCARD), strict=False)
            for number, (withdraw, discard) in enumerate(islice(bad, SENT_BETWEEN_RESETS // 2)):
                assert read_until(connection, framer, start + 2 * number / RATE) == []
                connection.sendall(withdraw + discard)
                self.treated_as_withdraw += 1
                self.discarded += 1
            connection.sendall(last)
            self.answers += read_until(connection, framer, start + MARGIN_SECONDS)

    def _send_at_full_speed(self) -> None:
        """Routes that change all the time, then refreshes begun and asked for, each a look at all of them."""
        routes, refreshes = b"".join(changing_routes()), b"".join(islice(refreshes_of(), 10_000))
        with self._dial() as connection:
            before = self._resident()
            for octets in (routes, refreshes):
                start = time.monotonic()
                while time.monotonic() < start + FULL_SPEED_SECONDS:
                    connection.sendall(octets)
            self.grown = self._resident() - before

    def _resident(self) -> int:
        used = processes.usage(self.lab.processes["node-1"])
        assert used is not None
        return used.resident_bytes


def read_until(connection: socket.socket, framer: Framer, moment: float) -> list[int]:
    """Read till then or till the end of the stream; gives the codes of the NOTIFICATIONs among it."""
    while (seconds := moment - time.monotonic()) > 0:
        connection.settimeout(seconds)
        try:
            data = connection.recv(65536)
        except TimeoutError:
            break
        if not data:
            break
        framer.feed(data)
    connection.settimeout(None)
    return [body[0] for kind, body in framer.messages() if kind is MessageType.NOTIFICATION]


def changing_routes() -> Iterator[bytes]:
    for number in range(VANDAL_ROUTES):
        yield from encode_announcements(IPV4, attributes(number), (vandal_prefix(number),))


def refreshes_of() -> Iterator[bytes]:
    """With a route now and then, so that none of them finds all as the one before left it."""
    for number in cycle(range(VANDAL_ROUTES)):
        yield from repeat(encode_route_refresh(RouteRefreshMessage(IPV4, number % 2)), 8)
        yield from encode_announcements(IPV4, attributes(number + 1), (vandal_prefix(number),))


def attributes(number: int) -> PathAttributes:
    as_path = (Segment(SegmentType.AS_SEQUENCE, (STRANGER_AS, number + 1)),)
    return PathAttributes(next_hop=Address.parse(STRANGER), as_path=as_path)


def vandal_prefix(number: int) -> bytes:
    return Prefix.parse(f"21.0.{number >> 8}.{number & 255}/32").nlri


def test_a_peer_that_floods_harms_nobody_but_itself(tmp_path: Path) -> None:
    plan = LabPlan(name=fresh_name(), node_count=1, tor_count=0, workload_count=0)
    with a_lab(plan) as lab, ThreadPoolExecutor(1) as pool:
        lab.put_peer("vandal", {"peerIP": STRANGER, "asNumber": STRANGER_AS})
        for peer in PEERS:
            lab.put_peer(f"peer-{peer}", {"peerIP": address(peer), "asNumber": asn(peer)})
        wait_until(lambda: seen(lab, STRANGER), "the peers are known", MARGIN_SECONDS)
        vandal = Vandal(lab)
        flood = pool.submit(vandal.run)
        with ten_routers(lab, tmp_path):
            try:
                checks.wait_for(lambda: missing(lab), "all routes are here", MARGIN_SECONDS)
            finally:
                vandal.others_are_up.set()
            flood.result()
            expected = {
                "treat-as-withdraw": vandal.treated_as_withdraw,
                "attribute discard": vandal.discarded,
                "session reset": len(vandal.answers),
            }
            wait_until(
                lambda: seen(lab, STRANGER).get("prefixes", {}).get("received", 0) == 0,
                "the flood is over for the agent too",
                MARGIN_SECONDS,
            )
            assert seen(lab, STRANGER)["malformedUpdates"] == expected
            assert set(vandal.answers) == {ErrorCode.UPDATE_MESSAGE}
            assert len(vandal.answers) >= len(RESET)
            assert vandal.grown < GROWTH_OCTETS_MAX
            assert missing(lab) == []
            assert [established_in_bird(tmp_path / f"{peer}.ctl") for peer in PEERS] == [True] * 10
            log = lab.log("node-1")
            assert {peer: changes(log, peer) for peer in PEERS} == {peer: ["Established"] for peer in PEERS}


def seen(lab: Lab, peer: str) -> dict[str, Any]:
    return checks.peer(lab.store, "node-1", peer)


def missing(lab: Lab) -> list[str]:
    """Peers that do not have a session with all their routes, and families whose routes the kernel lacks."""
    faults = []
    for peer in PEERS:
        entry = checks.peer(lab.store, "node-1", address(peer))
        prefixes_seen = entry.get("prefixes", {})
        found = (entry.get("state"), entry.get("holdTime"), *map(prefixes_seen.get, ("received", "accepted")))
        if found != ("Established", HOLD_SECONDS, ROUTES, ROUTES):
            faults.append(f"peer {peer}: {found}")
    return faults or [
        f"no route to {prefix} by way of {address(peer)} in the kernel"
        for number in (4, 6)
        for routes in [checks.routes(lab.plan.nodes[0].namespace, number)]
        for peer in PEERS
        if version(peer) == number
        for prefix in prefixes(peer)
        if prefix not in routes or routes[prefix].gateways != {address(peer)}
    ]


def changes(log: str, peer: int) -> list[str]:
    """The states that the agent went to with a peer, as far as it logs them: to and from Established."""
    line = rf"SessionStateChanged peer={re.escape(address(peer))} .* new=(\w+) "
    return re.findall(line, log)


def established_in_bird(control: Path) -> bool:
    return any(one.kind == "BGP" and one.info == "Established" for one in bird.protocols(control))
