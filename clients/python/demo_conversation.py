"""The demo's stories of what is said: a live chat with a screen share and the case that remains, and a question that is
answered by e-mail. They follow the help page on managing cases, step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from clients.python.demo_stage import Actor, Stage, must
from clients.python.demo_stories import NAMES, Story, look
from clients.python.errors import WrongState
from clients.python.roles import Customer, Representative

SUBPORTAL: Final = "chat"
CASES: Final = f"cases:{SUBPORTAL}"


async def conversation(stage: Stage) -> None:
    """web chat: written while waiting, taken by hand, a screen shared and given back, a case resolved and deleted."""
    async with stage.representative("ann") as ann, stage.representative("bo") as bo, stage.customer("chat") as kim:
        await ann.follow(CASES)
        await bo.follow(CASES)
        asked = await kim.does.ask(name="Kim Kale", email="kim@example.org")
        session = str(asked.session)
        await kim.follow(session_stream(session), 0)
        must("the number of what kim writes", 1, await kim.does.say(session, "My printer prints nothing."))
        case = await _rings(stage, ann, str(asked.request))
        await _taken(stage, ann, bo, kim, case, str(asked.request))
        await _talk(stage, ann, kim, session)
        await _share(stage, ann, kim, session)
        await kim.does.end(session)
        await kim.eyes.event("session.ended", session=session, reason="customer")
        await _kept(stage, kim, session)
        await _closed(stage, ann, case)


async def _rings(stage: Stage, ann: Actor[Representative], request: str) -> str:
    """A new case is in the list, unassigned and unread; opening the list clears the dot."""
    opened = await ann.eyes.event("case.opened", request=request)
    case, listed = str(opened.data["case"]), cast("int", opened.data["listed"])
    stage.tell("ann", f"hears it ring: case {opened.data['number']}, {opened.data['status']}")
    await ann.eyes.event("case.changed", case=case, text="My printer prints nothing.")
    must("unread cases to ann", True, await _unread(stage, ann))
    await ann.does.seen(listed)
    must("unread cases once she looked", False, await _unread(stage, ann))
    return case


async def _unread(stage: Stage, who: Actor[Representative]) -> object:
    """Whether the red dot shows, on any device."""
    shown = await look(stage, who)
    return cast("list[Mapping[str, object]]", shown.data["presence"])[0]["unread"]


async def _taken(
    stage: Stage, ann: Actor[Representative], bo: Actor[Representative], kim: Actor[Customer], case: str, request: str
) -> None:
    """Assigned to herself: her customer is told, everybody's list says so, and nobody else has it."""
    await ann.does.take(request)
    joined = await kim.eyes.event("session.joined", role="lead")
    stage.tell("kim", f"is told that {joined.data['name']} joined")
    must("who joined", NAMES["ann"], joined.data["name"])
    changed = await bo.eyes.event("case.changed", case=case, status="assigned")
    must("who has it, to bo", "ann", changed.data["representative"])
    try:
        await bo.does.take(request)
    except WrongState:
        stage.tell("bo", "cannot take it any more")
    else:
        must("a second one who takes it", "refused", "taken")


async def _talk(stage: Stage, ann: Actor[Representative], kim: Actor[Customer], session: str) -> None:
    await ann.follow(session_stream(session), 0)
    first = await ann.eyes.event("chat.message", message_seq=1)
    must("what ann reads from before she came", "My printer prints nothing.", first.data["text"])
    await ann.does.typing(session)
    await kim.eyes.notice("chat.typing", by="ann", on=True)
    must("the number of ann's answer", 2, await ann.does.say(session, "Let me have a look at it."))
    answer = await kim.eyes.event("chat.message", message_seq=2)
    stage.tell("kim", f"reads: {answer.data['text']}")
    await kim.does.has_read(session, 2)
    await ann.eyes.notice("chat.read", upto=2)
    await ann.does.note(session, "Has asked before.")


