"""E-mails to customers of cases, to a real mail server: taken, deferred, refused, and across a restart (G10)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from broker import limits
from broker.codes import Code
from broker.desk.commands import Audit
from broker.desk.events import CaseMailAttempted
from broker.desk.identity import Role
from broker.desk.outcome import Recorded
from broker.identity.mail import Mailer, Pace
from broker.identity.smtp import Attempt, Came, Courier, Settings
from broker.journal.base import Reply
from broker.journal.memory import MemoryStore
from broker.protocol import fields
from broker.runtime.account import Account, Standing
from broker.runtime.batches import Later, Part
from broker.runtime.case_mail import CaseMails
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


@pytest.mark.parametrize("op", ["request.create", "request.convert"])
@pytest.mark.parametrize("email", ["kim", "   ", "a@b.org\r\nBcc: c@d.org", "a@b.org,c@d.org", "kïm@example.org"])
async def test_an_address_that_no_mail_can_go_to_is_refused_while_its_customer_can_mend_it(
    autojump_clock: MockClock, op: str, email: str
) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        kim = await b.customer("acme/ask")
        made = await kim.write("request.create", text="Why?")
        args = {"request": made["request"]} if op == "request.convert" else {"text": "Why?"}
        with pytest.raises(Refused) as refused:
            await kim.write(op, email=email, **args)
        assert refused.value.fail.code == Code.BAD_ARGS
        assert (refused.value.fail.detail or {})["path"] == "args.email"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("one\r\ntwo\rthree\u2028four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("a\tb", "a\tb"),
        ("bell\x07 and \x1b[31mred", "bell and [31mred"),
    ],
)
async def test_what_is_pasted_or_typed_elsewhere_is_sent_as_it_reads(
    autojump_clock: MockClock, written: str, sent: str
) -> None:
    async with broker() as b:
        case, _, _ = await left(b)
        ann = await b.staff("ann")
        await ann.write("case.take", case=case)
        for subject in ("Hi\r\nBcc: x@y.org", "\t\x00"):
            await ann.write("case.mail", case=case, text=written, subject=subject)
        await b.settle(0.5)
        assert [mail.text for mail in b.post.mails] == [sent, sent]
        assert [mail.subject for mail in b.post.mails] == ["Hi Bcc: x@y.org", "Your question (1)"]


async def test_an_address_from_before_they_were_looked_at_fails_at_once(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "is_address", lambda text: True)
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


def keep_busy(b: Broker) -> list[int]:
    """From now on the account decides something new whenever something of it is committed: there is never nothing that
    isn't on disk. How many times it has."""
    account, conductor = b.hub.accounts["acme"], b.hub.conductor
    decided, seen = conductor.decided, [0]

    def again() -> None:
        seen[0] += 1
        conductor.tell(account, Audit("boss", Role.MANAGER, None, "account.get", "x"))

    def busy(part: Part, records: Sequence[Recorded]) -> None:
        part.waiting.insert(0, Later(again))  # before what else waits for this commit
        decided(part, records)

    conductor.decided = busy
    again()
    return seen


