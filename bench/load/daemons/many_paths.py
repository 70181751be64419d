"""felixbgp's own agent with add-path switched on, which no resource of Calico's asks for.

It is what `felixbgp agent` runs (sockets, pace, the whole speaker), but told what to do by values instead of
by etcd. So it follows no store and publishes no status.

python -m bench.load.daemons.many_paths CONFIG.json
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import trio

from bench.load.plan import DEVICE_AS, Party
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.types import Intent, PeerOrigin
from felixbgp.net import Address
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.run import run_agent
from felixbgp.runtime.settings import AgentSettings

NODE = "device"


def configuration(address: str, parties: Iterable[Party]) -> dict[str, Any]:
    """What `main` reads, as JSON values."""
    peers = [
        {"address": party.address, "as": party.as_number, "manyPaths": party.takes_many_paths}
        for party in parties
    ]
    return {"address": address, "peers": peers}


def intent(config: Mapping[str, Any]) -> Intent:
    """What it asks of an agent: everybody's routes for everybody, all paths for those who take many."""
    address = Address.parse(config["address"])
    peers = [_peer(entry, address) for entry in config["peers"]]
    return Intent(
        speaker=SpeakerConfig(bgp_identifier=address, local_as=DEVICE_AS),
        listen=(address,),
        peers={peer.peer: peer for peer in peers},
        origins={peer.peer: PeerOrigin("node", peer.name) for peer in peers},
        workload_interfaces=(),
    )


def main(path: str) -> None:
    """Run until killed."""
    config = json.loads(Path(path).read_text())

    async def run() -> None:
        # Never reached: with a fixed intent there is no store to follow.
        settings = AgentSettings(node=NODE, etcd=EtcdSettings(), no_kernel=True)
        await run_agent(settings, intent=intent(config))

    trio.run(run)


def _peer(entry: Mapping[str, Any], source: Address) -> PeerConfig:
    address = Address.parse(entry["address"])
    return PeerConfig(
        peer=PeerId(address),
        name=entry["address"],
        families=(address.family,),
        local_as=DEVICE_AS,
        remote_as=entry["as"],
        passive=True,
        add_path_send=entry["manyPaths"],
        transport=TransportOptions(local_address=source),
    )


if __name__ == "__main__":
    main(sys.argv[1])
