"""Which sessions are up by what their two ends want, and what becomes of each when that changes.

            before up      before down
after up    kept, changed  added
            in place,
            or reset
after down  removed        -
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from felixbgp.bgp.changes import PEER_CHANGES, SPEAKER_CHANGES, Affects, peer_change, speaker_change
from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.session.offer import our_open
from felixbgp.bgp.views import loses_by_reset
from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.messages import Negotiated
from felixbgp.bgp.wire.open import negotiate, validate_open
from felixbgp.net import Address
from felixbgp.plan.router import Router

Pair = tuple[Address, Address]
"""The two addresses of a session, the lower one first."""


class End(NamedTuple):
    """One end of a session as its router wants it."""

    router: Router
    local: Address
    config: PeerConfig


class Session:
    """What two routers make of a session between two addresses; an end is None that does not want one.

    `held_down` is why one of them must not have the session that it wants, "" where there is no such reason.
    """

    __slots__ = ("ends", "names", "negotiated", "obstacle", "pair")

    def __init__(
        self, pair: Pair, ends: tuple[End | None, End | None], names: tuple[str, str], held_down: str = ""
    ) -> None:
        self.pair = pair
        self.ends = ends
        self.names = names
        """The routers that have these addresses; "" for one that nobody has."""
        self.negotiated: tuple[Negotiated, Negotiated] | None = None
        """What each end has of the other's OPEN; None where it does not come up."""
        self.obstacle = ""
        """Why not, in words."""
        one, other = ends
        if one is None or other is None:
            there, absent = (names[1], names[0]) if one is None else names
            self.obstacle = held_down or (
                f"{absent} does not list {there}" if absent else "no node has this address any more"
            )
            return
        self.obstacle = _obstacle(one, other) or _obstacle(other, one) or self._negotiate(one, other)

    @property
    def is_up(self) -> bool:
        """Whether it is Established, when all is at rest."""
        return self.negotiated is not None

    @property
    def loses_by_reset(self) -> bool:
        """Whether one of the two ends does not keep the other's routes while the session is begun anew."""
        return self.negotiated is None or any(loses_by_reset(one, one.families) for one in self.negotiated)

    def _negotiate(self, one: End, other: End) -> str:
        sent = [our_open(end.config, end.router.speaker) for end in (one, other)]
        for judge, message in ((one, sent[1]), (other, sent[0])):
            try:
                validate_open(
                    message,
                    expected_as=judge.config.remote_as,
                    local_as=judge.config.local_as,
                    local_identifier=judge.router.speaker.bgp_identifier,
                    role=judge.config.role,
                    role_strict=judge.config.role_strict,
                )
            except WireError as error:
                return f"refused by {judge.router.name}: {error.text}"
        try:
            self.negotiated = negotiate(sent[0], sent[1]), negotiate(sent[1], sent[0])
        except WireError as error:
            return error.text
        return ""


class SessionChange(Enum):
    """What becomes of a session."""

    KEPT = "kept"
    CHANGED = "changed"
    """It stands, and something about it is changed in place."""
    RESET = "reset"
    ADDED = "added"
    REMOVED = "removed"


class Fate(NamedTuple):
    """What becomes of one session, and why: what differs at each end."""

    change: SessionChange
    parameters: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    reason: str = ""
    loses: bool = False
    """Of one that is reset: whether routes go meanwhile."""


def sessions(routers: Mapping[str, Router], before: Mapping[Pair, Session]) -> dict[Pair, Session]:
    """All that somebody wants, if in vain; those that are as they were `before` are the same objects."""
    at: dict[Address, str] = {}
    for name in sorted(routers):
        for address in routers[name].addresses.values():
            at.setdefault(address, name)
    wanted: dict[Pair, dict[Address, End]] = {}
    held_down: dict[Pair, str] = {}
    for router in routers.values():
        for address, reason in router.held_down.items():
            local = router.addresses.get(address.family)
            if local is not None:
                wanted.setdefault(_pair(local, address), {})
                held_down.setdefault(_pair(local, address), reason)
        for config in router.peers.values():
            end = _end(router, config)
            if end is not None:
                wanted.setdefault(_pair(end.local, config.peer.address), {}).setdefault(end.local, end)
    found: dict[Pair, Session] = {}
    for pair in sorted(wanted):
        ends = wanted[pair].get(pair[0]), wanted[pair].get(pair[1])
        known = before.get(pair)
        if known is not None and _same(known.ends, ends):
            found[pair] = known
        else:
            names = at.get(pair[0], ""), at.get(pair[1], "")
            found[pair] = Session(pair, ends, names, held_down.get(pair, ""))
    return found


