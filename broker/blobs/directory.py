"""A store of files in a folder: ``<account>/<two characters>/<file>``, each of its owner alone (0600 in 0700).

The two characters are the first of the file's token, so that no folder gets large and names can be listed in order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from broker.blobs.base import BLOCK_BYTES, HEAD_BYTES, NAME, Behind, Blob, Finished, Missing

_PREFIX: Final = slice(2, 4)  # of f_<token>
_FLAGS: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Directory:
    """See ``Blobs``."""

    def __init__(self, root: Path) -> None:
        """``root`` is made when the first file is."""
        self._root = root

    def begin(self, blob: Blob) -> None:
        """See ``Blobs``."""
        with self._open(blob, os.O_CREAT | os.O_TRUNC):
            pass

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        """See ``Blobs``."""
        if offset != self.size(blob):
            raise Behind(self.size(blob))
        with self._open(blob, os.O_CREAT) as file:
            try:
                self._write(file, offset, data)
            except OSError:
                with suppress(OSError):  # the disk is full, or worse: what was half written doesn't count
                    os.ftruncate(file, offset)
                raise
        return offset + len(data)

    @staticmethod
    def _write(file: int, offset: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(file, rest, offset)
            rest, offset = rest[written:], offset + written

    def size(self, blob: Blob) -> int:
        """See ``Blobs``."""
        try:
            return self._path(blob).lstat().st_size
        except FileNotFoundError:
            return 0

    def finish(self, blob: Blob, size: int) -> Finished:
        """See ``Blobs``."""
        found = self.size(blob)
        if found != size:
            raise Behind(found)
        with self._open(blob, os.O_CREAT) as file:
            os.fsync(file)
            digest, at, head = hashlib.sha256(), 0, b""
            while block := os.pread(file, BLOCK_BYTES, at):
                digest.update(block)
                head, at = head or block[:HEAD_BYTES], at + len(block)
        # a folder's entry is as lasting as the folder: all of them, up to the one that holds the root
        for folder in list(self._path(blob).parents)[:4]:
            _sync(folder)
        return Finished(at, digest.digest(), head)

    def read(self, blob: Blob, offset: int, most: int) -> bytes:
        """See ``Blobs``."""
        try:
            with self._open(blob, 0) as file:
                return os.pread(file, most, offset)
        except FileNotFoundError:
            raise Missing from None

    def delete(self, blob: Blob) -> None:
        """See ``Blobs``."""
        with suppress(FileNotFoundError):
            self._path(blob).unlink()

    def names(self, account: str, after: str, most: int) -> list[str]:
        """See ``Blobs``. What the broker wouldn't have made is passed over, and left alone."""
        found: list[str] = []
        for folder in _listed(self._root / account):
            if folder >= after[_PREFIX]:
                entries = _listed(self._root / account / folder)
                found += [name for name in entries if NAME.fullmatch(name) and name[_PREFIX] == folder and name > after]
            if len(found) >= most:
                break
        return found[:most]

    def _path(self, blob: Blob) -> Path:
        return self._root / blob.account / blob.name[_PREFIX] / blob.name

    @contextmanager
    def _open(self, blob: Blob, flags: int) -> Iterator[int]:
        path = self._path(blob)
        if flags & os.O_CREAT:
            for folder in (self._root, path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
        file = os.open(path, _FLAGS | flags, 0o600)
        try:
            yield file
        finally:
            os.close(file)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
