"""REQUEST: gates, keys, repeats, answers that wait for the journal, and what is told of personal things."""

# covers: broker/runtime/asked.py
# covers: broker/runtime/requests.py
# covers: broker/runtime/answers.py
# covers: broker/runtime/repeats.py
# covers: broker/runtime/conductor.py
# covers: broker/runtime/people.py
# covers: broker/runtime/account.py
# covers: broker/runtime/texts.py
# covers: broker/runtime/publisher.py

import attrs
import pytest
import trio
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.content import Personal
from broker.desk.commands import Audit
from broker.desk.identity import Role
from broker.protocol import check, codec, frames
from broker.runtime import hub
from broker.runtime.options import ROLES, Options
from broker.runtime.texts import refs, seal
from broker.units import MINUTES
from tests.runtime.harness import Broker, Client, Refused, broker


async def assigned(b: Broker) -> tuple[Client, Client, str]:
    """A customer and ann, in a session; its id."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    await joe.ask("subscribe", stream="me", from_="now")
    await joe.write("request.create", text="it is broken", name="Joe")
    offer = (await ann.event("offer.made")).data["offer"]
    session = (await ann.write("offer.accept", offer=offer))["session"]
    return ann, joe, session


async def test_events_come_before_the_result_of_the_command_that_caused_them(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        number = ann.ask_nowait("presence.set", "k1", presence="available")
        result = await ann.answer(number)
        order = [type(frame).__name__ for frame in ann.seen[-2:]]
        assert order == ["Event", "Result"]
        event = ann.seen[-2]
        assert isinstance(event, frames.Event)
        assert result.offsets == {"me": event.offset, "subportal:ask-1": 1}


async def test_nothing_that_depends_on_an_event_leaves_before_its_commit(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        joe = await b.customer()
        ann.pump()
        b.journal.hold()
        asked = joe.ask_nowait("request.create", "k1", text="hello")
        await b.settle()
        read = joe.ask_nowait("portal.open")
        refused = ann.ask_nowait("offer.decline", "k2", offer="o_nothing", reason="no")
        await b.settle()
        assert (ann.pump(), joe.pump()) == ([], [])
        joe.send(frames.Ping(7, 1))
        assert isinstance(await joe.next(), frames.Pong)
        b.journal.release()
        assert (await joe.answer(asked)).value["state"] == "offered"  # type: ignore[index]
        assert (await joe.answer(read)).value["request"]  # type: ignore[index]
        with pytest.raises(Refused):
            await ann.answer(refused)
        kinds = [type(frame).__name__ for frame in ann.seen[-2:]]
        assert kinds == ["Event", "Fail"]


async def test_the_second_batch_waits_for_its_own_commit(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        b.journal.hold()
        first = ann.ask_nowait("presence.set", "k1", presence="available")
        await b.settle()
        second = ann.ask_nowait("presence.set", "k2", presence="away")
        await b.settle()
        assert b.hub.ledger.statistics().batches == 2
        b.journal.release(1)
        await b.settle()
        assert [frame.id for frame in ann.pump() if isinstance(frame, frames.Result)] == [first]
        b.journal.release()
        await ann.answer(second)


async def test_small_commits_keep_to_a_rate_and_carry_more_instead(autojump_clock: MockClock) -> None:
    options = Options(commit_rate=(10, 2))  # one in 100 ms once the two are used up
    async with broker(options=options) as b:
        ann, bob = await b.staff("ann"), await b.staff("bob")
        await b.settle(1)
        before = b.hub.ledger.statistics().commits
        began = trio.current_time()
        for number in range(2):
            await ann.ask("presence.set", f"k{number}", presence=["available", "away"][number])
        assert trio.current_time() == began  # a burst waits for nothing
        waiting = [ann.ask_nowait("presence.set", "k3", presence="available")]
        await b.settle()
        waiting.append(bob.ask_nowait("presence.set", "k4", presence="available"))
        await b.settle()
        assert b.hub.ledger.statistics().commits == before + 2
        assert (ann.pump(), bob.pump()) == ([], [])
        await ann.answer(waiting[0])
        await bob.answer(waiting[1])
        assert 0.09 < trio.current_time() - began < 0.2
        assert b.hub.ledger.statistics().commits == before + 3


async def test_a_large_batch_waits_for_no_rate(autojump_clock: MockClock) -> None:
    async with broker(options=Options(commit_rate=(0.001, 0), small_commit=1)) as b:
        ann = await b.staff("ann")
        began = trio.current_time()
        await ann.ask("presence.set", "k1", presence="available")
        assert trio.current_time() == began


async def test_the_same_key_gives_the_same_result_and_does_nothing_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        bob = await b.staff("bob")
        first = await bob.ask("pin.create", "k1")
        seq = b.hub.accounts["acme"].seq
        again = await bob.ask("pin.create", "k1")
        assert again == {"id": first["id"], "expires": first["expires"], "replayed": True}
        assert len(str(first["pin"])) == 9
        assert b.hub.accounts["acme"].seq == seq
        other = await b.staff("bob")
        assert (await other.ask("pin.create", "k1"))["replayed"] is True
        check.check_result("pin.create", again)


async def test_a_key_is_a_persons_own(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, bob = await b.staff("ann"), await b.staff("bob")
        mine = await ann.ask("pin.create", "k1")
        theirs = await bob.ask("pin.create", "k1")
        assert mine["id"] != theirs["id"]


async def test_the_same_key_with_other_arguments_is_refused(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        await joe.ask("request.create", "k1", text="one")
        with pytest.raises(Refused) as refused:
            await joe.ask("request.create", "k1", text="two")
        assert refused.value.code == Code.KEY_REUSED


async def test_a_repeat_while_the_first_is_being_committed_waits_for_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        b.journal.hold()
        first = joe.ask_nowait("request.create", "k1", text="one")
        second = joe.ask_nowait("request.create", "k1", text="one")
        await b.settle()
        assert joe.pump() == []
        b.journal.release()
        one, two = await joe.answer(first), await joe.answer(second)
        assert {**one.value, "replayed": True} == two.value  # type: ignore[dict-item]
        assert one.offsets == two.offsets


async def test_keys_survive_the_end_of_all_connections(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        assert joe.welcome is not None
        made = await joe.ask("request.create", "k1", text="one")
        joe.cut()
        await b.settle()
        assert b.hub.accounts["acme"].people == {}
        again = await b.customer(visitor=str(joe.welcome.identity["visitor"]))
        assert await again.ask("request.create", "k1", text="one") == {**made, "replayed": True}


async def test_keys_survive_a_cut_in_the_middle_of_a_commit(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        assert joe.welcome is not None
        b.journal.hold()
        joe.ask_nowait("request.create", "k1", text="one")
        await b.settle()
        joe.cut()
        await b.settle()
        again = Client(b.transport.connect())
        again.send(frames.Hello([1], [], {"portal": "acme/help", "visitor": joe.welcome.identity["visitor"]}, {}))
        await b.settle()
        b.journal.release()
        await again.expect(frames.Welcome)
        assert (await again.ask("request.create", "k1", text="one"))["replayed"] is True
        assert b.hub.accounts["acme"].desk.statistics().requests == 1


async def test_a_repeat_tells_names_that_are_no_longer_in_memory(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        pin = (await ann.write("pin.create"))["pin"]
        joe = await b.customer("acme/pin")
        first = await joe.ask("pin.redeem", "k1", pin=pin, name="Joe")
        b.hub.accounts["acme"].texts.clear()
        again = await joe.ask("pin.redeem", "k1", pin=pin, name="Joe")
        assert again == {**first, "replayed": True}
        assert again["name"] == "Ms ann"


async def test_only_so_many_keys_are_kept_for_a_person(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        for number in range(100):
            await b.settle(0.1)
            await ann.ask("presence.set", f"k{number}", presence="away" if number % 2 else "available")
        ring = b.hub.accounts["acme"].people["ann"].keys
        assert len(ring.entries) == ring.most == 64
        assert ring.pending == 0
        assert (await ann.ask("presence.set", "k99", presence="away"))["replayed"] is True


@pytest.mark.parametrize(
    ("op", "args", "key", "code", "path"),
    [
        ("no.such", {}, None, Code.NO_SUCH, None),
        ("offer.accept", {"offer": "o_1"}, "k", Code.NOT_ALLOWED, None),
        ("request.create", {"text": 5}, "k", Code.BAD_ARGS, "args.text"),
        ("request.create", {"text": "x"}, None, Code.BAD_ARGS, "key"),
        ("request.withdraw", {}, "k", Code.BAD_ARGS, "args.request"),
        ("request.create", "text", "k", Code.BAD_ARGS, "args"),
        ("request.withdraw", {"request": "r_none"}, "k", Code.NO_SUCH, None),
    ],
)
async def test_a_wrong_request_is_refused_with_the_reason(
    autojump_clock: MockClock, op: str, args: object, key: str | None, code: Code, path: str | None
) -> None:
    async with broker() as b:
        joe = await b.customer()
        joe.send(frames.Request(1, op, args, key))
        fail = await joe.expect(frames.Fail)
        assert (fail.id, fail.code) == (1, code)
        assert path is None or fail.detail["path"] == path


@pytest.mark.parametrize("text", ["x" * 16385, "x" * 20_000, "x" * 50_000, "\U0001f600" * 4097])
async def test_a_text_that_is_too_long_is_refused_and_nothing_else(autojump_clock: MockClock, text: str) -> None:
    async with broker() as b:
        ann, joe, session = await assigned(b)
        for client, op in ((joe, "chat.send"), (ann, "chat.send"), (ann, "note.add")):
            with pytest.raises(Refused, match=r"args\.text: expected a string of 1 to 16384 bytes") as refused:
                await client.write(op, session=session, text=text)
            assert (refused.value.code, refused.value.fail.detail) == (2400, {"path": "args.text"})
            await client.write(op, session=session, text="x" * 16384)
        with pytest.raises(Refused, match=r"args.data.a: expected a string of at most 16384 bytes"):
            await joe.write("session.describe", session=session, kind="device", data={"a": text})
        with pytest.raises(Refused, match=r"args.data: expected keys of at most 16384 bytes"):
            await joe.write("session.describe", session=session, kind="device", data={text: "a"})
        with pytest.raises(Refused, match=r"args.stream: expected a string of 1 to 128 bytes"):
            await joe.ask("subscribe", stream=text, from_="now")
        with pytest.raises(Refused) as refused:
            await joe.ask("no.such", text=text)
        assert refused.value.code == Code.NO_SUCH
        joe.send(frames.Request(999, "meta.schema", {text: text[:9000]}))
        await joe.answer(999)  # what isn't known is ignored, however long it is
        assert len(repr(ann.seen)) + len(repr(joe.seen)) < 1_000_000


async def test_a_refusal_is_no_longer_than_a_fail_may_be(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, joe, session = await assigned(b)
        deep: object = "x" * 16385
        for _ in range(4):
            deep = {"\U0001f600" * 4000: deep} if deep != "x" * 16385 else {"\U0001f600" * 100: deep}
        with pytest.raises(Refused) as refused:
            await joe.write("session.describe", session=session, kind="device", data=deep)
        assert refused.value.code == 2400
        assert 500 < len(refused.value.fail.text.encode()) <= 512
        await joe.write("chat.send", session=session, text="still here")


async def test_a_request_past_its_own_deadline_does_nothing(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        joe.send(frames.Request(1, "request.create", {"text": "x"}, "k", b.clock.now() - 1))
        assert (await joe.expect(frames.Fail)).code == Code.DEADLINE
        joe.send(frames.Request(1, "request.create", {"text": "x"}, "k", b.clock.now() + 1000))
        await joe.expect(frames.Result)


async def test_the_repeat_of_what_was_done_is_answered_also_past_its_deadline(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        done = await joe.ask("request.create", "k", text="x")
        joe.send(frames.Request(9, "request.create", {"text": "x"}, "k", b.clock.now() - 1))
        again = await joe.expect(frames.Result, id=9)
        assert (again.value["request"], again.value["replayed"]) == (done["request"], True)


async def test_stored_answers_are_forgotten_however_many_they_are(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_FORGET", 2)
    async with broker() as b:
        assert len(b.store.answers("acme", "boss", 100)) > 4
        await trio.sleep(24 * 3600 + 700)
        assert b.store.answers("acme", "boss", 100) == []


async def test_customers_are_held_to_their_rate_and_told_when_to_come_back(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        for _ in range(20):
            await joe.ask("portal.open")
        with pytest.raises(Refused) as refused:
            await joe.ask("portal.open")
        assert refused.value.code == Code.RATE
        assert refused.value.fail.retry_ms is not None
        await b.settle(refused.value.fail.retry_ms / 1000)
        await joe.ask("portal.open")


async def test_who_is_too_fast_again_and_again_is_sent_away(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        for _ in range(200):
            joe.ask_nowait("portal.open")
        assert (await joe.ended()).code == Close.TOO_FAST


async def test_so_many_requests_may_be_unanswered_and_no_more(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        b.journal.hold()
        joe.ask_nowait("request.create", "k", text="x")
        await b.settle()
        numbers = [joe.ask_nowait("portal.open") for _ in range(9)]
        await b.settle()
        refused = [frame for frame in joe.pump() if isinstance(frame, frames.Fail)]
        assert [(frame.id, frame.code) for frame in refused] == [(number, Code.RATE) for number in numbers[7:]]
        b.journal.release()
        for number in numbers[:7]:
            await joe.answer(number)


async def test_an_id_that_is_still_unanswered_can_not_be_used_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        b.journal.hold()
        joe.send(frames.Request(1, "request.create", {"text": "x"}, "k"))
        joe.send(frames.Request(1, "request.create", {"text": "x"}, "k2"))
        assert (await joe.ended()).code == Close.PROTOCOL
        b.journal.release()


async def test_wrong_pins_close_the_door_for_visitor_and_address_and_tell_the_managers(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        good = (await ann.write("pin.create"))["pin"]
        joe = await b.customer("acme/pin", address="192.0.2.7")
        for _ in range(5):
            with pytest.raises(Refused) as refused:
                await joe.write("pin.redeem", pin="000000000")
            assert refused.value.code == Code.PIN_INVALID
        told = await boss.event("pin.guessing")
        assert told.data == {"portal": "pin", "source": "192.0.2.0/24", "wrong": 5}
        other = await b.customer("acme/pin", address="192.0.2.7")
        for client in (joe, other):
            with pytest.raises(Refused) as refused:
                await client.write("pin.redeem", pin=good)
            assert refused.value.code == Code.RATE
            assert 0 < (refused.value.fail.retry_ms or 0) <= MINUTES
        elsewhere = await b.customer("acme/pin", address="198.51.100.1")
        await elsewhere.write("pin.redeem", pin=good)


async def test_personal_texts_reach_those_who_may_read_and_no_record(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        ann, joe, session = await assigned(b)
        opened = await ann.event("session.opened")
        assert (opened.data["text"], opened.data["name"]) == ("it is broken", "Joe")
        told = await joe.event("request.assigned")
        assert told.data["name"] == "Ms ann"
        await boss.event("request.assigned")
        events = [frame for frame in boss.seen if isinstance(frame, frames.Event)]
        assert all("it is broken" not in str(codec.pack(frame)) for frame in events)
        stored = b"".join(record.body for record in b.store.records("acme", 0, 10_000))
        assert b"broken" not in stored
        assert b"Joe" not in stored
        answers = b.store.answers("acme", str(joe.welcome.identity["person"]), 10)  # type: ignore[union-attr]
        assert answers
        assert all(b"broken" not in answer.result for answer in answers)
        assert session


async def test_texts_leave_memory_with_what_referred_to_them(autojump_clock: MockClock) -> None:
    async with broker() as b:
        account = b.hub.accounts["acme"]
        before = set(account.texts)
        ann, _, session = await assigned(b)
        assert len(account.texts) == len(before) + 2
        await ann.write("session.end", session=session)
        assert set(account.texts) == before == account.desk.held_contents()


async def test_too_much_waiting_for_the_journal_sheds_new_requests_first_and_accepts_never(
    autojump_clock: MockClock,
) -> None:
    quick = {role: attrs.evolve(found, rate=(1000.0, 1000.0)) for role, found in ROLES.items()}
    async with broker(Options(open_batch_records=62, roles=quick)) as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        await (await b.customer()).write("request.create", text="x")
        offer = (await ann.event("offer.made")).data["offer"]
        boss, bob, eve = await b.staff("boss", "manager"), await b.staff("bob"), await b.customer("acme/ask")
        b.journal.hold()
        for number in range(30):  # of those that may go up to the bound, two records each; bob's may go beyond it
            boss.ask_nowait(
                "representative.put", f"k{number}", representative="bob", name="B", team="t1", capacity=2 + number % 2
            )
        await b.settle()
        assert [frame for frame in boss.pump() if isinstance(frame, frames.Fail)] == []
        refused = eve.ask_nowait("request.create", "e1", text="x")
        with pytest.raises(Refused) as shed:
            await eve.answer(refused)
        assert shed.value.code == Code.OVERLOADED
        for number in range(30, 60):
            bob.ask_nowait("presence.set", f"p{number}", presence="away" if number % 2 else "available")
            await b.settle()
        assert [frame for frame in bob.pump() if isinstance(frame, frames.Fail)] == []
        number = boss.ask_nowait("team.put", "t", team="t9", subportals=[])
        with pytest.raises(Refused) as shed:
            await boss.answer(number)
        assert shed.value.code == Code.OVERLOADED
        accepted = ann.ask_nowait("offer.accept", "a1", offer=offer)
        b.journal.release()
        await ann.answer(accepted)
        assert b.hub.statistics().requests.shed == 2


def test_a_sealed_text_has_an_id_and_a_digest_that_tell_nothing() -> None:
    drawn = iter([bytes(range(26)), bytes(range(1, 27))])
    one, two = Personal("Joe"), Personal("Joe")
    seal(one, lambda size: next(drawn)[:size])
    seal(two, lambda size: next(drawn)[:size])
    assert one.ref[0] != two.ref[0]
    assert one.ref[1] != two.ref[1]
    assert one.ref[0].startswith("c_")
    assert refs({"a": [one.ref, 5], "b": {"c": two.ref}, "d": "c_x"}) == [one.ref[0], two.ref[0]]


async def test_a_request_that_goes_elsewhere_at_once_says_so(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.write("portal.put", portal="help", kind="button", mode="queue", subportals=["help-1", "help-2"])
        nobody = {"on": "staffing"}
        await boss.write("subportal.put", subportal="help-1", overflow=[nobody, {"on": "length", "length": 9}])
        joe = await b.customer()
        await joe.ask("subscribe", stream="me", from_="now")
        made = await joe.write("request.create", text="x")
        assert made["state"] == "converted"
        assert (await joe.event("request.ended")).data["state"] == "converted"
        await boss.write("subportal.put", subportal="help-1", overflow=[{**nobody, "to": "help-2"}])
        again = await joe.write("request.create", text="x")
        assert again["state"] == "waiting"
        moved = await joe.event("request.moved")
        assert moved.data == {"request": again["request"], "from": "help-1", "to": "help-2", "on": "staffing"}


async def test_a_deadline_that_fires_after_a_command_of_the_same_tick_is_no_earlier(autojump_clock: MockClock) -> None:
    async with broker() as b:
        account, conductor = b.hub.accounts["acme"], b.hub.conductor
        ann, joe = await b.staff("ann"), await b.customer()
        await ann.write("presence.set", presence="available")
        await joe.write("request.create", text="hello")
        await b.settle()
        due = account.desk.next_deadline()
        assert due is not None
        b.clock.raise_to(due + 5)  # the tick began when it was due, and has taken this long
        conductor.tell(account, Audit("boss", Role.MANAGER, None, "account.get", "x"))
        before = account.seq
        conductor._wake(account, due)
        assert account.seq > before
        await b.settle(1)
        assert b.hub.recovery.statistics().outages == 0
