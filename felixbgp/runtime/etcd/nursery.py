"""A nursery for background tasks that hides itself from the errors of its body."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def background_nursery() -> AsyncIterator[trio.Nursery]:
    """Run tasks beside the body; cancel them when it ends.

    An exception of the body comes out as it is, not inside an ExceptionGroup, so `except EtcdError` around
    the block works. A crash of a background task still comes out as trio reports it.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as error:  # noqa: BLE001 - raised again below, outside the nursery
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
