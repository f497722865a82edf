"""The part of the invariants that is about canned replies: how many, and what they count together."""

from __future__ import annotations

from broker import limits
from broker.desk.line_invariants import Broken
from broker.desk.state import State


def bounded(state: State) -> Broken:
    """E12: a reply is there under its name and says one thing; no team has too many, and what all count is known."""
    for team in state.teams.values():
        if len(team.replies) > limits.MAX_REPLIES:
            yield "E12", f"{team.team} has {len(team.replies)} replies"
        for name, one in team.replies.items():
            if one.reply != name or (one.text is None) == (one.texts is None):
                yield "E12", f"{team.team} has {one.reply} as {name}, saying {one.text} and {one.texts}"
    sizes = sum(one.size for team in state.teams.values() for one in team.replies.values())
    if sizes != state.replies_bytes or sizes > limits.REPLIES_BYTES:
        yield "E12", f"the replies count {state.replies_bytes}, together {sizes}"
