"""Functions: which are on for a representative at a portal, who decides it, and what ends when one goes off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, invariants
from broker.desk.functions import FUNCTIONS
from broker.desk.identity import Identity, Role
from broker.desk.invariants import InvariantBroken
from broker.protocol import ops, schema
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import ACCOUNT, customer, desk, manager, offer_id, personal, representative
from tests.support.scene import Scene, of, office

MIA = manager()
ANN = representative("ann")
DEFAULT = tuple(name for name, on in FUNCTIONS.items() if on)


def portal(scene: Scene, name: str = "help", /, **switches: bool) -> list[e.Event]:
    """A portal sets these."""
    return of(scene.ok(ops.PortalPut(name, "ask", "queue", [name], functions=switches), MIA))


def team(scene: Scene, name: str, parent: str | None = None, /, **switches: bool) -> list[e.Event]:
    """A team that serves ``help`` sets these."""
    return of(scene.ok(ops.TeamPut(name, ["help"], parent=parent, functions=switches), MIA))


def person(scene: Scene, name: str, within: str = "blue", /, **switches: bool) -> list[e.Event]:
    """A representative sets these."""
    command = ops.RepresentativePut(name, personal(name.title()), within, 1, functions=switches)
    return of(scene.ok(command, MIA))


def asked(scene: Scene, function: str, name: str = "ann", at: str = "help") -> tuple[bool, list[dict[str, object]]]:
    """What ``function.effective`` says."""
    value = scene.ok(ops.FunctionEffective(name, at, function), MIA).value
    (one,) = cast("list[dict[str, Any]]", value["functions"])
    assert one["function"] == function
    return one["on"], one["reasons"]


def on(scene: Scene, name: str = "ann", at: str = "help") -> tuple[str, ...]:
    """The functions that are on."""
    state = scene.desk.state
    return functions.on(state, state.portals[at], state.representatives[name])


def sharing(scene: Scene) -> str:
    """A session of ann's with a share under way; the share."""
    session = scene.assign("carl", "ann")
    share = str(scene.ok(ops.ShareRequest(session), ANN).value["share"])
    scene.ok(ops.ShareAccept(share), customer("carl"))
    scene.ok(ops.ShareConfirm(share), customer("carl"))
    return share


# --- the table ------------------------------------------------------------------------------------------


def test_the_table_is_the_schemas() -> None:
    found = cast("Mapping[str, Any]", schema.load())
    assert found["maps"]["function"]["function"]["values"] == list(FUNCTIONS)
    assert found["ops"]["function.effective"]["args"]["function"]["values"] == list(FUNCTIONS)
    for name in ("session.opened", "session.transferred"):
        assert found["events"][name]["data"]["functions"]["of"]["values"] == list(FUNCTIONS)


def test_the_guide_says_what_a_portal_has_that_does_not_say() -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/teams.md").read_text(encoding="utf-8")
    assert {
        name: word == "on" for name, word in re.findall(r"^\| `(\w+)` \| (on|off) \|", guide, re.MULTILINE)
    } == FUNCTIONS


def test_a_new_account_talks_and_looks_and_does_nothing_to_the_customers_machine() -> None:
    assert on(office("ann")) == DEFAULT == ("chat", "web_chat", "screen_share", "collaboration")


# --- who decides ------------------------------------------------------------------------------------------


def test_F4_it_takes_the_portal_and_the_representative() -> None:
    scene = office("ann")
    portal(scene, control=True, chat=True)
    assert "control" in on(scene)
    person(scene, "ann", control=False)
    assert "control" not in on(scene)
    portal(scene, control=False)
    person(scene, "ann", control=True)
    assert "control" not in on(scene)


def test_F4_a_representatives_setting_goes_before_its_teams_and_a_sub_teams_before_its_parents() -> None:
    scene = office("ann")
    team(scene, "top", chat=False)
    assert "chat" in on(scene)
    team(scene, "blue", "top")
    assert "chat" not in on(scene)
    team(scene, "blue", "top", chat=True)
    assert "chat" in on(scene)
    person(scene, "ann", chat=False)
    assert "chat" not in on(scene)


