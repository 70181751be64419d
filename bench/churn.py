"""Minutes of trouble for one agent with a real kernel, etcd and routers, and a look at what is left after it.

```
   four peers, two of each family ── 500 changes a second ──► node-1: felixbgp ──► kernel
   node-2, tor-1 (BIRD) ── sessions that must not notice ───►    |  eth0  its cable out now and then
                                                                 |  eth1  down and up, and its address away
   beside it: a BIRD that writes routes of its own and takes them back; a hand that deletes ours;
   somebody's routes at prefixes and the metric of ours
```

At the end the peers fall silent. Then the kernel must have what they announced last; an audit must find
intent, Loc-RIB and kernel to be one; every route of the others must be as they left it; and the memory of the
agent must not have grown since the first minute.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from bench.peer import Peer
from felixbgp.agent.config import ROUTE_METRIC, ROUTE_PROTOCOL
from felixbgp.bgp.wire.messages import Origin, PathAttributes, Segment, SegmentType
from felixbgp.bgp.wire.update import encode_announcements, encode_withdrawals
from felixbgp.lab import bird, checks, netns, processes
from felixbgp.lab.lab import Lab, down, felixbgp_command
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan
from felixbgp.lab.waiting import NotInTimeError, wait_until
from felixbgp.net import Address, Prefix

SECONDS = 600
CHANGES_PER_SECOND = 500
PREFIXES = 1000
"""Of each family, so that every one changes some hundred times in ten minutes."""
TICK_SECONDS = 0.02
AS_NUMBER = 65001
PEERS = ("172.30.3.1", "172.30.3.2", "fd00:172:30::3:1", "fd00:172:30::3:2")
BEYOND = ("172.31.0.1", "172.31.0.2", "fd00:172:31::1", "fd00:172:31::2")
"""For each peer the next hop it names when it is not its own address: somebody behind eth1."""
SECOND_LINK = ("172.31.0.254/24", "fd00:172:31::fe/64")
QUIET_SECONDS_MAX = 90.0
SETTLED_SECONDS_MAX = 30.0
"""Well below the minute after which the agent reads the kernel's table again whatever it has heard."""
FAULTS_MAX = 10
"""Named in the end; more would hide the first."""
DELETED_AT_ONCE = 50
WARM_SECONDS = 60.0
GROWTH_MAX = 0.1
"""Of the memory after the first minute."""
BIRD_METRIC, STATIC_PROTOCOL = 32, 4

Routes = dict[str, frozenset[str]]
"""Prefixes and the gateways of each."""


@dataclass
class Result:
    """What was done, and what was wrong in the end; `faults` empty when nothing was."""

    changes: int = 0
    deletions: int = 0
    link_flaps: int = 0
    cable_flaps: int = 0
    rewrites: int = 0
    resident_mib: list[float] = field(default_factory=list)
    """Of the agent, a second apart."""
    settled_seconds: float = 0.0
    returned_seconds: float = 0.0
    """After routes of ours were deleted while all else was quiet."""
    routes: int = 0
    multipath: int = 0
    faults: list[str] = field(default_factory=list)

    def show(self) -> None:
        """Print it all."""
        print(
            f"{self.changes} route changes, {self.deletions} routes of ours deleted by hand, "
            f"{self.link_flaps} times eth1 down, {self.cable_flaps} times eth0 without carrier, "
            f"{self.rewrites} times BIRD's routes gone"
        )
        print(
            f"settled after {self.settled_seconds:.1f} s: {self.routes} routes in the kernel as announced "
            f"last, {self.multipath} of them by two ways; those deleted then were back in "
            f"{self.returned_seconds:.1f} s"
        )
        minutes = self.resident_mib[int(WARM_SECONDS) - 1 :: 60]
        if minutes:
            each = ", ".join(f"{one:.1f}" for one in minutes)
            print(f"memory of the agent, MiB: {each} by minutes, {self.resident_mib[-1]:.1f} at the end")
        for fault in self.faults:
            print(f"FAULT {fault}")


