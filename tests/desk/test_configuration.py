"""Portals, teams, representatives: what managers set up, and what it does to those who wait."""

# covers: broker/desk/portals.py
# covers: broker/desk/portal_page.py
# covers: broker/desk/portal_state.py

from __future__ import annotations

import itertools
from typing import Any, cast

import attrs
import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Identity, Role
from broker.desk.portals import KINDS
from broker.protocol import check, ops
from broker.units import HOURS, SECONDS
from tests.support.agreement import reloaded
from tests.support.builders import (
    ACCOUNT,
    START,
    customer,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.routed import Routed, routed
from tests.support.scene import Scene, of, office

MIA = manager()
AS_BY_DEFAULT = {"weight": 1, "policy": "least_occupied", "max_waiting": limits.MAX_WAITING}


@pytest.mark.parametrize(
    ("mode", "kind"), list(itertools.product(("web", "phone", "queue"), ("pick", "ask", "button", "pin", "global_pin")))
)
def test_the_mode_limits_the_kinds(mode: str, kind: str) -> None:
    scene = Scene()
    command = ops.PortalPut("help", kind, mode, ["help"])
    if kind in KINDS[mode]:
        assert scene.ok(command, MIA).value == {"portal": "help", "changed": True}
    else:
        assert (scene.refused(command, MIA, Code.BAD_ARGS).detail or {})["path"] == "args.kind"


def test_a_portal_put_again_as_it_is_changes_nothing() -> None:
    scene = office()
    command = ops.PortalPut("help", "ask", "queue", ["help"])
    assert scene.ok(command, MIA).value == {"portal": "help", "changed": False}
    titled = ops.PortalPut("help", "ask", "queue", ["help"], personal("Help", "c_1"))
    assert scene.ok(titled, MIA).value["changed"] is True
    assert scene.desk.drain_released() == []
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], personal("Help!", "c_2")), MIA)
    assert scene.desk.drain_released() == ["c_1"]
    scene.ok(ops.PortalPut("help", "button", "queue", ["help"]), MIA)
    assert scene.desk.held_contents() == {"c_2"}  # a title stays until another is given


def test_a_sub_portal_belongs_to_one_portal() -> None:
    scene = office()
    refusal = scene.refused(ops.PortalPut("more", "ask", "queue", ["more", "help"]), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.subportals[1]"
    refusal = scene.refused(ops.PortalPut("more", "ask", "queue", ["more", "more"]), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.subportals"
    scene.ok(ops.PortalPut("help", "ask", "queue", ["other"]), MIA)
    scene.ok(ops.PortalPut("more", "ask", "queue", ["more", "help"]), MIA)
    found = {name: subportal.portal for name, subportal in scene.desk.state.subportals.items()}
    assert found == {"other": "help", "more": "more", "help": "more"}


def test_what_open_requests_were_made_under_cannot_change_under_them() -> None:
    scene = office("ann")
    scene.ask("carl")
    for command in (
        ops.PortalPut("help", "button", "queue", ["help"]),
        ops.PortalPut("help", "ask", "web", ["help"]),
        ops.PortalPut("help", "ask", "queue", ["other"]),
    ):
        assert (scene.refused(command, MIA).detail or {})["state"] == "in_use"
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help", "more"], offer_ms=5000), MIA)
    scene.portal("free", "ask", "web")
    scene.ok(ops.PortalPut("free", "pick", "web", ["free"]), MIA)


def test_there_are_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_PORTALS", "MAX_TEAMS", "MAX_REPRESENTATIVES"):
        monkeypatch.setattr(limits, name, 1)
    monkeypatch.setattr(limits, "MAX_SUBPORTALS", 2)
    scene = office("ann")
    scene.refused(ops.PortalPut("more", "ask", "queue", ["more"]), MIA, Code.QUOTA)
    scene.refused(ops.PortalPut("help", "ask", "queue", ["help", "b", "c"]), MIA, Code.QUOTA)
    scene.refused(ops.TeamPut("red", []), MIA, Code.QUOTA)
    scene.refused(ops.RepresentativePut("bo", personal("Bo"), "blue", 1), MIA, Code.QUOTA)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help", "b"]), MIA)
    scene.ok(ops.TeamPut("blue", ["help", "b"]), MIA)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 2), MIA)


