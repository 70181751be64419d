"""The table of docs/losses.md, and the twin's configurations."""

from dataclasses import replace

from bench.losses import page, results
from bench.losses.bird import configuration
from bench.losses.cases import CASES
from bench.losses.cluster import mesh, peer_with_reflectors, reflectors
from felixbgp.lab import calico
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.probes import Losses, Pair
from felixbgp.lab.sessions import intent_of

PLAN = LabPlan(node_count=3, workload_count=1, ipv6=False)


def losses(lost: int) -> Losses:
    return Losses((Pair("a", "b", 4, 2000, lost, 1 + lost),), 2.0, 0.5)


def test_a_row_has_all_runs_of_both_and_says_what_failed() -> None:
    value = results.document({"bird": "2.0.12"})
    results.add(value, CASES[0], "felixbgp", [results.outcome(losses(0))] * 2)
    results.add(value, CASES[0], "bird", [results.outcome(losses(1000)), {"fault": "failed: too late"}])
    text = page.update(f"a\n{page.BEGIN}\nold\n{page.END}\nb\n", value, [CASES[0].name])
    row = "| 0 / 2,000<br>0 / 2,000 | 1<br>1 | **1,000** / 2,000<br>failed: too late | 1,001<br> |"
    assert f"| Z1 | {CASES[0].title} {row}\n" in text
    assert text.startswith("a\n")
    assert text.endswith("b\n")
    assert "old" not in text


def test_a_run_is_bad_that_failed_or_lost_what_it_must_not() -> None:
    lossless, other = (replace(CASES[0], lossless=wanted) for wanted in (True, False))
    assert results.is_bad(lossless, results.outcome(losses(1)))
    assert results.is_bad(other, {"fault": "failed: too late"})
    assert not results.is_bad(lossless, results.outcome(losses(0)))
    assert not results.is_bad(other, results.outcome(losses(1)))


def test_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def rendered(node: int, **more: dict[str, str]) -> str:
    values = calico.cluster_resources(PLAN)
    for added in more.values():
        values |= added
    intent = intent_of(PLAN.nodes[node].name, {key: value.encode() for key, value in values.items()})
    return configuration(PLAN.nodes[node], intent)


def test_the_twin_of_a_node_in_a_mesh() -> None:
    text = rendered(0)
    assert "neighbor 172.30.1.2 as 64512;" in text
    assert text.count("protocol bgp") == 2
    assert text.count("passive on") == 2
    assert "connect delay time 2" in text
    assert "route 10.65.0.64/26 blackhole" in text
    assert "rr client" not in text
    assert "ipv6 {" not in text


def test_the_twin_of_a_reflector_and_of_a_client() -> None:
    changed = {
        "nodes": reflectors(PLAN, ("node-1",)), "peers": peer_with_reflectors(), "mesh": mesh(enabled=False),
    }  # fmt: skip
    reflector, client = rendered(0, **changed), rendered(1, **changed)
    assert reflector.count("rr client;\n  rr cluster id 244.0.0.1;") == 2
    assert client.count("protocol bgp") == 1
    assert "neighbor 172.30.1.1 as 64512;" in client
