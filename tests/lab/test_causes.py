"""Every cause for which a session is not Established, brought about between real daemons and named right.

The router is BIRD, whose side is written anew for each case; the causes are read as anybody may, from etcd.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from felixbgp.lab import calico, checks
from felixbgp.lab.lab import Lab
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

NODE_AS, TOR_AS = 64512, 64567
SECONDS_MAX = 90.0
ONE, TWO = "node-1", "node-2"
CAUSES = {
    "Refused", "Unreachable", "TimedOut", "WrongAS", "WrongIdentifier", "HoldTimer", "NotificationReceived",
    "PeerDoesNotListUs", "FilterOrSecretMissing", "Restarting", "Draining", "AddressNotOnHost",
    "MaximumPrefixes", "ConnectionClosed",
}  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Iterator[Lab]:
    """Two nodes and a router."""
    with a_lab(LabPlan(name=fresh_name(), node_count=2)) as made:
        yield made


@pytest.fixture
def lab(pair: Lab) -> Iterator[Lab]:
    """The same with its mesh Established, and without BGPPeers."""
    pair.send_signal(pair.plan.tors[0].name, signal.SIGCONT)
    mesh_stands(pair)
    yield pair
    pair.delete_peer("tor")


def mesh_stands(lab: Lab) -> None:
    checks.wait_for(
        lambda: checks.missing_sessions(lab.store, checks.mesh_sessions(lab.plan)), "the mesh", SECONDS_MAX
    )


def play(lab: Lab, neighbor: str, *, general: str = "", known: str = "") -> None:
    """Have the router know one node, node-1 unless `known`, as `neighbor` says, and tell it two prefixes."""
    tor = lab.plan.tors[0]
    config = lab.folder / f"{tor.name}.conf"
    config.write_text(
        f"""\
log stderr all;
{general or f"router id {tor.ipv4};"}
protocol device {{ }}
protocol static prefixes {{ ipv4; route 198.51.100.0/25 blackhole; route 198.51.100.128/25 blackhole; }}
protocol bgp node {{
  local {tor.ipv4} as {TOR_AS};
  neighbor {known or lab.plan.nodes[0].ipv4} as {NODE_AS};
  direct;
  passive;
  error wait time 1, 2;
  {neighbor}
}}
"""
    )
    control(lab, "configure")


CARRIES = "ipv4 { import all; export all; next hop self; };"


def control(lab: Lab, command: str) -> None:
    socket = str(lab.control(lab.plan.tors[0]))
    subprocess.run(["birdc", "-s", socket, command], capture_output=True, check=True)


def put_tor(lab: Lab, **spec: object) -> None:
    """Have node-1 peer with the router."""
    wanted = {"node": ONE, "peerIP": lab.plan.tors[0].ipv4, "asNumber": TOR_AS}
    lab.put_peer("tor", wanted | spec)


def comes_to(lab: Lab, cause: str | None, address: str, *words: str, node: str = ONE) -> None:
    """The node's status names this cause of its peer, or none, with these words, and explains it."""

    status: dict[str, Any] = {}

    def peer() -> dict[str, Any]:
        return next((each for each in status.get("peers", []) if each["address"] == address), {})

    def is_told() -> bool:
        nonlocal status
        status = checks.status(lab.store, node)
        found = peer()
        told = found.get("cause") == cause and all(word in found.get("lastError", "") for word in words)
        return told and (found.get("state") == "Established") is (cause is None)

    wait_until(is_told, f"{address} is {cause}", SECONDS_MAX, describe=lambda: str(peer()))
    if cause is not None:
        assert cause in CAUSES
        explained = {each["cause"]: each for each in status["causes"]}
        assert explained[cause]["text"]
        assert explained[cause]["remedy"]


def test_what_the_router_does(lab: Lab) -> None:
    tor = lab.plan.tors[0].ipv4
    play(lab, CARRIES)
    put_tor(lab)
    comes_to(lab, None, tor)
    control(lab, 'disable node "rack 7 is moved"')
    comes_to(lab, "NotificationReceived", tor, "Cease: Administrative Shutdown: rack 7 is moved")
    control(lab, "enable node")
    comes_to(lab, None, tor)
    play(lab, f'{CARRIES} password "secret";')
    comes_to(lab, "TimedOut", tor)
    play(lab, "ipv4 { import all; import limit 0 action restart; export all; };")
    comes_to(lab, "MaximumPrefixes", tor, "received NOTIFICATION")
    play(lab, f"hold time 6; {CARRIES}")
    comes_to(lab, None, tor)
    lab.send_signal(lab.plan.tors[0].name, signal.SIGSTOP)
    comes_to(lab, "HoldTimer", tor)
    lab.send_signal(lab.plan.tors[0].name, signal.SIGCONT)
    comes_to(lab, None, tor)


