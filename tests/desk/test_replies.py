"""E12: canned replies, and which of them somebody has: its team's and those of the teams above, the nearest first."""

# covers: broker/desk/reply_invariants.py

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import invariants, replies, rules, teams
from broker.desk.identity import Identity
from broker.desk.state import State
from broker.protocol import ops
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import desk, document, manager, personal, representative
from tests.support.people import ANN, CY, DI, MIA, PIA, TED, TIM, house
from tests.support.scene import Scene, office

Patch = pytest.MonkeyPatch


def put(scene: Scene, team: str, reply: str, content: str | None = None, who: Identity = MIA) -> None:
    """A reply with this content, called like itself unless it is given."""
    scene.ok(ops.ReplyPut(team, reply, text=personal("x", content or f"c_{team}_{reply}_{scene.commands}")), who)


def told(scene: Scene, who: Identity, subportal: str | None = None) -> list[str]:
    """What somebody is told there is, as team/reply."""
    found = cast("list[dict[str, Any]]", scene.ok(ops.ReplyList(subportal), who).value["replies"])
    return [f"{one['team']}/{one['reply']}" for one in found]


def furnished() -> Scene:
    """Two branches of teams, each with something to say."""
    scene = house()
    for team, reply in (("blue", "hello"), ("blue", "wait"), ("sky", "hello"), ("sky", "bye"), ("red", "hello")):
        put(scene, team, reply)
    return scene


# --- who has which -------------------------------------------------------------------------------------


def test_E12_a_representative_has_its_teams_replies_and_those_above_the_nearest_of_each_name() -> None:
    scene = furnished()
    assert told(scene, ANN) == ["blue/hello", "blue/wait"]
    assert told(scene, CY) == ["sky/bye", "sky/hello", "blue/wait"]
    assert told(scene, DI) == ["red/hello"]
    assert scene.ok(ops.ReplyList(), CY).value["name"] == scene.desk.state.representatives["cy"].name


def test_managers_are_told_all_of_the_teams_in_their_scope_from_the_top() -> None:
    scene = furnished()
    everything = ["blue/hello", "blue/wait", "red/hello", "sky/bye", "sky/hello"]
    assert told(scene, MIA) == told(scene, PIA) == everything
    assert told(scene, TIM) == told(scene, TED) == ["blue/hello", "blue/wait", "sky/bye", "sky/hello"]
    assert "name" not in scene.ok(ops.ReplyList(), MIA).value


def test_for_a_sub_portal_only_teams_that_are_about_it_count_or_those_that_serve_nothing_themselves() -> None:
    scene = furnished()
    assert told(scene, CY, "side") == ["sky/bye", "sky/hello"]
    assert told(scene, CY, "help") == ["blue/hello", "blue/wait"]
    assert told(scene, MIA, "side") == ["sky/bye", "sky/hello"]
    scene.ok(ops.TeamPut("blue", []), MIA)
    assert told(scene, CY, "side") == ["sky/bye", "sky/hello", "blue/wait"]
    assert scene.refused(ops.ReplyList("none"), CY, Code.BAD_ARGS).text == (
        "args.subportal: expected the name of a sub-portal"
    )
    scene.refused(ops.ReplyList("other"), TIM, Code.NOT_ALLOWED)


def test_what_a_near_team_deletes_is_had_from_the_one_above_again() -> None:
    scene = furnished()
    scene.ok(ops.ReplyDelete("sky", "hello"), TIM)
    assert told(scene, CY) == ["sky/bye", "blue/hello", "blue/wait"]
    for gone in (ops.ReplyDelete("sky", "hello"), ops.ReplyDelete("none", "hello")):
        scene.refused(gone, MIA, Code.NO_SUCH)


def test_who_moves_has_the_replies_of_the_other_team() -> None:
    scene = furnished()
    scene.ok(ops.RepresentativePut("cy", personal("Cy", "c_cy"), "red", 2), MIA)
    assert told(scene, CY) == ["red/hello"]


