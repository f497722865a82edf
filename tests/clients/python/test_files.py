"""Files through the client: sent from a path and saved to one, whatever happens to connections on the way.

On the real clock, for threads read the disk; nothing here waits for time to pass.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from broker.codes import Code
from broker.limits import FILE_CHUNK, FILE_COST
from broker.protocol.frames import Fail, Frame, Request, Result, Welcome
from clients.python.client import open_client
from clients.python.errors import BadArgs, NotAllowed, WrongState
from clients.python.files import DamagedError, Sent
from clients.python.reconnect import Ledger
from clients.python.roles import Customer
from tests.clients.python.fake_broker import FakeBroker, Peer
from tests.clients.python.world import TOKEN, URL, settings

BYTES = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(BYTES).hexdigest()


@attrs.define
class Store:
    """A broker's files: one at most."""

    data: bytearray = attrs.field(factory=bytearray)
    announced: dict[str, Any] | None = None
    shared: bool = False
    asked: list[tuple[str, int]] = attrs.field(factory=list)
    """Operation and offset."""
    refuse: dict[str, Fail] = attrs.field(factory=dict)
    """What an operation ends with."""
    lose: int = 0
    """So many bytes are gone when it is to be finished the first time."""

    def answer(self, peer: Peer, request: Request) -> list[Frame] | None:
        """A handler."""
        if not request.op.startswith("file."):
            return None
        args = cast("dict[str, Any]", request.args)
        self.asked.append((request.op, args.get("offset", 0)))
        if request.op in self.refuse:
            return [attrs.evolve(self.refuse[request.op], id=request.id)]
        value = getattr(self, request.op.removeprefix("file."))(args)
        return [attrs.evolve(value, id=request.id) if isinstance(value, Fail) else Result(request.id, value)]

    def list(self, args: dict[str, Any]) -> dict[str, object]:
        if self.announced is None:
            return {"files": []}
        told = {name: self.announced[name] for name in ("name", "size", "type", "sha256")}
        state = "shared" if self.shared else "uploading"
        return {"files": [{"file": "f_1", "state": state, "role": "customer", **told}]}

    def begin(self, args: dict[str, Any]) -> dict[str, object]:
        self.announced = args
        return {"file": "f_1", "offset": 0, "chunk_bytes": FILE_CHUNK}

    def chunk(self, args: dict[str, Any]) -> dict[str, object] | Fail:
        if args["offset"] != len(self.data):
            return Fail(0, int(Code.WRONG_STATE), "elsewhere", None, {"offset": len(self.data)})
        self.data += args["data"]
        return {"offset": len(self.data)}

    def finish(self, args: dict[str, Any]) -> dict[str, object] | Fail:
        del self.data[len(self.data) - self.lose :]
        self.lose = 0
        assert self.announced is not None
        if len(self.data) != self.announced["size"]:
            return Fail(0, int(Code.WRONG_STATE), "not all", None, {"offset": len(self.data)})
        assert args["sha256"] == hashlib.sha256(self.data).hexdigest()
        self.shared = True
        return {"file": "f_1", "message_seq": 7}

    def get(self, args: dict[str, Any]) -> dict[str, object]:
        data = bytes(self.data[args["offset"] :][:FILE_CHUNK])
        return {"data": data, "size": len(BYTES), "type": "text/plain", "sha256": DIGEST}


@pytest.fixture
def store(broker: FakeBroker) -> Store:
    made = Store()
    broker.handler = made.answer
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_bytes(BYTES)
    return path


