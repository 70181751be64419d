"""The directory in which an agent keeps what it must know without etcd."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from felixbgp.runtime.state_directory import (
    PRIVATE,
    PUBLIC,
    StateDirectory,
    StateDirectoryError,
    is_held,
    read,
    read_shown,
)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[StateDirectory]:
    held = StateDirectory.hold(tmp_path / "lib" / "felixbgp")
    yield held
    held.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_where_it_is_missing_and_held_by_one_alone(directory: StateDirectory) -> None:
    assert is_held(directory.path)
    assert is_held(directory.path)  # To ask changes nothing.
    with pytest.raises(StateDirectoryError, match="another agent uses it"):
        StateDirectory.hold(directory.path)


def test_who_asks_does_not_keep_the_next_from_holding_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    first = StateDirectory.hold(tmp_path)
    first.close()
    assert not is_held(tmp_path)
    StateDirectory.hold(tmp_path).close()


def test_a_place_where_no_directory_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirectoryError, match="file/state: Not a directory"):
        StateDirectory.hold(tmp_path / "file" / "state")


def test_a_lock_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateDirectoryError):
        StateDirectory.hold(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_replaced_as_a_whole_with_its_mode(directory: StateDirectory) -> None:
    # One that was left half written by somebody who was killed, and that all may read.
    left = directory.path / ".store.new"
    left.write_text("left behind, and longer than what comes")
    left.chmod(0o666)
    path = directory.path / "store"
    directory.write("store", [b"one, ", b"two"], mode=PRIVATE, lasting=True)
    assert (path.read_bytes(), mode_of(path)) == (b"one, two", 0o600)
    directory.write("status.json", [b"{}"], mode=PUBLIC, lasting=False)
    assert mode_of(directory.path / "status.json") == 0o644
    assert sorted(entry.name for entry in directory.path.iterdir()) == ["lock", "status.json", "store"]


def test_a_write_that_fails_leaves_what_was_there(directory: StateDirectory) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    directory.write("store", [b"whole"], mode=PRIVATE, lasting=True)
    with pytest.raises(StateDirectoryError, match="store: No space left on device"):
        directory.write("store", pieces(), mode=PRIVATE, lasting=True)
    assert (directory.path / "store").read_bytes() == b"whole"
    assert not (directory.path / ".store.new").exists()


def test_a_new_file_is_not_written_where_a_link_leads(directory: StateDirectory, tmp_path: Path) -> None:
    (directory.path / ".store.new").symlink_to(tmp_path / "victim")
    with pytest.raises(StateDirectoryError):
        directory.write("store", [b"x"], mode=PRIVATE, lasting=True)
    assert not (tmp_path / "victim").exists()


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path / "store", 10) is None
    assert read(tmp_path / "missing" / "store", 10) is None


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o620, "others may write it (-rw--w----"), (0o602, "others may write it (-rw-----w-")],
    ids=["group", "all"],
)
def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path, mode: int, reason: str) -> None:
    path = tmp_path / "store"
    path.write_text("x")
    path.chmod(mode)
    with pytest.raises(StateDirectoryError) as error:
        read(path, 10)
    assert reason in str(error.value)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("x")
    os.chown(path, 65534, 65534)
    with pytest.raises(StateDirectoryError, match="owner 65534"):
        read(path, 10)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_is_only_shown_may_be_of_whom_its_directory_belongs_to(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text("x")
    os.chown(path, 65534, 65534)
    with pytest.raises(StateDirectoryError, match="owner 65534"):
        read_shown(path, 10)
    os.chown(tmp_path, 65534, 65534)
    assert read_shown(path, 10) == b"x"
    with pytest.raises(StateDirectoryError, match="owner 65534"):
        read(path, 10)
    tmp_path.chmod(0o777)
    with pytest.raises(StateDirectoryError, match="owner 65534"):
        read_shown(path, 10)


def test_what_is_only_shown_may_be_missing_with_its_directory(tmp_path: Path) -> None:
    assert read_shown(tmp_path / "away" / "status.json", 10) is None


def test_what_is_no_file_and_what_is_too_long_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StateDirectoryError, match="pipe: it is not a regular file"):
        read(tmp_path / "pipe", 10)
    (tmp_path / "long").write_text("x" * 11)
    with pytest.raises(StateDirectoryError, match="long: it is longer than 10 octets"):
        read(tmp_path / "long", 10)
    (tmp_path / "link").symlink_to(tmp_path / "long")
    with pytest.raises(StateDirectoryError):
        read(tmp_path / "link", 20)
