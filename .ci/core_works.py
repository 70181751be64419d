"""Two speakers tell each other a thousand routes and withdraw them, with the package that is installed."""

import sys
from pathlib import Path

import felixbgp.bgp.speaker

sys.path.append(str(Path(__file__).parent.parent))  # behind the installed package

from tests.support.speakers import Network, join

PREFIXES = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(1000)]

network = Network()
one, other = network.node("192.0.2.1", asn=64512), network.node("192.0.2.2", asn=64513)
join([(one, other)], {})
network.run_for(1)
one.originate(*PREFIXES)
network.settle()
assert set(other.routes()) == set(PREFIXES), other.peer(one)  # noqa: S101
one.withdraw(*PREFIXES)
network.settle()
assert other.routes() == {}, other.peer(one)  # noqa: S101
assert "site-packages" in str(felixbgp.bgp.speaker.__file__)  # noqa: S101
