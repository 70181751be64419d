"""A world at rest against the oracle: what differs, in words. Liveness is that nothing does."""

from collections.abc import Iterable, Iterator, Mapping

from felixbgp.fib.types import Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.sim.oracle import Expected, Forwarding, expected
from felixbgp.sim.topology import Router, read
from felixbgp.sim.world import World


def differences(world: World, routers: Iterable[Router] = (), dead: Iterable[str] = ()) -> list[str]:
    """Every session and route that is not as it must be, none when all is well.

    `routers` are those of the world that follow no store; of the `dead` nodes nothing is expected, and their
    sessions must be down.

    Raises:
        NotUnderstoodError: the store holds what the oracle does not know.
        UnsettledError: the policies allow no state at rest.
    """
    values = [(key, stored.value) for key, stored in world.store.contents().items()]
    cluster = read(values, routers)
    wanted = expected(cluster, without=frozenset(dead))
    living = [name for name in sorted(world.nodes) if name not in set(dead)]
    return [*_of_sessions(world, wanted, living), *_of_kernels(world, wanted, living)]


def established(world: World, name: str) -> set[Address]:
    """The peers with which a node has an Established session."""
    peers = world.nodes[name].agent.status(world.clock.now).peers
    return {peer.peer.address for peer in peers if peer.state == "Established"}


def _of_sessions(world: World, wanted: Expected, living: Iterable[str]) -> Iterator[str]:
    for name in living:
        there = established(world, name)
        peers = wanted.peers_of(name)
        yield from (f"{name}: no session with {address}" for address in sorted(peers - there))
        yield from (f"{name}: a session with {address}" for address in sorted(there - peers))


def _of_kernels(world: World, wanted: Expected, living: Iterable[str]) -> Iterator[str]:
    for name in living:
        if world.nodes[name].forwards:
            yield from _of_routes(name, wanted.kernels.get(name, {}), world.nodes[name].kernel.routes())


def _of_routes(
    name: str, wanted: Mapping[Prefix, Forwarding], there: Mapping[Prefix, Route]
) -> Iterator[str]:
    for prefix in sorted({*wanted, *there}):
        found = _read(there[prefix]) if prefix in there else None
        if found != wanted.get(prefix):
            yield f"{name}: {prefix} is {_text(found)} and should be {_text(wanted.get(prefix))}"


def _read(route: Route) -> Forwarding | None:
    """A kernel's route in the words of the oracle; None for one of a kind that we never write."""
    if route.kind not in (RouteKind.BLACKHOLE, RouteKind.UNICAST):
        return None
    gateways = sorted(hop.gateway for hop in route.next_hops if hop.gateway is not None)
    return Forwarding(route.metric, tuple(gateways), any(hop.onlink for hop in route.next_hops))


def _text(route: Forwarding | None) -> str:
    if route is None:
        return "nowhere"
    by = " ".join(map(str, route.gateways)) or "here"
    return f"{by}{' through a tunnel' if route.tunnel else ''} with metric {route.metric}"