def test_team_managers_write_for_their_teams_alone_and_with_the_right_teams() -> None:
    scene = furnished()
    put(scene, "sky", "new", who=TIM)
    command = ops.ReplyPut("red", "new", text=personal("x"))
    for who, refused in ((TIM, command), (TED, ops.ReplyPut("sky", "new", text=personal("y")))):
        scene.refused(refused, who, Code.NOT_ALLOWED)
    scene.refused(ops.ReplyDelete("red", "hello"), TIM, Code.NOT_ALLOWED)
    scene.refused(ops.ReplyPut("blue", "x", text=personal("x")), ANN, Code.NOT_ALLOWED)


# --- what is put ---------------------------------------------------------------------------------------

SHORT = "a text of 1 to 4000 characters"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "args.text: expected a text, or in its place texts by language in args.texts"),
    (
        {"text": personal("x"), "texts": document({"en": "x"})},
        "args.text: expected a text, or in its place texts by language in args.texts",
    ),
    ({"text": personal("ä" * 4001)}, f"args.text: expected {SHORT}"),
    ({"texts": document({})}, "args.texts: expected a text in one language at least"),
    ({"texts": document({"english": "x"})}, "args.texts.english: expected a language tag, such as en or pt-BR"),
    ({"texts": document({"en": ""})}, f"args.texts.en: expected {SHORT}"),
    ({"texts": document({"en": "x", "de": 5})}, f"args.texts.de: expected {SHORT}"),
    ({"texts": document({"en": "x" * 4001})}, f"args.texts.en: expected {SHORT}"),
    ({"texts": document({f"e{a}": "x" * 4000 for a in "abcde"})}, "args.texts: expected at most 16384 bytes in all"),
]


@pytest.mark.parametrize(("given_", "says"), WRONG, ids=str)
def test_a_mistake_in_a_reply_is_named(given_: Mapping[str, Any], says: str) -> None:
    scene = office()
    assert scene.refused(ops.ReplyPut("blue", "hello", **given_), MIA, Code.BAD_ARGS).text == says


def test_the_longest_texts_are_taken_in_any_script() -> None:
    scene = office()
    scene.ok(ops.ReplyPut("blue", "long", text=personal("語" * limits.REPLY_TEXT)), MIA)
    scene.ok(ops.ReplyPut("blue", "both", texts=document({"en": "x" * 4000, "de-AT": "ö" * 4000})), MIA)


def test_a_reply_is_of_a_team_that_there_is() -> None:
    refusal = office().refused(ops.ReplyPut("none", "hello", text=personal("x")), MIA, Code.BAD_ARGS)
    assert refusal.text == "args.team: expected the name of a team"


def test_the_same_reply_twice_is_one_change_and_what_is_not_given_any_more_is_gone() -> None:
    scene = office()
    first = ops.ReplyPut("blue", "hello", personal("Hello", "c_title"), personal("Hi", "c_text"))
    assert [scene.ok(first, MIA).value["changed"] for _ in range(2)] == [True, False]
    assert scene.desk.held_contents() >= {"c_title", "c_text"}
    scene.ok(ops.ReplyPut("blue", "hello", texts=document({"en": "Hi"}, "d_texts")), MIA)
    assert scene.desk.drain_released() == ["c_title", "c_text"]
    (one,) = cast("list[dict[str, Any]]", scene.ok(ops.ReplyList(), MIA).value["replies"])
    assert {**one, "texts": one["texts"][0]} == {"team": "blue", "reply": "hello", "texts": "d_texts"}
    scene.ok(ops.ReplyDelete("blue", "hello"), MIA)
    assert scene.desk.drain_released() == ["d_texts"]
    assert scene.desk.state.replies_bytes == 0


def test_a_deleted_teams_replies_go_with_it() -> None:
    scene = furnished()
    before = scene.desk.held_contents()
    scene.ok(ops.TeamDelete("sky"), MIA)
    assert told(scene, CY) == ["blue/hello", "blue/wait"]
    released = set(scene.desk.drain_released())
    assert len(released) == 2
    assert released == before - scene.desk.held_contents()


