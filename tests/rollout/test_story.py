"""From nothing to a cluster, and what becomes of it: each chapter begins with what the one before left."""

import json
import re
from typing import Any

import pytest

from bench.losses.bird import FAMILY, GENERAL, PEER
from felixbgp.lab import calico
from felixbgp.lab.plan import POOL_V4
from felixbgp.lab.waiting import wait_until
from tests.rollout.machines import Machine, Machines
from tests.rollout.playbooks import BROKEN, COLLECTION, FIRST, METRICS_PORT, NEXT, OTHERS, Control
from tests.rollout.story import (
    established,
    etcdctl,
    felixbgp,
    fingerprint,
    give_blocks,
    running,
    status_of,
    under_probes,
    wait_until_reachable,
)

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(1800)]

SCORE_MAX = 1.8
"""Of the unit, by systemd-analyze: 0 is closed, 10 is open."""
LEFT = (
    "ls -d /opt/felixbgp /etc/felixbgp /var/lib/felixbgp /etc/systemd/system/felixbgp* 2>/dev/null;"
    "getent passwd felixbgp; getent group felixbgp; ip route show table all proto 179; ip nexthop; true"
)
ETCD_LEFT = (
    "ls -d /var/lib/etcd/felixbgp /etc/etcd/pki /etc/default/etcd 2>/dev/null;"
    "dpkg-query -W -f '${db:Status-Abbrev}' etcd-server 2>/dev/null | grep -v ^un; pgrep -x etcd; true"
)
PLAYBOOKS = ("site", "upgrade", "migrate-from-calico", "remove")


def test_a_cluster_comes_to_be_from_nothing(control: Control) -> None:
    played = control.play("site")
    assert played.code == 0, played.output
    machines = control.machines
    assert is_etcd_whole(machines)
    for machine in machines.all:
        assert established(machines, machine) == 2
        assert running(machines, machine) == FIRST


def test_a_second_run_changes_nothing(control: Control) -> None:
    played = control.play("site")
    assert played.code == 0, played.output
    assert played.count("changed") == 0, played.output


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_check_mode_fails_nowhere_and_changes_nothing(control: Control, playbook: str) -> None:
    before = fingerprint(control.machines)
    # Asked for another version, an upgrade has something to say.
    played = control.play(playbook, "--check", version=NEXT if playbook == "upgrade" else FIRST)
    assert played.code == 0, played.output
    assert played.count("failed") == played.count("rescued") == 0, played.output
    assert fingerprint(control.machines) == before


def test_an_agent_writes_its_own_keys_alone(control: Control) -> None:
    machines = control.machines
    node = machines.all[1]
    resource = "/calico/resources/v3/projectcalico.org/bgppeers/x"
    own, others = "/felixbgp/v1/nodes/node-2/x", "/felixbgp/v1/nodes/node-1/"
    assert etcdctl(machines, node, "put", own, "1").strip() == "OK"
    assert etcdctl(machines, node, "del", own).strip() == "1"
    refused = [
        ("put", resource, "1"),
        ("del", "/calico/resources/v3/projectcalico.org/nodes/node-2"),
        ("put", f"{others}status", "1"),
        ("put", f"{others}alive", "1"),
        ("del", f"{others}status"),
        ("put", "/felixbgp/v1/drains/node-2", "1"),
        ("put", "/felixbgp/v1/resets/node-1", "1"),
        ("del", "/", "--prefix"),
        ("user", "list"),
    ]
    for words in refused:
        assert "permission denied" in etcdctl(machines, node, *words, fails=True), words
    nobody = etcdctl(machines, node, "get", resource, who="", fails=True)
    assert "bad certificate" in nobody or "certificate required" in nobody or "deadline" in nobody


def test_agents_answer_only_who_has_a_certificate(control: Control) -> None:
    machines = control.machines
    first, other = machines.all[:2]
    where = f"https://{other.name}:9179/status"
    known = ("--resolve", f"{other.name}:9179:{other.address}", "--cacert", f"{control.folder}/pki/ca.crt")
    stranger = control.make_stranger()
    machines.fails("curl", "-sS", *known, where)
    machines.fails("curl", "-sS", *known, "--cert", f"{stranger}.crt", "--key", f"{stranger}.key", where)
    pki = control.folder / "pki/operator"
    told = machines.here("curl", "-sS", *known, "--cert", f"{pki}.crt", "--key", f"{pki}.key", where)
    assert json.loads(told)["node"] == other.name
    told = felixbgp(machines, first, "explain", f"{first.address}/32")
    assert all(f"Node {machine.name}:" in told for machine in machines.all)
    assert "answers nobody" not in told


