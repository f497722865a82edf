"""Each role's methods: the operation, its arguments by the schema's names, and a typed answer."""

# covers: clients/python/answers.py clients/python/account.py clients/python/role.py clients/python/people.py

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from broker.protocol import check, ops
from broker.protocol.frames import Request, Result
from clients.python.account import (
    Choice,
    Class,
    Configuration,
    Field,
    Files,
    Holiday,
    Hours,
    Needed,
    Overflow,
    Relax,
    Reply,
    Skill,
    Weekly,
)
from clients.python.answers import Choice as Somebody
from clients.python.answers import Decision, Entrance, Key, Portal, SignIn
from clients.python.client import open_client
from clients.python.commands import ERASED, arguments, as_map, personal, read, text_of
from clients.python.role import Role
from clients.python.roles import Customer, Manager, Representative, Service
from clients.python.screens import Grant, IceServer
from clients.python.settings import Auth
from tests.clients.python.fake_broker import FakeBroker
from tests.clients.python.world import TOKEN, URL, settings


async def test_roles_ask_with_the_schemas_names_and_read_typed_answers(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    value = {"request": "r_1", "session": "s_1", "state": "waiting", "existing": False, "later": 1}
    broker.handler = lambda peer, request: [Result(request.id, value)]
    async with open_client(URL, Auth(portal="a/b"), Customer, settings=settings(broker)) as kim:
        asked = await kim.ask("help", name="Kim")
    assert (asked.request, asked.session, asked.state, asked.existing) == ("r_1", "s_1", "waiting", False)
    request = broker.seen[0]
    assert isinstance(request, Request)
    assert request.args == {"text": "help", "name": "Kim"}


async def test_a_replayed_pin_is_told_to_be_unknown(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.handler = lambda peer, request: [Result(request.id, {"id": "p_1", "expires": 5, "replayed": True})]
    async with open_client(URL, TOKEN, Representative, settings=settings(broker)) as ann:
        made = await ann.create_pin()
    assert (made.id, made.pin, made.expires) == ("p_1", None, 5)


HOURS = Hours(
    "Europe/Berlin", [Weekly("mon", "09:00", "17:00")], [Holiday("2026-12-25"), Holiday("2026-12-28", "10:00", "14:00")]
)
HOURS_DATA: dict[str, object] = {
    "zone": "Europe/Berlin",
    "weekly": [{"day": "mon", "from": "09:00", "to": "17:00"}],
    "holidays": [{"date": "2026-12-25"}, {"date": "2026-12-28", "from": "10:00", "to": "14:00"}],
}
OVERFLOW_DATA = [{"on": "length", "length": 4, "to": "t"}, {"on": "wait", "after_ms": 1000}, {"on": "staffing"}]

FORM = [
    Field("topic", "choice", {"de": "Thema", "en": "Topic"}, required=True, choices=[Choice("bill", "Rechnung")]),
    Field("order", "text", "Nr.", max=9),
]
FORM_DATA: list[dict[str, object]] = [
    {
        "field": "topic",
        "type": "choice",
        "label": {"de": "Thema", "en": "Topic"},
        "required": True,
        "choices": [{"choice": "bill", "label": "Rechnung"}],
    },
    {"field": "order", "type": "text", "label": "Nr.", "required": False, "max": 9},
]

C, R, M, S = Customer, Representative, Manager, Service
Call = Callable[[Any], Awaitable[object]]

Row = tuple[type[Role], str, Call, dict[str, object]]


def _of_both(role: type[Role]) -> list[Row]:
    """What representatives and managers ask about cases."""
    return [
        (role, "case.get", lambda who: who.case("k_1"), {"case": "k_1"}),
        (role, "case.resolve", lambda who: who.resolve("k_1", version=2), {"case": "k_1", "version": 2}),
        (role, "case.reopen", lambda who: who.reopen("k_1", version=2), {"case": "k_1", "version": 2}),
        (
            role,
            "case.mail",
            lambda who: who.mail("k_1", "Hello", subject="You asked"),
            {"case": "k_1", "text": "Hello", "subject": "You asked"},
        ),
        (
            role,
            "case.search",
            lambda who: who.search(
                "kim",
                subportal="s",
                status="assigned",
                type="live_chat",
                representative="bo",
                first=1,
                last=2,
                after=3,
            ),
            {
                "query": "kim",
                "subportal": "s",
                "status": "assigned",
                "type": "live_chat",
                "representative": "bo",
                "from": 1,
                "to": 2,
                "after": 3,
            },
        ),
    ]


def of_files(who: type[Role]) -> list[Row]:
    """What those ask for who send files."""
    announced: dict[str, object] = {"session": "s_1", "name": "a.txt", "size": 5, "type": "text/plain"}
    return [
        (
            who,
            "file.begin",
            lambda kim: kim.begin_file("s_1", "a.txt", 5, "text/plain", sha256="0" * 64),
            {**announced, "sha256": "0" * 64},
        ),
        (who, "file.begin", lambda kim: kim.begin_file("s_1", "a.txt", 5, "text/plain"), announced),
        (who, "file.chunk", lambda kim: kim.send_piece("f_1", 3, b"hi"), {"file": "f_1", "offset": 3, "data": b"hi"}),
        (who, "file.finish", lambda kim: kim.finish_file("f_1", "0" * 64), {"file": "f_1", "sha256": "0" * 64}),
        (who, "file.cancel", lambda kim: kim.cancel_file("f_1"), {"file": "f_1"}),
    ]


def of_readers(who: type[Role]) -> list[Row]:
    """What those ask for who read a session."""
    return [
        (who, "file.get", lambda kim: kim.read_file("f_1", 7), {"file": "f_1", "offset": 7}),
        (who, "file.list", lambda kim: kim.files("s_1"), {"session": "s_1"}),
    ]


FILES = [*of_files(C), *of_files(R), *of_readers(C), *of_readers(R), *of_readers(M)]

CALLS: list[Row] = [
    (C, "portal.open", lambda kim: kim.open_portal(), {}),
    (C, "portal.open", lambda kim: kim.open_portal(language="de-AT"), {"language": "de-AT"}),
    (
        C,
        "request.create",
        lambda kim: kim.ask(fields={"order": "A 1"}, page="https://x.example"),
        {"fields": {"order": "A 1"}, "page": "https://x.example"},
    ),
    (
        M,
        "portal.put",
        lambda mia: mia.put_portal(
            "p",
            "ask",
            "web",
            ("s",),
            require=("name",),
            form=FORM,
            texts={"de": {"welcome": "Hallo"}},
            language="de",
            closing_ms=0,
            origins=("https://x.example",),
            retention_days=7,
            files=Files(max_bytes=7, types=("image/*",)),
        ),
        {
            "portal": "p",
            "kind": "ask",
            "mode": "web",
            "subportals": ["s"],
            "require": ["name"],
            "form": FORM_DATA,
            "texts": {"de": {"welcome": "Hallo"}},
            "language": "de",
            "closing_ms": 0,
            "origins": ["https://x.example"],
            "retention_days": 7,
            "files": {"max_bytes": 7, "types": ["image/*"]},
        },
    ),
    (
        C,
        "request.create",
        lambda kim: kim.ask("?", subportal="s", email="k@x", skills=("german",)),
        {"subportal": "s", "text": "?", "email": "k@x", "skills": ["german"]},
    ),
    (
        C,
        "request.create",
        lambda kim: kim.ask(name="Kim", representative="bo"),
        {"name": "Kim", "representative": "bo"},
    ),
    (C, "transcript.get", lambda kim: kim.transcript("s_1"), {"session": "s_1", "format": "text"}),
    (
        R,
        "transcript.get",
        lambda ann: ann.transcript("s_1", "json", notes=True),
        {"session": "s_1", "format": "json", "notes": True},
    ),
    (
        M,
        "transcript.get",
        lambda mia: mia.transcript_page("s_1", "html", after="x", notes=True),
        {"session": "s_1", "format": "html", "after": "x", "notes": True},
    ),
    (C, "request.pick", lambda kim: kim.pick("r_1", "bo"), {"request": "r_1", "representative": "bo"}),
    (
        C,
        "request.create",
        lambda kim: kim.ask("?", email="k@x", support=True),
        {"text": "?", "email": "k@x", "support": True},
    ),
    (
        C,
        "request.convert",
        lambda kim: kim.convert("r_1", text="?", name="Kim", email="k@x"),
        {"request": "r_1", "text": "?", "name": "Kim", "email": "k@x"},
    ),
    (C, "request.withdraw", lambda kim: kim.withdraw("r_1"), {"request": "r_1"}),
    (C, "pin.redeem", lambda kim: kim.redeem("123456789", name="Kim"), {"pin": "123456789", "name": "Kim"}),
    (C, "session.end", lambda kim: kim.end("s_1"), {"session": "s_1"}),
    (C, "share.accept", lambda kim: kim.accept_share("h_1"), {"share": "h_1"}),
    (C, "share.confirm", lambda kim: kim.confirm_share("h_1"), {"share": "h_1"}),
    (C, "share.confirm", lambda kim: kim.confirm_share("h_1", control=True), {"share": "h_1", "control": True}),
    (C, "share.control", lambda kim: kim.allow_control("h_1", allow=False), {"share": "h_1", "allow": False}),
    (C, "share.join", lambda kim: kim.join_share("h_1"), {"share": "h_1"}),
    (C, "share.started", lambda kim: kim.share_started("h_1"), {"share": "h_1"}),
    (C, "share.decline", lambda kim: kim.decline_share("h_1"), {"share": "h_1"}),
    (C, "share.stop", lambda kim: kim.stop_share("h_1"), {"share": "h_1"}),
    *FILES,
    (R, "presence.set", lambda ann: ann.set_presence("away", reason="lunch"), {"presence": "away", "reason": "lunch"}),
    (
        R,
        "presence.set",
        lambda ann: ann.set_presence("offline", sessions="hand_back"),
        {"presence": "offline", "sessions": "hand_back"},
    ),
    (
        R,
        "presence.set",
        lambda ann: ann.set_presence("available", takeover="bo"),
        {"presence": "available", "takeover": "bo"},
    ),
    (R, "offer.accept", lambda ann: ann.accept("o_1"), {"offer": "o_1"}),
    (R, "offer.decline", lambda ann: ann.decline("o_1", "busy"), {"offer": "o_1", "reason": "busy"}),
    (R, "case.list", lambda ann: ann.waiting("s"), {"subportal": "s"}),
    (M, "case.list", lambda mia: mia.waiting("s", first=101), {"subportal": "s", "from": 101}),
    (R, "case.take", lambda ann: ann.take("r_1"), {"request": "r_1"}),
    (R, "case.take", lambda ann: ann.take_case("k_1"), {"case": "k_1"}),
    (R, "cases.seen", lambda ann: ann.seen(7), {"upto": 7}),
    *_of_both(R),
    *_of_both(M),
    (M, "case.assign", lambda mia: mia.assign_case("k_1", "bo"), {"case": "k_1", "representative": "bo"}),
    (M, "case.delete", lambda mia: mia.delete_case("k_1"), {"case": "k_1"}),
    (
        M,
        "customer.export",
        lambda mia: mia.export_customer(email="k@x", visitor="v_1", after=3),
        {"email": "k@x", "visitor": "v_1", "after": 3},
    ),
    (R, "wrap_up.end", lambda ann: ann.end_wrap_up("s_1"), {"session": "s_1"}),
    (R, "pin.create", lambda ann: ann.create_pin(), {}),
    (R, "pin.revoke", lambda ann: ann.revoke_pin("p_1"), {"id": "p_1"}),
    (R, "pin.list", lambda ann: ann.pins(), {}),
    (R, "session.end", lambda ann: ann.end("s_1"), {"session": "s_1"}),
    (C, "chat.send", lambda joe: joe.say("s_1", "hi"), {"session": "s_1", "text": "hi"}),
    (R, "chat.send", lambda ann: ann.say("s_1", "hi"), {"session": "s_1", "text": "hi"}),
    (C, "chat.typing", lambda joe: joe.typing("s_1"), {"session": "s_1", "on": True}),
    (R, "chat.typing", lambda ann: ann.typing("s_1", on=False), {"session": "s_1", "on": False}),
    (C, "chat.read", lambda joe: joe.has_read("s_1", 4), {"session": "s_1", "upto": 4}),
    (R, "chat.read", lambda ann: ann.has_read("s_1", 4), {"session": "s_1", "upto": 4}),
    (R, "note.add", lambda ann: ann.note("s_1", "hm"), {"session": "s_1", "text": "hm"}),
    (
        R,
        "session.outcome",
        lambda ann: ann.set_outcome("s_1", "resolved", "why"),
        {"session": "s_1", "outcome": "resolved", "note": "why"},
    ),
    (C, "session.rate", lambda joe: joe.rate("s_1", 5, "ok"), {"session": "s_1", "score": 5, "comment": "ok"}),
    (
        C,
        "session.rate",
        lambda joe: joe.rate("s_1", 5, fields={"why": "x"}),
        {"session": "s_1", "score": 5, "fields": {"why": "x"}},
    ),
    (
        C,
        "session.describe",
        lambda joe: joe.describe("s_1", "device", {"os": "x"}),
        {"session": "s_1", "kind": "device", "data": {"os": "x"}},
    ),
    (
        M,
        "reply.put",
        lambda mia: mia.put_reply("t", "hi", "Hello {customer}", title="Hello"),
        {"team": "t", "reply": "hi", "title": "Hello", "text": "Hello {customer}"},
    ),
    (
        M,
        "reply.put",
        lambda mia: mia.put_reply("t", "hi", {"en": "Hello"}),
        {"team": "t", "reply": "hi", "texts": {"en": "Hello"}},
    ),
    (M, "reply.delete", lambda mia: mia.delete_reply("t", "hi"), {"team": "t", "reply": "hi"}),
    (M, "reply.list", lambda mia: mia.replies(), {}),
    (R, "reply.list", lambda ann: ann.replies("s"), {"subportal": "s"}),
    (R, "session.leave", lambda ann: ann.leave("s_1"), {"session": "s_1"}),
    (R, "session.transfer", lambda ann: ann.transfer("s_1", "bo"), {"session": "s_1", "representative": "bo"}),
    (
        R,
        "session.transfer",
        lambda ann: ann.transfer("s_1", subportal="x", comment="hm"),
        {"session": "s_1", "subportal": "x", "comment": "hm"},
    ),
    (
        R,
        "session.invite",
        lambda ann: ann.invite("s_1", "bo", view_only=True, masked=True, comment="hm"),
        {"session": "s_1", "representative": "bo", "view_only": True, "masked": True, "comment": "hm"},
    ),
    (R, "session.invite", lambda ann: ann.invite("s_1", subportal="x"), {"session": "s_1", "subportal": "x"}),
    (R, "session.remove", lambda ann: ann.remove("s_1", "bo"), {"session": "s_1", "representative": "bo"}),
    (R, "offer.revoke", lambda ann: ann.revoke_offer("o_1"), {"offer": "o_1"}),
    (M, "session.monitor", lambda mia: mia.monitor("s_1"), {"session": "s_1"}),
    (M, "session.monitor_end", lambda mia: mia.end_monitoring("s_1"), {"session": "s_1"}),
    (R, "share.request", lambda ann: ann.request_share("s_1"), {"session": "s_1"}),
    (R, "share.request", lambda ann: ann.request_share("s_1", control=True), {"session": "s_1", "control": True}),
    (R, "share.ask_control", lambda ann: ann.ask_control("h_1"), {"share": "h_1"}),
    (R, "share.reboot", lambda ann: ann.reboot("h_1"), {"share": "h_1"}),
    (R, "share.join", lambda ann: ann.join_share("h_1"), {"share": "h_1"}),
    (R, "share.started", lambda ann: ann.share_started("h_1"), {"share": "h_1"}),
    (R, "share.stop", lambda ann: ann.stop_share("h_1"), {"share": "h_1"}),
    (M, "request.classify", lambda mia: mia.classify("r_1", "gold"), {"request": "r_1", "class": "gold"}),
    (M, "request.why", lambda mia: mia.why("r_1"), {"request": "r_1"}),
    (M, "case.assign", lambda mia: mia.assign("r_1", "bo"), {"request": "r_1", "representative": "bo"}),
    (M, "account.get", lambda max: max.account(), {}),
    (M, "account.put", lambda mia: mia.put_account(), {}),
    (M, "account.put", lambda mia: mia.put_account(modes=("web", "queue")), {"modes": ["web", "queue"]}),
    (
        M,
        "account.put",
        lambda mia: mia.put_account(password_min=12, password_classes=0),
        {"password_min": 12, "password_classes": 0},
    ),
    (M, "portal.delete", lambda mia: mia.delete_portal("p"), {"portal": "p"}),
    (
        M,
        "portal.put",
        lambda max: max.put_portal("p", "ask", "web", ("s",)),
        {"portal": "p", "kind": "ask", "mode": "web", "subportals": ["s"]},
    ),
    (
        M,
        "subportal.put",
        lambda max: max.put_subportal("s", weight=2, policy="round_robin"),
        {"subportal": "s", "weight": 2, "policy": "round_robin"},
    ),
    (
        M,
        "portal.put",
        lambda mia: mia.put_portal("p", "pick", "web", ("s",), title="T", offer_ms=5000, pick_fallback="broadcast"),
        {
            "portal": "p",
            "kind": "pick",
            "mode": "web",
            "subportals": ["s"],
            "title": "T",
            "offer_ms": 5000,
            "pick_fallback": "broadcast",
        },
    ),
    (
        M,
        "portal.put",
        lambda mia: mia.put_portal(
            "p",
            "ask",
            "queue",
            ("s",),
            places=2,
            wrap_up_ms=1,
            classes=[Class("gold", 5)],
            take="head",
            hours=HOURS,
            functions={"control": False},
            web_chat="chat_only",
            outcomes=("sold",),
            survey=FORM,
            monitoring="silent",
            guests="view_only",
        ),
        {
            "portal": "p",
            "kind": "ask",
            "mode": "queue",
            "subportals": ["s"],
            "places": 2,
            "wrap_up_ms": 1,
            "classes": [{"class": "gold", "boost_ms": 5}],
            "take": "head",
            "hours": HOURS_DATA,
            "functions": {"control": False},
            "web_chat": "chat_only",
            "outcomes": ["sold"],
            "survey": FORM_DATA,
            "monitoring": "silent",
            "guests": "view_only",
        },
    ),
    (
        M,
        "subportal.put",
        lambda mia: mia.put_subportal(
            "s",
            policy="weighted",
            skills=[Needed("german", 5, asked=True)],
            relax=(Relax(1000, 5),),
            max_waiting=9,
            sticky_ms=1,
            overflow=[Overflow("length", length=4, to="t"), Overflow("wait", after_ms=1000), Overflow("staffing")],
        ),
        {
            "subportal": "s",
            "weight": 1,
            "policy": "weighted",
            "skills": [{"skill": "german", "level": 5, "asked": True}],
            "relax": [{"after_ms": 1000, "less": 5}],
            "max_waiting": 9,
            "sticky_ms": 1,
            "overflow": OVERFLOW_DATA,
        },
    ),
    (
        M,
        "team.put",
        lambda mia: mia.put_team("t", ("s",), away_after=3, parent="p", logins=2, functions={"chat": True}),
        {"team": "t", "subportals": ["s"], "away_after": 3, "parent": "p", "logins": 2, "functions": {"chat": True}},
    ),
    (
        M,
        "representative.put",
        lambda mia: mia.put_representative("ann", "Ann", "t", 2, weight=3, skills=[Skill("german", 5)], functions={}),
        {
            "representative": "ann",
            "name": "Ann",
            "team": "t",
            "capacity": 2,
            "weight": 3,
            "skills": [{"skill": "german", "level": 5}],
            "functions": {},
        },
    ),
    (
        M,
        "function.effective",
        lambda mia: mia.functions("ann", "p", "chat"),
        {"representative": "ann", "portal": "p", "function": "chat"},
    ),
    (S, "function.effective", lambda one: one.functions("ann", "p"), {"representative": "ann", "portal": "p"}),
    (R, "function.effective", lambda ann: ann.functions("p"), {"representative": "ann", "portal": "p"}),
    (
        M,
        "representative.put",
        lambda mia: mia.put_representative("ann", "Ann", "t", 2, email="ann@example.com", management=True),
        {
            "representative": "ann",
            "name": "Ann",
            "team": "t",
            "capacity": 2,
            "email": "ann@example.com",
            "management": True,
        },
    ),
    (M, "representative.delete", lambda mia: mia.delete_representative("ann"), {"representative": "ann"}),
    (
        M,
        "manager.put",
        lambda mia: mia.put_manager(
            "tim", "team", name="Tim", email="tim@example.com", teams=("t",), rights=("assign",)
        ),
        {
            "manager": "tim",
            "kind": "team",
            "name": "Tim",
            "email": "tim@example.com",
            "teams": ["t"],
            "rights": ["assign"],
        },
    ),
    (M, "manager.put", lambda mia: mia.put_manager("pia", "api"), {"manager": "pia", "kind": "api"}),
    (M, "manager.delete", lambda mia: mia.delete_manager("tim"), {"manager": "tim"}),
    (M, "service.put", lambda mia: mia.put_service("crm", ("why",)), {"service": "crm", "scopes": ["why"]}),
    (M, "service.delete", lambda mia: mia.delete_service("crm"), {"service": "crm"}),
    (M, "account.export", lambda pia: pia.export(), {}),
    (M, "password.set", lambda mia: mia.set_password("new", person="ann"), {"new": "new", "person": "ann"}),
    (M, "password.set", lambda mia: mia.set_password("new", "old"), {"new": "new", "old": "old"}),
    (R, "password.set", lambda ann: ann.set_password("new", "old"), {"new": "new", "old": "old"}),
    (M, "password.link", lambda mia: mia.send_password_link("ann"), {"person": "ann"}),
    (M, "sign_in.list", lambda mia: mia.sign_ins("ann"), {"person": "ann"}),
    (R, "sign_in.list", lambda ann: ann.sign_ins(), {}),
    (S, "sign_in.list", lambda crm: crm.sign_ins(), {}),
    (M, "sign_in.end", lambda mia: mia.end_sign_ins("ann", "n_1"), {"person": "ann", "sign_in": "n_1"}),
    (R, "sign_in.end", lambda ann: ann.end_sign_ins(), {}),
    (S, "sign_in.end", lambda crm: crm.end_sign_ins(sign_in="n_1"), {"sign_in": "n_1"}),
    (
        M,
        "key.create",
        lambda mia: mia.create_key("crm", scopes=("why",), life_ms=60_000),
        {"person": "crm", "scopes": ["why"], "life_ms": 60_000},
    ),
    (M, "key.create", lambda pia: pia.create_key("pia"), {"person": "pia"}),
    (
        M,
        "visitor.block",
        lambda mia: mia.block("abuse", request="r_1", what="both", life_ms=60_000),
        {"reason": "abuse", "request": "r_1", "what": "both", "life_ms": 60_000},
    ),
    (M, "visitor.block", lambda mia: mia.block("spam", session="s_1"), {"reason": "spam", "session": "s_1"}),
    (M, "visitor.block", lambda mia: mia.block("spam", visitor="v_1"), {"reason": "spam", "visitor": "v_1"}),
    (M, "block.end", lambda mia: mia.end_block("b_1"), {"block": "b_1"}),
    (M, "block.list", lambda mia: mia.blocks(), {}),
    (M, "key.revoke", lambda mia: mia.revoke_key("k_1"), {"prefix": "k_1"}),
    (M, "key.list", lambda mia: mia.keys("crm"), {"person": "crm"}),
    (R, "account.get", lambda ann: ann.account(), {}),
    (R, "auth.refresh", lambda ann: ann.renew("again"), {"refresh": "again"}),
    (M, "team.delete", lambda mia: mia.delete_team("t", "u"), {"team": "t", "into": "u"}),
    (M, "team.put", lambda max: max.put_team("t", ("s",), title="T"), {"team": "t", "subportals": ["s"], "title": "T"}),
    (
        M,
        "representative.put",
        lambda max: max.put_representative("ann", "Ann", "t", 2),
        {"representative": "ann", "name": "Ann", "team": "t", "capacity": 2},
    ),
    (S, "request.classify", lambda crm: crm.classify("r_1", "gold"), {"request": "r_1", "class": "gold"}),
    (S, "request.why", lambda crm: crm.why("r_1"), {"request": "r_1"}),
    (S, "auth.refresh", lambda crm: crm.refresh("fresh"), {"token": "fresh"}),
    (S, "meta.schema", lambda crm: crm.schema(), {}),
]
VALUE = {
    "pins": [],
    "case": {"case": "k_1"},
    "mail": "m_1",
    "upto": 7,
    "functions": [],
    "former": "former-1",
    "sign_ins": [],
    "ended": 1,
    "keys": [],
    "blocks": [
        {"block": "b_1", "what": "address", "network": "192.0.2.0/24", "reason": "x", "by": "m", "since": 1, "until": 2}
    ],
    "block": "b_1",
    "until": 2,
    "existing": False,
    "decisions": [],
    "requests": [],
    "presence": "away",
    "offer": "o_1",
    "message_seq": 1,
    "announced": False,
    "share": "h_1",
    "control": True,
    "backend": "webrtc",
    "ice": [{"urls": ["turn:t.example"], "username": "1:a", "credential": "cr3d"}],
    "grant": {"view": True, "control": False, "functions": ["chat"]},
    "changed": True,
    "expires": 1,
    "files": [],
    "file": "f_1",
    "offset": 3,
    "size": 2,
    "toml": "",
    "format": "text",
    "data": "",
}


@pytest.mark.parametrize(("role", "op", "call", "args"), CALLS, ids=[f"{call[0].__name__}-{call[1]}" for call in CALLS])
async def test_a_method_asks_for_its_operation(
    autojump_clock: MockClock, broker: FakeBroker, role: type[Role], op: str, call: Call, args: dict[str, object]
) -> None:
    broker.handler = lambda peer, request: [Result(request.id, VALUE)]
    async with open_client(URL, TOKEN, role, settings=settings(broker)) as person:
        await call(person)
    request = broker.seen[0]
    assert isinstance(request, Request)
    assert (request.op, request.args) == (op, args)
    assert (request.key is not None) == (op in check.WRITES)
    check.parse(op, request.args)


async def test_a_transcripts_pages_are_put_together(autojump_clock: MockClock, broker: FakeBroker) -> None:
    pages = iter([{"format": "json", "data": "a", "next": "x"}, {"data": "b", "next": "y"}, {"data": "c"}])
    broker.handler = lambda peer, request: [Result(request.id, {"format": "json", **next(pages)})]
    async with open_client(URL, TOKEN, Manager, settings=settings(broker)) as mia:
        assert await mia.transcript("s_1", "json", notes=True) == "abc"
    asked = [frame.args for frame in broker.seen if isinstance(frame, Request)]
    same = {"session": "s_1", "format": "json", "notes": True}
    assert asked == [same, {**same, "after": "x"}, {**same, "after": "y"}]


def reply(text: str | None = None, texts: dict[str, str] | None = None) -> Reply:
    return Reply(team="t", reply="hi", title=None, text=text, texts=texts)


@pytest.mark.parametrize(
    ("text", "customer", "said"),
    [
        ("Hello {customer}, {representative} here.", "Kim", "Hello Kim, Ann here."),
        ("Hello {customer}, {representative} here.", None, "Hello, Ann here."),
        ("Hello {customer}!", ERASED, "Hello!"),
        ("Hello {customer}", "{representative}", "Hello {representative}"),  # a customer's name is no text of ours
        ("{order} {}", "Kim", "{order} {}"),
    ],
)
def test_E12_a_reply_is_filled_in_with_the_names_there_are(text: str, customer: str | None, said: str) -> None:
    assert reply(text).filled(customer=customer, representative="Ann") == said


@pytest.mark.parametrize(
    ("language", "said"), [("de-AT", "A"), ("DE", "D"), ("de-CH", "D"), ("fr", "E"), (None, "E"), ("en-US", "E")]
)
def test_E12_a_reply_is_said_in_the_language_that_is_wanted(language: str | None, said: str) -> None:
    assert reply(texts={"de": "D", "de-AT": "A", "en": "E"}).filled(language) == said


def test_E12_a_reply_without_english_falls_back_to_what_there_is_and_one_that_was_erased_says_nothing() -> None:
    assert reply(texts={"fr": "F", "nl": "N"}).filled("de") == "F"
    erased = {"team": "t", "reply": "hi", "text": {"erased": True}}
    assert read(Reply, erased).filled() is None
    assert read(Reply, {"team": "t", "reply": "hi", "texts": {"erased": True}}).filled() is None


def test_every_operation_has_a_method_for_each_role_that_may_ask_it() -> None:
    offered = {(role.__name__.lower(), op) for role, op, _, _ in CALLS}
    everybody = {"auth.refresh", "meta.schema", "subscribe", "unsubscribe"}
    wanted = {(role, op) for op, roles in check.ROLES.items() if op not in everybody for role in roles}
    assert wanted <= offered


@pytest.mark.parametrize("op", sorted({call[1] for call in CALLS}))
def test_every_argument_can_be_given(op: str) -> None:
    given = {name for _, asked, _, args in CALLS if asked == op for name in args}
    assert given == {field.name.rstrip("_") for field in attrs.fields(ops.OPS[op])}


def test_what_a_manager_set_up_reads_as_it_was_written() -> None:
    plain = {
        "title": None,
        "kind": "ask",
        "mode": "queue",
        "subportals": ["s"],
        "offer_ms": 1,
        "pick_fallback": "choose",
    }
    portal: dict[str, Any] = {**plain, "portal": "p", "places": 2, "wrap_up_ms": 1, "take": "head", "hours": HOURS_DATA}
    portal = {**portal, "require": ["text"], "form": FORM_DATA, "texts": None, "language": "de"}
    portal = {**portal, "closing_ms": 1, "origins": [], "web_chat": "none", "monitoring": "off", "guests": "view_only"}
    subportal = {"subportal": "s", "portal": "p", "weight": 1, "policy": "weighted", "max_waiting": 9, "sticky_ms": 0}
    needed = {"skill": "german", "level": 5, "asked": True}
    person = {"representative": "ann", "name": {"erased": True}, "team": "t", "capacity": 2, "weight": 3}
    found = read(
        Configuration,
        {
            "account": {"modes": ["web"]},
            "portals": [
                {**portal, "classes": [{"class": "gold", "boost_ms": 5}]},
                {**portal, "portal": "q", "classes": [], "hours": None},
            ],
            "subportals": [
                {**subportal, "skills": [needed], "relax": [{"after_ms": 1, "less": 2}], "overflow": OVERFLOW_DATA}
            ],
            "teams": [{"team": "t", "title": "T", "subportals": ["s"], "away_after": None}],
            "representatives": [{**person, "skills": [{"skill": "german", "level": 5}], "management": True}],
            "managers": [{"manager": "tim", "kind": "team", "name": "Tim", "teams": ["t"], "rights": ["assign"]}],
            "services": [{"service": "crm", "scopes": ["why"]}],
        },
    )
    always, hours = found.portals[1].hours, found.portals[0].hours
    assert always is None
    assert hours is not None
    assert as_map(hours) == HOURS_DATA
    assert (hours.zone, list(hours.weekly), list(hours.holidays)) == (HOURS.zone, HOURS.weekly, HOURS.holidays)
    assert found.portals[0].classes == (Class("gold", 5),)
    assert (found.portals[0].places, found.portals[0].wrap_up_ms, found.portals[0].take) == (2, 1, "head")
    assert as_map(found.portals[0].form) == as_map(FORM)
    line = found.subportals[0]
    assert (line.skills, line.relax) == ((Needed("german", 5, asked=True),), (Relax(1, 2),))
    assert as_map(line.overflow) == OVERFLOW_DATA
    assert (found.teams[0].title, found.teams[0].away_after) == ("T", None)
    ann = found.representatives[0]
    assert (ann.name, ann.weight, ann.skills) == ("(erased)", 3, (Skill("german", 5),))
    assert (ann.management, ann.email) == (True, None)
    (tim,), (crm,) = found.managers, found.services
    assert (tim.manager, tim.kind, tim.name, tim.email) == ("tim", "team", "Tim", None)
    assert (tim.teams, tim.rights, crm.service, crm.scopes) == (["t"], ["assign"], "crm", ["why"])


async def test_what_opens_an_account_reads_as_it_was_told(autojump_clock: MockClock, broker: FakeBroker) -> None:
    one: dict[str, Any] = {"sign_in": "n_1", "how": "password", "since": 1, "until": 2}
    key: dict[str, Any] = {"prefix": "k_1", "person": "crm", "created": 1, "expires": 2}
    told = {"sign_ins": [one], "keys": [key], "prefix": "k_2", "secret": "k_2.x", "expires": 3, "refresh": "next"}
    broker.handler = lambda peer, request: [Result(request.id, told)]
    async with open_client(URL, TOKEN, Manager, settings=settings(broker)) as mia:
        assert await mia.sign_ins() == [SignIn(**one, network=None)]
        assert await mia.keys() == [Key(**key, scopes=None)]
        made = await mia.create_key("crm")
        renewed = await mia.renew("last")
    assert (made.prefix, made.secret, made.expires) == ("k_2", "k_2.x", 3)
    assert (renewed.expires, renewed.token, renewed.refresh) == (3, None, "next")
    assert "k_2.x" not in repr(made)
    assert "next" not in repr(renewed)


async def test_what_media_needs_is_read_and_its_credential_is_not_printed(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    broker.handler = lambda peer, request: [Result(request.id, VALUE)]
    async with open_client(URL, TOKEN, Customer, settings=settings(broker)) as kim:
        media = await kim.join_share("h_1")
    assert (media.backend, media.until, media.url) == ("webrtc", 2, None)
    assert media.grant == Grant(view=True, control=False, functions=["chat"])
    assert media.ice == (IceServer(urls=["turn:t.example"], username="1:a", credential="cr3d"),)
    assert "cr3d" not in repr(media)


def test_a_portal_says_when_it_opens_and_what_can_be_asked_for() -> None:
    entrances = [{"subportal": "s", "open": False, "skills": ["german"]}, {"subportal": "t", "open": False}]
    choices = [{"representative": "bo", "name": "Bo", "subportal": "s"}]
    value = {"portal": "p", "kind": "pick", "mode": "web", "open": False, "opens": 5, "subportals": entrances}
    page = read(Portal, {**value, "representatives": choices})
    assert (page.opens, page.title, page.request) == (5, None, None)
    both = (
        Entrance(subportal="s", state=None, open=False, skills=["german"]),
        Entrance(subportal="t", state=None, open=False),
    )
    assert page.subportals == both
    assert page.representatives == (Somebody(representative="bo", name="Bo", subportal="s"),)


async def test_a_decision_has_what_all_have_in_common_and_the_whole(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    offer: dict[str, Any] = {
        "seq": 4,
        "t": 5,
        "decision": "offer.made",
        "request": "r_1",
        "rule": "weighted",
        "representative": "bo",
    }
    moved = {"seq": 6, "t": 7, "decision": "request.moved", "request": "r_1", "rule": "overflow: wait", "to": "s"}
    broker.handler = lambda peer, request: [Result(request.id, {"decisions": [{**offer, "position": 1}, moved]})]
    async with open_client(URL, TOKEN, Manager, settings=settings(broker)) as mia:
        first, second = await mia.why("r_1")
    assert first == Decision(**offer, told={**offer, "position": 1})
    assert (second.decision, second.representative, second.told["to"]) == ("request.moved", None, "s")


def test_arguments_leave_out_what_is_none_and_read_ignores_what_is_new() -> None:
    @attrs.frozen
    class Known:
        a: int
        b: str | None

    assert read(Known, {"a": 1, "c": 3}) == Known(1, None)
    assert personal(None) is None
    text = personal("x")
    assert text is not None
    assert text.text == "x"
    parsed = check.parse("request.create", {"text": "help"})
    assert arguments(parsed) == {"text": "help"}


def test_an_erased_text_reads_as_such() -> None:
    assert text_of({"erased": True}) == "(erased)"
    assert text_of("Kim") == "Kim"
    assert text_of(None) is None
