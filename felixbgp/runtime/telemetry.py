"""Facts of the core as log records: one line each, fields as `key=value`, a stable name first.

The core returns facts and never logs; what is worth a warning is decided here, in one table.
"""

import dataclasses
import logging
import sys

from felixbgp.agent.effects import Fact, IntentProblem
from felixbgp.bgp import facts as bgp
from felixbgp.cluster.facts import InvalidValue, StoreLost
from felixbgp.fib.types import RouteProblem

LOGGER = logging.getLogger("felixbgp")
LOUD = (
    InvalidValue,
    StoreLost,
    IntentProblem,
    RouteProblem,
    bgp.NotificationReceived,
    bgp.NotificationSent,
    bgp.UpdateMalformed,
    bgp.ConnectionRefused,
)
"""What an operator should look at."""


def start_logging(level: str) -> None:
    """Write records to standard error, where the service manager takes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False


def observe(fact: Fact) -> None:
    """Log one fact."""
    LOGGER.log(_level(fact), "%s", text_of(fact))


def text_of(fact: Fact) -> str:
    """The fact's name and its fields."""
    fields = " ".join(
        f"{field.name}={_value(getattr(fact, field.name))}" for field in dataclasses.fields(fact)
    )
    return f"{type(fact).__name__} {fields}"


def _level(fact: Fact) -> int:
    if isinstance(fact, bgp.SessionStateChanged):
        established = "Established" in (fact.old, fact.new)
        return logging.INFO if established else logging.DEBUG
    return logging.WARNING if isinstance(fact, LOUD) else logging.INFO


def _value(value: object) -> str:
    """A field as text: dataclasses by their fields; spaces are quoted, control characters escaped."""
    if isinstance(value, str):
        return repr(value) if not value or not value.isprintable() or " " in value else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{f.name}={_value(getattr(value, f.name))}" for f in dataclasses.fields(value))
        return f"{{{inner}}}"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    return _value(str(value))
