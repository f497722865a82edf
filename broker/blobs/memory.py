"""A store of files that is gone with its process: for tests, and for a broker whose journal is in memory as well."""

from __future__ import annotations

import hashlib

import attrs

from broker.blobs.base import HEAD_BYTES, Behind, Blob, Finished, Missing


@attrs.define(eq=False)
class MemoryBlobs:
    """See ``Blobs``."""

    files: dict[Blob, bytearray] = attrs.field(factory=dict, repr=False)

    def begin(self, blob: Blob) -> None:
        """See ``Blobs``."""
        self.files[blob] = bytearray()

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        """See ``Blobs``."""
        if offset != self.size(blob):
            raise Behind(self.size(blob))
        self.files.setdefault(blob, bytearray()).extend(data)
        return offset + len(data)

    def size(self, blob: Blob) -> int:
        """See ``Blobs``."""
        return len(self.files.get(blob, b""))

    def finish(self, blob: Blob, size: int) -> Finished:
        """See ``Blobs``."""
        if size != self.size(blob):
            raise Behind(self.size(blob))
        data = bytes(self.files.setdefault(blob, bytearray()))
        return Finished(size, hashlib.sha256(data).digest(), data[:HEAD_BYTES])

    def read(self, blob: Blob, offset: int, most: int) -> bytes:
        """See ``Blobs``."""
        if blob not in self.files:
            raise Missing
        return bytes(self.files[blob][offset : offset + most])

    def delete(self, blob: Blob) -> None:
        """See ``Blobs``."""
        self.files.pop(blob, None)

    def names(self, account: str, after: str, most: int) -> list[str]:
        """See ``Blobs``."""
        return sorted(blob.name for blob in self.files if blob.account == account and blob.name > after)[:most]
