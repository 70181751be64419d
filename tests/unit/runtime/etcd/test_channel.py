"""The channel against a peer that is driven frame by frame."""

from collections.abc import Callable
from typing import Any

import h2.errors
import h2.events
import h2.settings
import pytest
import trio
import trio.testing

from felixbgp.runtime.etcd.channel import Channel, ChannelLimits
from felixbgp.runtime.etcd.errors import (
    EtcdError,
    MessageTooLarge,
    PermissionDenied,
    ProtocolError,
    RequestRefused,
    Unavailable,
)
from felixbgp.runtime.etcd.framing import pack_message
from tests.unit.runtime.etcd.conftest import Connect

pytestmark = pytest.mark.trio

METHOD = "/etcdserverpb.KV/Range"


class Outcome:
    """A unary call in a task of its own, and what came of it."""

    def __init__(self, nursery: trio.Nursery, channel: Channel, request: bytes = b"ask") -> None:
        self.scope = trio.CancelScope()
        self.answer: bytes | None = None
        self.error: EtcdError | None = None
        self._done = trio.Event()
        nursery.start_soon(self._run, channel, request)

    async def _run(self, channel: Channel, request: bytes) -> None:
        with self.scope:
            try:
                self.answer = await channel.unary(METHOD, request, [("token", "secret")])
            except EtcdError as error:
                self.error = error
        self._done.set()

    async def failure(self) -> EtcdError:
        await self._done.wait()
        assert self.error is not None
        return self.error

    async def success(self) -> bytes:
        await self._done.wait()
        assert self.error is None
        assert self.answer is not None
        return self.answer


async def test_unary_carries_path_metadata_and_message(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    request = await peer.expect(h2.events.RequestReceived)
    fields = dict(request.headers)
    assert fields[b":path"] == METHOD.encode()
    assert fields[b"te"] == b"trailers"
    assert fields[b"content-type"] == b"application/grpc"
    assert fields[b"token"] == b"secret"
    body = await peer.expect(h2.events.DataReceived)
    assert body.data == pack_message(b"ask")
    assert body.stream_ended is not None
    await peer.answer(request.stream_id, b"tell")
    assert await outcome.success() == b"tell"


async def test_message_may_span_frames_at_any_byte(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id)
    for octet in pack_message(b"slowly"):
        await peer.data(stream_id, bytes((octet,)))
    await peer.trailers(stream_id)
    assert await outcome.success() == b"slowly"


async def test_trailers_only_answer_with_percent_encoded_text(
    connect: Connect, nursery: trio.Nursery
) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    text = "etcdserver: permission denied%3A caf%C3%A9"
    await peer.headers(stream_id, ("grpc-status", "7"), ("grpc-message", text), end=True)
    error = await outcome.failure()
    assert isinstance(error, PermissionDenied)
    assert error.message == "etcdserver: permission denied: café"
    assert str(error).startswith("/etcdserverpb.KV/Range at http://etcd-1:2379: ")


@pytest.mark.parametrize(
    ("headers", "data", "kind"),
    [
        pytest.param([], b"\x01\x00\x00\x00\x01x", ProtocolError, id="compressed message"),
        pytest.param([], b"\x00\x00\x00\x04\x01", MessageTooLarge, id="over the limit by its header alone"),
        pytest.param([("grpc-encoding", "gzip")], b"", ProtocolError, id="encoding we did not offer"),
    ],
)
async def test_peer_that_breaks_grpc(
    connect: Connect,
    nursery: trio.Nursery,
    headers: list[tuple[str, str]],
    data: bytes,
    kind: type[EtcdError],
) -> None:
    channel, peer = await connect(ChannelLimits(message_bytes_max=1_024))
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id, *headers)
    await peer.data(stream_id, data, end=True)
    assert type(await outcome.failure()) is kind


async def test_answer_that_ends_inside_a_message(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id)
    await peer.data(stream_id, pack_message(b"whole")[:-1])
    await peer.trailers(stream_id)
    assert "inside a message" in str(await outcome.failure())


async def test_answer_without_a_status(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id)
    await peer.data(stream_id, pack_message(b"tell"), end=True)
    assert "without a status" in str(await outcome.failure())


@pytest.mark.parametrize("messages", [(), (b"one", b"two")])
async def test_unary_wants_exactly_one_answer(
    connect: Connect, nursery: trio.Nursery, messages: tuple[bytes, ...]
) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.answer(stream_id, *messages)
    assert isinstance(await outcome.failure(), ProtocolError)


