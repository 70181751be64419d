"""felixbgp as it is installed: the agent, with an etcd beside it, told everything by resources."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import ClassVar

from bench.load.daemons import many_paths
from bench.load.daemons.base import Daemon, UnavailableError, output
from bench.load.loads import Load
from bench.load.plan import DEVICE_AS, DEVICE_V4, DEVICE_V6, Party
from felixbgp.lab import calico, netns
from felixbgp.lab.etcd import EtcdServer
from felixbgp.lab.processes import Running
from felixbgp.lab.store import Store
from felixbgp.status import keys

ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
NODE = "device"
OWN_TABLE = "4242"
STATUS_SECONDS, STATUS_SECONDS_OF_A_PEER = 2.0, 0.02
"""After which a status is written that knows what was (docs/adr/0025)."""
OWN_VALUES = (
    "its agent was told what to do by values, not by etcd: no resource of Calico's asks for add-path "
    "(bench/load/daemons/many_paths.py)"
)
HERE = Path(sys.executable).parent
COMPILED = Path(".venv-compiled/bin")
"""Beside the tree: the same source, built and installed."""


class Felix(Daemon):
    """One agent and one etcd, of which the agent counts."""

    name: ClassVar[str] = "felixbgp"
    title: ClassVar[str] = "felixbgp"
    program: ClassVar[Path] = COMPILED / "felixbgp"

    _etcd: EtcdServer | None = None

    @classmethod
    def version(cls) -> str:
        if not cls.program.exists():
            raise UnavailableError(f"{cls.program} is not there")
        return output(str(cls.program), "version", "--client").splitlines()[0].split()[-1]

    @classmethod
    def remark(cls, load: Load) -> str:
        return OWN_VALUES if load.has_many_paths else super().remark(load)

    def start(self) -> None:
        if self.load.has_many_paths:
            self._start_by_values()
        else:
            self._start_agent()

    def _start_by_values(self) -> None:
        config = self.place.folder / "many_paths.json"
        config.write_text(json.dumps(many_paths.configuration(self.address, self.parties)))
        python = str(self.program.absolute().with_name("python"))
        # The tree's own modules must not hide the compiled ones.
        safe = (("PYTHONSAFEPATH", "1"), ("PYTHONPATH", "")) if self.program == COMPILED / "felixbgp" else ()
        self.spawn(self.name, python, "-m", many_paths.__name__, str(config), environment=safe)

    def _start_agent(self) -> None:
        self._etcd = EtcdServer(
            self.place.folder / "etcd",
            ETCD_PORT,
            ETCD_PEER_PORT,
            command_prefix=netns.exec_arguments(self.place.namespace, ()),
        )
        self._etcd.start()
        # This thread alone, and nobody else is in this process: the store's sockets belong there.
        with netns.inside(self.place.namespace):
            self.store.put_all(dict(self._resources()))
        without_kernel = "--no-kernel" in output(str(self.program), "agent", "--help")
        self.spawn(
            self.name, str(self.program.absolute()), "agent",
            *(("--no-kernel",) if without_kernel else ("--route-table", OWN_TABLE)),
            environment=(
                ("NODENAME", NODE),
                ("ETCD_ENDPOINTS", self._etcd.endpoint),
                ("FELIXBGP_STATE_DIRECTORY", "none"),
            ),
        )  # fmt: skip

    def longest_step(self) -> tuple[int, str]:
        if self._etcd is None:
            return super().longest_step()
        sleep(STATUS_SECONDS + STATUS_SECONDS_OF_A_PEER * len(self.parties))
        with netns.inside(self.place.namespace):
            status = json.loads(self.store.get(keys.status_key(NODE)) or "{}")
        longest = status.get("longestStep", {})
        return longest.get("everMs", 0), longest.get("everKind", "")

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            if self._etcd is not None:
                self._etcd.kill()

    @property
    def store(self) -> Store:
        """A client of its etcd, for use inside the namespace."""
        return Store([f"http://127.0.0.1:{ETCD_PORT}"])

    def measured(self) -> list[Running]:
        return self._running

    def _resources(self) -> Iterator[tuple[str, str]]:
        bgp = {"ipv4Address": f"{DEVICE_V4}/16", "asNumber": DEVICE_AS}
        if self.load.is_ipv6:
            bgp["ipv6Address"] = f"{DEVICE_V6}/64"
        if self.load.is_internal:
            bgp["routeReflectorClusterID"] = "244.0.0.1"
        yield resource("Node", "nodes", NODE, {"bgp": bgp})
        yield resource("BGPFilter", "bgpfilters", "rules", self._filter())
        for party in self.parties:
            yield resource("BGPPeer", "bgppeers", f"party-{party.number}", self._peer(party))

    def _peer(self, party: Party) -> dict[str, object]:
        return {"peerIP": party.address, "asNumber": party.as_number, "filters": ["rules"]}

    def _filter(self) -> dict[str, object]:
        """Routes of others go out only by a filter that says so; those that come in pass the twenty rules."""
        version = "6" if self.load.is_ipv6 else "4"
        spec: dict[str, object] = {f"exportV{version}": [{"action": "Accept", "source": "RemotePeers"}]}
        if self.load.has_policy:
            rules = [
                {"action": "Reject", "matchOperator": "In", "cidr": prefix}
                for prefix in self.policy_prefixes()
            ]
            spec[f"importV{version}"] = [*rules, {"action": "Accept"}]
        return spec


class Interpreted(Felix):
    """The same without a compiler."""

    name: ClassVar[str] = "interpreted"
    title: ClassVar[str] = "felixbgp interpreted"
    program: ClassVar[Path] = HERE / "felixbgp"


def resource(kind: str, plural: str, name: str, spec: object) -> tuple[str, str]:
    """A key and its value, as Calico writes them."""
    value = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": {"name": name}, "spec": spec}
    return f"{calico.RESOURCES}{plural}/{name}", json.dumps(value)
