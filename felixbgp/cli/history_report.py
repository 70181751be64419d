"""The events of journals in one order, and their forms for people and for programs."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, assert_never

from felixbgp.cli.journals import Journal
from felixbgp.cli.kinds import described
from felixbgp.cli.moments import SECOND_NS, time_text
from felixbgp.cli.table import tabbed
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.secrets import SECRETS
from felixbgp.journal.fields import FieldChange
from felixbgp.journal.history import Event, History, ResourceChanged, SessionChanged, Told, Worthwhile
from felixbgp.journal.known import Known
from felixbgp.journal.records import JournalError, read
from felixbgp.resources import AffinityKey, parse_key

FIELDS_SHOWN = 3
VALUE_SHOWN = 40
"""Characters of a value in a table; all that is known of it is in the other forms."""


class Wanted(NamedTuple):
    """What of all events to show. Gaps are shown in any case: without them the rest could mislead."""

    since_ns: int | None = None
    resources: bool = True
    sessions: bool = True
    peer: str | None = None
    kind: str | None = None
    name: str | None = None
    every: bool = False
    """Also what `Worthwhile` leaves out."""

    def has(self, event: Event) -> bool:
        """Whether it is one of them, whenever it was."""
        match event:
            case Told():
                return event.is_gap or (self.peer is None and self.kind is None)
            case SessionChanged():
                about = self.peer == str(event.peer) if self.peer is not None else self.kind is None
                return self.sessions and about
            case ResourceChanged():
                return self.resources and self._has_key(event.key)
            case _:
                assert_never(event)

    def _has_key(self, key: str) -> bool:
        if self.kind is None:
            return self.peer is None
        parsed = parse_key(key)
        if parsed is None or isinstance(parsed, AffinityKey):
            return False
        return parsed.kind == self.kind and self.name in (None, parsed.name)


class Entry(NamedTuple):
    """An event of a node; `wall_ns` is since 1970, None where that is not known."""

    node: str
    wall_ns: int | None
    event: Event


def gather(journals: Sequence[Journal], wanted: Wanted) -> list[Entry]:
    """What the journals tell, each node's lives in their order, all in the order of time.

    A change of the store that several nodes were told of is there once, from the first.
    """
    found: list[tuple[int, Entry]] = []
    known: dict[str, Known] = {}
    for journal in journals:
        worthwhile = Worthwhile()
        for event in _events(journal, known.setdefault(journal.node, Known()), wanted):
            if (wanted.every or worthwhile(event)) and wanted.has(event):
                offset = journal.wall_offset_ns
                wall_ns = None if offset is None else event.at + offset
                if wall_ns is None or wanted.since_ns is None or wall_ns >= wanted.since_ns:
                    at = event.at if wall_ns is None else wall_ns
                    found.append((at, Entry(journal.node, wall_ns, event)))
    return list(_once(entry for _, entry in sorted(found, key=lambda one: one[0])))


def _events(journal: Journal, known: Known, wanted: Wanted) -> Iterator[Event]:
    """One life, as far as it can be read."""
    history = History(known, with_sessions=wanted.sessions)
    cut: list[int] = []
    try:
        with journal.path.open("rb") as file:
            for record in read(file, cut.append):
                yield from history.take(record)
    except (JournalError, OSError) as error:
        yield history.gap(f"the journal {journal.path} is broken: {error}; what follows is missing")
    if cut:
        yield history.gap(f"the journal {journal.path} is cut off in record {cut[0]}")


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[tuple[str, int, bool]] = set()
    for entry in entries:
        event = entry.event
        if isinstance(event, ResourceChanged):
            change = event.key, event.revision, event.is_put
            if change in seen:
                continue
            seen.add(change)
        yield entry


def rendered(entries: Sequence[Entry]) -> str:
    """A table. Times are local; those of a clock that is nobody's are its seconds."""
    rows = [
        (
            _when(entry),
            entry.node,
            _revision(entry.event),
            *_words(entry.event),
        )
        for entry in entries
    ]
    table = tabbed(("TIME", "NODE", "REVISION", "WHAT", "WHY"), rows)
    return "".join(f"{line.rstrip()}\n" for line in table.splitlines())


def as_objects(entries: Sequence[Entry]) -> list[dict[str, object]]:
    """A list for programs; times are UTC, null where they are not known."""
    return [_as_object(entry) for entry in entries]


def subject_of(key: str) -> str:
    """A key as messages name what it holds."""
    parsed = parse_key(key)
    if isinstance(parsed, AffinityKey):
        return f"block {parsed.cidr} of {parsed.host}"
    if parsed is not None:
        return described(parsed)
    for prefix, name in ((DRAINS, "drain of"), (SECRETS, "secret")):
        if key.startswith(prefix):
            return f"{name} {key.removeprefix(prefix)}"
    return key


def _when(entry: Entry) -> str:
    if entry.wall_ns is not None:
        return time_text(entry.wall_ns)
    return f"{entry.event.at / SECOND_NS:.3f} s"


def _revision(event: Event) -> str:
    if not event.revision:
        return "-"
    return (
        f"≤{event.revision}"
        if isinstance(event, ResourceChanged) and event.is_listed
        else str(event.revision)
    )


def _words(event: Event) -> tuple[str, str]:
    """What happened, and why."""
    match event:
        case Told():
            return (f"MISSING: {event.text}" if event.is_gap else event.text), ""
        case SessionChanged():
            return f"{event.peer} {event.old} → {event.new}", _why(event)
        case ResourceChanged():
            shown = [_field(change, is_new=event.is_new) for change in event.fields[:FIELDS_SHOWN]]
            more = len(event.fields) - len(shown)
            return (
                f"{subject_of(event.key)} {_action(event)}",
                "; ".join([*shown, *([f"{more} more"] if more else [])]),
            )
        case _:
            assert_never(event)


def _why(event: SessionChanged) -> str:
    """The cause as `node status` has it, and what the speaker said."""
    return ": ".join(filter(None, ("" if event.cause is None else event.cause.value, event.reason)))


def _action(event: ResourceChanged) -> str:
    if not event.is_put:
        return "deleted"
    return "created" if event.is_new else "changed"


def _field(change: FieldChange, *, is_new: bool) -> str:
    before, after = ("none" if text is None else _cut(text) for text in (change.before, change.after))
    return f"{change.field}: {after}" if is_new else f"{change.field}: {before} → {after}"


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_SHOWN else f"{text[: VALUE_SHOWN - 1]}…"


def _as_object(entry: Entry) -> dict[str, object]:
    event = entry.event
    wall = None if entry.wall_ns is None else datetime.fromtimestamp(entry.wall_ns / SECOND_NS, UTC)
    head: dict[str, object] = {
        "time": None if wall is None else wall.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "clock": event.at / SECOND_NS,
        "node": entry.node,
        "revision": event.revision,
    }
    match event:
        case Told():
            return {**head, "about": "agent", "text": event.text, "missing": event.is_gap}
        case SessionChanged():
            return {
                **head,
                "about": "session",
                "peer": str(event.peer),
                "name": event.name,
                "from": event.old,
                "to": event.new,
                "cause": None if event.cause is None else event.cause.value,
                "reason": event.reason,
            }
        case ResourceChanged():
            return {
                **head,
                "about": "resource",
                "key": event.key,
                "action": _action(event),
                "orBefore": event.is_listed,
                "fields": [change._asdict() for change in event.fields],
            }
        case _:
            assert_never(event)
