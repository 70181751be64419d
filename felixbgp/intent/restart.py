"""Graceful restart as Calico has it: always offered, its time settable (maxRestartTime)."""

from felixbgp.bgp.config import GracefulRestart
from felixbgp.bgp.wire.capabilities import RESTART_TIME_S_MAX
from felixbgp.resources.values import whole_seconds_of

RESTART_TIME_S = 120
"""BIRD's default, which Calico leaves alone."""


def graceful_restart(max_restart_time: str | None) -> GracefulRestart:
    """What to offer a peer: whole seconds, halves rounded up as in Calico, cut to what RFC 4724 §3 can carry.

    The kernel keeps our routes while the agent is away, so forwarding is always preserved.
    """
    seconds = RESTART_TIME_S if max_restart_time is None else whole_seconds_of(max_restart_time)
    return GracefulRestart(restart_time_s=min(seconds, RESTART_TIME_S_MAX), forwarding_preserved=True)
