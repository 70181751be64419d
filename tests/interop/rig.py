"""One daemon and all our speakers that talk to it, up and running."""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from felixbgp.bgp.config import GracefulRestart, PeerConfig, PeerId, SpeakerConfig
from felixbgp.bgp.effects import TransportOptions
from felixbgp.bgp.policy.types import Action, AddCommunity, Match, Policy, PrefixMatch, PrependAsPath, Rule
from felixbgp.bgp.wire.messages import Origin, PathAttributes
from felixbgp.lab import netns
from felixbgp.lab.topology import QUIET
from felixbgp.lab.waiting import NotInTimeError, wait_until
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.kernel import Kernel
from tests.interop.daemons.base import Daemon, Route
from tests.interop.felix import Felix, Ours, Value
from tests.interop.plan import (
    ADDED_COMMUNITY,
    ADDED_LARGE_COMMUNITY,
    LARGE_COUNT,
    PREPENDED,
    RESTART_SECONDS,
    THEIR_AS,
    WRONG_PASSWORD,
    Neighbour,
    Role,
    Variant,
    cable,
    neighbours,
    our_address,
    their_address,
)
from tests.interop.source import Source

START_SECONDS_MAX = 60.0
"""A daemon answers within a second or two; five of them on one processor take their time."""
SECONDS_MAX = 120.0
"""For a session or a route. OpenBGPD's first dial is after thirty seconds; the rest comes in a few."""

SOURCE_COMMUNITIES = ((64999, 1), (64999, 65535))
SOURCE_LARGE_COMMUNITIES = ((64999, 1, 2), (4_200_000_000, 0, 4_294_967_295))
SOURCE_ROUTE_TARGETS = ((64999, 3),)
_numbers = itertools.count(1)


@dataclass
class Rig:
    """One daemon, one `Felix` per neighbour, and the sources behind some of them."""

    daemon: Daemon
    ours: Ours
    felixes: dict[Neighbour, Felix]
    sources: dict[Neighbour, tuple[Source, ...]]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shared: Future[str] = field(default_factory=Future)

    def together(self, work: Callable[["Rig"], str]) -> str:
        """Do for all variants at once what cannot be done for one alone; every caller gets the same."""
        with self._lock:
            if not self._shared.done():
                try:
                    self._shared.set_result(work(self))
                except BaseException as error:  # noqa: BLE001 - raised again below, for each caller
                    self._shared.set_exception(error)
        return self._shared.result()

    def neighbour(self, role: Role, variant: Variant) -> Neighbour:
        """One of the sessions."""
        return next(one for one in self.daemon.neighbours if (one.role, one.variant) == (role, variant))

    def look(self, neighbour: Neighbour, function: Callable[[Felix], Value]) -> Value:
        """A value of one of our speakers."""
        felix = self.felixes[neighbour]
        return self.ours.call(partial(function, felix))

    def is_established(self, neighbour: Neighbour) -> bool:
        """Whether both sides say so."""
        peer = their_address(neighbour.family)
        return (
            self.look(neighbour, lambda felix: felix.peer(peer).state) == "Established"
            and self.daemon.sessions()[neighbour.address].established
        )

    def received(self, neighbour: Neighbour, prefix: Prefix) -> PathAttributes | None:
        """What the daemon announced to one of our speakers; one path of several."""
        peer = their_address(neighbour.family)
        paths = self.look(neighbour, lambda felix: felix.received(peer, prefix))
        return next(iter(paths.values()), None)

    def route_of(self, neighbour: Neighbour, prefix: Prefix) -> Route | None:
        """The daemon's path of a prefix that came from this neighbour."""
        routes = self.daemon.routes(prefix)
        return next((route for route in routes if route.neighbour == neighbour.address), None)

    def wait(self, condition: Callable[[], object], what: str, neighbour: Neighbour) -> None:
        """Until a condition holds; the error tells how both sides see the session."""

        def describe() -> str:
            peer = their_address(neighbour.family)
            ours = self.look(neighbour, lambda felix: felix.peer(peer))
            return f"we: {ours}; they: {self.daemon.sessions().get(neighbour.address)}"

        wait_until(
            condition, f"{self.daemon.name}, {neighbour.variant}: {what}", SECONDS_MAX, describe=describe
        )


