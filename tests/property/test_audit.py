"""Whatever is done to a kernel without a word: an audit names it, heals what is ours, and leaves the rest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.sim.world import SECOND, World
from felixbgp.status import audit_document, keys
from felixbgp.status.audit import AuditAnswer, Outcome
from tests.support.cluster import converged, mesh

STATIC = 4
OWN, LEARNED, STRAY = ("10.0.1.0/26", "fd10::100/122"), ("10.0.2.0/26", "fd10::200/122"), ("192.0.2.0/24",)
PREFIXES = [Prefix.parse(text) for text in (*OWN, *LEARNED, *STRAY)]
METRICS = (1024, 20)

Act = tuple[Prefix, int, int | None, bool]
"""Where, at which metric, by which protocol (None: what is there goes), and whether it leads somewhere."""


def acts(protocol: int) -> st.SearchStrategy[list[Act]]:
    one = st.tuples(
        st.sampled_from(PREFIXES),
        st.sampled_from(METRICS),
        st.sampled_from([None, STATIC, protocol]),
        st.booleans(),
    )
    return st.lists(one, max_size=6)


def break_kernel(world: World, done: list[Act]) -> None:
    kernel = world.nodes["node-1"].kernel
    for prefix, metric, protocol, leads_on in done:
        gateway = Address.parse("172.30.0.9" if len(prefix.address) == 4 else "fd30::9")
        hops = (NextHop(gateway),) if leads_on else ()
        route = Route(RouteKind.UNICAST if leads_on else RouteKind.BLACKHOLE, hops, metric)
        kernel.change(KernelRoute(prefix, route, protocol or STATIC), present=protocol is not None)


def tables(world: World) -> tuple[set[KernelRoute], set[KernelRoute]]:
    """Ours, and those of others but for the links."""
    kernel = world.nodes["node-1"].kernel
    routes = {route for snapshot in kernel.snapshots() for route in snapshot.routes}
    ours = {route for route in routes if route.protocol == kernel.protocol}
    return ours, {route for route in routes if route.protocol == STATIC}


def audited(world: World, request: str) -> AuditAnswer:
    world.store.put(keys.audit_request_key("node-1", request), audit_document.encode_request(""))
    found: list[AuditAnswer] = []

    def is_answered() -> bool:
        value = world.store.get(keys.audit_key("node-1"))
        found[:] = [] if value is None else [audit_document.decode(value)]
        return bool(found) and request in found[0].requests

    world.run_until(is_answered, 20 * SECOND)
    return found[0]


@settings(max_examples=40)
@given(acts(179))
def test_an_audit_finds_and_heals_exactly_what_was_broken(done: list[Act]) -> None:
    world = mesh(2, seed=1)
    world.run_until(lambda: converged(world, 2), 60 * SECOND)
    world.run_for(10 * SECOND)
    before, _ = tables(world)
    break_kernel(world, done)
    broken, foreign = tables(world)
    taken = {(route.prefix, route.metric) for route in foreign}

    answer = audited(world, "one")

    assert {entry.prefix for entry in answer.differences} == {
        route.prefix for route in before.symmetric_difference(broken)
    }
    ours, theirs = tables(world)
    assert theirs == foreign
    assert ours == {route for route in before if (route.prefix, route.metric) not in taken}
    assert {entry.outcome for entry in answer.differences} <= {Outcome.HEALED, Outcome.LEFT_ALONE}

    again = audited(world, "two")
    lasting = {
        (entry.prefix, entry.kind) for entry in answer.differences if entry.outcome is not Outcome.HEALED
    }
    assert {(entry.prefix, entry.kind) for entry in again.differences} == lasting
    assert again.healed == 0
