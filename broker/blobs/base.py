"""The store of files: bytes under a name, written from the front to the end. Everything here may block.

What a file is, whose, and whether it was ever finished is the journal's to say; a store knows bytes. Nothing is renamed
when a file is finished: so a crash between its last byte and the journal's commit leaves nothing that has to be mended.
The counterpart is ``keeper``, which calls a store in threads of its own.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import attrs

from broker.ids import SLUG

NAME: Final = re.compile(r"f_[0-9a-z]{16}")
"""What the broker calls files. What a person calls one is never a name in here."""
HEAD_BYTES: Final = 512
"""Of a finished file, told for a look at what kind it is."""
BLOCK_BYTES: Final = 256 * 1024
"""Read at once while a file is hashed: enough that the disk isn't asked for trifles."""


@attrs.frozen
class Blob:
    """One file's place in a store."""

    account: str = attrs.field()
    name: str = attrs.field()

    @account.validator
    def _is_account(self, _: object, value: str) -> None:
        if SLUG.fullmatch(value) is None:
            raise ValueError("this names no account")

    @name.validator
    def _is_file(self, _: object, value: str) -> None:
        if NAME.fullmatch(value) is None:
            raise ValueError("this names no file")


@attrs.frozen
class Finished:
    """What lies in the store for good."""

    size: int
    sha256: bytes
    head: bytes = attrs.field(repr=False)


class Behind(Exception):
    """The store isn't where the caller thinks: it has ``size`` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are here")
        self.size = size


class Missing(Exception):
    """There is no such file."""


class Blobs(Protocol):
    """A store. Calls for one file come one after the other, those for several at the same time. An ``OSError`` says
    that the disk doesn't do it; then nothing was acknowledged, and the file is as long as ``size`` says."""

    def begin(self, blob: Blob) -> None:
        """An empty file, whatever was there."""

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        """Write this at the end; the size then. A file that isn't there is empty. Raises ``Behind`` where the end is
        elsewhere: so the same bytes twice are written once. They needn't survive a crash of the machine yet."""

    def size(self, blob: Blob) -> int:
        """How many bytes are there; 0 of a file that isn't."""

    def finish(self, blob: Blob, size: int) -> Finished:
        """Bring what is there to the disk, and read it back for its hash. Raises ``Behind`` where it isn't ``size``
        bytes long. Does the same again if it is asked again."""

    def read(self, blob: Blob, offset: int, most: int) -> bytes:
        """Up to so many bytes from there; none past the end. Raises ``Missing``."""

    def delete(self, blob: Blob) -> None:
        """Away with it; nothing to do where it isn't there."""

    def names(self, account: str, after: str, most: int) -> list[str]:
        """The first so many names of an account's files that come after this one, in order."""
