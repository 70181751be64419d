"""Writing routes: many requests in one datagram, and an answer for each of them.

Routes with several next hops lead to groups, which are written before them; groups that they were the last
to use are removed after them.
"""

import os
from collections.abc import Iterable, Iterator
from errno import EIO, ENOBUFS, ENODEV, ENOENT, EOPNOTSUPP, ESRCH
from typing import TypeVar

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
from felixbgp.runtime.netlink.groups import Groups, HopSet, Step, hop_set_of
from felixbgp.runtime.netlink.links import Links
from felixbgp.runtime.netlink.messages import (
    HEADER,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NLMSG_ERROR,
    Answer,
    read_answer,
    split_messages,
)
from felixbgp.runtime.netlink.nexthops import ask_for_resilience, encode_object, encode_removal
from felixbgp.runtime.netlink.sockets import DATAGRAM_OCTETS_MAX, open_netlink, port_of, send

Key = TypeVar("Key")

ANSWERS_OCTETS = 8 << 20
"""Every request of a batch may be refused, each with the kernel's own words."""
BATCH_OCTETS_MAX = 1 << 16
"""Of one datagram: far below what a socket may send at once, and a few milliseconds of the kernel's time."""


class RouteWriter:
    """One socket that writes, so that the echo of its writes can be told from the deeds of others."""

    def __init__(self, encoder: RouteEncoder, groups: Groups, links: Links) -> None:
        self._encoder = encoder
        self._groups = groups
        self._links = links
        self._sequence = 0
        self._socket = open_netlink(ANSWERS_OCTETS)
        self.port = port_of(self._socket)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def kernel_has_groups(self) -> bool:
        """Whether this kernel has resilient groups (Linux 5.13)."""
        request = ask_for_resilience(self._next_sequence())
        answers = await self._exchange([(None, request)])
        return answers[None].errno != EOPNOTSUPP

    async def write(self, effect: KernelEffect) -> list[KernelInput]:
        """Carry out one effect; the result names every prefix of it once."""
        groups, answers = await self._prepare(effect)
        requests = []
        for entry in effect.routes:
            prefix = entry[0]
            if prefix in answers:
                continue
            try:
                requests.append((prefix, self._encode(effect, entry, groups.get(prefix, 0))))
            except UnknownInterfaceError as error:
                answers[prefix] = Answer(ENODEV, str(error))
        answers |= await self._exchange(requests)
        if groups or self._groups.have_users:
            for entry in effect.routes:
                self._note(entry, groups.get(entry[0], 0), answers[entry[0]])
        await self.tidy()
        return list(_results(answers, present=isinstance(effect, ReplaceRoutes)))

    async def tidy(self) -> None:
        """Remove the groups and next hops of ours that no route leads to."""
        unused = self._groups.unused()
        answers = await self._exchange(
            [(number, encode_removal(number, self._next_sequence())) for number in unused]
        )
        self._groups.removed(number for number in unused if answers[number].errno in (0, ENOENT))

    async def _prepare(self, effect: KernelEffect) -> tuple[dict[Prefix, int], dict[Prefix, Answer]]:
        """Write the groups that are missing; gives which group stands for a route, and what was refused."""
        if not isinstance(effect, ReplaceRoutes) or not self._groups.usable:
            return {}, {}
        wanted: dict[RouteKey, HopSet] = {}
        for prefix, route in effect.routes:
            hop_set = hop_set_of(prefix.family, route, self._links.index_of)
            if hop_set:
                wanted[RouteKey(prefix, route.metric)] = hop_set
        steps = self._groups.plan(wanted)
        failed = self._groups.settled(steps, await self._write_objects(steps))
        groups: dict[Prefix, int] = {}
        refused: dict[Prefix, Answer] = {}
        for key, hop_set in wanted.items():
            group = self._groups.group_of(hop_set)
            if group:
                groups[key.prefix] = group
            elif hop_set in failed and not effect.exclusive:
                # The route that is there is better than legacy multipath through what was refused; where
                # there is none, legacy multipath is better, or says what is wrong.
                refused[key.prefix] = failed[hop_set]
        return groups, refused

    async def _write_objects(self, steps: list[Step]) -> dict[int, Answer]:
        """Carry out a plan; gives the first refusal for every object that was not written."""
        requests = []
        for position, step in enumerate(steps):
            flags = NLM_F_REPLACE if step.replace else NLM_F_CREATE | NLM_F_EXCL
            requests.append((position, encode_object(step.wanted, flags, self._next_sequence())))
        answers = await self._exchange(requests)
        refused: dict[int, Answer] = {}
        for position, step in enumerate(steps):
            if answers[position].errno:
                refused.setdefault(step.wanted.number, answers[position])
        return refused

    def _encode(self, effect: KernelEffect, entry: RouteKey | tuple[Prefix, Route], group: int) -> bytearray:
        sequence = self._next_sequence()
        if isinstance(entry, RouteKey):
            return self._encoder.delete(entry, sequence)
        exclusive = isinstance(effect, ReplaceRoutes) and effect.exclusive
        return self._encoder.replace(*entry, sequence, exclusive=exclusive, group=group)

    def _note(self, entry: RouteKey | tuple[Prefix, Route], group: int, answer: Answer) -> None:
        """Remember which group a route leads to now."""
        if isinstance(entry, RouteKey):
            if answer.errno in (0, ESRCH):
                self._groups.release(entry)
        elif not answer.errno:
            self._groups.use(RouteKey(entry[0], entry[1].metric), group)
        elif group:
            # It may be gone unheard.
            self._groups.in_doubt = True

    async def _exchange(self, requests: Iterable[tuple[Key, bytearray]]) -> dict[Key, Answer]:
        """Send requests, each with a key of its own, in as few datagrams as may be."""
        answers: dict[Key, Answer] = {}
        batch: dict[int, tuple[Key, bytearray]] = {}
        octets = 0
        for key, message in requests:
            if octets + len(message) > BATCH_OCTETS_MAX:
                answers |= await self._send(batch)
                batch, octets = {}, 0
            batch[HEADER.unpack_from(message)[3]] = (key, message)
            octets += len(message)
        return answers | await self._send(batch) if batch else answers

    async def _send(self, batch: dict[int, tuple[Key, bytearray]]) -> dict[Key, Answer]:
        """Send one datagram. The kernel works through it in order, a refusal does not stop it."""
        last = next(reversed(batch))
        ask_for_answer(batch[last][1])
        try:
            await send(self._socket, b"".join(message for _, message in batch.values()))
            refusals = self._read_answers(last)
        except OSError as error:
            # What became of the batch is not known; the caller reads the table again.
            self._groups.lose_users()
            self._forget_answers()
            failed = Answer(error.errno or EIO, "")
            return {key: failed for key, _ in batch.values()}
        done = Answer(0, "")
        return {key: refusals.get(sequence, done) for sequence, (key, _) in batch.items()}

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
