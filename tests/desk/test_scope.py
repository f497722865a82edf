"""F20 at the desk: what a team manager is told doesn't depend by a single byte on what it doesn't manage.

Two runs have the same commands in the teams of a manager, at the same times and with the same entropy; what happens in
teams that share no sub-portal and no person with them is drawn for each run by itself.
"""

# covers: broker/desk/publish.py broker/desk/view.py broker/desk/configuration.py

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.desk import configuration, names, publish, view
from broker.desk import events as e
from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost, SignIn
from broker.desk.grants import TEAM_RIGHTS
from broker.desk.identity import Identity
from broker.desk.outcome import Handled
from broker.desk.publish import audiences, render, resolve
from broker.desk.state import Context, State
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.units import SECONDS
from tests.support import people
from tests.support.builders import customer, personal, representative
from tests.support.people import MIA, TIM
from tests.support.scene import Scene

Patch = pytest.MonkeyPatch
fewer = settings(max_examples=settings().max_examples // 2)


@attrs.frozen
class Side:
    """Half of an account: what its steps are about."""

    places: tuple[str, str]
    teams: tuple[str, str, str]
    """The last one isn't there at first."""
    staff: tuple[str, str, str]
    customers: tuple[str, str, str]


OURS = Side(("help", "side"), ("blue", "sky", "bay"), ("ann", "cy", "abe"), ("kim", "kit", "kai"))
THEIRS = Side(("other", "far"), ("red", "ruby", "rust"), ("di", "ed", "dot"), ("lea", "lou", "lin"))
STREAMS = ("me:tim", "team:blue", "team:sky", "team:bay", "subportal:help", "subportal:side")

VERBS = (
    *("ask", "ask", "ask", "accept", "accept", "accept", "decline", "end", "leave", "transfer", "available", "away"),
    *(
        "offline",
        "lost",
        "back",
        "gone",
        "put",
        "delete",
        "tune",
        "route",
        "team",
        "undo",
        "sign in",
        "restart",
        "give",
    ),
)
Step = tuple[str, int, int]
"""(what, to which, and how)."""
steps = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 2), st.integers(0, 3)), max_size=4)
scripts = st.lists(
    st.tuples(
        st.sampled_from(VERBS), st.integers(0, 2), st.integers(0, 3), st.sampled_from([0, 1, 5 * SECONDS, 61 * SECONDS])
    ),
    min_size=3,
    max_size=14,
)


def opened() -> Scene:
    """Both halves as they are at first; Tim manages ours."""
    scene = Scene()
    people.boss(scene)
    for side in (OURS, THEIRS):
        for place, mode in zip(side.places, ("queue", "web"), strict=True):
            scene.portal(place, "ask", mode)
        people.team(scene, side.teams[0], side.places[0])
        people.team(scene, side.teams[1], *side.places, parent=side.teams[0])
        scene.staff(side.teams[0], side.staff[0], capacity=2)
        scene.staff(side.teams[1], side.staff[1])
    people.hire(scene, "tim", "team", teams=["blue"], rights=TEAM_RIGHTS)
    return scene


def play(scene: Scene, side: Side, step: Step, named: str) -> None:
    """One step of a half. Whatever it makes is named by ``named`` alone."""
    command, who = _command(scene, side, step, named)
    if isinstance(command, ops.RepresentativePut):
        scene.lowered.add(command.representative)
    if command is not None:
        scene.do(command, who, named)


def _command(scene: Scene, side: Side, step: Step, named: str) -> tuple[object, Identity | None]:
    verb, which, how = step
    state = scene.desk.state
    name, place, team = side.staff[which], side.places[which % 2], side.teams[how % 3]
    person = state.representatives.get(name)
    offered = list(person.offers)[:1] if person is not None else []
    offered = offered or [one.offer for one in state.offers.values() if state.requests[one.request].subportal == place]
    had = list(person.sessions)[:1] if person is not None else []
    waiting = [request.request for request in state.requests.values() if request.subportal == place]
    match verb:
        case "ask":
            text = personal(f"{named} asks", f"c_{named}")
            return ops.RequestCreate(None, text), customer(side.customers[how % 3], place)
        case "accept" if offered:
            return ops.OfferAccept(offered[0]), representative(name)
        case "decline" if offered:
            return ops.OfferDecline(offered[0], "no"), representative(name)
        case "end" if had:
            return ops.SessionEnd(had[0]), representative(name)
        case "leave" if had:
            return ops.SessionLeave(had[0]), representative(name)
        case "transfer" if had:
            return ops.SessionTransfer(had[0], side.staff[how % 3]), representative(name)
        case "available" | "away" | "offline":
            return ops.PresenceSet(verb, sessions="hand_back"), representative(name)
        case "lost" if person is not None:
            return ConnectionLost(name), None
        case "back" if person is not None:
            return ConnectionBack(name), None
        case "gone":
            return ConnectionLost(f"v_{side.customers[how % 3]}"), None
        case "give" if waiting:
            return ops.CaseAssign(name, waiting[0]), MIA
        case "sign in" if person is not None:
            return SignIn(name, "representative", "password", None, scene.now + 9_000_000), None
        case _:
            return _setting(state, side, step, team), MIA