def prefix_of(family: int, number: int) -> str:
    """As `ip` writes it."""
    if family == 4:
        return f"20.{number >> 8}.{number & 255}.0/24"
    return str(Prefix.parse(f"2001:db8:{number:x}::/48"))


class Announcer:
    """One peer that changes its mind; `announced` has the next hop of every prefix it announces."""

    def __init__(self, peer: Peer, beyond: str, chance: random.Random) -> None:
        self._peer = peer
        self._next_hops = (peer.address, Address.parse(beyond))
        self._chance = chance
        self.announced: dict[str, str] = {}
        self.version = 4 if len(peer.address) == 4 else 6

    def change(self) -> bytes:
        """One prefix: withdrawn, or announced with one of two next hops. A message to send."""
        text = prefix_of(self.version, self._chance.randrange(PREFIXES))
        prefix = Prefix.parse(text)
        if text in self.announced and self._chance.random() < 0.3:
            del self.announced[text]
            (message,) = encode_withdrawals(prefix.family, [prefix.nlri])
            return message
        next_hop = self._chance.choice(self._next_hops)
        self.announced[text] = str(next_hop)
        path = (Segment(SegmentType.AS_SEQUENCE, (AS_NUMBER, self._chance.randrange(1, 5))),)
        attributes = PathAttributes(origin=Origin.IGP, as_path=path, next_hop=next_hop)
        (message,) = encode_announcements(prefix.family, attributes, [prefix.nlri])
        return message

    def send(self, count: int) -> None:
        """Send so many changes."""
        self._peer.send([self.change() for _ in range(count)])

    @property
    def ended(self) -> str:
        """Why the session is over, if it is."""
        return self._peer.ended


