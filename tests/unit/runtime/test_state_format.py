"""What is kept of the store, as a file: it comes back as it was, or not at all and the reason is said."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.parts import whole
from felixbgp.runtime import state_format
from felixbgp.runtime.state_format import KeptState, StateFormatError, decode, encode

STATE = KeptState(
    node="node-1",
    cluster=0xCE69430282D84FCA,
    endpoints=("http://10.0.0.5:2379",),
    revision=23,
    written=1_700_000_000_000_000_000,
    snapshots=(
        SnapshotReceived(
            "/a/",
            23,
            (StoredValue("/a/1", b'{"a": "\xc3\xa4\\n"}', 17), StoredValue("/a/2", b"\xff\x00", 23)),
        ),
        SnapshotReceived("/b/", 21, ()),
    ),
)


def content(state: KeptState = STATE) -> bytes:
    return b"".join(whole(encode(state)))


def summed(*lines: object) -> bytes:
    """A file of these lines whose checksum fits: whoever can write files can do sums."""
    body = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    return body + json.dumps({"sha256": sha256(body).hexdigest()}).encode() + b"\n"


def refused(file: bytes) -> str:
    with pytest.raises(StateFormatError) as error:
        decode(file)
    return str(error.value)


def test_what_was_kept_comes_back() -> None:
    assert decode(content()) == STATE


def test_it_is_text_that_people_can_read() -> None:
    header, prefix, first, second, *_ = content().decode().splitlines()
    assert json.loads(header)["format"] == "felixbgp store 1"
    assert json.loads(prefix) == {"prefix": "/a/", "revision": 23, "keys": 2}
    assert json.loads(first) == {"key": "/a/1", "revision": 17, "value": '{"a": "ä\\n"}'}
    assert json.loads(second) == {"key": "/a/2", "revision": 23, "octets": "/wA="}


@given(
    st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3), st.integers(0, 2**63 - 1)), max_size=120)
)
def test_whatever_keys_and_values_there_are(entries: list[tuple[str, bytes, int]]) -> None:
    values = tuple(
        StoredValue(f"/a/{key.encode('utf-8', 'backslashreplace').decode()}", value, revision)
        for key, value, revision in entries
    )
    state = replace(STATE, snapshots=(SnapshotReceived("/a/", 1, values),))
    assert decode(content(state)) == state


def test_a_file_that_was_cut_off_anywhere_is_refused() -> None:
    file = content()
    for length in range(len(file)):
        assert refused(file[:length])


def test_a_file_with_any_bit_changed_is_refused() -> None:
    file = content()
    for position in range(len(file)):
        changed = bytearray(file)
        changed[position] ^= 1
        assert refused(bytes(changed))


def test_a_file_with_something_behind_it_is_refused() -> None:
    assert "checksum" in refused(content() + b"{}\n")


HEADER = json.loads(content().splitlines()[0])
PREFIX = {"prefix": "/a/", "revision": 1, "keys": 1}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "it ends after line 0"),
        (b"\n", "line 1: not JSON"),
        (summed({**HEADER, "format": "felixbgp store 2"}), "its format is 'felixbgp store 2', and only"),
        (summed([]), "line 1: an object is wanted"),
        (summed(b"[" * 100_000 + b"\n"), "line 1: not JSON"),
        (summed({**HEADER, "node": 1}), "line 1: node: a text is wanted"),
        (summed({**HEADER, "endpoints": "x"}), "line 1: endpoints: a list of texts is wanted"),
        (summed({**HEADER, "cluster": "x"}), "line 1: cluster: a hexadecimal number is wanted"),
        (summed({**HEADER, "revision": -1}), "line 1: revision: a number from 0"),
        (summed({**HEADER, "written": 1e99}), "line 1: written: a number from 0"),
        (summed(HEADER, {**PREFIX, "keys": 10**9}), "it ends after line 2"),
        (summed(HEADER, {**PREFIX, "keys": True}), "line 2: keys: a number from 0"),
        (
            summed(HEADER, PREFIX, {"key": "/b/1", "revision": 1, "value": ""}),
            "line 3: key: it does not begin",
        ),
        (summed(HEADER, PREFIX, {"key": "/a/1", "revision": 1}), "line 3: value: a text is wanted"),
        (summed(HEADER, PREFIX, {"key": "/a/1", "revision": 1, "octets": "?"}), "line 3: octets:"),
        (summed(HEADER, PREFIX, {"key": "/a/1", "revision": 2**63, "value": ""}), "line 3: revision:"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_of_bad_will_is_refused_with_a_reason(file: bytes, reason: str) -> None:
    assert refused(file).startswith(reason)


def test_a_lone_surrogate_is_no_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_format, "KEYS_MAX", 10)
    file = summed(HEADER, PREFIX, b'{"key": "/a/1", "revision": 1, "value": "\\ud800"}\n')
    assert decode(file).snapshots[0].values[0].value == b"?"


def test_what_is_too_much_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    file = content()
    monkeypatch.setattr(state_format, "KEYS_MAX", 1)
    with pytest.raises(StateFormatError, match="more than 1 keys"):
        content()
    assert refused(file) == "more than 2 lines"
    monkeypatch.setattr(state_format, "KEYS_MAX", 10)
    monkeypatch.setattr(state_format, "FILE_OCTETS_MAX", len(file) - 100)
    with pytest.raises(StateFormatError, match="it would be longer than"):
        content()
    assert refused(file).startswith("longer than")


def test_it_is_made_in_parts() -> None:
    many = tuple(StoredValue(f"/a/{number}", b"{}", 1) for number in range(1000))
    parts = encode(replace(STATE, snapshots=(SnapshotReceived("/a/", 1, many),)))
    assert sum(1 for _ in parts) == 21