async def test_proxy_that_answers_in_http(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    peer.h2.send_headers(stream_id, [(":status", "503"), ("content-type", "text/html")], end_stream=True)
    await peer.flush()
    error = await outcome.failure()
    assert isinstance(error, Unavailable)
    assert "503" in str(error)


async def test_reset_with_no_error_after_the_end_changes_nothing(
    connect: Connect, nursery: trio.Nursery
) -> None:
    """A server that does not want the rest of the request may end its answer, then reset (RFC 9113 §8.1)."""
    channel, peer = await connect()
    async with channel.call(METHOD) as call:
        await call.send(b"ask")
        stream_id = (await peer.expect(h2.events.RequestReceived)).stream_id
        await peer.answer(stream_id, b"tell")
        await peer.reset(stream_id, h2.errors.ErrorCodes.NO_ERROR)
        await trio.testing.wait_all_tasks_blocked()
        assert await call.receive() == b"tell"
        assert await call.receive() is None
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.answer(stream_id, b"next")
    assert await outcome.success() == b"next"


@pytest.mark.parametrize(
    ("code", "kind", "unsent"),
    [
        (h2.errors.ErrorCodes.REFUSED_STREAM, Unavailable, True),
        (h2.errors.ErrorCodes.CANCEL, Unavailable, False),
        (h2.errors.ErrorCodes.NO_ERROR, Unavailable, False),
        (h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, MessageTooLarge, None),
        (h2.errors.ErrorCodes.INTERNAL_ERROR, ProtocolError, None),
    ],
)
async def test_reset_by_the_peer(
    connect: Connect,
    nursery: trio.Nursery,
    code: h2.errors.ErrorCodes,
    kind: type[EtcdError],
    unsent: bool | None,
) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.reset(stream_id, code)
    error = await outcome.failure()
    assert type(error) is kind
    assert getattr(error, "unsent", None) is unsent
    assert channel.is_usable


async def test_goaway_lets_open_calls_end_and_takes_no_new_ones(
    connect: Connect, nursery: trio.Nursery
) -> None:
    channel, peer = await connect()
    kept = Outcome(nursery, channel)
    kept_id, _ = await peer.request()
    dropped = Outcome(nursery, channel)
    dropped_id, _ = await peer.request()
    assert kept_id < dropped_id

    await peer.goaway(kept_id, b"shutting down")
    error = await dropped.failure()
    assert isinstance(error, Unavailable)
    assert error.unsent
    assert not channel.is_usable
    with pytest.raises(Unavailable) as refused:
        await channel.unary(METHOD, b"too late")
    assert refused.value.unsent

    await peer.answer(kept_id, b"still served")
    assert await kept.success() == b"still served"
    await trio.testing.wait_all_tasks_blocked()
    assert channel.failure is not None
    assert "shutting down" in channel.failure.message


async def test_stream_ids_run_out(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    channel._h2.highest_outbound_stream_id = 2**31 - 3
    last = Outcome(nursery, channel)
    await peer.request()
    with pytest.raises(Unavailable) as refused:
        await channel.unary(METHOD, b"one too many")
    assert refused.value.unsent
    await peer.answer(2**31 - 1, b"the last")
    assert await last.success() == b"the last"
    await trio.testing.wait_all_tasks_blocked()
    assert channel.failure is not None


async def test_waits_for_a_free_slot_of_the_peer(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect(settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
    first = Outcome(nursery, channel, b"first")
    stream_id, _ = await peer.request()
    second = Outcome(nursery, channel, b"second")
    await trio.testing.wait_all_tasks_blocked()
    assert peer.h2.open_inbound_streams == 1
    await peer.answer(stream_id, b"1")
    assert await first.success() == b"1"
    stream_id, body = await peer.request()
    assert body == pack_message(b"second")
    await peer.answer(stream_id, b"2")
    assert await second.success() == b"2"


async def test_cancelled_caller_resets_its_call_and_no_other(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    cancelled = Outcome(nursery, channel)
    cancelled_id, _ = await peer.request()
    kept = Outcome(nursery, channel)
    kept_id, _ = await peer.request()
    cancelled.scope.cancel()
    reset = await peer.expect(h2.events.StreamReset)
    assert (reset.stream_id, reset.error_code) == (cancelled_id, h2.errors.ErrorCodes.CANCEL)
    await peer.answer(kept_id, b"tell")
    assert await kept.success() == b"tell"


async def test_ping_not_answered_ends_the_connection(
    connect: Connect, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    channel, peer = await connect()
    started_at = autojump_clock.current_time()
    outcome = Outcome(nursery, channel)
    await peer.request()
    error = await outcome.failure()
    assert isinstance(error, Unavailable)
    assert "PING within 5 s" in error.message
    assert autojump_clock.current_time() - started_at == pytest.approx(15)


async def test_ping_is_answered_while_a_call_is_silent(
    connect: Connect, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    for _ in range(3):
        await peer.expect(h2.events.PingReceived)
    assert autojump_clock.current_time() == pytest.approx(30)
    await peer.answer(stream_id, b"at last")
    assert await outcome.success() == b"at last"


async def test_no_ping_on_an_idle_connection(
    connect: Connect, autojump_clock: trio.testing.MockClock
) -> None:
    """etcd counts them as abuse and answers by GOAWAY."""
    channel, peer = await connect()
    with trio.move_on_after(3_600):
        await peer.expect(h2.events.PingReceived)
        pytest.fail("a PING without a call")
    assert autojump_clock.current_time() >= 3_600
    channel.probe()
    await peer.expect(h2.events.PingReceived)


async def test_consumer_that_stands_still_stops_its_own_stream_only(
    connect: Connect, nursery: trio.Nursery
) -> None:
    window = 4_096
    channel, peer = await connect(ChannelLimits(stream_window_bytes=window))
    message = pack_message(bytes(507))
    async with channel.call(METHOD) as call:
        await call.send(b"watch")
        stream_id = (await peer.expect(h2.events.RequestReceived)).stream_id
        await peer.headers(stream_id)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(window // len(message)):
            await peer.data(stream_id, message)
        await trio.testing.wait_all_tasks_blocked()
        assert peer.h2.local_flow_control_window(stream_id) < len(message)

        other = Outcome(nursery, channel)
        other_id, _ = await peer.request()
        await peer.answer(other_id, b"flows")
        assert await other.success() == b"flows"

        for _ in range(window // len(message)):
            assert await call.receive() == message[5:]
        while peer.h2.local_flow_control_window(stream_id) < window:
            await peer.expect(h2.events.WindowUpdated)


async def test_message_larger_than_the_window_arrives(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect(ChannelLimits(stream_window_bytes=1_000))
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id)
    rest = pack_message(bytes(50_000))
    while rest:
        while (window := peer.h2.local_flow_control_window(stream_id)) == 0:
            await peer.expect(h2.events.WindowUpdated)
        await peer.data(stream_id, rest[:window])
        rest = rest[window:]
    await peer.trailers(stream_id)
    assert await outcome.success() == bytes(50_000)


async def test_request_larger_than_the_window_of_the_peer(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    request = bytes(range(256)) * 1_000
    outcome = Outcome(nursery, channel, request)
    stream_id = (await peer.expect(h2.events.RequestReceived)).stream_id
    body = b""
    while True:
        event = await peer.expect(h2.events.DataReceived)
        body += event.data
        if event.stream_ended is not None:
            break
        peer.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
        await peer.flush()
    assert body == pack_message(request)
    await peer.answer(stream_id, b"took it")
    assert await outcome.success() == b"took it"


async def test_messages_before_a_failure_are_delivered(connect: Connect) -> None:
    channel, peer = await connect()
    async with channel.call(METHOD) as call:
        await call.send(b"watch")
        stream_id = (await peer.expect(h2.events.RequestReceived)).stream_id
        await peer.headers(stream_id)
        await peer.data(stream_id, pack_message(b"event"))
        await peer.trailers(stream_id, "14", "etcdserver: no leader")
        await trio.testing.wait_all_tasks_blocked()
        assert await call.receive() == b"event"
        with pytest.raises(Unavailable, match="no leader"):
            await call.receive()


async def test_error_status_after_an_answer_counts(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcome = Outcome(nursery, channel)
    stream_id, _ = await peer.request()
    await peer.headers(stream_id)
    await peer.data(stream_id, pack_message(b"tell"))
    await peer.trailers(stream_id, "9", "etcdserver: not now")
    assert isinstance(await outcome.failure(), RequestRefused)


async def test_closed_connection_fails_every_call(connect: Connect, nursery: trio.Nursery) -> None:
    channel, peer = await connect()
    outcomes = [Outcome(nursery, channel) for _ in range(3)]
    for _ in outcomes:
        await peer.request()
    await peer.stream.aclose()
    for outcome in outcomes:
        error = await outcome.failure()
        assert isinstance(error, Unavailable)
        assert not error.unsent
    assert channel.failure is not None


async def _say_nothing(stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def _say_http_1(stream: trio.abc.Stream) -> None:
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(64))


async def _break_a_frame(stream: trio.abc.Stream) -> None:
    # SETTINGS of five bytes (RFC 9113 §6.5: a multiple of six).
    await stream.send_all(b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + bytes(5))


@pytest.mark.parametrize("speak", [_say_nothing, _say_http_1, _break_a_frame])
async def test_peer_that_is_no_http2_server(nursery: trio.Nursery, speak: Callable[[Any], Any]) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    channel = Channel(ours, "http://etcd-1:2379")
    nursery.start_soon(speak, theirs)
    await nursery.start(channel.run)
    assert isinstance(channel.failure, Unavailable)
    with pytest.raises(Unavailable) as refused:
        await channel.unary(METHOD, b"ask")
    assert refused.value.unsent


async def test_peer_sees_one_grpc_timeout(connect: Connect) -> None:
    channel, peer = await connect()
    async with channel.call(METHOD, timeout_seconds=1.5):
        request = await peer.expect(h2.events.RequestReceived)
        assert dict(request.headers)[b"grpc-timeout"] == b"1500m"
