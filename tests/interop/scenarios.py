"""The proof of each cell: what the daemon shows, what we show, and a short text of it."""

import re
from collections.abc import Callable
from functools import partial
from operator import methodcaller

from felixbgp.bgp.wire.capabilities import CapabilityCode
from felixbgp.bgp.wire.messages import PathAttributes, SegmentType
from felixbgp.intent.drains import announcing
from felixbgp.lab.waiting import wait_until
from felixbgp.net import IPV4, Address, Prefix
from tests.interop import rig as rigs
from tests.interop.daemons.base import Route, output_in, program
from tests.interop.matrix import Finding, Verdict
from tests.interop.plan import (
    ADDED_COMMUNITY,
    ADDED_LARGE_COMMUNITY,
    LARGE_COUNT,
    PASSWORD,
    PREPENDED,
    THEIR_AS,
    THEIR_COLOURED,
    THEIR_COMMUNITY,
    THEIR_IDENTIFIER,
    THEIR_LARGE,
    THEIR_LARGE_COMMUNITY,
    THEIR_PLAIN,
    THEIR_ROUTE_TARGET,
    Feature,
    Neighbour,
    Role,
    Variant,
    their_address,
    their_prefix,
)
from tests.interop.rig import Rig

Scenario = Callable[[Rig, Variant], str]
GRACEFUL_SHUTDOWN = (65535, 0)


def find(rig: Rig, variant: Variant, feature: Feature) -> Finding:
    """Look at one cell; an exception means that what should be there is not."""
    limit = rig.daemon.limits.get(feature)
    if limit is not None and variant in limit.variants:
        seen = ABSENT[feature](rig, variant)
        return Finding(Verdict.CANNOT, f"{limit.reason} ({limit.proof}); {seen}")
    if feature is Feature.REFLECTOR and variant.external:
        return Finding(Verdict.NOT_APPLICABLE, "reflection is between internal peers (RFC 4456)")
    text = SCENARIOS[feature](rig, variant)
    half = rig.daemon.partial.get(feature)
    if half is not None and variant in half.variants:
        return Finding(Verdict.PARTLY, f"{text}; {half.reason} ({half.proof})")
    return Finding(Verdict.WORKS, text)


def plain(rig: Rig, variant: Variant) -> str:
    """Established, and a route each way with the attributes it should have."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_routes(rig, neighbour)
    theirs, ours = their_route(rig, neighbour, neighbour.prefix), our_route(rig, neighbour)
    peer = their_address(variant.family)
    assert theirs.next_hop == neighbour.address
    assert Address(ours.next_hop) == peer
    assert theirs.as_path == ((neighbour.asn,) if variant.external else ())
    assert as_numbers(ours) == ((THEIR_AS,) if variant.external else ())
    return "both sides Established; one route each way, with the right next hop and AS_PATH"


def communities(rig: Rig, variant: Variant) -> str:
    """Three kinds, each way, as they were given."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_route(rig, neighbour, neighbour.source_prefix)
    there = their_route(rig, neighbour, neighbour.source_prefix)
    assert there.communities == frozenset(rigs.SOURCE_COMMUNITIES)
    assert there.large_communities == frozenset(rigs.SOURCE_LARGE_COMMUNITIES)
    assert there.route_targets == frozenset(rigs.SOURCE_ROUTE_TARGETS)
    here = our_route(rig, neighbour, THEIR_COLOURED)
    assert here.communities == (THEIR_COMMUNITY[0] << 16 | THEIR_COMMUNITY[1],)
    assert here.large_communities == (THEIR_LARGE_COMMUNITY,)
    assert here.extended_communities == (rigs.route_target(*THEIR_ROUTE_TARGET),)
    return "standard, large and extended ones arrived unchanged, both ways"


