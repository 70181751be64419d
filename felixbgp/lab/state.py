"""What is known of a lab between two commands: one JSON file in the lab's folder.

It is written before and after every step of `lab up`, so `lab down` finds what an interrupted one left.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from felixbgp.lab.plan import LabPlan
from felixbgp.lab.processes import Command, Running

RUN_FOLDER = Path("/run/felixbgp")
FORMAT = 2


class StateError(Exception):
    """There is no such lab, it is there already, or its file cannot be read; the text says which."""


@dataclass
class LabState:
    """A lab as it stands. `processes` is by name, in the order of their start."""

    plan: LabPlan
    tor_kind: str
    """`bird` or `felixbgp`."""
    endpoints: tuple[str, ...] = ()
    own_etcd: bool = True
    keys: tuple[str, ...] = ()
    """Keys written to a store that is not ours, to be removed at the end."""
    agents_started: float = 0.0
    """Seconds since 1970."""
    settings: dict[str, str] = field(default_factory=dict)
    """What else every agent is told by its environment."""
    processes: dict[str, Running] = field(default_factory=dict)


def folder(name: str) -> Path:
    """Where a lab keeps its state, logs, sockets and its etcd's data."""
    return RUN_FOLDER / name


def save(state: LabState) -> None:
    """Write the state in one step: a reader sees the old file or the new one."""
    path = folder(state.plan.name) / "lab.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(encode(state), indent=1), encoding="utf-8")
    new.replace(path)


def load(name: str) -> LabState:
    """Read a lab's state; raises `StateError` when there is none or it is no good."""
    path = folder(name) / "lab.json"
    try:
        return decode(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise StateError(f"there is no lab {name!r}; `felixbgp lab up --name {name}` makes one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} is damaged ({error!r}); `felixbgp lab down --name {name}` clears up"
        ) from error


def claim(name: str) -> Path:
    """Make a lab's folder, which also keeps a second `lab up` out; raises `StateError` if it is there."""
    place = folder(name)
    RUN_FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        place.mkdir(mode=0o755)
    except FileExistsError as error:
        raise StateError(
            f"lab {name!r} is there already ({place}); `felixbgp lab down --name {name}` removes it"
        ) from error
    return place


def encode(state: LabState) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "format": FORMAT,
        "plan": asdict(state.plan),
        "torKind": state.tor_kind,
        "endpoints": list(state.endpoints),
        "ownEtcd": state.own_etcd,
        "keys": list(state.keys),
        "agentsStarted": state.agents_started,
        "settings": state.settings,
        "processes": [asdict(running) for running in state.processes.values()],
    }


def decode(value: Mapping[str, Any]) -> LabState:
    """Read `encode`'s values back; raises ValueError, KeyError or TypeError for anything else."""
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']!r}, not {FORMAT}")
    running = [_running(item) for item in value["processes"]]
    return LabState(
        plan=LabPlan(**value["plan"]),
        tor_kind=value["torKind"],
        endpoints=tuple(value["endpoints"]),
        own_etcd=value["ownEtcd"],
        keys=tuple(value["keys"]),
        agents_started=float(value["agentsStarted"]),
        settings=dict(value["settings"]),
        processes={process.command.name: process for process in running},
    )


def lab_names() -> list[str]:
    """Names of the labs on this host."""
    if not RUN_FOLDER.is_dir():
        return []
    return sorted(entry.name for entry in RUN_FOLDER.iterdir() if (entry / "lab.json").exists())


def is_root() -> bool:
    """Whether we may make namespaces."""
    return os.geteuid() == 0


def _running(value: Mapping[str, Any]) -> Running:
    fields = dict(value["command"])
    fields["arguments"] = tuple(fields["arguments"])
    fields["environment"] = tuple((name, text) for name, text in fields["environment"])
    return Running(Command(**fields), value["pid"], value["started"])
