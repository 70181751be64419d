"""Named tuples, made many at once."""

from felixbgp.fib.types import RouteKey
from felixbgp.net import IPV4, Prefix
from felixbgp.net.named import named
from felixbgp.net.prefix import prefixes

NLRIS = [b"\x08\x0a", b"\x18\x0a\0\1"]


def test_those_made_together_are_as_those_made_one_by_one() -> None:
    keys = named(RouteKey, [(Prefix(IPV4, NLRIS[0]), 7), (Prefix(IPV4, NLRIS[1]), 8)])
    assert keys == [RouteKey(Prefix(IPV4, NLRIS[0]), 7), RouteKey(Prefix(IPV4, NLRIS[1]), 8)]
    assert [key.metric for key in keys] == [7, 8]


def test_none_are_made_of_none() -> None:
    assert named(RouteKey, []) == []


def test_prefixes_of_one_family_come_in_the_order_of_their_nlri() -> None:
    assert [(type(one), str(one)) for one in prefixes(IPV4, NLRIS)] == [
        (Prefix, "10.0.0.0/8"),
        (Prefix, "10.0.1.0/24"),
    ]
