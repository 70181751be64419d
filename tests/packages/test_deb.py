"""The Debian package, built from the source distribution, on a Debian that knows nothing of us."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp import __version__
from tests.packages.debian import Machine, a_machine

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/ansible/roles/agent/files/felixbgp.service"
PACKAGE = "/root/felixbgp.deb"
SETTINGS = "etc/felixbgp/agent.toml"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run([ROOT / ".ci/deb", folder], check=True, capture_output=True)
    (path,) = folder.glob("felixbgp_*.deb")
    return path


@pytest.fixture
def machine(package: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine with the package beside it, not installed."""
    with a_machine(tmp_path / "machine") as made:
        (made.root / PACKAGE.removeprefix("/")).write_bytes(package.read_bytes())
        yield made


def test_lintian_finds_nothing(package: Path) -> None:
    """But for what the package says beforehand, each with its reason."""
    levels = ("--fail-on", "error,warning", "--allow-root")
    done = subprocess.run(["lintian", *levels, package], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_is_installed_upgraded_removed_and_purged(machine: Machine) -> None:
    root = machine.root
    machine.run("dpkg", "--install", PACKAGE)
    told = machine.run("felixbgp", "version", "--client")
    assert f"Client Version:    {__version__}\n" in told
    assert "Client Core:       compiled\n" in told
    # Installed as root it is compiled for all, and not once more by whoever runs it.
    assert [*root.glob("usr/lib/felixbgp/lib/python3*/site-packages/felixbgp/cli/__pycache__/main.*.pyc")]

    assert machine.run("stat", "-c", "%U:%G %a", "/etc/felixbgp") == "root:felixbgp 750\n"
    assert machine.run("stat", "-c", "%U:%G %a", f"/{SETTINGS}") == "root:felixbgp 640\n"
    assert (
        machine.run("getent", "passwd", "felixbgp").strip().endswith(":/var/lib/felixbgp:/usr/sbin/nologin")
    )
    # An agent that nobody has told where etcd is must not run.
    assert machine.tried("systemctl", "is-enabled", "felixbgp.service").stdout == "disabled\n"
    machine.run("systemctl", "enable", "felixbgp.service")

    settings = root / SETTINGS
    settings.write_text('node = "node-1"\n')
    settings.chmod(0o600)
    (root / "var/lib/felixbgp").mkdir()
    machine.run("dpkg", "--install", PACKAGE)
    assert settings.read_text() == 'node = "node-1"\n'
    assert settings.stat().st_mode & 0o777 == 0o600
    assert machine.run("systemctl", "is-enabled", "felixbgp.service") == "enabled\n"
    assert (root / "var/lib/felixbgp").exists()

    machine.run("dpkg", "--remove", "felixbgp")
    assert settings.exists()
    assert not (root / "usr/lib/felixbgp").exists()
    assert not (root / "usr/bin/felixbgp").is_symlink()
    machine.run("dpkg", "--purge", "felixbgp")
    left = machine.run(
        "find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-name", "*felixbgp*", "-print"
    )
    assert set(left.split()) <= {PACKAGE, "/var/log/felixbgp"}
    # A user's number is not to be given to somebody else who would own what was left elsewhere.
    machine.run("getent", "passwd", "felixbgp")


def test_the_unit_is_the_one_that_ansible_installs(machine: Machine) -> None:
    machine.run("dpkg", "--install", PACKAGE)
    unit = (machine.root / "lib/systemd/system/felixbgp.service").read_text()
    expected = [line for line in UNIT.read_text().splitlines() if not line.startswith("# Written by Ansible")]
    differing = [pair for pair in zip(unit.splitlines(), expected, strict=True) if pair[0] != pair[1]]
    assert differing == [
        ("ExecStart=/usr/bin/felixbgp agent", "ExecStart=/opt/felixbgp/current/bin/felixbgp agent")
    ]
    machine.run("systemd-analyze", "--man=no", "verify", "felixbgp.service")
