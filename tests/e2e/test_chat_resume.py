"""Scenario 7 on the memory transport: cuts at every point of a message's way, of either side."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeVar

import attrs
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.journal.base import Append, Head
from broker.journal.memory import MemoryStore
from broker.runtime.options import Options
from broker.runtime.people import KeyRing
from clients.python.client import Client, open_client
from clients.python.following import Follow
from clients.python.reconnect import Pending
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth, Settings
from clients.python.talk import Talker
from tests.e2e.cutting import Cut, Dialler, Way, in_memory
from tests.e2e.talking import Before, Speaker, meet, resumes, right, talk
from tests.runtime.harness import Broker, broker

R = TypeVar("R")
SIDES = ("customer", "representative")
COUNT = 4
"""Messages of each."""
When = Literal["before", "after"]
WHEN: tuple[When, ...] = ("before", "after")
BYTES = 2000
"""A little more than a connection that is never cut carries either way."""
COMMITS = 9
"""A little more than there are after the beginning, where nothing is cut."""
PATIENCE = 300.0  # virtual seconds; below it nobody is given up who comes back within one


@attrs.frozen
class Commit:
    """At a commit a side is cut: ``before`` (decided and not stored) or ``after`` it (stored and not told)."""

    number: int
    """Of those since the talk began."""
    side: str
    when: When


@attrs.frozen
class Hold:
    """A side is cut while the journal holds its n-th message back, for so long that it is there again, or isn't."""

    number: int
    side: str
    seconds: float


@attrs.frozen
class Story:
    """What goes wrong."""

    cuts: tuple[tuple[Cut, ...], tuple[Cut, ...]] = ((), ())
    """Of the customer's connections and of the representative's, one after the other."""
    commits: tuple[Commit, ...] = ()
    holds: tuple[Hold, ...] = ()
    together: int = 1
    back_after: int = 0
    """The message after which somebody comes back in the end."""


class CuttingStore(MemoryStore):
    """Cuts at the commits that a story names."""

    def __init__(self, commits: Iterable[Commit]) -> None:
        super().__init__()
        self.diallers: dict[str, Dialler] = {}
        self._plan = list(commits)
        self._commits = 0

    def append(self, epoch: int, appends: Sequence[Append]) -> list[Head]:
        """See ``base.Store``."""
        if not self.diallers:
            return super().append(epoch, appends)
        self._commits += 1
        self._cut("before")
        heads = super().append(epoch, appends)
        self._cut("after")
        return heads

    def _cut(self, when: str) -> None:
        for plan in self._plan:
            if (plan.number, plan.when) == (self._commits, when):
                sever(self.diallers[plan.side])


def sever(dialler: Dialler) -> None:
    """Cut a side's connection, now."""
    stream = dialler.stream
    if stream is not None:
        stream.inner.pipe.abort()  # type: ignore[attr-defined]  # it is a PipeStream


def _opened(auth: Auth, dialler: Dialler, role: Callable[[Client], R]) -> AbstractAsyncContextManager[R]:
    quick = Settings(
        dial=dialler, rng=random.Random(1), clock=lambda: 0, first_pause_ms=50, most_pause_ms=200, patient=True
    )
    return open_client("http://broker", auth, role, settings=quick)


def _holding(b: Broker, nursery: trio.Nursery, side: str, dialler: Dialler, holds: Sequence[Hold]) -> Before:
    """Holds the journal back before those messages, and cuts while it does."""

    async def let_go(seconds: float) -> None:
        await trio.sleep(0.01)  # virtual: the message is with the journal by then
        sever(dialler)
        await trio.sleep(seconds)
        b.journal.release()

    async def before(number: int) -> None:
        await trio.lowlevel.checkpoint()
        for hold in holds:
            if (hold.number, hold.side) == (number, side):
                b.journal.hold()
                nursery.start_soon(let_go, hold.seconds)

    return before


async def play(story: Story) -> tuple[list[Speaker], int]:
    """Two talk while it goes wrong; they, and how often they dialled."""
    store = CuttingStore(story.commits)
    async with broker(Options(chat_rate=(1e6, 1e6)), store=store) as b:
        by_token = Auth(token=b.token("acme", "ann", "representative"))
        diallers = [Dialler(in_memory(b.transport), iter(())) for _ in SIDES]
        async with (
            trio.open_nursery() as nursery,
            _opened(Auth(portal="acme/help"), diallers[0], Customer) as carl,
            _opened(by_token, diallers[1], Representative) as ann,
        ):
            session = await meet(carl, ann)
            holding = [_holding(b, nursery, *at, story.holds) for at in zip(SIDES, diallers, strict=True)]
            people: tuple[Talker, Talker] = (carl, ann)
            talkers = zip(SIDES, people, holding, strict=True)
            speakers = [Speaker(side, who, session, story.together, before) for side, who, before in talkers]
            store.diallers = dict(zip(SIDES, diallers, strict=True))
            for dialler, cuts in zip(diallers, story.cuts, strict=True):
                dialler.from_now(cuts)
            with trio.fail_after(PATIENCE):
                await talk(speakers, COUNT)
            right(speakers, COUNT)
            store.diallers = {}
            for dialler in diallers:
                dialler.from_now(())
            async with _opened(by_token, Dialler(in_memory(b.transport), iter(())), Representative) as again:
                with trio.fail_after(PATIENCE):
                    await resumes(again, speakers[1], story.back_after)
    return speakers, sum(dialler.dials for dialler in diallers)