def listed(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def fail(code: Code, **detail: object) -> Fail:
    return Fail(0, int(code), "no", None, detail)


async def test_a_file_is_sent_from_its_path(broker: FakeBroker, store: Store, source: Path) -> None:
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        assert await kim.send_file("s_1", source) == Sent("f_1", 7)
    assert bytes(store.data) == BYTES
    assert store.announced is not None
    assert (store.announced["name"], store.announced["type"], store.announced["sha256"]) == (
        "log.txt",
        "text/plain",
        DIGEST,
    )
    offsets = [offset for op, offset in store.asked if op == "file.chunk"]
    assert offsets == list(range(0, len(BYTES), FILE_CHUNK)), "in their order, each once"


async def test_what_it_is_called_and_is_can_be_said(broker: FakeBroker, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.unheard-of"
    path.write_bytes(b"hi")
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        await kim.send_file("s_1", path)
        assert store.announced is not None
        assert store.announced["type"] == "application/octet-stream"
        store.data.clear()
        await kim.send_file("s_1", path, name="greeting.txt", type_="text/plain")
    assert (store.announced["name"], store.announced["type"]) == ("greeting.txt", "text/plain")


@pytest.mark.parametrize("after", [2000, 60_000, 100_000, 200_000])
async def test_after_a_cut_it_goes_on_by_itself(store: Store, broker: FakeBroker, source: Path, after: int) -> None:
    broker.cuts = iter([after, after + 5000])
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        assert await kim.send_file("s_1", source) == Sent("f_1", 7)
    assert bytes(store.data) == BYTES
    assert broker.dials >= 2


async def test_an_upload_of_an_earlier_run_is_gone_on_with(broker: FakeBroker, store: Store, source: Path) -> None:
    store.announced = {"name": "log.txt", "size": len(BYTES), "type": "text/plain", "sha256": DIGEST}
    store.data += BYTES[: 3 * FILE_CHUNK]
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        assert await kim.send_file("s_1", source) == Sent("f_1", 7)
    assert bytes(store.data) == BYTES
    assert "file.begin" not in [op for op, _ in store.asked]


async def test_what_the_broker_has_lost_is_sent_again(broker: FakeBroker, store: Store, source: Path) -> None:
    store.lose = 100_000
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        assert await kim.send_file("s_1", source) == Sent("f_1", 7)
    assert bytes(store.data) == BYTES


@pytest.mark.parametrize(
    ("op", "refusal", "raised"),
    [
        ("file.begin", fail(Code.NOT_ALLOWED), NotAllowed),
        ("file.chunk", fail(Code.NOT_ALLOWED), NotAllowed),
        ("file.chunk", fail(Code.WRONG_STATE, state="shared"), WrongState),
        ("file.finish", fail(Code.BAD_ARGS, path="args.file"), BadArgs),
        ("file.finish", fail(Code.WRONG_STATE, state="ended"), WrongState),
    ],
)
async def test_a_refusal_is_raised_as_it_is(
    broker: FakeBroker, store: Store, source: Path, op: str, refusal: Fail, raised: type[Exception]
) -> None:
    store.refuse[op] = refusal
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        with pytest.raises(raised):
            await kim.send_file("s_1", source)


async def test_an_upload_that_gets_no_further_ends(broker: FakeBroker, store: Store, source: Path) -> None:
    store.refuse["file.chunk"] = fail(Code.WRONG_STATE, offset=5)
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        with pytest.raises(WrongState, match="gets no further"):
            await kim.send_file("s_1", source)


async def test_a_file_that_shrinks_meanwhile_ends(broker: FakeBroker, store: Store, source: Path) -> None:
    def handler(peer: Peer, request: Request) -> list[Frame] | None:
        source.write_bytes(BYTES[:10])
        return store.answer(peer, request)

    broker.handler = handler
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        with pytest.raises(WrongState, match="gets no further"):
            await kim.send_file("s_1", source)


# --- saving ----------------------------------------------------------------------------------------


async def test_a_file_is_saved_and_is_what_was_shared(broker: FakeBroker, store: Store, tmp_path: Path) -> None:
    store.data += BYTES
    target = tmp_path / "saved.txt"
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        assert await kim.save_file("f_1", target) == len(BYTES)
    assert target.read_bytes() == BYTES
    assert listed(tmp_path) == ["saved.txt"]


async def test_what_an_earlier_try_has_left_is_gone_on_with(broker: FakeBroker, store: Store, tmp_path: Path) -> None:
    store.data += BYTES
    (tmp_path / "saved.txt.part").write_bytes(BYTES[:200_000])
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        await kim.save_file("f_1", tmp_path / "saved.txt")
    assert (tmp_path / "saved.txt").read_bytes() == BYTES
    assert min(offset for _, offset in store.asked) == 200_000


async def test_what_is_not_what_was_shared_is_thrown_away(broker: FakeBroker, store: Store, tmp_path: Path) -> None:
    store.data += BYTES[:-1] + b"?"
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        with pytest.raises(DamagedError):
            await kim.save_file("f_1", tmp_path / "saved.txt")
    assert listed(tmp_path) == []


# --- its pace --------------------------------------------------------------------------------------


def test_pieces_go_out_by_their_bytes_and_other_requests_by_their_number() -> None:
    ledger = Ledger(random.Random(1))
    limits = {"inflight": 1000, "commands_per_second": 1, "commands_burst": 2, "file_bytes_per_second": 10 * FILE_CHUNK}
    ledger.welcomed(Welcome(1, [], {}, limits, 4000, {}), 0)
    for number in range(300):
        ledger.ask("file.chunk", {"file": "f", "offset": number, "data": bytes(FILE_CHUNK)}, None, None, lambda: None)
    assert len(ledger.take(0, 1000)) == 10
    assert ledger.next_wake(0) == 100
    assert len(ledger.take(100, 1000)) == 1
    ledger.ask("portal.open", {}, None, None, lambda: None)
    assert ledger.take(100, 1000) == []


def test_tiny_pieces_count_as_more_than_they_are() -> None:
    ledger = Ledger(random.Random(1))
    limits = {"inflight": 10**6, "file_bytes_per_second": FILE_CHUNK}
    ledger.welcomed(Welcome(1, [], {}, limits, 4000, {}), 0)
    for _ in range(10_000):
        ledger.ask("file.chunk", {"data": b"x"}, None, None, lambda: None)
    first = len(ledger.take(0, 10**6))
    assert first == len(ledger.take(1000, 10**6)) == FILE_CHUNK // FILE_COST
