"""Three machines of Debian with their own systemd and sshd, on a bridge of their own network namespace.

    <name>           br0 172.31.9.1, no way out: where ansible-playbook and ssh run
      ├─ node-1      172.31.9.11   systemd-nspawn, root file system: an overlay on the common base
      ├─ node-2      172.31.9.12
      └─ node-3      172.31.9.13

The base is made once, by debootstrap, and has the packages that are installed on machines in apt's cache:
they need no way out. Workloads hang on the machines as Calico's CNI does it.

A machine that reboots ends its systemd-nspawn with 133: we, in place of its hardware, start it again.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from felixbgp.lab import netns, topology
from felixbgp.lab.plan import Workload
from felixbgp.lab.waiting import wait_until
from tests.support import debian

IN_BASE = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "iputils-ping")
IN_CACHE = ("etcd-server", "etcd-client", "python3-venv", "python3-apt", "bird2")
NETWORK = "172.31.9"
BOOT_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
REBOOT = 133
"""What systemd-nspawn ends with when the machine wants to be started again."""
UNMANAGED = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
"""Else systemd-networkd takes away what the agent writes whenever it configures its link."""


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """What a command printed; its end with an error is one, with all that it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Machine:
    """One of them; `namespace` is the name that its network namespace has here."""

    name: str
    number: int
    namespace: str

    @property
    def address(self) -> str:
        return f"{NETWORK}.{10 + self.number}"

    @property
    def block(self) -> str:
        return f"10.65.{self.number}.0/26"

    @property
    def workload(self) -> Workload:
        owner = f"{self.namespace}-w"
        return Workload(f"{self.name}-w", owner, f"cali{self.number}", f"10.65.{self.number}.5", "")


