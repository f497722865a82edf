"""Files through the hub: sent in pieces across cuts and restarts, shared once they are on disk, bounded in memory."""

# covers: broker/runtime/files.py

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.blobs.base import Blob, Blobs, Finished
from broker.blobs.directory import Directory
from broker.blobs.keeper import InlineKeeper, Job, Result
from broker.blobs.memory import MemoryBlobs
from broker.codes import Close, Code
from broker.journal.memory import MemoryStore
from broker.limits import FILE_CHUNK, FILE_JOBS_BYTES, UPLOAD_LIFE
from broker.protocol import frames
from broker.protocol.codec import unpack_value
from broker.runtime.options import Options
from broker.runtime.texts import refs
from tests.runtime.harness import Broker, Client, Ended, Refused, broker

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
"""Three chunks long."""
UNBOUND = Options(file_rate=(10**9, 10**9))


class Held(InlineKeeper):
    """A disk that can be made to hang."""

    held = False

    def poll(self) -> list[tuple[int, Result]]:
        return [] if self.held else super().poll()


class Full(MemoryBlobs):
    """A disk that can be full."""

    full = False

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        if self.full:
            raise OSError(28, "no space left")
        return super().append(blob, offset, data)

    def finish(self, blob: Blob, size: int) -> Finished:
        if self.full:
            raise OSError(5, "input/output error")
        return super().finish(blob, size)


async def talking(b: Broker, *, fresh: bool = True) -> tuple[Client, Client, str]:
    """Ann and joe in a session of a portal where files may be sent; its id."""
    boss = await b.staff("boss", "manager")
    how: dict[str, Any] = {"kind": "button", "mode": "queue", "subportals": ["help-1"]}
    await boss.write("portal.put", portal="help", functions={"file_transfer": True}, **how)
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    await joe.write("request.create", text="it is broken")
    offer = (await ann.event("offer.made")).data["offer"]
    session = str((await ann.write("offer.accept", offer=offer))["session"])
    for client in (ann, joe):
        await client.ask("subscribe", stream=f"session:{session}", from_="now")
    return ann, joe, session


async def begin(client: Client, session: str, data: bytes = PNG, key: str = "begin", **as_: Any) -> dict[str, Any]:
    args = {"name": "scan.png", "type": "image/png", "size": len(data), **as_}
    return await client.ask("file.begin", key, session=session, **args)


async def send(client: Client, file: str, data: bytes = PNG, start: int = 0, stop: int | None = None) -> int:
    """Chunks from ``start`` on; where the next one begins."""
    offset = start
    while offset < (len(data) if stop is None else stop):
        part = data[offset : offset + FILE_CHUNK]
        offset = (await client.ask("file.chunk", file=file, offset=offset, data=part))["offset"]
    return offset


async def finish(client: Client, file: str, data: bytes = PNG, key: str = "finish") -> dict[str, Any]:
    return await client.ask("file.finish", key, file=file, sha256=hashlib.sha256(data).hexdigest())


async def fetch(client: Client, file: str) -> bytes:
    got, size = b"", 1
    while len(got) < size:
        value = await client.ask("file.get", file=file, offset=len(got))
        got, size = got + value["data"], value["size"]
    return got


async def refused(asked: Any) -> frames.Fail:
    with pytest.raises(Refused) as caught:
        await asked
    return caught.value.fail


# --- there and back --------------------------------------------------------------------------------


