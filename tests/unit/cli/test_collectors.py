"""What `node diags` gathers, piece by piece."""

import sys
from pathlib import Path

import pytest

from felixbgp.cli import collectors
from felixbgp.cli.collectors import (
    CannotCollectError,
    Gathered,
    described_settings,
    local_collectors,
    run_command,
)
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.settings import AgentSettings

SECRET = "not for anybody"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_settings_are_told_but_not_what_is_secret() -> None:
    etcd = EtcdSettings(
        endpoints=("https://a:1",), username="ann", password=SECRET, cert_pem="public", key_pem=SECRET
    )
    text = described_settings(AgentSettings(node="node-1", etcd=etcd))
    assert "node = 'node-1'\n" in text
    assert "etcd.endpoints = ('https://a:1',)\n" in text
    assert "etcd.username = 'ann'\n" in text
    assert "etcd.password = (set, not shown)\n" in text
    assert "etcd.key_pem = (set, not shown)\n" in text
    assert SECRET not in text
    without = described_settings(AgentSettings(node="node-1", etcd=EtcdSettings()))
    assert "etcd.password = (not set)\n" in without


def test_a_program_gives_what_it_prints() -> None:
    assert run_command(python("print('x')")) == b"x\n"
    said = run_command(python("import sys; print('x'); print('y', file=sys.stderr); sys.exit(1)"))
    assert said == b"x\n\n(it said: y)\n"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["no-such-program-anywhere"], "no-such-program-anywhere: not installed"),
        (python("import sys; sys.exit('why')"), "why"),
        (python("import sys; sys.exit(3)"), ".*: exit status 3"),
    ],
)
def test_a_program_that_gives_nothing_says_why(words: list[str], reason: str) -> None:
    with pytest.raises(CannotCollectError, match=f"^{reason}$"):
        run_command(words)


def test_a_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collectors, "COMMAND_SECONDS_MAX", 0.1)
    with pytest.raises(CannotCollectError, match=r"not done within 0\.1 s"):
        run_command(python("import sys; sys.stdin = open(0); import signal; signal.pause()"))


def test_a_program_that_prints_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collectors, "OUTPUT_BYTES_MAX", 10)
    assert run_command(python("print('x' * 100)")) == b"x" * 10 + b"\n(cut here: too long)\n"


def test_sysctls_are_told_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "net" / "ipv4"
    (folder / "conf" / "eth0").mkdir(parents=True)
    (folder / "ip_forward").write_text("1\n")
    (folder / "tcp_mem").write_text("1\t2\t3\n")
    (folder / "conf" / "eth0" / "rp_filter").write_text("2\n")
    assert list(collectors._sysctl_lines(tmp_path)) == [
        "net.ipv4.conf.eth0.rp_filter = 2\n",
        "net.ipv4.ip_forward = 1\n",
        "net.ipv4.tcp_mem = 1 2 3\n",
    ]


def test_no_command_prints_the_keys_of_tcp_md5() -> None:
    def settings() -> AgentSettings:
        return AgentSettings(node="n", etcd=EtcdSettings())

    names = [collector.name for collector in local_collectors("felixbgp", settings)]
    assert len(set(names)) == len(names)
    commands: list[list[str]] = [
        getattr(collector.collect, "args", ([],))[0] for collector in local_collectors("x", settings)
    ]
    sockets = [words for words in commands if words[:1] == ["ss"]]
    assert sockets
    # `ss --info` (-i) shows them to root, as "md5keys:10.0.0.2=SECRET".
    assert not any(
        word == "--info" or (word[:2] != "--" and "i" in word[1:]) for words in sockets for word in words[1:]
    )


def test_a_file_is_told_with_its_size_or_the_reason_it_is_missing() -> None:
    assert str(Gathered("a.txt", b"12345")).split() == ["a.txt", "5", "bytes"]
    assert str(Gathered("a.txt", None, "why not")).split(maxsplit=1) == ["a.txt", "failed: why not"]
