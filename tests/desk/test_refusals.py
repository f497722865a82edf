"""Commands with nonsense in them: ``handle`` answers every one, and a refusal has changed nothing."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import snapshot
from broker.desk.outcome import Handled, Refusal
from broker.protocol.ops import OPS
from tests.support.builders import desk, entropy, manager
from tests.support.scene import Scene
from tests.support.walk import draw, walk

CODES = {
    Code.BAD_ARGS,
    Code.NOT_ALLOWED,
    Code.NO_SUCH,
    Code.OFFER_GONE,
    Code.PIN_INVALID,
    Code.WRONG_STATE,
    Code.QUOTA,
    Code.QUEUE_FULL,
}


@given(seed=st.integers(0, 10**6), steps=st.integers(0, 60))
@settings(max_examples=settings().max_examples // 4)
def test_no_command_raises_and_a_refusal_leaves_the_desk_as_it_was(seed: int, steps: int) -> None:
    scene, chance = Scene(), Random(seed)
    for _ in walk(scene, seed, steps):
        pass
    people = [who for _ in range(20) for who in [draw(scene, chance, 0.5)[1]] if who is not None]
    for number in range(25):
        command, who = draw(scene, chance, 0.5)
        if who is not None and chance.random() < 0.3:
            who = chance.choice([*people, manager()])  # whoever it was meant for: perhaps in another role
        before = (snapshot.dump(scene.desk), list(scene.desk.state.deadlines), scene.desk.statistics())
        outcome = scene.desk.handle(command, who, scene.now, entropy(f"nonsense {number}"))
        if isinstance(outcome, Handled):
            scene.watch(outcome.records)
            continue
        after = (snapshot.dump(scene.desk), list(scene.desk.state.deadlines), scene.desk.statistics())
        assert before == after
        assert_said_why(outcome)


def assert_said_why(refusal: Refusal) -> None:
    assert refusal.code in CODES
    assert refusal.text
    detail = refusal.detail or {}
    match refusal.code:
        case Code.BAD_ARGS:
            assert str(detail["path"]).startswith("args.")
            assert detail["expected"]
        case Code.WRONG_STATE:
            assert detail["state"]
            assert isinstance(detail["allowed"], list)
            for allowed in detail["allowed"]:
                assert allowed in OPS, f"{allowed} is no operation"
        case Code.OFFER_GONE:
            assert detail["reason"] in ("taken", "expired", "revoked", "declined", "gone")
        case Code.NOT_ALLOWED if detail:
            assert detail["function"]
            assert isinstance(detail["reasons"], list)
            assert any(reason["decides"] for reason in detail["reasons"])
        case _:
            assert not detail


def test_a_read_changes_nothing_not_even_the_time() -> None:
    scene = Scene()
    for _ in walk(scene, 1, 10):
        pass
    fresh = desk()
    assert fresh.fire(10**15) is None
    assert (fresh.seq, fresh.last_t) == (0, 0)