def test_agents_are_scraped(control: Control) -> None:
    machines = control.machines
    for machine in machines.all:
        told = machines.here("curl", "-sS", f"http://{machine.address}:{METRICS_PORT}/metrics")
        assert re.search(r'(?m)^felixbgp_bgp_sessions\{[^}]*state="Established"[^}]*\} 2.0$', told), told


def test_the_unit_is_confined(control: Control) -> None:
    unit = COLLECTION / "roles/agent/files/felixbgp.service"
    machines = control.machines
    told = machines.here("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    score = re.search(r"Overall exposure level for felixbgp.service: ([\d.]+)", told)
    assert score is not None, told
    assert float(score[1]) <= SCORE_MAX
    # It is what runs, and as whom.
    for machine in machines.all:
        assert machines.ssh(machine, "systemctl", "show", "-P", "FragmentPath", "felixbgp").strip() == (
            "/etc/systemd/system/felixbgp.service"
        )
        assert machines.ssh(machine, "ps", "-o", "user=", "-C", "felixbgp").split() == ["felixbgp"]
    print(f"systemd-analyze security: {score[1]}")  # noqa: T201


def test_an_agent_goes_on_from_its_own_disk_and_root_sees_it(control: Control) -> None:
    machines = control.machines
    first = machines.all[0]
    for machine in machines.all:
        machines.ssh(machine, "systemctl", "stop", "etcd")
    machines.ssh(first, "systemctl", "restart", "felixbgp")
    told = machines.ssh(first, "/opt/felixbgp/current/bin/felixbgp", "node", "status")
    assert "Datastore: Recovered since" in told
    assert "It runs from what it last knew of etcd" in told
    for machine in machines.all:
        machines.ssh(machine, "systemctl", "start", "--no-block", "etcd")
    wait_until(lambda: is_etcd_whole(machines), "etcd is whole", 60, describe=lambda: members_of(machines))
    wait_until(lambda: all(is_whole(machines, machine) for machine in machines.all), "all as it was", 60)


def test_a_version_that_cannot_start_stops_at_the_first_node(control: Control) -> None:
    machines = control.machines
    give_blocks(machines)
    wait_until_reachable(machines)
    first, *others = machines.all
    before = fingerprint(machines, *others)
    played, losses = under_probes(machines, lambda: control.play("upgrade", version=BROKEN))
    assert played.code == 2, played.output
    assert [host for host, counts in played.recap.items() if counts["failed"]] == ["node-1"]
    assert "node-1 was not upgraded to 0.1.2. Restart the agent:" in played.output
    assert "It runs 0.1.0 as before, and is in service." in played.output
    assert "Not touched: node-2, node-3." in played.output
    assert "this version cannot start" in played.output
    assert fingerprint(machines, *others) == before
    assert running(machines, first) == FIRST
    assert established(machines, first) == 2
    assert losses.losing() == []


def test_an_upgrade_loses_nothing(control: Control) -> None:
    machines = control.machines
    etcds = fingerprint(machines, etcd=True)
    played, losses = under_probes(machines, lambda: control.play("upgrade", version=NEXT))
    assert played.code == 0, played.output
    for machine in machines.all:
        assert running(machines, machine) == NEXT
        assert established(machines, machine) == 2
        assert "drained" not in status_of(machines, machine)
    assert fingerprint(machines, etcd=True) == etcds
    assert losses.sent > 10_000
    assert losses.losing() == []


def test_a_machine_that_reboots_comes_back_by_itself(control: Control) -> None:
    machines = control.machines
    machine = machines.all[1]
    machines.reboot(machine)
    wait_until(lambda: all(is_whole(machines, each) for each in machines.all), "all as it was", 90)
    assert running(machines, machine) == NEXT
    wait_until_reachable(machines)


def test_felixbgp_is_removed_and_its_etcd_stays(control: Control) -> None:
    machines = control.machines
    first = machines.all[0]
    # As with multipath, which three machines of one mesh have no use for.
    hops = [f"ip nexthop add id {n} via {machines.all[n].address} dev host0 proto 179" for n in (1, 2)]
    group = "ip nexthop add id 3 group 1/2 proto 179; ip route add 10.65.9.0/26 nhid 3 proto 179"
    machines.ssh(first, "; ".join((*hops, group)))
    played = control.play("remove", version=NEXT)
    assert played.code == 0, played.output
    for machine in machines.all:
        left = machines.ssh(machine, LEFT)
        assert left == "", left
    assert etcdctl(machines, first, "get", "--keys-only", "--prefix", "/felixbgp/", who="root").split() == []
    assert etcdctl(machines, first, "user", "list", who="root").split() == ["felixbgp-operator", "root"]
    assert calico.affinity_key("node-1", machines.all[0].block) in etcdctl(
        machines, first, "get", "--keys-only", "--prefix", "/calico/", who="root"
    )
    again = control.play("remove", version=NEXT)
    assert (again.code, again.count("changed")) == (0, 0), again.output


def test_bird_is_replaced_and_nothing_is_lost(control: Control) -> None:
    machines = control.machines
    for machine in machines.all:
        install_bird(machines, machine)
    wait_until_reachable(machines, protocol="bird")
    played, losses = under_probes(machines, lambda: control.play("migrate-from-calico", version=NEXT))
    assert played.code == 0, played.output
    for machine in machines.all:
        assert established(machines, machine) == 2
        unit = machines.ssh(machine, "systemctl is-active bird; systemctl is-enabled bird; true")
        assert unit.split() == ["inactive", "disabled"]
        assert machines.ssh(machine, "ip", "route", "show", "proto", "bird") == ""
    assert losses.losing() == []
    again = control.play("migrate-from-calico", version=NEXT)
    assert (again.code, again.count("changed")) == (0, 0), again.output


def test_bird_is_replaced_that_is_no_unit_with_an_etcd_of_others(control: Control) -> None:
    """As in calico-node: its container's processes are the host's, too. No agent has a user in that etcd."""
    machines = control.machines
    assert control.play("remove", version=NEXT).code == 0
    for machine in machines.all:
        machines.ssh(machine, "systemd-run -q --unit calico-node bird -f")
    wait_until_reachable(machines, protocol="bird")
    stop = json.dumps({"agent_calico_stop": [["pkill", "-KILL", "-x", "bird"]]})
    played, losses = under_probes(
        machines,
        lambda: control.play("migrate-from-calico", "-e", stop, version=NEXT, inventory=OTHERS),
    )
    assert played.code == 0, played.output
    for machine in machines.all:
        assert established(machines, machine) == 2
        assert machines.ssh(machine, "pgrep -x bird; ip route show proto bird") == ""
    assert losses.losing() == []
    assert "Established" in felixbgp(machines, machines.all[0], "node", "status", "--all")


def test_etcd_goes_too_when_that_is_asked_for(control: Control) -> None:
    machines = control.machines
    theirs = "/etc/systemd/system/etcd.service.d/of-somebody-else.conf"
    for machine in machines.all:
        machines.write(machine, theirs, "[Service]\nNice=1\n")
    for _ in range(2):
        played = control.play("remove", "-e", "felixbgp_remove_etcd=true", version=NEXT)
        assert played.code == 0, played.output
    assert played.count("changed") == 0, played.output
    for machine in machines.all:
        assert machines.ssh(machine, f"{LEFT}; {ETCD_LEFT}") == ""
        assert machines.ssh(machine, "ls", "/etc/systemd/system/etcd.service.d/*").split() == [theirs]


def is_etcd_whole(machines: Machines) -> bool:
    """Whether all its members are there, each in touch with the others."""
    try:
        told = etcdctl(machines, machines.all[0], "endpoint", "health", "--cluster", who="root")
    except AssertionError:
        return False
    return told.count("is healthy") == len(machines.all)


def members_of(machines: Machines) -> str:
    """How the members of etcd are, for whoever waits in vain."""
    status = "systemctl status --no-pager --lines=30 etcd; true"
    return "\n".join(machines.ssh(machine, status) for machine in machines.all)


def is_whole(machines: Machines, machine: Machine) -> bool:
    """Whether its agent follows etcd and has its sessions."""
    try:
        status: dict[str, Any] = status_of(machines, machine)
    except AssertionError:
        return False
    peers = [peer["state"] for peer in status["peers"]]
    return status["datastore"]["state"] == "InSync" and peers == ["Established"] * 2


def install_bird(machines: Machines, machine: Machine) -> None:
    """A node of Calico's, as it is without felixbgp: Debian's BIRD with what confd renders."""
    machines.ssh(machine, "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y bird2 >/dev/null")
    peers = [
        PEER.format(
            name=f"Mesh_{other.address.replace('.', '_')}",
            source=machine.address,
            local_as=64512,
            remote_as=64512,
            address=other.address,
            options="",
            version=4,
        )
        for other in machines.all
        if other != machine
    ]
    family = FAMILY.format(version=4, block=machine.block, pool=POOL_V4)
    text = "\n".join([GENERAL.format(router_id=machine.address), family, *peers])
    machines.write(machine, "/etc/bird/bird.conf", text)
    machines.ssh(machine, "systemctl enable -q bird && systemctl restart bird")
