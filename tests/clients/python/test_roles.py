"""Each role's methods: the operation, its arguments by the schema's names, and a typed answer."""

# covers: clients/python/answers.py

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from broker.protocol import check
from broker.protocol.frames import Request, Result
from clients.python.client import open_client
from clients.python.commands import arguments, personal, read, text_of
from clients.python.roles import Customer, Manager, Representative, Role, Service
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


C, R, M, S = Customer, Representative, Manager, Service
Call = Callable[[Any], Awaitable[object]]

CALLS: list[tuple[type[Role], str, Call, dict[str, object]]] = [
    (C, "portal.open", lambda kim: kim.open_portal(), {}),
    (
        C,
        "request.create",
        lambda kim: kim.ask("?", subportal="s", email="k@x"),
        {"subportal": "s", "text": "?", "email": "k@x"},
    ),
    (C, "request.pick", lambda kim: kim.pick("r_1", "bo"), {"request": "r_1", "representative": "bo"}),
    (C, "request.withdraw", lambda kim: kim.withdraw("r_1"), {"request": "r_1"}),
    (C, "pin.redeem", lambda kim: kim.redeem("123456789", name="Kim"), {"pin": "123456789", "name": "Kim"}),
    (C, "session.end", lambda kim: kim.end("s_1"), {"session": "s_1"}),
    (C, "share.accept", lambda kim: kim.accept_share("h_1"), {"share": "h_1"}),
    (C, "share.confirm", lambda kim: kim.confirm_share("h_1"), {"share": "h_1"}),
    (C, "share.decline", lambda kim: kim.decline_share("h_1"), {"share": "h_1"}),
    (C, "share.stop", lambda kim: kim.stop_share("h_1"), {"share": "h_1"}),
    (R, "presence.set", lambda ann: ann.set_presence("away", reason="lunch"), {"presence": "away", "reason": "lunch"}),
    (R, "offer.accept", lambda ann: ann.accept("o_1"), {"offer": "o_1"}),
    (R, "offer.decline", lambda ann: ann.decline("o_1", "busy"), {"offer": "o_1", "reason": "busy"}),
    (R, "pin.create", lambda ann: ann.create_pin(), {}),
    (R, "pin.revoke", lambda ann: ann.revoke_pin("p_1"), {"id": "p_1"}),
    (R, "pin.list", lambda ann: ann.pins(), {}),
    (R, "session.end", lambda ann: ann.end("s_1"), {"session": "s_1"}),
    (R, "session.leave", lambda ann: ann.leave("s_1"), {"session": "s_1"}),
    (R, "session.transfer", lambda ann: ann.transfer("s_1", "bo"), {"session": "s_1", "representative": "bo"}),
    (R, "share.request", lambda ann: ann.request_share("s_1"), {"session": "s_1"}),
    (R, "share.stop", lambda ann: ann.stop_share("h_1"), {"share": "h_1"}),
    (M, "account.get", lambda max: max.account(), {}),
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
    (M, "team.put", lambda max: max.put_team("t", ("s",), title="T"), {"team": "t", "subportals": ["s"], "title": "T"}),
    (
        M,
        "representative.put",
        lambda max: max.put_representative("ann", "Ann", "t", 2),
        {"representative": "ann", "name": "Ann", "team": "t", "capacity": 2},
    ),
    (S, "auth.refresh", lambda crm: crm.refresh("fresh"), {"token": "fresh"}),
    (S, "meta.schema", lambda crm: crm.schema(), {}),
]
VALUE = {"pins": [], "presence": "away", "offer": "o_1", "share": "h_1", "changed": True, "expires": 1, "toml": ""}


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


def test_every_operation_has_a_method_for_each_role_that_may_ask_it() -> None:
    offered = {(role.__name__.lower(), op) for role, op, _, _ in CALLS}
    everybody = {"auth.refresh", "meta.schema", "subscribe", "unsubscribe"}
    wanted = {(role, op) for op, roles in check.ROLES.items() if op not in everybody for role in roles}
    assert wanted <= offered


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
