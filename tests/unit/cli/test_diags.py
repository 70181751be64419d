"""`felixbgp node diags`, as far as it needs no etcd."""

import importlib
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from felixbgp import __version__
from felixbgp.cli.blotting import Blotter
from felixbgp.cli.main import cli
from felixbgp.runtime.core import core_form

# The command of that name hides the module.
diags = importlib.import_module("felixbgp.cli.diags")

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
    assert {"version.txt", "settings.txt", "sysctls.txt", "contents.txt", "manifest.json"} <= set(files)
    assert b"node = 'node-1'\n" in files["settings.txt"]
    assert f"felixbgp {__version__}, its core {core_form()}\n".encode() in files["version.txt"]
    assert "etcd/bgpconfigurations.jsonl   failed: etcd cannot be reached: " in result.output
    assert f"Diags saved to {folder}/felixbgp-diags-node-1-" in result.output
    told = files["contents.txt"].decode()
    assert told in result.output
    failed = told.count(" failed: ")
    assert f"; {failed} could not be had\n" in result.output
    manifest = json.loads(files["manifest.json"])
    assert manifest["node"] == "node-1"
    listed = {file["name"]: file for file in manifest["files"]}
    assert {name for name, file in listed.items() if "bytes" in file} == set(files) - {
        "contents.txt",
        "manifest.json",
    }
    assert sum("failed" in file for file in listed.values()) == failed
    # No agent answers, records or keeps anything here, which each says by itself.
    assert listed["readiness.json"]["failed"].startswith("127.0.0.1:9178: ")
    assert listed["recording/journal"]["failed"] == "the agent is not recorded (journal)"
    assert listed["history.txt"]["failed"] == "the agent is not recorded (journal)"
    assert listed["explanations.jsonl"]["failed"].endswith("(status.address)")


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
    manifest = json.loads(files["manifest.json"])
    removed = {file["name"]: file["removed"] for file in manifest["files"] if file["removed"]}
    assert removed == {"journal.txt": 1}
    assert manifest["removed"]["places"] == 1
    assert manifest["removed"]["knownSecrets"] == 1


def test_files_with_secrets_tell_what_is_to_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, password = b"k" * 64, b"tcp md5 password"
    begin, end = b"-----BEGIN PRIVATE KEY-----\n", b"\n-----END PRIVATE KEY-----\n"
    (tmp_path / "cert.pem").write_bytes(b"public")
    (tmp_path / "key.pem").write_bytes(begin + key + end)
    (tmp_path / "secrets" / "bgp").mkdir(parents=True)
    (tmp_path / "secrets" / "bgp" / "tor").write_bytes(password + b"\n")
    monkeypatch.setenv("ETCD_CERT_FILE", str(tmp_path / "cert.pem"))
    monkeypatch.setenv("ETCD_KEY_FILE", str(tmp_path / "key.pem"))
    monkeypatch.setenv("FELIXBGP_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=token-of-traces,b=1")
    secrets = [*diags._secrets({})]
    blotted, places = Blotter(secrets).blot(b"; ".join((key, password, b"token-of-traces", b"1")))
    assert (blotted, places) == (b"(removed); (removed); (removed); 1", 3)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("SECONDS_MAX", "left out: the others have taken -1 s"),
        ("BYTES_MAX", "left out: the others have -1 MiB"),
    ],
)
def test_when_it_is_enough_the_rest_is_named_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    monkeypatch.setattr(diags, limit, -1)
    assert run("--output-dir", str(tmp_path / "out")).exit_code == 0
    files = contents(tmp_path / "out")
    assert set(files) == {"contents.txt", "manifest.json"}
    assert {file["failed"] for file in json.loads(files["manifest.json"])["files"]} == {reason}


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