async def test_a_busy_account_mails_too(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with broker() as b:
        account = b.hub.accounts["acme"]
        looked: list[bool] = []
        look = CaseMails.look

        def watched(self: CaseMails, one: Account) -> None:
            looked.append(bool(one.parts))
            look(self, one)

        monkeypatch.setattr(CaseMails, "look", watched)
        commits = keep_busy(b)
        _, case = await answered(b)
        await b.settle(1)
        assert [mail.text for mail in b.post.mails] == [MAIL]
        told = b.post.told[0]
        assert told is not None
        told(SENT, "sent")
        await b.settle(limits.CASE_MAIL_SWEEP / 1000 + 1)
        assert recorded(b, case) == [("sent", 1, 0)]
        assert len(b.post.mails) == 1
        assert commits[0] > 10
        assert looked
        assert all(looked), "something of the account was uncommitted whenever it was looked at"
        assert account.parts


@pytest.mark.parametrize("outcome", ["written", "lost"])
async def test_nothing_is_mailed_before_its_own_commit(autojump_clock: MockClock, outcome: str) -> None:
    async with broker() as b:
        account, case = b.hub.accounts["acme"], (await left(b))[0]
        ann = await b.staff("ann")
        await ann.write("case.take", case=case)
        b.journal.hold()
        asked = ann.ask_nowait("case.mail", "once", case=case, text=MAIL)
        await b.settle(0.5)
        assert account.desk.state.case_mails, "the desk has it already"
        for _ in range(3):
            b.hub.case_mail.look(account)
            assert not b.hub.case_mail._sending, "it isn't even read"
            await b.settle(0.5)
        assert b.post.mails == []
        if outcome == "lost":
            b.journal.fail_next()
        b.journal.release()
        if outcome == "written":
            await ann.answer(asked)
        await b.settle(limits.CASE_MAIL_SWEEP / 1000 + 1)
        assert [mail.text for mail in b.post.mails] == ([MAIL] if outcome == "written" else [])


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


async def test_what_was_deferred_is_taken_back_with_its_case(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, case = await answered(b)
        other, _, _ = await left(b, email="joe@example.org")
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await ann.write("case.take", case=other)
        await ann.write("case.mail", case=other, text=MAIL)
        await b.settle(0.5)
        told = b.post.told[0]
        assert told is not None
        told(LATER, "deferred")
        await boss.write("case.delete", case=case)
        assert (len(b.post.mails), b.post.dropped) == (2, [0])
        assert [name for _, name in b.hub.case_mail._sending] == [f"m_{other[2:]}.1"]


async def test_what_is_being_read_while_its_case_is_deleted_is_not_sent(autojump_clock: MockClock) -> None:
    async with broker() as b:
        b.post.full = True
        _, case = await answered(b)
        b.post.full = False
        account, asked = b.hub.accounts["acme"], []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(b.hub.case_mail._asks, "ask", lambda *args, then: asked.append((args[2], then)))
            b.hub.case_mail.look(account)
        boss = await b.staff("boss", "manager")
        await boss.write("case.delete", case=case)
        ((ids, then),) = asked
        then(Reply(1, dict.fromkeys(ids, EMAIL)))  # read before they were erased
        assert (b.post.mails, b.hub.case_mail._sending) == ([], {})


async def test_G9_a_deferred_e_mail_never_comes_once_its_case_is_erased(autojump_clock: MockClock) -> None:
    """As with a mail server that answers 451 until the case is gone."""
    tried: list[bytes] = []

    async def deliver(to: str, message: bytes) -> Attempt:
        tried.append(message)
        return LATER

    mailer = Mailer(deliver, sender="desk@example.org", now=lambda: 0)
    async with trio.open_nursery() as nursery, broker(mailer=mailer) as b:
        nursery.start_soon(mailer.run)
        _, case = await answered(b)
        assert recorded(b, case) == [("deferred", 1, 451)]
        assert mailer.statistics().waiting == 1
        boss = await b.staff("boss", "manager")
        await boss.write("case.delete", case=case)
        assert (mailer._queue, mailer.statistics().waiting, mailer.statistics().dropped) == ([], 0, 1)
        await b.settle(limits.MAIL_LIFE / 1000)
        assert len(tried) == 1
        nursery.cancel_scope.cancel()


async def test_what_a_lost_deletion_took_back_is_sent_after_all(autojump_clock: MockClock) -> None:
    tried: list[bytes] = []

    async def deliver(to: str, message: bytes) -> Attempt:
        tried.append(message)
        return LATER if len(tried) == 1 else SENT

    mailer = Mailer(deliver, sender="desk@example.org", now=lambda: 0)
    async with trio.open_nursery() as nursery, broker(mailer=mailer) as b:
        nursery.start_soon(mailer.run)
        _, case = await answered(b)
        boss = await b.staff("boss", "manager")
        b.journal.fail_next()
        boss.ask_nowait("case.delete", "once", case=case)
        await b.settle(0.5)
        assert (mailer.statistics().dropped, len(tried)) == (1, 1)
        await b.settle(limits.CASE_MAIL_SWEEP / 1000 + 5)
        assert len(tried) == 2
        assert recorded(b, case) == [("deferred", 1, 451), ("sent", 2, 0)]
        nursery.cancel_scope.cancel()


async def test_while_an_account_is_read_anew_its_e_mails_wait(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await answered(b)
        wanted = b.post.wanted[0]
        assert wanted is not None
        assert wanted()
        account = b.hub.accounts["acme"]
        account.standing = Standing.LOADING
        assert not wanted()
        account.standing = Standing.UP
        b.hub.case_mail.look(account)
        await b.settle(0.5)
        assert [mail.text for mail in b.post.mails] == [MAIL, MAIL]
