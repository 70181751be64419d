import socket
from pathlib import Path

import pytest

from felixbgp.lab.etcd import EtcdServer, EtcdServerError, free_ports

LOOPBACK = "127.0.0.1"


def a_server(folder: Path, script: str) -> EtcdServer:
    """A program in etcd's place that never says it is ready."""
    binary = folder / "etcd"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return EtcdServer.on_free_ports(folder / "data", binary=binary)


def test_a_start_that_is_interrupted_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    server = a_server(tmp_path, "exec sleep 600")
    with pytest.raises(KeyboardInterrupt), server:
        raise AssertionError("it was never ready")
    assert server.process is not None
    assert server.process.returncode == -9


def test_an_etcd_that_ends_at_its_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = a_server(tmp_path, "echo no space left; exit 1")
    with pytest.raises(EtcdServerError, match=r"(?s)ended at start.*no space left"), server:
        raise AssertionError("it was never ready")
    assert server.process is not None
    assert server.process.returncode == 1


def test_a_free_port_is_there_for_whoever_is_told_of_it_and_for_nobody_else() -> None:
    ports = free_ports(100)
    for _ in range(5_000):  # Of 28,000 ports the kernel would have given one of these 18 times.
        with socket.create_server((LOOPBACK, 0)) as other:
            assert other.getsockname()[1] not in ports
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port))
        with socket.create_server((LOOPBACK, port)):
            pass
    assert len({*ports}) == 100
