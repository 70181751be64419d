"""etcd behind a link that goes down: no reset, no goodbye, only silence."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from felixbgp.cluster.inputs import DatastoreLost, DatastoreRestored, KeyPut
from felixbgp.lab import netns
from felixbgp.lab.etcd import EtcdServer
from felixbgp.runtime.etcd import Endpoint, EtcdSettings, open_client, watch_prefixes
from tests.integration.etcd.conftest import QUICK, inputs_until, is_lost, is_put, is_reached

pytestmark = [pytest.mark.trio, pytest.mark.root]

NAMESPACE = f"etcd-test-{os.getpid()}"
LINK = f"et{os.getpid()}"
OURS, THEIRS = "198.18.77.1", "198.18.77.2"  # RFC 2544: addresses for measurements, never routed


@pytest.fixture
def far_server(tmp_path: Path, binary: Path) -> Iterator[EtcdServer]:
    """An etcd in a namespace of its own, at the far end of a veth pair."""
    netns.create([NAMESPACE])
    try:
        netns.batch(
            [
                f"link add {LINK} type veth peer name eth0 netns {NAMESPACE}",
                f"address add {OURS}/30 dev {LINK}",
                f"link set {LINK} up",
            ]
        )
        netns.batch(["link set lo up", f"address add {THEIRS}/30 dev eth0"], NAMESPACE)
        set_link("up")
        server = EtcdServer(
            tmp_path / "etcd", 2379, 2380, binary, host=THEIRS,
            extra_flags=(*QUICK, "--grpc-keepalive-min-time=100ms"),
            command_prefix=(netns.ip_command(), "netns", "exec", NAMESPACE),
        )  # fmt: skip
        with server:
            yield server
        netns.batch([f"link del {LINK}"])  # With its namespace it would go too, but some time later.
    finally:
        netns.remove([NAMESPACE])


def set_link(state: str) -> None:
    netns.batch([f"link set eth0 {state}"], NAMESPACE)


async def dial_inside(endpoint: Endpoint, settings: EtcdSettings) -> trio.abc.Stream:
    """From the namespace of etcd itself, where the link does not matter."""
    assert settings.endpoints == (str(endpoint),)
    with netns.inside(NAMESPACE):
        near = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    await near.connect((endpoint.host, endpoint.port))
    return trio.SocketStream(near)


async def test_silence_is_found_by_ping_and_nothing_is_missed(far_server: EtcdServer) -> None:
    settings = EtcdSettings(endpoints=(far_server.endpoint,), backoff_max_seconds=0.5)
    impatient = replace(
        settings, ping_interval_seconds=0.5, ping_timeout_seconds=2.0, connect_timeout_seconds=2.0
    )
    async with (
        open_client(settings, dialer=dial_inside) as writer,
        open_client(impatient) as client,
        watch_prefixes(client, ["/a/"]) as batches,
    ):
        await inputs_until(batches, is_reached(1))
        set_link("down")
        lost = (await inputs_until(batches, is_lost))[-1]
        assert isinstance(lost, DatastoreLost)
        assert "no answer to a PING within 2 s" in lost.reason
        await writer.put("/a/1", "unheard")
        set_link("up")
        seen = await inputs_until(batches, is_put("/a/1", b"unheard"))
        assert [type(each) for each in seen] == [DatastoreRestored, KeyPut]