def test_a_team_serves_sub_portals_that_exist_each_once() -> None:
    scene = office()
    refusal = scene.refused(ops.TeamPut("red", ["help", "none"]), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.subportals[1]"
    scene.ok(ops.TeamPut("red", ["help", "help"]), MIA)
    assert scene.desk.state.teams["red"].subportals == ("help",)
    assert scene.ok(ops.TeamPut("red", ["help"]), MIA).value == {"team": "red", "changed": False}
    assert scene.ok(ops.TeamPut("red", ["help"], personal("Red", "c_1")), MIA).value["changed"] is True
    scene.ok(ops.TeamPut("red", ["help"], personal("Reds", "c_2")), MIA)
    assert scene.desk.drain_released() == ["c_1"]
    scene.ok(ops.TeamPut("red", []), MIA)
    assert scene.desk.held_contents() == {"c_2"}


def test_a_sub_portals_share_and_policy_are_set_told_and_forgotten_with_it() -> None:
    scene = office("ann")
    refusal = scene.refused(ops.SubportalPut("none", 2), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.subportal"
    assert scene.ok(ops.SubportalPut("help", 1), MIA).value == {"subportal": "help", "changed": False}
    assert scene.ok(ops.SubportalPut("help", 3, "round_robin", 9), MIA).value == {"subportal": "help", "changed": True}
    told = {"subportal": "help", "weight": 3, "policy": "round_robin", "max_waiting": 9, "by": "mia"}
    changed = [
        {"field": "weight", "from": 1, "to": 3},
        {"field": "policy", "from": "least_occupied", "to": "round_robin"},
        {"field": "max_waiting", "from": limits.MAX_WAITING, "to": 9},
    ]
    assert scene.told("account")[-1] == ("subportal.changed", {**told, "changes": changed})
    assert scene.ok(ops.SubportalPut("help", 3, "round_robin", 9), MIA).value["changed"] is False
    line = scene.desk.state.router.lines["help"]
    assert (line.weight, line.policy) == (3, "round_robin")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help", "more"]), MIA)
    assert (line.weight, line.policy) == (3, "round_robin")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["other"]), MIA)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["other", "help"]), MIA)
    assert scene.ok(ops.AccountGet(), MIA).value["subportals"] == [
        {
            "subportal": name,
            "portal": "help",
            "weight": 1,
            "policy": "least_occupied",
            "max_waiting": limits.MAX_WAITING,
            **NO_SETTINGS,
        }
        for name in ("other", "help")
    ]
    line = scene.desk.state.router.lines["help"]  # another one of the same name
    assert (line.weight, line.policy) == (1, "least_occupied")


NO_SETTINGS: dict[str, object] = {"skills": [], "relax": [], "sticky_ms": 0, "overflow": []}


def test_a_representative_belongs_to_a_team_that_exists() -> None:
    scene = office()
    command = ops.RepresentativePut("ann", personal("Ann"), "none", 1)
    assert (scene.refused(command, MIA, Code.BAD_ARGS).detail or {})["path"] == "args.team"
    first = personal("Ann", "c_1")
    scene.ok(ops.RepresentativePut("ann", first, "blue", 1), MIA)
    scene.ok(ops.RepresentativePut("ann", first, "blue", 2), MIA)
    assert scene.desk.drain_released() == []
    scene.ok(ops.RepresentativePut("ann", personal("Anna", "c_2"), "blue", 2), MIA)
    assert scene.desk.drain_released() == ["c_1"]


