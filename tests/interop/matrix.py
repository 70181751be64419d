"""Cells and what was found in them."""

from dataclasses import dataclass
from enum import Enum

from tests.interop.daemons.base import Daemon
from tests.interop.daemons.bird import Bird
from tests.interop.daemons.exabgp import ExaBgp
from tests.interop.daemons.frr import Frr
from tests.interop.daemons.gobgp import GoBgp
from tests.interop.daemons.openbgpd import OpenBgpd
from tests.interop.plan import VARIANTS, Feature, Variant

DAEMONS: tuple[type[Daemon], ...] = (Bird, Frr, GoBgp, ExaBgp, OpenBgpd)


@dataclass(frozen=True, slots=True)
class Cell:
    """One feature with one daemon, in one kind of session and one family."""

    daemon: type[Daemon]
    variant: Variant
    feature: Feature

    def __str__(self) -> str:
        return f"{self.daemon.name}-{self.variant}-{self.feature.value}".replace(" ", "_")


CELLS = tuple(
    Cell(daemon, variant, feature) for daemon in DAEMONS for variant in VARIANTS for feature in Feature
)


class Verdict(Enum):
    """How a cell ended; one that ended otherwise is a failed test."""

    WORKS = "works"
    PARTLY = "in part"
    """The daemon has half of it."""
    CANNOT = "cannot"
    """The daemon has not got it."""
    NOT_APPLICABLE = "n/a"
    """There is no such thing in this kind of session."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How a cell ended, and what was seen, or why there is nothing to be seen."""

    verdict: Verdict
    text: str
