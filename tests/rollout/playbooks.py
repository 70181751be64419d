"""The collection as its users have it: installed, with an inventory, run from a control machine over ssh."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.rollout.machines import Machines, run

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "deploy/ansible"
TOOLS = ROOT / ".venv-rollout/bin"
"""Where `make` puts Ansible and what builds wheels, with Python 3.11 as the machines have it."""
FIRST, NEXT, BROKEN = "0.1.0", "0.1.1", "0.1.2"
OURS, OTHERS = "inventory.yml", "inventory-with-etcd-of-others.yml"
"""The inventory, and the same nodes with an etcd that others set up."""
METRICS_PORT = 9180
PLAY_SECONDS_MAX = 1500
"""A minute or two, where nothing else runs."""
_RECAP = re.compile(r"^(\S+)\s+: (ok=.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Played:
    """How a playbook ended: for each host what was counted, such as `changed`."""

    code: int
    output: str
    recap: dict[str, dict[str, int]]

    @classmethod
    def of(cls, code: int, output: str) -> Self:
        """By what was printed."""
        recap = {
            host: {name: int(number) for name, number in (word.split("=") for word in counts.split())}
            for host, counts in _RECAP.findall(output)
        }
        return cls(code, output, recap)

    def count(self, what: str) -> int:
        """The sum over all hosts."""
        return sum(counts[what] for counts in self.recap.values())

    @property
    def shown(self) -> str:
        """The recap, as printed."""
        return self.output[self.output.rfind("PLAY RECAP") :].strip()


@dataclass(frozen=True, slots=True)
class Control:
    """The control machine."""

    machines: Machines

    @property
    def folder(self) -> Path:
        return self.machines.folder

    def prepare(self) -> None:
        """Install the collection, and write the inventories."""
        galaxy = ("collection", "install", COLLECTION, "-p", self.folder / "collections")
        run(TOOLS / "ansible-galaxy", *galaxy, cwd=self.folder, **self.environment)
        hosts = {machine.name: {"ansible_host": machine.address} for machine in self.machines.all}
        variables = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_python_interpreter": "/usr/bin/python3",
            "agent_wheels": f"{self.folder}/felixbgp-{{{{ agent_version }}}}.tar",
            "agent_extras": ["prometheus"],
            "agent_settings": {"telemetry.prometheus": f"0.0.0.0:{METRICS_PORT}"},
            "agent_drain_settle": 1,
        }
        inventory: dict[str, Any] = {
            "all": {"vars": variables},
            "felixbgp_etcd": {"hosts": hosts},
            "felixbgp_nodes": {"hosts": {name: {} for name in hosts}},
        }
        pki = self.folder / "pki"
        others = {
            "agent_etcd_endpoints": [f"https://{machine.address}:2379" for machine in self.machines.all],
            "agent_etcd_ca": str(pki / "ca.crt"),
            "agent_etcd_cert": str(pki / "operator.crt"),
            "agent_etcd_key": str(pki / "operator.key"),
        }
        with_etcd_of_others: dict[str, Any] = {
            "felixbgp_nodes": {"hosts": hosts, "vars": others},
            "all": inventory["all"],
        }
        for name, content in ((OURS, inventory), (OTHERS, with_etcd_of_others)):
            (self.folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")

    def path(self, playbook: str) -> str:
        """Where it is installed."""
        collection = self.folder / "collections/ansible_collections/felixbgp/felixbgp"
        return str(collection / f"playbooks/{playbook}.yml")

    def make_stranger(self) -> Path:
        """A certificate that the authority has not signed; the names of the files without their suffix."""
        stranger = self.folder / "stranger"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=stranger")
        files = ("-keyout", f"{stranger}.key", "-out", f"{stranger}.crt")
        run("openssl", "req", "-x509", *curve, *files)
        return stranger

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible/tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            # Paths of ssh's control sockets are short.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/{self.machines.name}",  # noqa: S108
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
        }

    def play(self, playbook: str, *arguments: str, version: str = FIRST, inventory: str = OURS) -> Played:
        """Run one of the collection's playbooks."""
        command = [
            *("nsenter", f"--net=/run/netns/{self.machines.name}", str(TOOLS / "ansible-playbook")),
            *("-i", str(self.folder / inventory), "-e", f"agent_version={version}"),
            # Ansible finds playbooks of collections by their names where these could be names in Python.
            *(
                *arguments,
                f"felixbgp.felixbgp.{playbook}" if playbook.isidentifier() else self.path(playbook),
            ),
        ]
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PLAY_SECONDS_MAX,
            check=False,
        )
        played = Played.of(done.returncode, done.stdout)
        print(f"ansible-playbook {playbook} {' '.join(arguments)}: {done.returncode}\n{played.shown}\n")  # noqa: T201
        return played


def pack(version: str, folder: Path, appended: dict[str, str] | None = None) -> None:
    """Make `felixbgp-VERSION.tar`: a wheel of this tree under that version, and wheels of all that it needs.

    Each text is appended to its file first. What felixbgp needs is fetched for the first version alone.
    """
    source, wheels, needed = folder / f"source-{version}", folder / f"wheels-{version}", folder / "needed"
    shutil.copytree(ROOT / "felixbgp", source / "felixbgp", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    own = source / "felixbgp/__init__.py"
    text, found = re.subn(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', own.read_text())
    assert found == 1
    own.write_text(text)
    for name, more in (appended or {}).items():
        with (source / name).open("a") as file:
            file.write(more)
    build: list[str | Path] = ["-w", wheels, "--no-build-isolation", f"{source}[prometheus]"]
    if needed.exists():
        shutil.copytree(needed, wheels)
        build.append("--no-deps")
    else:
        build += ["-c", ROOT / ".ci/constraints-highest.txt"]
    run(TOOLS / "python", "-m", "pip", "wheel", "-q", *build, FELIXBGP_COMPILE="off")
    run("tar", "-C", wheels, "-cf", folder / f"felixbgp-{version}.tar", ".")
    if not needed.exists():
        wheels.rename(needed)
        next(needed.glob("felixbgp-*")).unlink()