class Others:
    """Everybody else who writes into node-1's table: a BIRD, a hand, and who has a route in our place."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._namespace = lab.plan.nodes[0].namespace
        self._control = folder / "other.ctl"
        self._config = folder / "other.conf"
        self._up = True
        self.rivals = {4: prefix_of(4, 7), 6: prefix_of(6, 7)}

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For the length of a `with` block."""
        for prefix in self.rivals.values():
            netns.batch(
                [f"route add blackhole {prefix} proto static metric {ROUTE_METRIC}"],
                self._namespace,
            )
        self._config.write_text(self._configuration())
        program = bird.find_bird()
        if program is None:
            raise FileNotFoundError("BIRD 2 (package bird2)")
        command = netns.exec_arguments(self._namespace, bird.arguments(program, self._config, self._control))
        with (
            subprocess.Popen(command, stderr=subprocess.DEVNULL) as other,
            subprocess.Popen(
                [netns.ip_command(), "-n", self._namespace, "-force", "-batch", "-"],
                stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            ) as self._hand,
        ):  # fmt: skip
            try:
                wait_until(lambda: bird.protocols(self._control), "the other BIRD answers", 30)
                yield
            finally:
                other.terminate()
                self._hand.kill()

    def rewrite(self) -> bool:
        """Have BIRD take its routes back, or write them again; whether it took them back."""
        self._up = not self._up
        for version in (4, 6):
            verb = "enable" if self._up else "disable"
            command = ["birdc", "-s", str(self._control), verb, f"static{version}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return not self._up

    def delete(self, prefix: str) -> None:
        """Delete our route of a prefix, if there is one."""
        assert self._hand.stdin is not None
        self._hand.stdin.write(f"route del {prefix} proto {ROUTE_PROTOCOL}\n")
        self._hand.stdin.flush()

    def delete_at_once(self, prefixes: list[str]) -> None:
        """Delete our routes of these prefixes, and return when it is done."""
        netns.batch([f"route del {prefix} proto {ROUTE_PROTOCOL}" for prefix in prefixes], self._namespace)

    def faults(self) -> Iterator[str]:
        """What is not as they left it, once BIRD has written the routes again that it took back."""
        if not self._up:
            self.rewrite()
            with suppress(NotInTimeError):
                wait_until(lambda: not any(self._missing()), "BIRD's routes", SETTLED_SECONDS_MAX)
        yield from self._missing()

    def _missing(self) -> Iterator[str]:
        for version in (4, 6):
            rows = table(self._namespace, version)
            theirs = {row["dst"] for row in rows if int(row.get("metric", 0)) == BIRD_METRIC}
            missing = {prefix for prefix, _ in self._routes(version)} - theirs
            if missing:
                yield f"BIRD's routes {sorted(missing)[:5]} ({len(missing)} in all) are not there"
            rival = [row for row in rows if row["dst"] == self.rivals[version]]
            if [int(row["protocol"]) for row in rival if int(row.get("metric", 0)) == ROUTE_METRIC] != [
                STATIC_PROTOCOL
            ]:
                yield f"the static route {self.rivals[version]} is not alone: {rival}"

    def _routes(self, version: int) -> Iterator[tuple[str, str]]:
        """Some of its own, and some at prefixes where we have routes too, with a metric of its own."""
        numbers = [*range(PREFIXES, PREFIXES + 100), *range(100, 150)]
        via = PEERS[0] if version == 4 else PEERS[2]
        for number in numbers:
            yield prefix_of(version, number), "blackhole" if number % 2 else f"via {via}"

    def _configuration(self) -> str:
        text = f"log stderr all;\nrouter id {self._lab.plan.nodes[0].ipv4};\nprotocol device {{ }}\n"
        for version in (4, 6):
            routes = "\n".join(f"  route {prefix} {way};" for prefix, way in self._routes(version))
            text += (
                f"protocol static static{version} {{\n  ipv{version};\n{routes}\n}}\n"
                f"protocol kernel kernel{version} {{\n  ipv{version} {{ import none; export all; }};\n"
                f"  metric {BIRD_METRIC};\n}}\n"
            )
        return text


def table(namespace: str, version: int) -> list[dict[str, Any]]:
    """The main table of one family."""
    return netns.query(["-N", f"-{version}", "route", "show", "table", "main"], namespace)


class Churn:
    """The trouble, by the clock and a seeded chance."""

    def __init__(
        self, lab: Lab, others: Others, announcers: list[Announcer], seconds: float, seed: int
    ) -> None:
        self._lab = lab
        self._node = lab.plan.nodes[0]
        self._others = others
        self._announcers = announcers
        self._seconds = seconds
        self._chance = random.Random(seed)  # noqa: S311 - to be the same every time
        self._started = 0.0
        self.result = Result()
        self._link_up = True
        self._cable_in = True

    def run(self) -> None:
        """All of it, for so many seconds."""
        regular: list[tuple[float, Callable[[], None]]] = [
            (0.1, self._delete_one), (1.0, self._sample), (2.0, self._rewrite), (1.5, self._flap_link),
        ]  # fmt: skip
        due = [interval for interval, _ in regular]
        cable_at = 5.0
        self._started = monotonic()
        while (now := monotonic() - self._started) < self._seconds:
            self._send(now)
            for number, (interval, act) in enumerate(regular):
                if now >= due[number]:
                    due[number] += interval
                    act()
            if now >= cable_at:
                cable_at += 0.3 if self._cable_in else 9.7
                self._flap_cable()
            sleep(max(0.0, TICK_SECONDS - (monotonic() - self._started - now)))
        if not self._cable_in:
            self._flap_cable()
        if not self._link_up:
            self._flap_link()

    def _send(self, now: float) -> None:
        """What is due by now, in equal parts."""
        count = int(now * CHANGES_PER_SECOND) - self.result.changes
        each = count // len(self._announcers)
        for announcer in self._announcers:
            announcer.send(each)
        self.result.changes += each * len(self._announcers)

    def _delete_one(self) -> None:
        version = self._chance.choice((4, 6))
        self._others.delete(prefix_of(version, self._chance.randrange(PREFIXES)))
        self.result.deletions += 1

    def _sample(self) -> None:
        used = processes.usage(self._lab.processes[self._node.name])
        if used is None:
            raise ProcessLookupError("the agent died")
        self.result.resident_mib.append(used.resident_bytes / (1 << 20))

    def _rewrite(self) -> None:
        self.result.rewrites += self._others.rewrite()

    def _flap_link(self) -> None:
        """With a link goes its IPv6 address, and the one of IPv4 stays."""
        self._link_up = not self._link_up
        if self._link_up:
            bring_up_second_link(self._node.namespace)
        else:
            netns.batch(["link set eth1 down"], self._node.namespace)
            self.result.link_flaps += 1

    def _flap_cable(self) -> None:
        """The other end of eth0 goes down, so that no packet passes and no address goes."""
        self._cable_in = not self._cable_in
        netns.batch(
            [f"link set {self._node.name} {'up' if self._cable_in else 'down'}"], self._lab.plan.fabric
        )
        self.result.cable_flaps += not self._cable_in


def bring_up_second_link(namespace: str) -> None:
    """Both addresses on it, whichever are there."""
    netns.batch(
        ["link set eth1 up", *(f"address replace {address} dev eth1 nodad" for address in SECOND_LINK[1:])],
        namespace,
    )


def announced_last(announcers: list[Announcer], rivals: dict[int, str]) -> dict[int, Routes]:
    """What the kernel must have of ours, by family."""
    wanted: dict[int, dict[str, set[str]]] = {4: {}, 6: {}}
    for announcer in announcers:
        for prefix, next_hop in announcer.announced.items():
            wanted[announcer.version].setdefault(prefix, set()).add(next_hop)
    for version, rival in rivals.items():
        wanted[version].pop(rival, None)
    return {
        version: {prefix: frozenset(hops) for prefix, hops in routes.items()}
        for version, routes in wanted.items()
    }


def in_kernel(namespace: str, version: int) -> Routes:
    """What it has of ours, of the prefixes that change."""
    changing = {prefix_of(version, number) for number in range(PREFIXES)}
    return {
        row["dst"]: frozenset(hop["gateway"] for hop in row.get("nexthops", [row]) if "gateway" in hop)
        for row in table(namespace, version)
        if int(row.get("protocol", 0)) == ROUTE_PROTOCOL and row["dst"] in changing
    }


def differences(lab: Lab, wanted: dict[int, Routes]) -> list[str]:
    """Where kernel and announcements differ, and what the agent says of itself."""
    node = lab.plan.nodes[0]
    faults = []
    for version, routes in wanted.items():
        found = in_kernel(node.namespace, version)
        for prefix in sorted(routes.keys() | found.keys()):
            ours, theirs = (sorted(each.get(prefix, ())) for each in (routes, found))
            if ours != theirs:
                faults.append(f"{prefix}: announced by way of {ours}, in the kernel {theirs}")
    counts = checks.status(lab.store, node.name).get("routes", {})
    rivals = len(wanted)
    if counts.get("wanted") != counts.get("installed", 0) + rivals:
        faults.append(f"the agent counts {json.dumps(counts)} routes, {rivals} of them with a rival")
    return faults


def audited(lab: Lab, rivals: dict[int, str]) -> Iterator[str]:
    """What `felixbgp node audit` finds, but for the routes that others have in our place."""
    command = [*felixbgp_command(), "node", "audit", lab.plan.nodes[0].name, "-o", "json"]
    environment = dict(os.environ) | lab.environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}").get("answer") or {"failure": done.stdout + done.stderr}
    if answer.get("failure"):
        yield f"the audit failed: {answer['failure']}"
    expected = {(prefix, "Conflict", "LeftAlone") for prefix in rivals.values()}
    found = {
        (entry["prefix"], entry["kind"], entry["outcome"]): entry for entry in answer.get("differences", [])
    }
    for key in sorted(found.keys() - expected):
        yield f"the audit found {json.dumps(found[key])}"
    if answer.get("differing") != len(expected):
        yield f"the audit found {answer.get('differing')} differences, {len(expected)} are of rivals"