def export_policy(rig: Rig, variant: Variant) -> str:
    """What our policy adds arrives, behind our AS between AS numbers; other routes stay as they are."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_routes(rig, neighbour)
    await_route(rig, neighbour, neighbour.changed_prefix)
    changed = their_route(rig, neighbour, neighbour.changed_prefix)
    assert changed.as_path == ((neighbour.asn, *PREPENDED) if variant.external else PREPENDED)
    assert changed.communities == frozenset((ADDED_COMMUNITY,))
    assert changed.large_communities == frozenset((ADDED_LARGE_COMMUNITY,))
    plain_one = their_route(rig, neighbour, neighbour.prefix)
    assert plain_one.communities == plain_one.large_communities == frozenset()
    return "communities added and AS numbers prepended by our export policy are there, on its routes alone"


def reflector(rig: Rig, variant: Variant) -> str:
    """Each side reflects for the other."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_route(rig, neighbour, neighbour.source_prefix)
    there = their_route(rig, neighbour, neighbour.source_prefix)
    (source,) = rig.sources[neighbour]
    assert there.originator_id == rigs.source_identifier(neighbour)
    # OpenBGPD puts its own identifier in front as soon as it takes a route in.
    assert there.cluster_list[-1:] == (neighbour.identifier,)

    def heard() -> PathAttributes | None:
        return rig.ours.call(lambda: source.received(their_prefix(variant.family)))

    rig.wait(heard, "our client hears the daemon's route", neighbour)
    assert reflected_by(heard()) == (THEIR_IDENTIFIER, (neighbour.identifier,))
    ours = "our client and the daemon as client hear of each other"
    if Feature.REFLECTOR in rig.daemon.partial:
        return f"we reflect: {ours}"
    one, other = (rig.neighbour(role, variant) for role in (Role.CLIENT_A, Role.CLIENT_B))
    rig.wait(lambda: rig.received(other, one.prefix), "a reflected route", other)
    found = reflected_by(rig.received(other, one.prefix))
    assert found == (one.identifier, (THEIR_IDENTIFIER,))
    return f"we reflect: {ours}; they reflect between two of ours; ORIGINATOR_ID and CLUSTER_LIST as due"


