"""`felixbgp history`: which journals it reads, what it shows of them, and what it says of broken ones."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from felixbgp.journal.records import Began, Record
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh, put_resource
from tests.support.command import run_command
from tests.support.journals import Recordings, journal_of

EPOCH_NS = 1_700_000_000 * SECOND  # 2023-11-14T22:13:20Z


@pytest.fixture(scope="module")
def lives() -> dict[str, list[Record]]:
    """Two nodes, a ToR that never answers, a filter that comes, changes and goes, and a node that is killed.

    Their clocks are put to the same time: in a simulation each begins somewhere else.
    """
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    put_resource(world, "BGPPeer", "bgppeers", "tor", {"peerIP": "172.30.0.99", "asNumber": 64567})
    world.run_for(60 * SECOND)
    for action in ("Reject", "Accept"):
        rules = [{"action": action, "cidr": "10.0.0.0/8", "matchOperator": "In"}]
        put_resource(world, "BGPFilter", "bgpfilters", "f", {"exportV4": rules})
        world.run_for(SECOND)
    world.store.delete("/calico/resources/v3/projectcalico.org/bgpfilters/f")
    world.nodes["node-2"].kill()
    world.run_for(SECOND)
    return {node: recordings.records(number) for number, (node, _) in enumerate(recordings.journals)}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("HOME", str(tmp_path))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def written(directory: Path, lives: dict[str, list[Record]], *, timed: bool = True) -> Path:
    """A journal for each node; the first record of each is at the same time."""
    directory.mkdir()
    for node, (began, *records) in lives.items():
        assert isinstance(began, Began)
        first = getattr(records[0], "now", 0)
        offset = EPOCH_NS - first if timed else None
        (directory / node).write_bytes(journal_of([replace(began, wall_offset_ns=offset), *records]))
    (directory / "notes.txt").write_text("no journal")
    return directory


def test_all_of_it_in_the_order_of_time(
    lives: dict[str, list[Record]], tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    ran = run_command("history", str(written(tmp_path / "all", lives)))
    assert (ran.exit_code, ran.stderr) == (0, "")
    golden("golden/history.txt", ran.stdout)
    one = run_command("history", "--node", "node-1", "--only", "resources", str(tmp_path / "all"))
    assert "Established" not in one.stdout
    assert "node-2  " not in one.stdout
    golden("golden/history-resources.txt", one.stdout)


def test_forms_for_programs(lives: dict[str, list[Record]], tmp_path: Path) -> None:
    directory = str(written(tmp_path / "all", lives))
    entries = json.loads(run_command("history", directory, "-o", "json").stdout)
    assert yaml.safe_load(run_command("history", directory, "-o", "yaml").stdout) == entries
    deleted = [one for one in entries if one.get("action") == "deleted"]
    assert [one["key"].rpartition("/")[2] for one in deleted] == ["f"]
    changed = next(one for one in entries if one.get("action") == "changed")
    assert changed["fields"] == [
        {"field": "spec.exportV4[0].action", "before": '"Reject"', "after": '"Accept"'}
    ]
    assert changed["revision"] == deleted[0]["revision"] - 1
    refused = next(one for one in entries if one.get("peer") == "172.30.0.99")
    assert (refused["about"], refused["to"]) == ("session", "Active")
    assert (refused["cause"], refused["reason"]) == ("TimedOut", "timed out")
    assert entries[0]["time"] == "2023-11-14T22:13:20.000Z"


def test_a_peer_and_a_resource(lives: dict[str, list[Record]], tmp_path: Path) -> None:
    directory = str(written(tmp_path / "all", lives))

    def subjects(*flags: str) -> set[str]:
        shown = json.loads(run_command("history", directory, "-o", "json", *flags).stdout)
        return {one.get("peer") or one.get("key") or one.get("text") for one in shown}

    assert subjects("--peer", "172.30.0.99") == {"172.30.0.99"}
    assert {key.rpartition("/")[2] for key in subjects("--resource", "bgpfilter/f")} == {"f"}
    assert {key.rpartition("/")[2] for key in subjects("--resource", "bgppeers")} == {"tor"}
    assert subjects("--resource", "bgpfilter/g") == set()
    every = run_command("history", directory, "--all", "--peer", "172.30.0.99").stdout
    assert every.count("172.30.0.99") > run_command(
        "history", directory, "--peer", "172.30.0.99"
    ).stdout.count("172.30.0.99")


def test_since(lives: dict[str, list[Record]], tmp_path: Path) -> None:
    directory = str(written(tmp_path / "all", lives))
    times = [one["time"] for one in json.loads(run_command("history", directory, "-o", "json").stdout)]
    middle = times[len(times) // 2]
    shown = run_command("history", directory, "-o", "json", "--since", middle)
    assert [one["time"] for one in json.loads(shown.stdout)] == [at for at in times if at >= middle]
    assert json.loads(run_command("history", directory, "-o", "json", "--since", "1h").stdout) == []
    assert run_command("history", directory, "--since", "yesterday").exit_code == 2


def test_journals_that_do_not_know_the_time(lives: dict[str, list[Record]], tmp_path: Path) -> None:
    directory = written(tmp_path / "all", lives, timed=False)
    assert run_command("history", str(directory)).exit_code == 0
    ran = run_command("history", str(directory), "--since", "1h")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: the journals do not say what time it was, as those of a simulation")
    timed = written(tmp_path / "timed", lives)
    ran = run_command(
        "history", str(directory / "node-1"), str(timed / "node-2"), "--since", "1h", "-o", "json"
    )
    assert ran.exit_code == 0
    assert ran.stderr.startswith("warning: 1 of 2 journals do not say what time it was; ")
    assert {one["node"] for one in json.loads(ran.stdout)} == {"node-1"}


def test_broken_and_cut_journals_say_so_and_the_others_are_shown(
    lives: dict[str, list[Record]], tmp_path: Path
) -> None:
    directory = written(tmp_path / "all", lives)
    whole = run_command("history", str(directory), "--node", "node-1", "-o", "json").stdout
    octets = (directory / "node-2").read_bytes()
    (directory / "node-2").write_bytes(octets[:-3])
    cut = run_command("history", str(directory), "--peer", "172.30.0.99", "-o", "json")
    gaps = [one["text"] for one in json.loads(cut.stdout) if one.get("missing")]
    assert len(gaps) == 1
    assert f"the journal {directory / 'node-2'} is cut off in record " in gaps[0]
    damaged = octets[: len(octets) // 2] + b"\xff" * 200_000 + octets[len(octets) // 2 :]
    (directory / "node-2").write_bytes(damaged)
    broken = run_command("history", str(directory))
    assert broken.exit_code == 0
    assert f"MISSING: the journal {directory / 'node-2'} is broken: record " in broken.stdout
    assert run_command("history", str(directory), "--node", "node-1", "-o", "json").stdout == whole
    (directory / "node-2").write_bytes(octets[:30])
    nothing = run_command("history", str(directory), "--node", "node-1", "-o", "json")
    assert nothing.stdout == whole
    assert nothing.stderr == f"warning: {directory / 'node-2'}: it ends before its first record\n"


def test_which_journals(
    lives: dict[str, list[Record]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = written(tmp_path / "all", lives)
    own = directory / "node-1"
    monkeypatch.setenv("FELIXBGP_JOURNAL", str(own))
    first = run_command("history", "-o", "json").stdout
    assert first == run_command("history", str(own), "-o", "json").stdout
    own.rename(directory / "node-1.1")
    (directory / "node-2").rename(own)
    both = run_command("history", "-o", "json").stdout
    assert {one["node"] for one in json.loads(both)} == {"node-1", "node-2"}
    own.unlink()
    assert json.loads(run_command("history", "-o", "json").stdout) == json.loads(first)
    monkeypatch.delenv("FELIXBGP_JOURNAL")
    (tmp_path / "agent.toml").write_text("")
    ran = run_command("history", "-c", str(tmp_path / "agent.toml"))
    assert ran.exit_code == 1
    assert "the agent of this host is not recorded (FELIXBGP_JOURNAL" in ran.stderr
    ran = run_command("history", str(directory), "--node", "node-9")
    assert "there is no journal of node 'node-9', but of: node-1" in ran.stderr
    ran = run_command("history", str(directory / "notes.txt"))
    assert ran.exit_code == 1
    assert "it is no journal of felixbgp" in ran.stderr
    assert "there is no journal that can be read" in ran.stderr
