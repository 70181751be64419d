"""A command while a lab is probed: what of 1 kHz between all endpoints it cost.

mesh and ToRs ─▶ probes between all pairs ─▶ the command ─▶ the wanted sessions stand ─▶ a while ─▶ the count
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from felixbgp.lab import checks, sessions
from felixbgp.lab.lab import Lab, LabError, Report, felixbgp_command
from felixbgp.lab.plan import TOR_AS_NUMBER, LabPlan, Workload
from felixbgp.lab.probes import Losses, Pair, Probes
from felixbgp.lab.waiting import NotInTimeError

SETTLE_SECONDS_MAX = 150.0
"""A session that nothing follows is drained for two minutes."""
READY_SECONDS_MAX = 120.0
WANTED_SESSIONS = "the sessions that the resources want"
FELIXBGP = "felixbgp"


@dataclass(frozen=True, slots=True)
class Probed:
    """What a command cost, and its exit status.

    `settled_seconds` is how long after its end exactly the wanted sessions stood; where that was not to be,
    `unsettled` says in words how things stood instead.
    """

    status: int
    losses: Losses
    settled_seconds: float
    unsettled: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """What pairs of one kind lost together; `gap_ms` is of the worst of them."""

    between: str
    pairs: int
    sent: int
    lost: int
    gap_ms: int


def peer_with_tors(lab: Lab) -> None:
    """Have all nodes peer with all ToRs, so that packets to the hosts behind them find their way."""
    for tor in lab.plan.tors:
        for version, address in ((4, tor.ipv4), (6, tor.ipv6)):
            if address:
                lab.put_peer(f"{tor.name}-ipv{version}", {"peerIP": address, "asNumber": TOR_AS_NUMBER})


def wait_until_ready(lab: Lab) -> None:
    """Wait until exactly the sessions stand that the resources want; raises `NotInTimeError`."""
    checks.wait_for(lambda: sessions.unsettled(lab), WANTED_SESSIONS, READY_SECONDS_MAX)


def endpoints(lab: Lab) -> list[Workload]:
    """All workloads, and the hosts behind ToRs that nodes peer with."""
    peers = {address for found in sessions.standing(lab.store, lab.plan).values() for address in found}
    return [*lab.plan.workloads, *(tor.host for tor in lab.plan.tors if tor.ipv4 in peers)]


def probe(
    lab: Lab,
    command: Sequence[str],
    *,
    families: Iterable[int],
    watch_seconds: float,
    report: Report,
) -> Probed:
    """Run a command with the lab's etcd in its environment, while all endpoints are probed."""
    members = endpoints(lab)
    for tor in lab.plan.tors:
        if tor.host not in members:
            report(f"{tor.host.name} is left out: no node has a session with {tor.name}")
    if len(members) < 2:
        raise LabError("there are no two endpoints to send packets between; `lab up --workloads 1` has some")
    versions = tuple(families)
    pairs = len(members) * (len(members) - 1) * len(versions)
    report(f"one packet a millisecond between {len(members)} endpoints: {pairs:,} pairs")
    with Probes.between(members, versions) as probes:
        probes.wait_until_all_work()
        report("every pair works; now the command")
        probes.mark()
        done = subprocess.run(  # noqa: S603 - what the operator asked for
            _command(command), env=dict(os.environ) | lab.environment(), check=False
        )
        settled, unsettled = _settle(lab)
        time.sleep(watch_seconds)
        return Probed(done.returncode, probes.stop(), settled, unsettled)


def summary(plan: LabPlan, losses: Losses) -> list[Line]:
    """One line for each kind of pair that there is."""
    hosts = {tor.host.name for tor in plan.tors}
    lines: dict[str, list[Pair]] = {}
    for pair in losses.pairs:
        ends = ("host" if name in hosts else "workload" for name in (pair.source, pair.target))
        lines.setdefault(" → ".join(ends), []).append(pair)
    return [
        Line(
            between,
            len(pairs),
            sum(pair.sent for pair in pairs),
            sum(pair.lost for pair in pairs),
            max(pair.gap_ms for pair in pairs),
        )
        for between, pairs in sorted(lines.items(), reverse=True)
    ]


def _settle(lab: Lab) -> tuple[float, str]:
    """How long it took until exactly the wanted sessions stood, or what was wrong when it took too long."""
    try:
        took = checks.wait_for(lambda: sessions.unsettled(lab), WANTED_SESSIONS, SETTLE_SECONDS_MAX)
    except NotInTimeError as error:
        return SETTLE_SECONDS_MAX, str(error)
    return took, ""


def _command(words: Sequence[str]) -> list[str]:
    """The command; `felixbgp` is this one, as sudo may know another path or none."""
    if words[0] == FELIXBGP:
        return [*felixbgp_command(), *words[1:]]
    found = shutil.which(words[0])
    if found is None:
        raise LabError(f"there is no command {words[0]!r}")
    return [found, *words[1:]]
