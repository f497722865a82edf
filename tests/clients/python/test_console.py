"""The two consoles: what they say about what happens, what each command asks for, and what is wrongly typed."""

# covers: clients/python/console.py clients/python/console_representative.py clients/python/console_customer.py
# covers: clients/python/console_replies.py

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from broker.codes import Code
from broker.protocol.frames import Event, Fail, Frame, Gap, Notice, Request, Result, Snapshot
from clients.python import terminal
from clients.python.console import InputError, Numbers, Say, lasting, moment
from clients.python.console_talk import END, OVER
from clients.python.settings import Connected, Disconnected, Settings
from tests.clients.python.fake_broker import FakeBroker, Peer
from tests.clients.python.world import NOW, settings

PORTAL = {
    "portal": "help",
    "title": "Help",
    "kind": "ask",
    "mode": "queue",
    "open": True,
    "subportals": [],
    "representatives": [{"representative": "bo", "name": "Bo", "subportal": "s"}],
}
REQUEST = {"request": "r_1", "session": "s_1", "state": "waiting"}
PRESENCE = {"presence": "offline", "load": 0, "capacity": 2, "team": "t", "subportals": ["orders"]}
VALUES: dict[str, dict[str, Any]] = {
    "portal.open": PORTAL,
    "request.create": {**REQUEST, "existing": True},
    "presence.set": {"presence": "available"},
    "function.effective": {
        "functions": [
            {
                "function": "chat",
                "on": True,
                "reasons": [
                    {"level": "portal", "name": "p", "value": True, "decides": True},
                    {"level": "team", "name": "t", "decides": False},
                    {"level": "default", "name": "representative", "value": True, "decides": True},
                ],
            }
        ]
    },
    "pin.create": {"id": "p_1", "pin": "123456789", "expires": NOW + 14_400_000},
    "pin.list": {"pins": [{"id": "p_1", "state": "used", "created": 1, "expires": 2}]},
    "offer.accept": {"request": "r_1", "session": "s_1"},
    "session.transfer": {"session": "s_1", "offer": "o_1"},
    "session.invite": {"session": "s_1", "offer": "o_8"},
    "session.monitor": {"session": "s_1", "announced": False},
    "chat.send": {"session": "s_1", "message_seq": 1},
    "share.request": {"share": "h_1"},
    "share.confirm": {"share": "h_1", "control": False},
}


class Table:
    """One console on a fake broker; the test types lines and sends events, and reads what is said."""

    def __init__(
        self,
        broker: FakeBroker,
        role: str,
        nursery: trio.Nursery,
        *,
        as_json: bool = False,
        say: Say | None = None,
        **options: object,
    ) -> None:
        self.broker = broker
        self.values = dict(VALUES)
        self.refused: dict[str, tuple[Code, dict[str, object]]] = {}
        self.forbidden: set[str] = set()
        self.said: list[str] = []
        self._say = say or self.said.append
        self.asked: list[tuple[str, object]] = []
        self.snapshots: dict[str, dict[str, object]] = {}
        broker.role, broker.person = role, "v_1" if role == "customer" else "ann"
        broker.visitor = "v-token" if role == "customer" else None
        broker.handler = self._handle
        self._typed, lines = trio.open_memory_channel[str](100)
        args = argparse.Namespace(
            **{
                "server": "http://x",
                "token": "t",
                "json": as_json,
                "name": "Kim",
                "role": role if options.get("login") else None,
                **options,
            }
        )
        if role == "customer":
            args.token, args.portal = None, "acme/help"
        nursery.start_soon(self._run, args, lines)

    async def _run(self, args: argparse.Namespace, lines: trio.MemoryReceiveChannel[str]) -> None:
        async def typed() -> AsyncGenerator[str, None]:
            async for line in lines:
                yield line

        def made(changed: Callable[[Connected | Disconnected], None]) -> Settings:
            return settings(self.broker, on_change=changed)

        await terminal.console(args, typed(), self._say, settings=made)

    def _handle(self, peer: Peer, request: Request) -> list[Frame] | None:
        args: Any = request.args
        if request.op == "subscribe" and args["stream"] in self.forbidden:
            return [Fail(request.id, int(Code.NO_SUCH), "no", None, {})]
        if request.op == "subscribe":
            peer.cursors[args["stream"]] = 0
            answers: list[Frame] = [Result(request.id, {"stream": args["stream"], "offset": 0})]
            if args["from"] == "snapshot":
                answers.append(Snapshot(args["stream"], 0, 0, True, self.snapshots.get(args["stream"], {})))
            return answers
        self.asked.append((request.op, request.args))
        if request.op in self.refused:
            code, detail = self.refused[request.op]
            return [Fail(request.id, int(code), "no", None, detail)]
        return [Result(request.id, self.values.get(request.op, {}))]

    async def settle(self) -> list[str]:
        """What was said since the last time."""
        await trio.testing.wait_all_tasks_blocked()
        said, self.said[:] = list(self.said), []
        return said

    async def type(self, line: str) -> list[str]:
        """Type a line; what is said then."""
        await self._typed.send(line)
        return await self.settle()

    async def happens(self, stream: str, type: str, /, **data: object) -> list[str]:
        """An event; what is said then."""
        self.broker.publish(stream, type, **data)
        await self.broker.flush()
        return await self.settle()

    async def placed(self, position: int, **more: object) -> list[str]:
        """A notice of the customer's place; what is said then."""
        data: dict[str, object] = {"request": "r_1", "position": position, "exact": True, **more}
        await self.broker.peers[0].send(Notice("me", "r_1", "queue.position", data))
        return await self.settle()

    async def over(self) -> list[str]:
        """No more lines."""
        await self._typed.aclose()
        return await self.settle()


