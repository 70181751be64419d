"""Measurements: `python -m bench WHAT`.

`load` has felixbgp and the daemons of others side by side, `losses` counts the packets that changes of a
cluster cost, `soak` looks for what only time shows, `routes`
and `churn` are of real clusters, `flows` is of the kernel; they need root. `paths` is CPU time of some hot
paths, each as a ratio to a calibration loop of the same run; of three runs the best counts. `telemetry` is
what watching an agent costs. `planted` and `twin` are of the simulator.
"""

import argparse
import gc
import sys
from collections.abc import Callable
from time import process_time

from bench import churn, derivation, flows, planted, routes, telemetry, twin
from bench.load import command as load
from bench.load import soak
from bench.losses import command as losses
from bench.scale import command as scale
from felixbgp.bgp.wire.messages import Negotiated, Origin, PathAttributes, Segment
from felixbgp.bgp.wire.update import decode_update, encode_announcements
from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState
from felixbgp.net import IPV4, Address
from felixbgp.resources.selectors import Labels, Selector, parse
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh

ROUNDS = 3
ROUTES = 100_000
PER_ATTRIBUTES = 100
HEADER_OCTETS = 19
NODES = "/calico/resources/v3/projectcalico.org/nodes/"


def calibrate() -> None:
    """What any Python program does: build, look up and join a million small values."""
    table = {number.to_bytes(4, "big"): number for number in range(1_000_000)}
    b"".join(key for key in table if table[key] & 1)