def refresh(rig: Rig, variant: Variant) -> str:
    """The daemon asks, and everything is sent again."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_routes(rig, neighbour)
    await_route(rig, neighbour, neighbour.source_prefix)
    sent, arrived = updates_sent(rig, neighbour), updates_arrived(rig, neighbour)
    rig.daemon.refresh(neighbour)
    rig.wait(lambda: updates_sent(rig, neighbour) > sent, "our routes are sent again", neighbour)
    if arrived is not None:
        rig.wait(
            lambda: (updates_arrived(rig, neighbour) or 0) > arrived, "they arrive there again", neighbour
        )
    assert rig.is_established(neighbour)
    their_route(rig, neighbour, neighbour.prefix)
    return "it asks by ROUTE-REFRESH, and hears all our routes again; we keep what we heard and never ask"


def md5(rig: Rig, variant: Variant) -> str:
    """Whoever dials: with another key no segment is taken, with the right one the session comes up."""
    for role, seen in ((Role.MD5_DIAL, we_are_ignored), (Role.MD5_ACCEPT, they_are_ignored)):
        neighbour = rig.neighbour(role, variant)
        rig.wait(partial(seen, rig, neighbour), "a SYN with a wrong key is repeated", neighbour)
        assert is_down(rig, neighbour)
    for role in (Role.MD5_DIAL, Role.MD5_ACCEPT):
        neighbour = rig.neighbour(role, variant)
        config = rigs.with_password(rigs.peer_config(neighbour), PASSWORD)
        rig.look(neighbour, methodcaller("configure", config))
    await_routes_by(rig, rig.neighbour(Role.MD5_DIAL, variant), we_dial=True)
    await_routes_by(rig, rig.neighbour(Role.MD5_ACCEPT, variant), we_dial=False)
    return "whoever dials: a wrong key gets no answer, the right one a session with routes"


def ttl_security(rig: Rig, variant: Variant) -> str:
    """Whoever dials: TTL 255 is let in; a router that looks far away is not."""
    await_routes_by(rig, rig.neighbour(Role.TTL_ACCEPT, variant), we_dial=False)
    if Feature.TTL in rig.daemon.partial:
        far = rig.neighbour(Role.TTL_FAR_ACCEPT, variant)
        rig.wait(lambda: rig.is_established(far), "a session with a TTL of 1", far)
        return "when it dials, it sends with the TTL of 255 that we demand; it takes what comes with 1"
    await_routes_by(rig, rig.neighbour(Role.TTL_DIAL, variant), we_dial=True)
    for role in (Role.TTL_FAR, Role.TTL_FAR_ACCEPT):
        far = rig.neighbour(role, variant)
        rig.wait(partial(we_are_ignored, rig, far), "a segment with TTL 1 is repeated", far)
        # Only the daemon counts: our OPEN may be in before it has set the option on its new socket.
        assert not rig.daemon.sessions()[far.address].established
        assert rig.route_of(far, far.prefix) is None
    return "whoever dials: Established with TTL 255 both ways; with a TTL of 1 nothing is taken"


def add_path(rig: Rig, variant: Variant) -> str:
    """All paths of a prefix, both ways."""
    neighbour = rig.neighbour(Role.COLLECTOR, variant)
    await_routes(rig, neighbour)
    peer = their_address(variant.family)

    def paths() -> dict[bytes, PathAttributes]:
        return rig.look(neighbour, lambda felix: felix.received(peer, neighbour.shared_prefix))

    rig.wait(lambda: len(paths()) == 2, "two paths of a prefix of two others", neighbour)
    assert all(len(identifier) == 4 for identifier in paths())

    def doubled() -> list[Route]:
        routes = rig.daemon.routes(neighbour.doubled_prefix)
        return [route for route in routes if route.neighbour == neighbour.address]

    rig.wait(lambda: len(doubled()) == 2, "the daemon has both of our paths", neighbour)
    return "both paths of a prefix arrive under different identifiers, both ways"


def extended(rig: Rig, variant: Variant) -> str:
    """UPDATEs of more than 4096 octets, from us and to us."""
    neighbour, other = (rig.neighbour(role, variant) for role in (Role.PLAIN, Role.CLIENT_A))
    await_route(rig, neighbour, neighbour.large_prefix)
    if rig.daemon.relays:
        # Not every CLI prints 6000 octets of attributes; what a daemon sends on is what it took.
        rig.wait(lambda: rig.received(other, neighbour.large_prefix), "the long route comes back", other)
        here = rig.received(other, neighbour.large_prefix)
        assert here is not None
    else:
        there = their_route(rig, neighbour, neighbour.large_prefix)
        assert len(there.large_communities) == LARGE_COUNT
        here = our_route(rig, neighbour, THEIR_LARGE)
    assert len(here.large_communities) == LARGE_COUNT
    return "a route whose attributes alone have over 6000 octets passes, both ways"


def restart(rig: Rig, _: Variant) -> str:
    """Graceful restart of our side, then of theirs, in all sessions at once."""
    return rig.together(_restart_both)


def _restart_both(rig: Rig) -> str:
    for neighbour in rig.daemon.neighbours:
        await_routes(rig, neighbour)
        await_route(rig, neighbour, neighbour.former_prefix)
        our_route(rig, neighbour, THEIR_COLOURED)
    seen = []
    if rig.daemon.keeps_routes:
        _restart_ours(rig)
        seen.append("when we are killed, it keeps our routes until our End-of-RIB")
    _restart_theirs(rig)
    if rig.daemon.has_routes_kept:
        seen.append("when it is killed, we keep its routes until its End-of-RIB")
    else:
        seen.append("when it is killed, we drop its routes at once, since it does not ask for more")
    return "; ".join(seen)


def _restart_ours(rig: Rig) -> None:
    for neighbour in rig.daemon.neighbours:
        rig.look(neighbour, methodcaller("kill"))
    for neighbour in rig.daemon.neighbours:
        await_down(rig, neighbour)
        their_route(rig, neighbour, neighbour.prefix)
        their_route(rig, neighbour, neighbour.former_prefix)
    for neighbour in rig.daemon.neighbours:
        rigs.restart(rig, neighbour)
    for neighbour in rig.daemon.neighbours:
        await_routes(rig, neighbour)
        await_no_route(rig, neighbour, neighbour.former_prefix)
        assert not their_route(rig, neighbour, neighbour.prefix).stale


def _restart_theirs(rig: Rig) -> None:
    daemon = rig.daemon
    daemon.kill()
    for neighbour in daemon.neighbours:
        await_their_end(rig, neighbour)
        for number in (THEIR_PLAIN, THEIR_COLOURED):
            if daemon.has_routes_kept:
                assert is_selected(rig, neighbour, number)
            else:
                await_unselected(rig, neighbour, number)
    daemon.is_back = True
    daemon.write_configuration()
    rigs.start_daemon(daemon)
    for neighbour in daemon.neighbours:
        await_routes(rig, neighbour)
        await_unselected(rig, neighbour, THEIR_COLOURED)
        assert is_selected(rig, neighbour, THEIR_PLAIN)
        assert stale_count(rig, neighbour) == 0


def graceful_shutdown(rig: Rig, variant: Variant) -> str:
    """What a drained node tells: what it told before, as a last resort, in the same session; and back."""
    neighbour = rig.neighbour(Role.LEAVING, variant)
    await_routes(rig, neighbour)
    before = their_route(rig, neighbour, neighbour.prefix)
    peer = their_address(variant.family)
    policy = rigs.peer_config(neighbour).export_policy
    since = rig.look(neighbour, lambda felix: felix.peer(peer).since)
    rig.look(neighbour, lambda felix: felix.change(peer, export_policy=announcing(policy)))

    def is_marked() -> bool:
        return GRACEFUL_SHUTDOWN in their_route(rig, neighbour, neighbour.prefix).communities

    rig.wait(is_marked, "our route is about to go", neighbour)
    found = their_route(rig, neighbour, neighbour.prefix).local_pref
    assert variant.external or found == 0
    rig.look(neighbour, lambda felix: felix.change(peer, export_policy=policy))
    rig.wait(lambda: not is_marked(), "our route is here to stay", neighbour)
    assert their_route(rig, neighbour, neighbour.prefix) == before
    assert rig.look(neighbour, lambda felix: felix.peer(peer).since) == since
    preference = ""
    if found is not None:
        preference = f", to which it gives LOCAL_PREF {found}" if variant.external else " and LOCAL_PREF 0"
    return f"within one session our routes are marked with 65535:0{preference}, and then no more"


SCENARIOS: dict[Feature, Scenario] = {
    Feature.PLAIN: plain,
    Feature.MD5: md5,
    Feature.TTL: ttl_security,
    Feature.ADD_PATH: add_path,
    Feature.RESTART: restart,
    Feature.REFRESH: refresh,
    Feature.EXTENDED: extended,
    Feature.REFLECTOR: reflector,
    Feature.COMMUNITIES: communities,
    Feature.POLICY: export_policy,
    Feature.SHUTDOWN: graceful_shutdown,
}


# ---- that a daemon really has not got what is written beside it: these fail on the day it has


def no_ttl_security(rig: Rig, variant: Variant) -> str:
    """A segment from afar is taken."""
    far = rig.neighbour(Role.TTL_FAR, variant)
    rig.wait(lambda: rig.is_established(far), "a session with a TTL of 1", far)
    return "a session with a TTL of 1 was Established"


def no_extended(rig: Rig, variant: Variant) -> str:
    """Not offered, and we keep what only an extended message would hold to ourselves."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_routes(rig, neighbour)
    await_route(rig, neighbour, neighbour.source_prefix)
    assert not offers(rig, neighbour, CapabilityCode.EXTENDED_MESSAGE)
    assert rig.route_of(neighbour, neighbour.large_prefix) is None
    return "its OPEN has no capability 6, and we send it no long message"


