"""What an agent is told and asks for comes back from a journal as it was."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from felixbgp.journal import codec
from felixbgp.journal.codec import CodecError
from felixbgp.journal.records import MAGIC, Began, Call, Called, Drew, Ended, Fed, JournalError, encode, read
from tests.support.every_type import INPUTS, ROOTS, values

BEGAN = st.builds(Began, st.text(max_size=3), values(ROOTS[-1]))
DIGESTS = st.lists(st.binary(min_size=8, max_size=8), max_size=2).map(tuple)
NOW = st.integers(-(2**62), 2**62)
RECORDS = st.one_of(
    st.builds(Fed, NOW, st.sampled_from(INPUTS).flatmap(values)),
    st.builds(Drew, st.floats(0, 1, exclude_max=True)),
    st.builds(Called, st.sampled_from(Call), NOW, st.integers(0, 1000), DIGESTS),
    st.builds(Ended, st.text(max_size=3)),
)


@pytest.mark.parametrize("kind", ROOTS, ids=lambda kind: kind.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_every_input_and_effect_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    octets = codec.encode(value)
    found = codec.decode(octets)
    assert found == value
    assert type(found) is kind
    # The digest of an effect is made of these: one that was read has the same.
    assert codec.encode(found) == octets


@given(BEGAN, st.lists(RECORDS, max_size=4))
def test_a_journal_comes_back_as_it_was_and_cut_off_anywhere_as_far_as_it_goes(
    began: Began, records: list[Fed | Drew | Called | Ended]
) -> None:
    pieces = [MAGIC, *map(encode, (began, *records))]
    journal = b"".join(pieces)
    assert list(read(io.BytesIO(journal))) == [began, *records]
    whole = len(MAGIC) + len(pieces[1])
    for length in range(whole, len(journal), 7):
        cut = list(read(io.BytesIO(journal[:length])))
        assert cut == [began, *records][: len(cut)]


@given(st.binary(max_size=40))
def test_octets_that_are_no_value_are_refused_and_nothing_else_happens(octets: bytes) -> None:
    with suppress(CodecError):
        codec.decode(octets)


@given(BEGAN, st.lists(RECORDS, max_size=3), st.data())
def test_a_journal_that_was_damaged_is_refused_or_read(
    began: Began, records: list[Fed | Drew | Called | Ended], data: st.DataObject
) -> None:
    journal = bytearray(b"".join([MAGIC, *map(encode, (began, *records))]))
    for _ in range(3):
        position = data.draw(st.integers(0, len(journal) - 1))
        journal[position] = data.draw(st.integers(0, 255))
    with suppress(JournalError):
        list(read(io.BytesIO(journal)))
