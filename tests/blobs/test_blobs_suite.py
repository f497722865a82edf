"""What every store of files must do: one suite for all of them, and random steps that both must answer alike."""

# covers: broker/blobs/base.py
# covers: broker/blobs/directory.py
# covers: broker/blobs/memory.py

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.blobs.base import HEAD_BYTES, Behind, Blob, Blobs, Finished, Missing
from broker.blobs.directory import Directory
from broker.blobs.memory import MemoryBlobs

STORES: dict[str, Callable[[Path], Blobs]] = {"memory": lambda _: MemoryBlobs(), "directory": Directory}
ONE = Blob("acme", "f_0000000000000000")
OTHER = Blob("acme", "f_00zzzzzzzzzzzzzz")
FAR = Blob("acme", "f_zz00000000000000")
FOREIGN = Blob("globex", "f_0000000000000000")


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return STORES[request.param](tmp_path / "files")


def finished(data: bytes) -> Finished:
    return Finished(len(data), hashlib.sha256(data).digest(), data[:HEAD_BYTES])


def test_an_empty_store_knows_nothing(store: Blobs) -> None:
    assert store.size(ONE) == 0
    assert store.names("acme", "", 10) == []
    with pytest.raises(Missing):
        store.read(ONE, 0, 10)
    store.delete(ONE)


def test_bytes_come_back_as_they_were_appended(store: Blobs) -> None:
    assert store.append(ONE, 0, b"one ") == 4
    assert store.append(ONE, 4, b"two") == 7
    assert store.size(ONE) == 7
    assert store.read(ONE, 0, 100) == b"one two"
    assert store.read(ONE, 2, 3) == b"e t"
    assert store.read(ONE, 7, 10) == b""
    assert store.read(ONE, 70, 10) == b""
    assert store.finish(ONE, 7) == store.finish(ONE, 7) == finished(b"one two")


def test_the_same_bytes_twice_are_written_once(store: Blobs) -> None:
    store.append(ONE, 0, b"one ")
    for offset in (0, 3, 5):
        with pytest.raises(Behind) as told:
            store.append(ONE, offset, b"one ")
        assert told.value.size == 4
    assert store.read(ONE, 0, 100) == b"one "


def test_a_file_that_is_not_as_long_as_it_should_be_is_not_finished(store: Blobs) -> None:
    for size in (1, 3):
        with pytest.raises(Behind) as told:
            store.finish(FAR, size)
        assert told.value.size == 0
    store.append(FAR, 0, b"ab")
    for size in (1, 3):
        with pytest.raises(Behind) as told:
            store.finish(FAR, size)
        assert told.value.size == 2


def test_begin_makes_it_empty_whatever_was_there(store: Blobs) -> None:
    store.begin(ONE)
    assert (store.size(ONE), store.read(ONE, 0, 9)) == (0, b"")
    store.append(ONE, 0, b"rubbish")
    store.begin(ONE)
    assert (store.size(ONE), store.read(ONE, 0, 9)) == (0, b"")


def test_a_deleted_file_is_gone_and_the_others_are_not(store: Blobs) -> None:
    for blob in (ONE, OTHER, FOREIGN):
        store.append(blob, 0, blob.account.encode())
    store.delete(ONE)
    with pytest.raises(Missing):
        store.read(ONE, 0, 1)
    assert store.read(OTHER, 0, 9) == b"acme"
    assert store.read(FOREIGN, 0, 9) == b"globex"


def test_names_come_in_order_page_by_page_and_of_one_account(store: Blobs) -> None:
    for blob in (FAR, ONE, FOREIGN, OTHER):
        store.append(blob, 0, b"x")
    assert store.names("acme", "", 10) == [ONE.name, OTHER.name, FAR.name]
    assert store.names("acme", "", 1) == [ONE.name]
    assert store.names("acme", ONE.name, 1) == [OTHER.name]
    assert store.names("acme", OTHER.name, 9) == [FAR.name]
    assert store.names("acme", FAR.name, 9) == []
    assert store.names("globex", "", 9) == [FOREIGN.name]


def test_a_long_file_is_hashed_in_blocks(store: Blobs) -> None:
    data = bytes(range(256)) * 2500
    for at in range(0, len(data), 48 * 1024):
        store.append(ONE, at, data[at : at + 48 * 1024])
    assert store.finish(ONE, len(data)) == finished(data)


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ("acme", "../../etc/passwd"),
        ("acme", "f_000000000000000/"),
        ("acme", "f_0000000000000000\n"),
        ("acme", "f_00000000000000000"),
        ("acme", "holiday.png"),
        ("acme", ""),
        ("..", ONE.name),
        ("acme/..", ONE.name),
        ("", ONE.name),
    ],
)
def test_nothing_else_is_a_place_in_a_store(account: str, name: str) -> None:
    with pytest.raises(ValueError, match="this names no"):
        Blob(account, name)


