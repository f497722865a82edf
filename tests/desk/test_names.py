"""Names: whose they are, which can be given, and what somebody is called who left."""

from __future__ import annotations

import pytest

from broker import ids, limits
from broker.codes import Code
from broker.desk import names
from broker.desk.state import Context
from broker.protocol import ops
from tests.support.builders import START, entropy, personal
from tests.support.people import MIA, house


@pytest.mark.parametrize("name", ["ann", "tim", "robot"])
def test_H8_a_name_that_somebody_has_is_not_free(name: str) -> None:
    state = house().desk.state
    assert not names.free(state, name)
    assert not names.may_be_given(state, name)


@pytest.mark.parametrize("name", ["ann", "tim", "robot"])
def test_H11_the_name_of_somebody_who_left_is_nobodys_for_ever(name: str) -> None:
    scene = house()
    gone = {"ann": ops.RepresentativeDelete, "tim": ops.ManagerDelete, "robot": ops.ServiceDelete}[name]
    scene.ok(gone(name), MIA)
    assert not names.free(scene.desk.state, name)
    for command in (
        ops.RepresentativePut(name, personal(name), "blue", 1),
        ops.ManagerPut(name, "team"),
        ops.ServicePut(name, []),
    ):
        refusal = scene.refused(command, MIA, Code.BAD_ARGS)
        assert "ever had" in refusal.text


@pytest.mark.parametrize(("name", "good"), [("v_zoe", False), ("former-1", False), ("zoe", True), ("formerly", True)])
def test_nobody_new_is_called_like_a_visitor_or_like_somebody_who_left(name: str, good: bool) -> None:  # noqa: FBT001
    assert names.may_be_given(house().desk.state, name) is good


def test_a_pseudonym_follows_from_its_command_alone_and_is_a_name() -> None:
    context = Context(START, entropy("gone"), MIA)
    assert names.pseudonym(context) == f"former-{ids.token(entropy('gone'))}"
    assert ids.is_slug(names.pseudonym(context))


def test_nobody_leaves_when_no_more_names_can_be_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = house()
    monkeypatch.setattr(limits, "MAX_FORMER", 1)
    scene.ok(ops.RepresentativeDelete("ann"), MIA)
    for command in (ops.RepresentativeDelete("cy"), ops.ManagerDelete("tim"), ops.ServiceDelete("robot")):
        scene.refused(command, MIA, Code.QUOTA)
