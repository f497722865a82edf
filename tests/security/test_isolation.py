"""F20b: what other accounts do changes nothing that an account's people are told or that its journal keeps.

The same by construction, under a virtual clock: what WELCOME, PING and EVENT say of the time, and tokens made of it.
Shared on purpose, and so kept within their bounds here: one clock, the workers that hash passwords, the budget of
sign-ins by a pin, connections, and the disk. A disk that fails refuses everybody's writes until it is back; what fails
here are commits with nothing of ours in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.desk.desk import Desk
from tests.security import twins
from tests.security.twins import MOVES, WORSE, Move, Turn, differences, live

few = settings(
    max_examples=max(2, settings().max_examples // 40),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The fixtures change nothing between examples; each example is a whole life, twice."""


def moves(worse: dict[str, Sequence[str]] | None = None) -> st.SearchStrategy[Move | None]:
    """A move of somebody; None: nobody moves."""
    acts = {who: [*what, *(worse or {}).get(who, ())] for who, what in MOVES.items()}
    return st.none() | st.sampled_from(sorted(acts)).flatmap(
        lambda who: st.tuples(st.just(who), st.sampled_from(acts[who]), st.integers(0, 9))
    )


turn = st.tuples(moves(), moves(dict(WORSE))).map(lambda pair: (None, pair[1]) if _fails(pair[1]) else pair)
lives = st.lists(turn, min_size=10, max_size=60)


def _fails(move: Move | None) -> bool:
    return move is not None and move[1] == "fail"


@pytest.fixture(autouse=True)
def _same_salts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Salts of passwords are drawn by the worker that hashes; here they are always the same."""
    hash_ = PasswordHasher.hash
    monkeypatch.setattr(PasswordHasher, "hash", lambda self, password: hash_(self, password, salt=b"s" * 16))
    monkeypatch.setattr(Desk, "handle", twins.plant_bug(Desk.handle))


def served(who: str = "ann") -> list[Move]:
    """A customer asks, and is served."""
    return [(who, "available", 0), ("joe", "create", 1), (who, "accept", 0), (who, "end", 0)]


OURS: list[Move] = [*served(), ("boss", "hire", 1), ("boss", "team", 4), *served("bob"), ("boss", "fire", 1)]
THEIRS: list[Move] = [
    *[("boss", "flood", 0), ("boss", "bug", 0), ("boss", "wrong", 0), ("boss", "password", 0), ("boss", "come", 0)],
    *[("joe", "flood", 0), *served(), ("boss", "bug", 0), ("ann", "flood", 0), ("joe", "redeem", 7)],
]


def test_the_same_life_twice_is_the_same() -> None:
    """Else nothing here would mean anything."""
    turns: list[Turn] = [(move, None) for move in OURS]
    first, second = live(turns, beside=False), live(turns, beside=False)
    assert differences(first, second) == []


def both(turns: Sequence[Turn]) -> list[str]:
    """What a life beside another account differs in."""
    alone, beside = live(turns, beside=False), live(turns, beside=True)
    assert len(alone.records) >= 8
    return differences(alone, beside)


NOISE: list[Turn] = [
    *zip_longest(OURS, THEIRS),
    (None, ("boss", "fail", 1)),
    (("boss", "get", 0), None),
    (("joe", "create", 3), ("joe", "create", 3)),
]


@pytest.mark.slow
def test_F20b_an_account_with_a_noisy_broken_neighbour_is_told_the_same() -> None:
    assert both(NOISE) == []


@pytest.mark.slow
def test_caught_one_source_of_ids_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: what one account draws shows in what the other is given."""
    draw = twins.Own.__call__

    def shared(self: twins.Own, count: int) -> bytes:
        self.counts = dict.fromkeys((twins.OURS, twins.THEIRS), max(self.counts.values(), default=0))
        return draw(self, count)

    monkeypatch.setattr(twins.Own, "__call__", shared)
    found = both([(("joe", "create", 1), ("joe", "create", 1)), (None, ("joe", "withdraw", 1)), *NOISE[2:5]])
    assert "records of the journal" in found
    assert any(one.startswith("joe was told") for one in found)


@pytest.mark.slow
@given(turns=lives)
@few
def test_F20b_whatever_the_other_account_does(turns: list[Turn]) -> None:
    assert both(turns) == []
