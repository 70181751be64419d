"""One set of machines for a story of several chapters, told in the order in which they are written."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rollout.machines import Machines
from tests.rollout.playbooks import BROKEN, FIRST, NEXT, TOOLS, Control, pack

HERE = Path(__file__).parent
PROGRAMS = ("debootstrap", "systemd-nspawn", "ssh", "ssh-keygen", "nsenter")
CANNOT_START = '\nraise RuntimeError("this version cannot start")\n'


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chapters keep their order, whatever order other tests are brought into."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ordered = sorted((items[place] for place in places), key=lambda item: (item.path, item.location[1] or 0))
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def tools() -> Path:
    """Ansible and its linter."""
    if not (TOOLS / "ansible-playbook").exists():
        pytest.skip("Ansible is not there: `make test-rollout` installs it, where there is a Python 3.11")
    return TOOLS


@pytest.fixture(scope="session")
def control(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """Three machines with nothing on them, and a control machine that can log in there."""
    if os.geteuid() != 0:
        pytest.skip("machines are booted by root alone")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}; `make test-rollout` does that, on Debian, as root")
    folder = tmp_path_factory.mktemp("rollout")
    assert tools.is_dir()
    with Machines(f"ro{os.getpid()}", folder) as machines:
        made = Control(machines)
        made.prepare()
        pack(FIRST, folder)
        pack(NEXT, folder)
        pack(BROKEN, folder, {"felixbgp/runtime/run.py": CANNOT_START})
        yield made
