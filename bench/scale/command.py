"""`python -m bench scale`: all of it, as a table and as JSON."""

import argparse
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.scale import changes, new_peer, one_real_agent, steps

Row = dict[str, Any]
"""`what`, `daemon`, `size` (nodes or sessions), `value`, `unit`, and the `target` where there is one."""
PARTS = ("changes", "steps", "status", "new-peer", "start", "idle")
MESH, IDLE_SESSIONS, STARTS = 99, 1_000, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all results there")
    parser.add_argument("--turns", type=int, default=new_peer.TURNS, help="new peers (%(default)s)")


def run(asked: argparse.Namespace) -> None:
    """Measure and print."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    rows = []
    for row in _rows(asked.parts.split(","), asked.turns):
        rows.append(row)
        target = f"  (target {row['target']})" if "target" in row else ""
        print(
            f"{row['what']:48} {row['daemon']:9} {row['size']:6} {row['value']:12.3f} {row['unit']}{target}",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


def _rows(parts: list[str], turns: int) -> Iterator[Row]:
    if "changes" in parts:
        yield from _of_changes()
    if "steps" in parts:
        yield from _of_steps()
    if "status" in parts:
        yield from _of_status()
    if "new-peer" in parts:
        yield from _of_new_peers(turns)
    if "start" in parts:
        yield from _of_starts()
    if "idle" in parts:
        yield from _of_idle()


def _row(what: str, size: int, value: float, unit: str, **more: object) -> Row:
    return {"what": what, "daemon": "felixbgp", "size": size, "value": value, "unit": unit, **more}


def _of_changes() -> Iterator[Row]:
    first: dict[tuple[str, str], changes.Cost] = {}
    for cost in changes.of_changes():
        what = f"{cost.cluster}: {cost.change}"
        base = first.setdefault((cost.cluster, cost.change), cost)
        yield _row(what, cost.nodes, cost.instructions, "instructions")
        yield _row(what, cost.nodes, cost.cpu_ms, "ms CPU")
        target = {"target": 1.5} if what == "mesh: a node joins" else {}
        yield _row(what, cost.nodes, cost.cpu_ms / base.cpu_ms, f"of {base.nodes} nodes, by CPU", **target)


def _of_steps() -> Iterator[Row]:
    for longest in steps.of_steps():
        for kind, milliseconds in longest.ms.items():
            what = f"{longest.cluster}, {longest.event}: {kind}"
            yield _row(what, steps.SIZE, milliseconds, "ms CPU, longest step", target=5)


def _of_status() -> Iterator[Row]:
    for cost in changes.of_status():
        yield _row("status: octets", cost.nodes, cost.octets, "octets")
        yield _row("status: put together", cost.nodes, cost.build_ms, "ms CPU")
        yield _row("status: encode, all new", cost.nodes, cost.encode_ms, "ms CPU")
        yield _row("status: encode, as before", cost.nodes, cost.encode_again_ms, "ms CPU")
        yield _row("status: between two writes", cost.nodes, cost.interval_s, "s")
        yield _row("status: at most", cost.nodes, cost.octets / cost.interval_s, "octets/s")


def _of_new_peers(turns: int) -> Iterator[Row]:
    to_agent, to_bird = new_peer.of_felixbgp(turns)
    for name, found in (("agent", to_agent), ("passive BIRD", to_bird)):
        what = f"a new BGPPeer to a route at the remote {name}"
        yield _row(what, turns, found.median_ms, "ms median", target=100)
        yield _row(what, turns, found.longest_ms, "ms longest")
    theirs = new_peer.of_bird(new_peer.BIRD_TURNS)
    what = "birdc configure to a route at a passive BIRD"
    yield _row(what, new_peer.BIRD_TURNS, theirs.median_ms, "ms median") | {"daemon": "BIRD"}


def _of_starts() -> Iterator[Row]:
    starts, _, _ = one_real_agent.measured(MESH, STARTS, rests=False)
    what = "cold start to all sessions Established"
    yield _row(what, MESH, median(one.seconds for one in starts), "s median", target=1)
    queued = median(one.seconds - one.queued_seconds for one in starts)
    yield _row(what, MESH, queued, "s without what others took of the processors")
    yield _row(what, MESH, min(one.seconds for one in starts), "s best")
    yield _row(what, MESH, median(one.cpu_seconds for one in starts), "s CPU")


def _of_idle() -> Iterator[Row]:
    _, resting, cost = one_real_agent.measured(IDLE_SESSIONS, 1, rests=True)
    assert resting is not None
    assert cost is not None
    yield _row("idle sessions: processor", IDLE_SESSIONS, resting.cpu_share * 100, "%", target=2)
    yield _row("idle sessions: resident", IDLE_SESSIONS, resting.resident_mb, "MB", target=80)
    what = "from the start to the end of the rest: "
    yield _row(f"{what}status writes", IDLE_SESSIONS, cost.status_writes, "writes")
    yield _row(f"{what}sent to etcd", IDLE_SESSIONS, cost.octets, "octets")
