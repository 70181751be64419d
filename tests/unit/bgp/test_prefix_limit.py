"""Limits on what a peer may announce: when they are told of, and in what words."""

import pytest

from felixbgp.bgp.config import LimitAction, PrefixLimit
from felixbgp.bgp.prefix_limit import LimitStep, LimitWatch
from felixbgp.net import IPV4


@pytest.mark.parametrize(
    ("count", "step"),
    [(0, None), (7, None), (8, LimitStep.NEAR), (10, LimitStep.NEAR), (11, LimitStep.BEYOND)],
)
def test_steps(count: int, step: LimitStep | None) -> None:
    assert LimitWatch(PrefixLimit(maximum=10, warn_at_percent=80)).passed(count) is step


def test_a_step_is_news_once_and_the_worst_counts() -> None:
    watch = LimitWatch(PrefixLimit(maximum=10, action=LimitAction.WARN))
    assert [watch.passed(count) for count in (8, 9, 11, 12, 9, 12)] == [
        LimitStep.NEAR,
        None,
        LimitStep.BEYOND,
        None,
        None,
        None,
    ]


def test_words() -> None:
    watch = LimitWatch(PrefixLimit(maximum=10))
    assert watch.describe(IPV4, 5, 0) == ""
    watch.passed(9)
    assert watch.describe(IPV4, 9, 0) == "9 of at most 10 ipv4 prefixes"
    watch.passed(13)
    assert (
        watch.describe(IPV4, 10, 3)
        == "10 of at most 10 ipv4 prefixes, and 3 announcements beyond were dropped"
    )
