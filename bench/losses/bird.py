"""The twin: BIRD on every node as Calico runs it, and confd's part played by us.

A node's configuration follows Calico's templates (confd/etc/calico/confd/templates/bird.cfg.template of
3.28), written for BIRD 2, with the same options and timers: graceful restart, connect delay 2 s and retry 5
s, error wait 5 to 30 s, hold time 240 s, kernel routes that persist, a start with -R. Peers are those that
felixbgp derives from the same etcd, which tests/conformance/calico holds against Calico's own. After every
change all nodes are reconfigured at once, one after the other in milliseconds: no real confd is as quick.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.losses.cluster import Cluster
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.intent.types import Intent
from felixbgp.lab import bird, processes
from felixbgp.lab.lab import Lab, LabError
from felixbgp.lab.plan import POOL_V4, POOL_V6, LabPlan, Node
from felixbgp.lab.processes import Command

RECONFIGURE_SECONDS_MAX = 10.0

GENERAL = """\
log stderr all;
router id {router_id};
protocol device {{ scan time 2; }}
protocol direct {{ ipv4; ipv6; interface -"cali*", -"kube-ipvs*", "*"; }}
"""
FAMILY = """\
filter export{version} {{
  if net = {block} then accept;
  if net ~ [ {block}+ ] then reject;
  if net ~ [ {pool}+ ] then accept;
  reject;
}}
protocol static blocks{version} {{ ipv{version}; route {block} blackhole; }}
protocol kernel kernel{version} {{
  learn;
  persist;
  scan time 2;
  graceful restart;
  merge paths on;
  ipv{version} {{ import all; export where source ~ [ RTS_BGP, RTS_STATIC ]; }};
}}
"""
PEER = """\
protocol bgp {name} {{
  local {source} as {local_as};
  neighbor {address} as {remote_as};
  multihop;
  graceful restart;
  connect delay time 2;
  connect retry time 5;
  error wait time 5, 30;
{options}  ipv{version} {{ gateway recursive; import all; export filter export{version}; add paths on; }};
}}
"""


class Twin(Cluster):
    """BIRD on all nodes; `follow` is confd."""

    daemon: ClassVar[str] = "bird"

    @classmethod
    def _bring_up(cls, plan: LabPlan, settings: Mapping[str, str]) -> Lab:
        program = bird.find_bird()
        if program is None:
            raise LabError("BIRD 2 is not installed (package bird2)")
        lab = Lab.up(plan, tor_kind="bird", agents=False, settings=settings)
        for node in plan.nodes:
            _config(lab, node).write_text(configuration(node, Intent()), encoding="utf-8")
            # -R: Calico's service always starts it in graceful restart's recovery.
            arguments = (*bird.arguments(program, _config(lab, node), control(lab, node)), "-R")
            lab.spawn(Command(node.name, arguments, str(lab.folder / f"{node.name}.log"), node.namespace))
        return lab

    def follow(self) -> None:
        """Write what has changed, and have it read, on all nodes."""
        intents = self.intents()
        for node in self.plan.nodes:
            config = _config(self.lab, node)
            text = configuration(node, intents[node.name])
            if text != config.read_text(encoding="utf-8"):
                config.write_text(text, encoding="utf-8")
                if self.runs_bird(node):
                    reconfigure(self.lab, node)

    def runs_bird(self, node: Node) -> bool:
        """Whether a node's BIRD is there to be told and asked."""
        return processes.is_alive(self.lab.processes[node.name])

    def sessions(self) -> dict[str, frozenset[str]]:
        """By what each BIRD says."""
        intents = self.intents()
        return {node.name: self._established(node, intents[node.name]) for node in self.plan.nodes}

    def _established(self, node: Node, intent: Intent) -> frozenset[str]:
        if not self.runs_bird(node):
            return frozenset()
        addresses = {name_of(peer, config): str(peer.address) for peer, config in intent.peers.items()}
        return frozenset(
            # One that is on its way out has no configuration any more, and its own name will do.
            addresses.get(protocol.name, protocol.name)
            for protocol in bird.protocols(control(self.lab, node))
            if protocol.kind == "BGP" and protocol.info.startswith("Established")
        )


def control(lab: Lab, node: Node) -> Path:
    """The socket of a node's BIRD."""
    return lab.folder / f"{node.name}.ctl"


def reconfigure(lab: Lab, node: Node) -> None:
    """What confd's reload does."""
    done = subprocess.run(
        ["birdc", "-s", str(control(lab, node)), "configure"],
        capture_output=True, text=True, timeout=RECONFIGURE_SECONDS_MAX, check=False,
    )  # fmt: skip
    if "Reconfigur" not in done.stdout:
        raise LabError(f"BIRD on {node.name} refuses its configuration: {done.stdout}{done.stderr}")


def configuration(node: Node, intent: Intent) -> str:
    """What confd renders for a node: without a BGP section while the node has no address in etcd."""
    sections = [GENERAL.format(router_id=node.ipv4)]
    for version, block, pool in ((4, node.block_v4, POOL_V4), (6, node.block_v6, POOL_V6)):
        if block:
            sections.append(FAMILY.format(version=version, block=block, pool=pool))
    if intent.speaker is not None:
        cluster_id = intent.speaker.cluster_id
        peers = sorted(intent.peers.items(), key=lambda each: each[1].name)
        sections += [
            _peer(peer, config, str(cluster_id)) for peer, config in peers if config.shutdown is None
        ]
    return "\n".join(sections)


def name_of(peer: PeerId, config: PeerConfig) -> str:
    """A protocol's name: that of the peer, as BIRD takes it."""
    return re.sub(r"\W", "_", f"{config.name}_{peer.address}")


def _peer(peer: PeerId, config: PeerConfig, cluster_id: str) -> str:
    options = "  passive on;\n" if config.passive else ""
    if config.route_reflector_client:
        options += f"  rr client;\n  rr cluster id {cluster_id};\n"
    return PEER.format(
        name=name_of(peer, config),
        source=config.transport.local_address,
        local_as=config.local_as,
        remote_as=config.remote_as,
        address=peer.address,
        options=options,
        version=4 if len(peer.address) == 4 else 6,
    )


def _config(lab: Lab, node: Node) -> Path:
    return lab.folder / f"{node.name}.conf"
