"""Canned replies: texts that representatives send again and again, written once for a team (E12).

A representative has those of its team and of the teams above; of two with one name, the nearer team's. What stands in
braces in a text, {customer} and {representative}, whoever sends it fills in: the desk reads no texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from broker import limits
from broker.codes import Code
from broker.content import Personal, Ref
from broker.desk import events as e
from broker.desk import rights, texts
from broker.desk.changes import changes
from broker.desk.identity import Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import Context, Reply, State, Team
from broker.desk.teams import above, from_the_top
from broker.protocol import ops


def put(state: State, command: ops.ReplyPut, context: Context) -> Decision | Refusal:
    """Write a reply of a team, or rewrite it to be as given."""
    team = state.teams.get(command.team)
    if team is None:
        return bad_args("args.team", "the name of a team")
    if (refusal := _wrong(command)) is not None:
        return refusal
    now = team.replies.get(command.reply)
    if now is None and len(team.replies) >= limits.MAX_REPLIES:
        return Refusal(Code.QUOTA, f"a team has at most {limits.MAX_REPLIES} replies of its own")
    size = _size(command)
    if state.replies_bytes + size - (0 if now is None else now.size) > limits.REPLIES_BYTES:
        return Refusal(Code.QUOTA, f"the replies of an account have at most {limits.REPLIES_BYTES} bytes together")
    event = e.ReplyPut(
        team.team,
        command.reply,
        _ref(command.title),
        _ref(command.text),
        _ref(command.texts),
        size,
        context.who,
    )
    event.changes = changes({} if now is None else words(now), words(event))
    return Decision(
        [event] if event.changes else [],
        {"team": team.team, "reply": command.reply, "changed": bool(event.changes)},
    )


def _ref(given: Personal | None) -> Ref | None:
    return None if given is None else given.ref


def _size(command: ops.ReplyPut) -> int:
    """What it counts."""
    given = (command.title, command.text, command.texts)
    return limits.REPLY_COST + sum(len(one.text.encode()) for one in given if one is not None)


def _wrong(command: ops.ReplyPut) -> Refusal | None:
    """One text, or some by language."""
    if (command.text is None) == (command.texts is None):
        return bad_args("args.text", "a text, or in its place texts by language in args.texts")
    expected = f"a text of 1 to {limits.REPLY_TEXT} characters"
    if command.texts is None:
        text = cast("Personal", command.text).text
        return None if 0 < len(text) <= limits.REPLY_TEXT else bad_args("args.text", expected)
    by_language = cast("dict[str, object]", command.texts.data)
    if not by_language:
        return bad_args("args.texts", "a text in one language at least")
    for language, text_there in by_language.items():
        if not texts.is_language(language):
            return bad_args(f"args.texts.{language[:64]}", "a language tag, such as en or pt-BR")
        if not isinstance(text_there, str) or not 0 < len(text_there) <= limits.REPLY_TEXT:
            return bad_args(f"args.texts.{language}", expected)
    if len(command.texts.text.encode()) > limits.REPLY_BYTES:
        return bad_args("args.texts", f"at most {limits.REPLY_BYTES} bytes in all")
    return None


def delete(state: State, command: ops.ReplyDelete, context: Context) -> Decision | Refusal:
    """Take a reply away."""
    team = state.teams.get(command.team)
    if team is None or command.reply not in team.replies:
        return no_such("reply")
    event = e.ReplyDeleted(team.team, command.reply, context.who)
    return Decision([event], {"team": team.team, "reply": command.reply})


def words(one: Reply | e.ReplyPut) -> dict[str, object]:
    """All that can be set, in the words of the operation."""
    return {"title": one.title, "text": one.text, "texts": one.texts}


# --- who has which -------------------------------------------------------------------------------------


def of(state: State, team: str, subportal: str | None = None) -> list[tuple[Team, Reply]]:
    """What the representatives of a team have, by name: the nearest team's. For a sub-portal, as if there were only the
    teams that are about it."""
    found: dict[str, tuple[Team, Reply]] = {}
    for name in above(state, team):
        for each in _about(state.teams[name], subportal):
            found.setdefault(each[1].reply, each)
    return [found[name] for name in sorted(found)]


def own(state: State, within: frozenset[str] | None = None, subportal: str | None = None) -> list[dict[str, object]]:
    """All replies of these teams (None: of all), from the top, by name, as managers read them."""
    return [
        shown(*each)
        for team in from_the_top(state)
        if within is None or team.team in within
        for each in sorted(_about(team, subportal), key=lambda each: each[1].reply)
    ]


def _about(team: Team, subportal: str | None) -> Iterator[tuple[Team, Reply]]:
    """A team's replies, if it serves the sub-portal; one that serves nothing stands for all that is beneath it."""
    if subportal is None or not team.subportals or subportal in team.subportals:
        yield from ((team, one) for one in team.replies.values())


def shown(team: Team, one: Reply) -> dict[str, object]:
    """As it is told."""
    told = {name: ref for name, ref in words(one).items() if ref is not None}
    return {"team": team.team, "reply": one.reply, **told}


def listed(state: State, command: ops.ReplyList, context: Context) -> Decision | Refusal:
    """To a representative what it can send, to managers what there is in their teams."""
    identity, subportal = context.identity, command.subportal
    assert identity is not None
    if subportal is not None and subportal not in state.subportals:
        return bad_args("args.subportal", "the name of a sub-portal")
    if identity.role is Role.REPRESENTATIVE:
        person = state.representatives[identity.person]
        mine = [shown(*each) for each in of(state, person.team, subportal)]
        return Decision(value={"replies": mine, "name": person.name})
    who = rights.actor(state, identity)
    assert who is not None
    within = who.teams if who.kind == "team_manager" else None
    return Decision(value={"replies": own(state, within, subportal)})


# --- evolve ----------------------------------------------------------------------------------------


def reply_put(state: State, event: e.ReplyPut, t: int) -> None:
    """Apply ``ReplyPut``: what it doesn't say any more is let go."""
    team = state.teams[event.team]
    before = team.replies.get(event.reply)
    if before is not None:
        kept = (event.title, event.text, event.texts)
        state.release(*(ref for ref in (before.title, before.text, before.texts) if ref not in kept))
        state.replies_bytes -= before.size
    team.replies[event.reply] = Reply(event.reply, event.title, event.text, event.texts, event.size)
    state.replies_bytes += event.size


def reply_deleted(state: State, event: e.ReplyDeleted, t: int) -> None:
    """Apply ``ReplyDeleted``."""
    reply = state.teams[event.team].replies.pop(event.reply)
    state.release(reply.title, reply.text, reply.texts)
    state.replies_bytes -= reply.size
