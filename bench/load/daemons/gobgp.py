"""GoBGP without zebra."""

from collections.abc import Iterator
from typing import ClassVar

from bench.load.daemons.base import Daemon, output, program
from bench.load.plan import DEVICE_AS, DEVICE_V4, Party


class GoBgp(Daemon):
    """One gobgpd."""

    name: ClassVar[str] = "gobgp"
    title: ClassVar[str] = "GoBGP"
    is_slow: ClassVar[bool] = True

    @classmethod
    def version(cls) -> str:
        return output(program("gobgpd"), "--version").split()[-1]

    def start(self) -> None:
        folder = self.place.folder
        config = folder / "gobgpd.toml"
        config.write_text("".join(self._sections()))
        socket = f"unix://{folder}/gobgp.sock"
        self.spawn(
            self.name, program("gobgpd"), "-f", str(config), "--api-hosts", socket, "--log-plain",
            "--pprof-disable",
        )  # fmt: skip

    def _sections(self) -> Iterator[str]:
        yield (
            f'[global.config]\nas = {DEVICE_AS}\nrouter-id = "{DEVICE_V4}"\n'
            f'local-address-list = ["{self.address}"]\n'
        )
        if self.load.has_policy:
            yield "[global.apply-policy.config]\n"
            yield 'import-policy-list = ["rules"]\ndefault-import-policy = "accept-route"\n'
            yield "".join(self._policy())
        for party in self.parties:
            yield self._neighbour(party)

    def _policy(self) -> Iterator[str]:
        for number, prefix in enumerate(self.policy_prefixes()):
            yield f'[[defined-sets.prefix-sets]]\nprefix-set-name = "rule{number}"\n'
            yield f'[[defined-sets.prefix-sets.prefix-list]]\nip-prefix = "{prefix}"\n'
            yield 'masklength-range = "16..32"\n'
        yield '[[policy-definitions]]\nname = "rules"\n'
        for number, _ in enumerate(self.policy_prefixes()):
            yield f'[[policy-definitions.statements]]\nname = "rule{number}"\n'
            yield "[policy-definitions.statements.conditions.match-prefix-set]\n"
            yield f'prefix-set = "rule{number}"\n'
            yield '[policy-definitions.statements.actions]\nroute-disposition = "reject-route"\n'

    def _neighbour(self, party: Party) -> str:
        family = "ipv6-unicast" if party.is_ipv6 else "ipv4-unicast"
        text = (
            f'[[neighbors]]\n[neighbors.config]\nneighbor-address = "{party.address}"\n'
            f"peer-as = {party.as_number}\n"
            f"[neighbors.transport.config]\npassive-mode = true\n"
        )
        if party.is_internal:
            text += (
                "[neighbors.route-reflector.config]\nroute-reflector-client = true\n"
                f'route-reflector-cluster-id = "{DEVICE_V4}"\n'
            )
        if party.takes_many_paths:
            text += "[neighbors.add-paths.config]\nsend-max = 16\n"
        return text + f'[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "{family}"\n'
