"""Up, down, and everything between that can go wrong."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from felixbgp.lab import checks, netns, processes, state
from felixbgp.lab.etcd import EtcdServer
from felixbgp.lab.lab import Lab, LabError, down, felixbgp_command
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.state import StateError
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]


def small(name: str) -> LabPlan:
    return LabPlan(name=name, node_count=1, workload_count=1)


def leftovers(name: str) -> list[str]:
    found = [namespace for namespace in netns.names() if namespace.startswith(f"{name}-")]
    found += [str(state.folder(name))] if state.folder(name).exists() else []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"/{name}/".encode() in words or f"\0{name}-".encode() in words:
            found.append(f"{entry}: {words!r}")
    return found


def felixbgp(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    lent = {key: value for key, value in os.environ.items() if not key.startswith(("ETCD", "KEEP"))}
    return subprocess.run(
        [*felixbgp_command(), *arguments], env=lent | environment, capture_output=True, text=True, check=False
    )


def test_down_leaves_nothing(name: str) -> None:
    lab = Lab.up(small(name), agents=False)
    running = list(lab.processes.values())
    assert len(running) == 3
    assert leftovers(name)
    assert down(name)
    assert leftovers(name) == []
    assert not any(processes.is_alive(process) for process in running)
    assert not down(name)


def test_down_ends_what_was_started_inside_by_hand(name: str) -> None:
    lab = Lab.up(small(name), agents=False)
    sleep = shutil.which("sleep") or "sleep"
    with subprocess.Popen(lab.exec_arguments("node-1", [sleep, "600"])) as by_hand:
        wait_until(lambda: by_hand.pid in netns.pids(lab.plan.nodes[0].namespace), "it is inside", 30)
        down(name)
        assert by_hand.wait(30) == -9


def test_an_interrupt_half_way_leaves_nothing(name: str) -> None:
    def interrupt(line: str) -> None:
        if line.startswith("starting tor-1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Lab.up(small(name), agents=False, report=interrupt)
    assert leftovers(name) == []


def test_a_lab_whose_state_is_lost_is_cleared_up_all_the_same(name: str) -> None:
    lab = Lab.up(small(name), agents=False)
    etcd = lab.processes["etcd"], lab.processes["forwarder"]
    (lab.folder / "lab.json").unlink()
    assert down(name)
    assert netns.names() == [other for other in netns.names() if not other.startswith(f"{name}-")]
    assert not state.folder(name).exists()
    # Outside the namespaces nothing tells these two apart from other people's, so they are left alone.
    processes.stop_all(etcd)


def test_the_same_name_twice_is_refused_and_the_first_lab_stays(name: str) -> None:
    lab = Lab.up(small(name), agents=False)
    with pytest.raises(StateError, match=f"lab down --name {name}"):
        Lab.up(small(name), agents=False)
    assert lab.is_store_ready()
    assert set(lab.plan.namespaces) <= set(netns.names())


def test_namespaces_that_are_there_already_are_not_touched(name: str) -> None:
    netns.create([f"{name}-tor-1"])
    with pytest.raises(LabError, match="felixbgp lab down"):
        Lab.up(small(name), agents=False)
    assert f"{name}-tor-1" in netns.names()
    assert not state.folder(name).exists()


def test_an_etcd_of_others_is_used_and_left_as_it_was(name: str, tmp_path: Path) -> None:
    with EtcdServer.on_free_ports(tmp_path / "etcd") as server:
        first = Lab.up(small(name), agents=False, endpoints=[server.endpoint])
        assert "etcd" not in first.processes
        store = first.store
        store.put("/calico/mine", "stays")
        with pytest.raises(LabError, match="holds the nodes of a cluster already"):
            Lab.up(small(f"{name}x"), agents=False, endpoints=[server.endpoint])
        down(name)
        assert list(store.get_prefix("/")) == ["/calico/mine"]


def test_an_etcd_that_is_gone_does_not_keep_down_from_its_work(name: str, tmp_path: Path) -> None:
    with EtcdServer.on_free_ports(tmp_path / "etcd") as server:
        Lab.up(small(name), agents=False, endpoints=[server.endpoint])
    with pytest.raises(LabError, match="keys are left in etcd"):
        down(name)
    assert leftovers(name) == []


def test_the_command_line_from_up_to_down(name: str) -> None:
    # In a shell that still has what `lab env` of a former lab printed.
    former = {"ETCD_ENDPOINTS": "http://127.0.0.1:1"}
    up = felixbgp("lab", "up", "--no-agents", "--nodes", "1", "--name", name, **former)
    assert (up.returncode, up.stderr.count("Traceback")) == (0, 0)
    assert f"felixbgp lab down --name {name}" in up.stdout

    document = json.loads(felixbgp("lab", "status", "--name", name, "-o", "json").stdout)
    assert [row["process"] for row in document["processes"]] == ["etcd", "forwarder", "tor-1"]
    assert all(row["state"] == "running" and row["pid"] for row in document["processes"])

    exported = felixbgp("lab", "env", "--name", name).stdout
    assert f"export ETCD_ENDPOINTS={document['endpoints'][0]}\n" in exported

    inside = felixbgp("lab", "exec", "--name", name, "node-1", "--", "ip", "-br", "address")
    assert "172.30.1.1/16" in inside.stdout
    by_namespace = felixbgp("lab", "exec", "--name", name, f"{name}-node-1", "--", "env").stdout
    assert {"NODENAME=node-1", "ETCD_ENDPOINTS=http://127.0.0.1:2379"} <= set(by_namespace.splitlines())
    assert felixbgp("lab", "exec", "--name", name, "node-1", "--", "sh", "-c", "exit 7").returncode == 7
    nowhere = felixbgp("lab", "exec", "--name", name, "node-9", "--", "true")
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)

    assert felixbgp("lab", "down", "--name", name).stdout == f"lab {name} is gone\n"
    assert felixbgp("lab", "down", "--name", name).stdout == f"there is no lab {name}\n"


@pytest.mark.parametrize("verb", ["up", "down", "demo"])
def test_without_root_it_says_in_one_line_what_it_needs(verb: str) -> None:
    unshare = shutil.which("unshare")
    assert unshare is not None
    # A user namespace without a mapping: to everything inside, we are nobody.
    done = subprocess.run(
        [unshare, "--user", *felixbgp_command(), "lab", verb], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the lab needs root")
    assert done.stderr.count("\n") == 1


def test_a_bad_name_is_refused_before_anything_is_looked_for() -> None:
    done = felixbgp("lab", "down", "--name", "../../etc")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is no lab name" in done.stderr


def test_felixbgp_itself_can_play_the_router(name: str) -> None:
    lab = Lab.up(small(name), tor_kind="felixbgp")
    node, tor = lab.plan.nodes[0], lab.plan.tors[0]
    for family, address in (("v4", tor.ipv4), ("v6", tor.ipv6)):
        lab.put_peer(f"tor-{family}", {"peerIP": address, "asNumber": 64567})
    wanted = checks.tor_sessions(lab.plan)
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "Established", 90)
    checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes both ways", 60)
    checks.wait_for(lambda: checks.missing_pings(lab, checks.tor_pings(lab.plan)), "packets", 30)
    assert {node.block_v4, node.block_v6} == {
        prefix for version in (4, 6) for prefix, route in checks.routes(tor.namespace, version).items()
        if route.protocol == checks.BGP_PROTOCOL and not route.blackhole
    }  # fmt: skip
