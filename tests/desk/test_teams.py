"""Teams in trees: who stands above whom, what a put refuses, and what becomes of a deleted team's people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import invariants, teams
from broker.desk.invariants import InvariantBroken
from broker.desk.state import State
from broker.protocol import ops
from tests.support.agreement import reloaded
from tests.support.builders import customer, manager, offer_id, personal, representative, request_id
from tests.support.scene import Scene, of, office

MIA = manager()


def put(scene: Scene, team: str, parent: str | None = None, *subportals: str) -> None:
    """A team beneath another."""
    scene.ok(ops.TeamPut(team, subportals, parent=parent), MIA)


def refused(scene: Scene, team: str, parent: str) -> str:
    """What ``args.parent`` is told to be."""
    refusal = scene.refused(ops.TeamPut(team, [], parent=parent), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.parent"
    return refusal.text


def family(scene: Scene | None = None) -> Scene:
    """europe: (paris: (nord, sud), berlin)."""
    scene = scene or Scene()
    scene.portal("help", "ask", "queue", "help", "more")
    put(scene, "europe", None, "help", "more")
    put(scene, "paris", "europe", "help")
    put(scene, "nord", "paris", "help")
    put(scene, "sud", "paris", "more")
    put(scene, "berlin", "europe", "more")
    return scene


def test_a_circle_is_gone_around_once() -> None:
    parents = {"a": "b", "b": "c", "c": "a", "d": "a"}
    assert teams.upwards("a", parents.get) == ("a", "b", "c")
    assert teams.upwards("d", parents.get) == ("d", "a", "b", "c")
    assert teams.upwards("e", parents.get) == ("e",)


def test_teams_are_told_from_the_top_and_on_one_level_by_name() -> None:
    scene = family()
    put(scene, "asia", None)
    put(scene, "europe", "asia", "help", "more")  # moved, after its sub-teams were made
    names = [team.team for team in teams.from_the_top(scene.desk.state)]
    assert names == ["asia", "europe", "berlin", "paris", "nord", "sud"]


# --- trees ------------------------------------------------------------------------------------------


def test_a_team_knows_who_is_above_and_who_is_beneath() -> None:
    state = family().desk.state
    assert teams.above(state, "nord") == ("nord", "paris", "europe")
    assert teams.above(state, "europe") == ("europe",)
    assert teams.below(state, "paris") == {"paris", "nord", "sud"}
    assert teams.below(state, "europe") == set(state.teams)
    assert teams.below(state, "berlin") == {"berlin"}


def test_only_a_title_that_another_takes_the_place_of_is_let_go() -> None:
    scene = Scene()
    scene.ok(ops.TeamPut("blue", [], personal("Blue", "c_1")), MIA)
    scene.ok(ops.TeamPut("blue", [], personal("Blue", "c_1"), away_after=2), MIA)  # the same, and something else
    assert scene.desk.drain_released() == []
    scene.ok(ops.TeamPut("blue", [], personal("Navy", "c_2")), MIA)
    assert scene.desk.drain_released() == ["c_1"]
    scene.ok(ops.TeamPut("blue", [], away_after=3), MIA)
    assert (scene.desk.drain_released(), scene.desk.held_contents()) == ([], {"c_2"})


def test_a_team_moves_with_everything_beneath_it_and_to_the_top() -> None:
    scene = family()
    put(scene, "paris", "berlin", "help")
    assert teams.above(scene.desk.state, "nord") == ("nord", "paris", "berlin", "europe")
    put(scene, "paris", None, "help")
    assert teams.below(scene.desk.state, "europe") == {"europe", "berlin"}
    assert teams.above(scene.desk.state, "sud") == ("sud", "paris")


def test_the_parent_alone_is_a_change_and_comes_back() -> None:
    scene = family()
    assert scene.ok(ops.TeamPut("nord", ["help"], parent="paris"), MIA).value["changed"] is False
    assert scene.ok(ops.TeamPut("nord", ["help"], parent="berlin"), MIA).value["changed"] is True
    wire_type, data = scene.told("account")[-1]
    assert (wire_type, data["team"], data["parent"]) == ("team.changed", "nord", "berlin")
    found = scene.ok(ops.AccountGet(), MIA).value["teams"]
    assert isinstance(found, list)
    assert {one["team"]: one["parent"] for one in found}["nord"] == "berlin"


@pytest.mark.parametrize(("team", "parent"), [("europe", "nord"), ("paris", "paris"), ("new", "new")])
def test_no_team_is_beneath_itself(team: str, parent: str) -> None:
    assert f"a team that is neither {team} nor beneath it" in refused(family(), team, parent)


def test_a_parent_is_a_team_that_exists() -> None:
    assert "the name of a team" in refused(family(), "lyon", "atlantis")


def test_a_tree_has_at_most_so_many_levels_and_the_branch_that_moves_counts() -> None:
    scene = Scene()
    names = [f"t{level}" for level in range(limits.MAX_TEAM_DEPTH)]
    for name, parent in zip(names, [None, *names], strict=False):
        put(scene, name, parent)
    assert f"at most {limits.MAX_TEAM_DEPTH} levels" in refused(scene, "one_more", names[-1])
    put(scene, "root")
    put(scene, "leaf", "root")
    assert "levels" in refused(scene, names[0], "root")
    assert "levels" in refused(scene, "root", names[-2])
    put(scene, "root", names[-3])
    assert len(teams.above(scene.desk.state, "leaf")) == limits.MAX_TEAM_DEPTH


def test_a_sub_team_serves_its_own_list_and_not_its_parents() -> None:
    scene = family()
    scene.staff("nord", "ann")
    assert scene.desk.state.router.members["ann"].pool.subportals == {"help"}
    put(scene, "paris", "europe", "help", "more")
    assert scene.desk.state.router.members["ann"].pool.subportals == {"help"}


# --- deletion ----------------------------------------------------------------------------------------


def test_a_deleted_teams_people_are_in_its_parent_and_its_sub_teams_beneath_that() -> None:
    scene = family()
    scene.staff("paris", "ann", "bo")
    scene.staff("europe", "cy", presence="offline")
    handled = scene.ok(ops.TeamDelete("paris"), MIA)
    assert handled.value == {"team": "paris", "into": "europe"}
    state = scene.desk.state
    assert "paris" not in state.teams
    assert state.teams["europe"].members == {"ann", "bo", "cy"}
    assert state.teams["europe"].signed_in == 2
    assert teams.above(state, "nord") == ("nord", "europe")
    assert teams.below(state, "europe") == {"europe", "berlin", "nord", "sud"}
    assert state.router.members["ann"].pool.subportals == {"help", "more"}
    assert state.representatives["ann"].available


def test_a_deletion_is_told_to_both_teams_to_the_account_and_to_whom_it_moves() -> None:
    scene = family()
    scene.staff("paris", "ann")
    scene.ok(ops.TeamDelete("paris", "berlin"), MIA)
    data = {"team": "paris", "into": "berlin", "by": "mia"}
    for stream in ("account", "team:paris", "team:berlin"):
        assert scene.told(stream)[-1] == ("team.deleted", {**data, "representatives": ["ann"]})
    assert scene.told("me:ann")[-1] == ("team.deleted", data)
    scene.set("ann", "away")
    assert scene.told("team:berlin")[-1][0] == "presence.changed"


def test_the_stream_of_a_deleted_team_is_nobodys() -> None:
    scene = family()
    assert scene.desk.may_read(MIA, "team:sud")
    scene.ok(ops.TeamDelete("sud"), MIA)
    assert not scene.desk.may_read(MIA, "team:sud")


def test_an_empty_team_needs_no_other_and_one_with_people_does() -> None:
    scene = family()
    put(scene, "spare")
    assert scene.ok(ops.TeamDelete("spare"), MIA).value == {"team": "spare"}
    scene.staff("europe", "ann")
    for into in (None, "europe", "atlantis"):
        refusal = scene.refused(ops.TeamDelete("europe", into), MIA, Code.BAD_ARGS)
        assert (refusal.detail or {})["path"] == "args.into"
    scene.refused(ops.TeamDelete("atlantis"), MIA, Code.NO_SUCH)
    scene.ok(ops.TeamDelete("europe", "nord"), MIA)
    assert teams.above(scene.desk.state, "nord") == ("nord", "paris")
    assert scene.desk.state.teams["nord"].members == {"ann"}


def test_sessions_stay_and_offers_of_what_is_served_no_longer_go_to_others() -> None:
    scene = office("ann", capacity=2)
    scene.portal("shop", "ask", "queue")
    scene.team("red", "shop")
    scene.staff("red", "bo", presence="away")
    session = scene.assign("carl", "ann")
    scene.ask("dora")
    handled = scene.ok(ops.TeamDelete("blue", "red"), MIA)
    assert [type(event) for event in of(handled)] == [e.TeamDeleted, e.OfferEnded, e.RoundPaused]
    assert scene.desk.state.sessions[session].representative == "ann"
    assert scene.line() == [request_id("dora")]
    scene.refused(ops.OfferAccept(offer_id("dora")), representative("ann"), Code.OFFER_GONE)
    scene.end(session)


def test_offers_of_what_is_still_served_stay() -> None:
    scene = office("ann")
    scene.team("red", "help")
    scene.ask("carl")
    assert [type(event) for event in of(scene.ok(ops.TeamDelete("blue", "red"), MIA))] == [e.TeamDeleted]
    scene.accept(offer_id("carl"), "ann")


def test_the_last_team_of_a_sub_portal_leaves_it_unstaffed() -> None:
    scene = office("ann", mode="web")
    scene.team("red")
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["open"] is True
    scene.ok(ops.TeamDelete("blue", "red"), MIA)
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["open"] is False


def test_a_team_of_the_same_name_is_another_and_its_stream_goes_on() -> None:
    scene = family()
    before = scene.desk.stream_head("team:sud")
    scene.ok(ops.TeamDelete("sud"), MIA)
    put(scene, "sud", None, "help")
    assert scene.desk.stream_head("team:sud") > before
    assert teams.above(scene.desk.state, "sud") == ("sud",)


# --- invariants ---------------------------------------------------------------------------------------


def broken(state: State) -> str:
    """The invariant that is found broken."""
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(state)
    return caught.value.invariant


def test_H1_caught_a_tree_that_is_none() -> None:
    state = family().desk.state
    state.teams["paris"].children.discard("nord")
    assert broken(state) == "H1"
    state = family().desk.state
    state.teams["europe"].parent = "nord"
    state.teams["nord"].children.add("europe")
    assert broken(state) == "H1"
    state = family().desk.state
    state.teams["sud"].parent = "atlantis"
    assert broken(state) == "H1"


def test_H2_caught_a_representative_in_two_teams() -> None:
    scene = family()
    scene.staff("nord", "ann")
    scene.desk.state.teams["sud"].members.add("ann")
    assert broken(scene.desk.state) == "H2"


NAMES = [f"t{number}" for number in range(10)]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from(NAMES), st.booleans()), max_size=40))
def test_whatever_is_put_or_deleted_trees_stay_trees(steps: list[tuple[str, str | None, bool]]) -> None:
    """Against a dictionary of parents, walked by hand."""
    scene, parents = Scene(), dict[str, str | None]()
    for team, other, deletes in steps:
        if deletes and team in parents:
            scene.ok(ops.TeamDelete(team), MIA)
            gone = parents.pop(team)
            parents = {name: gone if parent == team else parent for name, parent in parents.items()}
        elif not deletes:
            fits = _fits({**parents, team: other})
            command = ops.TeamPut(team, [], parent=other)
            if fits:
                scene.ok(command, MIA)
                parents[team] = other
            else:
                scene.refused(command, MIA, Code.BAD_ARGS)
    state = scene.desk.state
    assert {name: team.parent for name, team in state.teams.items()} == parents
    again = reloaded(scene.desk).state
    for name in parents:
        beneath = {one for one in parents if name in _upwards(parents, one)}
        assert teams.below(state, name) == teams.below(again, name) == beneath


def _upwards(parents: dict[str, str | None], name: str | None) -> list[str]:
    found: list[str] = []
    while name is not None and name not in found:
        found.append(name)
        name = parents.get(name)
    return found


def _fits(parents: dict[str, str | None]) -> bool:
    if any(parent is not None and parent not in parents for parent in parents.values()):
        return False
    chains = [_upwards(parents, name) for name in parents]
    return all(parents[chain[-1]] is None and len(chain) <= limits.MAX_TEAM_DEPTH for chain in chains)
