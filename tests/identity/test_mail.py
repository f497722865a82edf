"""The queue: what is taken is sent, tried again or given up within bounds, and counted; nothing is tried for ever."""

import gc
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import CoroutineType

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from broker import limits
from broker.identity.letters import Mail
from broker.identity.mail import Mailer, Pace, Statistics, _Item
from broker.identity.smtp import Attempt, Came, Courier, Settings
from broker.units import MINUTES, SECONDS
from tests.identity.post_office import PostOffice

NOW = 1_700_000_000_000
SENT = Attempt(Came.SENT)
LATER = Attempt(Came.AGAIN, "deferred", 451)
NO = Attempt(Came.NEVER, "refused", 550)


def mail(to: str = "ann@example.org") -> Mail:
    return Mail(to=to, subject="x", text="hello\n")


class Server:
    """Stands in for the courier: answers each recipient by a script, the last answer for ever."""

    def __init__(self, **scripts: list[Attempt]) -> None:
        self.scripts = scripts
        self.times: dict[str, list[float]] = {}
        self.messages: list[bytes] = []
        self.hang: set[str] = set()
        self.most = self.now = 0

    async def deliver(self, to: str, message: bytes) -> Attempt:
        name = to.partition("@")[0]
        self.times.setdefault(name, []).append(trio.current_time())
        self.messages.append(message)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            with trio.CancelScope() as scope:
                if name not in self.hang:
                    scope.cancel()
                await trio.sleep_forever()
        finally:
            self.now -= 1
        script = self.scripts.get(name, [SENT])
        return script.pop(0) if len(script) > 1 else script[0]


@asynccontextmanager
async def running(
    server: Server, pace: Pace | None = None, tell: Callable[..., None] | None = None
) -> AsyncIterator[Mailer]:
    more = {} if tell is None else {"tell": tell}
    mailer = Mailer(server.deliver, sender="desk@example.org", now=lambda: NOW, pace=pace, **more)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailer.run)
        yield mailer
        nursery.cancel_scope.cancel()


async def settled(mailer: Mailer) -> Statistics:
    """The statistics once nothing waits. Its naps are what lets the clock jump."""
    with trio.fail_after(1_000_000):
        while mailer.statistics().waiting:
            await trio.sleep(1)
    return mailer.statistics()


async def test_what_is_taken_is_sent_once(autojump_clock: MockClock) -> None:
    server = Server()
    async with running(server) as mailer:
        for _ in range(20):
            mailer.send_nowait(mail())
        found = await settled(mailer)
    assert found == Statistics(waiting=0, sent=20, failed=0, retried=0, refused=0, dropped=0)
    assert len(server.messages) == 20
    assert len(set(server.messages)) == 20, "each has an id of its own"
    assert server.most <= limits.MAIL_SENDERS


async def test_deferred_mail_is_tried_again_with_longer_and_longer_pauses(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER, LATER, LATER, SENT])
    async with running(server) as mailer:
        mailer.send_nowait(mail())
        found = await settled(mailer)
    assert found == Statistics(waiting=0, sent=1, failed=0, retried=3, refused=0, dropped=0)
    first = server.times["ann"][0]
    assert [time - first for time in server.times["ann"]] == pytest.approx([0, 5, 15, 35])
    assert len(set(server.messages)) == 1, "the same message, with the same id, each time"


async def test_a_refusal_for_good_is_not_tried_again(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER, NO])
    async with running(server) as mailer:
        mailer.send_nowait(mail())
        found = await settled(mailer)
    assert found == Statistics(waiting=0, sent=0, failed=1, retried=1, refused=0, dropped=0)


async def test_it_is_given_up_after_so_many_attempts(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER])
    async with running(server) as mailer:
        mailer.send_nowait(mail())
        found = await settled(mailer)
    assert found == Statistics(waiting=0, sent=0, failed=1, retried=limits.MAIL_ATTEMPTS - 1, refused=0, dropped=0)
    assert server.times["ann"][-1] - server.times["ann"][0] > 5 * MINUTES / SECONDS, "greylisting asks for so long"


async def test_it_is_given_up_after_so_long(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER])
    pace = Pace(attempts=1000, pause=10 * SECONDS, most=10 * SECONDS, life=60 * SECONDS)
    async with running(server, pace) as mailer:
        mailer.send_nowait(mail())
        found = await settled(mailer)
    assert found.failed == 1
    assert len(server.times["ann"]) == 7
    assert server.times["ann"][-1] - server.times["ann"][0] == pytest.approx(60)


async def test_one_that_waits_or_hangs_holds_up_no_other(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER])
    server.hang.add("bo")
    async with running(server) as mailer:
        start = trio.current_time()
        for name in ("ann", "bo", "cy", "di"):
            mailer.send_nowait(mail(f"{name}@example.org"))
        await wait_all_tasks_blocked()
        assert mailer.statistics().sent == 2
        assert trio.current_time() == start
        mailer.send_nowait(mail("ed@example.org"))
        await wait_all_tasks_blocked()
        assert mailer.statistics().sent == 3
        assert mailer.statistics().waiting == 2


async def test_one_more_than_may_wait_is_refused(autojump_clock: MockClock) -> None:
    server = Server()
    server.hang.add("ann")
    async with running(server) as mailer:
        for _ in range(limits.MAX_MAILS_WAITING):
            mailer.send_nowait(mail())
        await wait_all_tasks_blocked()
        with pytest.raises(trio.WouldBlock):
            mailer.send_nowait(mail())
        found = mailer.statistics()
    assert (found.waiting, found.refused) == (limits.MAX_MAILS_WAITING, 1)


