"""Names of people: one stands for one person's stream, keys and sign-ins, also after that person has left (H8, H11)."""

from __future__ import annotations

from typing import Final

from broker.desk.state import State

EXPECTED: Final = (
    "a name that nobody of the account has or ever had, and that doesn't begin with v_, as visitors' ids do"
)
"""Of somebody new."""


def free(state: State, name: str) -> bool:
    """Whether nobody has, or had, this name."""
    taken = (state.representatives, state.managers, state.services, state.former)
    return not any(name in people for people in taken)


def may_be_given(state: State, name: str) -> bool:
    """Whether somebody new may have this name: it is free, and doesn't look like a visitor's."""
    return not name.startswith("v_") and free(state, name)