def updates() -> list[bytes]:
    """The bodies of UPDATEs that announce /24s, 100 per attribute set."""
    bodies = []
    for first in range(0, ROUTES, PER_ATTRIBUTES):
        path = (Segment(2, (64567, 65000 + first // PER_ATTRIBUTES)),)
        attributes = PathAttributes(origin=Origin.IGP, as_path=path, next_hop=bytes((192, 0, 2, 1)))
        nlris = [b"\x18" + number.to_bytes(3, "big") for number in range(first, first + PER_ATTRIBUTES)]
        bodies += [message[HEADER_OCTETS:] for message in encode_announcements(IPV4, attributes, nlris)]
    return bodies


def decode(bodies: list[bytes]) -> None:
    """Decode and validate them as from an eBGP peer."""
    negotiated = Negotiated(
        families=(IPV4,),
        peer_as=64567,
        peer_identifier=Address.parse("192.0.2.1"),
        hold_time_ns=90 * SECOND,
        keepalive_ns=30 * SECOND,
    )
    for body in bodies:
        decode_update(body, negotiated, True)  # noqa: FBT003 - the only boolean there


def nodes() -> tuple[StoredValue, ...]:
    """1,000 Nodes as Calico stores them."""
    return tuple(
        StoredValue(
            f"{NODES}node-{number}",
            b'{"apiVersion":"projectcalico.org/v3","kind":"Node","metadata":{"name":"node-%d"},'
            b'"spec":{"bgp":{"ipv4Address":"10.%d.%d.1/16"}}}' % (number, number // 250, number % 250),
            number + 1,
        )
        for number in range(1_000)
    )


def fold(values: tuple[StoredValue, ...]) -> None:
    """Fold a snapshot of them."""
    ClusterState("node-1").feed(SnapshotReceived(NODES, 2_000, values))


def selectors() -> tuple[list[Selector], list[Labels]]:
    """200 selectors of the forms that clusters have, and the labels of 5,000 nodes."""
    forms = (
        "rack == 'rack-{0}'",
        "has(route-reflector)",
        "rack == 'rack-{0}' && !has(route-reflector)",
        "zone in {{'zone-0', 'zone-{0}'}} || rack starts with 'rack-{0}'",
        "kubernetes.io/hostname != 'node-{0}' && (has(rack) || zone not in {{'x'}})",
    )
    labels: list[Labels] = [
        {
            "kubernetes.io/hostname": f"node-{number}",
            "rack": f"rack-{number % 50}",
            "zone": f"zone-{number % 3}",
        }
        | ({"route-reflector": "true"} if number % 100 == 0 else {})
        for number in range(5_000)
    ]
    return [parse(forms[number % len(forms)].format(number)) for number in range(200)], labels


def select(parsed: list[Selector], nodes: list[Labels]) -> int:
    """Ask every selector about every node; gives how many answers were yes."""
    return sum(selector.matches(labels) for selector in parsed for labels in nodes)


def converge(size: int) -> None:
    """A simulated full mesh in two families, from nothing to every kernel route."""
    world = mesh(size, seed=1)
    world.run_until(lambda: converged(world, size), limit_ns=60 * SECOND)


def measure(action: Callable[[], object]) -> float:
    """CPU seconds of the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        started = process_time()
        action()
        best = min(best, process_time() - started)
    return best


def print_derivation() -> None:
    """The same for one node's intent, where what counts is the ratio of one change to all of it."""
    print(f"\n{'derivation':34} {'CPU ms':>8} {'of all':>8}")
    whole = 0.0
    for name, seconds in derivation.measured():
        whole = whole or seconds
        print(f"{name:34} {seconds * 1000:8.3f} {seconds / whole:8.2%}")


def print_hot_paths() -> None:
    """Print one line per scenario."""
    bodies, values, asked = updates(), nodes(), selectors()
    scenarios: dict[str, Callable[[], object]] = {
        f"decode {ROUTES} routes": lambda: decode(bodies),
        "fold 1000 Nodes": lambda: fold(values),
        "1000000 selector answers": lambda: select(*asked),
        "simulate a mesh of 10": lambda: converge(10),
        "simulate a mesh of 30": lambda: converge(30),
    }
    unit = measure(calibrate)
    print(f"{'scenario':28} {'CPU s':>8} {'ratio':>8}")
    print(f"{'calibration':28} {unit:8.3f} {1:8.2f}")
    for name, action in scenarios.items():
        seconds = measure(action)
        print(f"{name:28} {seconds:8.3f} {seconds / unit:8.2f}")
    print_derivation()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("paths", help="CPU time of some hot paths, beside a calibration loop")
    table = what.add_parser("routes", help="a table into the kernel and out again, beside BIRD (root)")
    table.add_argument("--count", type=int, default=routes.ROUTES, help="how many (%(default)s)")
    trouble = what.add_parser("churn", help="minutes of changes and mishaps, and what is left of it (root)")
    trouble.add_argument("--seconds", type=float, default=churn.SECONDS, help="how long (%(default)s)")
    what.add_parser("flows", help="how many flows move when a next hop leaves or comes (root)")
    size = what.add_parser("scale", help="what the size of a cluster costs one agent, and etcd (root)")
    scale.add_arguments(size)
    beside = what.add_parser(
        "load", help="loads for felixbgp and for the daemons of others, side by side (root)"
    )
    load.add_arguments(beside)
    lost = what.add_parser("losses", help="what is lost while a cluster changes, beside BIRD (root)")
    losses.add_arguments(lost)
    long = what.add_parser("soak", help="20,000 route changes a second for half an hour (root)")
    soak.add_arguments(long)
    bugs = what.add_parser("planted", help="how many seeds the simulator needs to find a bug of each class")
    bugs.add_argument("--seeds", type=int, default=planted.SEEDS, help="at most (%(default)s)")
    twins = what.add_parser("twin", help="simulated clusters of any size change from a mesh to reflectors")
    twins.add_argument("--nodes", type=int, default=1000, help="%(default)s")
    twins.add_argument("--form", choices=("mesh", "racks"), default="racks", help="%(default)s")
    what.add_parser("telemetry", help="what traces and metrics cost an agent, beside one without")
    asked = parser.parse_args()
    if asked.what == "twin":
        sys.exit(not twin.run(asked.nodes, asked.form))
    if asked.what == "planted":
        sys.exit(bool(planted.run(asked.seeds)))
    if asked.what == "losses":
        sys.exit(losses.main(asked))
    if asked.what == "soak":
        sys.exit(soak.main(asked))
    if asked.what == "load":
        sys.exit(load.run(asked))
    if asked.what == "scale":
        scale.run(asked)
    elif asked.what == "routes":
        routes.run(asked.count)
    elif asked.what == "flows":
        flows.run()
    elif asked.what == "telemetry":
        telemetry.run()
    elif asked.what == "churn":
        result = churn.run(asked.seconds)
        result.show()
        sys.exit(bool(result.faults))
    else:
        print_hot_paths()


if __name__ == "__main__":
    main()
