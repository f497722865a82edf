"""Snapshots of streams: what a reader who comes fresh is shown, in bounded parts."""
# covers: broker/desk/outcome.py

from __future__ import annotations

from broker.desk.case_view import row
from broker.desk.publish import resolve
from broker.desk.view import PART_ITEMS, view
from broker.protocol import ops
from tests.support.builders import (
    START,
    case_id,
    customer,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
    share_id,
)
from tests.support.scene import Scene, office


def shown(scene: Scene, stream: str, name: str = "mia") -> list[object]:
    identity = {"mia": manager(), "ann": representative("ann"), "bo": representative("bo")}.get(name) or customer(name)
    resolved = resolve(view(scene.desk, stream, identity), str.upper)
    assert isinstance(resolved, list)
    return resolved


def test_a_representative_is_shown_presence_offers_and_sessions() -> None:
    scene = office("ann", capacity=2)
    command = ops.RequestCreate(text=personal("why?", "c_why"), name=personal("Carl", "c_carl"))
    scene.ok(command, customer("carl"), "carl")
    scene.accept(offer_id("carl"), "ann")
    scene.ok(ops.ShareRequest(session_id("carl")), representative("ann"))
    scene.ask("cora")
    *told, cases = shown(scene, "me:ann", "ann")
    assert cases == {"cases": resolve([row(scene.desk.state, scene.desk.state.cases[case_id("carl")])], str.upper)}
    assert told == [
        {
            "presence": [
                {
                    "presence": "available",
                    "load": 1,
                    "capacity": 2,
                    "team": "blue",
                    "subportals": ["help"],
                    "cases_seen": 0,
                    "unread": True,
                },
            ]
        },
        {
            "offers": [
                {
                    "offer": offer_id("cora"),
                    "request": request_id("cora"),
                    "subportal": "help",
                    "kind": "queue",
                    "deadline": START + 20_000,
                    "arrived": START,
                    "text": f"C_CORA_{scene.commands - 1}",
                    "name": None,
                    "fields": None,
                    "page": None,
                    "by": None,
                }
            ]
        },
        {
            "sessions": [
                {
                    "session": session_id("carl"),
                    "request": request_id("carl"),
                    "subportal": "help",
                    "representative": "ann",
                    "representative_name": "C_ANN",
                    "state": "active",
                    "web_chat": "none",
                    "messages": 0,
                    "name": "C_CARL",
                    "fields": None,
                    "page": None,
                    "text": "C_WHY",
                    "since": START,
                    "share": {
                        "share": share_id("carl"),
                        "session": session_id("carl"),
                        "state": "requested",
                        "asks": ["view"],
                        "until": scene.now + 60_000,
                    },
                    "functions": ["chat", "web_chat", "screen_share", "collaboration"],
                    "offered": [],
                }
            ]
        },
    ]


def test_who_was_taken_over_is_shown_it() -> None:
    scene = office("ann")
    scene.assign("carl", "ann")
    scene.team("blue", "help", logins=1)
    scene.staff("blue", "bo", presence="offline")
    scene.ok(ops.PresenceSet("available", takeover="ann"), representative("bo"))
    presence = {"presence": "away", "load": 1, "capacity": 1, "team": "blue", "subportals": ["help"]}
    presence |= {"cases_seen": 0, "unread": False}
    assert shown(scene, "me:ann", "ann")[0] == {"presence": [{**presence, "taken_over": True}]}


def test_a_customer_is_shown_its_requests_with_the_place_in_the_line() -> None:
    scene = office("ann")
    scene.portal("open", "button", "web")
    scene.team("blue", "help", "open")
    scene.assign("carl", "ann")
    scene.ask("cora")
    scene.ask("dora")
    scene.ok(ops.RequestCreate(), customer("dora", "open"), "second")
    (part,) = shown(scene, "me:v_dora", "dora")
    common = {"arrived": START, "class": "normal", "representative": None, "representative_name": None}
    line, web = request_id("dora"), request_id("second")
    assert part == {
        "requests": [
            {
                "request": line,
                "session": "s_" + line[2:],
                "portal": "help",
                "subportal": "help",
                "state": "waiting",
                "position": 2,
                "wait_ms": None,
                **common,
            },
            {
                "request": web,
                "session": "s_" + web[2:],
                "portal": "open",
                "subportal": "open",
                "state": "offered",
                **common,
            },
        ]
    }
    (part,) = shown(scene, "me:v_carl", "carl")
    assert isinstance(part, dict)
    (talking,) = part["requests"]
    assert (talking["state"], talking["representative"], talking["representative_name"]) == ("assigned", "ann", "C_ANN")
    assert "position" not in talking


def test_a_sub_portal_shows_its_open_broadcasts() -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.portal("other", "ask", "web")
    scene.team("blue", "help", "other")
    scene.ask("carl")
    scene.ask("cora", "other")
    offers, state = shown(scene, "subportal:help", "ann")
    assert isinstance(offers, dict)
    assert [offer["request"] for offer in offers["offers"]] == [request_id("carl")]
    open_ = {"subportal": "help", "portal": "help", "state": "open", "opens": None, "closes": None}
    assert state == {"subportals": [open_]}


def test_a_session_shows_itself_and_a_team_its_people() -> None:
    scene = office("ann", "bo")
    scene.assign("carl", "ann")
    (part,) = shown(scene, f"session:{session_id('carl')}", "carl")
    assert isinstance(part, dict)
    assert part["sessions"][0]["share"] is None
    (part,) = shown(scene, "team:blue")
    ann = {"representative": "ann", "name": "C_ANN", "presence": "available", "load": 1, "offers": 0, "capacity": 1}
    assert part == {"representatives": [ann, {**ann, "representative": "bo", "name": "C_BO", "load": 0}]}


def test_an_account_shows_every_line_with_its_length() -> None:
    scene = office()
    scene.portal("more", "ask", "queue")
    scene.ask("carl")
    state = {"state": "open", "opens": None, "closes": None}
    assert shown(scene, "account") == [
        {
            "subportals": [
                {"subportal": "help", "portal": "help", "waiting": 1, "handle_ms": None, **state},
                {"subportal": "more", "portal": "more", "waiting": 0, "handle_ms": None, **state},
            ]
        }
    ]


def test_streams_with_nothing_behind_them_are_one_empty_part() -> None:
    scene = Scene()
    for stream in ("me:nobody", "team:none", "session:none", "subportal:none", "account", "audit", ""):
        assert shown(scene, stream) == [{}]
    assert shown(scene, "me:ann", "ann") == [{}]


def test_a_long_list_comes_in_parts() -> None:
    scene = office(*[f"r{n:03}" for n in range(PART_ITEMS + 1)])
    first, second = shown(scene, "team:blue")
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (len(first["representatives"]), len(second["representatives"])) == (PART_ITEMS, 1)


def test_a_team_shows_the_load_that_its_events_tell() -> None:
    scene = office("ann", capacity=4)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], places=2, wrap_up_ms=60_000), manager())
    session = scene.assign("carl", "ann")
    for _ in range(2):
        (part,) = shown(scene, "team:blue")
        assert isinstance(part, dict)
        assert part["representatives"][0]["load"] == 2
        if session in scene.desk.state.sessions:
            scene.end(session)