def settle(lab: Lab, wanted: dict[int, Routes], result: Result) -> float:
    """Wait until nothing differs; gives the seconds that took, and notes what still differs in the end."""
    last: list[str] = []

    def settled() -> bool:
        last[:] = differences(lab, wanted)
        return not last

    started = monotonic()
    with suppress(NotInTimeError):
        wait_until(settled, "settled", SETTLED_SECONDS_MAX)
    result.faults += last[:FAULTS_MAX]
    return monotonic() - started


def prepare(lab: Lab) -> None:
    """The second link, the peers' addresses, and the BGPPeers."""
    node, fabric = lab.plan.nodes[0], lab.plan.fabric
    netns.batch([f"link add name eth1 netns {node.namespace} type veth peer name second netns {fabric}"])
    netns.batch(["link set second up"], fabric)
    netns.batch([f"address add {SECOND_LINK[0]} dev eth1"], node.namespace)
    bring_up_second_link(node.namespace)
    netns.batch(
        [f"address add {address}/{'64 nodad' if ':' in address else 16} dev br0" for address in PEERS], fabric
    )
    for number, address in enumerate(PEERS):
        lab.put_peer(f"churn-{number}", {"node": node.name, "peerIP": address, "asNumber": AS_NUMBER})
    tor = lab.plan.tors[0]
    for version, address in (4, tor.ipv4), (6, tor.ipv6):
        lab.put_peer(f"tor-{version}", {"peerIP": address, "asNumber": TOR_AS_NUMBER})
    wait_until(
        lambda: all(checks.peer(lab.store, node.name, address) for address in PEERS),
        "the peers are known",
        QUIET_SECONDS_MAX,
    )
    for sessions in (checks.mesh_sessions(lab.plan), checks.tor_sessions(lab.plan)):
        checks.wait_for(
            partial(checks.missing_sessions, lab.store, sessions),
            "BIRD and the nodes are peers",
            QUIET_SECONDS_MAX,
        )


