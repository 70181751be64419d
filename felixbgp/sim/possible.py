"""Whether a node must have a way to a prefix at this moment: what nobody is to lose.

    connections, End-of-RIB ─▶ which sessions have carried all their routes, and since when they are down ─┐
    store, as of now and of a moment ago ─▶ which sessions are wanted, or are being drained ───────────────┤
                                                                                                           ▼
      must_have: somebody tells of it, by all that the store just said, with and without what came or went

Nothing of an agent is looked at, only the store, and what hosts send and lose. In doubt nobody must:

* a session counts once both ends have sent all they have, and after its loss for as long as the other asked
  for (its restart time), while it is wanted;
* one that is not wanted any more counts as long as it is up, for the time of draining at most, if both ends
  are there still and have heard of it; from it comes what is used only where there is nothing else;
* behind a speaker that restarted, only what it has heard again counts;
* it must be one and the same who tells of it before and after each change of the last seconds: BGP tells one
  path only, and where another one takes over it may come later than the word that the first is gone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from felixbgp.net import Address, Prefix
from felixbgp.sim.network import End
from felixbgp.sim.oracle import UnsettledError, Way, origins, propagate, tell
from felixbgp.sim.topology import Cluster, Session, sessions

SECOND: Final = 1_000_000_000
SETTLING_NS: Final = 5 * SECOND
"""From End-of-RIB at both ends until all of it is in the kernels."""
VIEW_NS: Final = 15 * SECOND
"""Until everybody has heard of a change of the store, and has done what follows."""
LONG_NS: Final = 60 * SECOND
"""After a loss of this length nothing is taken to have been kept."""
FOREVER: Final = 1 << 62
MARGIN_NS: Final = 5 * SECOND
"""Clocks differ, and the two ends of a session do not notice its loss at one moment."""

NEVER: Final = (FOREVER, 0)


@dataclass(slots=True)
class _Direction:
    """What is known of one direction of a session."""

    told_over: End | None = None
    """The speaker's end of the connection over which it has sent End-of-RIB."""
    up_since: int | None = None
    """Since when both directions have."""
    lost_at: int | None = None
    lost_over: End | None = None
    """The speaker's end of the connection that was lost."""
    proven_at: int | None = None
    """Since when what it carries has arrived once; None: it has not, or was given up since."""
    over_at: int = FOREVER
    """When it ceased to count, whatever became of its connection."""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """When it was lost and when it was back, of the last while."""
    drained_until: int | None = None
    """None while it is wanted."""


@dataclass(frozen=True, slots=True)
class _View:
    """The store as it was up to a moment."""

    until: int
    cluster: Cluster
    ways: dict[Way, Session]


