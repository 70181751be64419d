"""Which next hops are to be judged, which bar a path, and which are forgotten."""

from felixbgp.bgp.rib.next_hops import SWEEP_FIRST, NextHops
from felixbgp.bgp.routes import Reachability
from felixbgp.net import Address, Prefix

ONE, TWO = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
HERE, THERE = Prefix.parse("10.1.0.0/16"), Prefix.parse("10.2.0.0/16")
REACHED, LOST = Reachability(resolvable=True), Reachability(resolvable=False)
THROUGH_HERE = Reachability(resolvable=True, through=frozenset({HERE}))


def test_each_is_to_be_judged_once() -> None:
    next_hops = NextHops()
    for next_hop in (TWO, ONE, TWO):
        next_hops.meet(bytes(next_hop))
    assert next_hops.take_unjudged() == [TWO, ONE]
    next_hops.meet(ONE)
    assert next_hops.take_unjudged() == []


def test_only_what_differs_is_a_change() -> None:
    next_hops = NextHops()
    assert next_hops.judge({ONE: REACHED}) == {}
    assert (next_hops.bars_any, next_hops.is_barred(ONE, HERE)) == (False, False)
    assert list(next_hops.judge({ONE: LOST, TWO: THROUGH_HERE})) == [ONE, TWO]
    assert next_hops.judge({ONE: LOST, TWO: THROUGH_HERE}) == {}
    assert next_hops.bars_any
    assert [next_hops.is_barred(ONE, prefix) for prefix in (HERE, THERE)] == [True, True]
    assert [next_hops.is_barred(TWO, prefix) for prefix in (HERE, THERE)] == [True, False]
    assert list(next_hops.judge({ONE: REACHED, TWO: REACHED})) == [ONE, TWO]
    assert not next_hops.is_barred(ONE, HERE)


def test_unused_ones_are_forgotten_and_can_be_met_again() -> None:
    next_hops = NextHops()
    many = [Address((0x0A000000 + number).to_bytes(4, "big")) for number in range(SWEEP_FIRST)]
    for next_hop in many:
        next_hops.meet(next_hop)
        assert next_hops.are_many is (next_hop is many[-1])
    next_hops.judge(dict.fromkeys(many, LOST))
    next_hops.meet(many[0])
    for next_hop in many:
        next_hops.part(next_hop)
    assert next_hops.sweep() == [], "nobody judged them yet"
    next_hops.take_unjudged()
    assert next_hops.sweep() == many[1:], "the first was met twice"
    assert not next_hops.are_many
    assert [next_hops.is_barred(one, HERE) for one in many[:2]] == [True, False]
    next_hops.meet(many[1])
    assert next_hops.take_unjudged() == [many[1]]
