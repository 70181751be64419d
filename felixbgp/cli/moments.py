"""Times as people give them: how long ago, or when."""

import re
from datetime import datetime

import click

SECOND_NS = 1_000_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d{1,9}[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def time_of(text: str, now_ns: int) -> int:
    """Nanoseconds since 1970 of `10m`, `1h30m`, `2026-05-01` or `2026-05-01T12:30:00Z`; refuses what is none.

    A duration counts back from `now_ns`; a time without a zone is the local one.
    """
    if _DURATION.fullmatch(text):
        ago = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
        return now_ns - ago * SECOND_NS
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * SECOND_NS)
    except (ValueError, OverflowError, OSError) as error:
        raise click.UsageError(
            f"{text!r} is neither a duration (10m, 2h, 1d) nor a time (2026-05-01T12:30:00)"
        ) from error


def time_text(wall_ns: int) -> str:
    """A moment in the local zone, to the second."""
    return datetime.fromtimestamp(wall_ns // SECOND_NS).astimezone().strftime("%Y-%m-%d %H:%M:%S")
