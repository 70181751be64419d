"""The container image: built of a Debian from debootstrap, and run as a node of a lab."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp import __version__
from felixbgp.lab import checks
from felixbgp.lab.lab import NODE_ENDPOINT
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.waiting import wait_until
from tests.lab.conftest import a_lab, fresh_name
from tests.packages.debian import INCLUDED
from tests.support import debian

ROOT = Path(__file__).parents[2]
BASE, IMAGE = "localhost/debian-base", "localhost/felixbgp"
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Podman's own are more than some hosts allow."""
GRANTED = ("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "NET_BIND_SERVICE", "--read-only")
SECONDS_MAX = 120.0

pytestmark = [pytest.mark.root, pytest.mark.timeout(1800)]


class Engine:
    """Podman with a store of its own, which goes with its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # runc does with any arrangement of cgroups.
        self.command = (
            *(
                "podman",
                "--root",
                str(folder / "root"),
                "--runroot",
                str(folder / "run"),
                "--runtime",
                "runc",
            ),
            *("--cgroup-manager", "cgroupfs"),
        )

    def run(self, *arguments: str) -> str:
        """What it prints; fails when it does."""
        done = self.tried(*arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ends. Where there is no systemd its warnings of that are among the errors."""
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False)

    def build(self) -> None:
        """The image; what this host trusts in, pip trusts in there."""
        settings = self.folder / "pip.conf"
        settings.write_text("[global]\ncert = /trusted.crt\n")
        trusted = "/etc/ssl/certs/ca-certificates.crt"
        arguments = (
            *("--build-arg", f"BASE={BASE}", "--network", "host", *LIMITS),
            *("--volume", f"{settings}:/etc/pip.conf:ro", "--volume", f"{trusted}:/trusted.crt:ro"),
        )
        subprocess.run(
            [ROOT / ".ci/container", IMAGE, *arguments],
            env=os.environ | {"ENGINE": shlex.join(self.command)},
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("podman"))
    try:
        packed = ["tar", "-C", str(debian.base(INCLUDED)), "-c", "."]
        with subprocess.Popen(packed, stdout=subprocess.PIPE) as base:
            subprocess.run(
                [*made.command, "import", "-", BASE], stdin=base.stdout, check=True, capture_output=True
            )
        made.build()
        yield made
    finally:
        made.tried("rm", "--all", "--force", "--volumes")
        made.tried("rmi", "--all", "--force")
        shutil.rmtree(made.folder / "root", ignore_errors=True)


def test_a_command_needs_nothing_and_is_nobody_s(engine: Engine) -> None:
    alone = ("run", "--rm", "--network", "none", *LIMITS, "--cap-drop", "ALL", "--read-only", IMAGE)
    told = engine.run(*alone, "felixbgp", "version", "--client")
    assert f"Client Version:    {__version__}\n" in told
    assert "Client Core:       compiled\n" in told
    assert engine.run(*alone, "id", "-un") == "felixbgp\n"
    assert engine.tried(*alone).returncode != 0
    assert "/liveness" in engine.run("inspect", "--format", "{{.HealthCheck}}", IMAGE)


def test_an_agent_in_a_container_is_a_node_like_others(engine: Engine) -> None:
    with a_lab(LabPlan(name=fresh_name(), node_count=2, tor_count=0), agents=False) as lab:
        inside, outside = lab.plan.nodes
        lab.start_agent(outside)
        settings = {"NODENAME": inside.name, "ETCD_ENDPOINTS": NODE_ENDPOINT}
        engine.run(
            *("run", "--detach", "--name", inside.name, "--network", f"ns:/run/netns/{inside.namespace}"),
            *(*LIMITS, *GRANTED, *(f"--env={name}={value}" for name, value in settings.items()), IMAGE),
        )
        try:
            mesh = checks.mesh_sessions(lab.plan)
            wait_until(
                lambda: not checks.missing_sessions(lab.store, mesh),
                "the mesh is up",
                SECONDS_MAX,
                describe=lambda: str(engine.tried("logs", inside.name)),
            )
            checks.wait_for(lambda: checks.missing_routes(lab.plan), "routes in the kernels", SECONDS_MAX)
            shown = engine.run("exec", inside.name, "felixbgp", "node", "status")
            assert "Established" in shown
            engine.run("healthcheck", "run", inside.name)
            status = engine.run("exec", inside.name, "cat", "/proc/1/status")
            capabilities = {
                line.split()[0]: line.split()[1] for line in status.splitlines() if line[:3] == "Cap"
            }
            # CAP_NET_BIND_SERVICE and CAP_NET_ADMIN.
            assert capabilities["CapEff:"] == f"{1 << 10 | 1 << 12:016x}"
            assert capabilities["CapBnd:"] == capabilities["CapEff:"]
            assert engine.run("exec", inside.name, "id", "-u") == "979\n"
        finally:
            engine.tried("rm", "--force", "--volumes", inside.name)
