"""What is kept of the store on the node's disk, as lines of JSON: `less` and `jq` can read them.

    {"format": "felixbgp store 1", "node": …, "cluster": …, "endpoints": […], "revision": …, "written": …}
    {"prefix": "/calico/…/nodes/", "revision": 4711, "keys": 2}
    {"key": "/calico/…/nodes/node-1", "revision": 17, "value": "{…}"}
    {"key": "/calico/…/nodes/node-2", "revision": 23, "octets": "…"}     in base64: a value that is no UTF-8
    {"sha256": "…"}                                                       of all lines before

`written` is in nanoseconds since 1970. A file that is not exactly so is of no use, and the error says why.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.parts import Parts

FORMAT: Final = "felixbgp store 1"
FILE_OCTETS_MAX: Final = 64 << 20
"""A cluster of 1,000 nodes has 1 to 2 MB. More than this is no state that an agent can follow."""
KEYS_MAX: Final = 200_000
"""The same, in keys: some twenty times what 1,000 nodes, their pools, peers and filters are."""
LINES_AT_ONCE: Final = 50
"""Lines that are made before somebody else has a turn: half a millisecond."""
NUMBER_MAX: Final = 2**63 - 1
"""Revisions and nanoseconds are signed 64-bit numbers."""


class StateFormatError(ValueError):
    """Why a file is of no use; the text is for the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptState:
    """What the store held at `revision`. `cluster` is etcd's id of the cluster, 0 where it gave none."""

    node: str
    cluster: int
    endpoints: tuple[str, ...]
    revision: int
    written: int
    snapshots: tuple[SnapshotReceived, ...]


def encode(state: KeptState) -> Parts[list[bytes]]:
    """The file's content in pieces, made in parts. Raises `StateFormatError`: it is too much."""
    if sum(len(snapshot.values) for snapshot in state.snapshots) > KEYS_MAX:
        raise StateFormatError(f"there are more than {KEYS_MAX} keys")
    digest, pieces, size = hashlib.sha256(), list[bytes](), 0
    lines = _lines(state)
    while some := list(islice(lines, LINES_AT_ONCE)):
        piece = "".join(some).encode()
        digest.update(piece)
        pieces.append(piece)
        size += len(piece)
        if size > FILE_OCTETS_MAX:
            raise StateFormatError(f"it would be longer than {FILE_OCTETS_MAX} octets")
        yield LINES_AT_ONCE
    pieces.append(_line({"sha256": digest.hexdigest()}).encode())
    return pieces


def _lines(state: KeptState) -> Iterator[str]:
    yield _line(
        {
            "format": FORMAT,
            "node": state.node,
            "cluster": f"{state.cluster:x}",
            "endpoints": list(state.endpoints),
            "revision": state.revision,
            "written": state.written,
        }
    )
    for snapshot in state.snapshots:
        values = snapshot.values
        yield _line({"prefix": snapshot.prefix, "revision": snapshot.revision, "keys": len(values)})
        for stored in values:
            yield _line({"key": stored.key, "revision": stored.revision, **_value_fields(stored.value)})


def _value_fields(value: bytes) -> dict[str, str]:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"octets": base64.b64encode(value).decode()}


def _line(fields: dict[str, object]) -> str:
    return json.dumps(fields) + "\n"


def decode(content: bytes) -> KeptState:
    """Read a file. Raises `StateFormatError`."""
    if len(content) > FILE_OCTETS_MAX:
        raise StateFormatError(f"longer than {FILE_OCTETS_MAX} octets")
    lines = content.splitlines()
    if len(lines) > 2 * KEYS_MAX:
        raise StateFormatError(f"more than {2 * KEYS_MAX} lines")
    reader = _Reader(lines)
    header = reader.next()
    form = header.get("format")
    if form != FORMAT:
        raise StateFormatError(f"its format is {form!r:.80}, and only {FORMAT!r} is known here")
    _check_sum(content, lines[-1])
    lines.pop()
    snapshots: list[SnapshotReceived] = []
    while reader.has_more:
        snapshots.append(_snapshot(reader))
    endpoints = header.get("endpoints")
    if not isinstance(endpoints, list) or not all(isinstance(one, str) for one in endpoints):
        raise StateFormatError("line 1: endpoints: a list of texts is wanted")
    try:
        cluster = int(_text(header, "cluster", 1), 16)
    except ValueError as error:
        raise StateFormatError("line 1: cluster: a hexadecimal number is wanted") from error
    return KeptState(
        node=_text(header, "node", 1),
        cluster=cluster,
        endpoints=tuple(endpoints),
        revision=_number(header, "revision", 1),
        written=_number(header, "written", 1),
        snapshots=tuple(snapshots),
    )


def _check_sum(content: bytes, last: bytes) -> None:
    """The last line is the sum of all others; a file that was cut off has none."""
    body = content[: len(content) - len(last) - 1]
    wanted = _line({"sha256": hashlib.sha256(body).hexdigest()}).encode()
    if content[len(body) :] != wanted:
        raise StateFormatError("its checksum does not fit: it was damaged, or cut off")


class _Reader:
    """Goes through the lines of a file."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self.number = 0

    @property
    def has_more(self) -> bool:
        return self.number < len(self._lines)

    def next(self) -> dict[str, object]:
        if not self.has_more:
            raise StateFormatError(f"it ends after line {self.number}")
        line = self._lines[self.number]
        self.number += 1
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StateFormatError(f"line {self.number}: not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise StateFormatError(f"line {self.number}: an object is wanted")
        return fields


def _snapshot(reader: _Reader) -> SnapshotReceived:
    head, number = reader.next(), reader.number
    prefix, revision = _text(head, "prefix", number), _number(head, "revision", number)
    values: list[StoredValue] = []
    for _ in range(_number(head, "keys", number)):
        fields = reader.next()
        key, at = _text(fields, "key", reader.number), _number(fields, "revision", reader.number)
        if not key.startswith(prefix):
            raise StateFormatError(f"line {reader.number}: key: it does not begin with {prefix!r:.80}")
        values.append(StoredValue(key, _value(fields, reader.number), at))
    return SnapshotReceived(prefix, revision, tuple(values))


def _value(fields: dict[str, object], number: int) -> bytes:
    if "octets" not in fields:
        return _text(fields, "value", number).encode(errors="replace")
    try:
        return base64.b64decode(_text(fields, "octets", number), validate=True)
    except (binascii.Error, ValueError) as error:
        raise StateFormatError(f"line {number}: octets: {error}") from error


def _text(fields: dict[str, object], name: str, number: int) -> str:
    found = fields.get(name)
    if not isinstance(found, str):
        raise StateFormatError(f"line {number}: {name}: a text is wanted")
    return found


def _number(fields: dict[str, object], name: str, number: int) -> int:
    found = fields.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= NUMBER_MAX:
        raise StateFormatError(f"line {number}: {name}: a number from 0 to {NUMBER_MAX} is wanted")
    return found
