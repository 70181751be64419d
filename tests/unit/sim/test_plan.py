"""Plans: drawn from a seed, told in lines, made smaller."""

import pytest

from felixbgp.sim import plan as plans
from felixbgp.sim.draw import START_MS, draw
from felixbgp.sim.faults import Kill
from felixbgp.sim.links import Trouble  # noqa: F401 - a plan's repr has it
from felixbgp.sim.machines import Machine
from felixbgp.sim.operators import AddNode, Block, Delete, Put
from felixbgp.sim.plan import At, During, Plan
from felixbgp.sim.shrink import minimal, shrink, without_machine

SEEDS = range(300)


def test_a_seed_is_always_the_same_plan_and_another_one_another() -> None:
    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert len({repr(draw(seed)) for seed in SEEDS}) == len(SEEDS)


def test_plans_are_of_all_sizes_shapes_and_kinds() -> None:
    drawn = [draw(seed) for seed in SEEDS]
    sizes = [sum(machine.as_number is None for machine in plan.machines) for plan in drawn]
    assert min(sizes) == 3
    assert 30 < max(sizes) <= 60
    assert sorted(sizes)[len(sizes) // 2] < 8
    shapes = {plan.shape.split(", ")[1] for plan in drawn}
    assert shapes == {"mesh", "reflectors", "racks", "mixed", "routers"}
    kinds = {type(event.what).__name__ for plan in drawn for event in plan.events}
    assert kinds >= {
        *("Partition", "Clog", "Bad", "Reset", "Forget", "Silence", "Isolate", "Slow", "Compact", "GoBack"),
        *("Refuse", "Lose", "Deafen", "Kill", "Stop", "TurnOff"),
        *("Put", "Patch", "Delete", "Recreate", "Block", "AddNode", "RemoveNode"),
    }


def test_events_come_in_order_and_all_after_the_cluster_is_up() -> None:
    for seed in SEEDS:
        plan = draw(seed)
        assert [event.ms for event in plan.events] == sorted(event.ms for event in plan.events)
        assert all(START_MS - 1 <= event.ms <= event.end_ms <= plan.end_ms for event in plan.events)


def test_to_leave_a_machine_out_leaves_the_others_as_they_are() -> None:
    plan = next(plan for plan in map(draw, SEEDS) if "routers" not in plan.shape)
    smaller = without_machine(plan, "node-2")
    assert [machine for machine in plan.machines if machine.name != "node-2"] == [*smaller.machines]
    assert len(plan.objects) - len(smaller.objects) >= 2
    assert smaller.events == plan.events


def test_the_repr_of_a_plan_makes_it_again() -> None:
    names = {name: getattr(plans, name) for name in ("At", "During", "Plan", "Machine", "Block", "Put")}
    known = Plan(
        seed=1,
        shape="two nodes",
        machines=(Machine(number=1), Machine(number=2, is_dual=True)),
        objects=(Block(1, "10.0.1.0/26"), Put("BGPPeer", "a", {"node": "node-1"})),
        events=(At(1, Delete("BGPPeer", "a")), During(1, 2, Kill("node-1"))),
    )
    assert eval(repr(known), {**names, "Delete": Delete, "Kill": Kill}) == known  # noqa: S307 - our own


def test_a_plan_tells_its_events_by_number() -> None:
    plan = Plan(
        seed=7,
        shape="1 nodes, mesh",
        machines=(Machine(number=1),),
        objects=(Block(1, "10.0.1.0/26"),),
        events=(At(1500, AddNode(Machine(number=2), ())), During(2000, 3000, Kill("node-1"))),
    )
    *_, first, second = plan.lines()
    assert first.startswith("event 0: 1.500 s: AddNode(")
    assert second == "event 1: 2.000 s to 3.000 s: Kill(node='node-1')"
    assert plan.end_ms == 3000
    assert plan.only([1]).events == plan.events[1:]


@pytest.mark.parametrize("needed", [set(), {3}, {0, 11}, {1, 2, 3, 9}, set(range(12))])
def test_what_is_needed_is_found_among_twelve(needed: set[int]) -> None:
    assert set(minimal(range(12), lambda numbers: needed <= set(numbers))) == needed


def test_a_plan_shrinks_to_the_events_and_machines_that_matter() -> None:
    plan = draw(11)
    wanted = plan.events[3]

    def fails(smaller: Plan) -> bool:
        return wanted in smaller.events and any(machine.name == "node-4" for machine in smaller.machines)

    told: list[Plan] = []
    small = shrink(plan, fails, told.append)
    assert small.events == (wanted,)
    assert [machine.name for machine in small.machines] == ["node-4"]
    assert told[-1] == small
