"""Teams and representatives: what managers set up."""

from __future__ import annotations

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import offers, overflow, settings
from broker.desk.outcome import Decision, Refusal, bad_args
from broker.desk.state import Context, Representative, State, Team
from broker.protocol import ops


def put_team(state: State, command: ops.TeamPut, context: Context) -> Decision | Refusal:
    """Create a team or change what it serves."""
    names = tuple(dict.fromkeys(command.subportals))
    for index, name in enumerate(command.subportals):
        if name not in state.subportals:
            return bad_args(f"args.subportals[{index}]", "the name of a sub-portal")
    now = state.teams.get(command.team)
    if now is None and len(state.teams) >= limits.MAX_TEAMS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_TEAMS} teams")
    title = command.title.ref if command.title is not None else None
    if now is not None and title is None and (now.subportals, now.away_after) == (names, command.away_after):
        return Decision(value={"team": command.team, "changed": False})
    happened: list[e.Event] = [e.TeamPut(command.team, title, names, context.who, command.away_after)]
    if now is not None and (lost := set(now.subportals) - set(names)):
        for member in sorted(now.members):
            happened += offers.take_away(state, state.representatives[member], lost)
    return Decision(happened, {"team": command.team, "changed": True})


def put_representative(state: State, command: ops.RepresentativePut, context: Context) -> Decision | Refusal:
    """Create a representative or change one."""
    if command.representative.startswith("v_"):
        return bad_args("args.representative", "a name that doesn't begin with v_, as visitors' ids do")
    if command.team not in state.teams:
        return bad_args("args.team", "the name of a team")
    now = state.representatives.get(command.representative)
    if now is None and len(state.representatives) >= limits.MAX_REPRESENTATIVES:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_REPRESENTATIVES} representatives")
    can = settings.skills_of(command.skills or ())
    if isinstance(can, Refusal):
        return can
    former = now.team if now is not None and now.team != command.team else None
    put = e.RepresentativePut(
        command.representative, command.name.ref, command.team, former, command.capacity, context.who
    )
    put.weight, put.skills = command.weight or 1, can
    happened: list[e.Event] = [put]
    if now is not None:
        if _person_fields(now) == _person_fields(put):
            return Decision(value={"representative": command.representative, "changed": False})
        lost = set(state.teams[now.team].subportals) - set(state.teams[command.team].subportals)
        happened += offers.take_away(state, now, lost)
        happened += offers.release_unfit(state, now, put, lost)
        happened += offers.make_fit(state, now, command.capacity, happened)
    return Decision(happened, {"representative": command.representative, "changed": True})


def _person_fields(person: Representative | e.RepresentativePut) -> tuple[object, ...]:
    return (person.name, person.team, person.capacity, person.weight, person.skills)


# --- evolve ----------------------------------------------------------------------------------------


def serve(state: State, team: Team, subportals: tuple[str, ...]) -> None:
    """Its members serve these sub-portals from now on."""
    team.subportals = subportals
    for member in sorted(team.members):
        _put_member(state, state.representatives[member], subportals)


def _put_member(state: State, person: Representative, subportals: tuple[str, ...]) -> None:
    state.router.put_member(
        person.representative, person.capacity, subportals, weight=person.weight, skills=dict(person.skills)
    )


def team_put(state: State, event: e.TeamPut, t: int) -> None:
    """Apply ``TeamPut``: its members serve other sub-portals from now on."""
    team = state.teams.get(event.team)
    if team is None:
        team = state.teams[event.team] = Team(event.team, event.title, ())
    elif event.title is not None:
        state.release(team.title)
        team.title = event.title
    team.away_after = event.away_after
    former = team.subportals
    for name in former:
        state.serving[name].discard(event.team)
    for name in event.subportals:
        state.serving.setdefault(name, set()).add(event.team)
    serve(state, team, tuple(event.subportals))
    overflow.watch_staff(state, former, t)


def representative_put(state: State, event: e.RepresentativePut, t: int) -> None:
    """Apply ``RepresentativePut``: a new one, or another name, team or capacity."""
    person = state.representatives.get(event.representative)
    if person is None:
        person = Representative(event.representative, event.name, event.team, event.capacity)
        state.representatives[event.representative] = person
        left: tuple[str, ...] = ()
    else:
        if person.name[0] != event.name[0]:
            state.release(person.name)
        former = state.teams[person.team]
        former.members.discard(person.representative)
        former.signed_in -= person.chosen != "offline"
        person.name, person.team, person.capacity = event.name, event.team, event.capacity
        left = former.subportals if former.team != event.team else ()
    person.weight, person.skills = event.weight, event.skills
    team = state.teams[event.team]
    team.members.add(person.representative)
    team.signed_in += person.chosen != "offline"
    _put_member(state, person, team.subportals)
    overflow.watch_staff(state, left, t)
