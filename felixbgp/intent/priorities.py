"""Priorities of routes (Calico v3.32): a route's metric in the kernels, told between nodes as LOCAL_PREF.

A lower priority is better. Workloads that move are the reason: where one arrives, its route gets a better
priority than the normal one, and so wins over what the node that it leaves still says.
"""

from typing import Final, NamedTuple

from felixbgp.net import IPV4, Family

PRIORITY_AND_LOCAL_PREF: Final = 0x7FFF_FFFF
"""A route's priority and its LOCAL_PREF add up to this in Calico."""

NORMAL_PRIORITY: Final = 1024


class NormalPriority(NamedTuple):
    """The priority of a route that nobody gave one."""

    ipv4: int = NORMAL_PRIORITY
    ipv6: int = NORMAL_PRIORITY

    def of(self, family: Family) -> int:
        """That of one family."""
        return self.ipv4 if family == IPV4 else self.ipv6


NORMAL_PRIORITIES: Final = NormalPriority()


def local_pref_of(priority: int) -> int:
    """The LOCAL_PREF that tells of a priority; a kernel's metric may be beyond what can be told."""
    return max(PRIORITY_AND_LOCAL_PREF - priority, 0)


def priority_of(local_pref: int) -> int:
    """The priority that a LOCAL_PREF tells, at least 1; one beyond Calico's range tells the best."""
    return max(PRIORITY_AND_LOCAL_PREF - local_pref, 1)
