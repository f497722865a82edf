"""What team managers reach in any tree of teams, and what no sequence of commands may do. Beside plain, naive rules."""

# covers: broker/desk/rights.py broker/desk/grants.py

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import managers, rights, snapshot, teams
from broker.desk.grants import GRANTABLE, TEAM_RIGHTS, Target
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Handled, Refusal
from broker.desk.rights import TOUCHES, actor
from broker.desk.state import State
from broker.protocol import ops
from tests.support import people
from tests.support.builders import manager, personal, request_id
from tests.support.people import MIA, TIM, house
from tests.support.scene import Scene

TEAMS = ("a", "b", "c", "d", "e", "f")
PLACES = ("help", "side", "other", "far")
several = settings(max_examples=settings().max_examples // 2)
fewer = settings(max_examples=settings().max_examples // 4)

# --- reach -------------------------------------------------------------------------------------------

moves = st.lists(
    st.tuples(st.sampled_from(TEAMS), st.none() | st.sampled_from(TEAMS), st.sets(st.sampled_from(PLACES), max_size=2)),
    min_size=4,
    max_size=16,
)


def within(state: State, team: str, managed: Iterable[str]) -> bool:
    """Whether a team is managed, or its parent is within."""
    parent = state.teams[team].parent
    return team in set(managed) or (parent is not None and within(state, parent, managed))


@pytest.mark.slow
@given(moves=moves, managed=st.sets(st.sampled_from(TEAMS), max_size=3), gone=st.none() | st.sampled_from(TEAMS))
@several
def test_a_team_manager_reaches_its_teams_and_all_beneath_them(
    moves: list[tuple[str, str | None, set[str]]], managed: set[str], gone: str | None
) -> None:
    scene = Scene()
    people.boss(scene)
    for name in PLACES:
        scene.portal(name, "ask", "queue")
    for team, parent, served in moves:
        scene.do(ops.TeamPut(team, sorted(served), parent=parent), MIA)  # some would make a ring: they are refused
    state = scene.desk.state
    people.hire(scene, "tim", "team", teams=sorted(managed & state.teams.keys()))
    if gone is not None and gone in state.teams:
        scene.ok(ops.TeamDelete(gone), MIA)
    reached = {team for team in state.teams if within(state, team, managed - {gone or ""})}
    who = actor(state, TIM)
    assert who is not None
    assert who.teams == reached
    assert who.subportals == {name for team in reached for name in state.teams[team].subportals}


def test_caught_a_reach_that_stops_at_the_first_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "below", lambda state, team: {team, *state.teams[team].children})
    scene = house()
    people.team(scene, "deep", parent="sky")
    who = actor(scene.desk.state, TIM)
    assert who is not None
    assert who.teams != teams.below(scene.desk.state, "blue")


# --- a team manager changes nothing outside ----------------------------------------------------------

ALL_TEAMS = ("blue", "sky", "red", "ruby", "new")
STAFF = ("ann", "cy", "di", "ed", "zoe")
team = st.sampled_from(ALL_TEAMS)
staff = st.sampled_from(STAFF)
names = st.sampled_from([*STAFF, "mia", "tim", "ted", "pia", "robot"])
requests = st.sampled_from([request_id(name) for name in PLACES])
commands = st.one_of(
    st.builds(
        lambda name, served, parent: ops.TeamPut(name, sorted(served), parent=parent),
        team,
        st.sets(st.sampled_from(PLACES), max_size=2),
        st.none() | team,
    ),
    st.builds(ops.TeamDelete, team, st.none() | team),
    st.builds(
        lambda name, where, size: ops.RepresentativePut(name, personal(name), where, size),
        staff,
        team,
        st.integers(1, 3),
    ),
    st.builds(ops.RepresentativeDelete, staff),
    st.builds(lambda name: ops.PasswordSet("x", person=name), names),
    st.builds(ops.PasswordLink, names),
    st.builds(ops.SignInEnd, names),
    st.builds(ops.SignInList, names),
    st.builds(ops.CaseAssign, requests, staff),
    st.builds(ops.RequestClassify, requests, st.just("normal")),
    st.builds(lambda name: ops.ManagerPut(name, "team", teams=["red"], rights=TEAM_RIGHTS), names),
    st.builds(ops.ManagerDelete, names),
    st.builds(ops.KeyCreate, names),
    st.builds(ops.PortalPut, st.just("other"), st.just("ask"), st.just("queue"), st.just(["other"])),
)


def outside(scene: Scene, own_teams: frozenset[str], own_places: frozenset[str]) -> dict[str, object]:
    """Every fact that is none of these teams', their people's and the sub-portals' that they serve."""
    state, data = scene.desk.state, snapshot.dump(scene.desk)
    own = {name for name, one in state.representatives.items() if one.team in own_teams}
    own |= {"tim", *state.former}

    def rows(name: str, mine: Iterable[str], column: int = 0) -> list[object]:
        found = data[name]  # type: ignore[literal-required]
        return [row for row in found if row[column] not in set(mine)]

    streams = {
        f"{kind}:{name}"
        for kind, some in (("team", own_teams), ("subportal", own_places), ("me", own))
        for name in some
    }
    visitors = {f"v_{name}" for name in own_places}
    return {
        "portals": data["portals"],
        "subportals": rows("subportals", own_places),
        "teams": rows("teams", own_teams),
        "representatives": rows("representatives", own),
        "managers": [(*row[:4], row[5]) for row in data["managers"] if row[0] != "tim"],
        "services": data["services"],
        "access": rows("access", own),
        "sign_ins": rows("sign_ins", own, 1),
        "keys": rows("keys", own, 1),
        "requests": [row for row in data["requests"] if row[3] not in own_places],
        "visitors": rows("visitors", visitors, 1),
        "sessions": [row for row in data["sessions"] if row[2] not in own_places],
        "streams": {
            name: head
            for name, head in data["streams"].items()
            if name not in streams | {f"me:{one}" for one in visitors} | {"account", "audit"}
            and not name.startswith("session:")
        },
    }


def tried(scene: Scene, command: object) -> None:
    """A command of the team manager: whatever comes of it, all that was outside before is as it was."""
    who = actor(scene.desk.state, TIM)
    assert who is not None
    own_people = {name for name, one in scene.desk.state.representatives.items() if one.team in who.teams}
    teams_before = set(scene.desk.state.teams)
    before = outside(scene, who.teams, who.subportals)
    if isinstance(command, ops.RepresentativePut):
        scene.lowered.add(command.representative)
    scene.do(command, TIM, prepared=people.hashed("x"))
    after = actor(scene.desk.state, TIM)
    assert after is not None
    assert after.teams & teams_before <= who.teams, "it manages what it didn't"
    assert after.subportals <= who.subportals, "its teams serve what they didn't"
    now = outside(scene, who.teams | (after.teams - teams_before), who.subportals)
    still = {name for name in own_people if name in scene.desk.state.representatives}
    assert all(scene.desk.state.representatives[name].team in after.teams for name in still), (
        "somebody left for outside"
    )
    assert now == before


@pytest.mark.slow
@given(given=st.lists(commands, max_size=12))
@fewer
def test_no_sequence_of_a_team_managers_commands_changes_anything_outside(given: list[object]) -> None:
    scene = house()
    for name in ("di", "cy"):
        people.sign_in(scene, name)
    for name in PLACES:
        scene.ask(name, name)
    for command in given:
        tried(scene, command)
        scene.pass_time(1000)


@pytest.mark.parametrize(
    ("cls", "command"),
    [
        (ops.RepresentativePut, ops.RepresentativePut("di", personal("di"), "red", 3)),
        (ops.TeamPut, ops.TeamPut("blue", ["other"])),
        (ops.TeamPut, ops.TeamPut("ruby", ["far"], parent="blue")),
        (ops.SignInEnd, ops.SignInEnd("di")),
        (ops.CaseAssign, ops.CaseAssign("di", request_id("other"))),
    ],
)
def test_caught_an_operation_that_forgets_what_it_touches(
    monkeypatch: pytest.MonkeyPatch, cls: type, command: object
) -> None:
    monkeypatch.setitem(TOUCHES, cls, lambda state, command: Target())
    scene = house()
    people.sign_in(scene, "di")
    for name in ("di", "ed"):
        scene.set(name, "away")
    scene.ask("other", "other")
    with pytest.raises(AssertionError):
        tried(scene, command)


# --- names, grants and the last account manager ------------------------------------------------------

few_names = st.sampled_from(["ann", "bo", "cy", "di"])
lives = st.lists(
    st.tuples(st.sampled_from(["representative", "manager", "service"]), st.booleans(), few_names), max_size=25
)


@pytest.mark.slow
@given(lives=lives)
@several
def test_H8_a_name_is_one_persons_for_ever(lives: list[tuple[str, bool, str]]) -> None:
    scene = Scene()
    people.boss(scene)
    scene.team("blue")
    put: dict[str, Callable[[str], object]] = {
        "representative": lambda name: ops.RepresentativePut(name, personal(name), "blue", 1),
        "manager": lambda name: ops.ManagerPut(name, "team"),
        "service": lambda name: ops.ServicePut(name, []),
    }
    delete: dict[str, Callable[[str], object]] = {
        "representative": ops.RepresentativeDelete,
        "manager": ops.ManagerDelete,
        "service": ops.ServiceDelete,
    }
    owners: dict[str, str] = {}
    for kind, comes, name in lives:
        if not comes:
            made = scene.do(delete[kind](name), MIA)
            assert isinstance(made, Handled) == (owners.get(name) == kind), made
            if isinstance(made, Handled):
                owners[name] = "gone"
                assert scene.desk.state.former[name] not in owners
        elif owners.setdefault(name, kind) == kind:
            scene.ok(put[kind](name), MIA)
        else:
            refusal = scene.refused(put[kind](name), MIA, Code.BAD_ARGS)
            assert (refusal.detail or {})["path"] == f"args.{kind}"
    assert set(scene.desk.state.former) == {name for name, kind in owners.items() if kind == "gone"}


bosses = st.sampled_from(["mia", "max", "moe"])
puts = st.lists(
    st.one_of(
        st.tuples(bosses, bosses | st.just("new"), st.sampled_from(["account", "team", "api"]), st.booleans()),
        st.tuples(bosses, bosses | st.just("new"), st.none(), st.booleans()),
    ),
    max_size=25,
)


def holders(state: State) -> set[str]:
    """Who may make API managers, and who is one."""
    return {one.manager for one in state.managers.values() if one.kind == "api" or "api_managers" in one.rights}


@pytest.mark.slow
@given(puts=puts)
@several
def test_nobody_grants_what_it_does_not_hold_and_an_account_manager_stays(
    puts: list[tuple[str, str, str | None, bool]],
) -> None:
    scene = Scene()
    people.boss(scene)
    people.hire(scene, "max", "account")
    state = scene.desk.state
    for by, name, kind, with_right in puts:
        before, may = holders(state), "api_managers" in (state.managers[by].rights if by in state.managers else ())
        could = by in state.managers and state.managers[by].kind == "account"
        if kind is None:
            made = scene.do(ops.ManagerDelete(name), manager(by))
        else:
            granted = ["api_managers"] if with_right and kind == "account" else []
            made = scene.do(ops.ManagerPut(name, kind, rights=granted), manager(by))
        assert could or isinstance(made, Refusal), "somebody who is no account manager made or deleted one"
        assert may or holders(state) <= before, "it gave what it didn't have"
        assert rights.has_account_manager(state), "nobody is left"


@pytest.mark.parametrize("change", ["put", "delete"])
def test_the_last_account_manager_stays_and_is_told_why(change: str) -> None:
    scene = house()
    gone = ops.ManagerDelete("mia") if change == "delete" else ops.ManagerPut("mia", "team")
    assert "one account manager at least" in scene.refused(gone, MIA).text
    people.hire(scene, "max", "account")
    scene.ok(gone, MIA)
    scene.refused(ops.ManagerDelete("max"), manager("max"))


def test_caught_a_desk_that_loses_its_last_account_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managers, "_is_last", lambda state, manager: False)
    for command in (ops.ManagerDelete("mia"), ops.ManagerPut("mia", "api")):
        with pytest.raises(InvariantBroken, match="H3"):
            house().do(command, MIA)


