"""Those who dial and are no peers of ours: turned away in bounds, and told of in bounds (RFC 4486 §4)."""

from typing import Final

from felixbgp.bgp.allowance import Allowance
from felixbgp.bgp.effects import CloseConnection, SendBytes, TransportEffect
from felixbgp.bgp.facts import ConnectionRefused
from felixbgp.bgp.inputs import TcpAccepted
from felixbgp.bgp.wire.codec import encode_notification
from felixbgp.bgp.wire.errors import CeaseSubcode, ErrorCode
from felixbgp.bgp.wire.messages import NotificationMessage
from felixbgp.net import Address

REFUSALS_PER_SECOND: Final = 16
"""Strangers answered with a NOTIFICATION; a flood of them is closed without a word, and at once."""
REFUSAL_FACT_INTERVAL_NS: Final = 60_000_000_000
"""A stranger that keeps dialling is told of once a minute."""
REFUSED_ADDRESSES_MAX: Final = 256
"""Strangers remembered for that; more than a cluster's worth of them is an attack, not news."""


class Strangers:
    """Who was turned away lately, and how many more may be told so."""

    __slots__ = ("_refusals", "_refused")

    def __init__(self) -> None:
        self._refused: dict[Address, int] = {}
        self._refusals = Allowance(REFUSALS_PER_SECOND, 1_000_000_000)

    def turn_away(
        self, event: TcpAccepted, now: int
    ) -> tuple[list[TransportEffect], list[ConnectionRefused]]:
        """What to do with the connection, and what to tell of it."""
        effects: list[TransportEffect] = []
        facts: list[ConnectionRefused] = []
        if self._refusals.take(now):
            cease = NotificationMessage(ErrorCode.CEASE, CeaseSubcode.CONNECTION_REJECTED)
            effects.append(SendBytes(event.connection, (encode_notification(cease),)))
            address = event.remote.address
            if now - self._refused.get(address, now - REFUSAL_FACT_INTERVAL_NS) >= REFUSAL_FACT_INTERVAL_NS:
                self._refused.pop(address, None)
                self._refused[address] = now
                facts.append(ConnectionRefused(str(address), "no such peer"))
            if len(self._refused) > REFUSED_ADDRESSES_MAX:
                del self._refused[next(iter(self._refused))]
        effects.append(CloseConnection(event.connection))
        return effects, facts
