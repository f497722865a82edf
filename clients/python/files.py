"""Files of a session: sent from a path and saved to one, in pieces, across cuts and restarts of the broker.

Nothing is read or held whole. Both ends hash: what isn't what was sent is never taken for it.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
from pathlib import Path
from typing import Final

import attrs
import trio

from broker.content import Personal
from broker.limits import FILE_CHUNK
from broker.protocol import ops
from clients.python.commands import LIST, TEXT, read
from clients.python.errors import HuntgroupError, Refused, WrongState
from clients.python.role import Role

WINDOW: Final = 4  # chunks under way at once: a broker 50 ms away takes 4 MiB a second
ROUNDS: Final = 8  # times that an upload may be set back without getting further
BLOCK: Final = 1024 * 1024  # read at once for the hash


class DamagedError(HuntgroupError):
    """A file that was saved isn't the one that was shared; what came is thrown away."""


@attrs.frozen(kw_only=True)
class SharedFile:
    """A file of a session."""

    file: str
    name: str = attrs.field(metadata={TEXT: True})
    """As its sender calls it. It is no path."""
    size: int
    type: str
    state: str
    """shared, or uploading: one's own, on its way."""
    role: str
    """Who sent it: customer or representative."""
    by: str | None
    """Which representative."""
    sha256: str | None
    message_seq: int | None


@attrs.frozen
class _Listed:
    files: tuple[SharedFile, ...] = attrs.field(metadata={LIST: SharedFile})


@attrs.frozen
class Sent:
    """A file that is shared."""

    file: str
    message_seq: int


@attrs.frozen
class Begun:
    """An upload."""

    file: str
    offset: int
    """Where its next piece begins."""
    chunk_bytes: int
    """At most in one piece."""


@attrs.frozen(kw_only=True)
class Piece:
    """Some bytes of a shared file, and what the whole is."""

    data: bytes = attrs.field(repr=False)
    size: int
    type: str
    sha256: str


@attrs.frozen
class FileReader(Role):
    """What everybody can ask who reads a session, or its transcript."""

    async def files(self, session: str) -> tuple[SharedFile, ...]:
        """Its files in the order in which they were shared, and one's own uploads on their way."""
        return read(_Listed, (await self.request(ops.FileList(session))).value).files

    async def read_file(self, file: str, offset: int = 0) -> Piece:
        """Bytes of a shared file from there on; none at its end."""
        return read(Piece, (await self.request(ops.FileGet(file, offset))).value)

    async def save_file(self, file: str, path: str | Path) -> int:
        """Save a shared file; its size. What an earlier try has left beside it (``….part``) is gone on with.
        ``DamagedError`` where it isn't what was shared."""
        target = trio.Path(path)
        part = target.with_name(f"{target.name}.part")
        have = (await part.stat()).st_size if await part.exists() else 0
        while True:
            told = await self.read_file(file, have)
            if have >= told.size:
                break
            await trio.to_thread.run_sync(_write, str(part), have, told.data)
            have += len(told.data)
        size, digest = await trio.to_thread.run_sync(_measure, str(part))
        if (size, digest) != (told.size, told.sha256):
            await part.unlink()
            raise DamagedError(f"{file}: what came is not what was shared")
        await part.replace(target)
        return size


@attrs.frozen
class FileSender(FileReader):
    """What everybody can ask who takes part in a session."""

    async def begin_file(self, session: str, name: str, size: int, type_: str, *, sha256: str | None = None) -> Begun:
        """Announce a file. ``send_file`` does all of it."""
        command = ops.FileBegin(session, Personal(name), size, type_, sha256)
        return read(Begun, (await self.request(command)).value)

    async def send_piece(self, file: str, offset: int, data: bytes) -> int:
        """The next bytes of it; where those after them begin. ``WrongState.offset`` where the end is elsewhere."""
        reached: int = (await self.request(ops.FileChunk(file, offset, data)))["offset"]
        return reached

    async def finish_file(self, file: str, sha256: str) -> Sent:
        """All bytes are there: share it. ``BadArgs`` where they aren't what was announced: it begins anew then."""
        return read(Sent, (await self.request(ops.FileFinish(file, sha256))).value)

    async def send_file(
        self, session: str, path: str | Path, *, name: str | None = None, type_: str | None = None
    ) -> Sent:
        """Send a file and wait until it is shared. ``name``: what the others see, ``type_``: its media type; by default
        as the path has them. ``NotAllowed`` where files may not be sent, ``TooLarge``, ``Quota``, and ``BadArgs`` for a
        name or type that the portal doesn't take, or bytes that aren't of that type. Who is cancelled here can go on
        within the hour: the same call sends only what is missing, if no other has begun meanwhile."""
        source = Path(path)
        size, digest = await trio.to_thread.run_sync(_measure, str(source))
        kind = type_ or mimetypes.guess_type(source.name)[0] or "application/octet-stream"
        file, offset = await self._begun(session, name or source.name, size, kind, digest)
        for _ in range(ROUNDS):
            reached = await self._send(file, source, offset, size)
            if reached >= size:
                try:
                    return await self.finish_file(file, digest)
                except WrongState as told:
                    if told.offset is None:
                        raise
                    reached = told.offset
            offset = reached
        raise WrongState(2410, f"{file} gets no further than {offset} of {size} bytes", op=ops.FileChunk.OP)

    async def cancel_file(self, file: str) -> None:
        """Give up an upload of one's own."""
        await self.request(ops.FileCancel(file))

    async def _begun(self, session: str, name: str, size: int, kind: str, digest: str) -> tuple[str, int]:
        """A file on its way, an earlier one of the same bytes if there is one; and how far that is, as far as it is
        known: else the first piece will tell."""
        announced = (name, size, kind, digest)
        for one in await self.files(session):
            if one.state == "uploading" and (one.name, one.size, one.type, one.sha256) == announced:
                return one.file, 0
        begun = await self.begin_file(session, name, size, kind, sha256=digest)
        return begun.file, begun.offset

    async def _send(self, file: str, source: Path, offset: int, size: int) -> int:
        """Send from there to the end; where the broker says that the upload is."""
        reached, failed = [offset], list[Refused]()
        free = trio.Semaphore(WINDOW)

        async def one(at: int, data: bytes, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()  # it is asked before the next one is read: they go out in their order
            try:
                reached.append(await self.send_piece(file, at, data))
            except Refused as told:
                if isinstance(told, WrongState) and told.offset is not None:
                    reached.append(told.offset)
                else:
                    failed.append(told)
            finally:
                free.release()

        async with trio.open_nursery() as nursery:
            at = offset
            while at < size and not failed:
                await free.acquire()
                data = await trio.to_thread.run_sync(_piece, str(source), at)
                if not data:
                    break  # it has become shorter: the hash will tell
                await nursery.start(one, at, data)
                at += len(data)
        if failed:
            raise failed[0]
        return max(reached)


def _measure(path: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _piece(path: str, at: int) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(at)
        return file.read(FILE_CHUNK)


def _write(path: str, at: int, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        file.seek(at)
        file.write(data)