def test_what_changed_is_told_to_the_account_and_the_team_and_no_text_is() -> None:
    scene = office()
    scene.ok(ops.ReplyPut("blue", "hello", personal("Hello", "c_title"), personal("Hi", "c_text")), MIA)
    scene.ok(ops.ReplyPut("blue", "hello", personal("Hello", "c_title"), personal("Ho", "c_other")), MIA)
    scene.ok(ops.ReplyDelete("blue", "hello"), MIA)
    for stream in ("account", "team:blue"):
        assert [(kind, data) for kind, data in scene.told(stream) if kind.startswith("reply.")] == [
            (
                "reply.changed",
                {
                    "team": "blue",
                    "reply": "hello",
                    "by": "mia",
                    "changes": [{"field": "title"}, {"field": "text"}],
                },
            ),
            ("reply.changed", {"team": "blue", "reply": "hello", "by": "mia", "changes": [{"field": "text"}]}),
            ("reply.deleted", {"team": "blue", "reply": "hello", "by": "mia"}),
        ]


def test_the_configuration_has_the_replies_in_scope() -> None:
    scene = furnished()

    def of(who: Identity, command: object = None) -> list[str]:
        value = scene.ok(command or ops.AccountGet(), who).value
        return [f"{one['team']}/{one['reply']}" for one in cast("list[dict[str, Any]]", value.get("replies", []))]

    assert of(MIA) == of(PIA, ops.AccountExport()) == told(scene, MIA)
    assert of(TIM) == told(scene, TIM)
    scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 2, management=True), MIA)
    assert of(ANN) == []  # itself alone


# --- bounds --------------------------------------------------------------------------------------------


def test_a_team_has_so_many_replies_and_can_still_rewrite_them() -> None:
    scene = office()
    for number in range(limits.MAX_REPLIES):
        put(scene, "blue", f"r{number}")
    refusal = scene.refused(ops.ReplyPut("blue", "more", text=personal("x")), MIA, Code.QUOTA)
    assert refusal.text == "a team has at most 200 replies of its own"
    put(scene, "blue", "r0")


def test_the_replies_of_an_account_have_so_many_bytes_together(monkeypatch: Patch) -> None:
    scene = office()
    monkeypatch.setattr(limits, "REPLIES_BYTES", 2 * limits.REPLY_COST + 10)
    scene.ok(ops.ReplyPut("blue", "a", personal("Tä"), personal("12345")), MIA)  # 3 + 5 bytes
    text = ops.ReplyPut("blue", "b", text=personal("123"))
    refusal = scene.refused(text, MIA, Code.QUOTA)
    assert refusal.text == f"the replies of an account have at most {limits.REPLIES_BYTES} bytes together"
    scene.ok(ops.ReplyPut("blue", "b", text=personal("12")), MIA)
    scene.ok(ops.ReplyPut("blue", "a", text=personal("12345678")), MIA)  # what it had is free for it
    scene.refused(ops.ReplyPut("blue", "a", text=personal("123456789")), MIA, Code.QUOTA)


# --- whatever is put -----------------------------------------------------------------------------------

TEAMS, NAMES = ("a", "b", "c", "d"), ("hi", "ho", "hum")
team, name = st.sampled_from(TEAMS), st.sampled_from(NAMES)
STEP = st.one_of(
    st.tuples(st.just("put"), team, name, st.booleans()),
    st.tuples(st.just("delete"), team, name),
    st.tuples(st.just("beneath"), team, st.none() | team),
    st.tuples(st.just("serves"), team, st.booleans()),
    st.tuples(st.just("dissolve"), team),
)
Naive = dict[str, dict[str, str]]


def nearest(scene: Scene, model: Naive, at: str, *, about_help: bool = False) -> list[tuple[str, str, str]]:
    """(name, team, content) by the rule read word by word: for each name, the first team on the way up that has it."""
    found = []
    for one in NAMES:
        where: str | None = at
        while where is not None:
            served = scene.desk.state.teams[where].subportals
            if one in model[where] and not (about_help and served and "help" not in served):
                found.append((one, where, model[where][one]))
                break
            where = scene.desk.state.teams[where].parent
    return found


def had(scene: Scene, at: str, subportal: str | None = None) -> list[tuple[str, str, str]]:
    """The same, of the desk."""
    there = replies.of(scene.desk.state, at, subportal)
    refs = [(each.reply, where.team, each.text or each.texts) for where, each in there]
    return [(one, where, ref[0] if ref else "") for one, where, ref in refs]


