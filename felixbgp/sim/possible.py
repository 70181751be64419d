"""Whether a node can have a way to a prefix at this moment: what nobody is to lose.

    connections, End-of-RIB ─▶ which sessions have carried all their routes, and since when they are down ─┐
    store, as of now and of a moment ago ─▶ which sessions are wanted, or are being drained ───────────────┤
                                                                                                           ▼
                            is_possible: a way over such sessions, by everything that the store just said

Nothing of an agent is looked at, only the store, and what hosts send and lose. In doubt there is no way:

* a session counts once both ends have sent all they have, and after its loss for as long as the other asked
  for (its restart time), while it is wanted;
* one that is not wanted any more counts as long as it is up, for the time of draining at most, if both ends
  are there still and have heard of it;
* behind a speaker that restarted, only what it has heard again counts;
* filters and blocks count when they are as they have been for a while, for views of them may differ.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from felixbgp.net import Address, Prefix
from felixbgp.sim.network import End
from felixbgp.sim.oracle import UnsettledError, propagate
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

Way = tuple[Address, Address]
"""The addresses of who speaks and who hears."""


@dataclass(slots=True)
class _Direction:
    """What is known of one direction of a session."""

    told_over: End | None = None
    """The speaker's end of the connection over which it has sent End-of-RIB."""
    up_since: int | None = None
    """Since when both directions have."""
    lost_at: int | None = None
    is_proven: bool = False
    """Whether what it carried has arrived once."""
    drained_until: int | None = None
    """None while it is wanted."""


@dataclass(frozen=True, slots=True)
class _View:
    """The store as it was up to a moment."""

    until: int
    cluster: Cluster
    ways: dict[Way, Session]


class Possible:
    """Follows one world; `now` is that of its clock."""

    def __init__(self, now: Callable[[], int], draining_ns: int) -> None:
        self._now = now
        self._draining_ns = draining_ns
        self._directions: dict[Way, _Direction] = {}
        self._began: dict[str, int] = {}
        """When the life of each speaker began."""
        self._views: list[_View] = []
        self._drained: dict[Way, Session] = {}
        self._unsound_since: int | None = None

    @property
    def clusters(self) -> list[Cluster]:
        """What the store said lately, the newest last."""
        self._forget_views()
        return [view.cluster for view in self._views]

    def views_of(self, way: Way) -> list[tuple[Cluster, Session]]:
        """What the store lately said of a session that is wanted; nothing of one that is drained."""
        self._forget_views()
        if way in self._drained:
            return []
        return [(view.cluster, view.ways[way]) for view in self._views if way in view.ways]

    def wanted(self, receiver: Address) -> list[Session]:
        """The sessions over which somebody shall hear something, by the store of now."""
        return [one for way, one in self._views[-1].ways.items() if way[1] == receiver] if self._views else []

    # ---- what happens

    def began(self, name: str) -> None:
        """A speaker's life begins."""
        self._began[name] = self._now()

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
            self._drained.pop(way, None)
            direction, back = self._directions.get(way), self._directions.get((way[1], way[0]))
            if direction is not None and back is not None:
                direction.drained_until = None
                if direction.told_over is not None and back.told_over is not None:
                    self._begin(direction)
        self._forget_views()

    def _begin(self, direction: _Direction) -> None:
        now = self._now()
        if direction.up_since is None:
            if direction.lost_at is not None and now - direction.lost_at > LONG_NS:
                direction.is_proven = False
            direction.up_since, direction.lost_at = now, None

    def _lose(self, direction: _Direction) -> None:
        now = self._now()
        if direction.up_since is not None and now - direction.up_since >= SETTLING_NS:
            direction.is_proven = True
        if direction.lost_at is None:
            direction.lost_at = now
        direction.told_over = direction.up_since = None

    def _unwanted(self, way: Way, session: Session, cluster: Cluster) -> None:
        """Nobody wants it any more: it is drained, unless an end of it left or must not speak."""
        direction = self._directions.get(way)
        if direction is None:
            return
        stays = session.sender in cluster.speakers and session.receiver in cluster.speakers
        if stays and self._draining_ns and self._unsound_since is None and not _lacks_filters(cluster):
            direction.drained_until = self._now() + self._draining_ns - MARGIN_NS
            self._drained[way] = session
        else:
            direction.is_proven, direction.up_since = False, None

    def _forget_views(self) -> None:
        """Let go of what everybody has heard the end of."""
        since = self._now() if self._unsound_since is None else self._unsound_since
        self._views = [view for view in self._views if view.until >= since - VIEW_NS]

    # ---- what is possible

    def is_possible(self, node: str, prefix: Prefix) -> bool:
        """Whether there is a way from a node to a prefix, whatever it has heard of the store by now."""
        self._forget_views()
        return bool(self._views) and all(self._has(view, node, prefix) for view in self._views)

    def _has(self, view: _View, node: str, prefix: Prefix) -> bool:
        known = self._drained | view.ways
        usable = [one for way, one in known.items() if self._is_usable(way, one, node)]
        try:
            return node in propagate(view.cluster, usable, prefix)
        except UnsettledError:
            return False

    def _is_usable(self, way: Way, session: Session, node: str) -> bool:
        direction = self._directions.get(way)
        now = self._now()
        if direction is None or (direction.drained_until is not None and now >= direction.drained_until):
            return False
        if direction.up_since is not None:
            return direction.is_proven or now - direction.up_since >= SETTLING_NS
        if direction.lost_at is None or not direction.is_proven or direction.drained_until is not None:
            return False
        if session.receiver != node and self.life(session.receiver) > direction.lost_at:
            return False
        return now - direction.lost_at < session.out.restart_s * SECOND - MARGIN_NS


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
