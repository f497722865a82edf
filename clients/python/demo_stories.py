"""The demo's stories: each plays one thing that people do, and holds what everybody saw against what must be.

A story tells who saw what as it goes (``stage.tell``) and raises ``DiffersError`` at the first difference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, cast

import trio

from clients.python.client import open_client
from clients.python.connection import Address, dial
from clients.python.demo_stage import ACCOUNT, Actor, Stage, must
from clients.python.errors import OfferGone, PinInvalid
from clients.python.following import View
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth, Settings

NAMES: Final = {"ann": "Ann Alder", "bo": "Bo Birch", "cem": "Cem Cedar"}
QUICK_MS: Final = 2000  # how long an offer of the portal "quick" stands

Story = Callable[[Stage], Awaitable[None]]


async def pick(stage: Stage) -> None:
    """web, pick: the customer chooses whom to talk to."""
    async with stage.representative("ann") as ann, stage.representative("bo") as bo, stage.customer("pick") as kim:
        page = await kim.does.open_portal()
        shown = {each.representative for each in page.representatives}
        stage.tell("kim", f"can choose among {', '.join(sorted(shown))}")
        must("ann and bo can be picked", {"ann", "bo"}, shown & {"ann", "bo"})
        asked = await kim.does.ask(representative="bo", name="Kim")
        offer = await bo.eyes.event("offer.made", request=asked.request, kind="direct")
        stage.tell("bo", f"is asked for by {offer.data['name']}")
        await serve(stage, bo, kim, asked.request, str(offer.data["offer"]))
        must("offers ann was made", 0, len(ann.eyes.events("offer.made")))
        await hang_up(stage, kim, bo, str(asked.session))


async def ask(stage: Stage) -> None:
    """web, ask: a question is shown to everyone signed in; the first to answer has it."""
    await _broadcast(stage, "ask", "ask-orders", "Where is my parcel?")


async def button(stage: Stage) -> None:
    """web, button: the same without a word."""
    await _broadcast(stage, "button", "button", None)


async def _broadcast(stage: Stage, portal: str, subportal: str, text: str | None) -> None:
    async with stage.representative("ann") as ann, stage.representative("bo") as bo, stage.customer(portal) as kim:
        for actor in (ann, bo):
            await actor.follow(f"subportal:{subportal}")
        asked = await kim.does.ask(text, name="Kim")
        offers = [await actor.eyes.event("offer.made", request=asked.request) for actor in (ann, bo)]
        for actor, offer in zip((ann, bo), offers, strict=True):
            stage.tell(actor.name, f"sees {offer.data['name']} ask: {offer.data.get('text', '(pressed the button)')}")
            must("the text shown", text, offer.data.get("text"))
        await serve(stage, ann, kim, asked.request, str(offers[0].data["offer"]))
        gone = await bo.eyes.event("offer.ended", request=asked.request)
        stage.tell("bo", f"sees it go to {gone.data['representative']}")
        must("who has it, to bo", ("rescinded", "ann"), (gone.data["reason"], gone.data["representative"]))
        await hang_up(stage, kim, ann, str(asked.session))


async def pin(stage: Stage) -> None:
    """phone, pin: nine digits told on the phone connect one customer to one representative, once."""
    async with stage.representative("ann") as ann, stage.customer("pin") as kim:
        made = await ann.does.create_pin()
        digits = str(made.pin)
        stage.tell("ann", f"tells the pin {digits[:3]} {digits[3:6]} {digits[6:]}")
        must("digits", 9, len(digits))
        await _redeemed(stage, ann, kim, f"{digits[:3]} {digits[3:6]} {digits[6:]}")
        states = {each.id: each.state for each in await ann.does.pins()}
        must("the pin's state to ann", "used", states[made.id])
        async with stage.customer("pin", name="lea") as lea:
            try:
                await lea.does.redeem(digits)
            except PinInvalid:
                stage.tell("lea", "cannot use the same pin")
            else:
                must("a second use of the pin", "refused", "taken")


async def global_pin(stage: Stage) -> None:
    """phone, global pin: the same at the entrance of the whole installation, which knows whose pin it is."""
    async with stage.representative("ann") as ann:
        digits = str((await ann.does.create_pin()).pin)
        stage.tell("ann", f"tells the pin {digits}")
        async with stage.customer("global-pin", auth=Auth(pin=digits)) as kim:
            must("the account the pin leads to", ACCOUNT, kim.does.identity.account)
            await _redeemed(stage, ann, kim, digits)
        digits = str((await ann.does.create_pin()).pin)
        async with stage.customer("global-pin", name="lea") as lea:
            await _redeemed(stage, ann, lea, digits)


async def _redeemed(stage: Stage, ann: Actor[Representative], kim: Actor[Customer], digits: str) -> None:
    redeemed = await kim.does.redeem(digits, name="Kim")
    stage.tell(kim.name, f"is connected to {redeemed.name}")
    must("whom the pin leads to", ("ann", NAMES["ann"]), (redeemed.representative, redeemed.name))
    opened = await ann.eyes.event("session.opened", session=redeemed.session)
    stage.tell("ann", f"has {opened.data['name']} on the line")
    await hang_up(stage, kim, ann, redeemed.session)


async def queue_ask(stage: Stage) -> None:
    """queue, ask: customers wait in a line, see their places, and are handed out in the order they came."""
    async with (
        stage.representative("ann", presence="away") as ann,
        stage.customer("queue-ask") as kim,
        stage.customer("queue-ask", name="lea") as lea,
    ):
        first = await kim.does.ask("The lamp blinks", name="Kim")
        second = await lea.does.ask("The lamp is dark", name="Lea")
        for actor, asked, place in ((kim, first, 1), (lea, second, 2)):
            notice = await actor.eyes.notice("queue.position", request=asked.request)
            stage.tell(actor.name, f"waits at place {notice.data['position']}")
            must(f"the place of {actor.name}", place, notice.data["position"])
        await ann.does.set_presence("available")
        offers = [await ann.eyes.event("offer.made", request=asked.request) for asked in (first, second)]
        must("who is offered first", True, offers[0].offset < offers[1].offset)
        stage.tell("ann", f"is offered {offers[0].data['name']}, then {offers[1].data['name']}")
        for actor, asked, offer in ((kim, first, offers[0]), (lea, second, offers[1])):
            await serve(stage, ann, actor, asked.request, str(offer.data["offer"]))
            await hang_up(stage, actor, ann, str(asked.session))


async def queue_button(stage: Stage) -> None:
    """queue, button: the same line, without a word."""
    async with stage.representative("ann") as ann, stage.customer("queue-button") as kim:
        asked = await kim.does.ask(name="Kim")
        offer = await ann.eyes.event("offer.made", request=asked.request, kind="queue")
        stage.tell("ann", f"is offered {offer.data['name']}, who pressed the button")
        await serve(stage, ann, kim, asked.request, str(offer.data["offer"]))
        await hang_up(stage, kim, ann, str(asked.session))


async def race(stage: Stage) -> None:
    """Three representatives accept one request in the same instant: one has it, two are told who."""
    async with (
        stage.representative("ann") as ann,
        stage.representative("bo") as bo,
        stage.representative("cem") as cem,
        stage.customer("ask") as kim,
    ):
        racers = (ann, bo, cem)
        for actor in racers:
            await actor.follow("subportal:ask-returns")
        asked = await kim.does.ask("May I send it back?", subportal="ask-returns", name="Kim")
        offers = [await actor.eyes.event("offer.made", request=asked.request) for actor in racers]
        winners: list[str] = []
        losers: dict[str, str | None] = {}

        async def accept(actor: Actor[Representative], offer: str) -> None:
            try:
                await actor.does.accept(offer)
                winners.append(actor.name)
                stage.tell(actor.name, "has it")
            except OfferGone as gone:
                losers[actor.name] = gone.winner if gone.reason == "taken" else gone.reason
                stage.tell(actor.name, f"is too late: {gone.winner} has it")

        async with trio.open_nursery() as nursery:
            for actor, offer in zip(racers, offers, strict=True):
                nursery.start_soon(accept, actor, str(offer.data["offer"]))
        must("winners", 1, len(winners))
        must("what the losers are told", {NAMES[winners[0]]}, set(losers.values()))
        must("losers", 2, len(losers))
        assigned = await kim.eyes.event("request.assigned", request=asked.request)
        stage.tell("kim", f"is served by {assigned.data['name']}")
        must("who serves the customer", winners[0], assigned.data["representative"])
        winner = next(actor for actor in racers if actor.name == winners[0])
        await hang_up(stage, kim, winner, str(asked.session))
        must("assignments the customer was told of", 1, len(kim.eyes.events("request.assigned")))


async def timeout(stage: Stage) -> None:
    """An offer that nobody answers runs out and moves on; a late yes is refused."""
    async with stage.representative("ann") as ann, stage.representative("bo") as bo, stage.customer("quick") as kim:
        asked = await kim.does.ask("Is anybody there?", name="Kim")
        first, second = await _first_offered((ann, bo), asked.request)
        offer = await first.eyes.event("offer.made", request=asked.request)
        stage.tell(first.name, f"is offered {offer.data['name']}, and does nothing")
        ended = await first.eyes.event("offer.ended", offer=offer.data["offer"])
        stage.tell(first.name, f"sees the offer end: {ended.data['reason']}")
        must("how the offer ended", "expired", ended.data["reason"])
        must("when it ended", True, ended.t_ms >= offer.t_ms + QUICK_MS)
        again = await second.eyes.event("offer.made", request=asked.request)
        stage.tell(second.name, "is offered it next")
        must("the next offer's time", ended.t_ms, again.t_ms)
        try:
            await first.does.accept(str(offer.data["offer"]))
        except OfferGone as gone:
            stage.tell(first.name, f"says yes too late: {gone.reason}")
            must("why the late yes is refused", "expired", gone.reason)
        else:
            must("a late yes", "refused", "accepted")
        await serve(stage, second, kim, asked.request, str(again.data["offer"]))
        await hang_up(stage, kim, second, str(asked.session))


async def _first_offered(
    actors: tuple[Actor[Representative], Actor[Representative]], request: str
) -> tuple[Actor[Representative], Actor[Representative]]:
    """(who has the offer, the other one)."""
    found: list[Actor[Representative]] = []

    async with trio.open_nursery() as nursery:

        async def look(actor: Actor[Representative]) -> None:
            await actor.eyes.event("offer.made", request=request)
            found.append(actor)
            nursery.cancel_scope.cancel()

        for actor in actors:
            nursery.start_soon(look, actor)
    return (actors[0], actors[1]) if found[0] is actors[0] else (actors[1], actors[0])


async def cable(stage: Stage) -> None:
    """A cable is pulled: the offer moves on, the customer is told, the representative comes back to its session."""
    gate = trio.Event()
    gate.set()

    async def through_gate(address: Address) -> trio.abc.Stream:
        await gate.wait()  # until then the cable is out
        return await dial(address)

    settings = Settings(dial=through_gate)
    async with (
        stage.representative("ann", settings=settings) as ann,
        stage.representative("bo", presence="away") as bo,
        stage.customer("queue-ask") as kim,
        stage.customer("queue-ask", name="lea") as lea,
    ):
        first = await kim.does.ask("It hums", name="Kim")
        offer = await ann.eyes.event("offer.made", request=first.request)
        await serve(stage, ann, kim, first.request, str(offer.data["offer"]))
        session = str(first.session)
        await kim.follow(f"session:{session}", 0)
        second = await lea.does.ask("It howls", name="Lea")
        pending = await ann.eyes.event("offer.made", request=second.request)
        await bo.does.set_presence("available")

        gate = trio.Event()
        await ann.does.client.cut()
        held = await kim.eyes.event("session.held", session=session, who="representative")
        seconds = (cast("int", held.data["until"]) - held.t_ms) // 1000
        stage.tell("kim", f"sees that ann is reconnecting, her place kept for {seconds} s")
        moved = await bo.eyes.event("offer.made", request=second.request)
        stage.tell("bo", "is offered what ann was offered")
        must("the request's age", pending.data["arrived"], moved.data["arrived"])

        gate.set()
        await kim.eyes.event("session.resumed", session=session, who="representative")
        stage.tell("kim", "sees ann come back")
        gone = await ann.eyes.event("offer.ended", offer=pending.data["offer"])
        stage.tell("ann", f"learns that the offer is {gone.data['reason']}")
        must("how ann's offer ended", "gone", gone.data["reason"])
        view = await look(stage, ann)
        must("ann's sessions", [session], [each["session"] for each in view.data["sessions"]])  # type: ignore[index]
        stage.tell("ann", "is in the same session")
        offsets = [item.offset for item in ann.eyes.items if hasattr(item, "offset")]
        must("what ann saw", list(range(offsets[0], offsets[0] + len(offsets))), offsets)
        await serve(stage, bo, lea, second.request, str(moved.data["offer"]))
        await hang_up(stage, lea, bo, str(second.session))
        await hang_up(stage, kim, ann, session)


async def look(stage: Stage, who: Actor[Representative]) -> View:
    """A representative's own state, seen from a second device."""
    async with (
        open_client(stage.url, Auth(token=stage.tokens[who.name]), Representative) as device,
        device.subscribe("me", "snapshot") as me,
    ):
        async for item in me:
            if isinstance(item, View):
                return item
    raise AssertionError("a subscription ends only by an error")


async def serve(stage: Stage, who: Actor[Representative], customer: Actor[Customer], request: str, offer: str) -> None:
    """A representative accepts; both sides are told."""
    accepted = await who.does.accept(offer)
    must("the request accepted", request, accepted.request)
    await who.eyes.event("session.opened", session=accepted.session)
    assigned = await customer.eyes.event("request.assigned", request=request)
    stage.tell(customer.name, f"is served by {assigned.data['name']}")
    must(
        "whom the customer sees", (who.name, NAMES[who.name]), (assigned.data["representative"], assigned.data["name"])
    )


async def hang_up(stage: Stage, customer: Actor[Customer], who: Actor[Representative], session: str) -> None:
    """The customer ends the conversation; both sides are told."""
    await customer.does.end(session)
    ended = await who.eyes.event("session.ended", session=session)
    over = await customer.eyes.event("request.ended", request=f"r_{session[2:]}")
    stage.tell(who.name, f"sees {customer.name} leave")
    must("who ended it", "customer", ended.data["reason"])
    must("how the request ended", "closed", over.data["state"])


STORIES: Final[tuple[Story, ...]] = (
    pick,
    ask,
    button,
    pin,
    global_pin,
    queue_ask,
    queue_button,
    race,
    timeout,
    cable,
)
