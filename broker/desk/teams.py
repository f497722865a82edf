"""Teams and representatives: what managers set up.

Teams form trees. What stands on a branch (who manages it, which functions are on) goes down to every sub-team; what a
team serves doesn't: each lists its own sub-portals, so that a sub-team can be about one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable

from broker import limits
from broker.codes import Code
from broker.desk import credentials, functions, names, offers, overflow, settings
from broker.desk import events as e
from broker.desk.changes import changes
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import Context, Representative, State, Team
from broker.protocol import ops


def upwards(team: str, parent_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """The team itself, its parent, and so on up to the top; once around a circle, which a file may have and no desk."""
    found = [team]
    while (parent := parent_of(found[-1])) is not None and parent not in found:
        found.append(parent)
    return tuple(found)


def above(state: State, team: str) -> tuple[str, ...]:
    """The same of a team that is there."""
    return upwards(team, lambda name: state.teams[name].parent)


def below(state: State, team: str) -> set[str]:
    """The team itself and all teams beneath it."""
    found, left = {team}, [team]
    while left:
        children = state.teams[left.pop()].children
        found |= children
        left += children
    return found


def _levels(state: State, team: str) -> int:
    """How many levels of teams it and those beneath it make."""
    return 1 + max((_levels(state, child) for child in state.teams[team].children), default=0)


def _wrong_parent(state: State, team: str, parent: str | None) -> Refusal | None:
    if parent is None:
        return None
    if parent not in state.teams and parent != team:
        return bad_args("args.parent", "the name of a team")
    beneath = above(state, parent) if parent in state.teams else (parent,)
    if team in beneath:
        return bad_args("args.parent", f"a team that is neither {team} nor beneath it")
    if len(beneath) + (_levels(state, team) if team in state.teams else 1) > limits.MAX_TEAM_DEPTH:
        return bad_args("args.parent", f"a team so far up that there are at most {limits.MAX_TEAM_DEPTH} levels")
    return None


def from_the_top(state: State) -> list[Team]:
    """All teams, parents before their sub-teams and on one level by name: an order in which they can be put, and
    deleted from its end. Exports have it."""
    return sorted(state.teams.values(), key=lambda team: (len(above(state, team.team)), team.team))


def put_team(state: State, command: ops.TeamPut, context: Context) -> Decision | Refusal:
    """Create a team or change it."""
    names = tuple(dict.fromkeys(command.subportals))
    for index, name in enumerate(command.subportals):
        if name not in state.subportals:
            return bad_args(f"args.subportals[{index}]", "the name of a sub-portal")
    if (refusal := functions.wrong(command.functions)) is not None:
        return refusal
    if (refusal := _wrong_parent(state, command.team, command.parent)) is not None:
        return refusal
    now = state.teams.get(command.team)
    if now is None and len(state.teams) >= limits.MAX_TEAMS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_TEAMS} teams")
    title = command.title.ref if command.title is not None else None
    put = e.TeamPut(command.team, title, names, context.who, command.away_after, command.parent, command.logins)
    put.functions = functions.switched(command.functions)
    after = words(put) if title is not None or now is None else {**words(put), "title": now.title}
    put.changes = changes({} if now is None else words(now), after)
    if now is None:
        return Decision([put], {"team": command.team, "changed": True})
    if not put.changes:
        return Decision(value={"team": command.team, "changed": False})
    happened: list[e.Event] = [put]
    if lost := set(now.subportals) - set(names):
        for member in sorted(now.members):
            happened += offers.take_away(state, state.representatives[member], lost)
    happened += functions.act(functions.Plan(state, teams={now.team: (put.functions, command.parent)}))
    return Decision(happened, {"team": command.team, "changed": True})


def words(one: Team | e.TeamPut) -> dict[str, object]:
    """All that can be set, in the words of the operation."""
    return {
        "title": one.title,
        "subportals": list(one.subportals),
        "away_after": one.away_after,
        "parent": one.parent,
        "logins": one.logins,
        "functions": dict(one.functions),
    }


def delete_team(state: State, command: ops.TeamDelete, context: Context) -> Decision | Refusal:
    """Delete a team; its people stay, in another one."""
    team = state.teams.get(command.team)
    if team is None:
        return no_such("team")
    if command.into is not None and (command.into == command.team or command.into not in state.teams):
        return bad_args("args.into", "the name of another team")
    into = command.into if command.into is not None else team.parent
    if into is None and team.members:
        return bad_args("args.into", f"the name of another team, for {team.team} has representatives and no parent")
    if not team.members:
        into = None
    members = tuple(sorted(team.members))
    happened: list[e.Event] = [e.TeamDeleted(team.team, into, members, context.who)]
    if into is not None:
        lost = set(team.subportals) - set(state.teams[into].subportals)
        for member in members:
            happened += offers.take_away(state, state.representatives[member], lost)
    children = {name: (state.teams[name].functions, team.parent) for name in team.children}
    people = {name: (state.representatives[name].functions, into or "") for name in members}
    happened += functions.act(functions.Plan(state, teams=children, people=people))
    return Decision(happened, {"team": team.team} if into is None else {"team": team.team, "into": into})


def put_representative(state: State, command: ops.RepresentativePut, context: Context) -> Decision | Refusal:
    """Create a representative or change one."""
    now = state.representatives.get(command.representative)
    if now is None and not names.may_be_given(state, command.representative):
        return bad_args("args.representative", names.EXPECTED)
    if command.team not in state.teams:
        return bad_args("args.team", "the name of a team")
    if now is None and len(state.representatives) >= limits.MAX_REPRESENTATIVES:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_REPRESENTATIVES} representatives")
    can = settings.skills_of(command.skills or ())
    if isinstance(can, Refusal):
        return can
    if (refusal := functions.wrong(command.functions)) is not None:
        return refusal
    former = now.team if now is not None and now.team != command.team else None
    put = e.RepresentativePut(
        command.representative, command.name.ref, command.team, former, command.capacity, context.who
    )
    put.weight, put.skills, put.functions = command.weight or 1, can, functions.switched(command.functions)
    put.email, put.management = None if command.email is None else command.email.ref, bool(command.management)
    after = words_of(put) if now is None or put.email is not None else {**words_of(put), "email": now.email}
    put.changes = changes({} if now is None else words_of(now), after)
    happened: list[e.Event] = [put]
    if now is not None:
        if not put.changes:
            return Decision(value={"representative": command.representative, "changed": False})
        lost = set(state.teams[now.team].subportals) - set(state.teams[command.team].subportals)
        happened += offers.take_away(state, now, lost)
        happened += offers.release_unfit(state, now, put, lost)
        happened += offers.make_fit(state, now, command.capacity, happened)
        people = {now.representative: (put.functions, command.team)}
        happened += functions.act(functions.Plan(state, people=people))
    return Decision(happened, {"representative": command.representative, "changed": True})


def words_of(one: Representative | e.RepresentativePut) -> dict[str, object]:
    """The same of a representative."""
    return {
        "name": one.name,
        "team": one.team,
        "capacity": one.capacity,
        "weight": one.weight,
        "skills": [{"skill": skill, "level": level} for skill, level in one.skills],
        "functions": dict(one.functions),
        "management": one.management,
        "email": one.email,
    }


def shown(one: Team | Representative) -> dict[str, object]:
    """As managers read it; the e-mail address isn't everybody's to read."""
    if isinstance(one, Team):
        return {"team": one.team, **words(one)}
    told = {"representative": one.representative, **words_of(one)}
    del told["email"]
    return told


# --- evolve ----------------------------------------------------------------------------------------


def serve(state: State, team: Team, subportals: tuple[str, ...]) -> None:
    """Its members serve these sub-portals from now on."""
    team.subportals = subportals
    for member in sorted(team.members):
        _put_member(state, state.representatives[member], subportals)


def _put_member(state: State, person: Representative, subportals: tuple[str, ...]) -> None:
    known = state.router.members.get(person.representative)
    if known is not None and not known.pool.subportals.issuperset(subportals):
        person.cases_seen = 0  # the lists that come with these were never shown to it
    state.router.put_member(
        person.representative, person.capacity, subportals, weight=person.weight, skills=dict(person.skills)
    )


def team_put(state: State, event: e.TeamPut, t: int) -> None:
    """Apply ``TeamPut``: its members serve other sub-portals from now on."""
    team = state.teams.get(event.team)
    if team is None:
        team = state.teams[event.team] = Team(event.team, event.title, ())
    elif event.title not in (None, team.title):
        state.release(team.title)
        team.title = event.title
    team.away_after, team.logins, team.functions = event.away_after, event.logins, event.functions
    _stand_beneath(state, team, event.parent)
    former = team.subportals
    for name in former:
        state.serving[name].discard(event.team)
    for name in event.subportals:
        state.serving.setdefault(name, set()).add(event.team)
    serve(state, team, tuple(event.subportals))
    overflow.watch_staff(state, former, t)


def _stand_beneath(state: State, team: Team, parent: str | None) -> None:
    if team.parent is not None:
        state.teams[team.parent].children.discard(team.team)
    team.parent = parent
    if parent is not None:
        state.teams[parent].children.add(team.team)


def team_deleted(state: State, event: e.TeamDeleted, t: int) -> None:
    """Apply ``TeamDeleted``: everybody is in the other team, every sub-team beneath the parent. Who managed it manages
    what was beneath it no longer, unless that is said: nobody gets more than it was given."""
    team = state.teams[event.team]
    for child in sorted(team.children):
        _stand_beneath(state, state.teams[child], team.parent)
    _stand_beneath(state, team, None)
    for name in team.subportals:
        state.serving[name].discard(team.team)
    del state.teams[team.team]
    state.release(team.title)
    for reply in team.replies.values():
        state.release(reply.title, reply.text, reply.texts)
        state.replies_bytes -= reply.size
    for manager in state.managers.values():
        manager.teams = tuple(name for name in manager.teams if name != team.team)
    if event.into is not None:
        into = state.teams[event.into]
        into.members |= team.members
        into.signed_in += team.signed_in
        for name in event.representatives:
            state.representatives[name].team = event.into
            _put_member(state, state.representatives[name], into.subportals)
    overflow.watch_staff(state, team.subportals, t)


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
        former.signed_in -= person.seated
        person.name, person.team, person.capacity = event.name, event.team, event.capacity
        left = former.subportals if former.team != event.team else ()
    person.weight, person.skills, person.functions = event.weight, event.skills, event.functions
    person.management = event.management
    if event.email is not None and event.email != person.email:
        if person.email is not None:
            credentials.outdate(state, person.representative)
        state.forget(person.email)
        person.email = event.email
    team = state.teams[event.team]
    team.members.add(person.representative)
    team.signed_in += person.seated
    _put_member(state, person, team.subportals)
    overflow.watch_staff(state, left, t)
