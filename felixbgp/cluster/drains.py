"""Nodes that an operator drains: keys below `/felixbgp/v1/drains/`, by protos/felixbgp/v1/drain.proto.

A key is named after its node and stays until the operator takes it away, whatever becomes of the node.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, ConfigDict, StrictStr, ValidationError

from felixbgp.resources.base import Value
from felixbgp.resources.decode import parse_json
from felixbgp.resources.errors import FieldError, field_errors, quote

DRAINS = "/felixbgp/v1/drains/"
"""An optional prefix, which everybody follows: whoever may not read it drains nobody."""

ORIGIN_MAX = 200
"""Characters: a user and a host. It is shown, and goes into the log."""
VALUE_OCTETS_MAX = 2048
"""Of a value: what is in it is bounded, more is a mistake or an attack."""

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
"""Whoever drains makes one up: enough for a UUID."""
_MILLISECOND_NS = 1_000_000


class DrainPhase(Enum):
    """What the node does."""

    ANNOUNCE = "Announce"
    """Announce all with GRACEFUL_SHUTDOWN, as a last resort (RFC 8326)."""
    WITHDRAW = "Withdraw"
    """Announce nothing."""


@dataclass(frozen=True, slots=True)
class Drain:
    """One drain of one node: since when, in nanoseconds since 1970, and who asked; 0 and "" for unknown."""

    id: str
    phase: DrainPhase
    since: int = 0
    origin: str = ""


def _check_id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise ValueError("is not 1 to 64 letters, digits and hyphens")
    return text


def _check_origin(text: str) -> str:
    if len(text) > ORIGIN_MAX:
        raise ValueError(f"is longer than {ORIGIN_MAX} characters")
    return text


class DrainValue(Value):
    """What stands in the store. A machine writes it, and what its later versions add is let pass."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[StrictStr, AfterValidator(_check_id)]
    phase: DrainPhase
    since: AwareDatetime | None = None
    origin: Annotated[StrictStr, AfterValidator(_check_origin)] = ""


def drain_key(node: str) -> str:
    """The key that drains a node."""
    return DRAINS + node


def parse_key(key: str) -> str | None:
    """The node that a key drains; None for a key that is none of these."""
    node = key.removeprefix(DRAINS)
    return node if node and node != key and "/" not in node else None


def decode(value: bytes) -> Drain | list[FieldError]:
    """What a value says, or what is wrong with it; never raises."""
    if len(value) > VALUE_OCTETS_MAX:
        return [FieldError("", quote(value[:20]), f"is longer than {VALUE_OCTETS_MAX} bytes")]
    document = parse_json(value)
    if isinstance(document, list):
        return document
    try:
        stored = DrainValue.model_validate(document)
    except ValidationError as error:
        return field_errors(error)
    since = 0 if stored.since is None else round(stored.since.timestamp() * 1000) * _MILLISECOND_NS
    return Drain(stored.id, stored.phase, since, stored.origin)
