"""Simulated clusters whose agents are recorded."""

import io
from collections.abc import Callable, Iterable
from typing import cast

from felixbgp.agent.agent import Agent
from felixbgp.agent.config import AgentConfig
from felixbgp.journal.pseudonyms import Pseudonyms
from felixbgp.journal.recorder import RecordedAgent, Recorder
from felixbgp.journal.records import MAGIC, Record, encode, read

KEY = bytes(32)


class Recordings:
    """The journals of all lives of all agents, in the order of their beginnings: node and octets."""

    def __init__(self) -> None:
        self.journals: list[tuple[str, io.BytesIO]] = []

    def make_agent(self, config: AgentConfig, jitter: Callable[[], float]) -> Agent:
        journal = io.BytesIO()
        self.journals.append((config.node, journal))
        recorder = Recorder(lambda octets: void(journal.write(octets)), Pseudonyms(KEY))
        return cast("Agent", RecordedAgent(config, jitter, recorder))

    def records(self, number: int) -> list[Record]:
        return records_of(self.journals[number][1].getvalue())


def void(_: object) -> None:
    return None


def records_of(journal: bytes) -> list[Record]:
    return list(read(io.BytesIO(journal)))


def journal_of(records: Iterable[Record]) -> bytes:
    return MAGIC + b"".join(map(encode, records))
