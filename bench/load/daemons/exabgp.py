"""ExaBGP, which tells programs what it hears, and passes nothing on by itself."""

from typing import ClassVar

from bench.load.daemons.base import Daemon, output, program
from bench.load.loads import Load
from bench.load.plan import DEVICE_AS, DEVICE_V4, Party

NO_ROUTER = "passes no route on from one peer to another: it has no decision process"


class ExaBgp(Daemon):
    """One exabgp, as Debian runs it but for its user."""

    name: ClassVar[str] = "exabgp"
    title: ClassVar[str] = "ExaBGP"
    is_slow: ClassVar[bool] = True

    @classmethod
    def obstacle(cls, load: Load) -> str:
        return "" if load.name == "idle" else NO_ROUTER

    @classmethod
    def version(cls) -> str:
        return output(program("exabgp"), "--version").split()[2]

    def start(self) -> None:
        config = self.place.folder / "exabgp.conf"
        config.write_text("".join(map(self._neighbour, self.parties)))
        environment = (
            ("exabgp.tcp.bind", self.address),
            ("exabgp.tcp.port", "179"),
            ("exabgp.daemon.user", "root"),
            ("exabgp.daemon.daemonize", "false"),
            ("exabgp.api.cli", "false"),
            ("exabgp.log.level", "WARNING"),
        )
        self.spawn(self.name, program("exabgp"), str(config), environment=environment)

    def _neighbour(self, party: Party) -> str:
        return (
            f"neighbor {party.address} {{\n  router-id {DEVICE_V4};\n  local-address {self.address};\n"
            f"  local-as {DEVICE_AS};\n  peer-as {party.as_number};\n  hold-time 90;\n  passive true;\n"
            "  family { ipv4 unicast; }\n}\n"
        )
