"""What is judged at each step, by tampering with a kernel of a cluster; test_planted_bugs.py has the rest."""

import pytest

from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.bgp.wire.update import encode_announcements
from felixbgp.fib.types import DeleteRoutes, NextHop, ReplaceRoutes, Route, RouteKey, RouteKind
from felixbgp.net import IPV4, Address, Prefix
from felixbgp.sim.network import End, Host
from felixbgp.sim.safety import Safety, ViolationError
from felixbgp.sim.tables import Tables
from felixbgp.sim.world import SECOND, World
from tests.support.cluster import RESOURCES, mesh

THEIRS = Prefix.parse("10.0.2.0/26")
METRIC = 1024


@pytest.fixture
def world() -> World:
    cluster = mesh(3, seed=8, draining_seconds=120, is_traced=False)
    Safety(cluster, draining_s=120)
    cluster.run_for(60 * SECOND)
    return cluster


def delete(world: World, prefix: Prefix = THEIRS) -> None:
    world.nodes["node-1"].kernel.apply(DeleteRoutes((RouteKey(prefix, METRIC),)))


def write(world: World, node: str, prefix: Prefix, gateway: str, *, exclusive: bool = False) -> None:
    route = Route(RouteKind.UNICAST, (NextHop(Address.parse(gateway)),), METRIC)
    world.nodes[node].kernel.apply(ReplaceRoutes(((prefix, route),), exclusive=exclusive))


def test_a_route_that_goes_while_there_is_a_way_is_lost(world: World) -> None:
    with pytest.raises(ViolationError, match=r"lost route: node-1 has no route to 10\.0\.2\.0/26 any more"):
        delete(world)


def test_ones_own_block_is_not_to_go_either(world: World) -> None:
    with pytest.raises(ViolationError, match="lost route"):
        delete(world, Prefix.parse("10.0.1.0/26"))


def test_a_node_that_leaves_is_no_loss(world: World) -> None:
    world.store.delete(f"{RESOURCES}/nodes/node-2")
    world.run_for(60 * SECOND)
    assert THEIRS not in world.nodes["node-1"].kernel.routes()


def test_a_former_lifes_route_is_to_stay_until_all_have_spoken(world: World) -> None:
    node = world.nodes["node-1"]
    node.kill()
    world.run_for(SECOND)
    node.start()
    with pytest.raises(ViolationError, match="early sweep: node-1 has let go"):
        delete(world)


def test_nobody_waits_for_who_was_without_power_and_has_said_nothing_since(world: World) -> None:
    node, dead = world.nodes["node-1"], world.nodes["node-2"]
    dead.turn_off()
    node.kill()
    world.run_for(SECOND)
    node.start()
    world.run_for(SECOND)
    dead.start()
    delete(world)


def test_who_had_no_power_before_is_waited_for(world: World) -> None:
    node, dead = world.nodes["node-1"], world.nodes["node-2"]
    dead.turn_off()
    world.run_for(SECOND)
    dead.start()
    world.run_for(60 * SECOND)
    node.kill()
    dead.kill()
    world.run_for(SECOND)
    node.start()
    with pytest.raises(ViolationError, match="early sweep: node-1 has let go"):
        delete(world)


@pytest.mark.parametrize("was_away", [True, False])
def test_nobody_waits_for_who_is_away_behind_a_cut_link(world: World, *, was_away: bool) -> None:
    node, other = world.nodes["node-1"], world.nodes["node-2"]
    node.kill()
    world.network.cut("node-1", "node-2")
    world.run_for(SECOND)
    node.start()
    world.run_for(SECOND)
    if was_away:
        other.kill()
        world.run_for(SECOND)
        other.start()
        delete(world)
        return
    with pytest.raises(ViolationError, match="early sweep: node-1 has let go"):
        delete(world)


def test_a_route_of_which_nobody_told_is_from_nowhere(world: World) -> None:
    with pytest.raises(ViolationError, match=r"from nowhere: node-1 has 10\.0\.9\.0/26 by 172\.30\.0\.2"):
        write(world, "node-1", Prefix.parse("10.0.9.0/26"), "172.30.0.2", exclusive=True)
    with pytest.raises(ViolationError, match=r"from nowhere: node-1 has 10\.0\.2\.0/26 by 172\.30\.0\.3"):
        write(world, "node-1", THEIRS, "172.30.0.3")


@pytest.mark.parametrize("is_cut", [True, False])
def test_nobody_has_heard_what_a_cut_link_keeps(*, is_cut: bool) -> None:
    world = mesh(3, seed=8, is_traced=False)
    world.run_for(60 * SECOND)
    safety = Safety(world)
    world.run_for(60 * SECOND)
    teller, hearer = Address.parse("172.30.0.3"), Address.parse("172.30.0.1")
    end = End(Host("node-3", (teller,), print), 1)

    def say(next_hop: str) -> None:
        attributes = PathAttributes(next_hop=Address.parse(next_hop))
        said = encode_announcements(IPV4, attributes, [THEIRS.nlri])
        safety.sent(end, "node-3", teller, hearer, b"".join(said))

    say("172.30.0.3")
    if is_cut:
        world.network.cut("node-1", "node-3")
    say("172.30.0.2")
    world.run_for(60 * SECOND)
    if is_cut:
        write(world, "node-1", THEIRS, "172.30.0.3")
        world.network.mend("node-1", "node-3")
        world.run_for(161 * SECOND)
        write(world, "node-1", THEIRS, "172.30.0.2")
    with pytest.raises(ViolationError, match=r"from nowhere: node-1 has 10\.0\.2\.0/26 by 172\.30\.0\.3"):
        write(world, "node-1", THEIRS, "172.30.0.3")


def test_packets_that_go_round_are_seen() -> None:
    world = mesh(3, seed=8, is_traced=False)
    world.run_for(60 * SECOND)
    names = {Address.parse(f"172.30.0.{number}"): f"node-{number}" for number in (1, 2, 3)}
    write(world, "node-1", THEIRS, "172.30.0.3")
    write(world, "node-3", THEIRS, "172.30.0.1")
    tables = Tables(world)
    tables.settle()
    assert tables.loop("node-1", THEIRS, names) == ("node-1", "node-3")
    assert tables.loop("node-2", THEIRS, names) == ()
    tables.put("node-3", THEIRS, METRIC, None)
    assert tables.route("node-3", THEIRS) is None
    assert tables.loop("node-1", THEIRS, names) == ()


def test_a_loop_is_let_be_for_half_a_minute() -> None:
    world = mesh(3, seed=8, is_traced=False)
    world.run_for(60 * SECOND)
    safety = Safety(world)
    world.run_for(60 * SECOND)
    addresses = {"node-1": Address.parse("172.30.0.1"), "node-3": Address.parse("172.30.0.3")}
    # Each of them told the other, as they do where both think that the other one is nearer.
    for teller, hearer in (("node-1", "node-3"), ("node-3", "node-1")):
        attributes = PathAttributes(next_hop=addresses[teller])
        data = b"".join(encode_announcements(IPV4, attributes, [THEIRS.nlri]))
        end = End(Host(teller, (addresses[teller],), print), 1)
        safety.sent(end, teller, addresses[teller], addresses[hearer], data)
        write(world, hearer, THEIRS, str(addresses[teller]))
    world.run_for(29 * SECOND)
    with pytest.raises(ViolationError, match=r"loop: packets to 10\.0\.2\.0/26 go round by node-1 node-3"):
        world.run_for(30 * SECOND)
