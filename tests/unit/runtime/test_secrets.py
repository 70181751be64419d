"""A real directory, changed in the ways of those who change such directories."""

import errno
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing
from inotify_simple import INotify

from felixbgp.agent.inputs import Input
from felixbgp.cluster.inputs import SecretFilesRead
from felixbgp.cluster.secrets import SecretFile, SecretId
from felixbgp.runtime import secrets
from felixbgp.runtime.secrets import SecretFiles, read_files
from tests.support.secret_files import deploy_secret, mount_secret

TOR = SecretId("bgp-secrets", "tor")
OTHER = SecretId("other", "key")


def read_one(directory: Path, secret: SecretId = TOR) -> SecretFile:
    (file,) = read_files(directory, [secret])
    return file


def mounted(directory: Path, content: bytes) -> None:
    mount_secret(directory, *TOR, content)


def deployed(directory: Path, content: bytes) -> None:
    deploy_secret(directory, *TOR, content)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that other users may look into, other than pytest's."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def nobody() -> Iterator[None]:
    """Be no superuser, to whom nothing is closed."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


class TestReading:
    def test_a_file(self, tmp_path: Path) -> None:
        deployed(tmp_path, b"secret\n")
        assert read_one(tmp_path) == SecretFile(TOR, b"secret\n")

    def test_a_mounted_secret(self, tmp_path: Path) -> None:
        mounted(tmp_path, b"secret")
        assert read_one(tmp_path) == SecretFile(TOR, b"secret")

    def test_no_more_is_read_than_is_looked_at(self, tmp_path: Path) -> None:
        deployed(tmp_path, b"x" * 5000)
        assert read_one(tmp_path) == SecretFile(TOR, b"x" * 83)

    def test_what_is_not_there_is_no_problem(self, tmp_path: Path) -> None:
        assert read_one(tmp_path / "missing") == SecretFile(TOR)
        assert read_one(tmp_path) == SecretFile(TOR)
        (tmp_path / TOR.name).mkdir()
        assert read_one(tmp_path) == SecretFile(TOR)
        (tmp_path / TOR.name / TOR.key).symlink_to("nowhere")
        assert read_one(tmp_path) == SecretFile(TOR)

    def test_a_file_or_a_directory_that_is_closed_to_us_is_named(self, open_path: Path) -> None:
        deployed(open_path, b"secret")
        for closed in (open_path / TOR.name / TOR.key, open_path / TOR.name):
            closed.chmod(0)
            with nobody():
                assert read_one(open_path) == SecretFile(TOR, problem="Permission denied")
        (open_path / TOR.name).chmod(0o700)

    def test_what_is_no_file_is_named_and_not_waited_for(self, tmp_path: Path) -> None:
        (tmp_path / TOR.name / TOR.key).mkdir(parents=True)
        assert read_one(tmp_path) == SecretFile(TOR, problem="is not a regular file")
        (tmp_path / TOR.name / TOR.key).rmdir()
        os.mkfifo(tmp_path / TOR.name / TOR.key)
        assert read_one(tmp_path) == SecretFile(TOR, problem="is not a regular file")

    def test_a_file_in_the_place_of_a_directory_is_named(self, tmp_path: Path) -> None:
        (tmp_path / TOR.name).write_text("secret")
        assert read_one(tmp_path) == SecretFile(TOR, problem="Not a directory")

    def test_a_link_that_leads_to_itself_is_named(self, tmp_path: Path) -> None:
        (tmp_path / TOR.name).mkdir()
        (tmp_path / TOR.name / TOR.key).symlink_to(TOR.key)
        assert read_one(tmp_path).problem == os.strerror(errno.ELOOP)

    @pytest.mark.parametrize(
        "secret",
        [SecretId("..", "outside"), SecretId("a", "../../outside"), SecretId("a/..", "outside")],
        ids=str,
    )
    def test_no_name_leads_out_of_the_directory(self, tmp_path: Path, secret: SecretId) -> None:
        (tmp_path / "secrets" / "a").mkdir(parents=True)
        (tmp_path / "outside").write_text("secret")
        assert read_one(tmp_path / "secrets", secret) == SecretFile(secret)

    def test_an_absolute_name_does_not_either(self, tmp_path: Path) -> None:
        (tmp_path / "outside").write_text("secret")
        secret = SecretId(str(tmp_path), "outside")
        assert read_one(tmp_path / "secrets", secret) == SecretFile(secret)


class Heard:
    """What was delivered, one after the other."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Input](100)

    def deliver(self, events: Iterable[Input]) -> None:
        for event in events:
            self._send.send_nowait(event)

    async def next(self) -> list[SecretFile]:
        with trio.fail_after(30):
            event = await self._receive.receive()
        assert isinstance(event, SecretFilesRead)
        return [*event.files]

    async def content(self) -> bytes | None:
        """Of the one secret that is wanted."""
        (file,) = await self.next()
        return file.content

    def is_empty(self) -> bool:
        return self._receive.statistics().current_buffer_used == 0


