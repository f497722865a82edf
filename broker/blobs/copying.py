"""Copies files of one store to another, a piece at a time, and looks whether each is what the journal says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from broker.blobs.base import BLOCK_BYTES, Blob, Blobs, Missing

MISSING: Final = "it isn't there"


def copied(source: Blobs, target: Blobs, blob: Blob, size: int, sha256: str) -> str | None:
    """Copy a finished file and bring the copy to the disk; None once it is there, else what is wrong with it. One that
    isn't there leaves nothing; one that isn't what it was is copied as it is. Raises OSError."""
    offset = 0
    try:
        while data := source.read(blob, offset, BLOCK_BYTES):
            offset = target.append(blob, offset, data)
    except Missing:
        target.delete(blob)
        return MISSING
    found = target.finish(blob, offset)
    if found.size != size:
        return f"{found.size} bytes, not {size}"
    return None if found.sha256.hex() == sha256 else "its bytes aren't those that were shared"


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a folder that is whole its name, for good."""
    partial.rename(folder)
    opened = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
