"""Writing routes: many requests in one datagram, and an answer for each of them.

Routes with several next hops lead to groups, which are written before them; groups that they were the last
to use are removed after them.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from errno import EIO, ENOBUFS, ENODEV, ENOENT, EOPNOTSUPP, ESRCH
from typing import Generic, NamedTuple, TypeVar

from felixbgp.fib.types import (
    DeleteRoutes,
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
BATCH_OCTETS_MAX = 1 << 17
"""Of one datagram: below what a socket may send at once (208 KiB), and some 10 ms of the kernel's time, in
which the next one is made."""


SEQUENCE_MAX = 0xFFFFFFFF
DONE = Answer(0, "")


class _Requests(NamedTuple, Generic[Key]):
    """Messages, by what each is known, and the sequence number of the first; the others' follow it."""

    keys: list[Key]
    messages: list[bytes]
    first: int


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
        first = self._reserve(1)
        refused = await self._exchange(_Requests([None], [ask_for_resilience(first)], first))
        return None not in refused or refused[None].errno != EOPNOTSUPP

    async def write(self, *effects: KernelEffect) -> list[KernelInput]:
        """Carry out effects, each of other prefixes; the results name every prefix of them once."""
        if self._groups.have_users or any(map(self._needs_groups, effects)):
            results: list[KernelInput] = []
            for effect in effects:
                results += await self._write_with_groups(effect)
            return results
        refused: dict[Prefix, Answer] = {}
        first = self._reserve(sum(len(effect.routes) for effect in effects))
        requests = _Requests[Prefix]([], [], first)
        for effect in effects:
            self._encode(effect, {}, refused, requests)
        refused |= await self._exchange(requests)
        await self.tidy()
        return [result for effect in effects for result in _results(effect, refused)]

    def _needs_groups(self, effect: KernelEffect) -> bool:
        """Whether a route of it may lead to a group."""
        if not isinstance(effect, ReplaceRoutes) or not self._groups.usable:
            return False
        return any(len(route.next_hops) > 1 for _, route in effect.routes)

    async def _write_with_groups(self, effect: KernelEffect) -> list[KernelInput]:
        """The groups first, then the routes that lead to them, then what became of who uses which."""
        groups, refused = await self._prepare(effect)
        requests = _Requests[Prefix]([], [], self._reserve(len(effect.routes)))
        self._encode(effect, groups, refused, requests)
        refused |= await self._exchange(requests)
        for entry in effect.routes:
            self._note(entry, groups.get(entry[0], 0), refused.get(entry[0], DONE))
        await self.tidy()
        return _results(effect, refused)

    async def tidy(self) -> None:
        """Remove the groups and next hops of ours that no route leads to."""
        unused = self._groups.unused()
        if not unused:
            return
        first = self._reserve(len(unused))
        messages = [encode_removal(number, first + place) for place, number in enumerate(unused)]
        refused = await self._exchange(_Requests(unused, messages, first))
        self._groups.removed(
            number for number in unused if number not in refused or refused[number].errno == ENOENT
        )

    async def _prepare(self, effect: KernelEffect) -> tuple[dict[Prefix, int], dict[Prefix, Answer]]:
        """Write the groups that are missing; gives which group stands for a route, and what was refused."""
        if not isinstance(effect, ReplaceRoutes) or not self._groups.usable:
            return {}, {}
        wanted: dict[RouteKey, HopSet] = {}
        for prefix, route in effect.routes:
            if len(route.next_hops) < 2:
                continue
            hop_set = hop_set_of(prefix.family, route, self._links.index_of)
            if hop_set:
                wanted[RouteKey(prefix, route.metric)] = hop_set
        if not wanted:
            return {}, {}
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
        first = self._reserve(len(steps))
        messages = [
            encode_object(
                step.wanted, NLM_F_REPLACE if step.replace else NLM_F_CREATE | NLM_F_EXCL, first + place
            )
            for place, step in enumerate(steps)
        ]
        answers = await self._exchange(_Requests(list(range(len(steps))), messages, first))
        refused: dict[int, Answer] = {}
        for place in sorted(answers):
            refused.setdefault(steps[place].wanted.number, answers[place])
        return refused

    def _encode(
        self,
        effect: KernelEffect,
        groups: Mapping[Prefix, int],
        refused: dict[Prefix, Answer],
        requests: "_Requests[Prefix]",
    ) -> None:
        """Add the requests of an effect, but for those of `refused`, to which it adds what cannot be said."""
        keys, messages, first = requests
        if isinstance(effect, DeleteRoutes):
            messages += self._encoder.deletions(effect.routes, first + len(messages))
            keys += [key[0] for key in effect.routes]
            return
        if not groups and not refused:
            with suppress(UnknownInterfaceError):
                sequence = first + len(messages)
                messages += self._encoder.replacements(effect.routes, sequence, exclusive=effect.exclusive)
                keys += [entry[0] for entry in effect.routes]
                return
        for prefix, route in effect.routes:
            if prefix in refused:
                continue
            sequence, group = first + len(messages), groups.get(prefix, 0)
            try:
                message = self._encoder.replace(
                    prefix, route, sequence, exclusive=effect.exclusive, group=group
                )
            except UnknownInterfaceError as error:
                refused[prefix] = Answer(ENODEV, str(error))
            else:
                keys.append(prefix)
                messages.append(message)

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

    async def _exchange(self, requests: "_Requests[Key]") -> dict[Key, Answer]:
        """Send requests in as few datagrams as may be; gives what was refused, by its key."""
        keys, messages, first = requests
        refused: dict[Key, Answer] = {}
        if not messages:
            return refused
        count = max(BATCH_OCTETS_MAX // max(map(len, messages)), 1)
        for start in range(0, len(messages), count):
            batch = messages[start : start + count]
            answers = await self._send(batch, first + start)
            for place in sorted(answers):
                refused[keys[start + place]] = answers[place]
        return refused

    async def _send(self, batch: list[bytes], first: int) -> dict[int, Answer]:
        """Send one datagram; gives the refusals by place. A refusal does not stop the kernel's work on it."""
        last = first + len(batch) - 1
        batch[-1] = ask_for_answer(batch[-1])
        try:
            await send(self._socket, b"".join(batch))
            answers = self._read_answers(last)
        except OSError as error:
            # What became of the batch is not known; the caller reads the table again.
            self._groups.lose_users()
            self._forget_answers()
            return dict.fromkeys(range(len(batch)), Answer(error.errno or EIO, ""))
        return {
            sequence - first: answer
            for sequence, answer in answers.items()
            if answer.errno and first <= sequence <= last
        }

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

    def _reserve(self, count: int) -> int:
        """The first of so many sequence numbers that follow each other."""
        if self._sequence + count > SEQUENCE_MAX:
            self._sequence = 0
        first = self._sequence + 1
        self._sequence += count
        return first


def _results(effect: KernelEffect, refused: dict[Prefix, Answer]) -> list[KernelInput]:
    present = isinstance(effect, ReplaceRoutes)
    done = [entry[0] for entry in effect.routes]
    results: list[KernelInput] = []
    if refused:
        # A route of ours that is gone already is as wanted.
        failed = [
            (prefix, refused[prefix])
            for prefix in done
            if prefix in refused and (present or refused[prefix].errno != ESRCH)
        ]
        results += [RouteFailed(prefix, answer.errno, answer.reason, present) for prefix, answer in failed]
        gone = dict(failed)
        done = [prefix for prefix in done if prefix not in gone]
    if done:
        results.append(RoutesApplied(tuple(done), present))
    return results