async def test_a_file_is_sent_in_pieces_shared_and_read(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        assert await send(joe, file) == len(PNG)
        assert (await finish(joe, file))["message_seq"] == 1
        for client in (ann, joe):
            told = (await client.event("file.shared")).data
            assert (told["name"], told["size"], told["role"]) == ("scan.png", len(PNG), "customer")
            assert told["sha256"] == hashlib.sha256(PNG).hexdigest()
            assert await fetch(client, file) == PNG
            (one,) = (await client.ask("file.list", session=session))["files"]
            assert (one["name"], one["state"], one["message_seq"]) == ("scan.png", "shared", 1)
        end = await ann.ask("file.get", file=file, offset=len(PNG))
        assert (end["data"], end["size"]) == (b"", len(PNG))
        told_of = b.hub.files.statistics()
        assert (told_of.shared, told_of.bytes_in, told_of.bytes_out) == (1, len(PNG), 2 * len(PNG))


async def test_a_manager_gets_a_file_and_is_in_the_audit_once_and_nowhere_else(autojump_clock: MockClock) -> None:
    async with broker(options=UNBOUND) as b:
        ann, joe, session = await talking(b)
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="audit", from_="now")
        files = []
        for key in ("one", "two"):
            file = (await begin(joe, session, key=key))["file"]
            await send(joe, file)
            await finish(joe, file, key=f"end {key}")
            files.append(file)
        for client in (ann, joe):
            client.pump()
        for file in files:
            assert await fetch(boss, file) == PNG
        assert [one["name"] for one in (await boss.ask("file.list", session=session))["files"]] == ["scan.png"] * 2
        for reader in (ann, joe):
            assert await fetch(reader, files[0]) == PNG
        await b.settle(1)
        audited = [one.data for one in boss.pump() if isinstance(one, frames.Event) and one.type == "audit.recorded"]
        assert [(one["op"], one["object"], one["person"]) for one in audited] == [
            ("file.get", files[0], "boss"),
            ("file.get", files[1], "boss"),
            ("file.list", session, "boss"),
        ]
        told = [one for client in (ann, joe) for one in client.pump() if isinstance(one, frames.Event)]
        assert told == []


async def test_an_upload_on_its_way_is_listed_with_its_name(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await talking(b)
        assert (await joe.ask("file.list", session=session))["files"] == []
        await begin(joe, session)
        (one,) = (await joe.ask("file.list", session=session))["files"]
        assert (one["name"], one["state"]) == ("scan.png", "uploading")


async def test_several_chunks_may_be_under_way(autojump_clock: MockClock) -> None:
    keeper = Held(MemoryBlobs())
    async with broker(keeper=keeper) as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        offsets, asked = range(0, len(PNG), FILE_CHUNK), []
        keeper.held = True
        for at in offsets:
            asked.append(joe.ask_nowait("file.chunk", file=file, offset=at, data=PNG[at : at + FILE_CHUNK]))
            await b.settle()
        keeper.held = False
        b.transport.wake()
        ends = [(await joe.answer(number)).value["offset"] for number in asked]  # type: ignore[index]
        assert ends == [min(at + FILE_CHUNK, len(PNG)) for at in offsets]
        await finish(joe, file)


async def test_the_same_chunk_twice_is_stored_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file, stop=1)
        for offset in (0, 7, FILE_CHUNK + 1):
            fail = await refused(joe.ask("file.chunk", file=file, offset=offset, data=PNG[offset : offset + 10]))
            assert (fail.code, (fail.detail or {})["offset"]) == (Code.WRONG_STATE, FILE_CHUNK)
        assert await send(joe, file, start=FILE_CHUNK) == len(PNG)
        await finish(joe, file)


