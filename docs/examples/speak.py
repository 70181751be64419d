"""Speak BGP to a router over a plain socket: speak.py LOCAL-ADDRESS ROUTER-ADDRESS ROUTER-AS PREFIX."""

import random
import socket
import sys
from time import monotonic_ns

from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import Connect, SendBytes
from felixbgp.bgp.inputs import BytesReceived, BytesWritten, Endpoint, TcpClosed, TcpConnected
from felixbgp.bgp.policy.types import RouteSource
from felixbgp.bgp.routes import LocalRoute
from felixbgp.bgp.speaker import Speaker
from felixbgp.net import Address, Prefix

local, router, prefix = Address.parse(sys.argv[1]), Address.parse(sys.argv[2]), Prefix.parse(sys.argv[4])
config = SpeakerConfig(bgp_identifier=local, local_as=64512)
peer = PeerConfig(
    peer=PeerId(router), name="router", families=(prefix.family,), local_as=64512, remote_as=int(sys.argv[3])
)
speaker, sock = Speaker(config, random.random), socket.socket()
speaker.configure(config, {peer.peer: peer}, monotonic_ns())
speaker.originate(prefix.family, prefix.nlri, LocalRoute(RouteSource.AGGREGATE))
number = 0
while True:
    now = monotonic_ns()
    effects = speaker.control(now)
    speaker.take_in(now, budget=1000)
    for change in speaker.decide(now, budget=1000):
        hops = change.selected.next_hops if change.selected else ["nobody"]
        print(Prefix(change.family, change.nlri), "via", *hops, flush=True)
    for effect in [*effects, *speaker.withdrawals(now, 1000), *speaker.announcements(now, 1000, {})]:
        if isinstance(effect, Connect):
            number, address = effect.connection, (str(effect.remote.address), effect.remote.port)
            sock = socket.create_connection(address, source_address=(str(local), 0))
            speaker.feed(TcpConnected(number, Endpoint(local, 0), effect.remote), now)
        elif isinstance(effect, SendBytes):
            sock.sendall(data := b"".join(effect.chunks))
            speaker.feed(BytesWritten(number, len(data)), now)
    if speaker.is_behind(number):
        continue  # The router sends faster than we work: leave the rest to TCP for now.
    deadline = speaker.next_deadline()
    sock.settimeout(None if deadline is None else max(deadline - monotonic_ns(), 1000) / 1e9)
    try:
        received = sock.recv(65536)
    except TimeoutError:
        continue
    speaker.feed(BytesReceived(number, received) if received else TcpClosed(number, ""), monotonic_ns())