@contextmanager
def a_rig(kind: type[Daemon], folder: Path, roles: tuple[Role, ...]) -> Iterator[Rig]:
    """A daemon with sessions of these roles; gone afterwards, whatever happens."""
    number = next(_numbers)
    them, us = (f"fxi-{os.getpid()}-{number}-{side}" for side in ("them", "us"))
    wanted = neighbours(roles)
    daemon = kind(them, folder, wanted)
    try:
        netns.create((them, us))
        for namespace in (them, us):
            netns.write_sysctls(namespace, QUIET)
        for namespace, lines in cable(them, us, len(wanted)):
            netns.batch(lines, namespace)
        daemon.write_configuration()
        with Ours(us) as ours:
            rig = Rig(daemon, ours, {}, {})
            # Who waits for the daemon to dial must be there when it first does.
            _start(rig, [one for one in wanted if not one.we_dial])
            start_daemon(daemon)
            _start(rig, [one for one in wanted if one.we_dial])
            yield rig
    finally:
        daemon.kill()
        netns.remove((them, us))


def start_daemon(daemon: Daemon) -> None:
    """Run it, wait for its CLI, and tell it what cannot stand in its configuration."""
    daemon.start()
    try:
        wait_until(daemon.is_ready, f"{daemon.name} answers", START_SECONDS_MAX)
    except NotInTimeError as error:
        raise NotInTimeError(f"{error}\n{daemon.log_end()}") from error
    daemon.prepare()


def peer_config(neighbour: Neighbour) -> PeerConfig:
    """The daemon as our speaker is told of it, at first: with a wrong key where there is one."""
    guarded = neighbour.has_ttl_security and not neighbour.is_far
    options = TransportOptions(
        local_address=neighbour.address,
        ttl=1 if neighbour.is_far else 255 if guarded else None,
        min_ttl=255 if guarded else None,
        password=None if neighbour.password is None else WRONG_PASSWORD,
    )
    config = PeerConfig(
        peer=PeerId(their_address(neighbour.family)),
        name=neighbour.name,
        families=(neighbour.family,),
        local_as=neighbour.asn,
        remote_as=THEIR_AS,
        passive=not neighbour.we_dial,
        route_reflector_client=neighbour.role is Role.PLAIN and not neighbour.variant.external,
        transport=options,
    )
    if neighbour.role is Role.PLAIN:
        return replace(config, export_policy=changing(neighbour.changed_prefix))
    if neighbour.role is Role.COLLECTOR:
        return replace(config, add_path_receive=True, add_path_send=True)
    if neighbour.role is Role.RESTARTING:
        wanted = GracefulRestart(restart_time_s=RESTART_SECONDS, forwarding_preserved=True)
        return replace(config, graceful_restart=wanted)
    return config


def changing(prefix: Prefix) -> Policy:
    """Communities of both kinds and two AS numbers more, for one prefix."""
    high, low = ADDED_COMMUNITY
    operations = (
        AddCommunity(high << 16 | low),
        AddCommunity(ADDED_LARGE_COMMUNITY),
        PrependAsPath(PREPENDED),
    )
    return Policy((Rule("change", Match(PrefixMatch.equal(prefix)), Action.ACCEPT, operations),))


def with_password(config: PeerConfig, password: bytes | None) -> PeerConfig:
    """The same with another TCP MD5 key."""
    return replace(config, transport=replace(config.transport, password=password))


def _start(rig: Rig, wanted: Iterable[Neighbour]) -> None:
    for neighbour in wanted:
        rig.sources[neighbour] = tuple(_sources(neighbour))
        make = partial(make_felix, neighbour, rig.sources[neighbour])
        rig.felixes[neighbour] = felix = rig.ours.call(make)
        rig.ours.start(felix.run)
        for source in rig.sources[neighbour]:
            rig.ours.start(partial(_run_source, source, felix, neighbour.address))


