"""Whether a portal takes requests, and that it is said when that changes, and only then (A12, A14)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import portal_state
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Refusal
from broker.protocol import check, ops
from broker.units import DAYS, HOURS, MINUTES, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import START, customer, desk, manager, personal, representative
from tests.support.routed import Routed
from tests.support.scene import Scene

MIA = manager()
EVENINGS = {
    "zone": "UTC",
    "weekly": [
        {"day": day, "from": "20:00", "to": "22:30"} for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    ],
}
"""Virtual time begins on a Tuesday at 22:13:20."""
CLOSES = START + 16 * MINUTES + 40 * SECONDS
OPENS = CLOSES + 21 * HOURS + 30 * MINUTES


def shop(mode: str = "queue", hours: object = EVENINGS, **more: Any) -> Routed:
    scene = Routed()
    scene.entrance("help", mode=mode, hours=hours, **more)
    scene.team("blue", "help")
    return scene


def said(scene: Scene, subportal: str = "help") -> list[tuple[object, ...]]:
    """(state, opens, closes) of each event, in order."""
    told = [data for kind, data in scene.told(f"subportal:{subportal}") if kind == "subportal.state"]
    for data in told:
        check.check_event("subportal.state", data)
        assert ("subportal.state", data) in scene.told("account")
    return [(data["state"], data.get("opens"), data.get("closes")) for data in told]


def test_A14_a_day_of_a_portal_with_hours_is_said_at_its_moments() -> None:
    scene = shop(closing_ms=10 * MINUTES)
    assert said(scene) == [("open", None, CLOSES)]
    scene.pass_time(CLOSES - 10 * MINUTES - START - 1)
    assert len(said(scene)) == 1
    scene.pass_time(1)
    assert said(scene)[1:] == [("closing", None, CLOSES)]
    scene.ask("late")  # it still takes requests
    scene.pass_time(CLOSES - scene.now)
    assert said(scene)[2:] == [("closed", OPENS, None)]
    scene.pass_time(OPENS - scene.now)
    assert said(scene)[3:] == [("open", None, CLOSES + DAYS)]


def test_A14_without_a_time_of_closing_it_is_open_to_the_end() -> None:
    scene = shop(closing_ms=0)
    scene.pass_time(DAYS)
    assert [state for state, _, _ in said(scene)] == ["open", "closed", "open"]


def test_A14_a_portal_that_is_put_within_its_last_minutes_is_closing() -> None:
    scene = shop(closing_ms=HOURS)
    assert said(scene) == [("closing", None, CLOSES)]


def test_A14_hours_that_never_begin_are_looked_at_again_much_later() -> None:
    scene = shop(hours={"zone": "UTC", "weekly": []})
    assert said(scene) == [("closed", None, None)]
    assert scene.desk.state.deadlines.get("hours", "help") == START + limits.HOURS_AHEAD
    scene.pass_time(limits.HOURS_AHEAD)
    assert len(said(scene)) == 1
    assert scene.desk.state.deadlines.get("hours", "help") == START + 2 * limits.HOURS_AHEAD


def test_A12_a_web_portal_is_open_from_the_first_who_signs_in_to_the_last_who_leaves() -> None:
    scene = shop("web", hours=None)
    assert said(scene) == []  # a new one is closed until something else is said
    scene.hire("ann")
    scene.hire("bo")
    assert said(scene) == [("open", None, None)]
    scene.set("ann", "away")
    scene.set("ann", "offline")
    assert len(said(scene)) == 1
    scene.lose("bo")  # still signed in: the lease runs
    assert len(said(scene)) == 1
    scene.pass_time(limits.HOLD)
    assert said(scene)[1:] == [("closed", None, None)]


def test_A12_what_managers_change_is_said_at_once() -> None:
    scene = shop("web", hours=None)
    scene.entrance("more", mode="web")
    scene.hire("ann")
    scene.team("blue", "help", "more")
    assert said(scene, "more") == [("open", None, None)]
    scene.team("red")
    scene.employ("ann", "red")
    assert said(scene, "more")[1:] == [("closed", None, None)]
    scene.employ("bo", "blue")  # signed out: nothing turns
    scene.employ("bo", "red")
    assert len(said(scene, "help")) == 2
    scene.entrance("help", mode="queue")
    assert said(scene, "help")[2:] == [("open", None, None)]
    scene.entrance("help", mode="queue", hours={"zone": "UTC", "weekly": []})
    assert said(scene, "help")[3:] == [("closed", None, None)]
    scene.entrance("help", mode="phone", kind="pin", hours={"zone": "UTC", "weekly": []})
    assert said(scene, "help")[4:] == [("open", None, None)]
    assert scene.desk.state.deadlines.get("hours", "help") is None


def test_A14_after_a_stop_the_clock_is_asked_anew_and_what_was_missed_is_said() -> None:
    scene = shop()
    scene.now = OPENS - HOURS
    state = scene.desk.state
    state.deadlines.set("hours", "help", None)  # as of a journal that knew no deadlines of hours
    scene.restart()
    assert said(scene)[1:] == [("closed", OPENS, None)]
    assert state.deadlines.get("hours", "help") == OPENS
    before = len(scene.records)
    scene.restart()
    assert not any(isinstance(record.event, e.PortalTurned) for record in scene.records[before:])


weekly = st.lists(
    st.tuples(st.sampled_from(("mon", "tue", "wed", "thu")), st.integers(0, 22), st.integers(1, 2)),
    max_size=4,
    unique_by=lambda one: (one[0], one[1] // 3),
).map(
    lambda spans: [
        {"day": day, "from": f"{hour // 3 * 3:02}:30", "to": f"{hour // 3 * 3 + length:02}:30"}
        for day, hour, length in spans
    ]
)


@given(weekly, st.sampled_from([0, MINUTES, HOURS, 3 * HOURS]), st.sampled_from(["queue", "web"]), st.data())
@settings(max_examples=settings().max_examples // 4)
def test_A14_at_every_moment_what_was_said_last_is_true_and_replay_says_the_same(
    spans: list[dict[str, str]], closing: int, mode: str, data: st.DataObject
) -> None:
    scene = shop(mode, hours={"zone": "Europe/Berlin", "weekly": spans}, closing_ms=closing)
    scene.hire("ann")
    for _ in range(8):
        scene.pass_time(data.draw(st.integers(1, 12 * HOURS)))
        if data.draw(st.booleans()):
            scene.set("ann", data.draw(st.sampled_from(["offline", "available"])))
        scene.watch_portals()
        value = scene.ok(ops.PortalOpen(), customer("kim")).value
        told = scene.desk.page("help")
        assert told is not None
        assert {name: value.get(name) for name in ("state", "opens", "closes")} == {
            name: told.get(name) for name in ("state", "opens", "closes")
        }
        asked = scene.do(ops.RequestCreate(None, personal("?")), customer(f"c{scene.commands}"))
        assert isinstance(asked, Refusal) == (told["state"] == "closed")
    states = said(scene)
    assert all(one != other for one, other in pairwise(states))  # never twice the same
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)
    same_desk(reloaded(scene.desk), scene.desk)


def test_A14_caught_a_change_that_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal_state, "_LOOK", {})
    with pytest.raises(InvariantBroken, match="A12"):
        shop("web", hours=None).hire("ann")


def test_A14_caught_a_deadline_that_is_forgotten() -> None:
    scene = shop()
    scene.desk.state.deadlines.set("hours", "help", None)
    with pytest.raises(InvariantBroken, match="A14"):
        scene.ask("kim")


# --- what customers are told -------------------------------------------------------------------------


def test_A12_a_line_is_full_where_a_request_would_be_refused_for_it() -> None:
    scene = Routed()
    scene.entrance("help", "help", "more")
    scene.entrance("spill")
    scene.tune("help", max_waiting=1)
    scene.request("kim")
    assert scene.desk.full() == {"help"}
    page = scene.desk.page("help")
    assert page is not None
    assert page["state"] == "open"  # by its other sub-portal
    assert page["subportals"] == [{"subportal": "help", "state": "full"}, {"subportal": "more", "state": "open"}]
    scene.refused(ops.RequestCreate("help", personal("?")), customer("lou"), Code.QUEUE_FULL)
    scene.tune("help", max_waiting=1, overflow=[{"on": "length", "length": 1, "to": "spill"}])
    assert scene.desk.full() == set()  # it would go elsewhere
    scene.request("lou")
    assert scene.desk.page("none") is None


def test_A12_a_portals_state_is_the_best_of_its_sub_portals() -> None:
    scene = Routed()
    scene.entrance("help", "help", "more", mode="web", hours=EVENINGS)
    scene.team("blue", "more")
    page = scene.desk.page("help")
    assert page is not None
    assert (page["state"], "opens" in page, "closes" in page) == ("closed", False, False)
    scene.hire("ann")
    page = scene.desk.page("help")
    assert page == {
        "portal": "help",
        "state": "open",
        "closes": CLOSES,
        "subportals": [{"subportal": "help", "state": "closed"}, {"subportal": "more", "state": "open"}],
    }
    check.check_notice("portal.state", page)
    scene.pass_time(CLOSES - START)
    page = scene.desk.page("help")
    assert page is not None
    assert (page["state"], page["opens"]) == ("closed", OPENS)


def test_the_portals_that_turned_are_drained_once() -> None:
    scene = shop("web", hours=None)
    scene.hire("ann")
    assert scene.desk.drain_turned() == {"help"}
    assert scene.desk.drain_turned() == set()


# --- origins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["www.example.org", "https://Example.org", "https://example.org/", "", "ftp://x"])
def test_A13_an_origin_is_written_as_browsers_send_it(origin: str) -> None:
    scene = Scene()
    command = ops.PortalPut("help", "ask", "queue", ["help"], origins=["https://example.org", origin])
    refusal = scene.refused(command, MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.origins[1]"
    good = attrs.evolve(command, origins=["https://example.org", "http://[::1]:8080", "https://example.org"])
    scene.ok(good, MIA)
    assert scene.desk.origins("help") == ("https://example.org", "http://[::1]:8080")
    assert scene.desk.origins("none") == ()


def test_a_representative_who_serves_a_sub_portal_reads_its_state() -> None:
    scene = shop("web", hours=None)
    scene.hire("ann")
    assert scene.desk.may_read(representative("ann"), "subportal:help")