def test_who_decides_is_told_with_the_whole_chain() -> None:
    scene = office("ann")
    team(scene, "top", control=True)
    team(scene, "blue", "top")
    assert asked(scene, "control") == (
        False,
        [
            {"level": "portal", "name": "help", "decides": False},
            {"level": "default", "name": "portal", "value": False, "decides": True},
            {"level": "representative", "name": "ann", "decides": False},
            {"level": "team", "name": "blue", "decides": False},
            {"level": "team", "name": "top", "value": True, "decides": False},
        ],
    )
    portal(scene, control=True)
    assert asked(scene, "control") == (
        True,
        [
            {"level": "portal", "name": "help", "value": True, "decides": True},
            {"level": "representative", "name": "ann", "decides": False},
            {"level": "team", "name": "blue", "decides": False},
            {"level": "team", "name": "top", "value": True, "decides": True},
        ],
    )
    person(scene, "ann", control=False)
    is_on, reasons = asked(scene, "control")
    assert not is_on
    assert [one["name"] for one in reasons if one["decides"]] == ["ann"]


def test_where_nobody_says_anything_the_representatives_side_is_on() -> None:
    scene = office("ann")
    _, reasons = asked(scene, "recording")
    assert reasons[-1] == {"level": "default", "name": "representative", "value": True, "decides": False}


def test_all_functions_are_told_where_none_is_named() -> None:
    scene = office("ann")
    value = scene.ok(ops.FunctionEffective("ann", "help"), Identity(ACCOUNT, "crm", Role.SERVICE)).value
    found = cast("list[dict[str, object]]", value["functions"])
    assert [one["function"] for one in found] == list(FUNCTIONS)
    assert tuple(one["function"] for one in found if one["on"]) == DEFAULT


def test_a_representative_asks_about_itself_alone() -> None:
    scene = office("ann", "bo")
    scene.ok(ops.FunctionEffective("ann", "help"), ANN)
    scene.refused(ops.FunctionEffective("bo", "help"), ANN, Code.NOT_ALLOWED)
    scene.refused(ops.FunctionEffective("bo", "help"), customer("carl"), Code.NOT_ALLOWED)
    scene.refused(ops.FunctionEffective("nobody", "help"), MIA, Code.NO_SUCH)
    scene.refused(ops.FunctionEffective("ann", "nowhere"), MIA, Code.NO_SUCH)


# --- puts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "path"), [({"telepathy": True}, "args.functions"), ({"control": 1}, "args.functions.control")]
)
def test_what_is_no_function_or_no_switch_is_refused_with_its_name(given: dict[str, object], path: str) -> None:
    scene = office("ann")
    for command in (
        ops.PortalPut("help", "ask", "queue", ["help"], functions=given),
        ops.TeamPut("blue", ["help"], functions=given),
        ops.RepresentativePut("ann", personal("Ann"), "blue", 1, functions=given),
    ):
        refusal = scene.refused(command, MIA, Code.BAD_ARGS)
        assert (refusal.detail or {})["path"] == path


def test_functions_alone_are_a_change_that_comes_back_and_is_told() -> None:
    scene = office("ann")
    portal(scene, control=True)
    team(scene, "blue", chat=False, control=True)
    person(scene, "ann", recording=False)
    value = cast("dict[str, list[dict[str, object]]]", scene.ok(ops.AccountGet(), MIA).value)
    assert value["portals"][0]["functions"] == {"control": True}
    assert value["teams"][0]["functions"] == {"chat": False, "control": True}
    assert value["representatives"][0]["functions"] == {"recording": False}
    assert portal(scene, control=True) == []
    assert team(scene, "blue", control=True, chat=False) == []
    told = [
        cast("list[dict[str, object]]", data["changes"])
        for wire_type, data in scene.told("account")
        if wire_type.endswith(".changed") and "changes" in data
    ]
    functions_told = [one for found in told for one in found if one["field"] == "functions" and one.get("from") == {}]
    assert [one["to"] for one in functions_told] == [
        {"control": True},
        {"chat": False, "control": True},
        {"recording": False},
    ]
    assert {"field": "name"} in told[-1]


def test_a_snapshot_and_a_replay_keep_every_setting() -> None:
    scene = office("ann")
    portal(scene, control=True)
    team(scene, "blue", chat=False)
    person(scene, "ann", recording=False)
    same_desk(reloaded(scene.desk), scene.desk)
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)
    assert on(Scene(desk=reloaded(scene.desk))) == on(scene)


# --- what is used ------------------------------------------------------------------------------------------