async def test_what_was_taken_before_the_start_is_sent(autojump_clock: MockClock) -> None:
    server = Server()
    mailer = Mailer(server.deliver, sender="desk@example.org", now=lambda: NOW)
    mailer.send_nowait(mail())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailer.run)
        assert (await settled(mailer)).sent == 1
        nursery.cancel_scope.cancel()


async def test_what_is_told_is_words_and_numbers(autojump_clock: MockClock) -> None:
    told: list[tuple[object, ...]] = []

    def tell(level: str, event: str, **fields: object) -> None:
        told.append((level, event, *fields.items()))

    server = Server(ann=[LATER, NO])
    async with running(server, tell=tell) as mailer:
        mailer.send_nowait(mail())
        await settled(mailer)
    assert told == [
        ("info", "mail_deferred", ("reason", "deferred"), ("number", 451)),
        ("warning", "mail_failed", ("reason", "refused"), ("number", 550)),
    ]


SECRET = b"ann@example.org"


def held(mailer: Mailer) -> bool:
    """Whether the queue, or a task that sends, holds Ann's address."""
    frames = [frame for one in gc.get_objects() if isinstance(one, CoroutineType) and (frame := one.cr_frame)]
    ours = [
        value for frame in frames if "identity/mail.py" in frame.f_code.co_filename for value in frame.f_locals.values()
    ]
    items = [one for one in (*mailer._queue, *ours) if isinstance(one, _Item)]
    return any(SECRET in value.encode() for value in ours if isinstance(value, str)) or any(
        SECRET in item.message or SECRET in item.to.encode() for item in items
    )


async def test_what_is_dropped_between_two_attempts_is_not_tried_again_and_nothing_of_it_stays(
    autojump_clock: MockClock,
) -> None:
    server = Server(ann=[LATER])
    told: list[str] = []
    async with running(server) as mailer:
        drop = mailer.send_nowait(mail(), lambda attempt, state: told.append(state))
        mailer.send_nowait(mail("bo@example.org"))
        await wait_all_tasks_blocked()
        assert held(mailer)
        drop()
        assert not held(mailer)
        drop()
        await trio.sleep(limits.MAIL_LIFE / SECONDS)
        assert (len(server.times["ann"]), told) == (1, ["deferred"])
        assert mailer.statistics() == Statistics(waiting=0, sent=1, failed=0, retried=0, refused=0, dropped=1)


async def test_an_attempt_under_way_is_cut_off_and_the_next_e_mail_takes_its_place(autojump_clock: MockClock) -> None:
    server = Server()
    server.hang.update(f"m{n}" for n in range(limits.MAIL_SENDERS))
    told: list[str] = []
    async with running(server) as mailer:
        drops = [
            mailer.send_nowait(mail(f"m{n}@example.org"), lambda attempt, state: told.append(state))
            for n in range(limits.MAIL_SENDERS)
        ]
        mailer.send_nowait(mail())
        await wait_all_tasks_blocked()
        assert "ann" not in server.times
        drops[0]()
        await wait_all_tasks_blocked()
        assert (len(server.times["ann"]), told, server.now) == (1, [], limits.MAIL_SENDERS - 1)
        assert mailer.statistics().dropped == 1


async def test_each_attempt_asks_first_whether_it_is_wanted(autojump_clock: MockClock) -> None:
    server = Server(ann=[LATER])
    answers = [True, True, False]
    async with running(server) as mailer:
        drop = mailer.send_nowait(mail(), wanted=lambda: answers.pop(0))
        found = await settled(mailer)
        assert (len(server.times["ann"]), answers, held(mailer)) == (2, [], False)
        assert (found.dropped, found.failed, found.sent) == (1, 0, 0)
        drop()
        assert mailer.statistics() == found


async def test_a_task_that_waits_for_the_next_e_mail_keeps_nothing_of_the_last(autojump_clock: MockClock) -> None:
    async with running(Server()) as mailer:
        mailer.send_nowait(mail())
        assert (await settled(mailer)).sent == 1
        assert not held(mailer)


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(1, 10**8))
def test_pauses_grow_and_are_bounded(attempts: int, pause: int, most: int) -> None:
    pace = Pace(pause=pause, most=most)
    assert 0 < pace.pause_after(attempts) <= most
    assert pace.pause_after(attempts) <= pace.pause_after(attempts + 1)
    assert pace.pause_after(1) == min(pause, most)


def test_the_default_pace_stays_within_its_life() -> None:
    pace = Pace()
    span = math.fsum(pace.pause_after(attempts) for attempts in range(1, pace.attempts))
    assert 5 * MINUTES < span < pace.life


async def test_a_real_server_that_defers_first_gets_it_in_the_end() -> None:
    office = PostOffice()
    office.post.at_data.append("451 later")
    office.start()
    try:
        courier = Courier(Settings(host="127.0.0.1", port=office.port, sender="desk@example.org", security="none"))
        mailer = Mailer(courier.deliver, sender="desk@example.org", now=lambda: NOW, pace=Pace(pause=1))
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mailer.run)
                mailer.send_nowait(mail())
                while mailer.statistics().waiting:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
    finally:
        office.stop()
    found = mailer.statistics()
    assert (found.sent, found.retried, found.failed) == (1, 1, 0)
    (envelope,) = office.post.taken
    assert isinstance(envelope.content, bytes)
    assert b"Auto-Submitted: auto-generated\r\n" in envelope.content
