import json
from pathlib import Path

import pytest

from felixbgp.lab import state
from felixbgp.lab.plan import LabPlan, PlanError
from felixbgp.lab.processes import Command, Running
from felixbgp.lab.state import LabState, StateError

NODE = Running(
    Command("node-1", ("felixbgp", "agent"), "/log", "felix-node-1", (("NODENAME", "node-1"),)), 7, 9
)
FULL = LabState(
    LabPlan(node_count=5, ipv6=False),
    "bird",
    endpoints=("http://127.0.0.1:1",),
    own_etcd=False,
    keys=("/a", "/b"),
    agents_started=12.5,
    processes={"node-1": NODE},
)


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "RUN_FOLDER", tmp_path / "run")
    return tmp_path / "run"


def test_what_is_saved_is_loaded() -> None:
    state.claim("felix")
    state.save(FULL)
    assert state.load("felix") == FULL
    assert state.lab_names() == ["felix"]


def test_a_lab_that_is_not_there() -> None:
    assert state.lab_names() == []
    with pytest.raises(StateError, match="no lab 'felix'"):
        state.load("felix")


def test_a_name_can_be_claimed_once() -> None:
    state.claim("felix")
    with pytest.raises(StateError, match="lab down --name felix"):
        state.claim("felix")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 3}', "null"])
def test_a_damaged_file_says_how_to_go_on(run_folder: Path, text: str) -> None:
    state.claim("felix")
    (run_folder / "felix" / "lab.json").write_text(text)
    with pytest.raises(StateError, match="lab down --name felix"):
        state.load("felix")


def test_a_plan_in_the_file_is_checked_as_any_other() -> None:
    document = state.encode(FULL)
    document["plan"]["name"] = "../etc"
    with pytest.raises(PlanError):
        state.decode(json.loads(json.dumps(document)))