def no_refresh(rig: Rig, variant: Variant) -> str:
    """Asked to refresh, it asks nobody."""
    neighbour = rig.neighbour(Role.PLAIN, variant)
    await_routes(rig, neighbour)
    rig.daemon.refresh(neighbour)
    assert rig.daemon.sessions()[neighbour.address].refreshes_sent == 0
    return "its counter of ROUTE-REFRESH messages stays at 0"


ABSENT: dict[Feature, Scenario] = {
    Feature.REFRESH: no_refresh,
    Feature.TTL: no_ttl_security,
    Feature.EXTENDED: no_extended,
}


# ---- what the scenarios have in common


def offers(rig: Rig, neighbour: Neighbour, code: CapabilityCode) -> bool:
    """Whether the daemon's OPEN has a capability."""
    peer = their_address(neighbour.family)
    negotiated = rig.look(neighbour, lambda felix: felix.negotiated(peer))
    assert negotiated is not None
    return any(capability.code == code for capability in negotiated.capabilities)


def await_routes(rig: Rig, neighbour: Neighbour) -> None:
    """Until the session is Established on both sides and each has a route of the other."""
    rig.wait(lambda: rig.is_established(neighbour), "Established on both sides", neighbour)
    await_route(rig, neighbour, neighbour.prefix)
    wanted = their_prefix(neighbour.family)
    rig.wait(lambda: rig.received(neighbour, wanted), "their route is here", neighbour)


def await_routes_by(rig: Rig, neighbour: Neighbour, *, we_dial: bool) -> None:
    """The same over a connection that the right side opened."""
    await_routes(rig, neighbour)
    peer = their_address(neighbour.family)
    assert rig.look(neighbour, lambda felix: felix.has_dialled(peer)) is we_dial


def await_route(rig: Rig, neighbour: Neighbour, prefix: Prefix) -> None:
    """Until the daemon has our route."""
    rig.wait(lambda: rig.route_of(neighbour, prefix), f"our route {prefix} is there", neighbour)


def their_route(rig: Rig, neighbour: Neighbour, prefix: Prefix) -> Route:
    """The daemon's view of a route of ours that it has."""
    route = rig.route_of(neighbour, prefix)
    assert route is not None, prefix
    return route