# --- the directory ---------------------------------------------------------------------------------


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Directory(tmp_path / "files").append(ONE, 0, b"x")
    finally:
        os.umask(before)
    for path in [tmp_path / "files", *(tmp_path / "files").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert (tmp_path / "files" / "acme" / "00" / ONE.name).read_bytes() == b"x"


def test_what_the_broker_would_not_have_made_is_left_alone(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    store.append(ONE, 0, b"x")
    folder = tmp_path / "acme" / "00"
    for name in ("notes.txt", FAR.name, "f_short"):
        (folder / name).write_text("somebody's")
    (tmp_path / "acme" / "stray").write_text("somebody's")
    assert store.names("acme", "", 10) == [ONE.name]


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    store = Directory(tmp_path / "files")
    store.append(ONE, 0, b"x")
    store.delete(ONE)
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "files" / "acme" / "00" / ONE.name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        store.read(ONE, 0, 10)
    with pytest.raises(OSError, match="symbolic"):
        store.begin(ONE)
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_full_disk_leaves_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Directory(tmp_path)
    store.append(ONE, 0, b"kept ")
    write = os.pwrite

    def half(file: int, data: bytes, offset: int) -> int:
        if offset > 5:
            raise OSError(errno.ENOSPC, "the disk is full")
        return write(file, data[:2], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(OSError, match="full"):
        store.append(ONE, 5, b"lost")
    monkeypatch.undo()
    assert store.size(ONE) == 5
    store.append(ONE, 5, b"again")
    assert store.read(ONE, 0, 99) == b"kept again"


def test_a_short_write_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: write(file, data[:3], offset))
    store = Directory(tmp_path)
    store.append(ONE, 0, b"ten bytes!")
    assert store.read(ONE, 0, 99) == b"ten bytes!"


def test_finish_waits_for_the_file_and_every_folder_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Directory(tmp_path / "files")
    store.append(ONE, 0, b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}")))
    store.finish(ONE, 1)
    path = tmp_path / "files" / "acme" / "00" / ONE.name
    assert synced == [str(one) for one in (path, path.parent, path.parents[1], path.parents[2], tmp_path)]


def test_a_half_sent_file_goes_on_in_another_process_of_the_broker(tmp_path: Path) -> None:
    Directory(tmp_path).append(ONE, 0, b"before ")
    later = Directory(tmp_path)
    assert later.append(ONE, later.size(ONE), b"and after") == 16
    assert later.finish(ONE, 16) == finished(b"before and after")


# --- both beside a model ---------------------------------------------------------------------------

BLOBS = st.sampled_from([ONE, OTHER, FAR, FOREIGN])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), BLOBS, st.integers(0, 6), st.binary(max_size=4)),
        st.tuples(st.sampled_from(["begin", "size", "delete"]), BLOBS),
        st.tuples(st.just("finish"), BLOBS, st.integers(0, 6)),
        st.tuples(st.just("read"), BLOBS, st.integers(0, 6), st.integers(0, 4)),
        st.tuples(st.just("names"), st.sampled_from(["acme", "globex"]), st.sampled_from(["", ONE.name]), st.just(2)),
    ),
    max_size=20,
)
Step = tuple[object, ...]


def outcome(store: Blobs, step: Step) -> object:
    name, *args = step
    try:
        return getattr(store, str(name))(*args)
    except Behind as behind:
        return ("behind", behind.size)
    except Missing:
        return "missing"


class Careless(MemoryBlobs):
    """Writes wherever it is told to."""

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        self.files.setdefault(blob, bytearray()).extend(data)
        return len(self.files[blob])


def differs(steps: list[Step], other: Blobs) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        store = Directory(Path(folder) / "files")
        return any(outcome(store, step) != outcome(other, step) for step in steps)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_the_directory_does_what_the_memory_does(steps: list[Step]) -> None:
    assert not differs(steps, MemoryBlobs())


def test_a_store_that_is_careless_about_offsets_would_be_noticed() -> None:
    assert differs([("append", ONE, 0, b"ab"), ("append", ONE, 0, b"ab")], Careless())
