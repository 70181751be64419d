"""`felixbgp replay`: what it prints, and with what it leaves."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from felixbgp.journal.records import Began, Called, Ended, Record
from felixbgp.sim.world import SECOND
from tests.support.cluster import converged, mesh, put_resource
from tests.support.command import run_command
from tests.support.journals import Recordings, journal_of


@pytest.fixture(scope="module")
def records() -> list[Record]:
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    return recordings.records(0)


def written(tmp_path: Path, records: list[Record]) -> str:
    path = tmp_path / "journal"
    path.write_bytes(journal_of(records))
    return str(path)


def test_the_same_effects(records: list[Record], tmp_path: Path) -> None:
    ran = run_command("replay", written(tmp_path, records))
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("same effects: ")
    assert " inputs, " in ran.stdout
    assert ran.stderr == ""
    assert run_command("replay", written(tmp_path, records)).stdout == ran.stdout


def test_what_differs_first(records: list[Record], tmp_path: Path) -> None:
    at = next(at for at, one in enumerate(records) if isinstance(one, Called) and len(one.digests) > 2)
    called = records[at]
    assert isinstance(called, Called)
    changed = replace(called, digests=(called.digests[0], b"00000000", *called.digests[2:]))
    ran = run_command("replay", written(tmp_path, [*records[:at], changed, *records[at + 1 :]]))
    assert ran.exit_code == 1
    first, now, until = ran.stdout.splitlines()
    assert first.startswith("call ")
    assert f"differs in effect 2: {len(called.digests)} effects recorded, {len(called.digests)} now" in first
    assert now.startswith("now: ")
    assert until.startswith("the same until then: ")
    fewer = replace(called, digests=(*called.digests, b"00000000"))
    ran = run_command("replay", written(tmp_path, [*records[:at], fewer, *records[at + 1 :]]))
    assert "now: no such effect" in ran.stdout


def test_another_version_and_an_end_before_the_end_are_said(records: list[Record], tmp_path: Path) -> None:
    began = records[0]
    assert isinstance(began, Began)
    changed = [replace(began, version="0.0.1"), *records[1:], Ended("it is full")]
    ran = run_command("replay", written(tmp_path, changed))
    assert ran.exit_code == 0
    assert "recorded by felixbgp 0.0.1, and this is " in ran.stderr
    assert "the recording ends: it is full" in ran.stderr


def test_a_journal_that_is_cut_off_says_so(records: list[Record], tmp_path: Path) -> None:
    path = Path(written(tmp_path, records))
    path.write_bytes(path.read_bytes()[:-1])
    warning = f"warning: the journal is cut off in record {len(records)}: what follows is missing\n"
    ran = run_command("replay", str(path))
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == warning
    assert ran.stdout.startswith("same effects: ")
    assert run_command("replay", str(path), "--at", "1000").stderr.startswith(warning)


def test_what_is_no_journal_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    ran = run_command("replay", str(tmp_path / "file"))
    assert ran.exit_code == 1
    assert ran.stderr == f"error: {tmp_path / 'file'}: it is no journal of felixbgp\n"
    assert run_command("replay", str(tmp_path / "missing")).exit_code == 2


@pytest.fixture(scope="module")
def with_filter() -> list[Record]:
    recordings = Recordings()
    world = mesh(2, 1, make_agent=recordings.make_agent)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    rules = [{"cidr": "10.0.0.0/8", "matchOperator": "In", "action": "Reject"}, {"action": "Accept"}]
    put_resource(world, "BGPFilter", "bgpfilters", "f", {"importV4": rules})
    put_resource(world, "BGPFilter", "bgpfilters", "none", {})
    put_resource(world, "BGPFilter", "bgpfilters", "wrong", {"importV4": [{"action": "Maybe"}]})
    tor = {"peerIP": "172.30.0.99", "asNumber": 64567, "filters": ["f"]}
    put_resource(world, "BGPPeer", "bgppeers", "tor", tor)
    world.run_for(5 * SECOND)
    return recordings.records(0)


def test_an_agent_as_it_stood(
    with_filter: list[Record], tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    path = written(tmp_path, with_filter)
    ran = run_command("replay", path, "--at", "1000")
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == "warning: this is the end of the journal; nothing later is in it\n"
    golden("golden/replay-at.txt", ran.stdout)
    before = run_command("replay", path, "--at", "11")
    assert before.stderr == ""
    assert "Filters\nThere are none.\n" in before.stdout
    assert "172.30.0.99" not in before.stdout


def test_an_agent_as_it_stood_for_programs(with_filter: list[Record], tmp_path: Path) -> None:
    path = written(tmp_path, with_filter)
    stood = json.loads(run_command("replay", path, "--at", "1000", "-o", "json").stdout)
    assert yaml.safe_load(run_command("replay", path, "--at", "1000", "-o", "yaml").stdout) == stood
    assert [peer["address"] for peer in stood["status"]["peers"]] == ["172.30.0.2", "172.30.0.99", "fd30::2"]
    assert [one["value"]["metadata"]["name"] for one in stood["filters"]] == ["f", "none", "wrong"]
    assert {"prefix": "10.0.2.0/26", "selected": True, "source": "bgp"}.items() <= stood["routes"][1].items()
    assert stood["remarks"] == ["this is the end of the journal; nothing later is in it"]


def test_an_agent_that_cannot_be_told(with_filter: list[Record], tmp_path: Path) -> None:
    path = written(tmp_path, with_filter)
    ran = run_command("replay", path, "--at", "1")
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"error: {path}: it begins later: ")
    assert run_command("replay", path, "--at", "1x").exit_code == 2
    assert "give a revision" in run_command("replay", path, "--at", "1h").stderr
