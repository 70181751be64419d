"""How losses are told, by kind of pair."""

from felixbgp.lab.plan import LabPlan
from felixbgp.lab.probes import Losses, Pair
from felixbgp.lab.probing import Line, summary

PLAN = LabPlan(node_count=2, workload_count=1, ipv6=False)


def pair(source: str, target: str, lost: int = 0) -> Pair:
    return Pair(source, target, 4, sent=1000, lost=lost, gap_ms=lost + 1)


def test_one_line_for_each_kind_of_pair() -> None:
    losses = Losses(
        (
            pair("node-1-w1", "node-2-w1"),
            pair("node-2-w1", "node-1-w1", lost=3),
            pair("node-1-w1", "tor-1-host", lost=1),
            pair("tor-1-host", "node-1-w1"),
        ),
        seconds=1.0,
        lag_ms_max=0.1,
    )
    assert summary(PLAN, losses) == [
        Line("workload → workload", 2, 2000, 3, 4),
        Line("workload → host", 1, 1000, 1, 2),
        Line("host → workload", 1, 1000, 0, 1),
    ]
