"""Entry tokens (A13): what the page that embeds a portal says goes with the requests of its visitors."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from broker.codes import Close
from broker.identity.tokens import Entry
from tests.runtime.harness import SIGNER, Broker, Ended, broker

PAGE = "https://shop.example.org/pay"
GOOD = Entry(
    account="acme", portal="help", expires=2**50, page=PAGE, language="de", class_="gold", skills=("tax", "law")
)


async def shop(b: Broker) -> None:
    """The portal ``help`` with a class, a skill that can be asked for, and texts in two languages."""
    boss = await b.staff("boss", "manager")
    await boss.write(
        "portal.put",
        portal="help",
        kind="button",
        mode="queue",
        subportals=["help-1"],
        classes=[{"class": "gold", "boost_ms": 60_000}],
        texts={"en": {"welcome": "Hello"}, "de": {"welcome": "Hallo"}, "fr": {"welcome": "Salut"}},
    )
    await boss.write("subportal.put", subportal="help-1", skills=[{"skill": "tax", "level": 1, "asked": True}])
    await boss.write(
        "representative.put",
        representative="ann",
        name="Ann",
        team="t1",
        capacity=3,
        skills=[{"skill": "tax", "level": 5}],
    )


def auth(claims: Entry = GOOD, portal: str = "acme/help") -> dict[str, Any]:
    return {"portal": portal, "entry": SIGNER.sign(claims)}


async def test_A13_what_the_page_says_goes_with_the_request(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await shop(b)
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        await ann.ask("subscribe", stream="me", from_="now")
        kim = await b.connect(auth())
        opened = await kim.ask("portal.open")
        assert (opened["language"], opened["texts"]) == ("de", {"welcome": "Hallo"})
        assert (await kim.ask("portal.open", language="fr"))["language"] == "fr"
        asked = await kim.write("request.create", page="https://forged.example.org")
        offer = await ann.event("offer.made")
        assert offer.data["page"] == PAGE  # signed: it goes before what the customer says
        request = b.hub.accounts["acme"].desk.state.requests[asked["request"]]
        assert (request.class_, request.boost, request.asked) == ("gold", 60_000, ("tax",))  # law isn't asked for here
        await ann.write("offer.accept", offer=offer.data["offer"])
        assert (await ann.event("session.opened")).data["page"] == PAGE


async def test_A13_who_is_of_the_class_stands_before_others_at_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await shop(b)
        plain = await b.customer()
        first = await plain.write("request.create", page=PAGE)
        gold = await b.connect(auth())
        second = await gold.write("request.create")
        desk = b.hub.accounts["acme"].desk
        assert [name for name, _, _ in desk.positions("help-1", 1, 2)] == [second["request"], first["request"]]


async def test_A13_an_entry_token_may_be_used_again_and_again_until_it_expires(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await shop(b)
        people = [(await b.connect(auth())).welcome for _ in range(3)]
        assert len({str(welcome.identity["person"]) for welcome in people if welcome is not None}) == 3


@pytest.mark.parametrize(
    ("claims", "portal", "why"),
    [
        (attrs.evolve(GOOD, expires=1), "acme/help", "the entry token's time is over: load the page again"),
        (attrs.evolve(GOOD, portal="ask"), "acme/help", "an entry token of another portal"),
        (attrs.evolve(GOOD, account="other"), "acme/help", "an entry token of another portal"),
        (GOOD, "acme/ask", "an entry token of another portal"),
        (attrs.evolve(GOOD, class_="lead"), "acme/help", "the entry token's class lead is none of the portal's"),
    ],
)
async def test_A13_an_entry_token_that_is_not_for_this_is_refused(
    autojump_clock: MockClock, claims: Entry, portal: str, why: str
) -> None:
    async with broker() as b:
        await shop(b)
        with pytest.raises(Ended) as end:
            await b.connect(auth(claims, portal))
        assert (end.value.code, end.value.goodbye and end.value.goodbye.text) == (Close.BAD_AUTH, why)


async def test_A13_another_kind_of_token_or_a_forged_one_is_no_entry(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await shop(b)
        for text in (b.token("acme", "ann", "representative"), SIGNER.sign(GOOD)[:-2] + "xx", "entry"):
            with pytest.raises(Ended) as end:
                await b.connect({"portal": "acme/help", "entry": text})
            assert end.value.code == Close.BAD_AUTH


async def test_A13_an_entry_goes_with_a_portal_only(autojump_clock: MockClock) -> None:
    async with broker() as b:
        with pytest.raises(Ended) as end:
            await b.connect({"token": b.token("acme", "ann", "representative"), "entry": SIGNER.sign(GOOD)})
        assert end.value.code == Close.PROTOCOL
