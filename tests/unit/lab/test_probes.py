"""What is counted of what the probers say."""

from typing import Any

import pytest

from felixbgp.lab.prober import Incoming
from felixbgp.lab.probes import Pair, count

NAMES = ("a", "b")


def report(source: int, *ranges: tuple[int, int], sent: int = 100, **more: Any) -> dict[str, Any]:
    """What one of two endpoints says, having heard of the other."""
    incoming = {
        "source": source, "family": 4, "ranges": ranges, "duplicates": 0, "reordered": 0, "delay_ms_max": 0.5,
    }  # fmt: skip
    return {"sent": sent, "unsent": [], "lag_ms_max": 0.25, "dropped": 0, "incoming": [incoming]} | more


def from_b(*ranges: tuple[int, int], first: int = 0, sent: int = 100, **more: Any) -> Pair:
    """What became of the packets from b to a."""
    found = count(NAMES, [report(1, *ranges), report(0, (0, 99), sent=sent, **more)], first)
    return next(pair for pair in found.pairs if pair.source == "b")


@pytest.mark.parametrize(
    ("ranges", "lost", "gap_ms"),
    [
        pytest.param([(0, 99)], 0, 1, id="all came"),
        pytest.param([(0, 9), (20, 99)], 10, 11, id="ten in the middle"),
        pytest.param([(5, 99)], 5, 6, id="the first five"),
        pytest.param([(0, 79)], 20, 20, id="the last twenty"),
        pytest.param([(0, 9), (11, 11), (13, 99)], 2, 2, id="every other one"),
        pytest.param([], 100, 100, id="all of them"),
    ],
)
def test_lost_packets_and_the_longest_gap(ranges: list[tuple[int, int]], lost: int, gap_ms: int) -> None:
    found = from_b(*ranges)
    assert (found.sent, found.lost, found.gap_ms) == (100, lost, gap_ms)


def test_what_was_before_the_mark_does_not_count() -> None:
    found = from_b((30, 49), (60, 99), first=50)
    assert (found.sent, found.lost, found.gap_ms) == (50, 10, 11)


def test_what_came_after_its_sender_had_told_its_last_number_does_not_count_either() -> None:
    found = from_b((0, 99), sent=90)
    assert (found.sent, found.lost, found.gap_ms) == (90, 0, 1)


def test_what_could_not_be_sent_is_not_lost() -> None:
    found = from_b((0, 49), (51, 99), unsent=[(0, 4, 50), (0, 6, 51), (1, 4, 52)])
    assert (found.sent, found.lost) == (99, 0)


def test_a_number_counts_once_and_its_order_is_noted() -> None:
    incoming = Incoming()
    for number in (0, 1, 3, 2, 2, 100_000):
        incoming.note(number, delay_ns=number)
    assert incoming.ranges() == [(0, 3), (100_000, 100_000)]
    assert (incoming.duplicates, incoming.reordered, incoming.delay_ns_max) == (1, 1, 100_000)


def test_the_worst_pair_is_named_first() -> None:
    found = count(NAMES, [report(1, (0, 97)), report(0, (0, 49))], 0)
    assert (found.sent, found.lost, found.gap_ms) == (200, 52, 50)
    assert found.losing() == [
        "a to b (IPv4): 50 of 100 lost, 50 ms without any, the first after 50 ms",
        "b to a (IPv4): 2 of 100 lost, 2 ms without any, the first after 98 ms",
    ]


def test_when_the_first_was_lost_is_told_from_the_mark_on() -> None:
    found = from_b((0, 9), (14, 49), (60, 99), unsent=[(0, 4, 10), (0, 4, 11)], first=5)
    assert (found.lost, found.first_lost_ms) == (12, 7)
    assert from_b((0, 9), (12, 79), unsent=[(0, 4, 10), (0, 4, 11), (0, 4, 80)]).first_lost_ms == 81