async def test_after_a_cut_it_goes_on_where_it_was(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await talking(b)
        assert joe.welcome is not None
        visitor = str(joe.welcome.identity["visitor"])
        first = await begin(joe, session)
        await send(joe, first["file"], stop=1)
        joe.cut()
        back = await b.customer(visitor=visitor)
        again = await begin(back, session)
        assert again == {**first, "offset": FILE_CHUNK, "replayed": True}
        await send(back, first["file"], start=again["offset"])
        assert (await finish(back, first["file"]))["message_seq"] == 1
        assert (await finish(back, first["file"]))["replayed"]


async def test_an_upload_survives_a_restart_of_the_broker(autojump_clock: MockClock, tmp_path: Path) -> None:
    store = MemoryStore()
    async with broker(store=store, keeper=InlineKeeper(Directory(tmp_path))) as b:
        _, joe, session = await talking(b)
        assert joe.welcome is not None
        visitor = str(joe.welcome.identity["visitor"])
        file = (await begin(joe, session))["file"]
        await send(joe, file, stop=1)
    async with broker(store=store, keeper=InlineKeeper(Directory(tmp_path)), furnished=False) as b:
        back = await b.customer(visitor=visitor)
        assert (await begin(back, session))["offset"] == FILE_CHUNK
        await send(back, file, start=FILE_CHUNK)
        await finish(back, file)
        ann = await b.staff("ann")
        assert await fetch(ann, file) == PNG
        (one,) = (await ann.ask("file.list", session=session))["files"]
        assert one["name"] == "scan.png"


# --- nothing is told too early ---------------------------------------------------------------------


async def test_nothing_is_shared_before_its_bytes_are_on_the_disk(autojump_clock: MockClock) -> None:
    keeper = Held(MemoryBlobs())
    async with broker(keeper=keeper) as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        ann.pump()
        keeper.held = True
        number = joe.ask_nowait("file.finish", "finish", file=file, sha256=hashlib.sha256(PNG).hexdigest())
        await b.settle()
        assert (ann.pump(), joe.pump()) == ([], [])
        assert b.hub.accounts["acme"].desk.state.files[file].until is not None
        fail = await refused(finish(joe, file, key="impatient"))
        assert (fail.code, fail.retry_ms) == (Code.OVERLOADED, 200)
        keeper.held = False
        b.transport.wake()
        await joe.answer(number)
        await ann.event("file.shared")


async def test_nothing_is_told_as_shared_before_its_record_is_on_the_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        ann.pump()
        b.journal.hold()
        number = joe.ask_nowait("file.finish", "finish", file=file, sha256=hashlib.sha256(PNG).hexdigest())
        await b.settle()
        assert (ann.pump(), joe.pump()) == ([], [])
        b.journal.release()
        await joe.answer(number)
        await ann.event("file.shared")


async def test_a_commit_that_fails_loses_no_byte(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        b.journal.fail_next()
        fail = await refused(joe.ask("file.cancel", "cancel", file=file))
        assert fail.code == Code.JOURNAL_DOWN
        await b.settle(10)
        await finish(joe, file)
        assert await fetch(joe, file) == PNG


async def test_a_session_that_ends_while_the_disk_is_asked_shares_nothing(autojump_clock: MockClock) -> None:
    blobs = MemoryBlobs()
    keeper = Held(blobs)
    async with broker(keeper=keeper) as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        keeper.held = True
        number = joe.ask_nowait("file.finish", "finish", file=file, sha256=hashlib.sha256(PNG).hexdigest())
        await b.settle()
        await ann.write("session.end", session=session)
        keeper.held = False
        b.transport.wake()
        fail = await refused(joe.answer(number))
        assert fail.code == Code.NO_SUCH
        await b.settle()
        assert not blobs.files


async def test_a_repeat_is_answered_where_too_much_waits_for_the_disk(autojump_clock: MockClock) -> None:
    keeper = Held(MemoryBlobs(), most=1)
    async with broker(keeper=keeper) as b:
        _, joe, session = await talking(b)
        first = await begin(joe, session)
        keeper.held = True
        joe.ask_nowait("file.chunk", file=first["file"], offset=0, data=PNG[:9])
        await b.settle()
        assert await begin(joe, session) == {**first, "replayed": True}
        assert (await refused(finish(joe, first["file"]))).code == Code.OVERLOADED


# --- what isn't as it was announced ----------------------------------------------------------------


async def test_another_hash_begins_anew(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file, PNG[:-1] + b"?")
        fail = await refused(finish(joe, file))
        assert (fail.code, (fail.detail or {})["path"]) == (Code.BAD_ARGS, "args.sha256")
        fail = await refused(joe.ask("file.chunk", file=file, offset=FILE_CHUNK, data=b"x"))
        assert (fail.detail or {})["offset"] == 0
        await send(joe, file)
        await finish(joe, file, key="again")
        assert await fetch(ann, file) == PNG
        assert b.hub.files.statistics().rejected == 1


async def test_a_file_that_says_it_is_a_picture_and_is_none_is_refused(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, session = await talking(b)
        program = b"MZ" + PNG[2:]
        file = (await begin(joe, session))["file"]
        await send(joe, file, program)
        fail = await refused(finish(joe, file, program))
        assert (fail.code, (fail.detail or {})["path"]) == (Code.BAD_ARGS, "args.file")
        fail = await refused(finish(joe, file, program, key="again"))
        assert (fail.code, (fail.detail or {})["offset"]) == (Code.WRONG_STATE, 0)
        told = [frame.type for frame in ann.pump() if isinstance(frame, frames.Event)]
        assert "file.shared" not in told


async def test_an_unfinished_file_is_not_finished(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file, stop=1)
        fail = await refused(finish(joe, file))
        assert (fail.code, (fail.detail or {})["offset"]) == (Code.WRONG_STATE, FILE_CHUNK)
        await send(joe, file, start=FILE_CHUNK)
        await finish(joe, file)


async def test_what_the_desk_refuses_no_disk_hears_of(autojump_clock: MockClock) -> None:
    keeper = InlineKeeper(MemoryBlobs())
    async with broker(keeper=keeper) as b:
        ann, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        before = keeper.statistics().done
        assert (await refused(begin(joe, session, key="b", name="../../x"))).code == Code.BAD_ARGS
        assert (await refused(ann.ask("file.chunk", file=file, offset=0, data=b"x"))).code == Code.NO_SUCH
        assert (await refused(finish(ann, file))).code == Code.NO_SUCH
        assert (await refused(ann.ask("file.get", file=file, offset=0))).code == Code.WRONG_STATE
        assert (await refused(ann.ask("file.list", session="s_none"))).code == Code.NO_SUCH
        assert keeper.statistics().done == before


# --- the end of files ------------------------------------------------------------------------------


async def test_bytes_go_with_the_commit_that_ends_them_and_not_before(autojump_clock: MockClock) -> None:
    blobs = MemoryBlobs()
    async with broker(keeper=InlineKeeper(blobs)) as b:
        _, joe, session = await talking(b)
        await joe.ask("subscribe", stream="me", from_="now")
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        b.journal.hold()
        number = joe.ask_nowait("file.cancel", "cancel", file=file)
        await b.settle()
        assert blobs.files
        b.journal.release()
        await joe.answer(number)
        await b.settle()
        assert not blobs.files
        assert (await joe.event("file.ended")).data["reason"] == "cancelled"


def on_disk(folder: Path) -> list[Path]:
    """The files that lie there."""
    return [path for path in folder.rglob("f_*") if path.is_file()]


async def test_erasing_a_case_leaves_no_byte_and_no_name_of_its_files(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with broker(keeper=InlineKeeper(Directory(tmp_path))) as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session, name="my secret diary.png"))["file"]
        await send(joe, file)
        await finish(joe, file)
        await joe.write("session.end", session=session)
        boss = await b.staff("boss", "manager")
        assert on_disk(tmp_path)
        b.journal.hold()
        number = boss.ask_nowait("case.delete", "erase", case=f"k_{session[2:]}")
        await b.settle()
        assert on_disk(tmp_path), "not before it is on disk"
        b.journal.release()
        await boss.answer(number)
        await b.settle()
        assert not on_disk(tmp_path)
        assert (await refused(joe.ask("file.get", file=file, offset=0))).code == Code.NO_SUCH
        records = b.store.records("acme", 0, 10_000)
        named = [record for record in records if record.type in ("file.begun", "file.shared")]
        assert len(named) == 2
        contents = [ref for record in named for ref in refs(unpack_value(record.body))]
        assert b.store.contents("acme", contents) == {}
        b.store.verify("acme")


@pytest.mark.slow
async def test_an_upload_nobody_goes_on_with_is_removed(autojump_clock: MockClock) -> None:
    blobs = MemoryBlobs()
    async with broker(keeper=InlineKeeper(blobs)) as b:
        ann, _, session = await talking(b)
        await send(ann, (await begin(ann, session))["file"], stop=1)
        with trio.move_on_after(UPLOAD_LIFE / 1000 + 1):
            while True:  # she stays, and so answers the broker's pings
                await ann.next()
        assert not blobs.files
        assert not b.hub.accounts["acme"].desk.state.files


async def test_at_the_start_the_store_is_compared_with_the_journal(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, blobs = MemoryStore(), MemoryBlobs()
    async with broker(store=store, keeper=InlineKeeper(blobs)) as b:
        _, joe, session = await talking(b)
        kept = [(await begin(joe, session, key=f"b{n}"))["file"] for n in range(4)]
        for number, file in enumerate(kept):
            await send(joe, file, stop=None if number < 3 else 1)
        for number, file in enumerate(kept[:3]):
            await finish(joe, file, key=f"f{number}")
        visitor = str(joe.welcome.identity["visitor"])  # type: ignore[union-attr]
    strangers = [Blob("acme", f"f_{letter * 16}") for letter in "06cz"]
    for stranger in strangers:
        blobs.append(stranger, 0, b"whose?")
    foreign = Blob("globex", strangers[0].name)
    blobs.append(foreign, 0, b"not served here")
    blobs.delete(Blob("acme", kept[1]))
    monkeypatch.setattr("broker.runtime.files.PAGE", 2)
    async with broker(store=store, keeper=InlineKeeper(blobs), furnished=False) as b:
        await b.settle(2)
        assert set(blobs.files) == {Blob("acme", kept[0]), Blob("acme", kept[2]), Blob("acme", kept[3]), foreign}
        assert ("error", "files.missing", {"account": "acme", "file": kept[1]}) in b.lines
        told = b.hub.files.statistics()
        assert (told.removed, told.missing) == (4, 1)
        back = await b.customer(visitor=visitor)
        assert (await refused(back.ask("file.get", file=kept[1], offset=0))).code == Code.NO_SUCH
        assert await fetch(back, kept[0]) == PNG
        assert (await begin(back, session, key="b3"))["offset"] == FILE_CHUNK


async def test_a_file_that_was_cut_short_on_the_disk_reads_as_missing(autojump_clock: MockClock) -> None:
    blobs = MemoryBlobs()
    async with broker(keeper=InlineKeeper(blobs)) as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file)
        await finish(joe, file)
        del blobs.files[Blob("acme", file)][100:]
        assert (await refused(joe.ask("file.get", file=file, offset=0))).code == Code.NO_SUCH
        assert b.hub.files.statistics().missing == 1


async def test_a_store_that_can_not_be_listed_is_asked_again(autojump_clock: MockClock) -> None:
    class Shy(MemoryBlobs):
        asked = 0

        def names(self, account: str, after: str, most: int) -> list[str]:
            self.asked += 1
            if self.asked < 3:
                raise PermissionError
            return super().names(account, after, most)

    blobs = Shy()
    blobs.append(Blob("acme", "f_" + "0" * 16), 0, b"x")
    async with broker(keeper=InlineKeeper(blobs)) as b:
        await b.settle(5)
        assert (blobs.asked, blobs.files) == (3, {})


# --- too much, and a disk that is full -------------------------------------------------------------


async def test_a_full_disk_is_said_and_nothing_is_lost(autojump_clock: MockClock) -> None:
    blobs = Full()
    async with broker(keeper=InlineKeeper(blobs)) as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        await send(joe, file, stop=1)
        blobs.full = True
        fail = await refused(joe.ask("file.chunk", file=file, offset=FILE_CHUNK, data=PNG[FILE_CHUNK:][:10]))
        assert (fail.code, fail.retry_ms) == (Code.JOURNAL_DOWN, 5000)
        blobs.full = False
        await send(joe, file, start=FILE_CHUNK)
        blobs.full = True
        assert (await refused(finish(joe, file))).code == Code.JOURNAL_DOWN
        blobs.full = False
        await finish(joe, file)
        assert b.hub.files.statistics().failed == 2


async def test_chunks_count_by_their_bytes_and_not_as_requests(autojump_clock: MockClock) -> None:
    async with broker(Options(file_rate=(FILE_CHUNK, 3 * FILE_CHUNK))) as b:
        _, joe, session = await talking(b)
        big = PNG + bytes(3 * FILE_CHUNK)
        file = (await begin(joe, session, big))["file"]
        await send(joe, file, big, stop=2 * FILE_CHUNK + 1)
        fail = await refused(joe.ask("file.chunk", file=file, offset=3 * FILE_CHUNK, data=big[:FILE_CHUNK]))
        assert (fail.code, 0 < (fail.retry_ms or 0) <= 1001) == (Code.RATE, True)
        for _ in range(10):
            await joe.ask("portal.open")
        await b.settle(1.1)
        await joe.ask("file.chunk", file=file, offset=3 * FILE_CHUNK, data=big[3 * FILE_CHUNK : 4 * FILE_CHUNK])
        tiny = (await begin(joe, session, b"hi", key="tiny", name="a.txt", type="text/plain"))["file"]
        await b.settle(3)
        await joe.ask("file.chunk", file=tiny, offset=0, data=b"hi")
        await finish(joe, tiny, b"hi", key="tiny!")
        await b.settle(3)
        for _ in range(3):
            await joe.ask("file.get", file=tiny, offset=0)
        assert (await refused(joe.ask("file.get", file=tiny, offset=0))).code == Code.RATE


async def test_a_flood_of_chunks_is_stopped_and_ended(autojump_clock: MockClock) -> None:
    async with broker(Options(file_rate=(1, FILE_CHUNK))) as b:
        _, joe, session = await talking(b)
        file = (await begin(joe, session))["file"]
        for _ in range(300):
            joe.ask_nowait("file.chunk", file=file, offset=0, data=b"x")
            await b.settle(0.001)
        ended = await joe.ended()
        assert isinstance(ended, Ended)
        assert ended.code == Close.TOO_FAST
        assert b.hub.files.statistics().bytes_in <= FILE_CHUNK


async def test_memory_is_bounded_where_the_disk_hangs_and_talk_goes_on(autojump_clock: MockClock) -> None:
    keeper = Held(MemoryBlobs(), most_bytes=10 * FILE_CHUNK)
    async with broker(UNBOUND, keeper=keeper) as b:
        ann, joe, session = await talking(b)
        ann_too = await b.staff("ann")
        ours = (await begin(joe, session, key="joe"))["file"]
        hers = (await begin(ann, session, key="ann"))["file"]
        keeper.held = True
        asked = []
        for client, file in ((joe, ours), (ann, hers), (ann_too, hers)):
            assert client.welcome is not None
            for _ in range(int(str(client.welcome.limits["inflight"])) - 1):
                asked.append(client.ask_nowait("file.chunk", file=file, offset=0, data=bytes(FILE_CHUNK)))
                await b.settle(0.001)
        assert keeper.statistics().bytes == 10 * FILE_CHUNK
        await b.settle()
        told = [frame for client in (joe, ann, ann_too) for frame in client.pump()]
        crowded = [frame for frame in told if isinstance(frame, frames.Fail)]
        assert {frame.code for frame in crowded} == {Code.OVERLOADED}
        assert len(crowded) == len(asked) - 10
        await joe.write("chat.send", session=session, text="is anybody there?")
        await ann.event("chat.message")
        keeper.held = False
        b.transport.wake()
        await b.settle()
        answered = [frame for client in (joe, ann, ann_too) for frame in client.pump()]
        assert sum(isinstance(frame, frames.Result) for frame in answered) == 2, "each file's first chunk, once"
        assert keeper.statistics().bytes == 0


@pytest.mark.slow
async def test_a_file_of_50_mib_goes_through_in_little_memory(autojump_clock: MockClock) -> None:
    """What is held at once is looked at each time that the hub hands something over."""
    most = 0

    class Watched(InlineKeeper):
        def submit(self, job: Job) -> int:
            nonlocal most
            number = super().submit(job)
            most = max(most, self.statistics().bytes)
            return number

    class Digest(MemoryBlobs):
        """Keeps a size and a hash."""

        at = 0
        sha = hashlib.sha256()

        def append(self, blob: Blob, offset: int, data: bytes) -> int:
            assert offset == self.at
            self.at += len(data)
            self.sha.update(data)
            return self.at

        def finish(self, blob: Blob, size: int) -> Finished:
            return Finished(self.at, self.sha.digest(), b"text")

    size, part = 50 * 1024 * 1024, b"a" * FILE_CHUNK
    async with broker(UNBOUND, keeper=Watched(Digest())) as b:
        ann, _, session = await talking(b)
        boss = await b.staff("boss", "manager")
        how: dict[str, Any] = {"kind": "button", "mode": "queue", "subportals": ["help-1"]}
        files = {"max_bytes": size, "types": ["text/plain"]}
        await boss.write("portal.put", portal="help", functions={"file_transfer": True}, files=files, **how)
        file = (await begin(ann, session, name="a.txt", type="text/plain", size=size))["file"]
        whole = hashlib.sha256()
        for first in range(0, size, 16 * FILE_CHUNK):
            asked = []
            for offset in range(first, min(size, first + 16 * FILE_CHUNK), FILE_CHUNK):
                data = part[: size - offset]
                whole.update(data)
                asked.append(ann.ask_nowait("file.chunk", file=file, offset=offset, data=data))
                await b.settle(0.001)
            for number in asked:
                await ann.answer(number)
            ann.seen.clear()
        await ann.ask("file.finish", "finish", file=file, sha256=whole.hexdigest())
        assert b.hub.files.statistics().bytes_in == size
        assert 0 < most <= 16 * FILE_CHUNK < FILE_JOBS_BYTES


# --- whatever happens ------------------------------------------------------------------------------


class Sloppy(MemoryBlobs):
    """Takes whatever it is given, wherever that belongs."""

    def append(self, blob: Blob, offset: int, data: bytes) -> int:
        return super().append(blob, self.size(blob), data)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["chunk", "repeat"]), st.integers(0, 1), st.integers(1, FILE_CHUNK)),
        st.tuples(st.just("stray"), st.integers(0, 1), st.integers(0, 200_000)),
        st.tuples(st.sampled_from(["cut", "restart", "early"]), st.integers(0, 1), st.just(0)),
    ),
    max_size=12,
)
Step = tuple[str, int, int]


