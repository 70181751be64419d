"""An agent that starts while etcd is away: it runs from what it keeps on its disk, and catches up."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from felixbgp.lab import checks, processes
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.monitor import RouteMonitor

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

NODE = "node-1"
TOR_AS = 64567
SECONDS_MAX = 60.0


def told_on_the_host(lab: Lab) -> dict[str, Any]:
    """The status that `felixbgp node status` shows on the node itself, etcd or not."""
    environment = {
        **os.environ,
        "NODENAME": NODE,
        "ETCD_ENDPOINTS": lab.endpoints[0],
        "FELIXBGP_STATE_DIRECTORY": str(lab.state_directory(NODE)),
    }
    ran = subprocess.run(
        [*felixbgp_command(), "node", "status", "-o", "json"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return dict(json.loads(ran.stdout or "{}").get("status") or {})


def missing_on_the_host(lab: Lab) -> list[str]:
    """Sessions of the mesh that the agent does not tell as Established, without etcd."""
    status = told_on_the_host(lab)
    state = status.get("datastore", {}).get("state")
    up = {entry["address"] for entry in status.get("peers", []) if entry["state"] == "Established"}
    missing = [f"no session with {address}" for address in checks.mesh_sessions(lab.plan)[NODE] - up]
    return missing if state == "Recovered" else [f"the datastore is {state}", *missing]


def missing_routes(lab: Lab) -> list[str]:
    """Routes between the nodes; in the mesh nobody has the router's."""
    return checks.missing_routes(replace(lab.plan, tor_count=0)) + checks.missing_blackholes(lab.plan)


def not_in_sync(lab: Lab) -> list[str]:
    """Empty when the agent follows etcd in the life that began without it."""
    life = life_of(lab)
    if "LastKnownStateUsed" not in life or "LastKnownStateReplaced" not in life:
        return ["it has not caught up"]
    state = checks.status(lab.store, NODE).get("datastore", {}).get("state")
    return [] if state == "InSync" else [f"it is {state}"]


def life_of(lab: Lab) -> str:
    """What the agent logged since it was started last."""
    log = lab.log(NODE)
    return log[log.rindex("starts on node") :]


@pytest.fixture
def kept(lab: Lab) -> Iterator[Lab]:
    """The healthy cluster, with what it consists of on every disk; etcd runs again afterwards."""
    checks.wait_for(lambda: checks.unkept_state(lab), "all is kept", SECONDS_MAX)
    yield lab
    if not processes.is_alive(lab.processes["etcd"]):
        lab.start("etcd")


def test_an_agent_that_was_killed_while_etcd_is_away_moves_nothing(kept: Lab) -> None:
    lab = kept
    with ExitStack() as stack:
        monitors = [stack.enter_context(RouteMonitor(node.namespace)) for node in lab.plan.nodes]
        lab.kill("etcd")
        lab.kill(NODE)
        lab.start(NODE)
        checks.wait_for(lambda: missing_on_the_host(lab), "the agent runs without etcd", SECONDS_MAX)
        assert missing_routes(lab) == []
        lab.start("etcd")
        checks.wait_for(lambda: not_in_sync(lab), "the agent has caught up", SECONDS_MAX)
        assert len(checks.session_times(lab.store, checks.mesh_sessions(lab.plan))) == 12
    assert [monitor.of_protocol(checks.BGP_PROTOCOL) for monitor in monitors] == [[], [], []]
    # What is the same causes no reset: each session came up once in this life.
    assert life_of(lab).count("new=Established") == 4
    assert "old=Established" not in life_of(lab)


def test_after_a_reboot_without_etcd_it_programs_its_routes_and_what_changed_meanwhile_comes_with_etcd(
    kept: Lab,
) -> None:
    lab, (tor,) = kept, kept.plan.tors
    lab.stop(NODE)
    lab.put_peer("tor", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
    lab.kill("etcd")
    for family in ("-4", "-6"):
        flush = ["ip", family, "route", "flush", "proto", str(checks.BGP_PROTOCOL)]
        subprocess.run(lab.exec_arguments(NODE, flush), check=True)
    assert missing_routes(lab) != []
    lab.start(NODE)
    checks.wait_for(lambda: missing_on_the_host(lab), "the agent runs without etcd", SECONDS_MAX)
    checks.wait_for(lambda: missing_routes(lab), "the kernel has its routes", SECONDS_MAX)
    assert tor.ipv4 not in json.dumps(told_on_the_host(lab))
    lab.start("etcd")
    checks.wait_for(lambda: not_in_sync(lab), "the agent has caught up", SECONDS_MAX)
    wanted = {node.name: frozenset({tor.ipv4}) for node in lab.plan.nodes}
    checks.wait_for(
        lambda: checks.missing_sessions(lab.store, wanted), "the new peer has its sessions", SECONDS_MAX
    )