def test_the_account_reads_as_it_was_put_and_says_who_changed_it() -> None:
    scene = office("ann", capacity=2)
    value = scene.ok(ops.AccountGet(), MIA).value
    assert value == {
        "account": {"modes": ["web", "phone", "queue"], "password_min": 8, "password_classes": 3},
        "portals": [
            {
                "portal": "help",
                "title": None,
                "kind": "ask",
                "mode": "queue",
                "subportals": ["help"],
                "offer_ms": limits.OFFER_TIMEOUT,
                "pick_fallback": "choose",
                "places": 1,
                "wrap_up_ms": 0,
                "classes": [],
                "take": "off",
                "require": [],
                "form": None,
                "texts": None,
                "language": "en",
                "closing_ms": limits.CLOSING,
                "origins": [],
                "functions": {},
                "web_chat": "none",
                "retention_days": limits.RETENTION_DAYS,
                "outcomes": ["resolved", "unresolved", "unknown"],
                "survey": None,
                "files": {
                    "max_bytes": limits.FILE_BYTES,
                    "session_bytes": limits.SESSION_BYTES,
                    "types": list(limits.FILE_TYPES),
                },
                "monitoring": "off",
                "guests": "full",
                "hours": None,
            }
        ],
        "subportals": [
            {
                "subportal": "help",
                "portal": "help",
                "weight": 1,
                "policy": "least_occupied",
                "max_waiting": limits.MAX_WAITING,
                **NO_SETTINGS,
            }
        ],
        "teams": [
            {
                "team": "blue",
                "title": None,
                "subportals": ["help"],
                "away_after": None,
                "parent": None,
                "logins": None,
                "functions": {},
            }
        ],
        "replies": [],
        "representatives": [
            {
                "representative": "ann",
                "name": scene.desk.state.representatives["ann"].name,
                "team": "blue",
                "capacity": 2,
                "weight": 1,
                "skills": [],
                "functions": {},
                "management": False,
            }
        ],
        "managers": [],
        "services": [],
        "defaults": {"offer_ms": limits.OFFER_TIMEOUT},
    }
    by = [data["by"] for kind, data in scene.told("account")]
    assert by == ["mia", "mia", "mia"]


def test_what_no_person_did_was_the_broker() -> None:
    scene = Scene()
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"]))
    assert [event.by for event in scene.events(e.PortalPut) if isinstance(event, e.PortalPut)] == ["broker"]


def test_a_portals_page_gets_what_it_needs() -> None:
    scene = office("ann")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], personal("Help", "c_1")), MIA)
    value = scene.ok(ops.PortalOpen(), customer("carl")).value
    assert value == {
        "portal": "help",
        "language": "en",
        "require": [],
        "kind": "ask",
        "mode": "queue",
        "state": "open",
        "open": True,
        "subportals": [{"subportal": "help", "state": "open", "open": True}],
        "representatives": [],
        "title": scene.desk.state.portals["help"].title,
    }
    scene.ask("carl")
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["request"] == request_id("carl")
    scene.refused(ops.PortalOpen(), customer("carl", "none"), Code.NO_SUCH)
    scene.refused(ops.PortalOpen(), customer("carl", None), Code.NO_SUCH)  # the account takes no pins


# --- what changes do to those who wait ---------------------------------------------------------------


def test_a_team_that_gets_a_sub_portal_serves_its_line_at_once() -> None:
    scene = office("ann")
    scene.portal("more", "ask", "queue")
    scene.ask("carl", "more")
    events = of(scene.ok(ops.TeamPut("blue", ["help", "more"]), MIA))
    assert [type(event) for event in events] == [e.TeamPut, e.OfferMade]
    assert scene.told("team:blue")[-1][0] == "team.changed"


def test_a_team_that_loses_a_sub_portal_loses_what_came_from_there_and_keeps_its_sessions() -> None:
    scene = office("ann", "bo", kind="pick", mode="web", capacity=2)
    scene.portal("line", "ask", "queue")
    scene.portal("kept", "ask", "queue")
    scene.team("blue", "help", "line", "kept")
    session = scene.assign("x", "ann", "line")
    scene.ask("direct", pick="bo")
    scene.ask("waits", pick="bo")
    scene.ask("waits too", pick="bo")
    scene.ask("queue", "line")
    scene.team("red", "line")
    scene.staff("red", "cy")
    events = of(scene.ok(ops.TeamPut("blue", ["kept"]), MIA))
    gone = [(event.kind, event.reason) for event in events if isinstance(event, e.OfferEnded)]
    assert gone == [("queue", "gone"), ("direct", "gone"), ("direct", "gone")]
    assert sum(isinstance(event, e.RequestUnplaced) for event in events) == 3
    assert scene.offered_to("cy") == [request_id("queue")]
    assert scene.offered_to("ann") == scene.offered_to("bo") == []
    assert session in scene.desk.state.sessions


