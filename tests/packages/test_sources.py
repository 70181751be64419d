"""What packages are made of: the source distribution, pinned versions, one unit."""

import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from felixbgp import __version__
from felixbgp.runtime.settings import load

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)
MADE_BY_SETUPTOOLS = {"PKG-INFO", "setup.cfg"}


def pins(path: str) -> dict[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text)}


@pytest.mark.timeout(600)
def test_the_source_distribution_has_all_of_the_tree(tmp_path: Path) -> None:
    subprocess.run([ROOT / ".ci/sdist", tmp_path], check=True, capture_output=True)
    (path,) = tmp_path.glob("felixbgp-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {entry.name.partition("/")[2] for entry in archive if entry.isfile()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    tree = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert tree - names == set()
    assert names >= MADE_BY_SETUPTOOLS
    assert not [name for name in names if name.endswith((".pyc", ".so", ".whl"))]


def test_packages_bring_the_versions_that_the_tests_run_with() -> None:
    packaged, tested = pins("deploy/requirements.txt"), pins(".ci/constraints-highest.txt")
    assert {name: packaged[name] for name in packaged.keys() & tested.keys()} == {
        name: tested[name] for name in packaged.keys() & tested.keys()
    }


def test_the_debian_package_has_this_version() -> None:
    first = (ROOT / "deploy/debian/changelog").read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith(f"felixbgp ({__version__}-")


def test_the_settings_are_examples_that_can_be_read(tmp_path: Path) -> None:
    lines = (ROOT / "deploy/debian/agent.toml").read_text(encoding="utf-8").splitlines()
    # A setting is `#name`, a remark `# Words`.
    given = "\n".join(line.removeprefix("#") for line in lines if not line.startswith("# "))
    for name in set(re.findall(r"/etc/felixbgp/([a-z.]+)", given)):
        (tmp_path / name).touch()
    settings = tmp_path / "agent.toml"
    settings.write_text(given.replace("/etc/felixbgp/", f"{tmp_path}/"), encoding="utf-8")
    read = load({}, {}, settings)
    assert (read.node, read.etcd.endpoints) == ("node-1", ("https://192.0.2.1:2379",))
