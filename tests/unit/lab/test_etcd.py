from pathlib import Path

import pytest

from felixbgp.lab.etcd import EtcdServer, EtcdServerError


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