def test_who_waits_for_a_representative_in_a_sub_portal_that_is_kept_goes_on_waiting() -> None:
    scene = office("ann", kind="pick", mode="web")
    scene.portal("other", "pick", "web")
    scene.team("blue", "help", "other")
    scene.assign("x", "ann", pick="ann")
    scene.ask("kept", pick="ann")
    scene.ask("lost", "other", pick="ann")
    events = of(scene.ok(ops.TeamPut("blue", ["help"]), MIA))
    assert [event.request for event in events if isinstance(event, e.RequestUnplaced)] == [request_id("lost")]
    scene.end(session_id("x"))
    assert scene.offered_to("ann") == [request_id("kept")]


def test_a_representative_who_moves_takes_its_sessions_along_and_no_offers_of_the_former_team() -> None:
    scene = office("ann", capacity=2)
    scene.portal("more", "ask", "queue")
    scene.team("red", "more")
    scene.assign("x", "ann")
    scene.ask("carl")
    scene.ask("cora", "more")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "red", 2), MIA)
    assert scene.offered_to("ann") == [request_id("cora")]
    assert scene.line() == [request_id("carl")]
    assert scene.told("team:red")[-1][0] == "representative.changed"
    assert "representative.changed" in [wire_type for wire_type, *_ in scene.told("team:blue")[-2:]]  # both know
    scene.end(session_id("x"))
    assert scene.told("team:red")[-1][0] == "load.changed"


def test_a_transfer_survives_a_change_of_team() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.ok(ops.TeamPut("blue", []), MIA)
    scene.accept(offer_id("carl", 2), "bo")


def test_more_capacity_takes_the_next_in_line_and_less_lets_finish() -> None:
    scene = office("ann")
    for name in ("one", "two", "three"):
        scene.ask(name)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 3), MIA)
    assert scene.offered_to("ann") == [request_id(name) for name in ("one", "two", "three")]
    for name in ("one", "two"):
        scene.accept(offer_id(name), "ann")
    scene.lowered.add("ann")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1), MIA)
    assert scene.offered_to("ann") == []  # F4: what she hasn't taken goes back, what she has she may finish
    scene.end(session_id("one"))
    assert scene.offered_to("ann") == []
    scene.end(session_id("two"))
    assert scene.offered_to("ann") == [request_id("three")]


def test_the_newest_offers_go_back_when_capacity_is_lowered() -> None:
    scene = office("ann", capacity=3)
    for name in ("one", "two", "three"):
        scene.ask(name)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1), MIA)
    assert scene.offered_to("ann") == [request_id("one")]
    assert scene.line() == [request_id(name) for name in ("one", "two", "three")]


def test_a_representative_put_again_as_it_is_changes_nothing() -> None:
    scene = office("ann")
    name = scene.desk.state.representatives["ann"].name
    again = personal("Ann")
    again.ref = name
    assert scene.ok(ops.RepresentativePut("ann", again, "blue", 1), MIA).value["changed"] is False


def test_a_sub_portal_taken_from_its_portal_is_served_by_nobody() -> None:
    scene = office("ann")
    scene.portal("more", "ask", "queue", "more", "rest")
    scene.team("blue", "help", "more", "rest")
    scene.portal("more", "ask", "queue", "more")
    account = scene.ok(ops.AccountGet(), MIA).value
    assert account["teams"][0]["subportals"] == ["help", "more"]  # type: ignore[index]
    scene.portal("other", "ask", "queue", "rest")  # another one of the same name
    scene.ask("carl", "other")
    assert scene.offered_to("ann") == []


def test_F21_of_a_sub_portal_that_is_gone_no_line_is_left_as_after_a_restart() -> None:
    scene = office("ann")
    scene.portal("more", "ask", "queue", "more", "rest")
    scene.team("blue", "help", "more", "rest")
    scene.portal("more", "ask", "queue", "more")
    assert set(scene.desk.state.router.lines) == set(reloaded(scene.desk).state.router.lines) == {"help", "more"}
    scene.ok(ops.PortalDelete("more"), MIA)
    assert scene.desk.statistics() == reloaded(scene.desk).statistics()


def test_who_refused_is_asked_again_when_the_last_other_one_moves_away() -> None:
    scene = office("ann", "bo")
    scene.ask("one")
    scene.accept(offer_id("one"), "ann")
    scene.ask("two")
    scene.ok(ops.OfferDecline(offer_id("two"), "busy"), representative("bo"))
    scene.team("red")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "red", 1), MIA)
    scene.pass_time(limits.ROUND_PAUSE)
    assert scene.offered_to("bo") == [request_id("two")]


