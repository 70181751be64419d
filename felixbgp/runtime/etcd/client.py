"""The client: several endpoints, deadlines, authentication, and the requests a user writes.

One connection is open at a time. It is made when a request needs it, and left for another endpoint when it
fails, stops to answer, loses its leader, or goes away. Between rounds over all endpoints the client waits
(full jitter, 50 ms to 5 s), whoever asks: a caller that retries in a loop cannot make it spin.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import google.protobuf.message
import trio

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.runtime.etcd import errors, methods, values
from felixbgp.runtime.etcd.backoff import Backoff
from felixbgp.runtime.etcd.call import Call
from felixbgp.runtime.etcd.channel import Channel, ChannelLimits, Metadata
from felixbgp.runtime.etcd.dial import dial
from felixbgp.runtime.etcd.errors import (
    DeadlineExceeded,
    EtcdError,
    LeaseNotFound,
    MessageTooLarge,
    ProtocolError,
    Unauthenticated,
    Unavailable,
)
from felixbgp.runtime.etcd.methods import Method
from felixbgp.runtime.etcd.nursery import background_nursery
from felixbgp.runtime.etcd.settings import Endpoint, EtcdSettings
from felixbgp.runtime.etcd.values import (
    DeleteResult,
    KeyValue,
    Lease,
    Listing,
    MemberStatus,
    PutResult,
    TransactionResult,
    to_bytes,
)

Row = TypeVar("Row")
Dialer = Callable[[Endpoint, EtcdSettings], Awaitable[trio.abc.Stream]]
"""Opens a byte stream, or raises `Unavailable`."""
PAGE_SHRINK = 8
"""Divide a page by this when its answer exceeds the limit for messages."""


class Session:
    """A connection and the token that etcd gave for it."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.token = ""
        self.renewal = trio.Lock()

    @property
    def metadata(self) -> Metadata:
        """What goes with every call."""
        return (("token", self.token),) if self.token else ()


class Stream:
    """A call with messages in both directions, for one task at a time."""

    def __init__(self, call: Call, method: Method, channel: Channel) -> None:
        self.endpoint = channel.endpoint
        self.draining = channel.draining
        self._call = call
        self._method = method

    async def send(self, message: Any) -> None:
        """Send a protobuf message. Raises `EtcdError`."""
        await self._call.send(message.SerializeToString())

    async def receive(self) -> Any:
        """The next message. Raises `EtcdError`, `Unavailable` also when the server ended the stream well."""
        answer = await self._call.receive()
        if answer is None:
            raise Unavailable("the server ended the stream", method=self._method.path, endpoint=self.endpoint)
        return _parse(self._method, answer, self.endpoint)