@pytest.fixture
async def representative(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        table = Table(broker, "representative", nursery)
        table.snapshots["me"] = {"presence": [PRESENCE]}
        yield table
        nursery.cancel_scope.cancel()


@pytest.fixture
async def customer(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        yield Table(broker, "customer", nursery)
        nursery.cancel_scope.cancel()


OFFER = {"offer": "o_1", "request": "r_1", "subportal": "orders", "kind": "queue", "arrived": NOW}


async def test_a_representative_sees_an_offer_takes_it_and_ends_it(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    assert await say.settle() == [
        "You are ann of acme. help lists the commands.",
        "You are offline. available takes requests.",
    ]
    assert await say.type("available") == []
    (line,) = await say.happens("me", "offer.made", **OFFER, text="It hums", name="Kim", deadline=2**45)
    assert line.startswith("* offer 1: Kim (orders, queue), ")
    assert line.endswith(" s to answer: It hums")
    assert await say.type("accept") == []
    assert await say.happens("me", "offer.ended", offer="o_1", request="r_1", reason="accepted") == ["offer 1 is yours"]
    opened = {"session": "s_1", "request": "r_1", "subportal": "orders", "representative": "ann", "name": "Kim"}
    assert await say.happens("me", "session.opened", **opened) == ["session 1: you serve Kim (orders)"]
    held = {"session": "s_1", "who": "customer", "until": 1}
    assert await say.happens("session:s_1", "session.held", **held) == ["session 1: the customer is reconnecting"]
    held["who"] = "representative"
    assert await say.happens("session:s_1", "session.held", **held) == []
    back = await say.happens("session:s_1", "session.resumed", session="s_1", who="customer")
    assert back == ["session 1: the customer is back"]
    assert await say.type("transfer bo") == ["offered to bo; the session is yours until it is taken"]
    assert await say.type("share 1") == ["asked; the customer decides"]
    assert await say.type("end 1") == []
    assert await say.happens("me", "session.ended", session="s_1", reason="representative") == [
        "session 1 is over (representative)"
    ]
    assert await say.type("quit") == []
    assert say.asked == [
        ("presence.set", {"presence": "available"}),
        ("offer.accept", {"offer": "o_1"}),
        ("session.transfer", {"session": "s_1", "representative": "bo"}),
        ("share.request", {"session": "s_1"}),
        ("session.end", {"session": "s_1"}),
    ]


async def test_a_signed_in_representative_follows_the_sub_portals_it_serves(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    await say.settle()
    say.snapshots["subportal:orders"] = {"offers": [{**OFFER, "kind": "broadcast", "deadline": None, "text": "Hello?"}]}
    changed = {"representative": "ann", "presence": "available", "by": "representative"}
    assert await say.happens("me", "presence.changed", **changed) == [
        "You are available.",
        "* offer 1: somebody (orders, broadcast), no hurry: Hello?",
    ]
    ended = {"offer": "o_1", "request": "r_1", "reason": "rescinded", "representative": "bo"}
    assert await say.happens("subportal:orders", "offer.ended", **ended) == ["offer 1 is taken by bo"]
    assert await say.happens("subportal:orders", "offer.ended", **ended) == []


async def test_what_a_representative_had_is_shown_at_the_start(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    say.snapshots["me"] = {
        "presence": [{**PRESENCE, "presence": "away"}],
        "offers": [{**OFFER, "text": {"erased": True}}],
        "sessions": [{"session": "s_9", "subportal": "orders", "name": "Lea", "text": None}],
    }
    assert await say.settle() == [
        "You are ann of acme. help lists the commands.",
        "You are away.",
        "* offer 1: somebody (orders, queue), no hurry: (erased)",
        "session 1: Lea (orders)",
    ]
    assert await say.type("status") == ["away; offers: 1, sessions: 1"]
    (line,) = await say.happens("me", "offer.renewed", offer="o_1", deadline=2**45)
    assert line.startswith("offer 1: ")
    transferred = {"session": "s_9", "request": "r_9", "representative": "bo", "former": "ann"}
    assert await say.happens("me", "session.transferred", **transferred) == ["session 1 is bo's now"]
    transferred = {"session": "s_8", "request": "r_8", "representative": "ann", "former": "bo"}
    assert await say.happens("me", "session.transferred", **transferred) == ["session 2: taken over from bo"]
    assert (await say.type("quit"))[-1].startswith("You leave with sessions open")


async def test_who_wraps_up_sees_how_long_and_ends_it(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    say.snapshots["me"] = {"presence": [PRESENCE], "wrap_ups": [{"session": "s_8", "until": 2**45}]}
    assert (await say.settle())[-1].startswith("session 1: ")
    session = {"session": "s_9", "request": "r_9", "subportal": "orders", "representative": "ann"}
    await say.happens("me", "session.opened", **session)
    until = NOW + 60_000 + 1  # the fake broker's clock is at 1 ms, so its times seem to be far ahead
    (line,) = await say.happens("me", "session.ended", session="s_9", reason="customer", wrap_up=until)
    assert line.startswith("session 2 is over (customer); ")
    assert line.endswith(" s to wrap it up, done ends that")
    assert await say.type("status") == ["offline; offers: 0, sessions: 0, to wrap up: 2"]
    assert await say.type("done") == ["! which session to wrap up? there is 1, 2"]
    assert await say.type("done 2") == []
    ended = {"session": "s_9", "representative": "ann", "reason": "done"}
    assert await say.happens("me", "wrap_up.ended", **ended) == ["session 2 is wrapped up (done)"]
    ended = {"session": "s_8", "representative": "ann", "reason": "expired"}
    assert await say.happens("me", "wrap_up.ended", **ended) == ["session 1 is wrapped up (time is up)"]
    assert await say.type("status") == ["offline; offers: 0, sessions: 0"]
    assert say.asked == [("wrap_up.end", {"session": "s_9"})]


async def test_an_offer_whose_request_is_taken_by_hand_is_nobodys_to_accept(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    await say.settle()
    await say.happens("me", "offer.made", **OFFER, deadline=2**45)
    # of an offer to one representative, the event names whom it was made to: not who has the request
    ended = {"offer": "o_1", "request": "r_1", "reason": "rescinded", "representative": "ann"}
    assert await say.happens("me", "offer.ended", **ended) == ["offer 1 is taken by hand"]


async def test_ones_own_broadcast_is_told_as_such(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    say.snapshots["me"] = {"presence": [{**PRESENCE, "presence": "available"}]}
    say.snapshots["subportal:orders"] = {"offers": [{**OFFER, "kind": "broadcast"}]}
    await say.settle()
    ended = {"offer": "o_1", "request": "r_1", "reason": "rescinded", "representative": "ann"}
    assert await say.happens("subportal:orders", "offer.ended", **ended) == ["offer 1 is yours"]


async def test_who_missed_too_many_offers_is_told_why_it_is_away(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    await say.settle()
    changed = {"representative": "ann", "presence": "away", "by": "broker", "reason": "missed_offers"}
    assert await say.happens("me", "presence.changed", **changed) == [
        "You are away: you missed too many offers in a row. available takes requests again."
    ]


async def test_who_is_taken_over_is_told_by_whom(autojump_clock: MockClock, representative: Table) -> None:
    await representative.settle()
    changed = {"representative": "ann", "presence": "away", "by": "representative", "reason": "taken_over"}
    assert await representative.happens("me", "presence.changed", **changed, taken_by="bo") == [
        "bo took over your login: your sessions stay, and nothing new comes."
    ]


async def test_functions_are_told_with_who_decides(autojump_clock: MockClock, representative: Table) -> None:
    await representative.settle()
    assert await representative.type("functions p") == ["chat: on (portal p and default representative)"]


async def test_pins_are_told_with_blanks_and_by_number(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    await say.settle()
    (line,) = await say.type("pin")
    assert line.startswith("pin 1: 123 456 789, good once, for ")
    assert await say.type("pins") == ["pin 1: used"]
    assert await say.type("revoke 1") == []
    assert await say.happens("me", "pin.changed", id="p_1", state="used", expires=1) == ["pin 1 is used"]
    assert say.asked[-1] == ("pin.revoke", {"id": "p_1"})


async def test_who_waits_is_listed_with_what_it_takes_to_take_it(representative: Table) -> None:
    say = representative
    await say.settle()
    one = {
        "request": "r_7",
        "position": 1,
        "state": "waiting",
        "class": "gold",
        "arrived": 5,
        "name": "Kim",
        "text": "?",
    }
    two = {"request": "r_8", "position": 2, "state": "offered", "class": "normal", "arrived": 6}
    say.values["case.list"] = {"waiting": 2, "requests": [one, two]}
    assert await say.type("waiting orders") == ["1. r_7 Kim: ? (waiting)", "2. r_8 somebody: - (offered)"]
    say.values["case.list"] = {"waiting": 0, "requests": []}
    assert await say.type("waiting orders") == ["nobody waits there"]
    (told,) = await say.type("waiting")
    assert "waiting SUBPORTAL" in told


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("available for bo", ("presence.set", {"presence": "available", "takeover": "bo"})),
        ("functions p", ("function.effective", {"representative": "ann", "portal": "p"})),
        ("away lunch", ("presence.set", {"presence": "away", "reason": "lunch"})),
        ("offline back", ("presence.set", {"presence": "offline", "sessions": "hand_back"})),
        ("decline", ("offer.decline", {"offer": "o_1", "reason": "busy"})),
        ("decline 1 lunch", ("offer.decline", {"offer": "o_1", "reason": "lunch"})),
        ("decline lunch", ("offer.decline", {"offer": "o_1", "reason": "lunch"})),
        ("leave", ("session.leave", {"session": "s_9"})),
        ("take r_7", ("case.take", {"request": "r_7"})),
        ("transfer 1 bo", ("session.transfer", {"session": "s_9", "representative": "bo"})),
        ("transfer to tech", ("session.transfer", {"session": "s_9", "subportal": "tech"})),
        ("transfer 1 to tech", ("session.transfer", {"session": "s_9", "subportal": "tech"})),
        (
            "invite bo masked",
            ("session.invite", {"session": "s_9", "representative": "bo", "view_only": False, "masked": True}),
        ),
        (
            "invite 1 to tech view",
            ("session.invite", {"session": "s_9", "subportal": "tech", "view_only": True, "masked": False}),
        ),
        ("remove bo", ("session.remove", {"session": "s_9", "representative": "bo"})),
    ],
)
async def test_a_line_becomes_an_operation(
    autojump_clock: MockClock, representative: Table, typed: str, asked: tuple[str, object]
) -> None:
    say = representative
    session = {"session": "s_9", "subportal": "orders", "name": "Lea", "text": None}
    say.snapshots["me"] = {"presence": [PRESENCE], "offers": [OFFER], "sessions": [session]}
    await say.settle()
    await say.type(typed)
    assert say.asked == [asked]


REPLIES: dict[str, Any] = {
    "name": "Ann Alder",
    "replies": [
        {"team": "t", "reply": "hello", "title": "Hello", "text": "Hello {customer}, I am {representative}."},
        {"team": "t", "reply": "wait", "texts": {"en": "A moment, please.", "de": "Einen Moment, bitte."}},
        {"team": "t", "reply": "gone", "text": {"erased": True}},
    ],
}


async def test_E12_a_canned_reply_is_sent_with_the_names_filled_in(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    say.values |= {"reply.list": REPLIES, "chat.send": {"session": "s_9", "message_seq": 1}}
    say.snapshots["me"] = {
        "presence": [PRESENCE],
        "sessions": [{"session": "s_9", "subportal": "orders", "name": "Lea", "text": None}],
    }
    await say.settle()
    assert await say.type("replies") == [
        "hello (Hello): Hello {customer}, I am {representative}.",
        "wait: A moment, please.",
        "gone: -",
    ]
    assert await say.type("reply hello") == ["you say: Hello Lea, I am Ann Alder."]
    assert say.asked[-1] == ("chat.send", {"session": "s_9", "text": "Hello Lea, I am Ann Alder."})
    assert await say.type("reply 1 wait de-AT") == ["you say: Einen Moment, bitte."]
    opened = {"session": "s_8", "request": "r_8", "subportal": "orders", "representative": "ann", "name": "Kim"}
    await say.happens("me", "session.opened", **opened)
    assert await say.type("reply 2 hello") == ["you say: Hello Kim, I am Ann Alder."]
    await say.happens("me", "session.ended", session="s_9", request="r_9", reason="customer")
    assert await say.type("reply hello") == ["you say: Hello Kim, I am Ann Alder."]


async def test_E12_a_reply_that_can_not_be_sent_is_said(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    say.snapshots["me"] = {"presence": [PRESENCE], "sessions": [{"session": "s_9", "subportal": "o", "name": None}]}
    await say.settle()
    assert await say.type("replies") == ["no replies: managers write them, for a team"]
    assert await say.type("reply hello") == ["! there is no reply hello; there is none"]
    say.values["reply.list"] = REPLIES
    for typed in ("reply", "reply 1 hello de now"):
        assert await say.type(typed) == ["! reply [SESSION] NAME [LANGUAGE]"]
    assert await say.type("reply bye") == ["! there is no reply bye; there is hello, wait, gone"]
    assert await say.type("reply gone") == ["! there is nothing to say in gone"]
    assert await say.type("reply 4 hello") == ["! there is no session 4"]
    assert "chat.send" not in {op for op, _ in say.asked}


async def test_E12_json_has_the_replies_and_what_was_said(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "representative", nursery, as_json=True)
        say.values |= {"reply.list": REPLIES, "chat.send": {"session": "s_9", "message_seq": 7}}
        say.snapshots["me"] = {
            "presence": [PRESENCE],
            "sessions": [{"session": "s_9", "subportal": "o", "name": "Lea"}],
        }
        await say.settle()
        (listed,) = await say.type("replies")
        assert [one["reply"] for one in json.loads(listed)["value"]] == ["hello", "wait", "gone"]
        (said,) = await say.type("reply wait")
        assert json.loads(said)["value"] == {"session": "s_9", "message_seq": 7, "text": "A moment, please."}
        nursery.cancel_scope.cancel()


async def test_a_guest_and_whoever_asks_colleagues_see_what_comes_of_it(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    await say.settle()
    joined = {"session": "s_3", "representative": "ann", "name": "Ann", "role": "guest"}
    assert await say.happens("me", "session.joined", **joined) == ["session 1: you are in it as a guest"]
    looks = {"session": "s_3", "on": True}
    assert await say.happens("session:s_3", "session.monitored", **looks) == ["session 1: a manager looks on"]
    looks["on"] = False
    told = await say.happens("session:s_3", "session.monitored", **looks)
    assert told == ["session 1: no manager looks on any more"]
    assert await say.type("invite bo") == ["asked bo in"]
    ended = {"offer": "o_8", "request": "r_3", "reason": "expired", "representative": "bo"}
    assert await say.happens("me", "offer.ended", **ended) == ["nobody came: expired"]
    assert await say.happens("me", "offer.ended", **ended) == []
    await say.type("transfer bo")
    assert await say.happens("me", "offer.ended", **{**ended, "offer": "o_1", "reason": "accepted"}) == []
    left = {"session": "s_3", "representative": "ann", "reason": "removed"}
    assert await say.happens("me", "session.left", **left) == ["session 1: you are out (removed)"]


async def test_what_is_wrongly_typed_is_said(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    await say.settle()
    assert await say.type("dance") == ["! no command 'dance'; help lists them"]
    assert await say.type("accept") == ["! which offer? there is none"]
    assert await say.type("accept 4") == ["! there is no offer 4"]
    assert await say.type("take") == ["! take CASE, or take REQUEST"]
    assert await say.type("done 3") == ["! there is no session to wrap up 3"]
    assert await say.type("transfer") == ["! transfer [SESSION] REPRESENTATIVE"]
    assert await say.type("invite 1 2 3 4") == ["! invite [SESSION] REPRESENTATIVE [masked] [view]"]
    assert await say.type("offline now") == ["! offline, or offline back"]
    assert await say.type("") == []
    assert any(line.strip().startswith("accept") for line in await say.type("help"))


async def test_a_representative_sees_what_a_share_may_do(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    await say.settle()
    await say.happens("me", "session.opened", session="s_1", request="r_1", subportal="help", representative="ann")
    share: dict[str, object] = {"share": "h_1", "session": "s_1", "state": "negotiating", "by": "customer"}
    for grant, said in (({"control": False}, ", to view only"), ({"control": True}, ", with control"), (None, "")):
        told = share if grant is None else {**share, "grant": grant}
        assert await say.happens("session:s_1", "share.changed", **told) == [
            f"session 1: the screen share is negotiating{said} (by customer)"
        ]
    assert await say.happens("session:s_1", "share.changed", **share, asks=["control"]) == [
        "session 1: the customer is asked for control"
    ]


async def test_a_customer_asks_waits_is_served_and_shares(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    assert await say.settle() == ["Help. help lists the commands.", "  bo         Bo"]
    assert await say.type("ask") == ["! ask TEXT: this portal wants to know your question"]
    assert await say.type("end") == ["! there is nothing to end"]
    assert await say.type("position") == ["You have not asked yet."]
    assert await say.type("ask It hums") == ["You have asked already."]
    assert await say.happens("me", "request.created", **REQUEST) == ["You have asked. Somebody will come."]
    notice = Notice("me", "r_1", "queue.position", {"request": "r_1", "position": 120, "exact": False})
    await say.broker.peers[0].send(notice)
    assert await say.settle() == ["You are at place about 120."]
    assert await say.type("position") == ["You are at place about 120."]
    assigned = {"request": "r_1", "session": "s_1", "representative": "bo", "name": "Bo"}
    assert await say.happens("me", "request.assigned", **assigned) == ["Bo is here."]
    assert await say.type("position") == ["You are being served."]
    held = {"session": "s_1", "until": 1, "who": "representative"}
    assert "reconnecting" in (await say.happens("session:s_1", "session.held", **held))[0]
    share = {"share": "h_1", "session": "s_1", "by": "representative"}
    assert await say.type("yes") == ["! nobody asks to see your screen"]
    assert "yes or no" in (await say.happens("session:s_1", "share.changed", **share, state="requested"))[0]
    await say.type("yes")
    assert "Sure?" in (await say.happens("session:s_1", "share.changed", **share, state="accepted"))[0]
    await say.type("yes")
    await say.happens("session:s_1", "share.changed", **share, state="active")
    assert await say.type("yes") == ["! nobody asks to see your screen"]
    for answer in ("yes", "no"):
        asks = await say.happens("session:s_1", "share.changed", **share, state="active", asks=["control"])
        assert "control your machine" in asks[0]
        await say.type(answer)
    await say.happens("session:s_1", "share.changed", **share, state="active")
    await say.type("no")
    assert await say.type("end") == [END]
    await say.type("yes")
    assert await say.happens("me", "request.ended", request="r_1", state="closed") == [OVER]
    assert await say.over() == []
    asked = [op for op, _ in say.asked]
    assert asked == [
        "portal.open",
        "request.create",
        "share.accept",
        "share.confirm",
        "share.started",
        "share.control",
        "share.control",
        "share.stop",
        "session.end",
    ]
    assert say.asked[1][1] == {"text": "It hums", "name": "Kim"}


async def test_a_customer_sees_place_and_wait_and_why_the_place_rose(
    autojump_clock: MockClock, customer: Table
) -> None:
    say = customer
    await say.settle()
    assert await say.placed(3, wait_ms=85_000) == ["You are at place 3. It will be about 2 minutes."]
    assert await say.placed(4, wait_ms=100_000, reason="priority") == [
        "You are at place 4: somebody whose request is urgent goes first. It will be about 2 minutes."
    ]
    assert await say.type("position") == ["You are at place 4. It will be about 2 minutes."]
    for reason, words in (
        ("sent_back", "somebody who came before you waits again"),
        ("moved_in", "others who came before you were moved to this line"),
        ("moved", "this is another line"),
        ("of a later version", "somebody who came before you waits again"),
    ):
        assert await say.placed(5, reason=reason) == [f"You are at place 5: {words}."]


async def test_a_customer_is_told_what_becomes_of_the_request(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()
    assert await say.type("request") == ["You have not asked yet."]
    await say.happens("me", "request.created", **REQUEST)
    assert await say.type("request") == ["r_1"]
    classified = {"request": "r_1", "class": "gold", "boost_ms": 120_000}
    assert await say.happens("me", "request.classified", **classified) == [
        "Your request is gold now: as if you had come 2 minutes earlier."
    ]
    classified = {"request": "r_1", "class": "normal", "boost_ms": 0}
    assert await say.happens("me", "request.classified", **classified) == ["Your request is an ordinary one again."]
    for on, why in (
        ("wait", "it took too long there"),
        ("length", "the line there is long"),
        ("staffing", "nobody is there"),
    ):
        moved = {"request": "r_1", "from": "orders", "to": "billing", "on": on}
        assert await say.happens("me", "request.moved", **moved) == [
            f"You wait in billing now and no longer in orders: {why}. Your wait so far counts."
        ]
    assert await say.happens("me", "request.ended", request="r_1", state="converted") == [
        "Nobody can help you now: your request has become a support request."
    ]
    assert await say.type("end") == ["! there is nothing to end"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({"opens": NOW}, f"Help (closed; opens {moment(NOW)}). help lists the commands."),
        ({}, "Help (closed). help lists the commands."),
        ({"mode": "web"}, "Help (closed: nobody is signed in). help lists the commands."),
    ],
)
async def test_a_customer_sees_whether_and_when_it_is_open(
    autojump_clock: MockClock, customer: Table, page: dict[str, object], said: str
) -> None:
    customer.values["portal.open"] = {**PORTAL, "open": False, "representatives": [], **page}
    assert await customer.settle() == [said]


@pytest.mark.parametrize(
    ("code", "detail", "said"),
    [
        (Code.WRONG_STATE, {"state": "closed", "opens": NOW}, f"! This is closed now; it opens {moment(NOW)}."),
        (Code.WRONG_STATE, {"state": "closed"}, "! This is closed now."),
        (Code.WRONG_STATE, {"state": "pin"}, "! request.create: no (2410)"),
        (Code.QUEUE_FULL, {"subportal": "s", "max_waiting": 50}, "! The line is full: 50 wait. Try again in a while."),
    ],
)
async def test_a_customer_who_can_not_ask_is_told_why(
    autojump_clock: MockClock, customer: Table, code: Code, detail: dict[str, object], said: str
) -> None:
    customer.refused["request.create"] = code, detail
    await customer.settle()
    assert await customer.type("ask It hums") == [said]


async def test_a_customer_may_say_what_the_helper_must_have(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    entrance = {"subportal": "s", "open": True, "skills": ["german", "chess"]}
    say.values["portal.open"] = {**PORTAL, "subportals": [entrance], "representatives": []}
    assert (await say.settle())[-1] == "You can ask for: german, chess. skills does."
    assert await say.type("skills dancing") == ["! dancing can't be asked for; there is german, chess"]
    assert await say.type("skills german chess") == ["Whoever helps will have german and chess."]
    await say.type("ask It hums")
    assert await say.type("skills") == ["Anybody may help."]
    await say.type("ask It howls")
    assert say.asked[1:] == [
        ("request.create", {"text": "It hums", "name": "Kim", "skills": ["german", "chess"]}),
        ("request.create", {"text": "It howls", "name": "Kim"}),
    ]


async def test_a_customer_of_a_portal_without_skills_can_ask_for_none(
    autojump_clock: MockClock, customer: Table
) -> None:
    await customer.settle()
    assert await customer.type("skills german") == ["! german can't be asked for; there is nothing"]


async def test_json_gives_refusals_ids_and_skills_as_they_are(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "customer", nursery, as_json=True)
        say.refused["request.create"] = Code.WRONG_STATE, {"state": "closed", "opens": NOW}
        await say.settle()
        (said,) = await say.type("ask It hums")
        assert json.loads(said) == {
            "command": "ask",
            "error": "request.create: no (2410)",
            "code": 2410,
            "detail": {"state": "closed", "opens": NOW},
        }
        assert [json.loads(line)["value"] for line in await say.type("request")] == [None]
        assert [json.loads(line)["value"] for line in await say.type("skills")] == [[]]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 seconds"),
        (5_000, "5 seconds"),
        (59_001, "1 minute"),
        (61_000, "2 minutes"),
        (5_400_000, "90 minutes"),
        (5_401_000, "2 hours"),
    ],
)
def test_a_duration_is_told_as_people_say_it(ms: int, said: str) -> None:
    assert lasting(ms) == said


async def test_a_customer_is_told_how_to_come_back(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    say.snapshots["me"] = {"requests": [{**REQUEST, "representative_name": None}]}
    assert (await say.settle())[-1] == "Your request is waiting."
    assert await say.type("pick bo") == []
    assert await say.type("pin 123456789") == []
    unplaced = {"request": "r_1", "representative": "bo", "reason": "declined", "broadcast": False}
    assert await say.happens("me", "request.unplaced", **unplaced) == ["bo won't come (declined): pick somebody else."]
    requeued = {"request": "r_1", "reason": "handed_back"}
    assert "you keep your place" in (await say.happens("me", "request.requeued", **requeued))[0]
    assert "--visitor v-token" in (await say.type("quit"))[-1]
    assert [op for op, _ in say.asked] == ["portal.open", "request.pick", "pin.redeem"]


async def test_a_lost_connection_and_a_gap_are_said(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()
    await say.broker.peers[0].send(Gap("me", 1, 4, "retention"))
    assert await say.settle() == ["! me: events 1 to 4 are gone (retention)"]
    await say.broker.peers[0].ws.aclose(4000)
    assert "the connection is lost" in (await say.settle())[0]
    await trio.sleep(1)
    assert "the connection is back" in await say.settle()


async def test_json_says_everything_one_object_a_line(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "representative", nursery, as_json=True)
        say.snapshots["me"] = {"presence": [PRESENCE]}
        first = [json.loads(line) for line in await say.settle()]
        assert first == [{"snapshot": {"presence": [PRESENCE]}, "stream": "me", "offset": 0}]
        event = Event("me", 1, "offer.made", 1_700_000_000_000, dict(OFFER))
        (said,) = await say.happens("me", "offer.made", **OFFER)
        assert json.loads(said) == {
            "event": event.type,
            "stream": "me",
            "offset": 1,
            "t_ms": event.t_ms,
            "data": event.data,
        }
        await say.type("accept 1")
        assert say.asked == [("offer.accept", {"offer": "o_1"})]
        (said,) = await say.type("accept 2")
        assert json.loads(said) == {
            "command": "accept",
            "error": "there is no offer 2",
            "code": None,
            "detail": None,
        }
        (said,) = await say.type("pin")
        assert json.loads(said)["value"]["pin"] == "123456789"
        (said,) = await say.type("status")
        assert json.loads(said)["value"]["presence"] == "offline"
        nursery.cancel_scope.cancel()


EVIL = "\x1b]0;owned\x07\r\nsession 9: you serve the boss\x9b2J\u202e\x7f"
COMMANDS = set(EVIL) - set("]0;owned\n 9: you serve the boss2Jsion")


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_customer_can_not_write_commands_to_the_representatives_terminal(
    autojump_clock: MockClock, broker: FakeBroker, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "representative", nursery, as_json=as_json, say=terminal._say)
        say.snapshots["me"] = {"presence": [PRESENCE], "sessions": [{**OFFER, "session": "s_1", "name": EVIL}]}
        await say.settle()
        await say.happens("me", "offer.made", **OFFER, text=EVIL, name=EVIL, deadline=2**45)
        nursery.cancel_scope.cancel()
    out = capsys.readouterr().out
    assert not COMMANDS & set(out)
    assert "owned" in out
    if as_json:
        assert json.loads(out.splitlines()[-1])["data"]["text"] == EVIL
    else:
        assert not any(line.startswith("session 9") for line in out.splitlines())


async def test_several_pins_are_a_line_each(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    await say.settle()
    pins = [{"id": f"p_{number}", "state": "live", "created": 1, "expires": 2} for number in (1, 2)]
    say.values["pin.list"] = {"pins": pins}
    assert await say.type("pins") == ["pin 1: live", "pin 2: live"]


@pytest.mark.parametrize(
    ("asked", "role", "says"),
    [
        ("representative", "manager", "this console is for representatives, but ann signed in as a manager"),
        ("representative", "customer", "this console is for representatives, but ann signed in as a customer"),
        ("customer", "representative", "this console is for customers, but ann signed in as a representative"),
        (None, "service", "there is no console for a service"),
    ],
)
async def test_the_wrong_console_is_said_in_one_line(
    autojump_clock: MockClock, broker: FakeBroker, asked: str | None, role: str, says: str
) -> None:
    async def lines() -> AsyncGenerator[str, None]:
        for line in ("available",):
            yield line

    broker.role = role
    said: list[str] = []
    args = argparse.Namespace(server="http://x", token="t", role=asked)
    with pytest.raises(terminal.WrongConsoleError, match=says):
        await terminal.console(args, lines(), said.append, settings=lambda changed: settings(broker))
    assert said == []


def test_a_number_is_never_given_twice() -> None:
    numbers = Numbers("offer")
    assert [numbers.add("a"), numbers.add("b"), numbers.add("a")] == [1, 2, 1]
    assert numbers.drop("a") == 1
    assert numbers.drop("a") is None
    assert numbers.add("a") == 3
    with pytest.raises(InputError, match="there is 2, 3"):
        numbers.find("")
    assert numbers.find("2") == "b"