def test_F3_a_share_is_refused_where_the_function_is_off_with_the_reasons() -> None:
    scene = office("ann")
    portal(scene, screen_share=False)
    session = scene.assign("carl", "ann")
    refusal = scene.refused(ops.ShareRequest(session), ANN, Code.NOT_ALLOWED)
    detail = dict(refusal.detail or {})
    assert detail["function"] == "screen_share"
    assert cast("list[object]", detail["reasons"])[0] == {
        "level": "portal",
        "name": "help",
        "value": False,
        "decides": True,
    }
    portal(scene)
    scene.ok(ops.ShareRequest(session), ANN)


def _by_portal(scene: Scene) -> list[e.Event]:
    return portal(scene, screen_share=False)


def _by_team(scene: Scene) -> list[e.Event]:
    return team(scene, "blue", screen_share=False)


def _by_parent(scene: Scene) -> list[e.Event]:
    team(scene, "top", screen_share=False)
    return team(scene, "blue", "top")


def _by_parents_setting(scene: Scene) -> list[e.Event]:
    team(scene, "top")
    team(scene, "blue", "top")
    return team(scene, "top", screen_share=False)


def _by_person(scene: Scene) -> list[e.Event]:
    return person(scene, "ann", screen_share=False)


def _by_move(scene: Scene) -> list[e.Event]:
    team(scene, "red", screen_share=False)
    return person(scene, "ann", "red")


def _by_deletion(scene: Scene) -> list[e.Event]:
    team(scene, "red", screen_share=False)
    return of(scene.ok(ops.TeamDelete("blue", "red"), MIA))


def _by_deletion_of_the_team_above(scene: Scene) -> list[e.Event]:
    team(scene, "top", screen_share=False)
    team(scene, "middle", "top", screen_share=True)
    team(scene, "blue", "middle")
    return of(scene.ok(ops.TeamDelete("middle"), MIA))


OFF = [
    _by_portal,
    _by_team,
    _by_parent,
    _by_parents_setting,
    _by_person,
    _by_move,
    _by_deletion,
    _by_deletion_of_the_team_above,
]


@pytest.mark.parametrize("how", OFF)
@pytest.mark.parametrize("step", ["requested", "active"])
def test_A11_a_share_ends_when_its_function_goes_off(how: Any, step: str) -> None:
    scene = office("ann")
    if step == "active":
        share = sharing(scene)
    else:
        share = str(scene.ok(ops.ShareRequest(scene.assign("carl", "ann")), ANN).value["share"])
    ended = [event for event in how(scene) if isinstance(event, e.ShareEnded)]
    assert [(event.share, event.state, event.by, event.reason) for event in ended] == [
        (share, "ended", "broker", "function_off")
    ]
    session = "s_" + share[2:].partition(".")[0]
    told = {"share": share, "session": session, "state": "ended", "by": "broker", "reason": "function_off"}
    assert scene.told(f"session:{session}")[-1] == ("share.changed", told)
    assert scene.refused(ops.ShareStop(share), ANN).detail == {"state": "over", "allowed": ["share.request"]}
    assert session in scene.desk.state.sessions


def test_a_share_stays_where_another_function_goes_off_or_the_function_is_off_elsewhere() -> None:
    scene = office("ann", "bo")
    share = sharing(scene)
    scene.portal("shop", "ask", "queue")
    portal(scene, "shop", screen_share=False)
    portal(scene, chat=False)
    team(scene, "red", screen_share=False)
    person(scene, "bo", screen_share=False)
    assert list(scene.desk.state.shares) == [share]