def _setting(state: State, side: Side, step: Step, team: str) -> object:
    verb, which, how = step
    name, place = side.staff[which], side.places[which % 2]
    match verb:
        case "put":
            return ops.RepresentativePut(name, personal(name, f"c_{name}"), team, 1 + how)
        case "delete":
            return ops.RepresentativeDelete(name)
        case "tune":
            policy = ("least_occupied", "longest_idle", "round_robin", "weighted")[how]
            return ops.SubportalPut(place, 1 + how, policy, sticky_ms=how * SECONDS or None)
        case "route":
            return ops.PortalPut(place, "ask", ("queue", "web")[which % 2], [place], offer_ms=(5 + how) * SECONDS)
        case "team":
            return ops.TeamPut(side.teams[2], side.places[: how % 3], parent=side.teams[0])
        case "undo":
            return ops.TeamDelete(side.teams[2 - how % 2])
        case _:
            return None


def seen(scene: Scene) -> list[bytes]:
    """Everything that the team manager can see, as bytes."""
    shown: list[object] = [
        [stream, offset, record.t, wire_type, render(record.event, wire_type, stream, str.upper)]
        for record in scene.records
        for stream, offset, wire_type in record.entries
        if stream in STREAMS
    ]
    shown += [resolve(view.view(scene.desk, stream, TIM), str.upper) for stream in STREAMS]
    shown += [scene.desk.may_read(TIM, stream) for stream in STREAMS]
    for command in (
        ops.AccountGet(),
        *(ops.CaseList(place) for place in OURS.places),
        *(ops.SignInList(name) for name in OURS.staff if name in scene.desk.state.representatives),
    ):
        told = scene.do(command, TIM)
        shown.append(resolve(dict(told.value), str.upper) if isinstance(told, Handled) else told.text)
    return [pack_value(one) for one in shown]


def lived(script: Sequence[tuple[str, int, int, int]], rest: Sequence[Sequence[Step]]) -> Scene:
    """Our steps, and between them somebody else's."""
    scene = opened()
    for number, (verb, which, how, ms) in enumerate(script):
        for at, step in enumerate(rest[number] if number < len(rest) else ()):
            play(scene, THEIRS, step, f"theirs{number}.{at}")
        if verb == "restart":
            scene.do(BrokerStart(), None, f"start{number}")
        play(scene, OURS, (verb, which, how), f"ours{number}")
        scene.pass_time(ms)
    return scene


def differs(script: Sequence[tuple[str, int, int, int]], *rest: Sequence[Sequence[Step]]) -> bool:
    """Whether the team manager could tell one run from the other."""
    one, other = (seen(lived(script, each)) for each in rest)
    return one != other


@pytest.mark.slow
@given(script=scripts, one=st.lists(steps, max_size=14), other=st.lists(steps, max_size=14))
@fewer
def test_F20_a_team_manager_cannot_tell_what_happens_elsewhere(
    script: list[tuple[str, int, int, int]], one: list[list[Step]], other: list[list[Step]]
) -> None:
    assert not differs(script, one, other)


BUSY = [
    ("ask", 0, 0, 0),
    ("accept", 0, 0, 5 * SECONDS),
    ("ask", 0, 1, 0),
    ("transfer", 0, 1, 0),
    ("put", 2, 1, 0),
    ("end", 0, 0, 0),
    ("delete", 1, 0, 61 * SECONDS),
    ("available", 2, 0, 0),
    ("ask", 1, 2, 0),
]
NOTHING: list[list[Step]] = []
MUCH: list[list[Step]] = [
    [("ask", 0, 0), ("tune", 0, 2)],
    [("accept", 0, 0), ("put", 2, 1)],
    [("delete", 1, 0)],
    [("delete", 2, 0), ("team", 0, 1)],
]


def test_F20_a_life_in_which_much_happens_on_both_sides() -> None:
    scene = lived(BUSY, MUCH)
    kinds = {type(event) for event in scene.events(e.SessionEnded, e.RepresentativeDeleted, e.RequestAssigned)}
    assert len(kinds) == 3
    assert len(seen(scene)) > 30
    assert not differs(BUSY, NOTHING, MUCH)


def test_F20_the_comparison_tells_when_something_of_ours_is_otherwise() -> None:
    assert seen(lived(BUSY, NOTHING)) != seen(lived(BUSY[:-1], NOTHING))


def test_F20_caught_pseudonyms_that_are_counted(monkeypatch: Patch) -> None:
    count = iter(range(1000))

    def counted(context: Context) -> str:
        return f"former-{next(count)}"

    monkeypatch.setattr(names, "pseudonym", counted)
    assert differs(BUSY, NOTHING, MUCH)


def test_F20_caught_an_event_that_is_told_to_a_foreign_team(monkeypatch: Patch) -> None:
    def everywhere(event: e.RepresentativePut) -> list[tuple[str, str]]:
        return [*before(event), ("team:sky", "representative.changed")]

    before = publish._AUDIENCES[e.RepresentativePut]
    monkeypatch.setitem(publish._AUDIENCES, e.RepresentativePut, everywhere)
    assert audiences(e.RepresentativePut("di", ("c", b""), "red", None, 1, "mia"))[-1][0] == "team:sky"
    assert differs(BUSY, NOTHING, MUCH)


def test_F20_caught_an_account_that_shows_another_team(monkeypatch: Patch) -> None:
    monkeypatch.setattr(configuration, "_of_teams", lambda state, who: configuration._whole(state))
    assert differs(BUSY, NOTHING, MUCH)


def test_what_a_team_manager_reads_names_nobody_else() -> None:
    """Scenario 14."""
    scene = lived(BUSY, MUCH)
    shown = b"".join(seen(scene))
    for word in (*THEIRS.teams, *THEIRS.places, *THEIRS.staff, *THEIRS.customers):
        assert pack_value(word) not in shown
    assert isinstance(scene.do(ops.AccountGet(), MIA), Handled)
