"""The demo's stories of what routing can be told: who comes first, who takes what by hand, and work after a session.

As ``demo_stories``, on portals of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from clients.python.answers import Asked
from clients.python.demo_stage import Actor, DiffersError, Stage, must
from clients.python.demo_stories import Story, hang_up, serve
from clients.python.errors import NoSuch, Refused, WrongState
from clients.python.role import Role
from clients.python.roles import Customer

A = TypeVar("A", bound=Role)

BOOST_MS: Final = 2000  # of the class gold
WRAP_UP_MS: Final = 60_000  # of the portal wrap-up


async def classes(stage: Stage) -> None:
    """A gold request goes ahead, but no further than its boost reaches; who is overtaken is told why."""
    async with (
        stage.service() as robot,
        stage.manager() as mia,
        stage.representative("ann", presence="away") as ann,
        stage.customer("classes") as kim,
        stage.customer("classes", name="lea") as lea,
        stage.customer("classes", name="max") as gold,
    ):
        first = await _ask(kim)
        await trio.sleep((BOOST_MS + 500) / 1000)  # so that kim is out of its reach, and lea, who comes now, within it
        second, third = await _ask(lea), await _ask(gold)
        for place, (actor, asked) in enumerate(((kim, first), (lea, second), (gold, third)), 1):
            await _placed(stage, actor, asked, place)
        await robot.does.classify(third.request, "gold")
        stage.tell("robot", f"knows max, and says that max is gold: as if {BOOST_MS / 1000:g} s earlier")
        told = await gold.eyes.event("request.classified", request=third.request)
        must("what max is told", ("gold", BOOST_MS), (told.data["class"], told.data["boost_ms"]))
        ahead = await gold.eyes.notice("queue.position", position=2)
        stage.tell("max", f"is at place {ahead.data['position']} now")
        overtaken = await lea.eyes.notice("queue.position", position=3)
        stage.tell("lea", f"is at place {overtaken.data['position']}, and told why: {overtaken.data.get('reason')}")
        must("why lea's place rose", "priority", overtaken.data.get("reason"))
        places = [item.data["position"] for item in kim.eyes.notices("queue.position")]
        must("the places that kim was told", {1}, set(places))
        await ann.does.set_presence("available")
        for actor, asked in ((kim, first), (gold, third), (lea, second)):
            offer = await ann.eyes.event("offer.made", request=asked.request)
            await serve(stage, ann, actor, asked.request, str(offer.data["offer"]))
            await hang_up(stage, actor, ann, str(asked.session))
        offered = [event.data["request"] for event in ann.eyes.events("offer.made")]
        must("the order of offers", [first.request, third.request, second.request], offered)
        (decision,) = await mia.does.why(third.request)
        stage.tell("mia", f"asks why: {decision.rule} chose {decision.representative} for {decision.told['class']}")
        must("for whom and why", ("ann", "gold"), (decision.representative, decision.told["class"]))


async def by_hand(stage: Stage) -> None:
    """One request is taken by hand, before its turn; another is given by the manager; neither is anybody else's."""
    async with (
        stage.manager() as mia,
        stage.representative("ann", presence="away") as ann,
        stage.representative("bo", presence="away") as bo,
        stage.customer("by-hand") as kim,
        stage.customer("by-hand", name="lea") as lea,
    ):
        first, second = await _ask(kim), await _ask(lea)
        for place, (actor, asked) in enumerate(((kim, first), (lea, second)), 1):
            await _placed(stage, actor, asked, place)
        mine = await ann.does.take(second.request)
        must("the session that ann has", second.session, mine.session)
        assigned = await lea.eyes.event("request.assigned", request=second.request)
        stage.tell("lea", f"is served by {assigned.data['name']}, who took her by hand")
        must("how lea was assigned", ("ann", "taken"), (assigned.data["representative"], assigned.data["kind"]))
        await _refused(stage, bo, "take what ann has", lambda: bo.does.take(second.request))
        await mia.does.assign(first.request, "bo")
        assigned = await kim.eyes.event("request.assigned", request=first.request)
        stage.tell("kim", f"is served by {assigned.data['name']}, to whom mia gave her")
        must("how kim was assigned", ("bo", "given"), (assigned.data["representative"], assigned.data["kind"]))
        await bo.eyes.event("session.opened", session=str(first.session))
        await mia.eyes.event("request.assigned", request=first.request, kind="given")
        await _refused(stage, mia, "give it to ann as well", lambda: mia.does.assign(first.request, "ann"))
        for actor, who, asked in ((kim, bo, first), (lea, ann, second)):
            must(f"offers that {who.name} was made", 0, len(who.eyes.events("offer.made")))
            await hang_up(stage, actor, who, str(asked.session))


async def wrap_up(stage: Stage) -> None:
    """After a session its places stay taken until its representative is done; only then the next one is offered."""
    async with (
        stage.representative("ann") as ann,
        stage.customer("wrap-up") as kim,
        stage.customer("wrap-up", name="lea") as lea,
    ):
        first = await _ask(kim)
        offer = await ann.eyes.event("offer.made", request=first.request)
        await serve(stage, ann, kim, first.request, str(offer.data["offer"]))
        second = await _ask(lea)
        await _placed(stage, lea, second, 1)
        await hang_up(stage, kim, ann, str(first.session))
        over = await ann.eyes.event("session.ended", session=str(first.session))
        must("how long ann may write", over.t_ms + WRAP_UP_MS, over.data.get("wrap_up"))
        stage.tell("ann", f"has {WRAP_UP_MS // 1000} s to write the letter")
        await _refused(stage, ann, "take lea meanwhile", lambda: ann.does.take(second.request))
        await ann.does.end_wrap_up(str(first.session))
        done = await ann.eyes.event("wrap_up.ended", session=str(first.session))
        must("how it ended", "done", done.data["reason"])
        offer = await ann.eyes.event("offer.made", request=second.request)
        must("lea's offer came after that", True, offer.offset > done.offset)
        stage.tell("ann", f"is done, and offered {offer.data['name']}")
        await _refused(stage, ann, "be done twice", lambda: ann.does.end_wrap_up(str(first.session)), NoSuch)
        await serve(stage, ann, lea, second.request, str(offer.data["offer"]))
        await hang_up(stage, lea, ann, str(second.session))


async def _ask(customer: Actor[Customer]) -> Asked:
    return await customer.does.ask("It blinks", name=customer.name.capitalize())


async def _placed(stage: Stage, customer: Actor[Customer], asked: Asked, place: int) -> None:
    """Somebody is told a place."""
    notice = await customer.eyes.notice("queue.position", request=asked.request)
    stage.tell(customer.name, f"waits at place {notice.data['position']}")
    must(f"the place of {customer.name}", place, notice.data["position"])


async def _refused(
    stage: Stage,
    who: Actor[A],
    what: str,
    does: Callable[[], Awaitable[object]],
    why: type[Refused] = WrongState,
) -> None:
    try:
        await does()
    except why:
        stage.tell(who.name, f"can't {what}")
    else:
        raise DiffersError(f"{who.name} could {what}")


RULES: Final[tuple[Story, ...]] = (classes, by_hand, wrap_up)