@asynccontextmanager
async def followed(directory: Path, *wanted: SecretId) -> AsyncIterator[tuple[SecretFiles, Heard]]:
    heard = Heard()
    files = SecretFiles(directory, heard.deliver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(files.run)
        files.want(wanted)
        yield files, heard
        nursery.cancel_scope.cancel()


@pytest.fixture
def no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is noticed is noticed at once, or the test's own patience ends first."""
    monkeypatch.setattr(secrets, "AUDIT_SECONDS", 1000.0)


@pytest.mark.trio
@pytest.mark.usefixtures("no_audit")
class TestFollowing:
    async def test_a_link_that_is_swapped(self, tmp_path: Path) -> None:
        mounted(tmp_path, b"old")
        async with followed(tmp_path, TOR) as (_, heard):
            assert await heard.content() == b"old"
            mounted(tmp_path, b"new")
            assert await heard.content() == b"new"
            mounted(tmp_path, b"newer")
            assert await heard.content() == b"newer"

    async def test_a_file_that_is_replaced_removed_and_put_back(self, tmp_path: Path) -> None:
        deployed(tmp_path, b"old")
        async with followed(tmp_path, TOR) as (_, heard):
            assert await heard.content() == b"old"
            deployed(tmp_path, b"new")
            assert await heard.content() == b"new"
            (tmp_path / TOR.name / TOR.key).unlink()
            assert await heard.content() is None
            deployed(tmp_path, b"back")
            assert await heard.content() == b"back"

    async def test_a_secret_that_comes_later_with_its_directory(self, tmp_path: Path) -> None:
        async with followed(tmp_path, TOR) as (_, heard):
            assert await heard.content() is None
            deployed(tmp_path, b"secret")
            assert await heard.content() == b"secret"
            (tmp_path / TOR.name).rename(tmp_path / "aside")
            assert await heard.content() is None
            (tmp_path / "aside").rename(tmp_path / TOR.name)
            assert await heard.content() == b"secret"

    async def test_what_changed_nothing_is_not_told(self, tmp_path: Path) -> None:
        deployed(tmp_path, b"same")
        async with followed(tmp_path, TOR) as (_, heard):
            assert await heard.content() == b"same"
            deployed(tmp_path, b"same")
            (tmp_path / "other").mkdir()
            deployed(tmp_path, b"end")
            assert await heard.content() == b"end"
            assert heard.is_empty()

    async def test_other_secrets_are_told_when_they_are_asked_for(self, tmp_path: Path) -> None:
        deployed(tmp_path, b"secret")
        async with followed(tmp_path) as (files, heard):
            await trio.testing.wait_all_tasks_blocked()
            assert heard.is_empty()
            files.want((TOR,))
            assert await heard.next() == [SecretFile(TOR, b"secret")]
            files.want((TOR, OTHER))
            assert await heard.next() == [SecretFile(TOR, b"secret"), SecretFile(OTHER)]
            (tmp_path / OTHER.name).mkdir()
            (tmp_path / OTHER.name / OTHER.key).write_bytes(b"too")
            assert await heard.next() == [SecretFile(TOR, b"secret"), SecretFile(OTHER, b"too")]
            files.want(())
            await trio.testing.wait_all_tasks_blocked()
            deployed(tmp_path, b"unheard")
            files.want((TOR,))
            assert await heard.content() == b"unheard"
            assert heard.is_empty()


@pytest.mark.trio
@pytest.mark.parametrize("moves", [1, 100], ids=["until it is quiet", "not for ever"])
async def test_a_file_that_is_being_written_is_left_alone(
    tmp_path: Path, mock_clock: trio.testing.MockClock, moves: int
) -> None:
    """It is empty for a moment, and an empty password would end a session."""
    with INotify() as notices:
        notices.add_watch(tmp_path, secrets._CHANGES)
        async with trio.open_nursery() as nursery:
            done = trio.CancelScope()
            nursery.start_soon(secrets._wait_for_quiet, notices, done)
            for _ in range(moves):
                (tmp_path / "tor").write_bytes(b"")
                await trio.testing.wait_all_tasks_blocked()
                if mock_clock.current_time() < secrets.QUIET_SECONDS_MAX:
                    assert not done.cancel_called
                mock_clock.jump(secrets.QUIET_SECONDS / 2)
                await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(secrets.QUIET_SECONDS if moves == 1 else 0)
            await trio.testing.wait_all_tasks_blocked()
            assert done.cancel_called


@pytest.mark.trio
async def test_the_audit_finds_what_nothing_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory itself is missing at first: nothing is there that could be watched."""
    monkeypatch.setattr(secrets, "AUDIT_SECONDS", 0.05)
    async with followed(tmp_path / "later", TOR) as (_, heard):
        assert await heard.content() is None
        deployed(tmp_path / "later", b"secret")
        assert await heard.content() == b"secret"


@pytest.mark.trio
async def test_a_host_without_inotify_has_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(secrets, "INotify", exhausted)
    monkeypatch.setattr(secrets, "AUDIT_SECONDS", 0.05)
    deployed(tmp_path, b"old")
    async with followed(tmp_path, TOR) as (_, heard):
        assert await heard.content() == b"old"
        deployed(tmp_path, b"new")
        assert await heard.content() == b"new"
