"""The file of a journal: private, bounded, and never a reason for an agent to end."""

import logging
import os
from pathlib import Path

import pytest

from felixbgp.agent.config import AgentConfig
from felixbgp.agent.inputs import IntentGiven
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.intent.types import Intent
from felixbgp.journal.recorder import RecordedAgent
from felixbgp.journal.records import Ended, Record, read
from felixbgp.net import IPV4, Address
from felixbgp.runtime.journal_file import JournalFile, open_journal, recorder_of
from felixbgp.runtime.telemetry import LOGGER

OWN, PEER = Address.parse("192.0.2.1"), PeerId(Address.parse("192.0.2.2"))
PASSWORD = b"correct horse battery staple"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.WARNING)
    return caplog


def read_all(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(read(file))


def recorded(file: JournalFile, calls: int = 3) -> None:
    agent = RecordedAgent(AgentConfig(node="router"), lambda: 0.0, recorder_of(file))
    config = PeerConfig(
        peer=PEER, name="peer", families=(IPV4,), local_as=1, remote_as=2,
        transport=TransportOptions(password=PASSWORD),
    )  # fmt: skip
    speaker = SpeakerConfig(bgp_identifier=OWN, local_as=1)
    agent.feed(IntentGiven(Intent(speaker=speaker, listen=(OWN,), peers={PEER: config})), 5)
    for now in range(calls):
        agent.drain(now * 1_000_000_000, 100)


def test_what_an_agent_did_is_in_the_file_at_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    file = JournalFile(path)
    recorded(file)
    # As after kill -9: nobody closed it.
    assert len(read_all(path)) >= 5
    assert path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in path.read_bytes()
    file.close()
    file.write(b"too late")
    file.close()
    assert len(read_all(path)) >= 5


def test_the_journal_of_the_life_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for calls in (1, 2, 3):
        file = JournalFile(path)
        recorded(file, calls)
        file.close()
    assert len(read_all(path)) == len(read_all(tmp_path / "journal.1")) + 1


@pytest.mark.parametrize("octets", [0, 10, None], ids=["empty", "in the midst of the first line", "begun"])
def test_a_journal_with_nothing_in_it_does_not_push_out_the_last_life(
    tmp_path: Path, octets: int | None
) -> None:
    path, former = tmp_path / "journal", tmp_path / "journal.1"
    file = JournalFile(path)
    recorded(file)
    file.close()
    life = path.read_bytes()
    for _ in range(3):
        file = JournalFile(path)
        recorder_of(file).begin(AgentConfig(node="router"))
        file.close()
        path.write_bytes(path.read_bytes()[:octets])
        assert former.read_bytes() == life
    file = JournalFile(path)
    recorded(file, 1)
    file.close()
    assert former.read_bytes() == life
    assert len(read_all(path)) > 1


def test_a_file_that_is_no_journal_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("felixbgp is recorded here")
    JournalFile(path).close()
    assert (tmp_path / "journal.1").read_text() == "felixbgp is recorded here"
    path.unlink()
    os.mkfifo(path)
    JournalFile(path).close()
    assert (tmp_path / "journal.1").is_fifo()


def test_a_full_journal_says_so_and_the_agent_goes_on(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal"
    file = JournalFile(path, 1000)
    recorded(file, 50)
    file.close()
    *_, ended = read_all(path)
    assert isinstance(ended, Ended)
    assert ended.reason == "it has no room for more than 1000 octets"
    assert path.stat().st_size < 1200
    [warning] = [record.message for record in log.records]
    assert warning == f"the journal {path} ends: it has no room for more than 1000 octets"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_disk_that_is_full_ends_the_journal_and_not_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal"
    file = JournalFile(path)
    file._file.close()
    with Path("/dev/full").open("wb") as full:
        monkeypatch.setattr(file, "_file", full)
        recorded(file)
        file.close()
    [warning] = [record.message for record in log.records]
    assert warning == f"the journal {path} ends: No space left on device"


def test_where_no_file_can_be_the_log_says_so(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    assert open_journal(tmp_path / "missing" / "journal") is None
    [warning] = [record.message for record in log.records]
    assert warning.startswith("no journal is written (journal): ")
    assert warning.endswith("No such file or directory")


def test_a_link_is_put_aside_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "journal").symlink_to(victim)
    file = open_journal(tmp_path / "journal")
    assert file is not None
    recorded(file)
    file.close()
    assert victim.read_text() == "precious"
