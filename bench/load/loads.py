"""The loads, a row each, and the plans that they stand for.

A row says how many routes the device gets, and how many those get that would take minutes for it; CPU time is
compared per route.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from bench.load.plan import Dispatch, Party, Phase, Plan, Routes, routes_of
from bench.load.tables import Group, Shape, announcements, full_table, prefixes, uniform, withdrawals

FLAP_SHARE = 100
"""One in so many is withdrawn and announced again every second."""
IDLE_SECONDS = 30.0
"""As long as a KEEPALIVE takes to come again with a hold time of 90 s: each session has one, either way."""
FLAP_SECONDS = 60

Planner = Callable[["Load", int, bool], Plan]
"""Of a load, a number of routes, and whether the device puts its own AS in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One row."""

    name: str
    title: str
    planner: Planner
    routes: int
    slow_routes: int
    shape: Shape
    parties: int = 2
    is_ipv6: bool = False
    is_internal: bool = False
    """Whether the parties are clients of the device, a route reflector."""
    has_policy: bool = False
    has_many_paths: bool = False
    seconds: float = 0.0


def plan_of(load: Load, routes: int, *, is_changed: bool = True) -> Plan:
    """All that the generator does for a load with so many routes (a multiple of ten at least)."""
    return load.planner(load, routes, is_changed)


def parties_of(load: Load) -> list[Party]:
    """Who takes part."""
    return [
        Party(
            number,
            is_ipv6=load.is_ipv6,
            is_internal=load.is_internal,
            takes_many_paths=load.has_many_paths and number == load.parties - 1,
        )
        for number in range(load.parties)
    ]


def pass_on(load: Load, routes: int, is_changed: bool) -> Plan:
    """The first party announces a table, which the device passes on to the second; then it withdraws."""
    parties = parties_of(load)
    groups = load.shape.groups(routes, 0)
    nlris = prefixes(groups)
    held = routes_of(groups, parties[0], is_changed=is_changed)
    announce = announcements(groups, parties[0].sender)
    withdraw = withdrawals(nlris, is_ipv6=load.is_ipv6)
    return Plan(
        parties,
        (1,),
        load.shape.nlri_octets,
        (
            Phase("announce", (Dispatch(0, announce),), lambda _: held, routes, announced=routes),
            Phase("withdraw", (Dispatch(0, withdraw),), lambda _: {}, routes, withdrawn=routes),
        ),
        _shared(nlris),
    )


def reflect(load: Load, routes: int, is_changed: bool) -> Plan:
    """Every client announces its routes at once, and hears those of all others; then all withdraw.

    With fewer routes than clients so many clients announce one, and the others hear.
    """
    each = max(1, routes // load.parties)
    parties = parties_of(load)
    tables = [
        load.shape.groups(each, party.number * each) if party.number < routes else [] for party in parties
    ]
    everything: dict[bytes, bytes] = {}
    for table, party in zip(tables, parties, strict=True):
        everything |= routes_of(table, party, is_changed=is_changed)

    def of_the_others(number: int) -> Routes:
        own = set(prefixes(tables[number]))
        return {nlri: path for nlri, path in everything.items() if nlri not in own}

    announce = tuple(
        Dispatch(party.number, announcements(table, party.sender))
        for table, party in zip(tables, parties, strict=True)
        if table
    )
    withdraw = tuple(
        Dispatch(party.number, withdrawals(prefixes(table), is_ipv6=load.is_ipv6))
        for table, party in zip(tables, parties, strict=True)
        if table
    )
    count = len(everything) * (load.parties - 1)
    return Plan(
        parties,
        range(load.parties),
        load.shape.nlri_octets,
        (
            Phase("announce", announce, of_the_others, count, announced=count),
            Phase("withdraw", withdraw, lambda _: {}, count, withdrawn=count),
        ),
        _shared(everything),
        {party.number: frozenset(prefixes(table)) for table, party in zip(tables, parties, strict=True)},
    )


def compete(load: Load, routes: int, is_changed: bool) -> Plan:
    """Ten senders announce the same prefixes at once, each by a shorter path than the one before it.

    Then the best of them withdraws, and the second best must take its place; then all others do.
    """
    parties = parties_of(load)
    senders = parties[:-1]
    base = load.shape.groups(routes, 0)
    nlris = prefixes(base)
    tables = [_longer(base, len(senders) - party.number) for party in senders]
    best, second = (routes_of(tables[number], senders[number], is_changed=is_changed) for number in (-1, -2))
    announce = tuple(
        Dispatch(party.number, announcements(table, party.sender))
        for table, party in zip(tables, senders, strict=True)
    )
    withdraw = withdrawals(nlris, is_ipv6=load.is_ipv6)
    last = len(senders) - 1
    others = tuple(Dispatch(number, withdraw) for number in range(last))
    whole = routes * len(senders)
    return Plan(
        parties,
        (len(senders),),
        load.shape.nlri_octets,
        (
            Phase("announce", announce, lambda _: best, whole, is_counted=False),
            Phase(
                "the best withdraws", (Dispatch(last, withdraw),), lambda _: second, routes, is_counted=False
            ),
            Phase("the others withdraw", others, lambda _: {}, whole - routes, is_counted=False),
        ),
        _shared(nlris),
    )


def several_paths(load: Load, routes: int, is_changed: bool) -> Plan:
    """Senders announce the same prefixes, and the receiver takes all paths."""
    parties = parties_of(load)
    senders = parties[:-1]
    base = load.shape.groups(routes, 0)
    nlris = prefixes(base)
    tables = [_longer(base, 1 + party.number) for party in senders]
    held = dict(
        chain.from_iterable(
            (
                (number.to_bytes(4, "big") + nlri, path)
                for nlri, path in routes_of(table, party, is_changed=is_changed).items()
            )
            for number, (table, party) in enumerate(zip(tables, senders, strict=True))
        )
    )
    announce = tuple(
        Dispatch(party.number, announcements(table, party.sender))
        for table, party in zip(tables, senders, strict=True)
    )
    withdraw = withdrawals(nlris, is_ipv6=load.is_ipv6)
    count = routes * len(senders)
    return Plan(
        parties,
        (len(senders),),
        load.shape.nlri_octets,
        (
            Phase("announce", announce, lambda _: held, count, announced=count),
            Phase(
                "withdraw",
                tuple(Dispatch(party.number, withdraw) for party in senders),
                lambda _: {},
                count,
                withdrawn=count,
            ),
        ),
        _shared(nlris),
    )


def flap(load: Load, routes: int, is_changed: bool) -> Plan:
    """A table is there; every second one route in a hundred goes, and half a second later it is back."""
    plan = pass_on(load, routes, is_changed)
    announce, _ = plan.phases
    groups = load.shape.groups(routes, 0)
    part = len(groups) // FLAP_SHARE
    assert part, "a hundredth of the table is no set of attributes"
    dispatches = []
    changes = 0
    for second in range(int(load.seconds)):
        start = second % FLAP_SHARE * part
        flapping = groups[start : start + part]
        nlris = prefixes(flapping)
        changes += 2 * len(nlris)
        dispatches += [
            Dispatch(0, withdrawals(nlris, is_ipv6=load.is_ipv6), second),
            Dispatch(0, announcements(flapping, plan.parties[0].sender), second + 0.5),
        ]
    phase = Phase(
        "flap", tuple(dispatches), announce.holds, changes, is_counted=False, seconds_min=load.seconds
    )
    return replace(plan, phases=(announce, phase))


def idle(load: Load, _routes: int, _is_changed: bool) -> Plan:
    """Sessions that only keep alive."""
    parties = parties_of(load)
    phase = Phase("idle", (), lambda _: {}, 0, is_counted=False, seconds_min=load.seconds)
    return Plan(parties, (), 0, (phase,))


def _longer(groups: list[Group], more: int) -> list[Group]:
    """The same with longer paths."""
    return [replace(group, path=(*range(64600, 64600 + more), *group.path)) for group in groups]


def _shared(nlris: Mapping[bytes, bytes] | list[bytes]) -> dict[bytes, bytes]:
    return {nlri: nlri for nlri in nlris}


_OF_PAIR = partial(Load, planner=pass_on)
_OF_CLIENTS = partial(Load, planner=reflect, is_internal=True)
TEN = uniform(24, 10)

LOADS: tuple[Load, ...] = (
    _OF_PAIR(
        name="ebgp-1m", title="eBGP, 1,000,000 /24, 10 per set", routes=1_000_000, slow_routes=50_000,
        shape=TEN,
    ),
    _OF_PAIR(
        name="ebgp-200k", title="eBGP, 200,000 /24, 10 per set", routes=200_000, slow_routes=50_000,
        shape=TEN,
    ),
    _OF_PAIR(
        name="ebgp-1000", title="eBGP, 1,000,000 /24, 1,000 per set", routes=1_000_000, slow_routes=50_000,
        shape=uniform(24, 1000),
    ),
    _OF_PAIR(
        name="ebgp-1", title="eBGP, 300,000 /24, 1 per set", routes=300_000, slow_routes=50_000,
        shape=uniform(24, 1),
    ),
    _OF_PAIR(
        name="full-table", title="eBGP, a full table's shape, 1,000,000 prefixes", routes=1_000_000,
        slow_routes=50_000, shape=full_table(),
    ),
    _OF_PAIR(
        name="ipv6", title="eBGP, IPv6, 200,000 /48, 10 per set", routes=200_000, slow_routes=50_000,
        shape=uniform(48, 10), is_ipv6=True,
    ),
    _OF_PAIR(
        name="policy", title="eBGP, 200,000 /24, 10 per set, a filter of 20 rules", routes=200_000,
        slow_routes=50_000, shape=TEN, has_policy=True,
    ),
    Load(
        name="add-path", title="eBGP, 4 senders of the same 50,000 /24, all paths passed on", routes=50_000,
        slow_routes=10_000, shape=TEN, planner=several_paths, parties=5, has_many_paths=True,
    ),
    Load(
        name="rivals", title="eBGP, 10 senders of the same 50,000 /24", routes=50_000, slow_routes=5_000,
        shape=TEN, planner=compete, parties=11,
    ),
    Load(
        name="flap", title="eBGP, 200,000 /24, 1 % withdrawn and announced again every second, a minute",
        routes=200_000, slow_routes=50_000, shape=TEN, planner=flap, seconds=FLAP_SECONDS,
    ),
    _OF_CLIENTS(
        name="rr-100", title="reflector, 100 clients with 50 /26", routes=5_000, slow_routes=1_000,
        shape=uniform(26, 100), parties=100,
    ),
    _OF_CLIENTS(
        name="rr-300", title="reflector, 300 clients with 100 /26", routes=30_000, slow_routes=900,
        shape=uniform(26, 100), parties=300,
    ),
    _OF_CLIENTS(
        name="rr-1000", title="reflector, 1,000 clients with 10 /26", routes=10_000, slow_routes=100,
        shape=uniform(26, 100), parties=1000,
    ),
    Load(
        name="idle", title="1,000 idle sessions, 30 s", routes=0, slow_routes=0, shape=TEN, planner=idle,
        parties=1000, is_internal=True, seconds=IDLE_SECONDS,
    ),
)  # fmt: skip