def fates(before: Mapping[Pair, Session], after: Mapping[Pair, Session]) -> Iterator[tuple[Session, Fate]]:
    """What becomes of every session that is up, before or after."""
    for pair in sorted({*before, *after}):
        old, new = before.get(pair), after.get(pair)
        was_up, will_be_up = old is not None and old.is_up, new is not None and new.is_up
        if old is not None and was_up:
            if new is not None and (will_be_up or _stands(old, new)):
                yield new, _fate(old, new)
            else:
                yield old, Fate(SessionChange.REMOVED, reason=_why_removed(new))
        elif new is not None and will_be_up:
            yield new, Fate(SessionChange.ADDED)


def _fate(old: Session, new: Session) -> Fate:
    if old is new:
        return Fate(SessionChange.KEPT)
    one, other = (_parameters(was, now) for was, now in zip(old.ends, new.ends, strict=True))
    if not _stands(old, new):
        return Fate(SessionChange.RESET, (one, other), loses=old.loses_by_reset)
    return Fate(SessionChange.CHANGED if one or other else SessionChange.KEPT, (one, other))


def _why_removed(new: Session | None) -> str:
    return "nobody wants it any more" if new is None else new.obstacle


def _stands(old: Session, new: Session) -> bool:
    """Whether a session that is up needs no other one."""
    for was, now in zip(old.ends, new.ends, strict=True):
        if was is None or now is None or was.config.peer != now.config.peer:
            return False
        if Affects.SESSION in _affected(was, now) or now.config.shutdown is not None:
            return False
    return True


def _affected(was: End, now: End) -> Affects:
    speaker = speaker_change(was.router.speaker, now.router.speaker)
    return speaker | (Affects.NOTHING if was.config is now.config else peer_change(was.config, now.config))


def _parameters(was: End | None, now: End | None) -> tuple[str, ...]:
    """The names of what differs, but for what the session is called."""
    if was is None or now is None:
        return ()
    old, new = was.router.speaker, now.router.speaker
    of_peer = (name for name in PEER_CHANGES if getattr(was.config, name) != getattr(now.config, name))
    of_speaker = (name for name in SPEAKER_CHANGES if getattr(old, name) != getattr(new, name))
    return tuple(name for name in dict.fromkeys((*of_peer, *of_speaker)) if name != "name")


def _same(known: tuple[End | None, End | None], ends: tuple[End | None, End | None]) -> bool:
    """Whether both ends are as they were, to the last parameter."""
    for was, now in zip(known, ends, strict=True):
        if was is None or now is None:
            if was is not now:
                return False
            continue
        if was.local != now.local or was.config != now.config:
            return False
        old, new = was.router, now.router
        if (old.name, old.speaker, old.listen_port) != (new.name, new.speaker, new.listen_port):
            return False
    return True


def _end(router: Router, config: PeerConfig) -> End | None:
    local = config.transport.local_address or router.addresses.get(config.peer.address.family)
    return None if local is None else End(router, local, config)


def _pair(one: Address, other: Address) -> Pair:
    return (one, other) if one < other else (other, one)


def _obstacle(near: End, far: End) -> str:
    """Why no connection comes about that both ends would speak on, as far as `near` is to blame."""
    if near.config.shutdown is not None:
        return f"{near.router.name} keeps it down"
    if near.config.transport.password != far.config.transport.password:
        return "the two ends have different passwords"
    dialled = any(
        not one.config.passive and one.config.peer.port == other.router.listen_port
        for one, other in ((near, far), (far, near))
    )
    return "" if dialled else "neither end dials the other at the port that it listens on"
