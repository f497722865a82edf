"""Commits that fail, journals that are away, bugs in a desk: what is told, what is kept, and how it goes on."""

# covers: broker/runtime/batches.py
# covers: broker/runtime/faults.py
# covers: broker/runtime/log.py

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Code
from broker.desk import snapshot
from broker.journal.base import Append, JournalUnavailable, Record, StaleWriter
from broker.journal.memory import MemoryStore
from broker.protocol import frames
from tests.runtime.harness import Broker, Client, Refused, broker


async def waiting(b: Broker) -> tuple[Client, Client, str]:
    """Ann with an offer of joe's request."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    await joe.ask("subscribe", stream="me", from_="now")
    await joe.write("request.create", text="hello", name="Joe")
    offer = str((await ann.event("offer.made")).data["offer"])
    ann.pump()
    joe.pump()
    return ann, joe, offer


def replayed(b: Broker, account: str = "acme") -> Any:
    """The desk that the journal alone gives, as data."""
    from broker.desk.desk import Desk
    from broker.runtime.why import event_of
    from tests.runtime.harness import PINS

    desk = Desk(account, 0, PINS)
    for record in b.store.records(account, 0, 1_000_000):
        desk.evolve(event_of(record), record.t, record.entries)
    desk.settle()
    return snapshot.dump(desk)


async def test_a_commit_that_surely_failed_is_told_as_nothing_done_and_can_be_repeated(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        ann, joe, offer = await waiting(b)
        b.journal.fail_next()
        with pytest.raises(Refused) as refused:
            await ann.ask("offer.accept", "k1", offer=offer)
        assert refused.value.code == Code.JOURNAL_DOWN
        assert refused.value.fail.retry_ms is not None
        assert not [frame for frame in joe.pump() if isinstance(frame, frames.Event)]
        await b.settle(1)
        accepted = await ann.ask("offer.accept", "k1", offer=offer)
        assert "replayed" not in accepted
        await joe.event("request.assigned")
        assert replayed(b) == snapshot.dump(b.hub.accounts["acme"].desk)


async def test_an_unknown_outcome_is_told_as_such_and_its_repeat_is_answered_rightly(
    autojump_clock: MockClock,
) -> None:
    for written in (True, False):
        async with broker() as b:
            ann, joe, offer = await waiting(b)
            error = JournalUnavailable("lost", surely_nothing=False)
            b.journal.fail_next(error, written=written)
            with pytest.raises(Refused) as refused:
                await ann.ask("offer.accept", "k1", offer=offer)
            assert refused.value.code == Code.UNKNOWN_OUTCOME
            await b.settle(1)
            again = await ann.ask("offer.accept", "k1", offer=offer)
            assert again.get("replayed", False) is written
            # Whoever follows a stream sees what was stored, once, also if nobody was told at the time.
            assigned = await joe.event("request.assigned")
            assert assigned.data["representative"] == "ann"
            await b.settle()
            assert not [f for f in joe.pump() if isinstance(f, frames.Event) and f.type == "request.assigned"]
            assert replayed(b) == snapshot.dump(b.hub.accounts["acme"].desk)


async def test_what_was_decided_behind_a_failed_commit_was_surely_not_stored(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, offer = await waiting(b)
        error = JournalUnavailable("lost", surely_nothing=False)
        b.journal.hold()
        b.journal.fail_next(error)
        first = ann.ask_nowait("offer.accept", "k1", offer=offer)
        await b.settle()
        second = ann.ask_nowait("pin.create", "k2")
        read = joe.ask_nowait("portal.open")
        await b.settle()
        b.journal.release()
        codes = {}
        for client, number in ((ann, first), (ann, second), (joe, read)):
            with pytest.raises(Refused) as refused:
                await client.answer(number)
            codes[number, client is ann] = refused.value.code
        assert list(codes.values()) == [Code.UNKNOWN_OUTCOME, Code.JOURNAL_DOWN, Code.JOURNAL_DOWN]


async def test_while_the_journal_is_away_connections_stay_and_no_deadline_fires(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, offer = await waiting(b)
        broken = Broken(b)
        b.journal.fail_next()
        with pytest.raises(Refused):
            await ann.ask("offer.decline", "k1", offer=offer, reason="no")
        assert b.hub.recovery.down
        for _ in range(60):  # the offer's 20 s pass three times over
            await trio.sleep(1)
            ann.pump(), joe.pump()
        for client in (ann, joe):
            with pytest.raises(Refused) as refused:
                await client.write("presence.set" if client is ann else "request.create", presence="away", text="x")
            assert refused.value.code == Code.JOURNAL_DOWN
        with pytest.raises(Refused) as refused:
            await joe.ask("portal.open")
        assert refused.value.code == Code.JOURNAL_DOWN
        broken.mend()
        await b.settle(6)
        assert b.hub.up
        assert ann.goodbye is None
        renewed = await ann.event("offer.renewed")
        assert int(str(renewed.data["deadline"])) >= b.clock.now() + 13_000
        await ann.write("offer.accept", offer=offer)
        await joe.event("request.assigned")
        assert b.hub.statistics().recovery.outages == 1


async def test_the_pauses_between_tries_grow(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, _, _ = await waiting(b)
        broken = Broken(b)
        b.journal.fail_next()
        with pytest.raises(Refused):
            await ann.write("pin.create")
        for _ in range(30):
            await trio.sleep(1)
            ann.pump()
        assert 8 <= broken.tries <= 14
        broken.mend()
        await b.settle(6)


async def test_a_journal_that_comes_back_and_takes_nothing_is_tried_less_and_less(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, _, _ = await waiting(b)
        for _ in range(100):
            b.journal.fail_next()
        for _ in range(100):
            with pytest.raises(Refused):
                await ann.write("pin.create")
            await trio.sleep(0.5)
            ann.pump()
        assert 8 <= b.hub.statistics().recovery.outages <= 20


async def test_another_writer_of_the_same_shard_ends_this_broker(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, _, _ = await waiting(b)
        b.store.open_epoch(b"somebody else...")
        with pytest.raises(Refused) as refused:
            await ann.write("pin.create")
        assert refused.value.code == Code.JOURNAL_DOWN
        await b.settle()
        assert b.hub.recovery.fatal is not None
        assert b.hub.recovery.fatal.startswith(StaleWriter.__name__)


async def test_an_account_of_another_batch_is_not_touched(autojump_clock: MockClock) -> None:
    async with broker(accounts=[("acme", 0), ("other", 1)]) as b:
        theirs = await b.staff("ann", account="other")
        ours = await b.staff("ann")
        desk = b.hub.accounts["other"].desk
        b.journal.fail_next()
        with pytest.raises(Refused):
            await ours.write("presence.set", presence="available")
        await b.settle(1)
        assert b.hub.accounts["other"].desk is desk
        await theirs.write("presence.set", presence="available")
        await ours.write("presence.set", presence="available")


async def test_a_lost_connection_during_an_outage_is_found_out_after_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, offer = await waiting(b)
        await ann.write("offer.accept", offer=offer)
        broken = Broken(b)
        b.journal.fail_next()
        with pytest.raises(Refused):
            await ann.write("pin.create")
        ann.cut()
        await b.settle(1)
        broken.mend()
        await b.settle(6)
        desk = b.hub.accounts["acme"].desk
        assert desk.state.representatives["ann"].lease_until is not None
        for _ in range(12):
            await trio.sleep(1)
            joe.pump()
        assert desk.state.representatives["ann"].presence == "reconnecting"


async def test_a_restart_finds_everything_and_gives_the_waiting_their_full_time(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        ann, joe, offer = await waiting(b)
        before = snapshot.dump(b.hub.accounts["acme"].desk)
        assert joe.welcome is not None
        visitor = str(joe.welcome.identity["visitor"])
        await joe.ask("request.create", "again", text="hello")
    async with broker(store=store, furnished=False) as b:
        assert before["next_number"] == b.hub.accounts["acme"].desk.state.next_number
        ann = await b.staff("ann")
        value = await ann.ask("subscribe", stream="me", from_="offset", offset=0)
        assert value["offset"] == 0
        made = await ann.event("offer.made")
        assert made.data["text"] == "hello"
        await ann.write("offer.accept", offer=offer)
        joe = await b.customer(visitor=visitor)
        assert (await joe.ask("portal.open"))["request"] == made.data["request"]


async def test_a_bug_in_a_desk_is_answered_logged_and_the_desk_read_anew(autojump_clock: MockClock) -> None:
    async with broker(faults=1) as b:
        ann, joe, offer = await waiting(b)
        account = b.hub.accounts["acme"]
        desk = account.desk

        def bug(*args: object) -> None:
            raise ZeroDivisionError("what a person wrote")

        desk.handle = bug  # type: ignore[assignment, method-assign]
        with pytest.raises(Refused) as refused:
            await ann.ask("offer.accept", "k1", offer=offer)
        assert refused.value.code == Code.INTERNAL
        correlation = (refused.value.fail.detail or {})["correlation"]
        line = next(fields for level, event, fields in b.lines if event == "hub.fault")
        assert line["correlation"] == correlation
        assert "what a person wrote" not in str(b.lines)
        await b.settle(1)
        assert account.up
        assert account.desk is not desk
        await ann.ask("offer.accept", "k1", offer=offer)
        await joe.event("request.assigned")
        assert b.hub.faults.met == 1


async def test_a_bug_waits_for_what_was_decided_before_it(autojump_clock: MockClock) -> None:
    async with broker(faults=1) as b:
        ann, joe, offer = await waiting(b)
        account = b.hub.accounts["acme"]
        b.journal.hold()
        number = ann.ask_nowait("offer.accept", "k1", offer=offer)
        await b.settle()
        account.desk.handle = lambda *args: 1 / 0  # type: ignore[assignment, method-assign]
        with pytest.raises(Refused):
            await joe.ask("portal.open")
        with pytest.raises(Refused) as refused:
            await joe.ask("portal.open")
        assert refused.value.code == Code.JOURNAL_DOWN
        b.journal.release()
        await ann.answer(number)
        await joe.event("request.assigned")
        await b.settle(1)
        assert account.up
        await joe.ask("portal.open")


async def test_a_record_that_this_release_does_not_know_refuses_the_start(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        account = b.hub.accounts["acme"]
        record = Record(account.seq + 1, "from.the.future", 1, b.clock.now(), b"\x90", ())
        store.append(b.journal._epoch, [Append("acme", account.seq, [record])])
    async with broker(store=store, furnished=False, faults=1, up=False) as b:
        await b.settle(1)
        assert not b.hub.up
        assert b.hub.recovery.fatal is not None
        assert "acme" in b.hub.recovery.fatal


class Broken:
    """A journal that can't be recovered until it is mended."""

    def __init__(self, b: Broker) -> None:
        self._store: Any = b.store
        self._open = b.store.open_epoch
        self.tries = 0
        self._put(self._refuse)

    def _put(self, method: Callable[..., int]) -> None:
        vars(self._store)["open_epoch"] = method

    def _refuse(self, *args: object, **kwargs: object) -> int:
        self.tries += 1
        raise JournalUnavailable("the disk is full", surely_nothing=True)

    def mend(self) -> None:
        """From now on it works."""
        self._put(self._open)
