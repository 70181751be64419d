"""The lab's own network and plumbing, before any agent: what later tests take for granted."""

import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from felixbgp.lab import bird, checks, netns
from felixbgp.lab.checks import Ping
from felixbgp.lab.forwarder import LISTEN_PORT
from felixbgp.lab.lab import NODE_ENDPOINT, Lab
from felixbgp.lab.monitor import RouteMonitor
from felixbgp.lab.store import Store, StoreError
from felixbgp.lab.waiting import wait_until

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(180)]


def both(source: str, target: str, *addresses: str) -> list[Ping]:
    return [Ping(source, target, address) for address in addresses]


def test_a_workload_reaches_its_node_and_its_neighbour_through_the_node(bare: Lab) -> None:
    node = bare.plan.nodes[0]
    one, two = node.workloads
    pings = both(one.name, node.name, node.ipv4, node.ipv6) + both(one.name, two.name, two.ipv4, two.ipv6)
    checks.wait_for(lambda: checks.missing_pings(bare, pings), "packets", 30)


def test_a_node_reaches_its_workloads_and_everybody_on_the_fabric(bare: Lab) -> None:
    node, other = bare.plan.nodes
    pings = [
        ping
        for target in (other, bare.plan.tors[0], node.workloads[0])
        for ping in both(node.name, target.name, target.ipv4, target.ipv6)
    ]
    checks.wait_for(lambda: checks.missing_pings(bare, pings), "packets", 30)


def test_without_agents_a_workload_does_not_reach_another_node(bare: Lab) -> None:
    far = bare.plan.nodes[1].workloads[0]
    pings = both("node-1-w1", far.name, far.ipv4, far.ipv6)
    assert checks.failed_pings(bare, pings, seconds_max=1) == pings


def test_every_node_reaches_etcd_at_its_own_loopback_and_workloads_do_not(bare: Lab) -> None:
    everything = bare.store.get_prefix("/calico/")
    for node in bare.plan.nodes:
        with netns.inside(node.namespace):
            assert Store([NODE_ENDPOINT]).get_prefix("/calico/") == everything
    with netns.inside(bare.plan.workloads[0].namespace), pytest.raises(StoreError):
        Store([NODE_ENDPOINT]).revision()


def test_etcd_killed_and_started_again_keeps_its_data_and_its_address(bare: Lab) -> None:
    before = bare.store.get_prefix("/")
    bare.kill("etcd")
    with netns.inside(bare.plan.nodes[0].namespace), pytest.raises(StoreError):
        Store([NODE_ENDPOINT]).revision()
    bare.start("etcd")
    wait_until(bare.is_store_ready, "etcd answers", 60)
    with netns.inside(bare.plan.nodes[0].namespace):
        assert Store([NODE_ENDPOINT]).get_prefix("/") == before


def test_the_router_exchanges_routes_with_whoever_dials_from_the_fabric(bare: Lab) -> None:
    """BIRD on both ends: what a node's agent will find there, shown without one."""
    node, tor = bare.plan.nodes[0], bare.plan.tors[0]
    config, control = bare.folder / "dialler.conf", bare.folder / "dialler.ctl"
    config.write_text(dialler(node.ipv4, tor.ipv4, 4) + dialler(node.ipv6, tor.ipv6, 6))
    arguments = bird.arguments(bird.find_bird() or "", config, control)
    with subprocess.Popen(bare.exec_arguments(node.name, arguments), stderr=subprocess.DEVNULL) as process:
        try:
            for version in (4, 6):
                wait_until(partial(bird.established, bare.control(tor), version), "Established", 60)
            checks.wait_for(lambda: missing(tor.namespace, node.block_v4, node.block_v6), "the blocks", 30)
            checks.wait_for(lambda: missing(node.namespace, tor.stub_v4, tor.stub_v6), "the stubs", 30)
            pings = both(node.name, tor.name, tor.service_v4, tor.service_v6)
            checks.wait_for(lambda: checks.missing_pings(bare, pings), "packets", 30)
        finally:
            process.terminate()
    # The router forgets them when it hears of it; another test counts what happens to its routes.
    blocks = [node.block_v4, node.block_v6]
    wait_until(lambda: missing(tor.namespace, *blocks) == blocks, "the blocks are gone", 30)


def missing(namespace: str, prefix_v4: str, prefix_v6: str) -> list[str]:
    found = checks.routes(namespace, 4).keys() | checks.routes(namespace, 6).keys()
    return [prefix for prefix in (prefix_v4, prefix_v6) if prefix not in found]


def dialler(address: str, peer: str, version: int) -> str:
    block = "10.65.0.64/26" if version == 4 else "fd00:10:65::40/122"
    general = "router id 172.30.1.1;\nprotocol device { }\n" if version == 4 else ""
    return f"""{general}
protocol static block{version} {{ ipv{version}; route {block} blackhole; }}
protocol kernel kernel{version} {{ ipv{version} {{ export where source = RTS_BGP; }}; }}
protocol bgp tor{version} {{
  local {address} as 64512;
  neighbor {peer} as 64567;
  connect delay time 0;
  ipv{version} {{ import all; export where source = RTS_STATIC; }};
}}
"""


def test_a_monitor_reports_what_happens_to_routes_between_its_ends(bare: Lab) -> None:
    namespace = bare.plan.tors[0].namespace
    netns.batch([f"route add blackhole 203.0.113.0/24 proto {checks.BGP_PROTOCOL} metric 1024"], namespace)
    with RouteMonitor(namespace) as monitor:
        netns.batch(["route add blackhole 203.0.114.0/24 proto static"], namespace)
        netns.batch(
            [f"route del blackhole 203.0.113.0/24 proto {checks.BGP_PROTOCOL} metric 1024"], namespace
        )
    netns.batch(["route del blackhole 203.0.114.0/24 proto static"], namespace)
    (deleted,) = monitor.of_protocol(checks.BGP_PROTOCOL)
    assert deleted.startswith("Deleted blackhole 203.0.113.0/24")
    assert len(monitor.events) == 2


def test_a_monitor_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(netns.NetworkError), RouteMonitor("nowhere"):
        raise AssertionError("there is no such namespace")
    assert list(tmp_path.iterdir()) == []


def test_connections_are_told_apart_by_their_local_port(bare: Lab) -> None:
    node = bare.plan.nodes[0]
    with netns.inside(node.namespace):
        connection = socket.create_connection(("127.0.0.1", LISTEN_PORT))
    with connection:
        assert checks.connections(node.namespace, LISTEN_PORT) == {connection.getsockname()[1]}
    wait_until(lambda: not checks.connections(node.namespace, LISTEN_PORT), "closed", 10)


def test_etcd_counts_the_writes_of_a_key(bare: Lab) -> None:
    store = bare.store
    assert store.writes("/counted") == 0
    store.put("/counted", "1")
    store.put("/counted", "2")
    assert store.writes("/counted") == 2
    store.delete(["/counted"])
    assert store.get("/counted") is None
