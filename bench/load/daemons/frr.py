"""FRRouting's bgpd, with a zebra that knows the links and gets no route."""

import shutil
from collections.abc import Iterator
from typing import ClassVar

from bench.load.daemons.base import Daemon, output, program
from bench.load.plan import DEVICE_AS, DEVICE_V4, Party
from felixbgp.lab.processes import Running

FOLDER = "/usr/lib/frr"
USER = "frr"
"""Debian's, for daemons that need less than root."""


class Frr(Daemon):
    """One bgpd, which counts, and the zebra that it asks about next hops.

    Without a zebra bgpd asks again for every route, and logs each time that `sendmsg_nexthop` failed: a third
    of its time. With one it asks once for each next hop; `--no_kernel` keeps its routes from zebra.
    """

    name: ClassVar[str] = "frr"
    title: ClassVar[str] = "FRR"

    @classmethod
    def version(cls) -> str:
        return output(program("bgpd", FOLDER), "--version").split()[2]

    def start(self) -> None:
        config = self.place.folder / "bgpd.conf"
        config.write_text("\n".join(self._lines()) + "\n")
        # zebra gives up root for a user of its own, who must get as far as its sockets.
        self.place.folder.chmod(0o711)
        sockets = self.place.folder / "frr"
        sockets.mkdir()
        shutil.chown(sockets, USER, USER)
        common = ("-P", "0", "--vty_socket", str(sockets), "-z", str(sockets / "zserv.api"))
        self.spawn("zebra", program("zebra", FOLDER), *common, "-i", str(sockets / "zebra.pid"))
        self._bgpd = self.spawn(
            self.name, program("bgpd", FOLDER), "--no_kernel", "--skip_runas", *common,
            "-f", str(config), "-i", str(sockets / "bgpd.pid"),
        )  # fmt: skip

    def measured(self) -> list[Running]:
        return [self._bgpd]

    def _lines(self) -> Iterator[str]:
        family = "ipv6" if self.load.is_ipv6 else "ipv4"
        yield "log stdout"
        yield from self._rules()
        yield f"router bgp {DEVICE_AS}"
        yield f" bgp router-id {DEVICE_V4}"
        yield " no bgp default ipv4-unicast"
        yield " no bgp ebgp-requires-policy"
        yield " no bgp network import-check"
        for party in self.parties:
            yield f" neighbor {party.address} remote-as {party.as_number}"
            yield f" neighbor {party.address} passive"
        yield f" address-family {family} unicast"
        for party in self.parties:
            for setting in self._settings(party):
                yield f"  neighbor {party.address} {setting}"
        yield " exit-address-family"
        yield "exit"

    def _rules(self) -> Iterator[str]:
        """Ahead of the peers: bgpd refuses all routes by a filter that it does not know yet."""
        if not self.load.has_policy:
            return
        for number, prefix in enumerate(self.policy_prefixes(), start=1):
            yield f"ip prefix-list rule{number} permit {prefix} le 32"
        for number, _ in enumerate(self.policy_prefixes(), start=1):
            yield f"route-map rules deny {number}"
            yield f" match ip address prefix-list rule{number}"
            yield "exit"
        yield "route-map rules permit 1000"
        yield "exit"

    def _settings(self, party: Party) -> Iterator[str]:
        yield "activate"
        if party.is_internal:
            yield "route-reflector-client"
        if party.takes_many_paths:
            yield "addpath-tx-all-paths"
        if self.load.has_policy:
            yield "route-map rules in"
