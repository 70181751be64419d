"""The targets by name. Each takes octets, and raises for those of which its promise does not hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.fuzz import selector, session, wire

CORPUS: Final = Path(__file__).parent / "corpus"
"""Octets that together reach all the code any were found to reach; a folder for each target."""

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "framer": wire.framer,
    "open": wire.opening,
    "update": wire.update,
    "attribute": wire.attribute,
    "notification": wire.notification,
    "route_refresh": wire.route_refresh,
    "session": session.script,
    "selector": selector.selector,
}

OCTETS_MAX: Final = {
    "framer": 400,
    "open": 400,
    "update": 600,
    "attribute": 1200,
    "notification": 300,
    "route_refresh": 40,
    "session": 600,
    "selector": 300,
}
"""Long enough for what any branch asks for, and short, because short ones run faster."""