def test_what_competes_for_a_place_is_served_by_age_whichever_line_it_stands_in() -> None:
    scene = Scene()
    for name in ("x", "y", "z"):
        scene.portal(name, "ask", "queue")
    scene.team("blue", "x")
    scene.team("red", "x", "y")
    scene.team("green", "x", "y", "z")
    scene.staff("green", "gus", capacity=2)
    for name, line in (("old", "y"), ("new", "x")):
        scene.assign(name, "gus", line)
        scene.now += 1
    scene.staff("red", "ann")  # better ranked for x than bo
    scene.staff("blue", "bo")
    scene.set("gus", "offline", sessions="hand_back")
    assert scene.offered_to("ann") == [request_id("old")]  # which only she serves
    assert scene.offered_to("bo") == [request_id("new")]


def test_only_managers_set_up() -> None:
    scene = office("ann")
    for role in (Role.CUSTOMER, Role.REPRESENTATIVE, Role.SERVICE):
        who = Identity(ACCOUNT, "x", role, "help")
        scene.refused(ops.TeamPut("blue", []), who, Code.NOT_ALLOWED)


# --- what a portal says of its requests --------------------------------------------------------------

EVENINGS: dict[str, object] = {
    "zone": "UTC",
    "weekly": [{"day": "tue", "from": "22:00", "to": "22:30"}, {"day": "wed", "from": "20:00", "to": "24:00"}],
}
"""Virtual time begins on a Tuesday at 22:13:20."""
CLOSES = 16 * 60 * SECONDS + 40 * SECONDS
OPENS = 24 * HOURS - 133 * 60 * SECONDS - 20 * SECONDS  # of Wednesday, from the beginning of virtual time


def shop(mode: str = "queue") -> Routed:
    scene = Routed()
    scene.entrance("help", mode=mode, hours=EVENINGS)
    scene.team("blue", "help")
    scene.hire("ann")
    return scene


@pytest.mark.parametrize("mode", ["queue", "web"])
def test_outside_of_its_hours_nobody_may_ask_at_a_portal_and_is_told_when_they_begin(mode: str) -> None:
    scene = shop(mode)
    scene.ask("early")
    scene.pass_time(CLOSES - 1)
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["open"] is True
    assert "opens" not in scene.ok(ops.PortalOpen(), customer("carl")).value
    scene.pass_time(1)
    value = scene.ok(ops.PortalOpen(), customer("carl")).value
    assert (value["open"], value["opens"]) == (False, START + OPENS)
    command = ops.RequestCreate(None, personal("?"))
    refusal = scene.refused(command, customer("carl"))
    assert refusal.code == 2410
    assert {"state": "closed", "opens": START + OPENS}.items() <= (refusal.detail or {}).items()
    again = scene.ok(ops.RequestCreate(None, personal("?")), customer("early"))
    assert again.value["existing"] is True  # who is in line already stays there
    scene.pass_time(START + OPENS - scene.now)
    scene.set("ann", "available")
    scene.ok(command, customer("carl"))


def test_a_web_portal_without_staff_is_closed_within_its_hours_and_does_not_say_when_it_opens() -> None:
    scene = shop("web")
    scene.set("ann", "offline")
    refusal = scene.refused(ops.RequestCreate(None, personal("?")), customer("carl"))
    assert (refusal.detail or {})["state"] == "closed"
    assert "opens" not in (refusal.detail or {})


def test_a_pin_works_at_any_hour() -> None:
    scene = Routed()
    closed = {"zone": "UTC", "weekly": []}
    scene.entrance("phone", kind="pin", mode="phone", hours=closed)
    scene.team("blue", "phone")
    scene.hire("ann")
    value = scene.ok(ops.PortalOpen(), customer("carl", "phone")).value
    assert (value["open"], "opens" in value) == (True, False)
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("carl", "phone"))


