"""What is shed first, what last, and that the order is the protocol's whatever is short."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Code
from broker.protocol import ops
from broker.runtime.options import ROLES, Options
from broker.runtime.overload import BACKLOG, RANKS, RESERVE, Rank, rank_of, spare
from broker.runtime.rates import Bucket
from tests.runtime.harness import Broker, Client, Refused, broker

FAST = {role: attrs.evolve(found, rate=(1e6, 1e6), inflight=1000) for role, found in ROLES.items()}


def test_every_operation_has_its_rank() -> None:
    assert sorted(ops.OPS.keys() - RANKS.keys()) == []
    assert sorted(RANKS.keys() - ops.OPS.keys()) == []


@pytest.mark.parametrize(
    "op",
    [
        "offer.accept",
        "offer.decline",
        "session.end",
        "session.leave",
        "request.withdraw",
        "auth.refresh",
        "share.accept",
        "share.confirm",
        "share.decline",
        "share.stop",
        "share.control",
    ],
)
def test_accept_decline_end_and_consent_are_never_shed(op: str) -> None:
    assert RANKS[op] is Rank.VITAL


def test_reports_go_before_new_requests_and_those_before_talk() -> None:
    assert list(BACKLOG) == list(RESERVE) == sorted(Rank)
    assert sorted(BACKLOG.values()) == list(BACKLOG.values())
    assert sorted(RESERVE.values(), reverse=True) == list(RESERVE.values())


@pytest.mark.parametrize(
    ("stream", "start", "rank"),
    [
        ("me", "offset", Rank.TALK),
        ("session:s_1", "snapshot", Rank.TALK),
        ("account", "now", Rank.TALK),
        ("account", "time", Rank.REPORT),
        ("team:t1", "snapshot", Rank.REPORT),
        ("subportal:help", "offset", Rank.REPORT),
    ],
)
def test_somebody_elses_past_is_history_and_coming_back_is_not(stream: str, start: str, rank: Rank) -> None:
    assert rank_of(ops.Subscribe(stream=stream, from_=start)) is rank


@given(st.lists(st.tuples(st.sampled_from(Rank), st.integers(0, 50)), max_size=200))
def test_a_lower_rank_is_never_admitted_where_a_higher_one_is_not(steps: list[tuple[Rank, int]]) -> None:
    budget, now = Bucket(100, 40), 1_000_000
    budget.take(now, 0)
    for rank, pause in steps:
        now += pause
        waits = [budget.wait(now, 1 + RESERVE[one] * 39) for one in Rank]
        assert waits == sorted(waits, reverse=True)
        got = spare(budget, rank, now)
        assert (got == 0) == (rank is Rank.VITAL or waits[rank] == 0)
        assert budget.tokens >= 0


_KEYS = itertools.count()


async def tried(client: Client, op: str, **args: object) -> int:
    """The code of the refusal, 0 for none yet."""
    number = client.ask_nowait(op, f"tried-{next(_KEYS)}", **args)
    try:
        await client.answer(number)
    except Refused as refused:
        return refused.code
    return 0


async def fill(b: Broker, boss: Client, records: int) -> None:
    """Ordinary commands until so many records wait for the journal, which commits nothing."""
    b.journal.hold()
    while b.hub.ledger.statistics().records < records:
        number = next(_KEYS)
        capacity = 2 + number % 2  # what changes nothing would fill nothing
        boss.ask_nowait(
            "representative.put", f"fill-{number}", representative="bob", name="B", team="t1", capacity=capacity
        )
        await b.settle()


async def test_with_a_journal_held_back_reports_go_first_then_new_requests(autojump_clock: MockClock) -> None:
    async with broker(Options(open_batch_records=40, roles=FAST)) as b:
        carl, eve, ann = await b.customer(), await b.customer(), await b.staff("ann")
        made = await carl.write("request.create", text="x")
        boss = await b.staff("boss", "manager")
        await fill(b, boss, 10)
        assert await tried(boss, "account.get") == Code.OVERLOADED
        assert await tried(boss, "subscribe", stream="account", from_="time", time=0) == Code.OVERLOADED
        asked = eve.ask_nowait("request.create", "e1", text="x")  # admitted: it waits like all the others
        await b.settle()
        await fill(b, boss, 20)
        assert await tried(eve, "pin.redeem", pin="123456789") == Code.OVERLOADED
        await fill(b, boss, 40)
        assert await tried(boss, "team.put", team="t9", subportals=[]) == Code.OVERLOADED
        ends = carl.ask_nowait("request.withdraw", "w", request=made["request"])
        away = ann.ask_nowait("presence.set", "a", presence="away")
        b.journal.release()
        await carl.answer(ends)
        await ann.answer(away)
        await eve.answer(asked)
        sheds = b.hub.requests.sheds
        assert (sheds["report"], sheds["new"], sheds["vital"]) == (2, 1, 0)
        assert sheds["talk"] >= 1
        assert b.hub.answers.refusals["overloaded"] == sum(sheds.values()) == b.hub.statistics().requests.shed


async def test_an_account_past_its_budget_sheds_in_the_same_order(autojump_clock: MockClock) -> None:
    slow = Options(account_rate=(0.001, 100), roles=FAST, commit_rate=(1e6, 1e6))
    async with broker(slow, accounts=(("acme", 0), ("bolt", 1))) as b:
        boss, other, carl = (
            await b.staff("boss", "manager"),
            await b.staff("boss", "manager", "bolt"),
            await b.customer(),
        )
        made = await carl.write("request.create", text="x")
        got = {"account.get": 0, "team.put": 0}
        while await tried(boss, "account.get") == 0:
            got["account.get"] += 1
        assert await tried(boss, "team.put", team="t9", subportals=[]) == 0
        while (code := await tried(boss, "team.put", team=f"t{got['team.put']}", subportals=[])) == 0:
            got["team.put"] += 1
        assert code == Code.OVERLOADED
        assert got["account.get"] >= 3
        assert got["team.put"] >= 3
        assert await tried(carl, "portal.open") == Code.OVERLOADED
        await carl.write("request.withdraw", request=made["request"])
        assert await tried(other, "account.get") == 0


async def test_history_waits_when_many_ask_for_it(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.runtime.requests.ASKED_HISTORY", 2)
    async with broker(Options(roles=FAST)) as b:
        boss = await b.staff("boss", "manager")
        b.journal.hold()
        for _ in range(2):
            b.hub.asks.ask("texts", "acme", [], then=lambda reply: None)
        assert await tried(boss, "request.why", request="r_1") == Code.OVERLOADED
        b.journal.release()
