"""`felixbgp node diags`, as far as it needs no etcd."""

import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from felixbgp.cli.main import cli

SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NODENAME", "node-1")
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["node", "diags", *arguments], prog_name="felixbgp")


def contents(folder: Path) -> dict[str, bytes]:
    """The one archive in the folder, by the names within."""
    (path,) = folder.iterdir()
    assert path.name.startswith("felixbgp-diags-node-1-")
    assert path.stat().st_mode & 0o777 == 0o600
    files = {}
    with tarfile.open(path) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            folder_name, _, name = entry.name.partition("/")
            assert folder_name == path.name.removesuffix(".tar.gz")
            files[name] = file.read()
    return files


def test_an_archive_is_made_without_an_agent_and_without_etcd(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "new"
    result = run("--output-dir", str(folder))
    assert result.exit_code == 0, result.output
    files = contents(folder)
    assert {"version.txt", "settings.txt", "sysctls.txt", "contents.txt"} <= set(files)
    assert b"node = 'node-1'\n" in files["settings.txt"]
    assert b"felixbgp " in files["version.txt"]
    assert "etcd/bgpconfigurations.jsonl   failed: etcd cannot be reached: " in result.output
    assert f"Diags saved to {folder}/felixbgp-diags-node-1-" in result.output
    told = files["contents.txt"].decode()
    assert told in result.output
    failed = told.count(" failed: ")
    assert f"; {failed} could not be had\n" in result.output


def test_settings_that_are_wrong_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALICO_ROUTER_ID", "wrong")
    result = run("--output-dir", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert "failed: environment CALICO_ROUTER_ID: 'wrong' is not an IPv4 or IPv6 address" in result.output
    monkeypatch.setenv("ETCD_ENDPOINTS", "ftp://x")
    result = run("--output-dir", str(tmp_path / "other"))
    assert result.exit_code == 0
    assert (
        "etcd                           failed: environment ETCD_ENDPOINTS: endpoint 'ftp://x'"
        in result.output
    )


def test_passwords_and_keys_are_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_USERNAME", "ann")
    monkeypatch.setenv("ETCD_PASSWORD", SECRET)
    # Somebody who logs what he should not: the journal's place is taken by a program that prints it.
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "journalctl").write_text(f"#!/bin/sh\necho 'before {SECRET} behind'\n")
    (programs / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    assert run("--output-dir", str(tmp_path / "out")).exit_code == 0
    files = contents(tmp_path / "out")
    assert files["journal.txt"] == b"before (removed) behind\n"
    assert b"etcd.password = (set, not shown)\n" in files["settings.txt"]
    assert not any(SECRET.encode() in content for content in files.values())


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--output-dir", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert result.output.endswith(": Not a directory\n")


def test_an_interrupted_one_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("felixbgp.cli.diags._add", interrupt)
    assert run("--output-dir", str(tmp_path / "out")).exit_code == 130
    assert list((tmp_path / "out").iterdir()) == []