def test_a_portal_that_never_opens_does_not_say_when() -> None:
    scene = Routed()
    scene.entrance("help", hours={"zone": "UTC", "weekly": []})
    refusal = scene.refused(ops.RequestCreate(None, personal("?")), customer("carl"))
    assert refusal.detail is not None
    assert "opens" not in refusal.detail
    assert "opens" not in scene.ok(ops.PortalOpen(), customer("carl")).value


def test_hours_that_make_no_sense_are_refused_with_where_they_stand() -> None:
    scene = Routed()
    for hours, path in (
        ({"zone": "Mars/Olympus", "weekly": []}, "args.hours.zone"),
        ({"zone": "UTC", "weekly": [{"day": "mon", "from": "9", "to": "10:00"}]}, "args.hours.weekly[0].from"),
    ):
        command = ops.PortalPut("help", "ask", "queue", ["help"], hours=hours)
        assert (scene.refused(command, MIA, Code.BAD_ARGS).detail or {})["path"] == path


def test_all_that_a_portal_says_comes_back_in_the_words_of_the_operation() -> None:
    scene = Routed()
    given: dict[str, Any] = {
        "places": 3,
        "wrap_up_ms": 4000,
        "classes": [{"class": "vip", "boost_ms": 1000}, {"class": "gold", "boost_ms": 1}],
        "take": "head",
        "hours": {**EVENINGS, "holidays": [{"date": "2023-12-25"}]},
    }
    assert scene.entrance("help", **given).value["changed"] is True
    (portal,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["portals"])
    assert {name: portal[name] for name in given} == given
    again = ops.PortalPut(**{name: value for name, value in portal.items() if name != "title"})  # type: ignore[arg-type]
    assert scene.ok(again, MIA).value["changed"] is False
    for name in given:
        assert scene.entrance("help", **{**given, name: None}).value["changed"] is True
        scene.entrance("help", **given)
    scene.entrance("help")
    (portal,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["portals"])
    found = {name: portal[name] for name in given}
    assert found == {"places": 1, "wrap_up_ms": 0, "classes": [], "take": "off", "hours": None}