def our_route(rig: Rig, neighbour: Neighbour, number: int = 0) -> PathAttributes:
    """Our view of a route of the daemon."""
    wanted = their_prefix(neighbour.family, number)
    rig.wait(lambda: rig.received(neighbour, wanted), f"their route {wanted} is here", neighbour)
    attributes = rig.received(neighbour, wanted)
    assert attributes is not None, wanted
    return attributes


def await_no_route(rig: Rig, neighbour: Neighbour, prefix: Prefix) -> None:
    """Until the daemon has our route no more."""
    rig.wait(lambda: rig.route_of(neighbour, prefix) is None, f"our route {prefix} is gone there", neighbour)


def await_down(rig: Rig, neighbour: Neighbour) -> None:
    """Until the daemon sees that our speaker is gone."""
    wait_until(
        lambda: not rig.daemon.sessions()[neighbour.address].established,
        f"{rig.daemon.name} sees {neighbour.name} gone",
        rigs.SECONDS_MAX,
    )


def await_their_end(rig: Rig, neighbour: Neighbour) -> None:
    """Until our speaker sees that the daemon is gone."""
    peer = their_address(neighbour.family)
    wait_until(
        lambda: rig.look(neighbour, lambda felix: felix.peer(peer).state) != "Established",
        f"{neighbour.name} sees {rig.daemon.name} gone",
        rigs.SECONDS_MAX,
    )


def await_unselected(rig: Rig, neighbour: Neighbour, number: int) -> None:
    """Until we forward to a prefix of the daemon no more."""
    wait_until(
        lambda: not is_selected(rig, neighbour, number),
        f"{neighbour.name} has let go of {their_prefix(neighbour.family, number)}",
        rigs.SECONDS_MAX,
    )


def is_selected(rig: Rig, neighbour: Neighbour, number: int) -> bool:
    """Whether we would forward to a prefix of the daemon."""
    prefix = their_prefix(neighbour.family, number)
    return rig.look(neighbour, lambda felix: felix.selected(prefix)) is not None


def stale_count(rig: Rig, neighbour: Neighbour) -> int:
    """How many of the daemon's routes are left of a former session."""
    peer = their_address(neighbour.family)
    return rig.look(neighbour, lambda felix: felix.peer(peer).prefixes_stale)


def as_numbers(attributes: PathAttributes) -> tuple[int, ...]:
    """An AS_PATH without sets."""
    assert all(segment.type == SegmentType.AS_SEQUENCE for segment in attributes.as_path)
    return tuple(asn for segment in attributes.as_path for asn in segment.asns)


def reflected_by(attributes: PathAttributes | None) -> tuple[Address, tuple[Address, ...]]:
    """ORIGINATOR_ID and CLUSTER_LIST of a route that has both."""
    assert attributes is not None
    assert attributes.originator_id is not None
    return Address(attributes.originator_id), tuple(map(Address, attributes.cluster_list))


def updates_sent(rig: Rig, neighbour: Neighbour) -> int:
    """How many UPDATEs we sent in this session."""
    peer = their_address(neighbour.family)
    return rig.look(neighbour, lambda felix: felix.peer(peer).updates_sent)


def updates_arrived(rig: Rig, neighbour: Neighbour) -> int | None:
    """How many the daemon has counted; None where it does not."""
    return rig.daemon.sessions()[neighbour.address].updates_received


def is_down(rig: Rig, neighbour: Neighbour) -> bool:
    """Whether neither side takes the session for Established."""
    peer = their_address(neighbour.family)
    state = rig.look(neighbour, lambda felix: felix.peer(peer).state)
    session = rig.daemon.sessions().get(neighbour.address)
    return state != "Established" and (session is None or not session.established)


def we_are_ignored(rig: Rig, neighbour: Neighbour) -> bool:
    """Whether a segment of ours was repeated for want of an acknowledgement."""
    return is_ignored(rig.ours.namespace, f"src {bracketed(neighbour.address)}")


def they_are_ignored(rig: Rig, neighbour: Neighbour) -> bool:
    """Whether a segment of the daemon's was."""
    return is_ignored(rig.daemon.namespace, f"dst {bracketed(neighbour.address)}")


def is_ignored(namespace: str, sockets: str) -> bool:
    """Whether one of the sockets repeats a segment; `ss` shows its timer as (on,TIME,REPETITIONS)."""
    shown = output_in(namespace, program("ss"), "-tonH", *sockets.split())
    return any(int(count) > 0 for count in re.findall(r"timer:\(on,[^,]+,(\d+)\)", shown))


def bracketed(address: Address) -> str:
    """An address as `ss` takes it."""
    return str(address) if address.family == IPV4 else f"[{address}]"
