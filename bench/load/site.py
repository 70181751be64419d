"""The two namespaces and the wire between them; gone afterwards, with all that runs in them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load.plan import DEVICE_V4, DEVICE_V6, Party
from felixbgp.lab import netns, processes

PREFIX = "felixbench-"
LOAD_MAC = "02:00:0a:63:00:02"
"""Known beforehand, so that a thousand parties cost the device no thousand questions on the wire."""


@dataclass(frozen=True, slots=True)
class Site:
    """Names of the namespaces."""

    device: str
    load: str


@contextmanager
def a_site(parties: Iterable[Party]) -> Iterator[Site]:
    """Namespaces with the addresses of all parties, for the length of a `with` block."""
    site = Site(f"{PREFIX}{os.getpid()}-device", f"{PREFIX}{os.getpid()}-load")
    names = (site.device, site.load)
    try:
        netns.create(names)
        _wire(site, list(parties))
        yield site
    finally:
        _remove(names)


def remove_leftovers() -> None:
    """What a bench that was killed has left."""
    for name in netns.names():
        owner = name.removeprefix(PREFIX).partition("-")[0]
        if name.startswith(PREFIX) and not Path(f"/proc/{owner}").exists():
            _remove([name])


def _remove(names: Iterable[str]) -> None:
    for name in names:
        processes.kill_inside(name)
    netns.remove(names)


def _wire(site: Site, parties: list[Party]) -> None:
    netns.batch(
        [
            "link set lo up",
            f"link add eth0 type veth peer name eth0 netns {site.load}",
            f"address add {DEVICE_V4}/16 dev eth0",
            f"address add {DEVICE_V6}/64 dev eth0 nodad",
            "link set eth0 up",
        ],
        site.device,
    )
    netns.batch(
        [
            "link set lo up",
            f"link set eth0 address {LOAD_MAC}",
            *(f"address add {_with_length(party)} dev eth0" for party in parties),
            "link set eth0 up",
        ],
        site.load,
    )
    netns.batch(
        (f"neigh replace {party.address} lladdr {LOAD_MAC} dev eth0 nud permanent" for party in parties),
        site.device,
    )


def _with_length(party: Party) -> str:
    return f"{party.address}/64 nodad" if party.is_ipv6 else f"{party.address}/16"
