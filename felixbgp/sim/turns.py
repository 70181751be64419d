"""Turns to reset sessions in a simulated cluster: keys of the store, by when they were written."""

from collections.abc import Callable, Container
from typing import Final

from felixbgp.agent.inputs import TurnAwaited, TurnGranted, TurnInput, TurnRefused
from felixbgp.sim.clock import Clock
from felixbgp.sim.store import Store
from felixbgp.status import keys

LOOK_NS: Final = 100_000_000
"""How soon a node hears that the one before it is gone."""
RETRY_NS: Final = 1_000_000_000


class Turn:
    """The place in line of a node in one life; `deliver` hears how it goes."""

    def __init__(
        self, node: str, life: int, clock: Clock, store: Store, deliver: Callable[[TurnInput], None]
    ) -> None:
        self._node = node
        self._key = keys.resets_key(node)
        self._value = str(life).encode()
        self._clock = clock
        self._store = store
        self._deliver = deliver
        self._stay = 0
        """Tells one stay in line from the next."""
        self._told: TurnInput | None = None
        self.is_standing = False
        """Whether it is in line, or has its turn."""

    def acquire(self) -> None:
        """Stand in line."""
        self._stay += 1
        self._told = None
        self.is_standing = True
        stay = self._stay
        self._clock.call_after(self._store.delay(self._node), lambda: self._look(stay))

    def release(self) -> None:
        """Leave the line, or give the turn to the next."""
        self._stay += 1
        self.is_standing = False
        self._clock.call_after(self._store.delay(self._node), self._leave)

    def abandon(self, after_ns: int) -> None:
        """The agent is gone, and so is the key when its lease is over."""
        self._stay += 1
        self.is_standing = False
        self._clock.call_after(after_ns, self._leave)

    def _leave(self) -> None:
        if self._store.get(self._key) == self._value:
            self._store.delete(self._key)

    def _look(self, stay: int) -> None:
        """See whose turn it is; again until it is ours."""
        if stay != self._stay:
            return
        if not self._store.is_reachable(self._node):
            self._tell(TurnRefused("no answer"))
            self._clock.call_after(RETRY_NS, lambda: self._look(stay))
            return
        if self._store.get(self._key) != self._value:
            self._store.put(self._key, self._value)
        places = {key: stored.revision for key, stored in self._store.contents().items() if _is_place(key)}
        before = [key for key, revision in places.items() if revision < places[self._key]]
        if not before:
            self._tell(TurnGranted())
            return
        self._tell(TurnAwaited(max(before, key=places.__getitem__).removeprefix(keys.RESETS)))
        self._clock.call_after(LOOK_NS, lambda: self._look(stay))

    def _tell(self, answer: TurnInput) -> None:
        if answer != self._told:
            self._told = answer
            self._deliver(answer)


def expire(store: Store, standing: Container[str]) -> None:
    """Forget places of nodes that are not in line: a backup brought them back, and their leases are over."""
    places = [key for key in store.contents() if _is_place(key)]
    for key in places:
        if key.removeprefix(keys.RESETS) not in standing:
            store.delete(key)


def _is_place(key: str) -> bool:
    return key.startswith(keys.RESETS)
