"""What a test says of packets that were lost: which, when, and what every daemon wrote meanwhile."""

from bench.losses.cluster import Cluster
from felixbgp.lab.probes import Losses

LOG_TAIL = 4000


def assert_nothing_is_lost(losses: Losses, cluster: Cluster) -> None:
    """Every packet came; else the ends of all logs are shown, since the lab is gone when one reads it."""
    assert losses.losing() == [], "\n".join(
        f"{name} wrote last:\n{cluster.lab.log(name)[-LOG_TAIL:]}" for name in cluster.lab.processes
    )
