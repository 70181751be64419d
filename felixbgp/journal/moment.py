"""An agent as it stood at a revision of the store, or at a time: its inputs up to then, done again."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final

from felixbgp.agent.agent import Agent
from felixbgp.bgp.snapshot import RouteSnapshot
from felixbgp.cluster.inputs import StoredValue
from felixbgp.journal.known import Known
from felixbgp.journal.recorder import told_of
from felixbgp.journal.records import Began, Called, Fed, JournalError, Record
from felixbgp.journal.replay import Replay
from felixbgp.net import IPV4, IPV6, Prefix
from felixbgp.resources import ResourceKey, parse_key
from felixbgp.status.node_status import NodeStatus

STEPS_MAX: Final = 10_000
"""Of carrying out what was told last; 1,000 nodes that come at once take some hundreds."""
BUDGET: Final = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """When to stop: before what is later than a revision, or than a time in nanoseconds since 1970."""

    revision: int | None = None
    time_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """The agent at that moment. `at` is nanoseconds of its clock, `remarks` what is to be said of all that.

    `revision` is that of the last change that it was told of, `routes` all eligible paths of both families,
    `filters` the BGPFilters as they were stored.
    """

    node: str
    version: str
    at: int
    wall_offset_ns: int | None
    revision: int
    status: NodeStatus
    routes: tuple[tuple[Prefix, RouteSnapshot], ...]
    filters: tuple[StoredValue, ...]
    remarks: tuple[str, ...]


def stood_at(records: Iterable[Record], moment: Moment) -> Stood:
    """Go through a journal up to a moment. Raises `JournalError` where it says nothing of it.

    An input that is later than the moment is the first that does not count; what was told by then is carried
    out, so that it is the last that the agent was while nothing later was known to it. A journal that is
    broken further on, or an agent that raises, end it there, which `remarks` says.
    """
    going = iter(records)
    began = next(going, None)
    if not isinstance(began, Began):
        raise JournalError("it does not begin")
    return _Going(began, moment).through(going)


class _Going:
    """On the way to the moment."""

    def __init__(self, began: Began, moment: Moment) -> None:
        self._began = began
        self._moment = moment
        self._replay = Replay(began)
        self._known = Known()
        self._now: int | None = None
        self._remarks: list[str] = []

    def through(self, records: Iterable[Record]) -> Stood:
        """Until then, or as far as it goes."""
        if self._moment.time_ns is not None and self._began.wall_offset_ns is None:
            raise JournalError("it does not say what time it was, as one of a simulation; give a revision")
        try:
            for record in records:
                if self._is_later(record):
                    self._require_begun(record, records)
                    break
                self._take(record)
            else:
                self._remarks.append("this is the end of the journal; nothing later is in it")
        except _TooEarlyError:
            raise
        except JournalError as error:
            self._remarks.append(f"{error}: what follows is missing")
        except Exception as error:
            raise JournalError(f"it cannot be told: {told_of(error)}") from error
        if self._now is None:
            raise JournalError("it begins after that")
        return self._stood(self._now)

    def _is_later(self, record: Record) -> bool:
        """Whether a record is beyond the moment."""
        if self._moment.time_ns is not None and isinstance(record, Fed | Called):
            return record.now + (self._began.wall_offset_ns or 0) > self._moment.time_ns
        if self._moment.revision is None or not isinstance(record, Fed):
            return False
        return self._newest(record) > self._moment.revision

    def _require_begun(self, later: Record, records: Iterable[Record]) -> None:
        """Raise `_TooEarlyError` where what is read for the first time is later than the moment.

        Several prefixes are read at the start, each in a record of its own: it names the first revision by
        which all of them are told.
        """
        revision = self._moment.revision
        if revision is None or not isinstance(later, Fed) or not self._known.is_first(later.event):
            return
        # What is broken further on tells of nothing later.
        with suppress(JournalError):
            for record in chain([later], records):
                if not isinstance(record, Fed):
                    continue
                newest = self._newest(record)
                if newest > revision:
                    if not self._known.is_first(record.event):
                        break
                    revision = newest
                self._known.take(record.event)
        raise _TooEarlyError(f"it begins later: the first revision that it tells of is {revision}")

    def _newest(self, record: Fed) -> int:
        """The revision of the last change that an input has, 0 where it has none."""
        return max((change.revision for change in self._known.changes_of(record.event)), default=0)

    def _take(self, record: Record) -> None:
        if isinstance(record, Fed):
            self._known.take(record.event)
        if isinstance(record, Fed | Called):
            self._now = record.now
        difference = self._replay.take(record)
        if difference is not None:
            self._replay.go_on()
            self._remarks.append(
                f"from call {difference.number} on an agent of today does otherwise; this is what it would do"
            )

    def _stood(self, now: int) -> Stood:
        self._replay.go_on()
        agent = self._replay.agent
        try:
            self._replay.catch_up()
            _carry_out(agent, now)
            status = agent.status(now)
            routes = [
                (Prefix(family, path.nlri), path) for family in (IPV4, IPV6) for path in agent.paths(family)
            ]
        except Exception as error:
            raise JournalError(f"it cannot be told: {told_of(error)}") from error
        return Stood(
            node=self._began.config.node,
            version=self._began.version,
            at=now,
            wall_offset_ns=self._began.wall_offset_ns,
            revision=self._known.revision,
            status=status,
            routes=tuple(sorted(routes, key=_route_order)),
            filters=tuple(one for key, one in sorted(self._known.values.items()) if _is_filter(key)),
            remarks=tuple(self._remarks),
        )


class _TooEarlyError(JournalError):
    """The moment is before the journal."""


def _carry_out(agent: Agent, now: int) -> None:
    """What was told and not asked for yet; what comes of it goes nowhere."""
    for _ in range(STEPS_MAX):
        agent.drain(now, BUDGET)
        if not (agent.backlog or agent.is_selecting):
            return


def _is_filter(key: str) -> bool:
    parsed = parse_key(key)
    return isinstance(parsed, ResourceKey) and parsed.kind == "BGPFilter"


def _route_order(found: tuple[Prefix, RouteSnapshot]) -> tuple[int, bytes, int, bool]:
    """By prefix, and the selected path of each first; paths to one keep their order."""
    prefix, path = found
    return prefix.family.bits, bytes(prefix.address), prefix.length, not path.best
