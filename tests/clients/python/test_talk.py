"""What the two sides of a session ask: see ``test_roles`` for each operation's arguments."""

from __future__ import annotations

from clients.python.roles import Customer, Representative
from clients.python.talk import Talker


def test_both_sides_of_a_session_talk() -> None:
    assert issubclass(Customer, Talker)
    assert issubclass(Representative, Talker)
