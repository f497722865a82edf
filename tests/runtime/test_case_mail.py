"""E-mails to customers of cases, to a real mail server: taken, deferred, refused, and across a restart (G10)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from broker.desk.events import CaseMailAttempted
from broker.identity.mail import Mailer, Pace
from broker.identity.smtp import Attempt, Came, Courier, Settings
from broker.journal.memory import MemoryStore
from broker.runtime.why import event_of
from tests.identity.post_office import PostOffice
from tests.runtime.harness import Broker, Client, Refused, broker
from tests.runtime.test_cases import EMAIL, MAIL, left

SENT, LATER, NO = Attempt(Came.SENT), Attempt(Came.AGAIN, "deferred", 451), Attempt(Came.NEVER, "refused", 550)


async def answered(b: Broker, email: str = EMAIL, **more: object) -> tuple[Client, str]:
    """A support request that somebody answers; who, and its case."""
    case, _, _ = await left(b, email=email)
    ann = await b.staff("ann")
    await ann.write("case.take", case=case)
    await ann.write("case.mail", case=case, text=MAIL, **more)
    await b.settle(0.5)
    return ann, case


def recorded(b: Broker, case: str) -> list[tuple[str, int, int]]:
    """(state, attempt, code) of the attempts so far."""
    found = b.store.stream("acme", f"session:s_{case[2:]}:staff", 0, 100)
    events = [event_of(record) for _, record in found]
    return [(one.state, one.attempt, one.code) for one in events if isinstance(one, CaseMailAttempted)]


async def test_an_e_mail_is_handed_to_the_post_once_it_is_on_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, case = await answered(b, subject="About almonds")
        (mail,) = b.post.mails
        assert (mail.to, mail.subject, mail.text, mail.automatic) == (EMAIL, "About almonds", MAIL, False)
        (told,) = b.post.told
        assert told is not None
        told(LATER, "deferred")
        told(SENT, "sent")
        await b.settle(0.5)
        assert recorded(b, case) == [("deferred", 1, 451), ("sent", 2, 0)]
        assert b.hub.accounts["acme"].desk.state.case_mails == {}
        await b.settle(30)
        assert len(b.post.mails) == 1


async def test_a_refused_one_is_given_up_and_one_without_a_subject_has_the_number(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, case = await answered(b)
        assert b.post.mails[0].subject == "Your question (1)"
        told = b.post.told[0]
        assert told is not None
        told(NO, "failed")
        await b.settle(0.5)
        assert recorded(b, case) == [("failed", 1, 550)]


async def test_an_address_that_is_none_fails_at_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, case = await answered(b, email="no address")
        assert recorded(b, case) == [("failed", 1, 0)]


async def test_what_waits_when_the_broker_stops_is_sent_by_the_next_one(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        b.post.full = True
        _, case = await answered(b)
        assert b.post.mails == []
    async with broker(store=store, furnished=False) as b:
        await b.settle(30)
        (mail,) = b.post.mails
        assert (mail.to, mail.text) == (EMAIL, MAIL)
        assert set(b.hub.accounts["acme"].desk.state.case_mails) == {f"m_{case[2:]}.1"}


async def test_G10_a_real_server_defers_refuses_and_takes_what_a_stopped_broker_left() -> None:
    """In real time: the server is a thread that speaks SMTP."""
    store = MemoryStore()
    async with broker(store=store) as b:
        b.post.full = True
        _, first = await answered(b, subject="About almonds")
    office = PostOffice()
    office.post.at_data.extend(["451 later", "250 taken by somebody else", "550 no"])
    office.start()
    try:
        courier = Courier(Settings(host="127.0.0.1", port=office.port, sender="desk@example.org", security="none"))
        mailer = Mailer(courier.deliver, sender="desk@example.org", now=lambda: 0, pace=Pace(pause=1))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery, broker(store=store, mailer=mailer, furnished=False) as b:
                nursery.start_soon(mailer.run)
                b.hub.case_mail.look(b.hub.accounts["acme"])  # as after CASE_MAIL_SWEEP
                await _over(b)
                assert recorded(b, first) == [("deferred", 1, 451), ("sent", 2, 0)]
                _, second = await answered(b)
                await _over(b)
                assert recorded(b, second) == [("failed", 1, 550)]
                await answered(b)
                await _over(b)
                nursery.cancel_scope.cancel()
    finally:
        office.stop()
    (envelope,) = office.post.taken
    assert isinstance(envelope.content, bytes)
    assert envelope.rcpt_tos == [EMAIL]
    assert MAIL.encode() in envelope.content
    assert b"Reply-To: help@example.org\r\n" in envelope.content
    assert b"Auto-Submitted" not in envelope.content


async def _over(b: Broker) -> None:
    """Until nothing is on its way any more, and all of that is on disk."""
    account = b.hub.accounts["acme"]
    while account.desk.state.case_mails or account.parts:
        await trio.sleep(0.01)


async def test_without_a_server_nobody_writes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        b.hub.case_mail._post = None
        case, _, _ = await left(b)
        ann = await b.staff("ann")
        await ann.write("case.take", case=case)
        with pytest.raises(Refused) as refused:
            await ann.write("case.mail", case=case, text=MAIL)
        assert (refused.value.code, (refused.value.fail.detail or {})["state"]) == (2410, "no_mail")


async def test_what_is_deleted_is_not_sent(autojump_clock: MockClock) -> None:
    async with broker() as b:
        b.post.full = True
        _, case = await answered(b)
        boss = await b.staff("boss", "manager")
        await boss.write("case.delete", case=case)
        b.post.full = False
        await b.settle(30)
        assert b.post.mails == []
