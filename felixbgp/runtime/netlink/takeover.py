"""Take over the kernel routes of another routing daemon: our mark on each, in its place.

It is done before anything is told. From then on they are what a former life of ours would have left: they
forward, are replaced by what is selected, and go when every peer has told its routes. Nothing is deleted
here, and no other route is touched.
"""

from collections.abc import Collection
from contextlib import suppress
from errno import EADDRINUSE
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket

from felixbgp.fib.types import KernelRoute, ReplaceRoutes, Route, RouteFailed, RouteKind
from felixbgp.net import IPV4, IPV6, Family, Prefix
from felixbgp.runtime.netlink.decode import decode_route
from felixbgp.runtime.netlink.encode import dump_routes
from felixbgp.runtime.netlink.links import Links
from felixbgp.runtime.netlink.sockets import dump
from felixbgp.runtime.netlink.writer import RouteWriter
from felixbgp.runtime.telemetry import LOGGER

BGP_PORT = 179


class DaemonStillRunsError(RuntimeError):
    """The routes are of somebody who is there, and would write them again. The text is for the operator."""


def require_nobody_listens(port: int = BGP_PORT) -> None:
    """Make sure that the daemon whose routes are to be ours has ended.

    Raises:
        DaemonStillRunsError: somebody listens on BGP's port.
        OSError: no such socket may be made here.
    """
    for family in (AF_INET, AF_INET6):
        with socket(family, SOCK_STREAM) as sock:
            # Connections that are over do not count, listeners do.
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            if family == AF_INET6:
                sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
            try:
                sock.bind(("", port))
                sock.listen()
            except OSError as error:
                if error.errno != EADDRINUSE:
                    raise
                raise DaemonStillRunsError(
                    f"take_over: somebody still listens on TCP port {port}; end the daemon whose routes are "
                    "to be ours so that its peers keep them: `birdc graceful restart`, or kill -9"
                ) from error


async def take_over(writer: RouteWriter, links: Links, table: int, protocols: Collection[int]) -> None:
    """Make all routes of these protocols in a table ours.

    Raises:
        OSError: the kernel did not let us read.
    """
    taken, failures = 0, list[RouteFailed]()
    for family in (IPV4, IPV6):
        for routes in _by_metric(await _routes_of(family, links, table, protocols)):
            for result in await writer.write(ReplaceRoutes(tuple(routes.items()))):
                if isinstance(result, RouteFailed):
                    failures.append(result)
            taken += len(routes)
    for failure in failures:
        LOGGER.warning("%s is not taken over: %s", failure.prefix, failure.reason)
    LOGGER.info("took over %d kernel routes of another routing daemon", taken - len(failures))


async def _routes_of(
    family: Family, links: Links, table: int, protocols: Collection[int]
) -> list[KernelRoute]:
    found: list[KernelRoute] = []
    # A table comes to be with its first route.
    with suppress(FileNotFoundError):
        request = dump_routes(family, table)
        found = await dump(request, lambda message: decode_route(message.body, (table,), links.name_of))
    return [
        entry for entry in found if entry.protocol in protocols and entry.route.kind is not RouteKind.OTHER
    ]


def _by_metric(routes: list[KernelRoute]) -> list[dict[Prefix, Route]]:
    """What can be written together: each prefix once. Of two that were appended, the first is in use."""
    groups: dict[int, dict[Prefix, Route]] = {}
    for entry in routes:
        groups.setdefault(entry.metric, {}).setdefault(entry.prefix, entry.route)
    return list(groups.values())
