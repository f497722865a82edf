"""A sign-in is kept alive: over expiries, cuts and lost answers, without a secret where it could be read."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close
from broker.protocol.ops import MetaSchema, PasswordSet
from clients.python import errors
from clients.python.client import open_client
from clients.python.keeping import DOUBTFUL_PAUSE, REFRESH_AT, Keeper
from clients.python.settings import Auth, Login, Tokens
from tests.clients.python.fake_broker import FakeBroker, farewell
from tests.clients.python.sign_ins import PASSWORD, SignIns
from tests.clients.python.world import URL, settings

LOGIN = Auth(login=Login(account="acme", role="representative", person="ann", password=PASSWORD))
HOUR = 3600


async def test_a_password_is_shown_once_and_the_access_token_brings_it_back(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    sign_ins, told = SignIns(broker), list[Tokens]()
    async with open_client(URL, LOGIN, settings=settings(broker, on_tokens=told.append)) as ann:
        assert (ann.identity.sign_in, ann.identity.must_change) == ("n_1", False)
        assert (
            ann.tokens == told[0] == Tokens(token="access-0", refresh="refresh-0", expires=sign_ins.now() + 3_600_000)
        )
        for _ in range(3):
            await ann.cut()
            await ann.request(MetaSchema())
        assert LOGIN is not ann._line._auth
    assert [list(auth) for auth in broker.auths] == [["login"], ["token"], ["token"], ["token"]]
    assert (sign_ins.logins, len(told)) == (1, 1)


async def test_the_next_tokens_are_asked_for_before_the_last_fifth_of_their_life(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    sign_ins, told = SignIns(broker), list[tuple[float, Tokens]]()
    started = trio.current_time()

    def keep(tokens: Tokens) -> None:
        told.append((trio.current_time() - started, tokens))

    async with open_client(URL, LOGIN, settings=settings(broker, on_tokens=keep)):
        await trio.sleep(10 * HOUR)
    assert broker.dials == 1  # nothing expired
    times = [at for at, _ in told]
    lives = [(later - before) / HOUR for before, later in pairwise(times)]
    assert all(REFRESH_AT[0] <= life <= REFRESH_AT[1] + 0.01 for life in lives)
    assert len(set(lives)) > 1  # drawn
    assert [tokens.refresh for _, tokens in told] == [f"refresh-{number}" for number in range(len(told))]
    assert sign_ins.live


async def test_coming_back_puts_no_refresh_off(autojump_clock: MockClock, broker: FakeBroker) -> None:
    sign_ins = SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        for _ in range(6):
            await trio.sleep(HOUR / 7)
            await ann.cut()
        await trio.sleep(1)
        assert sign_ins.refreshes == 1
    assert not any("refresh" in auth for auth in broker.auths)


async def test_after_the_access_token_has_expired_the_refresh_token_signs_in(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    sign_ins = SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        broker.refuse = [OSError("away")] * 10_000
        await ann.cut()
        await trio.sleep(2 * HOUR)
        broker.refuse.clear()
        await ann.request(MetaSchema())
    assert [list(auth) for auth in broker.auths] == [["login"], ["refresh"]]
    assert (sign_ins.live, sign_ins.refreshes, sign_ins.logins) == (True, 1, 1)


async def test_an_access_token_that_the_broker_calls_expired_gives_way_to_the_refresh_token(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        await broker.peers[0].end(farewell(Close.TOKEN_EXPIRED))
        await ann.request(MetaSchema())
    assert [list(auth) for auth in broker.auths] == [["login"], ["refresh"]]


@pytest.mark.parametrize("lost", [1, 2, 4])
async def test_a_lost_answer_is_asked_for_again_with_the_same_refresh_token(
    autojump_clock: MockClock, broker: FakeBroker, lost: int
) -> None:
    sign_ins, told = SignIns(broker, lost=lost), list[Tokens]()
    async with open_client(URL, LOGIN, settings=settings(broker, on_tokens=told.append)):
        await trio.sleep(HOUR)
        assert (sign_ins.live, sign_ins.refreshes) == (True, 1)
    assert [tokens.refresh for tokens in told] == ["refresh-0", "refresh-1"]


async def test_an_hour_of_the_clocks_apart_changes_nothing(autojump_clock: MockClock, broker: FakeBroker) -> None:
    sign_ins = SignIns(broker)
    broker.clock = sign_ins.now  # a billion seconds from ours, in ``world``
    async with open_client(URL, LOGIN, settings=settings(broker)):
        await trio.sleep(HOUR / 2)
        assert sign_ins.refreshes == 0
        await trio.sleep(HOUR / 2)
        assert sign_ins.refreshes == 1


async def test_a_sign_in_that_is_over_ends_it_clearly(autojump_clock: MockClock, broker: FakeBroker) -> None:
    sign_ins = SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        sign_ins.live = False
        await broker.peers[0].end(farewell(Close.BAD_AUTH, "signed out"))
        with pytest.raises(errors.SignInOver, match=r"signed out: sign in again \(4500\)"):
            await ann.request(MetaSchema())
    assert broker.dials == 1
    assert isinstance(ann._line.failure, errors.BadAuth)


async def test_a_refused_refresh_is_found_out_at_the_next_connection(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    sign_ins = SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        sign_ins.live = False
        await trio.sleep(HOUR * 0.9)
        assert ann.connected
        await broker.peers[0].end(farewell(Close.TOKEN_EXPIRED))
        with pytest.raises(errors.SignInOver):
            await ann.request(MetaSchema())


async def test_a_wrong_password_is_no_sign_in_that_is_over(autojump_clock: MockClock, broker: FakeBroker) -> None:
    SignIns(broker)
    wrong = Auth(login=Login(account="acme", role="representative", person="ann", password="wrong-Secret"))
    with pytest.raises(errors.BadAuth) as caught:
        async with open_client(URL, wrong, settings=settings(broker)):
            pass
    assert type(caught.value) is errors.BadAuth
    assert "wrong-Secret" not in repr(caught.value) + str(caught.value)


async def test_a_later_run_goes_on_with_what_was_kept(autojump_clock: MockClock, broker: FakeBroker) -> None:
    sign_ins, kept = SignIns(broker), list[Tokens]()
    async with open_client(URL, LOGIN, settings=settings(broker, on_tokens=kept.append)):
        pass
    async with open_client(URL, Auth.again(kept[-1]), settings=settings(broker, on_tokens=kept.append)):
        assert len(kept) == 1  # the access token was good
    await trio.sleep(2 * HOUR)
    async with open_client(URL, Auth.again(kept[-1]), settings=settings(broker, on_tokens=kept.append)):
        assert len(kept) == 2
    async with open_client(URL, Auth(refresh=kept[-1].refresh), settings=settings(broker, on_tokens=kept.append)):
        assert len(kept) == 3
    assert [list(auth) for auth in broker.auths] == [["login"], ["token"], ["token"], ["refresh"], ["refresh"]]
    assert sign_ins.live


async def test_a_key_is_shown_at_each_connection(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with open_client(URL, Auth(key="hg_k"), settings=settings(broker)) as crm:
        await crm.cut()
        await crm.request(MetaSchema())
    assert broker.auths == [{"key": "hg_k"}, {"key": "hg_k"}]


async def test_a_function_is_asked_until_there_is_a_sign_in(autojump_clock: MockClock, broker: FakeBroker) -> None:
    SignIns(broker)
    asked: list[str] = []

    async def ask() -> Auth:
        asked.append("ann")
        return LOGIN

    broker.refuse = [OSError("away"), None]
    async with open_client(URL, ask, settings=settings(broker, patient=True)) as ann:
        await ann.cut()
        await ann.request(MetaSchema())
    assert len(asked) == 2


@pytest.mark.parametrize("after", [0, 1])
async def test_what_the_applications_hook_raises_comes_out_of_its_calls(
    autojump_clock: MockClock, broker: FakeBroker, after: int
) -> None:
    SignIns(broker)
    told: list[Tokens] = []

    def keep(tokens: Tokens) -> None:
        if len(told) == after:
            raise OSError("the disk is full")
        told.append(tokens)

    async def play() -> None:
        async with open_client(URL, LOGIN, settings=settings(broker, on_tokens=keep)) as ann:
            await trio.sleep(HOUR)
            await ann.request(MetaSchema())

    with pytest.raises(OSError, match="the disk is full"):
        await play()


async def test_a_renewal_by_hand_replaces_what_is_kept(autojump_clock: MockClock, broker: FakeBroker) -> None:
    sign_ins = SignIns(broker)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        await ann.call("auth.refresh", {"refresh": "refresh-0"})
        assert ann.tokens is not None
        assert ann.tokens.refresh == "refresh-1"
        await trio.sleep(HOUR)
        assert (sign_ins.live, sign_ins.serial) == (True, 2)


async def test_a_password_that_must_be_changed_is_flagged_until_it_is(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    SignIns(broker, restricted=True)
    async with open_client(URL, LOGIN, settings=settings(broker)) as ann:
        assert ann.identity.must_change
        await ann.request(PasswordSet("a", "b", "bo"))
        assert ann.identity.must_change  # somebody else's
        await ann.request(PasswordSet("a", "b"))
        assert not ann.identity.must_change


WELCOMED = 1000
"""Bytes after which a connection has had its WELCOME."""


# --- any series of cuts -------------------------------------------------------------------------------


@attrs.frozen
class Play:
    """What a client went through."""

    cuts: list[int]
    away: list[int]
    """Minutes between two things that happen."""


async def played(play: Play) -> tuple[SignIns, list[Tokens], list[str]]:
    """A day of a client whose connections break after so many bytes."""
    told: list[Tokens] = []
    unknown: list[str] = []
    async with trio.open_nursery() as nursery:
        broker = FakeBroker(nursery, cuts=iter(play.cuts), heartbeat_ms=600_000)
        sign_ins = SignIns(broker, life=600_000)

        def seen(shown: str) -> None:
            if shown not in [tokens.refresh for tokens in told]:
                unknown.append(shown)

        sign_ins.seen = seen
        async with open_client(
            "http://broker", LOGIN, settings=settings(broker, on_tokens=told.append, patient=True)
        ) as ann:
            for minutes in play.away:
                await trio.sleep(60 * minutes)
                await ann.cut()
                await ann.request(MetaSchema())
        nursery.cancel_scope.cancel()
    return sign_ins, told, unknown


def bearable(cuts: list[int]) -> bool:
    """Two tries in a row may come to nothing while a refresh is in doubt: a dead one is noticed after 20 s, and the
    broker takes the token once more for 60 s (``keeping.DOUBTFUL_PAUSE``)."""
    return all(max(three) > WELCOMED for three in zip(cuts, cuts[1:], cuts[2:], strict=False))


cuts_ = st.lists(st.integers(0, 1500), max_size=8).filter(bearable)


@pytest.mark.slow
@given(st.builds(Play, cuts_, st.lists(st.integers(0, 30), max_size=6)))
def test_no_bearable_series_of_cuts_ends_a_sign_in(play: Play) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    sign_ins, told, unknown = trio.run(played, play, clock=clock)
    assert sign_ins.why is None
    assert unknown == []  # the application knows a refresh token before it is used
    serials = [int(tokens.refresh.partition("-")[2]) for tokens in told]
    newest = serials[serials.index(0) :] if 0 in serials else serials
    assert newest == sorted(newest)


def test_a_client_that_shows_old_refresh_tokens_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "asking", lambda keeper: "refresh-0")
    clock = trio.testing.MockClock(autojump_threshold=0)
    with pytest.RaisesGroup(errors.SignInOver):
        trio.run(played, Play([], [30]), clock=clock)


def test_the_broker_of_these_tests_ends_a_sign_in_whose_old_token_is_shown() -> None:
    async def stolen() -> SignIns:
        async with trio.open_nursery() as nursery:
            sign_ins = SignIns(FakeBroker(nursery))
            sign_ins.admit({"login": {"password": PASSWORD}})
            for number in range(2):
                assert sign_ins.refresh(f"refresh-{number}") is not None
            assert sign_ins.refresh("refresh-0") is None
            return sign_ins

    assert trio.run(stolen).why == "refresh-0 came after refresh-2"


# --- what is kept, by itself ----------------------------------------------------------------------------


def pair(number: int, expires: int) -> dict[str, object]:
    return {"token": f"a{number}", "refresh": f"r{number}", "expires": expires}


@given(st.integers(1, 10**9), st.integers(0, 10**12), st.integers(0, 10**12), st.integers())
def test_the_next_is_due_within_the_life_of_this_one(life: int, now: int, t_ms: int, seed: int) -> None:
    keeper = Keeper(random.Random(seed))
    keeper.welcomed(pair(0, t_ms + life), t_ms, now)
    assert keeper.due is not None
    assert now + int(life * REFRESH_AT[0]) <= keeper.due <= now + life * REFRESH_AT[1]
    assert keeper.auth(None, now) == Auth(token="a0")
    assert keeper.auth(None, now + life) == Auth(refresh="r0")
    assert keeper.doubtful
    assert keeper.pause(10**6) == DOUBTFUL_PAUSE


def test_while_nothing_is_in_doubt_pauses_are_as_they_were() -> None:
    keeper = Keeper(random.Random(1))
    assert keeper.pause(10**6) == 10**6
    keeper.take(pair(0, 1000), 0)
    assert keeper.asking() == "r0"
    assert keeper.pause(10**6) == DOUBTFUL_PAUSE
    keeper.take(pair(1, 2000), 0)
    assert keeper.pause(10**6) == 10**6


def test_a_token_without_a_sign_in_is_never_renewed() -> None:
    keeper = Keeper(random.Random(1))
    assert keeper.auth(Auth(token="t"), 0) == Auth(token="t")
    keeper.welcomed({"expires": 1000}, 0, 0)
    assert (keeper.due, keeper.tokens, keeper.expired()) == (None, None, False)


def test_a_refresh_that_is_refused_for_now_is_tried_again_and_another_is_not() -> None:
    keeper = Keeper(random.Random(1))
    keeper.take(pair(0, 1000), 0)
    keeper.refused(100, later=True)
    assert 5_000 <= cast("int", keeper.due) - 100 <= 10_000
    keeper.refused(100, later=False)
    assert keeper.due is None


# --- secrets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holder",
    [
        LOGIN,
        LOGIN.login,
        Auth(token="Xsecret", refresh="Xsecret"),
        Auth(key="Xsecret"),
        Tokens(token="Xsecret", refresh="Xsecret", expires=1),
        Keeper(random.Random(1), tokens=Tokens(token="Xsecret", refresh="Xsecret", expires=1)),
    ],
)
def test_secrets_are_not_printed(holder: object) -> None:
    assert "Xsecret" not in repr(holder)
    assert PASSWORD not in repr(holder) + str(holder)


def test_a_password_that_can_not_be_sent_is_refused_without_being_told() -> None:
    with pytest.raises(ValueError, match="password: expected characters") as caught:
        Login(account="acme", role="manager", person="mia", password="Xsecret\udcff")
    seen: list[BaseException | None] = [caught.value, caught.value.__cause__]
    assert not any("Xsecret" in repr(each) for each in seen)
    assert caught.value.__suppress_context__


def test_what_goes_into_hello_is_what_the_protocol_has() -> None:
    told: dict[str, Any] = {"account": "acme", "role": "representative", "person": "ann", "password": PASSWORD}
    assert LOGIN.fields() == {"login": told}
    assert Auth(portal="a/b", entry="e").fields() == {"portal": "a/b", "entry": "e"}
