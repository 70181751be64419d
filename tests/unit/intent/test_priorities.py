import pytest

from felixbgp.intent.priorities import NormalPriority, local_pref_of, priority_of
from felixbgp.net import IPV4, IPV6


@pytest.mark.parametrize(
    ("priority", "local_pref"),
    [(1, 2147483646), (1024, 2147482623), (2147483646, 1), (2147483647, 0), (4294967295, 0)],
)
def test_a_better_priority_is_a_higher_local_pref(priority: int, local_pref: int) -> None:
    assert local_pref_of(priority) == local_pref


@pytest.mark.parametrize(
    ("local_pref", "priority"),
    [(2147482623, 1024), (100, 2147483547), (0, 2147483647), (2147483647, 1), (4294967295, 1)],
)
def test_a_local_pref_tells_a_priority(local_pref: int, priority: int) -> None:
    assert priority_of(local_pref) == priority


def test_each_family_has_a_normal_priority() -> None:
    normal = NormalPriority(ipv4=1, ipv6=2)
    assert (normal.of(IPV4), normal.of(IPV6)) == (1, 2)
