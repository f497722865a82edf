"""A sub-portal's settings: what may be put, and that it comes back as it was put."""

from __future__ import annotations

from typing import cast

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import settings
from broker.protocol import ops
from broker.protocol.ops import Map
from tests.support.builders import personal
from tests.support.routed import MIA, Routed


def office() -> Routed:
    scene = Routed()
    scene.entrance("help", "help", "near")
    scene.entrance("spill", "far")
    scene.entrance("web", mode="web")
    return scene


WHOLE = ops.SubportalPut(
    "help",
    weight=3,
    policy="weighted",
    max_waiting=7,
    skills=[{"skill": "tax", "level": 3, "asked": True}, {"skill": "german", "level": 5, "asked": False}],
    relax=[{"after_ms": 1000, "less": 1}, {"after_ms": 2000, "less": 5}],
    sticky_ms=60_000,
    overflow=[
        {"on": "length", "length": 4, "to": "near"},
        {"on": "wait", "after_ms": 9000},
        {"on": "staffing", "to": "far"},
    ],
)
BARE = {
    "weight": 1,
    "policy": "least_occupied",
    "max_waiting": limits.MAX_WAITING,
    "skills": [],
    "relax": [],
    "sticky_ms": 0,
    "overflow": [],
}


def shown(scene: Routed, name: str = "help") -> dict[str, object]:
    every = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["subportals"])
    (found,) = [one for one in every if one["subportal"] == name]
    return found


def test_what_is_put_comes_back_in_the_words_of_the_operation() -> None:
    scene = office()
    assert shown(scene) == {"subportal": "help", "portal": "help", **BARE}
    assert scene.ok(WHOLE, MIA).value == {"subportal": "help", "changed": True}
    found = shown(scene)
    assert found.pop("portal") == "help"
    assert found == {name: getattr(WHOLE, name) for name in found}
    again = ops.SubportalPut(**found)  # type: ignore[arg-type]
    assert scene.ok(again, MIA).value == {"subportal": "help", "changed": False}


def test_what_is_not_given_is_as_by_default() -> None:
    scene = office()
    scene.ok(WHOLE, MIA)
    scene.tune("help")
    assert shown(scene) == {"subportal": "help", "portal": "help", **BARE}


@pytest.mark.parametrize("field", ["weight", "policy", "max_waiting", "skills", "relax", "sticky_ms", "overflow"])
def test_each_setting_alone_is_a_change(field: str) -> None:
    scene = office()
    assert scene.tune("help", **{field: getattr(WHOLE, field)}).value["changed"] is True
    assert scene.tune("help", **{field: getattr(WHOLE, field)}).value["changed"] is False
    (event,) = [one for one in scene.events(e.SubportalPut) if isinstance(one, e.SubportalPut)]
    assert settings.words(scene.desk.state.subportals["help"]) == settings.words(event)


def wait(after: int, to: str | None = None) -> Map:
    return {"on": "wait", "after_ms": after, **({} if to is None else {"to": to})}


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("skills", [{"skill": "a", "level": 1}, {"skill": "a", "level": 2, "asked": True}], "skills[1].skill"),
        ("relax", [{"after_ms": 2000, "less": 1}, {"after_ms": 2000, "less": 2}], "relax[1].after_ms"),
        ("relax", [{"after_ms": 2000, "less": 2}, {"after_ms": 3000, "less": 2}], "relax[1].less"),
        ("overflow", [{"on": "wait"}], "overflow[0].after_ms"),
        ("overflow", [wait(1000), {"on": "length"}], "overflow[1].length"),
        ("overflow", [{"on": "length", "length": 1, "after_ms": 1}], "overflow[0].after_ms"),
        ("overflow", [{"on": "wait", "after_ms": 1, "length": 1}], "overflow[0].length"),
        ("overflow", [{"on": "staffing", "length": 1}], "overflow[0].length"),
        ("overflow", [{"on": "staffing", "after_ms": 1}], "overflow[0].after_ms"),
        ("overflow", [wait(1000, "help")], "overflow[0].to"),
        ("overflow", [wait(1000, "nowhere")], "overflow[0].to"),
        ("overflow", [wait(1000, "far"), wait(1000, "web")], "overflow[1].to"),
    ],
)
def test_what_makes_no_sense_is_refused_with_where_it_stands(field: str, value: list[Map], path: str) -> None:
    scene = office()
    command = ops.SubportalPut("help")
    setattr(command, field, value)
    refusal = scene.refused(command, MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == f"args.{path}"
    assert shown(scene) == {"subportal": "help", "portal": "help", **BARE}


def test_somebodys_skills_are_each_named_once_and_kept_in_order() -> None:
    scene = office()
    scene.team("blue", "help")
    skills: list[Map] = [{"skill": "tax", "level": 2}, {"skill": "art", "level": 9}]
    command = ops.RepresentativePut("ann", personal("Ann"), "blue", 1, 4, skills)
    scene.ok(command, MIA)
    assert scene.desk.state.representatives["ann"].skills == (("art", 9), ("tax", 2))
    assert scene.ok(command, MIA).value["changed"] is False
    (found,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["representatives"])
    assert (found["weight"], found["skills"]) == (4, sorted(skills, key=lambda one: str(one["skill"])))
    twice = ops.RepresentativePut("ann", personal("Ann"), "blue", 1, 4, [*skills, {"skill": "tax", "level": 3}])
    refusal = scene.refused(twice, MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.skills[2].skill"


def test_a_new_weight_or_skill_alone_is_a_change() -> None:
    scene = office()
    scene.team("blue", "help")
    scene.hire("ann")
    assert scene.employ("ann").value["changed"] is False
    assert scene.employ("ann", weight=2).value["changed"] is True
    assert scene.employ("ann", weight=2, tax=1).value["changed"] is True
