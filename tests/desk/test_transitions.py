"""The whole square of states and events, for each of the tables."""

from __future__ import annotations

import pytest

from broker.desk import events as e
from broker.desk.transitions import ALLOWED, TABLES, IllegalMove, move
from broker.protocol.ops import OPS

FINAL = {
    "request": {"withdrawn", "abandoned", "closed", "converted", "refused"},
    "offer": {"accepted", "declined", "expired", "gone", "revoked", "rescinded"},
    "session": {"ended"},
    "file": {"shared", "ended"},
    "case": {"deleted"},
    "share": {"refused", "ended"},
}
INPUTS = sorted(
    {name for table in TABLES.values() for row in table.values() for name in row}
    | set(e.EVENTS)
    | {f"{e.RequestEnded.TYPE}:declined", f"{e.OfferEnded.TYPE}:taken", f"{e.ShareEnded.TYPE}:gone"}
)


def states(name: str) -> list[str]:
    table = TABLES[name]
    return sorted(table.keys() | {state for row in table.values() for state in row.values()})


@pytest.mark.parametrize("name", list(TABLES))
def test_final_states_have_no_way_out_and_all_others_lead_to_one(name: str) -> None:
    table = TABLES[name]
    assert set(states(name)) - table.keys() == FINAL[name]
    for state in table:
        reached, fresh = set[str](), {state}
        while fresh:
            reached |= fresh
            fresh = {to for at in fresh for to in table.get(at, {}).values()} - reached
        assert reached & FINAL[name], f"{state} never ends"


@pytest.mark.parametrize(("name", "state"), [(name, state) for name in TABLES for state in states(name)])
def test_each_event_moves_as_listed_or_is_illegal(name: str, state: str) -> None:
    for event in INPUTS:
        kind, _, how = event.partition(":")
        expected = TABLES[name].get(state, {}).get(event)
        if expected is not None:
            assert move(TABLES[name], state, kind, how or None) == expected
            continue
        with pytest.raises(IllegalMove, match=f"{event} in state {state}"):
            move(TABLES[name], state, kind, how or None)


def test_what_people_are_told_they_may_ask_for_are_operations_and_of_every_state_something() -> None:
    for name, rows in ALLOWED.items():
        assert set(TABLES[name]) <= rows.keys() <= set(states(name))
        assert {op for row in rows.values() for op in row} <= set(OPS)


def test_the_tables_name_events_that_exist() -> None:
    assert {name.partition(":")[0] for table in TABLES.values() for row in table.values() for name in row} <= set(
        e.EVENTS
    )
