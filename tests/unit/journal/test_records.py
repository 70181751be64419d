"""The records of a journal, and files that are none."""

import io

import msgpack
import pytest

from felixbgp.agent.config import AgentConfig
from felixbgp.bgp.inputs import BytesReceived
from felixbgp.journal import records
from felixbgp.journal.codec import CodecError
from felixbgp.journal.records import (
    MAGIC,
    Began,
    Call,
    Called,
    Drew,
    Ended,
    Fed,
    JournalError,
    Record,
    encode,
    read,
)
from tests.support.journals import journal_of, records_of

BEGAN = Began("0.1.0", AgentConfig(node="node-1"))
FED = Fed(5, BytesReceived(1, b"x"))
ALL: list[Record] = [BEGAN, FED, Drew(0.5), Called(Call.TAKE, 6, 250, (b"12345678",)), Ended("it is full")]


def framed(tree: object) -> bytes:
    octets: bytes = msgpack.packb(tree)
    return len(octets).to_bytes(4, "big") + octets


def refused(journal: bytes) -> str:
    with pytest.raises(JournalError) as error:
        records_of(journal)
    return str(error.value)


def test_records_come_back_in_their_order() -> None:
    assert records_of(journal_of(ALL)) == ALL


def test_what_makes_times_ones_since_1970_comes_back() -> None:
    began = Began("0.1.0", AgentConfig(node="node-1"), 1_700_000_000_000_000_000)
    assert records_of(journal_of([began])) == [began]
    journal = MAGIC + framed(["began", "1", ["agent.AgentConfig"], "yesterday"])
    assert refused(journal) == "record 1: it is none that is known here"


def test_a_reader_is_told_where_a_journal_is_cut_off() -> None:
    journal = journal_of([BEGAN, FED])
    for missing, told in ((0, []), (1, [2]), (len(encode(FED)) - 2, [2]), (len(encode(FED)), [])):
        found: list[int] = []
        _, *others = read(io.BytesIO(journal[: len(journal) - missing]), found.append)
        assert others == ([FED] if not missing else [])
        assert found == told


def test_a_journal_whose_agent_was_killed_ends_before_its_last_record() -> None:
    journal = journal_of([BEGAN, FED, Drew(0.5)])
    assert records_of(journal[:-1]) == [BEGAN, FED]
    assert records_of(journal[: -len(encode(Drew(0.5))) + 3]) == [BEGAN, FED]


@pytest.mark.parametrize(
    ("journal", "reason"),
    [
        (b"", "it is no journal of felixbgp"),
        (b"\x7fELF" * 20, "it is no journal of felixbgp"),
        (b"felixbgp journal 1\n", "its format is 'felixbgp journal 1', and only 'felixbgp journal 2' is"),
        (MAGIC, "it ends before its first record"),
        (MAGIC + b"\xff\xff\xff\xff", "record 1: 4294967295 octets are more than"),
        (MAGIC + b"\x00\x00\x00\x01\xc1", "record 1: no MessagePack"),
        (MAGIC + encode(FED), "record 1: a journal has its beginning once, and first"),
        (journal_of([BEGAN, BEGAN]), "record 2: a journal has its beginning once, and first"),
        (MAGIC + framed(["began", "1", 5, None]), "record 1: int is no configuration"),
        (journal_of([BEGAN]) + framed(["fed", 5, None]), "record 2: NoneType is no input"),
        (journal_of([BEGAN]) + framed(["fed", 2**64 - 1, None]), "record 2: it is none that is known here"),
        (journal_of([BEGAN]) + framed(["drew", 1.0]), "record 2: it is none that is known here"),
        (journal_of([BEGAN]) + framed(["eval", 1, 1, []]), "record 2: it is none that is known here"),
        (journal_of([BEGAN]) + framed(["take", 1, -1, []]), "record 2: it is none that is known here"),
        (journal_of([BEGAN]) + framed(["take", 1, 1, [b"short"]]), "record 2: a digest is not one"),
        (journal_of([BEGAN]) + framed({}), "record 2: it is none that is known here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_of_bad_will_is_refused_with_a_reason(journal: bytes, reason: str) -> None:
    assert refused(journal).startswith(reason)


def test_what_is_too_much_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = journal_of([BEGAN, FED])
    monkeypatch.setattr(records, "RECORD_OCTETS_MAX", 20)
    with pytest.raises(CodecError, match="more than 20"):
        encode(FED)
    with pytest.raises(JournalError, match="record 1: "):
        list(read(io.BytesIO(journal)))
