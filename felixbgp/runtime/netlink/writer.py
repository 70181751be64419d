"""Writing routes: many requests in one datagram, and an answer for each of them."""

import os
from collections.abc import Iterator
from errno import EIO, ENOBUFS, ENODEV, ESRCH

from felixbgp.fib.types import (
    KernelEffect,
    KernelInput,
    ReplaceRoutes,
    Route,
    RouteFailed,
    RouteKey,
    RoutesApplied,
)
from felixbgp.net import Prefix
from felixbgp.runtime.netlink.encode import RouteEncoder, UnknownInterfaceError, ask_for_answer
from felixbgp.runtime.netlink.messages import NLMSG_ERROR, Answer, read_answer, split_messages
from felixbgp.runtime.netlink.sockets import DATAGRAM_OCTETS_MAX, open_netlink, port_of, send

ANSWERS_OCTETS = 8 << 20
"""Every request of a batch may be refused, each with the kernel's own words."""
BATCH_OCTETS_MAX = 1 << 16
"""Of one datagram: far below what a socket may send at once, and a few milliseconds of the kernel's time."""


class RouteWriter:
    """One socket that writes, so that the echo of its writes can be told from the deeds of others."""

    def __init__(self, encoder: RouteEncoder) -> None:
        self._encoder = encoder
        self._sequence = 0
        self._socket = open_netlink(ANSWERS_OCTETS)
        self.port = port_of(self._socket)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def write(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect; the result names every prefix of it once."""
        present = isinstance(effect, ReplaceRoutes)
        answers: dict[Prefix, Answer] = {}
        batch: dict[int, tuple[Prefix, bytearray]] = {}
        octets = 0
        for entry in effect.routes:
            prefix = entry[0]
            sequence = self._next_sequence()
            try:
                message = self._encode(effect, entry, sequence)
            except UnknownInterfaceError as error:
                answers[prefix] = Answer(ENODEV, str(error))
                continue
            if octets + len(message) > BATCH_OCTETS_MAX:
                answers |= await self._send(batch)
                batch, octets = {}, 0
            batch[sequence] = (prefix, message)
            octets += len(message)
        if batch:
            answers |= await self._send(batch)
        return list(_results(answers, present=present))

    def _encode(
        self, effect: KernelEffect, entry: RouteKey | tuple[Prefix, Route], sequence: int
    ) -> bytearray:
        if isinstance(entry, RouteKey):
            return self._encoder.delete(entry, sequence)
        exclusive = isinstance(effect, ReplaceRoutes) and effect.exclusive
        return self._encoder.replace(*entry, sequence, exclusive=exclusive)

    async def _send(self, batch: dict[int, tuple[Prefix, bytearray]]) -> dict[Prefix, Answer]:
        """Send one datagram. The kernel works through it in order, a refusal does not stop it."""
        last = self._sequence if self._sequence in batch else max(batch)
        ask_for_answer(batch[last][1])
        try:
            await send(self._socket, b"".join(message for _, message in batch.values()))
            refusals = self._read_answers(last)
        except OSError as error:
            # What became of the batch is not known; the caller reads the table again.
            self._forget_answers()
            failed = Answer(error.errno or EIO, "")
            return {prefix: failed for prefix, _ in batch.values()}
        done = Answer(0, "")
        return {prefix: refusals.get(sequence, done) for sequence, (prefix, _) in batch.items()}

    def _read_answers(self, last: int) -> dict[int, Answer]:
        """The kernel answers before `send` returns: an answer that is not there now was lost."""
        answers: dict[int, Answer] = {}
        while last not in answers:
            for message in split_messages(os.read(self._socket.fileno(), DATAGRAM_OCTETS_MAX)):
                if message.type == NLMSG_ERROR:
                    answers[message.sequence] = read_answer(message)
        return answers

    def _forget_answers(self) -> None:
        """Empty the queue: until it is empty the kernel drops further answers, and does not say so again."""
        while True:
            try:
                os.read(self._socket.fileno(), DATAGRAM_OCTETS_MAX)
            except OSError as error:
                if error.errno != ENOBUFS:
                    return

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence


def _results(answers: dict[Prefix, Answer], *, present: bool) -> Iterator[KernelInput]:
    done = []
    for prefix, answer in answers.items():
        # A route of ours that is gone already is as wanted.
        if not answer.errno or (answer.errno == ESRCH and not present):
            done.append(prefix)
        else:
            yield RouteFailed(prefix, answer.errno, answer.reason, present)
    if done:
        yield RoutesApplied(tuple(done), present)
