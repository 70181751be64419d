"""Whether a node can be relied on: `/readiness`, by the rules of `calico-node -bird-ready`, with causes.

For the first 30 seconds every peer is wanted Established with its initial table, later one of them; a node
without peers is ready (C: node/pkg/health/health.go). Peers that are shut down or being drained do not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from felixbgp.bgp.snapshot import PeerStanding
from felixbgp.status.node_status import DatastoreCondition, DatastoreState

STARTING_NS: Final = 30_000_000_000
"""Calico's threshold-time."""
NAMED_MAX: Final = 5
"""Peers that are named in a line."""


class ReadinessCause(StrEnum):
    """What keeps a node from being ready; programs go by these names."""

    NOT_IN_SYNC = "NotInSync"
    """Not everything was read of etcd yet."""
    RECOVERED = "Recovered"
    """It runs from what it last knew of etcd, which has not answered (docs/adr/0029)."""
    KERNEL_UNSYNCHRONISED = "KernelUnsynchronised"
    """What routes the kernel has is not known yet, or no more."""
    NO_SESSION = "NoSession"
    """None is Established, of those that are wanted."""
    SESSIONS_MISSING = "SessionsMissing"
    """Some are not; only while the agent starts."""
    END_OF_RIB_AWAITED = "EndOfRibAwaited"
    """A peer has not told its whole initial table yet."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One of them, in words."""

    cause: ReadinessCause
    text: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready without any cause; `notes` are what an operator should know all the same."""

    causes: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether nothing is in the way."""
        return not self.causes


def readiness_of(
    *,
    datastore: DatastoreState,
    in_sync: bool,
    is_given: bool,
    kernel: str,
    not_listening: Mapping[str, str],
    peers: Sequence[PeerStanding],
    is_deferring: bool,
    is_starting: bool,
) -> Readiness:
    """Judge a node by what its rooms say.

    `is_given`: it is a plain router without a store. `kernel`: why the kernel is not known, "" when it is.
    `not_listening`: where nobody can connect to us, and why. `peers`: those that are to be up.
    `is_deferring`: peers are awaited who tell their routes again after a restart of ours. `is_starting`: the
    agent has not run for STARTING_NS.
    """
    causes: list[Cause] = []
    notes: list[str] = []
    reason = f": {datastore.reason}" if datastore.reason else ""
    if not is_given and datastore.condition is DatastoreCondition.RECOVERED:
        text = f"runs from what it last knew of etcd, which has not answered{reason}"
        causes.append(Cause(ReadinessCause.RECOVERED, text))
    elif not in_sync:
        causes.append(Cause(ReadinessCause.NOT_IN_SYNC, f"not in sync with etcd yet{reason}"))
    elif not is_given and datastore.condition is DatastoreCondition.LOST:
        notes.append(f"etcd does not answer{reason}")
    if kernel:
        causes.append(Cause(ReadinessCause.KERNEL_UNSYNCHRONISED, f"kernel not synchronised: {kernel}"))
    notes += (f"cannot listen at {where}: {why}" for where, why in not_listening.items())
    causes += _of_peers(peers, is_deferring=is_deferring, is_starting=is_starting)
    return Readiness(tuple(causes), tuple(notes))


def _of_peers(peers: Sequence[PeerStanding], *, is_deferring: bool, is_starting: bool) -> list[Cause]:
    missing = [peer for peer in peers if not peer.is_up]
    if peers and len(missing) == len(peers):
        text = f"no session is Established, of {len(peers)} wanted: {_named(missing)}"
        return [Cause(ReadinessCause.NO_SESSION, text)]
    causes: list[Cause] = []
    if missing and is_starting:
        text = f"BGP not established with {_named(missing)}"
        causes.append(Cause(ReadinessCause.SESSIONS_MISSING, text))
    # After that a peer without graceful restart may never say it; whoever is deferring has a deadline.
    awaited = [peer for peer in peers if peer.is_up and not peer.has_whole_table]
    if awaited and (is_starting or is_deferring):
        text = f"End-of-RIB awaited from {_named(awaited)}"
        causes.append(Cause(ReadinessCause.END_OF_RIB_AWAITED, text))
    return causes


def _named(peers: Sequence[PeerStanding]) -> str:
    """Some peers, each with its state and why its last session or attempt ended."""
    texts = []
    for peer in peers[:NAMED_MAX]:
        why = ": ".join(filter(None, ("" if peer.cause is None else peer.cause.value, peer.reason)))
        told = "" if peer.is_up else f" ({', '.join(filter(None, (peer.state, why)))})"
        texts.append(f"{peer.peer}{told}")
    more = len(peers) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")