class Possible:
    """Follows one world; `now` is that of its clock.

    `may_be_behind`: whether of two speakers one may not have heard the last of what the other told.
    """

    def __init__(
        self, now: Callable[[], int], draining_ns: int, may_be_behind: Callable[[str, str], bool]
    ) -> None:
        self._now = now
        self._may_be_behind = may_be_behind
        self._draining_ns = draining_ns
        self._directions: dict[Way, _Direction] = {}
        self._began: dict[str, int] = {}
        """When the life of each speaker began."""
        self._views: list[_View] = []
        self._drained: dict[Way, Session] = {}
        self._outlived: dict[Way, int] = {}
        """Sessions that nobody wanted for a while, up all the time, and when they were wanted again."""
        self._unsound_since: int | None = None

    @property
    def clusters(self) -> list[Cluster]:
        """What the store said lately, the newest last."""
        self._forget_views()
        return [view.cluster for view in self._views]

    def views_of(self, way: Way) -> list[tuple[Cluster, Session]]:
        """What the store lately said of a session that is wanted; nothing of one that is drained.

        Nor of one that is up since before it was wanted, while an end of it may not have heard that it is: of
        what that end was told of it meanwhile, the views have nothing.
        """
        self._forget_views()
        if way in self._drained or self._now() - self._outlived.get(way, -VIEW_NS) < VIEW_NS:
            return []
        return [(view.cluster, view.ways[way]) for view in self._views if way in view.ways]

    def wanted(self, receiver: Address, heard_ns: int) -> list[Session]:
        """The sessions over which somebody shall hear something, by all that the store said lately.

        What came in the last `heard_ns`, or since the store could not be heard, the receiver may not know of.
        """
        self._forget_views()
        since = self._now() - heard_ns
        if self._unsound_since is not None:
            since = min(since, self._unsound_since)
        views = [view for view in self._views if view.until >= since]
        found = views[-1].ways.items() if views else ()
        return [one for way, one in found if way[1] == receiver and all(way in view.ways for view in views)]

    # ---- what happens

    def began(self, name: str) -> None:
        """A speaker's life begins."""
        self._began[name] = self._now()

    def lost_power(self, addresses: Iterable[Address]) -> None:
        """A machine is off, and what it forwarded by is gone: neither it nor its peers keep anything."""
        gone = frozenset(addresses)
        for way, direction in self._directions.items():
            if way[0] in gone or way[1] in gone:
                direction.over_at = min(direction.over_at, self._now())

    def life(self, name: str) -> int:
        """When it began."""
        return self._began.get(name, 0)

    def table_sent(self, way: Way, end: End) -> None:
        """End-of-RIB was sent over a connection, by this end."""
        direction = self._directions.setdefault(way, _Direction())
        back = self._directions.setdefault((way[1], way[0]), _Direction())
        direction.told_over = end
        if back.told_over is not None:
            self._begin(direction)
            self._begin(back)

    def has_told_all(self, way: Way) -> bool:
        """Whether End-of-RIB was sent over the connection that is there."""
        direction = self._directions.get(way)
        return direction is not None and direction.told_over is not None

    def connection_ended(self, way: Way, end: End) -> None:
        """One end of a connection is gone."""
        back = (way[1], way[0])
        for each in (self._directions.get(way), self._directions.get(back)):
            if each is not None and each.told_over is not None and each.told_over in (end, end.other):
                self._lose(each)
        heard = self._directions.get(back)
        if heard is None or heard.lost_over is None or heard.lost_at == self._now():
            return
        if heard.lost_over in (end, end.other):
            # This end knew nothing of it, and went by what it had heard until now.
            heard.lost_at, heard.lost_over = self._now(), None

    def store_is_sound(self, *, sound: bool) -> None:
        """Whether everybody hears of what is written."""
        if sound:
            if self._unsound_since is not None:
                # Only now do all hear of what was written meanwhile.
                now = self._now()
                self._views = [replace(view, until=max(view.until, now)) for view in self._views]
            self._unsound_since = None
        elif self._unsound_since is None:
            self._unsound_since = self._now()

    def store_changed(self, cluster: Cluster) -> None:
        """The store holds this from now on."""
        ways = {(one.out.local, one.into.local): one for one in sessions(cluster)}
        former = self._views[-1].ways if self._views else {}
        if self._views:
            self._views[-1] = replace(self._views[-1], until=self._now())
        self._views.append(_View(FOREVER, cluster, ways))
        for way, session in former.items():
            if way not in ways:
                self._unwanted(way, session, cluster)
        for way in ways:
            direction, back = self._directions.get(way), self._directions.get((way[1], way[0]))
            if direction is not None and back is not None:
                if way not in former and direction.told_over is not None and way not in self._drained:
                    self._outlived[way] = self._now()
                direction.drained_until = None
                if direction.told_over is not None and back.told_over is not None:
                    self._begin(direction)
            self._drained.pop(way, None)
        self._forget_views()

    def _begin(self, direction: _Direction) -> None:
        now = self._now()
        if direction.up_since is None:
            if direction.lost_at is not None and now - direction.lost_at > LONG_NS:
                direction.proven_at = None
            if direction.over_at < FOREVER:
                direction.proven_at, direction.over_at = None, FOREVER
            if direction.lost_at is not None:
                direction.gaps = [gap for gap in direction.gaps if now - gap[1] < LONG_NS]
                direction.gaps.append((direction.lost_at, now))
            direction.up_since, direction.lost_at, direction.lost_over = now, None, None

    def _lose(self, direction: _Direction) -> None:
        now = self._now()
        settled = None if direction.up_since is None else direction.up_since + SETTLING_NS
        if direction.proven_at is None and settled is not None and settled <= now:
            direction.proven_at = settled
        if direction.lost_at is None:
            direction.lost_at = now
        direction.lost_over, direction.told_over, direction.up_since = direction.told_over, None, None

    def _unwanted(self, way: Way, session: Session, cluster: Cluster) -> None:
        """Nobody wants it any more: it is drained, unless an end of it left or must not speak."""
        direction = self._directions.get(way)
        if direction is None:
            return
        if (
            _stays(cluster, session)
            and self._draining_ns
            and self._unsound_since is None
            and not _lacks_filters(cluster)
        ):
            direction.drained_until = self._now() + self._draining_ns - MARGIN_NS
            self._drained[way] = session
        else:
            direction.over_at, direction.up_since = min(direction.over_at, self._now()), None

    def _forget_views(self) -> None:
        """Let go of what everybody has heard the end of."""
        since = self._now() if self._unsound_since is None else self._unsound_since
        self._views = [view for view in self._views if view.until >= since - VIEW_NS]

    # ---- what is possible

    def must_have(self, node: str, prefix: Prefix) -> str:
        """Who tells a node of a prefix whatever it has heard and done by now; "" when it may have no way."""
        self._forget_views()
        newest = self._views[-1].cluster if self._views else None
        if newest is None or not any(prefix in origins(newest, one) for one in newest.speakers):
            return ""
        tellers: dict[str, None] | None = None
        for view in self._views:
            for heard in self._heard_at(view, node):
                found = self._tellers(view.cluster, heard, node, prefix)
                tellers = {name: None for name in found if tellers is None or name in tellers}
                if not tellers:
                    return ""
        return next(iter(tellers or ()), "")

    def _tellers(self, cluster: Cluster, heard: list[Session], node: str, prefix: Prefix) -> list[str]:
        """From whom a node hears of a prefix, over these sessions; itself, where it is its own."""
        try:
            best = propagate(cluster, heard, prefix, frozenset(self._drained))
        except UnsettledError:
            return []
        if node in best and best[node][0].heard is None:
            return [node]
        to_node = [one for one in heard if one.receiver == node and one.out.local.family == prefix.family]
        told = (one for one in to_node if one.sender in best)
        return [one.sender for one in told if tell(cluster, one, prefix, best[one.sender][0]) is not None]

    def _heard_at(self, view: _View, node: str) -> list[list[Session]]:
        """Which sessions count by a view of the store: those of now, with what just went, less what came."""
        known = self._drained | view.ways
        spans = {way: self._span(way, session, node) for way, session in known.items()}
        now = self._now()
        kinds: dict[tuple[Way, ...], None] = {}
        for settled, ended in ((now, now), (now, now - VIEW_NS), (now - VIEW_NS, now)):
            kinds[tuple(way for way, (begin, end) in spans.items() if begin <= settled and ended < end)] = (
                None
            )
        # And all that came and went meanwhile: it may have been used, and told.
        lately = (
            way
            for way, (begin, end) in spans.items()
            if (begin <= now and now - VIEW_NS < end) or self._was_up_lately(way)
        )
        kinds[tuple(lately)] = None
        # And all that is there, less what is told and does not arrive.
        kinds[
            tuple(
                way
                for way, (begin, end) in spans.items()
                if begin <= now < end and not self._may_be_behind(known[way].sender, known[way].receiver)
            )
        ] = None
        return [[known[way] for way in ways] for ways in kinds]

    def _was_up_lately(self, way: Way) -> bool:
        """Whether a direction is up, or has lately been, be it for too short a time to count by itself."""
        direction = self._directions.get(way)
        if direction is None:
            return False
        lost_at, since = direction.lost_at, self._now() - VIEW_NS
        return direction.over_at >= since and (lost_at is None or lost_at >= since)

    def _span(self, way: Way, session: Session, node: str) -> tuple[int, int]:
        """From when until when a direction counts for what a node hears."""
        direction = self._directions.get(way)
        if direction is None:
            return NEVER
        begin = direction.proven_at
        if begin is None and direction.up_since is not None:
            begin = direction.up_since + SETTLING_NS
        if begin is None:
            return NEVER
        ends = [direction.over_at]
        if direction.drained_until is not None:
            ends.append(direction.drained_until)
            if session.receiver != node and self._is_amid(session.receiver):
                return NEVER
        # Nothing is kept by whoever does not ask for the same.
        restart_s = session.out.restart_s if session.into.restart_s else 0
        kept_ns = max(restart_s * SECOND - MARGIN_NS, 0)
        life = self.life(session.receiver) if session.receiver != node else 0
        for lost, back in direction.gaps:
            if back - lost >= kept_ns or life > lost:
                begin = max(begin, back + SETTLING_NS)
        if direction.lost_at is not None:
            ends.append(direction.lost_at + (kept_ns if direction.drained_until is None else 0))
            if life > direction.lost_at:
                ends.append(life)
        return begin, min(ends)

    def _is_amid(self, receiver: str) -> bool:
        """Whether a speaker has lost a peer, and what it kept of it may be what it uses and tells."""
        speaker = self._views[-1].cluster.speakers.get(receiver)
        if speaker is None:
            return True  # It has left.
        addresses = speaker.addresses.values()
        heard = (one for way, one in self._directions.items() if way[1] in addresses)
        return any(one.up_since is None or self._now() - one.up_since < SETTLING_NS for one in heard)


def _stays(cluster: Cluster, session: Session) -> bool:
    """Whether both ends are there still, and who they were: with another AS number a session begins anew."""
    ends = ((session.sender, session.out.local_as), (session.receiver, session.into.local_as))
    found = [(cluster.speakers.get(name), as_number) for name, as_number in ends]
    return all(one is not None and one.as_number == as_number for one, as_number in found)


def _lacks_filters(cluster: Cluster) -> bool:
    """Whether some sessions have to stay down for want of a filter."""
    return any(name not in cluster.filters for spec in cluster.peers.values() for name in spec.filters)


def names_at(clusters: Iterable[Cluster]) -> dict[Address, str]:
    """Whose address each is; the last to say so is believed."""
    return {
        address: name
        for cluster in clusters
        for name, speaker in cluster.speakers.items()
        for address in speaker.addresses.values()
    }
