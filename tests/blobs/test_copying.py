"""Copying files from one store to another: whole, compared, and never half."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from broker.blobs import copying
from broker.blobs.base import Blob, Missing
from broker.blobs.copying import MISSING, copied, put_in_place
from broker.blobs.directory import Directory
from broker.blobs.memory import MemoryBlobs

ONE = Blob("acme", "f_0000000000000000")
DATA = bytes(range(256)) * 3


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Vanishing(MemoryBlobs):
    """A file is deleted after its first piece was read."""

    def read(self, blob: Blob, offset: int, most: int) -> bytes:
        if offset:
            self.delete(blob)
        return super().read(blob, offset, most)


@pytest.fixture
def target(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "copy")


def filled(store: MemoryBlobs) -> MemoryBlobs:
    store.append(ONE, 0, DATA)
    return store


def test_a_file_is_copied_in_pieces(target: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100)
    assert copied(filled(MemoryBlobs()), target, ONE, len(DATA), sha256(DATA)) is None
    assert target.read(ONE, 0, 10_000) == DATA


@pytest.mark.parametrize("erased", ["before", "meanwhile"])
def test_one_that_goes_leaves_nothing(erased: str, target: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100)
    source = MemoryBlobs() if erased == "before" else filled(Vanishing())
    assert copied(source, target, ONE, len(DATA), sha256(DATA)) == MISSING
    with pytest.raises(Missing):
        target.read(ONE, 0, 1)


def test_what_is_not_what_was_shared_is_said(target: Directory, tmp_path: Path) -> None:
    source = filled(MemoryBlobs())
    assert copied(source, target, ONE, len(DATA) + 1, sha256(DATA)) == f"{len(DATA)} bytes, not {len(DATA) + 1}"
    other = copied(source, Directory(tmp_path / "more"), ONE, len(DATA), sha256(b""))
    assert other == "its bytes aren't those that were shared"
    assert target.read(ONE, 0, 10_000) == DATA, "better than nothing"


def test_a_whole_folder_gets_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.partial").mkdir()
    put_in_place(tmp_path / "x.partial", tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