def carry_out(scene: Scene, model: Naive, step: tuple[Any, ...]) -> None:
    """One step, on the desk and in the model; what the desk refuses is no matter of replies."""
    kind, at, *more = step
    there = scene.desk.state.teams.get(at)
    content = f"c_{scene.commands}"
    match kind:
        case "put" if there is not None:
            texts = {"texts": document({"en": "x"}, content)} if more[1] else {"text": personal("x", content)}
            scene.ok(ops.ReplyPut(at, more[0], **texts), MIA)
            model[at][more[0]] = content
        case "delete" if there is not None:
            outcome = scene.do(ops.ReplyDelete(at, more[0]), MIA)
            assert (getattr(outcome, "code", None) is Code.NO_SUCH) == (more[0] not in model[at])
            model[at].pop(more[0], None)
        case "beneath":
            served = () if there is None else there.subportals
            scene.do(ops.TeamPut(at, served, parent=more[0]), MIA)
        case "serves":
            scene.do(ops.TeamPut(at, ["side"] if more[0] else [], parent=there.parent if there else None), MIA)
        case "dissolve" if there is not None:
            scene.ok(ops.TeamDelete(at), MIA)
            model[at] = {}


@given(st.lists(STEP, max_size=25))
def test_E12_the_nearest_team_wins_whatever_teams_do(steps: list[tuple[Any, ...]]) -> None:
    scene = Scene()
    scene.portal("p", "ask", "queue", "help", "side")
    for one in TEAMS:
        scene.team(one, "help")
    model: Naive = {one: {} for one in TEAMS}
    for step in steps:
        carry_out(scene, model, step)
    for one in scene.desk.state.teams:
        assert had(scene, one) == nearest(scene, model, one)
        assert had(scene, one, "help") == nearest(scene, model, one, about_help=True)
    held = {content for one in model.values() for content in one.values()}
    assert scene.desk.held_contents() == held
    assert held.isdisjoint(scene.desk.drain_released())
    same_desk(replay(desk(), list(map(stored, scene.records))), scene.desk)
    same_desk(reloaded(scene.desk), scene.desk)


# --- planted faults ------------------------------------------------------------------------------------


def widest(state: State, at: str, subportal: str | None = None) -> list[Any]:
    """The farthest team's reply of each name."""
    found = {one.reply: (state.teams[up], one) for up in teams.above(state, at) for one in _own(state, up)}
    return [found[one] for one in sorted(found)]


def _own(state: State, at: str) -> list[Any]:
    return list(state.teams[at].replies.values())


def test_caught_a_rule_by_which_the_farthest_team_wins(monkeypatch: Patch) -> None:
    monkeypatch.setattr(replies, "of", widest)
    with pytest.raises(AssertionError):
        test_E12_the_nearest_team_wins_whatever_teams_do()


def forgets_to_count(state: State, event: e.ReplyPut, t: int) -> None:
    before = state.replies_bytes
    replies.reply_put(state, event, t)
    state.replies_bytes = before


def misfiles(state: State, event: e.ReplyPut, t: int) -> None:
    replies.reply_put(state, event, t)
    one = state.teams[event.team].replies.pop(event.reply)
    state.teams[event.team].replies["other"] = one


@pytest.mark.parametrize("fault", [forgets_to_count, misfiles])
def test_caught_a_reply_that_is_not_counted_or_under_another_name(
    monkeypatch: Patch, fault: Callable[[State, e.ReplyPut, int], None]
) -> None:
    monkeypatch.setitem(rules.EVOLVE, e.ReplyPut, fault)
    with pytest.raises(invariants.InvariantBroken, match="E12"):
        put(office(), "blue", "hello")


def test_caught_a_team_with_too_many(monkeypatch: Patch) -> None:
    scene = office()
    put(scene, "blue", "hello")
    monkeypatch.setattr(limits, "MAX_REPLIES", 0)
    with pytest.raises(invariants.InvariantBroken, match="E12"):
        invariants.check(scene.desk.state)


def test_who_is_told_is_somebody_of_the_account() -> None:
    scene = furnished()
    scene.refused(ops.ReplyList(), representative("nobody"), Code.NOT_ALLOWED)
    scene.refused(ops.ReplyList(), manager("nobody"), Code.NOT_ALLOWED)
