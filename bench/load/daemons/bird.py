"""BIRD 2 without its kernel protocol."""

from typing import ClassVar

from bench.load.daemons.base import Daemon, output, program
from bench.load.plan import DEVICE_AS, DEVICE_V4, Party


class Bird(Daemon):
    """One bird."""

    name: ClassVar[str] = "bird"
    title: ClassVar[str] = "BIRD"

    @classmethod
    def version(cls) -> str:
        return output(program("bird"), "--version").split()[-1]

    def start(self) -> None:
        config = self.place.folder / "bird.conf"
        text = [f"log stderr all;\nrouter id {DEVICE_V4};\nprotocol device {{ }}\n"]
        text.append(self._filter())
        text += map(self._session, self.parties)
        config.write_text("".join(text))
        self.spawn(
            self.name, program("bird"), "-f", "-c", str(config), "-s", str(self.place.folder / "bird.ctl")
        )

    def _filter(self) -> str:
        """Twenty rules, each looked at."""
        rules = "\n".join(f"  if net ~ [ {prefix}+ ] then reject;" for prefix in self.policy_prefixes())
        return f"filter rules {{\n{rules}\n  accept;\n}}\n" if self.load.has_policy else ""

    def _session(self, party: Party) -> str:
        imports = "import filter rules;" if self.load.has_policy else "import all;"
        many = " add paths tx;" if party.takes_many_paths else ""
        client = "  rr client;\n" if party.is_internal else ""
        return (
            f"protocol bgp p{party.number} {{\n"
            f"  local {self.address} as {DEVICE_AS};\n"
            f"  neighbor {party.address} as {party.as_number};\n"
            f"  direct;\n  passive;\n  hold time 90;\n{client}"
            f"  {'ipv6' if party.is_ipv6 else 'ipv4'} {{ {imports} export all;{many} }};\n}}\n"
        )