def test_who_may_not_make_api_managers_cannot_speak_for_one_either() -> None:
    scene = house()
    people.hire(scene, "max", "account")
    max_ = manager("max")
    for command in (
        ops.ManagerPut("new", "api"),
        ops.ManagerPut("pia", "api", email=personal("max@example.com")),
        ops.ManagerPut("pia", "team"),
        ops.ManagerPut("max", "account", rights=["api_managers"]),
        ops.PasswordSet("x", person="pia"),
        ops.KeyCreate("pia"),
    ):
        refusal = scene.refused(command, max_, Code.NOT_ALLOWED, people.hashed("x"))
        assert "api_managers" in refusal.text
    scene.ok(ops.PasswordSet("x", person="pia"), MIA, prepared=people.hashed("x"))
    scene.ok(ops.KeyCreate("pia"), MIA, prepared=people.made_key("k"))
    scene.ok(ops.KeyCreate("pia"), people.PIA, prepared=people.made_key("l"))
    scene.ok(ops.PasswordSet("y", "x"), people.PIA, prepared=people.hashed("y"))
    scene.ok(ops.ManagerDelete("pia"), max_)


@pytest.mark.parametrize("kind", list(GRANTABLE))
def test_a_manager_of_each_kind_is_granted_what_is_for_its_kind(kind: str) -> None:
    scene = house()
    for right in sorted({right for some in GRANTABLE.values() for right in some}):
        command = ops.ManagerPut("new", kind, rights=[right])
        if right in GRANTABLE[kind]:
            scene.ok(command, MIA)
        else:
            refusal = scene.refused(command, MIA, Code.BAD_ARGS)
            assert (refusal.detail or {})["path"] == "args.rights[0]"
