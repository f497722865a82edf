"""The follower: it folds what the hub decided into the same state, and answers with it."""

# covers: broker/runtime/writer.py

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from broker.desk import snapshot, snapshot_load
from broker.journal.base import Append, JournalUnavailable, Reply
from broker.journal.memory import MemoryStore
from broker.journal.process import ProcessJournal
from broker.journal.sqlite import SqliteStore
from broker.protocol import codec, frames
from broker.protocol.codec import unpack_value, unpack_values
from broker.routing.pins import PinSpace
from broker.runtime import follower as following
from broker.runtime.follower import Follower
from broker.runtime.writer import command
from tests.runtime.harness import Broker, broker
from tests.support.agreement import same_desk


async def busy(b: Broker, rounds: int = 6) -> None:
    """Some requests from creation to the end."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    for number in range(rounds):
        joe = await b.customer(address=f"192.0.2.{number}")
        await joe.write("request.create", text=f"text {number}", name="Joe")
        offer = (await ann.event("offer.made")).data["offer"]
        made = await ann.write("offer.accept", offer=offer)
        await b.settle(0.5)
        if number % 2:
            await ann.write("session.end", session=made["session"])


def run(question: object) -> object:
    """A question that is answered in chunks, run to its end."""
    try:
        while True:
            next(question)  # type: ignore[call-overload]
    except StopIteration as stop:
        return stop.value


async def test_it_folds_to_the_state_that_the_hub_has(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await busy(b)
        follower = Follower()
        seq = run(follower.questions()["save"](b.store, "acme"))
        account = b.hub.accounts["acme"]
        assert seq == account.seq
        saved = b.store.load_snapshot("acme")
        assert saved is not None
        assert list(unpack_values(saved.data)) == [
            unpack_value(codec.pack_value(part)) for part in snapshot.parts(account.desk)
        ]


async def test_it_saves_by_itself_when_enough_has_happened_and_not_before(autojump_clock: MockClock) -> None:
    async with broker() as b:
        follower = Follower(snapshot_records=8)
        assert not follower.idle(MemoryStore())
        await busy(b, 1)
        while follower.idle(b.store):
            pass
        first = b.store.load_snapshot("acme")
        assert first is not None
        await (await b.staff("bob")).write("pin.create")
        while follower.idle(b.store):
            pass
        assert b.store.load_snapshot("acme") == first
        await busy(b, 4)
        while follower.idle(b.store):
            pass
        second = b.store.load_snapshot("acme")
        assert second is not None
        assert second.seq >= first.seq + 8


async def test_a_start_that_had_to_read_much_is_followed_by_a_snapshot(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        await busy(b, 4)
    follower = Follower(snapshot_records=80)
    while follower.idle(store):
        pass
    assert store.load_snapshot("acme") is None
    follower.questions()["load"](store, "acme")
    while follower.idle(store):
        pass
    saved = store.load_snapshot("acme")
    assert saved is not None
    assert saved.seq == store.head("acme").seq


async def test_it_works_in_chunks_and_forgets_desks_that_nobody_asks_for(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CHUNK", 3)
    monkeypatch.setattr(following, "MOST_DESKS", 2)
    names = [(f"acme{number}", number) for number in range(4)]
    async with broker(accounts=names) as b:
        follower = Follower()
        for name, _ in names:
            steps = list(follower.questions()["save"](b.store, name))  # type: ignore[call-overload]
            assert len(steps) >= 2
        assert list(follower._desks) == ["acme2", "acme3"]


async def test_a_snapshot_is_made_in_slices_and_the_desk_stands_still_meanwhile(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PART_ROWS", 2)
    async with broker() as b:
        await busy(b)
        follower = Follower(snapshot_records=8)
        while (folded := follower._desks.get("acme")) is None or folded.saving is None:
            assert follower.idle(b.store)
        at = folded.desk.seq
        await busy(b, 2)  # more has happened, and somebody asks for what needs it
        ann = ("ann", "representative", None)
        shown = follower.questions()["snapshot"](b.store, "acme", "me:ann", "me", ann)
        seen = []
        try:
            while True:
                next(shown)  # type: ignore[call-overload]
                seen.append((folded.saving is not None, folded.desk.seq))
        except StopIteration as stop:
            offset, _ = stop.value
        assert sum(saving for saving, _ in seen) > 10
        assert all(seq == at for saving, seq in seen if saving)
        saved = b.store.load_snapshot("acme")
        assert saved is not None
        assert saved.seq == at
        assert offset == b.hub.accounts["acme"].desk.stream_head("me:ann")
        assert folded.desk.seq == b.hub.accounts["acme"].seq
        same_desk(snapshot_load.load("acme", 0, PinSpace(bytes(16)), snapshot.dump(folded.desk)), folded.desk)


async def test_who_asks_for_a_view_is_not_told_that_a_snapshot_cannot_be_stored(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JournalUnavailable("the disk is full", surely_nothing=True)

    async with broker() as b:
        await busy(b)
        follower = Follower(snapshot_records=8)
        while (folded := follower._desks.get("acme")) is None or folded.saving is None:
            assert follower.idle(b.store)
        monkeypatch.setattr(b.store, "save_snapshot", full)
        shown = follower.questions()["snapshot"](b.store, "acme", "me:ann", "me", ("ann", "representative", None))
        answer = run(shown)
        assert isinstance(answer, tuple)
        assert answer[0] == b.hub.accounts["acme"].desk.stream_head("me:ann")
        with pytest.raises(JournalUnavailable):
            run(follower.questions()["save"](b.store, "acme"))


async def test_it_takes_longer_steps_while_it_is_far_behind_and_does_not_chase_the_head(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CHUNK", 1)
    monkeypatch.setattr(following, "LONG_CHUNK", 10)
    async with broker() as b:
        await busy(b)
        records = b.store.head("acme").seq
        follower = Follower()
        saving = follower.questions()["save"](b.store, "acme")
        next(saving)  # type: ignore[call-overload]
        assert follower._desks["acme"].desk.seq == 10
        await busy(b)  # it goes to where the journal was when it was asked
        steps = 1
        while follower._desks["acme"].saving is None:
            next(saving)  # type: ignore[call-overload]
            steps += 1
        assert follower._desks["acme"].desk.seq == records
        assert records / 10 < steps < 10 + records / 10 + 2


async def test_pages_are_bounded_in_events_and_in_bytes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await busy(b, 8)
        page = Follower().questions()["page"]
        first = page(b.store, "acme", "account", "account", 0, 5)
        assert [offset for offset, _, _ in first] == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]
        (event,) = codec.decode(first[0][2], codec.BROKER)  # type: ignore[index]
        assert isinstance(event, frames.Event)
        assert (event.stream, event.offset, event.type) == ("account", 1, first[0][1])  # type: ignore[index]
        assert page(b.store, "acme", "account", "account", 10_000, 5) == []


async def test_an_erased_text_reads_as_erased_in_pages_and_snapshots(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        await joe.write("request.create", text="secret")
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        account = b.hub.accounts["acme"]
        ids = [name for name, text in account.texts.items() if text == "secret"]
        b.store.append(b.journal._epoch, [Append("acme", account.seq, [], erase=ids)])
        del account.texts[ids[0]]
        await ann.ask("subscribe", stream="me", from_="offset", offset=0)
        made = await ann.event("offer.made")
        assert made.data["text"] == {"erased": True}
        await ann.ask("subscribe", stream="me", from_="snapshot")
        parts = await ann.expect(frames.Snapshot)
        while "offers" not in parts.data:
            parts = await ann.expect(frames.Snapshot)
        assert parts.data["offers"][0]["text"] == {"erased": True}


async def test_a_snapshot_of_another_version_is_ignored(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        await busy(b, 2)
        run(Follower().questions()["save"](store, "acme"))
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    loaded = Follower().questions()["load"](store, "acme")
    assert loaded["snapshot"] is None  # type: ignore[index]
    async with broker(store=store, furnished=False) as b:
        assert b.hub.accounts["acme"].saved_seq == 0


@pytest.mark.slow
async def test_the_writers_process_serves_commits_and_questions(tmp_path: Path) -> None:
    journal = ProcessJournal(command(sys.executable, tmp_path / "journal.sqlite"))
    try:
        number = journal.ask("accounts")
        with trio.fail_after(20):
            while not (outcomes := journal.poll()):
                await trio.lowlevel.wait_readable(journal.fileno())
        (reply,) = outcomes
        assert isinstance(reply, Reply)
        assert (reply.number, list(cast("list[str]", reply.value))) == (number, [])
    finally:
        journal.close()
    SqliteStore(tmp_path / "journal.sqlite").close()


@pytest.mark.slow
def test_the_writer_says_what_it_needs() -> None:
    found = subprocess.run([sys.executable, "-m", "broker.runtime.writer"], capture_output=True, check=False)
    assert found.returncode == 2
    assert b"--journal" in found.stderr