def run(story: Story) -> tuple[list[Speaker], int]:
    """On the virtual clock."""
    return trio.run(play, story, clock=trio.testing.MockClock(autojump_threshold=0))


def replayed(speakers: list[Speaker]) -> int:
    """How many answers were those of an earlier try."""
    return sum(answer.replayed for speaker in speakers for answer in speaker.answers.values())


def test_without_a_cut_each_dials_once_and_nothing_is_sent_twice() -> None:
    speakers, dials = run(Story(together=COUNT))
    assert (dials, replayed(speakers)) == (2, 0)


CUTS = st.builds(Cut, st.sampled_from(("up", "down", "answer")), st.integers(0, BYTES))
STORIES = st.builds(
    Story,
    cuts=st.tuples(*(st.lists(CUTS, max_size=4).map(tuple) for _ in SIDES)),
    commits=st.lists(
        st.builds(Commit, st.integers(1, COMMITS), st.sampled_from(SIDES), st.sampled_from(WHEN)),
        max_size=3,
    ).map(tuple),
    holds=st.lists(
        st.builds(Hold, st.integers(1, COUNT), st.sampled_from(SIDES), st.sampled_from((0.02, 0.5, 3.0))), max_size=2
    ).map(tuple),
    together=st.sampled_from((1, 2, COUNT)),
    back_after=st.integers(0, 2 * COUNT),
)


@pytest.mark.slow
@settings(max_examples=max(200, settings().max_examples), suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_F19_any_cuts_of_either_side_lose_and_repeat_no_message(story: Story) -> None:
    run(story)


@pytest.mark.slow
def test_F19_a_cut_at_any_commit_before_it_or_after_it_loses_and_repeats_nothing() -> None:
    cuts = [(when, side) for when in WHEN for side in SIDES]
    again = 0
    for number in range(1, COMMITS):
        for when, side in cuts:
            speakers, dials = run(Story(commits=(Commit(number, side, when),)))
            again += replayed(speakers)
            assert dials <= len(SIDES) + 1
    assert again  # stored, not acknowledged, and sent again


@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down", "answer"])
def test_F19_a_cut_after_any_number_of_bytes_loses_and_repeats_nothing(way: Way) -> None:
    for after in range(0, BYTES, 67):
        run(Story(cuts=((Cut(way, after),), (Cut(way, BYTES - after),)), together=2))


def test_F19_a_cut_while_the_journal_holds_a_message_back_stores_it_once() -> None:
    speakers, _ = run(Story(holds=tuple(Hold(2, side, 0.5) for side in SIDES)))
    assert replayed(speakers) == len(SIDES)


# --- planted faults --------------------------------------------------------------------------------


def _without_its_key(patch: pytest.MonkeyPatch) -> None:
    """A client that sends again under another key."""
    fresh = itertools.count()
    kept = Pending.frame
    patch.setattr(Pending, "frame", lambda self: attrs.evolve(kept(self), key=f"{self.key}-{next(fresh)}"))


def _forgetful(patch: pytest.MonkeyPatch) -> None:
    """A broker that remembers no key."""
    patch.setattr(KeyRing, "add", lambda self, key, entry: None)
    patch.setattr(KeyRing, "settle", lambda self, entry: None)


def _from_the_beginning(patch: pytest.MonkeyPatch) -> None:
    """A client that takes whatever comes, and asks for all of it again."""
    patch.setattr(Follow, "subscribe", lambda self: self.start)
    patch.setattr(Follow, "_event", lambda self, event: self._items.append(event))


@pytest.mark.parametrize("fault", [_without_its_key, _forgetful, _from_the_beginning])
def test_a_planted_fault_is_noticed(fault: Callable[[pytest.MonkeyPatch], None]) -> None:
    story = Story(holds=(Hold(3, "customer", 0.5),))
    run(story)
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        with pytest.raises(BaseExceptionGroup) as told:
            run(story)
    assert told.value.subgroup(AssertionError) is not None