async def _run_source(source: Source, felix: Felix, speaker: Address) -> None:
    await felix.listening.wait()
    await source.run(speaker)


def restart(rig: Rig, neighbour: Neighbour) -> None:
    """Start our speaker again after `kill`, with the kernel it left and one prefix less."""
    former = rig.felixes[neighbour]
    make = partial(make_felix, neighbour, kernel=former.kernel)
    rig.felixes[neighbour] = felix = rig.ours.call(make)
    rig.ours.start(felix.run)


def make_felix(neighbour: Neighbour, sources: Iterable[Source] = (), kernel: Kernel | None = None) -> Felix:
    """Our speaker for one session, not yet running; to be called in the thread of `Ours`."""
    speaker = SpeakerConfig(bgp_identifier=neighbour.identifier, local_as=neighbour.asn)
    originated = [neighbour.prefix]
    if neighbour.role is Role.PLAIN:
        originated.append(neighbour.changed_prefix)
    if neighbour.role is Role.RESTARTING and kernel is None:
        originated.append(neighbour.former_prefix)
    if neighbour.role in (Role.CLIENT_A, Role.CLIENT_B):
        originated.append(neighbour.shared_prefix)
    felix = Felix(speaker, neighbour.address, originated, kernel)
    felix.configure(peer_config(neighbour), *(_source_config(neighbour, source) for source in sources))
    return felix


def _source_config(neighbour: Neighbour, source: Source) -> PeerConfig:
    return PeerConfig(
        peer=PeerId(source.address),
        name=f"source {source.address}",
        families=(neighbour.family,),
        local_as=neighbour.asn,
        remote_as=neighbour.asn,
        passive=True,
        route_reflector_client=True,
        transport=TransportOptions(local_address=neighbour.address),
    )


def source_address(neighbour: Neighbour, number: int = 0) -> Address:
    """Where a source behind one of our speakers is."""
    return our_address(neighbour.family, 99 + 2 * neighbour.number + number)


def source_identifier(neighbour: Neighbour, number: int = 0) -> Address:
    """Its BGP identifier."""
    return our_address(IPV4, 99 + 2 * neighbour.number + number)


def _sources(neighbour: Neighbour) -> Iterator[Source]:
    if neighbour.role is Role.PLAIN:
        yield _source(
            neighbour,
            0,
            (_coloured(neighbour), neighbour.source_prefix),
            (_enlarged(neighbour), neighbour.large_prefix),
        )
    elif neighbour.role is Role.COLLECTOR:
        for number in (0, 1):
            attributes = PathAttributes(
                next_hop=source_address(neighbour, number), local_pref=100, origin=Origin.IGP
            )
            yield _source(neighbour, number, (attributes, neighbour.doubled_prefix))


def _source(neighbour: Neighbour, number: int, *routes: tuple[PathAttributes, Prefix]) -> Source:
    identifier = source_identifier(neighbour, number)
    return Source(source_address(neighbour, number), neighbour.asn, identifier, routes)


def _coloured(neighbour: Neighbour) -> PathAttributes:
    return PathAttributes(
        next_hop=source_address(neighbour),
        local_pref=100,
        communities=tuple(high << 16 | low for high, low in SOURCE_COMMUNITIES),
        large_communities=SOURCE_LARGE_COMMUNITIES,
        extended_communities=tuple(route_target(*target) for target in SOURCE_ROUTE_TARGETS),
    )


def _enlarged(neighbour: Neighbour) -> PathAttributes:
    return PathAttributes(
        next_hop=source_address(neighbour),
        local_pref=100,
        large_communities=tuple((64999, 4, number) for number in range(LARGE_COUNT)),
    )


def route_target(asn: int, number: int) -> bytes:
    """An extended community of RFC 4360 §4, two-octet AS specific."""
    return b"\x00\x02" + asn.to_bytes(2, "big") + number.to_bytes(4, "big")