@pytest.mark.parametrize("names", [["vip", "vip"], ["normal"], ["gold", "normal"]])
def test_each_class_is_named_once_and_normal_is_always_there(names: list[str]) -> None:
    scene = Routed()
    classes = [{"class": name, "boost_ms": 1} for name in names]
    command = ops.PortalPut("help", "ask", "queue", ["help"], classes=classes)
    refusal = scene.refused(command, MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == f"args.classes[{len(names) - 1}].class"


def test_places_cannot_change_under_open_requests_and_the_rest_can() -> None:
    scene = routed("ann")
    scene.ask("carl")
    refusal = scene.refused(ops.PortalPut("help", "ask", "queue", ["help"], places=2), MIA)
    assert (refusal.detail or {})["state"] == "in_use"
    scene.entrance("help", places=1, wrap_up_ms=1000, take="any", classes=[{"class": "vip", "boost_ms": 1}])
    scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
    scene.entrance("help", places=2)


def test_a_portals_page_says_what_skills_its_customers_may_ask_for() -> None:
    scene = Routed()
    scene.entrance("help", "help", "plain")
    scene.tune("help", skills=[{"skill": "tax", "level": 1, "asked": True}, {"skill": "law", "level": 1}])
    value = scene.ok(ops.PortalOpen(), customer("carl")).value
    first, second = cast("list[dict[str, object]]", value["subportals"])
    assert first == {"subportal": "help", "state": "open", "open": True, "skills": ["tax"]}
    assert second == {"subportal": "plain", "state": "open", "open": True}


def test_a_teams_limit_of_missed_offers_comes_back_and_alone_is_a_change() -> None:
    scene = routed()
    assert scene.ok(ops.TeamPut("blue", ["help"], away_after=3), MIA).value["changed"] is True
    assert scene.ok(ops.TeamPut("blue", ["help"], away_after=3), MIA).value["changed"] is False
    (team,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["teams"])
    assert team["away_after"] == 3
    scene.ok(ops.TeamPut("blue", ["help"]), MIA)
    assert scene.desk.state.teams["blue"].away_after is None


# --- deleting a portal -------------------------------------------------------------------------------


def test_a_deleted_portal_is_gone_with_all_that_was_its_own() -> None:
    scene = office("ann")
    scene.ok(ops.PortalPut("spare", "ask", "queue", ["spare", "more"], personal("Spare", "c_1")), MIA)
    scene.team("blue", "help", "spare")
    scene.ok(ops.PortalDelete("spare"), MIA)
    assert scene.desk.drain_released() == ["c_1"]
    assert set(scene.desk.state.portals) == set(scene.desk.state.subportals) == {"help"}
    assert scene.desk.state.teams["blue"].subportals == ("help",)
    assert not scene.desk.knows(customer("carl", "spare"))
    assert not scene.desk.may_read(MIA, "subportal:spare")
    scene.refused(ops.PortalDelete("spare"), MIA, Code.NO_SUCH)
    kind, data = scene.told("account")[-1]
    assert (kind, data["portal"], data["subportals"], data["by"]) == (
        "portal.deleted",
        "spare",
        ("spare", "more"),
        "mia",
    )
    gone = cast("list[dict[str, object]]", data["changes"])
    assert {"field": "title"} in gone
    assert {"field": "kind", "from": "ask"} in gone
    scene.portal("spare", "ask", "queue", "more")  # both names are free again
    scene.ask("carl", "spare")


def test_a_portal_with_open_requests_is_not_deleted_wherever_they_wait() -> None:
    scene = Routed()
    scene.entrance("help")
    scene.entrance("spill")
    scene.tune("help", overflow=[{"on": "length", "length": 1, "to": "spill"}])
    scene.request("carl")
    scene.request("cora")
    assert (scene.refused(ops.PortalDelete("help"), MIA).detail or {})["requests"] == 2
    refusal = scene.refused(ops.PortalDelete("spill"), MIA)
    assert refusal.text == "1 open requests came through the portal, or wait in it: once there are none"
    scene.ok(ops.RequestWithdraw(request_id("cora")), customer("cora"))
    scene.ok(ops.PortalDelete("spill"), MIA)
    scene.request("coral")  # its rule leads nowhere any more: it waits where it is
    assert len(scene.line("help")) == 2


def test_A1_what_a_portal_put_changed_is_told_field_by_field_and_of_a_title_only_that() -> None:
    scene = office()
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help", "more"], personal("Help", "c_1"), offer_ms=5000), MIA)
    _, data = scene.told("account")[-1]
    assert data["changes"] == [
        {"field": "title"},
        {"field": "subportals", "from": ["help"], "to": ["help", "more"]},
        {"field": "offer_ms", "from": limits.OFFER_TIMEOUT, "to": 5000},
    ]
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help", "more"]), MIA)
    _, data = scene.told("account")[-1]
    assert data["changes"] == [{"field": "offer_ms", "from": 5000, "to": limits.OFFER_TIMEOUT}]


def test_a_portal_keeps_its_cases_as_long_as_it_says() -> None:
    scene = office()
    portals = scene.desk.state.portals
    assert portals["help"].retention_days == limits.RETENTION_DAYS == 90
    command = ops.PortalPut("help", "ask", "queue", ["help"], retention_days=7)
    (event,) = of(scene.ok(command, MIA))
    assert isinstance(event, e.PortalPut)
    assert event.changes == (("retention_days", 90, 7),)
    assert portals["help"].retention_days == 7
    assert reloaded(scene.desk).state.portals["help"].retention_days == 7, "a snapshot keeps it"
    assert scene.ok(command, MIA).value == {"portal": "help", "changed": False}
    before = [field.name for field in attrs.fields(e.PortalPut)].index("retention_days")
    older = e.unpack_body(event.TYPE, event.VERSION, e.pack_body(event)[:before])
    assert isinstance(older, e.PortalPut)
    assert older.retention_days == limits.RETENTION_DAYS, "what portals had before they could say it"


@pytest.mark.parametrize(("days", "fits"), [(0, False), (1, True), (limits.MAX_RETENTION_DAYS, True), (3651, False)])
def test_the_schema_bounds_the_days(days: int, fits: bool) -> None:  # noqa: FBT001 (a table)
    args = {"portal": "p", "kind": "ask", "mode": "web", "subportals": ["p"], "retention_days": days}
    if fits:
        assert cast("ops.PortalPut", check.parse("portal.put", args)).retention_days == days
    else:
        with pytest.raises(check.BadArgs, match="retention_days"):
            check.parse("portal.put", args)