async def play(steps: list[Step], blobs: Blobs, store: MemoryStore) -> bool:
    """Send two files in these pieces, to their ends; whether what is shared is what was sent."""
    texts = [PNG, PNG[:8] + PNG[:7:-1]]
    visitor, session, stage = "", "", 0
    places = [0, 0]
    while stage <= len(steps):
        async with broker(UNBOUND, store=store, keeper=InlineKeeper(blobs), furnished=not session) as b:
            if not session:
                _, joe, session = await talking(b)
                visitor = str(joe.welcome.identity["visitor"])  # type: ignore[union-attr]
                names = [(await begin(joe, session, texts[n], key=f"b{n}"))["file"] for n in range(2)]
            else:
                joe = await b.customer(visitor=visitor)
                places = [(await begin(joe, session, texts[n], key=f"b{n}"))["offset"] for n in range(2)]
            while stage < len(steps):
                step, which, size = steps[stage]
                stage += 1
                if step == "restart":
                    break
                if step == "cut":
                    joe.cut()
                    joe = await b.customer(visitor=visitor)
                at = {"repeat": 0, "stray": size}.get(step, places[which])
                part = texts[which][at : at + (100 if step == "stray" else size)]
                try:
                    if step == "early":
                        await finish(joe, names[which], texts[which], key=f"early{stage}")
                        return False
                    if part and step != "cut":
                        await joe.ask("file.chunk", file=names[which], offset=at, data=part)
                        places[which] += len(part)
                except Refused as told:
                    if (told.fail.detail or {})["offset"] != places[which]:
                        return False
            else:
                for which, text in enumerate(texts):
                    await send(joe, names[which], text, start=places[which])
                    await finish(joe, names[which], text, key=f"f{which}")
                return [await fetch(joe, name) for name in names] == texts
    return True


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_what_is_shared_is_what_was_sent_whatever_happens(steps: list[Step]) -> None:
    steps = [step for step in steps if step[0] != "early" or sum(one[2] for one in steps) < len(PNG)]
    assert trio.run(play, steps, MemoryBlobs(), MemoryStore(), clock=MockClock(autojump_threshold=0))


def test_a_store_that_takes_a_repeated_piece_twice_would_be_noticed() -> None:
    steps: list[Step] = [("chunk", 0, 1000), ("repeat", 0, 1000)]
    with pytest.RaisesGroup(Refused, flatten_subgroups=True):
        trio.run(play, steps, Sloppy(), MemoryStore(), clock=MockClock(autojump_threshold=0))