def test_what_the_resources_say_wrong(lab: Lab) -> None:
    tor = lab.plan.tors[0].ipv4
    play(lab, CARRIES)
    put_tor(lab, asNumber=64999)
    comes_to(lab, "WrongAS", tor, f"the peer says it is AS {TOR_AS}, not AS 64999")
    put_tor(lab, filters=["absent"])
    comes_to(lab, "FilterOrSecretMissing", tor, "BGPFilter absent does not exist")
    put_tor(lab, peerIP=f"{tor}:1790")
    comes_to(lab, "Refused", tor, "Connection refused")
    nobody = str(lab.plan.tors[0].ipv4).rpartition(".")[0] + ".249"
    put_tor(lab, peerIP=nobody)
    comes_to(lab, "Unreachable", nobody, "No route to host")


def test_an_identifier_that_both_have(lab: Lab) -> None:
    tor = lab.plan.tors[0].ipv4
    one = lab.plan.nodes[0].ipv4
    # The router is of the nodes' AS here: identifiers of external peers may be the same (RFC 6286).
    put_tor(lab, asNumber=NODE_AS)
    play(lab, f"local as {NODE_AS}; {CARRIES}", general=f"router id {one};")
    comes_to(lab, "WrongIdentifier", tor)


def test_a_router_that_knows_others_alone(lab: Lab) -> None:
    """BIRD 2 closes the connection without a word, which by itself proves nothing."""
    put_tor(lab)
    play(lab, CARRIES, known=lab.plan.nodes[1].ipv4)
    comes_to(lab, "ConnectionClosed", lab.plan.tors[0].ipv4)


def test_a_node_that_does_not_list_us(lab: Lab) -> None:
    one, two = lab.plan.nodes
    lab.store.put_all(calico.configuration_resource("default", {"nodeToNodeMeshEnabled": False}))
    lab.put_peer("tor", {"node": ONE, "peerIP": two.ipv4, "asNumber": NODE_AS, "reversePeering": "Manual"})
    try:
        comes_to(lab, "PeerDoesNotListUs", two.ipv4)
        # Both derive it, and node-2 may be the later one to say what it has.
        wait_until(lambda: not checks.peer(lab.store, TWO, one.ipv4), "node-2 has no such peer", SECONDS_MAX)
    finally:
        lab.delete_peer("tor")
        lab.store.put_all(calico.configuration_resource("default", {}))
        mesh_stands(lab)


def test_a_node_that_restarts_and_one_that_is_drained_and_stopped(lab: Lab) -> None:
    two = lab.plan.nodes[1]
    key = f"/felixbgp/v1/drains/{TWO}"
    lab.kill(TWO)
    try:
        comes_to(lab, "Restarting", two.ipv4)
    finally:
        lab.start(TWO)
    mesh_stands(lab)
    lab.store.put(key, json.dumps({"id": "x", "phase": "Withdraw", "since": "2026-01-01T00:00:00Z"}))
    try:
        wait_until(
            lambda: checks.status(lab.store, TWO).get("drained", {}).get("id") == "x",
            "the node knows of its drain",
            SECONDS_MAX,
        )
        lab.stop(TWO)
        comes_to(lab, "Draining", two.ipv4)
    finally:
        lab.store.delete([key])
        lab.start(TWO)
    mesh_stands(lab)


def test_a_node_whose_address_is_not_on_its_host(lab: Lab) -> None:
    """node-2 dials node-1, from an address that it does not have."""
    one, two = lab.plan.nodes
    written = calico.node_resources(two)
    nowhere = str(two.ipv4).rpartition(".")[0] + ".248"
    changed = {name: value.replace(str(two.ipv4), nowhere) for name, value in written.items()}
    assert changed != written
    lab.store.put_all(changed)
    try:
        comes_to(lab, "AddressNotOnHost", one.ipv4, "Cannot assign requested address", node=TWO)
    finally:
        lab.store.put_all(written)
    mesh_stands(lab)
