"""The collection by the rules of ansible-lint, in the profile that is meant for what is published."""

import shutil
from pathlib import Path

import pytest

from tests.rollout.machines import run
from tests.rollout.playbooks import COLLECTION


@pytest.mark.timeout(600)
def test_it_is_clean_in_the_production_profile(tools: Path, tmp_path: Path) -> None:
    # It looks at the directory's place and at what git knows, as it would be for a collection of its own.
    collection = tmp_path / "ansible_collections/felixbgp/felixbgp"
    shutil.copytree(COLLECTION, collection, ignore=shutil.ignore_patterns(".ansible"))
    run("git", "init", "-q", collection)
    run("git", "-C", collection, "add", "--all")
    path = f"{tools}:/usr/bin:/bin"
    home = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}
    home |= {"NO_COLOR": "1", "PATH": path}
    run(tools / "ansible-lint", "--offline", "--profile", "production", cwd=collection, **home)