def run(seconds: float = SECONDS, seed: int = 1) -> Result:
    """Make the lab, trouble it, look at it, take it down."""
    plan = LabPlan(name=f"c{os.getpid()}", node_count=2, workload_count=1)
    try:
        lab = Lab.up(plan, tor_kind="bird", settings={"FELIXBGP_DRAINING_SECONDS": "0"})
        prepare(lab)
        return trouble(lab, seconds, seed)
    finally:
        down(plan.name)


def trouble(lab: Lab, seconds: float, seed: int) -> Result:
    """The trouble itself, then the looks."""
    node, others = lab.plan.nodes[0], Others(lab, lab.folder)
    standing = {**checks.mesh_sessions(lab.plan)}
    before = checks.session_times(lab.store, standing)
    with ExitStack() as stack:
        stack.enter_context(others.at_work())
        announcers = []
        for number, (address, beyond) in enumerate(zip(PEERS, BEYOND, strict=True)):
            speaker = node.ipv6 if ":" in address else node.ipv4
            peer = stack.enter_context(Peer(lab.plan.fabric, address, AS_NUMBER, speaker))
            announcers.append(Announcer(peer, beyond, random.Random(seed + number)))  # noqa: S311
        churn = Churn(lab, others, announcers, seconds, seed)
        churn.run()
        result = churn.result
        wanted = announced_last(announcers, others.rivals)
        ways = [len(hops) for routes in wanted.values() for hops in routes.values()]
        result.routes, result.multipath = len(ways), sum(count > 1 for count in ways)
        result.settled_seconds = settle(lab, wanted, result)
        others.delete_at_once(
            [prefix for routes in wanted.values() for prefix in list(routes)[:DELETED_AT_ONCE]]
        )
        result.returned_seconds = settle(lab, wanted, result)
        result.faults += audited(lab, others.rivals)
        result.faults += others.faults()
        result.faults += checks.missing_routes(lab.plan)
        result.faults += [f"a peer's session ended: {each.ended}" for each in announcers if each.ended]
    if checks.session_times(lab.store, standing) != before:
        result.faults.append("a session of the mesh was reset")
    if len(result.resident_mib) > WARM_SECONDS:
        warm, late = result.resident_mib[int(WARM_SECONDS)], result.resident_mib[-1]
        if late > warm * (1 + GROWTH_MAX):
            result.faults.append(f"memory grew from {warm:.1f} to {late:.1f} MiB")
    return result
