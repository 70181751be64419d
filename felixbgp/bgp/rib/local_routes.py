"""The routes of our own: one source among others for the Loc-RIB (RFC 4271 §9.4)."""

from typing import Final

from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.rib.path import Path, local_path
from felixbgp.bgp.routes import LocalRoute
from felixbgp.net import Nlri

SWEEP_FIRST: Final = 256
"""Distinct origins before unused ones are looked for: each workload's interface is one."""


class LocalRoutes:
    """What we originate in one family."""

    __slots__ = ("_loc_rib", "_paths", "_routes", "_sweep_at")

    def __init__(self, loc_rib: LocRib) -> None:
        self._loc_rib = loc_rib
        self._routes: dict[Nlri, Path] = {}
        self._paths: dict[LocalRoute, Path] = {}
        self._sweep_at = SWEEP_FIRST

    def originate(self, nlri: Nlri, route: LocalRoute | None) -> None:
        """Begin or change, or with None end, the origination of a prefix."""
        old = self._routes.pop(nlri, None)
        new: Path | None = None
        if route is not None:
            new = self._routes[nlri] = self._path(route)
        self._loc_rib.replace(nlri, old, new)

    def _path(self, route: LocalRoute) -> Path:
        path = self._paths.get(route)
        if path is None:
            if len(self._paths) >= self._sweep_at:
                used = dict.fromkeys(self._routes.values())
                self._paths = {route: path for route, path in self._paths.items() if path in used}
                self._sweep_at = max(SWEEP_FIRST, 2 * len(self._paths))
            path = self._paths[route] = local_path(route)
        return path
