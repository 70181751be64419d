"""The records of a journal, and their octets.

    "felixbgp journal 2" and a newline, then records, each as its length (four octets) and MessagePack:

    ["began", version, config, offset]  once, first: the version of felixbgp, the agent's configuration, and
                                        what makes its times ones since 1970, or null where nothing does
    ["fed", now, input]                 `Agent.feed`
    ["drew", number]                    a random number in [0, 1), for the input before or the call behind it
    ["take", now, budget, [digest, …]]  a call, and the digest of each effect; so `tell`, `publish`, `drain`
    ["ended", reason]                   no more is recorded, and why

`now` is monotonic nanoseconds. A journal whose agent was killed ends in the midst of a record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from felixbgp.agent.config import AgentConfig
from felixbgp.agent.inputs import Input
from felixbgp.journal import codec
from felixbgp.journal.codec import CodecError, Replacing

MAGIC: Final = b"felixbgp journal 2\n"
_FAMILY: Final = b"felixbgp journal "
LENGTH_OCTETS: Final = 4
RECORD_OCTETS_MAX: Final = 64 << 20
"""A snapshot of the kernel with a million routes has some 40 MB."""
DIGEST_OCTETS: Final = 8
_CALLS: Final = ("take", "tell", "publish", "drain")
BUDGET_MAX: Final = 10_000_000
NANOSECONDS_MAX: Final = 2**63 - 1


class JournalError(ValueError):
    """A journal that cannot be read; the text says where and why."""


class Call(StrEnum):
    """The calls of an agent that give effects."""

    TAKE = "take"
    TELL = "tell"
    PUBLISH = "publish"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Began:
    """Which felixbgp, with which configuration.

    `wall_offset_ns` added to the agent's times gives nanoseconds since 1970 (UTC); None where its clock is
    nobody's, as in a simulation.
    """

    version: str
    config: AgentConfig
    wall_offset_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Drew:
    """A random number that the agent was given."""

    number: float


@dataclass(frozen=True, slots=True)
class Fed:
    """What the agent was told."""

    now: int
    event: Input


@dataclass(frozen=True, slots=True)
class Called:
    """What the agent was asked to do, and the digest of each effect that came of it."""

    call: Call
    now: int
    budget: int
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more was recorded."""

    reason: str


Record = Began | Drew | Fed | Called | Ended


def encode(record: Record, secrets: Replacing | None = None) -> bytes:
    """A record with its length. Raises `CodecError` for a class that is not registered."""
    packed = codec.pack(_tree(record, secrets))
    if len(packed) > RECORD_OCTETS_MAX:
        raise CodecError(f"a record of {len(packed)} octets: more than {RECORD_OCTETS_MAX}")
    return len(packed).to_bytes(LENGTH_OCTETS, "big") + packed


def _tree(record: Record, secrets: Replacing | None) -> list[object]:
    match record:
        case Fed():
            return ["fed", record.now, codec.plain(record.event, secrets)]
        case Called():
            return [str(record.call), record.now, record.budget, list(record.digests)]
        case Drew():
            return ["drew", record.number]
        case Began():
            return ["began", record.version, codec.plain(record.config, secrets), record.wall_offset_ns]
        case Ended():
            return ["ended", record.reason]


def read(file: BinaryIO, cut: Callable[[int], None] = lambda _: None) -> Iterator[Record]:
    """The records of a journal, the first of them `Began`. One that is cut off at the end is left out.

    `cut` is told of that, with the number of the record. Raises `JournalError`.
    """
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if magic.startswith(_FAMILY):
            found, known = (text.decode(errors="replace").strip() for text in (magic, MAGIC))
            raise JournalError(f"its format is {found!r}, and only {known!r} is known here")
        raise JournalError("it is no journal of felixbgp")
    number = 0
    while (octets := _next(file, number + 1, cut)) is not None:
        number += 1
        try:
            record = _record_of(codec.unpack(octets))
        except CodecError as error:
            raise JournalError(f"record {number}: {error}") from error
        if (number == 1) != isinstance(record, Began):
            raise JournalError(f"record {number}: a journal has its beginning once, and first")
        yield record
    if not number:
        raise JournalError("it ends before its first record")


def is_bare(file: BinaryIO) -> bool:
    """Whether a file is empty, or a journal that has its beginning, or a piece of that, and nothing else."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        return MAGIC.startswith(magic)
    try:
        return _next(file, 1, lambda _: None) is None or not file.read(1)
    except JournalError:
        return False


def _next(file: BinaryIO, number: int, cut: Callable[[int], None]) -> bytes | None:
    """The octets of the next record; None at the end, or where it is cut off."""
    head = file.read(LENGTH_OCTETS)
    if not head:
        return None
    if len(head) < LENGTH_OCTETS:
        cut(number)
        return None
    length = int.from_bytes(head, "big")
    if length > RECORD_OCTETS_MAX:
        raise JournalError(f"record {number}: {length} octets are more than {RECORD_OCTETS_MAX}")
    octets = file.read(length)
    if len(octets) == length:
        return octets
    cut(number)
    return None


def _record_of(tree: object) -> Record:
    """Raises `CodecError`."""
    match tree:
        case ["fed", int(now), event] if _is_time(now):
            value = codec.value_of(event)
            if not isinstance(value, Input):
                raise CodecError(f"{type(value).__name__} is no input")
            return Fed(now, value)
        case [str(call), int(now), int(budget), list(digests)] if (
            call in _CALLS and _is_time(now) and 0 <= budget <= BUDGET_MAX
        ):
            if not all(isinstance(one, bytes) and len(one) == DIGEST_OCTETS for one in digests):
                raise CodecError("a digest is not one")
            return Called(Call(call), now, budget, tuple(digests))
        case ["drew", float(number)] if 0 <= number < 1:
            return Drew(number)
        case ["began", str(version), config, (int() | None) as offset] if _is_time(offset or 0):
            value = codec.value_of(config)
            if not isinstance(value, AgentConfig):
                raise CodecError(f"{type(value).__name__} is no configuration")
            return Began(version, value, offset)
        case ["ended", str(reason)]:
            return Ended(reason)
        case _:
            raise CodecError("it is none that is known here")


def _is_time(now: int) -> bool:
    return -NANOSECONDS_MAX <= now <= NANOSECONDS_MAX