@dataclass(slots=True)
class Machines:
    """All of them, for the length of a `with` block, in a `folder` that is there."""

    name: str
    folder: Path
    count: int = 3
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def all(self) -> list[Machine]:
        return [Machine(f"node-{n}", n, f"{self.name}-{n}") for n in range(1, self.count + 1)]

    def __enter__(self) -> Self:
        base = debian.base(IN_BASE, in_cache=IN_CACHE)
        netns.create([self.name])
        try:
            self._build(base)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def here(self, *command: str | Path, cwd: Path | None = None, **environment: str) -> str:
        """Run a command of this host in the machines' network. `ip netns exec` would hide the cgroups."""
        return run("nsenter", f"--net=/run/netns/{self.name}", *command, cwd=cwd, **environment)

    def ssh(self, machine: Machine, *command: str) -> str:
        return self.here("ssh", *self.ssh_options, f"root@{machine.address}", *command)

    def fails(self, *command: str | Path) -> str:
        """What a command in the machines' network says when it fails and prints nothing."""
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.name}", *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0, done.stdout) == (True, ""), f"{command}: {done.stdout}"
        return done.stderr

    def write(self, machine: Machine, path: str, text: str) -> None:
        """Make a file of a running machine."""
        (self.folder / machine.name / "root" / path.removeprefix("/")).write_text(text, encoding="utf-8")

    @property
    def ssh_options(self) -> Sequence[str]:
        return (
            *("-i", str(self.folder / "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
        )

    def log(self, machine: Machine) -> str:
        """What its console said."""
        return (self.folder / f"{machine.name}.log").read_text(errors="replace")

    def attach_workload(self, machine: Machine) -> None:
        """Give a running machine its workload."""
        workload = machine.workload
        run("ip", "netns", "attach", machine.namespace, str(self._leader(machine)))
        netns.create([workload.namespace])
        netns.write_sysctls(machine.namespace, topology.ROUTER)
        cable = f"link add name {workload.interface} address {topology.GATEWAY_MAC} netns {machine.namespace}"
        netns.batch([f"{cable} type veth peer name eth0 netns {workload.namespace}"])
        netns.batch(
            [
                f"link set {workload.interface} up",
                f"route add {workload.ipv4}/32 dev {workload.interface} scope link",
            ],
            machine.namespace,
        )
        netns.write_sysctls(machine.namespace, topology.proxy_sysctls(workload))
        netns.batch(topology.workload_commands(workload), workload.namespace)

    def reboot(self, machine: Machine) -> None:
        """Have a machine reboot, and wait until one can log in again; its workload is attached anew."""
        before = self.boot(machine)
        self.here("ssh", *self.ssh_options, f"root@{machine.address}", "systemctl reboot --no-block")
        code = self._running[machine.name].wait(BOOT_SECONDS_MAX)
        assert code == REBOOT, f"{machine.name}: {code}\n{self.log(machine)[-2000:]}"
        netns.remove([machine.namespace, machine.workload.namespace])
        self._spawn(machine)
        self.wait_booted(machine, before)
        self.attach_workload(machine)

    def wait_booted(self, machine: Machine, boot_before: str = "") -> None:
        """Wait until one can log in, to a boot that is another one than that."""

        def is_up() -> bool:
            assert self._running[machine.name].poll() is None, self.log(machine)[-2000:]
            try:
                return self.boot(machine) != boot_before
            except AssertionError:
                return False

        wait_until(is_up, f"{machine.name} has booted", BOOT_SECONDS_MAX)

    def boot(self, machine: Machine) -> str:
        """Which boot it is: when its first process began (containers share the kernel's boot id)."""
        return self.ssh(machine, "stat", "-c", "%Y.%i", "/run/systemd/system").strip() + self.ssh(
            machine, "systemctl", "show", "-P", "UserspaceTimestampMonotonic"
        )

    def _build(self, base: Path) -> None:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key")
        netns.batch(
            [
                "link set lo up",
                "link add br0 type bridge stp_state 0 forward_delay 0",
                f"address add {NETWORK}.1/24 dev br0",
                "link set br0 up",
            ],
            self.name,
        )
        for machine in self.all:
            self._start(machine, base)
        for machine in self.all:
            self.wait_booted(machine)

    def _start(self, machine: Machine, base: Path) -> None:
        place = self.folder / machine.name
        root = place / "root"
        for part in ("root", "upper", "work"):
            (place / part).mkdir(parents=True)
        options = f"lowerdir={base},upperdir={place}/upper,workdir={place}/work"
        run("mount", "-t", "overlay", "overlay", "-o", options, root)
        (root / "etc/hostname").write_text(f"{machine.name}\n")
        (root / "etc/machine-id").write_text(hashlib.md5(place.as_posix().encode()).hexdigest() + "\n")  # noqa: S324
        # Workloads ask for a gateway that nobody has; nodes with a default route answer (proxy ARP).
        network = (
            f"[Match]\nName=host0\n[Network]\nAddress={machine.address}/24\nGateway={NETWORK}.1\n"
            "LinkLocalAddressing=no\n"
        )
        (root / "etc/systemd/network/10-host0.network").write_text(network)
        (root / "etc/systemd/networkd.conf.d").mkdir(exist_ok=True)
        (root / "etc/systemd/networkd.conf.d/felixbgp.conf").write_text(UNMANAGED)
        run("systemctl", f"--root={root}", "-q", "enable", "systemd-networkd.service", "ssh.service")
        (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.folder / "key.pub", root / "root/.ssh/authorized_keys")
        self._spawn(machine)

    def _spawn(self, machine: Machine) -> None:
        """Switch it on."""
        root = self.folder / machine.name / "root"
        command = [
            *("nsenter", f"--net=/run/netns/{self.name}", "systemd-nspawn", "--quiet", "--boot"),
            *(
                "--register=no",
                "--keep-unit",
                f"--directory={root}",
                f"--machine={self.name}-{machine.number}",
            ),
            *("--network-bridge=br0", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            "--console=read-only",
        ]
        with (self.folder / f"{machine.name}.log").open("ab") as log:
            self._running[machine.name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _leader(self, machine: Machine) -> int:
        """The machine's first process."""
        spawner = self._running[machine.name].pid
        return int(Path(f"/proc/{spawner}/task/{spawner}/children").read_text().split()[0])

    def _remove(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        ours = [f"{self.name}-{n}" for n in range(1, self.count + 1)]
        for name in [name for name in netns.names() if name.removesuffix("-w") in ours]:
            netns.remove([name])
        netns.remove([self.name])
        for machine in self.all:
            place = self.folder / machine.name
            if subprocess.run(["umount", "-q", place / "root"], check=False).returncode == 0:
                shutil.rmtree(place)