def test_who_gets_a_session_gets_the_list_of_what_is_on() -> None:
    scene = office("ann", "bo")
    portal(scene, control=True)
    person(scene, "bo", chat=False)
    session = scene.assign("carl", "ann")
    wire_type, data = scene.told("me:ann")[-1]
    assert (wire_type, data["functions"]) == ("session.opened", list(on(scene)))
    assert "control" in on(scene)
    (opened,) = [data for wire_type, data in scene.told(f"session:{session}") if wire_type == "session.opened"]
    assert "functions" not in opened
    scene.ok(ops.SessionTransfer(session, "bo"), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    moved = [(stream, scene.told(stream)[-1]) for stream in ("me:bo", "me:ann", f"session:{session}")]
    assert {wire_type for _, (wire_type, _) in moved} == {"session.transferred"}
    assert [data.get("functions") for _, (_, data) in moved] == [list(on(scene, "bo")), None, None]


def test_a_pins_session_has_the_list_too() -> None:
    scene = office("ann")
    scene.portal("phone", "pin", "phone")
    pin = str(scene.ok(ops.PinCreate(), ANN).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("dora", "phone"))
    assert scene.told("me:ann")[-1][1]["functions"] == list(DEFAULT)


def test_A11_caught_a_share_whose_function_is_off() -> None:
    scene = office("ann")
    sharing(scene)
    scene.desk.state.portals["help"].functions = (("screen_share", False),)
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(scene.desk.state)
    assert caught.value.invariant == "A11"


def test_A11_caught_a_put_that_forgets_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(plan: object) -> list[e.Event]:
        return []

    scene = office("ann")
    sharing(scene)
    monkeypatch.setattr(functions, "act", nothing)
    with pytest.raises(InvariantBroken) as caught:
        _by_team(scene)
    assert caught.value.invariant == "A11"


# --- any tree ----------------------------------------------------------------------------------------------

switches = st.dictionaries(st.sampled_from(list(FUNCTIONS)), st.booleans(), max_size=4)
TEAMS = [f"t{number}" for number in range(6)]


@st.composite
def trees(
    draw: st.DrawFn,
) -> tuple[dict[str, bool], dict[str, bool], dict[str, tuple[str | None, dict[str, bool]]], str]:
    """(the portal's, the representative's, team to (parent, its), the representative's team)."""
    found: dict[str, tuple[str | None, dict[str, bool]]] = {}
    for name in TEAMS:
        found[name] = draw(st.none() | st.sampled_from(sorted(found)) if found else st.none()), draw(switches)
    return draw(switches), draw(switches), found, draw(st.sampled_from(TEAMS))


Tree = tuple[dict[str, bool], dict[str, bool], dict[str, tuple[str | None, dict[str, bool]]], str]


def naive(tree: Tree, function: str) -> bool:
    """As the rule is said."""
    at_portal, own, above, home = tree

    def of_team(name: str | None) -> bool:
        if name is None:
            return True
        parent, settings = above[name]
        return settings[function] if function in settings else of_team(parent)

    allowed = at_portal[function] if function in at_portal else FUNCTIONS[function]
    return allowed and (own[function] if function in own else of_team(home))


def grown(tree: Tree) -> Scene:
    """The same on a desk."""
    at_portal, own, above, home = tree
    scene = Scene()
    portal(scene, **at_portal)
    for name, (parent, settings) in above.items():
        team(scene, name, parent, **settings)
    person(scene, "ann", home, **own)
    return scene


@given(tree=trees())
def test_F4_any_tree_is_as_the_rule_is_said(tree: Tree) -> None:
    scene = grown(tree)
    expected = tuple(name for name in FUNCTIONS if naive(tree, name))
    assert on(scene) == expected
    for function in FUNCTIONS:
        is_on, reasons = asked(scene, function)
        assert is_on == (function in expected)
        state = scene.desk.state
        refused = functions.refuse(state, state.portals["help"], state.representatives["ann"], function)
        assert (refused is None) == is_on
        decides = [one for one in reasons if one["decides"]]
        assert {one["value"] for one in decides} == {is_on}
        assert len(decides) == 2 if is_on else 1 <= len(decides) <= 2
    same_desk(reloaded(scene.desk), scene.desk)


@given(tree=trees(), function=st.sampled_from(list(FUNCTIONS)))
def test_A11_a_function_off_at_the_portal_is_off_for_everybody_and_nothing_else_is(tree: Tree, function: str) -> None:
    before = on(grown(tree))
    after = on(grown(({**tree[0], function: False}, *tree[1:])))
    assert after == tuple(name for name in before if name != function)


@given(tree=trees(), switched=switches, at=st.sampled_from(["portal", "representative", *TEAMS]))
def test_a_plan_foresees_what_the_put_brings(tree: Tree, switched: dict[str, bool], at: str) -> None:
    scene = grown(tree)
    state = scene.desk.state
    found = functions.switched(switched)
    plans = {
        "portal": functions.Plan(state, portals={"help": found}),
        "representative": functions.Plan(state, people={"ann": (found, tree[3])}),
    }
    plan = plans.get(at) or functions.Plan(state, teams={at: (found, tree[2][at][0])})
    foreseen = plan.on(state.portals["help"], state.representatives["ann"])
    if at == "portal":
        portal(scene, **switched)
    elif at == "representative":
        person(scene, "ann", tree[3], **switched)
    else:
        team(scene, at, tree[2][at][0], **switched)
    assert on(scene) == foreseen
