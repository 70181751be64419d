"""The short form of `python -m bench load`: that it measures what it says, and leaves nothing behind."""

import os

import pytest

from bench.load.daemons.base import Daemon
from bench.load.daemons.bird import Bird
from bench.load.daemons.felix import Interpreted
from bench.load.loads import LOADS
from bench.load.measuring import measure
from bench.load.site import PREFIX
from bench.load.soak import run
from felixbgp.lab import netns

pytestmark = [pytest.mark.root, pytest.mark.lab, pytest.mark.timeout(120)]

ROUTES = 500
ROWS = {load.name: load for load in LOADS}


@pytest.mark.parametrize("name", ["ebgp-1m", "full-table"])
@pytest.mark.parametrize("daemon", [Bird, Interpreted])
def test_a_few_routes_of_a_load_are_counted_to_the_last(daemon: type[Daemon], name: str) -> None:
    outcome = measure(ROWS[name], daemon, ROUTES)
    assert outcome.given_up == ""
    assert [(phase.announced, phase.withdrawn) for phase in outcome.phases] == [(ROUTES, 0), (0, ROUTES)]
    assert all(phase.cpu_seconds > 0 and phase.resident_mib > 1 for phase in outcome.phases)
    assert not [one for one in netns.names() if one.startswith(f"{PREFIX}{os.getpid()}-")]


def test_two_seconds_of_soaking() -> None:
    result = run(2.0, 2_000, Interpreted)
    assert result.faults == []
    assert result.announced > 1000
