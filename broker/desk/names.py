"""Names of people: one stands for one person's stream, keys and sign-ins, also after that person has left (H8, H11)."""

from __future__ import annotations

from typing import Final

from broker import ids, limits
from broker.desk.state import Context, State

EXPECTED: Final = (
    "a name that nobody of the account has or ever had, and that begins neither with v_, as visitors' ids do, nor with "
    "former-, as people are called who left"
)
"""Of somebody new."""
PSEUDONYM: Final = "former-"
"""How a pseudonym begins."""
FULL: Final = f"an account remembers at most {limits.MAX_FORMER} people who left"


def free(state: State, name: str) -> bool:
    """Whether nobody has, or had, this name."""
    taken = (state.representatives, state.managers, state.services, state.former)
    return not any(name in people for people in taken)


def may_be_given(state: State, name: str) -> bool:
    """Whether somebody new may have this name: it is free, and looks neither like a visitor's nor like a pseudonym."""
    return not name.startswith(("v_", PSEUDONYM)) and free(state, name)


def full(state: State) -> bool:
    """Whether nobody can leave any more, for every name must be remembered."""
    return len(state.former) >= limits.MAX_FORMER


def pseudonym(context: Context) -> str:
    """What somebody who leaves is called from then on. Not counted: a team manager would see from the number how many
    left elsewhere."""
    return f"{PSEUDONYM}{ids.token(context.entropy)}"
