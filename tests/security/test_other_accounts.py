"""The attack: to learn of, or touch, what is another account's, by naming it in an argument of an operation."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from broker.desk.state import EndedSession
from broker.protocol import ops
from tests.security.strangers import OURS, THEIRS, differences, paths, secrets_of, state, two_accounts

NAMING = [op for op in sorted(ops.OPS) if list(paths(op))]


def test_nearly_every_operation_names_something() -> None:
    assert len(NAMING) > 20
    assert (("overflow", "[]", "to"), "slug") in paths("subportal.put")
    assert (("subportals", "[]"), "slug") in paths("portal.put")


@pytest.mark.slow
@pytest.mark.parametrize("op", NAMING)
async def test_things_of_another_account_are_as_if_they_were_nowhere(op: str, autojump_clock: MockClock) -> None:
    async with two_accounts() as (b, own, theirs):
        before = state(b, THEIRS)
        assert await differences(b, op, own, theirs) == []
        await b.settle()
        assert state(b, THEIRS) == before
        assert [frame for client in theirs.clients for frame in client.pump()] == []


async def test_a_leak_between_accounts_would_be_seen(autojump_clock: MockClock) -> None:
    """The fault planted: our desk takes their session for one that our representative was in."""
    async with two_accounts() as (b, own, theirs):
        session = theirs.things["session"]
        stolen = EndedSession("r_x", "help", "help", "v_somebody", own.things["person"])
        b.hub.accounts[OURS].desk.state.ended_sessions[session] = stolen
        found = await differences(b, "subscribe", own, theirs)
        assert len(found) == 1
        assert found[0].startswith("representative: subscribe with stream as stream: (True, ")


async def test_every_twin_is_nobodys(autojump_clock: MockClock) -> None:
    async with two_accounts() as (b, _own, theirs):
        known = secrets_of(b, theirs)
        assert {secret.kind for secret in known} >= {"request", "session", "offer", "share", "pin", "team", "token"}
        assert not {secret.twin for secret in known} & {secret.theirs for secret in known}