class EtcdClient:
    """Requests to an etcd cluster. Make one by `open_client`.

    Every request ends within `request_timeout_seconds`. Errors are `EtcdError`s. Reads are repeated on
    another endpoint when one fails; writes only when etcd surely did not see them. Keys and values may be
    text or bytes.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        nursery: trio.Nursery,
        *,
        jitter: Callable[[], float] = random.random,
        dialer: Dialer = dial,
    ) -> None:
        self.settings = settings
        self.jitter = jitter
        self._nursery = nursery
        self._dialer = dialer
        self._endpoints = settings.parsed_endpoints()
        self._next_endpoint = 0
        self._session: Session | None = None
        self.connections_made = 0
        """How many connections there were so far: behind another one may be another store."""
        self._connecting = trio.Lock()
        self._backoff = self.new_backoff()
        self._not_before = -float("inf")
        self._last_connect_error = ""
        self.cluster_id = 0
        """Of the cluster that answered the last listing or transaction."""

    def new_backoff(self) -> Backoff:
        """A backoff by the settings, for a loop that uses this client."""
        return Backoff(self.settings.backoff_min_seconds, self.settings.backoff_max_seconds, self.jitter)

    # Reading.

    async def get(
        self, key: str | bytes, *, revision: int = 0, serializable: bool = False
    ) -> KeyValue | None:
        """One key, or None. With `serializable` a member answers without asking the others: maybe stale."""
        request = rpc_pb2.RangeRequest(key=to_bytes(key), revision=revision, serializable=serializable)
        answer = await self.request(methods.RANGE, request)
        return values.key_value_of(answer.kvs[0]) if answer.kvs else None

    async def get_prefix(self, prefix: str | bytes, *, revision: int = 0) -> Listing:
        """Every key that begins with `prefix`, as of one revision (0: the present). Raises `Compacted`."""
        at, rows = await self.list_prefix(prefix, values.key_value_of, revision=revision)
        return Listing(at, tuple(rows))

    async def get_keys(self, prefix: str | bytes, *, revision: int = 0) -> list[str]:
        """Every key that begins with `prefix`, in order, without the values, as of one revision."""
        _, rows = await self.list_prefix(
            prefix, lambda row: values.key_value_of(row).text_key, keys_only=True, revision=revision
        )
        return rows

    async def list_prefix(
        self,
        prefix: str | bytes,
        convert: Callable[[Any], Row],
        *,
        revision: int = 0,
        keys_only: bool = False,
    ) -> tuple[int, list[Row]]:
        """Read a prefix in pages pinned to one revision; each `mvccpb.KeyValue` goes through `convert`.

        With `keys_only` the values are left out. The deadline of a request holds for each page. Raises
        `EtcdError`; `Compacted` when the pinned revision was compacted away while reading.
        """
        start = to_bytes(prefix)
        request = rpc_pb2.RangeRequest(key=start or b"\0", range_end=values.range_end_of(start))
        request.limit = self.settings.page_keys
        request.revision = revision
        request.keys_only = keys_only
        rows: list[Row] = []
        while True:
            answer = await self._page(request)
            request.revision = request.revision or answer.header.revision
            self.cluster_id = answer.header.cluster_id
            rows.extend(map(convert, answer.kvs))
            if not (answer.more and answer.kvs):
                return request.revision, rows
            request.key = answer.kvs[-1].key + b"\0"

    async def _page(self, request: Any) -> Any:
        while True:
            try:
                return await self.request(methods.RANGE, request)
            except MessageTooLarge:
                if request.limit == 1:
                    raise
                request.limit = max(1, request.limit // PAGE_SHRINK)

    async def status(self) -> MemberStatus:
        """What the member behind the present connection says of itself."""
        answer = await self.request(methods.STATUS, rpc_pb2.StatusRequest())
        endpoint = "" if self._session is None else self._session.channel.endpoint
        return values.member_status_of(answer, endpoint)

    # Writing.

    async def put(
        self, key: str | bytes, value: str | bytes, *, lease: Lease | int = 0, with_previous: bool = False
    ) -> PutResult:
        """Write a key, bound to a lease if one is given. Raises `LeaseNotFound`."""
        lease_id = lease.id if isinstance(lease, Lease) else lease
        request = rpc_pb2.PutRequest(
            key=to_bytes(key), value=to_bytes(value), lease=lease_id, prev_kv=with_previous
        )
        return values.put_result_of(await self.request(methods.PUT, request))

    async def delete(self, key: str | bytes, *, with_previous: bool = False) -> DeleteResult:
        """Delete one key; `deleted` is 0 when there was none."""
        request = rpc_pb2.DeleteRangeRequest(key=to_bytes(key), prev_kv=with_previous)
        return values.delete_result_of(await self.request(methods.DELETE_RANGE, request))

    async def delete_prefix(self, prefix: str | bytes) -> DeleteResult:
        """Delete every key that begins with `prefix`. An empty prefix is refused (`ValueError`)."""
        start = to_bytes(prefix)
        if not start:
            raise ValueError("an empty prefix would delete the whole store")
        request = rpc_pb2.DeleteRangeRequest(key=start, range_end=values.range_end_of(start))
        return values.delete_result_of(await self.request(methods.DELETE_RANGE, request))

    async def txn(
        self, *, compare: Sequence[Any] = (), success: Sequence[Any] = (), failure: Sequence[Any] = ()
    ) -> TransactionResult:
        """Do `success` when all compares hold, else `failure`, as one step; see `transactions`."""
        from felixbgp.runtime.etcd import transactions  # noqa: PLC0415 - imports etcd3 and grpc: 0.1 s

        request = transactions.transaction_request(compare, success, failure)
        answer = await self.request(methods.TXN, request)
        self.cluster_id = answer.header.cluster_id
        return values.transaction_result_of(answer)

    async def compact(self, revision: int) -> None:
        """Drop the history before `revision`. Raises `Compacted` when that happened already."""
        await self.request(methods.COMPACT, rpc_pb2.CompactionRequest(revision=revision, physical=True))

    # Leases; `felixbgp.runtime.etcd.lease` keeps them alive.

    async def grant_lease(self, ttl_seconds: int) -> Lease:
        """A new lease; etcd may give it a longer time to live than asked for."""
        answer = await self.request(methods.LEASE_GRANT, rpc_pb2.LeaseGrantRequest(TTL=ttl_seconds))
        if answer.error:
            raise EtcdError(answer.error, method=methods.LEASE_GRANT.path)
        return Lease(answer.ID, answer.TTL)

    async def revoke_lease(self, lease: Lease | int) -> None:
        """End a lease and delete its keys; one that is gone already is no error."""
        lease_id = lease.id if isinstance(lease, Lease) else lease
        try:
            await self.request(methods.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id))
        except LeaseNotFound:
            return

    # The machine below.

    async def request(self, method: Method, request: Any, *, timeout_seconds: float | None = None) -> Any:
        """One unary call with a deadline; the answer's message. Raises `EtcdError`."""
        seconds = timeout_seconds or self.settings.request_timeout_seconds
        waiting_for: Session | None = None
        tries_left = max(2, len(self._endpoints))
        refused_token: str | None = None
        deadline = trio.current_time() + seconds
        with trio.move_on_at(deadline):
            while True:
                waiting_for = None
                session = waiting_for = await self._connected()
                token = session.token
                try:
                    if refused_token is not None:
                        await self._renew_token(session, refused_token)
                    return await self._call_once(session, method, request, deadline)
                except Unauthenticated:
                    if refused_token is not None or not self.settings.username:
                        raise
                    refused_token = token
                except Unavailable as error:
                    self._leave(session)
                    tries_left -= 1
                    if tries_left == 0 or not (error.unsent or method.is_repeatable):
                        raise
        raise self._too_late(method, waiting_for, seconds)

    async def _call_once(self, session: Session, method: Method, request: Any, deadline: float) -> Any:
        channel = session.channel
        left = deadline - trio.current_time()
        answer = await channel.unary(
            method.path, request.SerializeToString(), session.metadata, timeout_seconds=left
        )
        return _parse(method, answer, channel.endpoint)

    def _too_late(self, method: Method, session: Session | None, seconds: float) -> EtcdError:
        """The deadline passed: waiting for an answer, or still for a connection."""
        if session is None:
            reason = self._last_connect_error or f"no connection within {seconds:g} s"
            return Unavailable(reason, method=method.path, unsent=True)
        self._suspect(session)
        endpoint = session.channel.endpoint
        return DeadlineExceeded(f"no answer within {seconds:g} s", method=method.path, endpoint=endpoint)

    @asynccontextmanager
    async def open_stream(self, method: Method, metadata: Metadata = ()) -> AsyncIterator[Stream]:
        """A call with messages in both directions, on the present connection.

        When it fails with `Unavailable` the client goes on with another endpoint. Raises `EtcdError`.
        """
        session = await self._connected()
        try:
            async with session.channel.call(method.path, (*session.metadata, *metadata)) as call:
                yield Stream(call, method, session.channel)
        except Unavailable:
            self._leave(session)
            raise

    async def _connected(self) -> Session:
        """The present session, or a new one after one round over all endpoints. Raises `Unavailable`."""
        async with self._connecting:
            if self._session is not None and self._session.channel.is_usable:
                return self._session
            await trio.sleep_until(self._not_before)
            return await self._connect_somewhere()

    async def _connect_somewhere(self) -> Session:
        failures: list[str] = []
        for _ in self._endpoints:
            # Move on before the attempt: one that is cancelled by a deadline must not be the next one again.
            endpoint = self._endpoints[self._next_endpoint]
            self._next_endpoint = (self._next_endpoint + 1) % len(self._endpoints)
            try:
                self._session = await self._connect(endpoint)
            except Unauthenticated:
                # Every endpoint would say the same, and a password costs etcd 70 ms of computing.
                self._not_before = trio.current_time() + self._backoff.next_delay()
                raise
            except EtcdError as error:
                failures.append(str(error))
                self._last_connect_error = "; ".join(failures)
            else:
                self._backoff.reset()
                self._last_connect_error = ""
                self.connections_made += 1
                return self._session
        self._not_before = trio.current_time() + self._backoff.next_delay()
        raise Unavailable("; ".join(failures), unsent=True)

    async def _connect(self, endpoint: Endpoint) -> Session:
        stream = await self._dialer(endpoint, self.settings)
        channel = Channel(
            stream,
            str(endpoint),
            authority=endpoint.authority,
            tls=endpoint.tls,
            limits=ChannelLimits(
                stream_window_bytes=self.settings.stream_window_bytes,
                message_bytes_max=self.settings.message_bytes_max,
                ping_interval_seconds=self.settings.ping_interval_seconds,
                ping_timeout_seconds=self.settings.ping_timeout_seconds,
            ),
        )
        session = Session(channel)
        try:
            with trio.fail_after(self.settings.connect_timeout_seconds):
                await self._nursery.start(channel.run)
                if channel.failure is None:
                    await self._renew_token(session, "")
        except trio.TooSlowError as error:
            channel.close()
            waited = f"no gRPC answer within {self.settings.connect_timeout_seconds:g} s"
            raise Unavailable(waited, endpoint=str(endpoint), unsent=True) from error
        except BaseException:
            channel.close()
            raise
        if channel.failure is not None:
            raise Unavailable(channel.failure.message, endpoint=str(endpoint), unsent=True)
        return session

    async def _renew_token(self, session: Session, old_token: str) -> None:
        """Get a token that is not `old_token`; several callers that found it expired share one renewal."""
        if not self.settings.username:
            return
        async with session.renewal:
            if session.token != old_token:
                return
            request = rpc_pb2.AuthenticateRequest(
                name=self.settings.username, password=self.settings.password
            )
            try:
                answer = await session.channel.unary(methods.AUTHENTICATE.path, request.SerializeToString())
            except EtcdError as error:
                if "authentication is not enabled" not in error.message:
                    raise
                session.token = ""  # A user is configured here, but etcd does not ask for one.
                return
            session.token = _parse(methods.AUTHENTICATE, answer, session.channel.endpoint).token

    def _leave(self, session: Session) -> None:
        """Make no more calls on a session; those that run go on.

        The only endpoint is left when its connection is gone, not when it says that it has no leader.
        """
        if len(self._endpoints) == 1 and session.channel.is_usable:
            return
        if self._session is session:
            self._session = None
        session.channel.drain()

    def _suspect(self, session: Session) -> None:
        """A request was not answered in time: PING the peer, and prefer another endpoint if there is one."""
        session.channel.probe()
        self._leave(session)


@asynccontextmanager
async def open_client(
    settings: EtcdSettings, *, jitter: Callable[[], float] = random.random, dialer: Dialer = dial
) -> AsyncIterator[EtcdClient]:
    """A client for the time of the block; connections close at its end.

    It does not connect before the first request. `jitter()` in [0, 1) spreads the delays between attempts;
    `dialer` makes the connections.
    """
    async with background_nursery() as nursery:
        yield EtcdClient(settings, nursery, jitter=jitter, dialer=dialer)


def _parse(method: Method, answer: bytes, endpoint: str) -> Any:
    try:
        return method.answer.FromString(answer)
    except google.protobuf.message.DecodeError as error:
        raise ProtocolError(
            f"an answer that is no {method.answer.DESCRIPTOR.name}", method=method.path, endpoint=endpoint,
            code=errors.INTERNAL,
        ) from error  # fmt: skip
