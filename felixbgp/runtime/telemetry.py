"""Facts of the core as log records: one line each, fields as `key=value`, a stable name first.

The core returns facts and never logs; what is worth a warning is decided here, in one table.
"""

import dataclasses
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from felixbgp.agent.effects import AuditDiffered, AuditNotWritten, Fact, IntentProblem, NodeStatusNotWritten
from felixbgp.agent.forwarding import NextHopUnresolvable
from felixbgp.agent.liveness import NodeDead
from felixbgp.agent.resets import ResetUnfinished, TurnSkipped
from felixbgp.bgp import facts as bgp
from felixbgp.cluster.facts import (
    InvalidValue,
    LastKnownStateUnusable,
    LastKnownStateUsed,
    ReadRefused,
    StoreLost,
)
from felixbgp.fib.types import KernelUnheard, RouteProblem
from felixbgp.runtime.steps import StepTookLong

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LOGGER = logging.getLogger("felixbgp")
LOUD = (
    InvalidValue,
    StoreLost,
    ReadRefused,
    LastKnownStateUsed,
    LastKnownStateUnusable,
    IntentProblem,
    NodeStatusNotWritten,
    AuditDiffered,
    AuditNotWritten,
    NextHopUnresolvable,
    NodeDead,
    ResetUnfinished,
    TurnSkipped,
    RouteProblem,
    KernelUnheard,
    StepTookLong,
    bgp.NotificationReceived,
    bgp.NotificationSent,
    bgp.UpdateMalformed,
    bgp.ConnectionRefused,
)
"""What an operator should look at."""


LINE = "%(asctime)s %(levelname)s %(message)s"


def start_logging(level: str) -> None:
    """Write records to standard error, where the service manager takes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LINE))
    LOGGER.handlers[:] = [handler]
    set_level(level)
    LOGGER.propagate = False


def set_level(level: str) -> None:
    """Write records of this level (`debug`, `info`, `warning`, `error`) and above from now on."""
    LOGGER.setLevel(level.upper())


def correlate(current: Callable[[], tuple[int, int] | None]) -> None:
    """Name in every line the trace and the span that it belongs to: those that `current` gives, if any."""

    def name(record: logging.LogRecord) -> bool:
        found = current()
        record.trace = "" if found is None else f" trace_id={found[0]:032x} span_id={found[1]:016x}"
        return True

    for handler in LOGGER.handlers:
        handler.addFilter(name)
        handler.setFormatter(logging.Formatter(f"{LINE}%(trace)s"))


def observe(fact: Fact | StepTookLong) -> None:
    """Log one fact."""
    LOGGER.log(_level(fact), "%s", text_of(fact))


def text_of(fact: Fact | StepTookLong) -> str:
    """The fact's name and its fields."""
    fields = " ".join(f"{name}={_value(value)}" for name, value in _shown_fields(fact))
    return f"{type(fact).__name__} {fields}"


def _level(fact: Fact | StepTookLong) -> int:
    if isinstance(fact, bgp.SessionStateChanged):
        established = "Established" in (fact.old, fact.new)
        return logging.INFO if established else logging.DEBUG
    return logging.WARNING if isinstance(fact, LOUD) else logging.INFO


def _shown_fields(value: "DataclassInstance") -> Iterator[tuple[str, object]]:
    """The fields of a dataclass but those that its repr leaves out: passwords."""
    return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr)


def _value(value: object) -> str:
    """A field as text: dataclasses by their fields; spaces are quoted, control characters escaped."""
    if isinstance(value, str):
        return repr(value) if not value or not value.isprintable() or " " in value else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{name}={_value(entry)}" for name, entry in _shown_fields(value))
        return f"{{{inner}}}"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    return _value(str(value))
