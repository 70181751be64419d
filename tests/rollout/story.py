"""What the chapters ask of the machines."""

import json
from collections.abc import Callable
from typing import Any

from felixbgp.lab import calico
from felixbgp.lab.probes import Losses, Probes
from felixbgp.lab.waiting import wait_until
from tests.rollout.machines import Machine, Machines
from tests.rollout.playbooks import Played

ETCDCTL = "ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt"
CERTIFICATES = {
    "agent": " --cert=/etc/felixbgp/agent.crt --key=/etc/felixbgp/agent.key",
    "root": " --cert=/etc/etcd/pki/etcd-root.crt --key=/etc/etcd/pki/etcd-root.key",
    "": "",
}
REACHABLE_SECONDS_MAX = 120.0


def etcdctl(
    machines: Machines, machine: Machine, *words: str, who: str = "agent", fails: bool = False
) -> str:
    """What etcdctl says there, as its agent, as root (on the first machine), or without a certificate."""
    line = f"{ETCDCTL}{CERTIFICATES[who]} {' '.join(words)}"
    return machines.ssh(machine, f"{'! ' if fails else ''}{line} 2>&1")


def felixbgp(machines: Machines, machine: Machine, *words: str) -> str:
    """A command of operators."""
    arguments = " ".join(words)
    return machines.ssh(
        machine, f"/opt/felixbgp/current/bin/felixbgp {arguments} --config /etc/felixbgp/operator.toml"
    )


def status_of(machines: Machines, machine: Machine) -> dict[str, Any]:
    """The status that its agent keeps there."""
    return dict(json.loads(machines.ssh(machine, "cat", "/var/lib/felixbgp/status.json")))


def established(machines: Machines, machine: Machine) -> int:
    """Number of its Established sessions."""
    return sum(peer["state"] == "Established" for peer in status_of(machines, machine)["peers"])


def running(machines: Machines, machine: Machine) -> str:
    """The version that runs there."""
    machines.ssh(machine, "systemctl", "is-active", "felixbgp")
    return str(json.loads(machines.ssh(machine, "cat", "/var/lib/felixbgp/alive.json"))["version"])


def fingerprint(machines: Machines, *some: Machine, etcd: bool = False) -> dict[str, str]:
    """What differs when anything is changed: processes, files, packages, users; or only etcd's process.

    As text rather than a sum of it, so that what failed says what was changed.
    """
    processes = "systemctl show -P MainPID -P NRestarts -P ActiveEnterTimestampMonotonic"
    line = f"{processes} etcd"
    if not etcd:
        line = (
            f"{processes} felixbgp etcd; readlink /opt/felixbgp/current; dpkg -l;"
            "find /etc /opt/felixbgp/current/ -type f -not -name '*.pyc' -exec sha256sum {} + | sort -k 2;"
            # Not when they were changed: the agent replaces files in its own.
            "find /var/lib -maxdepth 1 -printf '%p %M %u %g\\n' | sort; getent passwd; ip -o route | sort"
        )
    return {machine.name: machines.ssh(machine, line) for machine in some or machines.all}


def give_blocks(machines: Machines) -> None:
    """What Calico's IPAM writes: a pool, and a block of each node."""
    values = calico.pool_resource(4)
    confirmed = json.dumps({"state": "confirmed", "deleted": False})
    values |= {calico.affinity_key(machine.name, machine.block): confirmed for machine in machines.all}
    for key, value in values.items():
        etcdctl(machines, machines.all[0], "put", key, f"'{value}'", who="root")
    for machine in machines.all:
        machines.attach_workload(machine)


def wait_until_reachable(machines: Machines, protocol: str = "179") -> None:
    """Wait until every machine has routes to the blocks of the others."""

    def are_there() -> bool:
        return all(
            machines.ssh(machine, f"ip route show proto {protocol}").count(" via ") == len(machines.all) - 1
            for machine in machines.all
        )

    wait_until(are_there, "routes to all blocks", REACHABLE_SECONDS_MAX)


def under_probes(machines: Machines, change: Callable[[], Played]) -> tuple[Played, Losses]:
    """How a playbook went, and what was lost meanwhile of 1 kHz between all workloads."""
    with Probes.between([machine.workload for machine in machines.all]) as probes:
        probes.wait_until_all_work()
        probes.mark()
        played = change()
        losses = probes.stop()
    print(  # noqa: T201 - for whoever reads the run
        f"probes: {losses.sent} packets in {losses.seconds:.1f} s, {losses.lost} lost, "
        f"longest gap {losses.gap_ms} ms"
    )
    return played, losses
