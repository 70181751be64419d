"""Keep a lease alive, and a key that lives as long as we do.

A lease counts as lost after two thirds of its time to live without a confirmation: then there is still time
to put the key under a new lease before the old one takes it away.
"""

from contextlib import suppress
from typing import Final, NoReturn

import trio

from felixbgp._pb.etcd import rpc_pb2
from felixbgp.runtime.etcd import methods
from felixbgp.runtime.etcd.client import EtcdClient
from felixbgp.runtime.etcd.errors import EtcdError, LeaseLost, LeaseNotFound
from felixbgp.runtime.etcd.values import Lease

REVOKE_SECONDS_MAX: Final = 1.0
"""How long a shutdown waits to take its key away; etcd does it itself when the lease ends."""


async def keep_alive(client: EtcdClient, lease: Lease) -> NoReturn:
    """Confirm `lease` each third of its time to live, until it is lost. Raises `LeaseLost`.

    Errors on the way are retried with backoff, on other endpoints if there are some.
    """
    keeper = LeaseKeeper(client, lease)
    await keeper.run()


class LeaseKeeper:
    """Does the work of `keep_alive`; `confirmed_at` is the trio time of the last confirmed request."""

    def __init__(self, client: EtcdClient, lease: Lease) -> None:
        self.lease = lease
        self.confirmed_at = trio.current_time()
        self._client = client
        self._backoff = client.new_backoff()
        self._scope = trio.CancelScope()
        self._last_error = "no answer"

    async def run(self) -> NoReturn:
        """Keep the lease until it is lost. Raises `LeaseLost`."""
        ttl = self.lease.ttl_seconds
        with self._scope:
            self._extend_deadline()
            while True:
                try:
                    await self._confirm_repeatedly()
                except LeaseLost:
                    raise
                except EtcdError as error:
                    self._last_error = str(error)
                    await trio.sleep(self._backoff.next_delay())
        raise LeaseLost(
            f"lease {self.lease.id:x} of {ttl} s not confirmed for {ttl * 2 / 3:g} s: {self._last_error}",
            method=methods.LEASE_KEEP_ALIVE.path,
        )

    def _extend_deadline(self) -> None:
        self._scope.deadline = self.confirmed_at + self.lease.ttl_seconds * 2 / 3

    async def _confirm_repeatedly(self) -> NoReturn:
        async with self._client.open_stream(methods.LEASE_KEEP_ALIVE) as stream:
            while True:
                sent_at = trio.current_time()
                await stream.send(rpc_pb2.LeaseKeepAliveRequest(ID=self.lease.id))
                answer: rpc_pb2.LeaseKeepAliveResponse = await stream.receive()
                if answer.TTL <= 0:
                    raise LeaseLost(
                        f"lease {self.lease.id:x} expired or was revoked",
                        method=methods.LEASE_KEEP_ALIVE.path,
                        endpoint=stream.endpoint,
                    )
                # Counted from the request: etcd's clock may have run since then, the answer may be late.
                self.confirmed_at = sent_at
                self._extend_deadline()
                self._backoff.reset()
                await trio.sleep_until(sent_at + self.lease.ttl_seconds / 3)


class LeasedKey:
    """A key that exists while `run` runs. It goes at once on a shutdown, after the TTL on a crash."""

    def __init__(self, client: EtcdClient, key: str | bytes, value: str | bytes, *, ttl_seconds: int) -> None:
        self.is_held = False
        self.last_error = ""
        self.held = trio.Event()
        self._client = client
        self._key = key
        self._value = value
        self._ttl_seconds = ttl_seconds
        self._lease: Lease | None = None

    async def run(self) -> NoReturn:
        """Write the key under a lease and keep it; begin again whenever that fails. Ends by cancellation.

        Failures show in `is_held` and `last_error`; `held` is set when the key was first written.
        """
        backoff = self._client.new_backoff()
        try:
            while True:
                try:
                    lease = await self._take()
                    backoff.reset()
                    await keep_alive(self._client, lease)
                except EtcdError as error:
                    self._on_failure(error)
                    await trio.sleep(backoff.next_delay())
        finally:
            self.is_held = False
            await self._release()

    async def _take(self) -> Lease:
        if self._lease is None:
            self._lease = await self._client.grant_lease(self._ttl_seconds)
        await self._client.put(self._key, self._value, lease=self._lease)
        self.is_held = True
        self.last_error = ""
        self.held.set()
        return self._lease

    def _on_failure(self, error: EtcdError) -> None:
        self.is_held = False
        self.last_error = str(error)
        if isinstance(error, LeaseLost | LeaseNotFound):
            self._lease = None

    async def _release(self) -> None:
        if self._lease is None:
            return
        with trio.move_on_after(REVOKE_SECONDS_MAX, shield=True), suppress(EtcdError):
            await self._client.revoke_lease(self._lease)
