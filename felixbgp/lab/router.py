"""felixbgp in the role of a plain router: a fixed intent, no etcd. Stands in where BIRD is not installed.

python -m felixbgp.lab.router CONFIG.json
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.lab.plan import AS_NUMBER, TOR_AS_NUMBER, LabPlan, Tor
from felixbgp.net import Address, Prefix


def configuration(plan: LabPlan, tor: Tor) -> dict[str, Any]:
    """The router's configuration as JSON values: itself, its stubs, and every node as a passive peer."""
    peers = [
        {"name": f"{node.name}-ipv{6 if ':' in address else 4}", "address": address, "as": AS_NUMBER}
        for node in plan.nodes
        for address in (node.ipv4, node.ipv6)
        if address
    ]
    return {
        "name": tor.name,
        "as": TOR_AS_NUMBER,
        "addresses": [address for address in (tor.ipv4, tor.ipv6) if address],
        "announce": [stub for stub in (tor.stub_v4, tor.stub_v6) if stub],
        "peers": peers,
    }


def intent(config: Mapping[str, Any]) -> Intent:
    """What such a configuration asks of an agent. The first address is also the BGP identifier."""
    addresses = tuple(Address.parse(text) for text in config["addresses"])
    source = {address.family: address for address in addresses}
    peers = [
        _peer(entry, config["as"], source[Address.parse(entry["address"]).family])
        for entry in config["peers"]
    ]
    return Intent(
        speaker=SpeakerConfig(bgp_identifier=addresses[0], local_as=config["as"]),
        listen=addresses,
        peers={peer.peer: peer for peer in peers},
        origins={peer.peer: PeerOrigin("node", peer.name) for peer in peers},
        aggregates=tuple(Prefix.parse(text) for text in config["announce"]),
        workload_interfaces=(),
    )


def main(arguments: Sequence[str]) -> None:
    """Run until killed."""
    # Late, so that reading and checking a configuration needs none of the shell.
    import trio  # noqa: PLC0415

    from felixbgp.runtime.etcd.settings import EtcdSettings  # noqa: PLC0415
    from felixbgp.runtime.run import run_agent  # noqa: PLC0415
    from felixbgp.runtime.settings import AgentSettings  # noqa: PLC0415

    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))

    async def run() -> None:
        # Never reached: with a fixed intent there is no store to follow.
        etcd = EtcdSettings(("http://127.0.0.1:2379",))
        await run_agent(AgentSettings(node=config["name"], etcd=etcd), intent=intent(config))

    trio.run(run)


def _peer(entry: Mapping[str, Any], local_as: int, source: Address) -> PeerConfig:
    address = Address.parse(entry["address"])
    return PeerConfig(
        peer=PeerId(address),
        name=entry["name"],
        families=(address.family,),
        local_as=local_as,
        remote_as=entry["as"],
        # Nodes come and go with their BGPPeers; a router that dialled would only be turned away.
        passive=True,
        transport=TransportOptions(local_address=source),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