async def _share(stage: Stage, ann: Actor[Representative], kim: Actor[Customer], session: str) -> None:
    """Two consents, then signals; it ends by itself, and the chat goes on."""
    share = await ann.does.request_share(session)
    await kim.eyes.event("share.changed", share=share, state="requested")
    await kim.does.accept_share(share)
    await kim.does.confirm_share(share)
    agreed = await ann.eyes.event("share.changed", share=share, state="negotiating")
    grant = cast("Mapping[str, object]", agreed.data["grant"])
    must("what kim agreed to", (True, False), (grant["view"], grant["control"]))
    media = await ann.does.join_share(share)
    must("how the picture comes", "webrtc", media.backend)
    await ann.does.share_started(share)
    await kim.eyes.event("share.changed", share=share, state="active")
    stage.tell("ann", "sees kim's screen")
    await kim.does.stop_share(share)
    await ann.eyes.event("share.changed", share=share, state="ended", by="customer")
    must("the number of the next message", 3, await ann.does.say(session, "It is the cable."))


async def _kept(stage: Stage, kim: Actor[Customer], session: str) -> None:
    """After the end nothing is said, and all that was said can be had."""
    try:
        await kim.does.say(session, "And now?")
    except WrongState as refused:
        must("the state of what is over", "ended", refused.detail["state"])
    else:
        must("a message after the end", "refused", "stored")
    await kim.does.rate(session, 5, "Quick.")
    transcript = json.loads(await kim.does.transcript(session, "json"))
    said = [entry["text"] for entry in transcript["entries"] if entry["kind"] == "message"]
    stage.tell("kim", f"saves {len(said)} messages")
    must("what kim saves", ["My printer prints nothing.", "Let me have a look at it.", "It is the cable."], said)


async def _closed(stage: Stage, ann: Actor[Representative], case: str) -> None:
    """The case stays until it is resolved; reopened it is hers again; a manager erases it."""
    must("the case once the chat is over", ("assigned", "ann"), await _state(ann, case))
    await ann.does.resolve(case)
    must("the case once it is resolved", "resolved", (await ann.does.case(case)).status)
    moved = await ann.does.reopen(case)
    must("the case once it is reopened", ("assigned", "ann"), await _state(ann, case))
    await ann.does.resolve(case, version=moved.version)
    async with stage.manager() as mia:
        before = await mia.does.case(case)
        must("the name that mia reads", "Kim Kale", before.name)
        await mia.does.delete_case(case)
    await ann.eyes.event("case.deleted", case=case, reason="deleted")
    stage.tell("ann", "sees it gone for good")


async def _state(ann: Actor[Representative], case: str) -> tuple[str, str | None]:
    found = await ann.does.case(case)
    return found.status, found.representative


async def support_request(stage: Stage) -> None:
    """web chat: a customer stops waiting and leaves a question, which somebody answers later."""
    async with stage.representative("ann") as ann, stage.customer("chat", name="lea") as lea:
        await ann.follow(CASES)
        asked = await lea.does.ask(name="Lea Linden")
        await lea.does.say(str(asked.session), "Is anybody there?")
        await ann.eyes.event("case.opened", request=asked.request)
        left = await lea.does.convert(str(asked.request), text="Where is my order?", email="lea@example.org")
        stage.tell("lea", "stops waiting, and leaves her question")
        grey = await ann.eyes.event("case.changed", case=left.case, reason="converted")
        must("the kind of case she left", "support_request", grey.data["type"])
        must("the case once she stopped waiting", "unassigned", grey.data["status"])
        await lea.eyes.event("request.ended", state="converted")
        await ann.does.take_case(left.case)
        case = await ann.does.case(left.case)
        stage.tell("ann", f"takes it, and reads the address {case.email}")
        must("what ann can answer", ("Where is my order?", "lea@example.org"), (case.question, case.email))
        must("its clock", "request", case.clock.kind)
        await ann.does.resolve(left.case)
        must("the case in the end", "resolved", (await ann.does.case(left.case)).status)


def session_stream(session: str) -> str:
    """Where what is said there is told."""
    return f"session:{session}"


CONVERSATIONS: Final[tuple[Story, ...]] = (conversation, support_request)
