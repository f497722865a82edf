"""Typing and reading: told to the others at once, to nobody else, and never kept. And how fast a customer may write."""
# covers: broker/runtime/hub_statistics.py broker/runtime/talk.py

from __future__ import annotations

import pytest
from trio.testing import MockClock

from broker.codes import Code
from broker.protocol import check, frames
from broker.runtime.options import Options
from tests.runtime.harness import Broker, Client, Refused, broker


async def talking(b: Broker) -> tuple[Client, Client, str]:
    """A customer, the representative, and their session, which both follow."""
    ann, carl = await b.staff("ann"), await b.customer()
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    asked = await carl.write("request.create", text="x")
    await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
    session = str(asked["session"])
    for client in (ann, carl):
        await client.ask("subscribe", stream=f"session:{session}", from_="now")
    return ann, carl, session


def heard(client: Client) -> list[tuple[str, dict[str, object]]]:
    """(type, data) of the notices that came since the last look."""
    found = [frame for frame in client.pump() if isinstance(frame, frames.Notice) and frame.type.startswith("chat.")]
    for notice in found:
        check.check_notice(notice.type, notice.data)
    return [(notice.type, dict(notice.data)) for notice in found]


async def test_the_other_one_sees_who_writes_and_who_has_read_and_the_journal_knows_nothing_of_it(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        ann, carl, session = await talking(b)
        for number in range(3):
            await ann.write("chat.send", session=session, text=f"{number}")
        before = b.hub.accounts["acme"].seq
        await ann.ask("chat.typing", session=session, on=True)
        await carl.ask("chat.read", session=session, upto=3)
        with pytest.raises(Refused) as refused:
            await carl.ask("chat.read", session=session, upto=4)
        assert (refused.value.code, refused.value.fail.detail) == (
            Code.BAD_ARGS,
            {"path": "args.upto", "expected": "at most 3, which is the last message"},
        )
        assert heard(carl) == [("chat.typing", {"session": session, "role": "representative", "by": "ann", "on": True})]
        assert heard(ann) == [("chat.read", {"session": session, "role": "customer", "upto": 3})]
        assert b.hub.accounts["acme"].seq == before
        assert b.hub.talk.told == 2


async def test_what_was_read_stays_read_whichever_device_lags_behind(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, carl, session = await talking(b)
        for number in range(4):
            await ann.write("chat.send", session=session, text=f"{number}")
        visitor = str(carl.welcome.identity["visitor"])  # type: ignore[union-attr]
        other = await b.customer(visitor=visitor)
        for device, upto in ((carl, 2), (other, 3), (carl, 1), (other, 3), (carl, 4), (other, 2)):
            await device.ask("chat.read", session=session, upto=upto)
        await ann.ask("chat.read", session=session, upto=1)
        assert [data["upto"] for _, data in heard(ann)] == [2, 3, 3, 4]
        assert [data["upto"] for _, data in heard(carl)] == [1]


async def test_who_is_in_no_such_session_is_refused_and_nobody_hears_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, _, session = await talking(b)
        eve = await b.customer()
        for client, op, args in ((eve, "chat.typing", {"on": True}), (ann, "chat.read", {"upto": 1})):
            with pytest.raises(Refused) as refused:
                await client.ask(op, session=session if client is eve else "s_none", **args)
            assert refused.value.code == Code.NO_SUCH
        assert heard(ann) == []


async def test_it_waits_for_what_it_rests_on(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, carl, session = await talking(b)
        b.journal.hold()
        carl.ask_nowait("chat.send", "k1", session=session, text="hello")
        carl.ask_nowait("chat.typing", session=session, on=False)
        await b.settle()
        assert heard(ann) == []
        b.journal.release()
        await b.settle()
        assert heard(ann) == [("chat.typing", {"session": session, "role": "customer", "on": False})]


async def test_a_customer_writes_no_faster_than_anybody_types(autojump_clock: MockClock) -> None:
    async with broker(Options(chat_rate=(2, 3))) as b:
        ann, carl, session = await talking(b)
        for number in range(3):
            assert (await carl.write("chat.send", session=session, text="x"))["message_seq"] == number + 1
        with pytest.raises(Refused) as refused:
            await carl.write("chat.send", session=session, text="x")
        assert (refused.value.code, refused.value.fail.retry_ms) == (Code.RATE, 501)
        for number in range(8):  # representatives have their own bound
            assert (await ann.write("chat.send", session=session, text="x"))["message_seq"] == number + 4
