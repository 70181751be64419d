"""However little is read and derived at a time, what comes out belongs to the store of one moment."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.agent.intake import Intake
from felixbgp.bgp.config import PeerConfig, PeerId
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SnapshotReceived, StoredValue, StoreInput
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.derive import derive
from felixbgp.intent.types import Intent
from felixbgp.resources.keys import RESOURCES
from tests.property.test_derivation import SELF, VALUES

KEYS = sorted(key for key in VALUES if key.startswith((RESOURCES, "/calico/ipam")) and "workload" not in key)
writes = st.sampled_from(KEYS).flatmap(
    lambda key: st.tuples(st.just(key), st.none() | st.sampled_from(VALUES[key]))
)
batches = st.lists(writes, min_size=1, max_size=8)
listings = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 20), max_size=15)
"""Of every prefix, what is there after the store was listed again."""
credits_given = st.lists(st.integers(1, 30), max_size=6)


def events(revision: int, happened: Sequence[tuple[str, bytes | None]] | dict[str, int]) -> list[StoreInput]:
    if isinstance(happened, dict):
        values = [
            StoredValue(key, VALUES[key][n % len(VALUES[key])], revision) for key, n in happened.items()
        ]
        return [
            SnapshotReceived(prefix, revision, tuple(one for one in values if one.key.startswith(prefix)))
            for prefix in watched_prefixes(SELF)
        ]
    return [
        KeyDeleted(key, revision + n) if value is None else KeyPut(StoredValue(key, value, revision + n))
        for n, (key, value) in enumerate(happened)
    ]


class Followed:
    """An intake, and every intent that the store stood for at the end of what was fed together."""

    def __init__(self) -> None:
        self._at_once = ClusterState(SELF)
        self._state = ClusterState(SELF)
        self._intake = Intake(self._state, Derivation(SELF))
        self._peers: dict[PeerId, PeerConfig] = {}
        self._to_come: list[Intent] = []
        self._last = Intent()
        self._revision = 1
        # In sync from the start, as BGPPeers with passwords would keep it from that.
        self.feed({})
        self.finish()

    def feed(self, happened: Sequence[tuple[str, bytes | None]] | dict[str, int]) -> None:
        self._revision += 10
        for event in events(self._revision, happened):
            self._at_once.feed(event)
            self._intake.feed(event)
        self._to_come.append(derive(self._at_once, SELF))

    def take(self, credit: int) -> None:
        derived = self._intake.take(credit)
        if derived is None:
            return
        assert derived.intent in (self._last, *self._to_come)
        if derived.intent in self._to_come:
            del self._to_come[: self._to_come.index(derived.intent)]
        self._last = derived.intent
        for peer, config in derived.peers.items():
            if config is None:
                del self._peers[peer]
            else:
                self._peers[peer] = config
        assert self._peers == derived.intent.peers

    def finish(self) -> None:
        while self._intake.has_work:
            self.take(3)
        assert self._last == derive(self._at_once, SELF)
        assert self._state.invalid == self._at_once.invalid


@given(listings, st.lists(st.tuples(batches | listings, credits_given), max_size=10))
def test_only_what_was_fed_together_is_ever_derived(
    first: dict[str, int],
    happened: list[tuple[list[tuple[str, bytes | None]] | dict[str, int], list[int]]],
) -> None:
    followed = Followed()
    followed.feed(first)
    for fed, given_credits in happened:
        followed.feed(fed)
        for credit in given_credits:
            followed.take(credit)
    followed.finish()
