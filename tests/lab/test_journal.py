"""A live agent, with etcd, kernel and peers, is recorded, and does the same again without any of them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.journal.records import Began, read
from felixbgp.lab import checks
from felixbgp.lab.lab import Lab, felixbgp_command
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name, is_up_anew

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(300)]

SECONDS_MAX = 120.0
TOR_AS = 64567
PASSWORD = "correct horse battery staple"


def replayed(journal: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*felixbgp_command(), "replay", str(journal)], capture_output=True, text=True, check=False
    )


def told(*arguments: str) -> Any:
    """What a verb prints for programs."""
    command = [*felixbgp_command(), *arguments, "-o", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def look_back(lab: Lab, journal: Path) -> None:
    """The past of node-1: what changed, what became of its sessions, and how it stood at each revision."""
    entries = told("history", str(journal), "--since", "1h", "--only", "sessions", "--peer", "172.30.0.99")
    assert {one["peer"] for one in entries} == {"172.30.0.99"}
    assert {one["cause"] for one in entries} <= {cause.value for cause in Cause}
    assert all(one["reason"] for one in entries)
    entries = told("history", str(journal))
    created = {one["key"].rpartition("/")[2]: one["revision"] for one in entries if one.get("action")}
    assert created.keys() == {"tor", "nobody"}
    assert any(one.get("text", "").startswith("etcd is lost: ") for one in entries)
    down = next(
        one for one in entries if one.get("from") == "Established" and one["peer"] == lab.plan.nodes[1].ipv4
    )
    assert down["revision"] == created["nobody"]
    before, after = (told("replay", str(journal), "--at", str(created["tor"] - age)) for age in (1, 0))
    for stood, peers in (
        (before, {lab.plan.nodes[1].ipv4}),
        (after, {lab.plan.nodes[1].ipv4, lab.plan.tors[0].ipv4}),
    ):
        assert {one["address"] for one in stood["status"]["peers"] if "." in one["address"]} == peers
        assert {one["prefix"] for one in stood["routes"]} >= {node.block_v4 for node in lab.plan.nodes}


def healthy(lab: Lab) -> list[str]:
    return checks.missing_sessions(lab.store, checks.mesh_sessions(lab.plan)) + checks.missing_blackholes(
        lab.plan
    )


def live(lab: Lab) -> None:
    """What happens to a node: sessions, routes, a password, a peer, a restart of its neighbour, no etcd."""
    checks.wait_for(lambda: healthy(lab), "the mesh is up", SECONDS_MAX)
    lab.store.put("/felixbgp/v1/secrets/bgp/mesh", PASSWORD)
    secret = {"secretKeyRef": {"name": "bgp", "key": "mesh"}}
    tor = lab.plan.tors[0]
    lab.put_peer("tor", {"peerIP": tor.ipv4, "asNumber": TOR_AS})
    # Nobody answers it: the dial with a password is what is to be recorded.
    lab.put_peer("nobody", {"peerIP": "172.30.0.99", "asNumber": 65000, "password": secret})
    wanted = {node.name: frozenset({tor.ipv4}) for node in lab.plan.nodes}
    checks.wait_for(lambda: checks.missing_sessions(lab.store, wanted), "the ToR is there", SECONDS_MAX)
    second = lab.plan.nodes[1].ipv4
    since = checks.peer(lab.store, "node-1", second)["since"]
    lab.kill("node-2")
    lab.start("node-2")
    wait_until(lambda: is_up_anew(lab, "node-1", second, since), "a new session", SECONDS_MAX)
    checks.wait_for(lambda: healthy(lab), "the mesh is up again", SECONDS_MAX)
    synced = checks.status(lab.store, "node-1")["datastore"]["since"]
    lab.kill("etcd")
    lab.start("etcd")
    checks.wait_for(lambda: [] if lab.is_store_ready() else ["no answer"], "etcd is back", SECONDS_MAX)

    def is_synced_anew() -> bool:
        now = checks.status(lab.store, "node-1")["datastore"]
        return bool(now["state"] == "InSync" and now["since"] != synced)

    wait_until(is_synced_anew, "node-1 follows it again", SECONDS_MAX)
    checks.wait_for(lambda: healthy(lab), "all is well", SECONDS_MAX)


def test_a_recorded_agent_has_the_same_effects_again(tmp_path: Path) -> None:
    plan = LabPlan(name=fresh_name(), node_count=2)
    journal = tmp_path / "journal"
    former = journal.with_name("journal.1")
    with a_lab(plan, agents=False) as lab:
        lab.start_agent(plan.nodes[1])
        lab._state.settings["FELIXBGP_JOURNAL"] = str(journal)
        lab.start_agent(plan.nodes[0])
        live(lab)
        # In the midst of its life, and after its end.
        midst = replayed(journal)
        assert midst.returncode == 0, midst.stdout + midst.stderr
        look_back(lab, journal)
        lab.stop("node-1")
        # Read now: until here it may have said another one.
        since = checks.peer(lab.store, "node-1", plan.nodes[1].ipv4)["since"]
        ended = replayed(journal)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert ended.stdout.startswith("same effects: ")
        # It adopts routes, and says the same again.
        lab.start("node-1")
        wait_until(
            lambda: is_up_anew(lab, "node-1", plan.nodes[1].ipv4, since),
            "a session of its second life",
            SECONDS_MAX,
        )
        checks.wait_for(lambda: healthy(lab), "the mesh is up once more", SECONDS_MAX)
        lab.kill("node-1")
    assert replayed(journal).stdout.startswith("same effects: ")
    assert replayed(former).stdout == ended.stdout
    octets = former.read_bytes()
    assert b"secrets/bgp/mesh" in octets
    assert PASSWORD.encode() not in octets
    with journal.open("rb") as file:
        began = next(read(file))
    assert isinstance(began, Began)
    assert began.wall_offset_ns is not None
