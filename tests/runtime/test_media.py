"""share.join over the hub: to both ends, with consent on disk, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest
from trio.testing import MockClock

from broker.codes import Code
from broker.identity.media import End, WebRtc
from broker.identity.secrecy import Secret
from broker.protocol import frames
from tests.runtime.harness import Broker, Client, Refused, broker


async def asked(b: Broker, *, control: bool | None = None) -> tuple[Client, Client, str]:
    """Ann has asked joe for his screen, and he has taken the first step."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    made = await joe.write("request.create", text="x")
    await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
    share = (await ann.write("share.request", session=made["session"], control=control))["share"]
    await joe.write("share.accept", share=share)
    return ann, joe, share


@attrs.define
class Telling:
    """A back-end that notes whom it told."""

    told: list[tuple[End, int]] = attrs.field(factory=list)

    def describe(self, end: End, now: int) -> Mapping[str, object]:
        """As ``Media``."""
        self.told.append((end, now))
        return {"backend": "link", "url": f"https://x.example/{end.side}", "until": now + 5}


async def test_each_end_is_told_of_its_own_media_and_the_grant(autojump_clock: MockClock) -> None:
    media = Telling()
    async with broker(media=media) as b:
        ann, joe, share = await asked(b)
        await joe.write("share.confirm", share=share)
        told = [await one.ask("share.join", share=share) for one in (ann, joe)]
        assert [one["url"] for one in told] == ["https://x.example/representative", "https://x.example/customer"]
        assert (
            told[0]["grant"]
            == told[1]["grant"]
            == {
                "view": True,
                "control": False,
                "functions": ["chat", "web_chat", "screen_share", "collaboration"],
            }
        )
        (end, now), _ = media.told
        assert (end.account, end.share, end.control) == ("acme", share, False)
        assert told[0]["until"] == now + 5


async def test_nobody_is_told_before_consent_and_nobody_else_after_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await asked(b)
        for one, allowed in ((ann, ["share.stop"]), (joe, ["share.confirm", "share.decline", "share.stop"])):
            with pytest.raises(Refused) as refused:
                await one.ask("share.join", share=share)
            assert refused.value.fail.code == Code.WRONG_STATE
            assert refused.value.fail.detail == {"state": "accepted", "allowed": allowed}
        await joe.write("share.confirm", share=share)
        bob, eve, boss = await b.staff("bob"), await b.customer(), await b.staff("boss", "manager")
        for stranger, code in ((bob, Code.NO_SUCH), (eve, Code.NO_SUCH), (boss, Code.NOT_ALLOWED)):
            with pytest.raises(Refused) as refused:
                await stranger.ask("share.join", share=share)
            assert refused.value.fail.code == code


async def test_the_answer_waits_until_consent_is_on_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await asked(b)
        b.journal.hold()
        joe.ask_nowait("share.confirm", "k1", share=share)
        await b.settle()
        number = ann.ask_nowait("share.join", share=share)
        await b.settle()
        assert [frame for frame in ann.pump() if isinstance(frame, frames.Result)] == []
        b.journal.release()
        await ann.answer(number)


async def test_a_journal_that_fails_takes_the_answer_with_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await asked(b)
        b.journal.hold()
        joe.ask_nowait("share.confirm", "k1", share=share)
        await b.settle()
        number = ann.ask_nowait("share.join", share=share)
        await b.settle()
        b.journal.fail_next()
        b.journal.release()
        with pytest.raises(Refused) as refused:
            await ann.answer(number)
        assert refused.value.fail.code in (Code.JOURNAL_DOWN, Code.UNKNOWN_OUTCOME)


@pytest.mark.parametrize("view_only", [False, True])
async def test_a_guest_is_told_of_its_own_media_and_its_leg(autojump_clock: MockClock, *, view_only: bool) -> None:
    media = Telling()
    async with broker(media=media) as b:
        boss = await b.staff("boss", "manager")
        portal = {"portal": "help", "kind": "button", "mode": "queue", "subportals": ["help-1"]}
        await boss.write("portal.put", **portal, functions={"control": True})
        ann, joe, share = await asked(b, control=True)
        await joe.write("share.confirm", share=share, control=True)
        bob = await b.staff("bob")
        await bob.ask("subscribe", stream="me", from_="now")
        await bob.write("presence.set", presence="available")
        session = f"s_{share[2:].partition('.')[0]}"
        await ann.write("session.invite", session=session, representative="bob", view_only=view_only)
        await bob.write("offer.accept", offer=(await bob.event("offer.made")).data["offer"])
        b.hub.conductor.paused = True
        with pytest.raises(Refused) as refused:
            await bob.ask("share.join", share=share)
        assert refused.value.fail.code == Code.JOURNAL_DOWN
        b.hub.conductor.paused = False
        told = await bob.ask("share.join", share=share)
        assert (told["url"], told["leg"]) == ("https://x.example/guest", f"{share}.1")
        ((end, _),) = media.told
        assert (end.share, end.side, end.leg, end.control) == (share, "guest", f"{share}.1", not view_only)
        assert told["grant"] == {"view": True, "control": not view_only, "functions": list(end.functions)}
        assert ("control" in end.functions) is not view_only
        assert "leg" not in await ann.ask("share.join", share=share)


# --- a restart of the customer's machine -----------------------------------------------------------------


async def restarting(b: Broker) -> tuple[Client, Client, str, str]:
    """Ann lets joe's machine restart; he has a telephone, which stays: it, and his token."""
    boss = await b.staff("boss", "manager")
    functions = {"control": True, "reboot": True}
    await boss.write("portal.put", portal="ask", kind="ask", mode="web", subportals=["ask-1"], functions=functions)
    ann = await b.staff("ann")
    await ann.write("presence.set", presence="available")
    await ann.ask("subscribe", stream="subportal:ask-1", from_="now")
    joe = await b.customer("acme/ask")
    made = await joe.write("request.create", text="x")
    await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
    await ann.ask("subscribe", stream=f"session:{made['session']}", from_="now")
    share = str((await ann.write("share.request", session=made["session"], control=True))["share"])
    await joe.write("share.accept", share=share)
    await joe.write("share.confirm", share=share, control=True)
    await joe.ask("share.join", share=share)
    assert joe.welcome is not None
    visitor = str(joe.welcome.identity["visitor"])
    telephone = await b.customer("acme/ask", visitor)
    await ann.write("share.reboot", share=share)
    joe.cut()
    await b.settle()
    return ann, telephone, share, visitor


async def states(client: Client, until: str) -> list[object]:
    """Those that a share goes through, as somebody reads it."""
    found: list[object] = []
    while until not in found:
        found.append((await client.event("share.changed")).data["state"])
    return found


async def test_a_machine_is_back_with_its_share_join_whatever_else_its_customer_has(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, telephone, share, visitor = await restarting(b)
        await states(ann, "rebooting")
        telephone.cut()
        telephone = await b.customer("acme/ask", visitor)
        machine = await b.customer("acme/ask", visitor)
        await b.settle()
        assert b.hub.accounts["acme"].routes == {}  # they are there, and that says nothing
        with pytest.raises(Refused) as refused:
            await ann.ask("share.join", share=share)
        assert refused.value.fail.detail == {"state": "rebooting", "allowed": ["share.stop"]}
        told = await machine.ask("share.join", share=share)
        assert told["grant"]["control"] is True
        assert await states(ann, "negotiating") == ["negotiating"]
        await ann.ask("share.join", share=share)
        await machine.ask("share.join", share=share)  # again, and nothing new is told
        one = frames.Signal(share, "offer", b"1")
        machine.send(one)
        ann.send(frames.Signal(share, "answer", b"2"))
        await machine.write("share.started", share=share)
        assert await states(ann, "active") == ["active"]
        assert await ann.expect(frames.Signal) == one
        assert await machine.expect(frames.Signal) == frames.Signal(share, "answer", b"2")
        assert [frame for frame in telephone.pump() if isinstance(frame, frames.Signal)] == []


async def test_the_answer_to_a_machine_waits_until_its_return_is_on_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, telephone, share, _ = await restarting(b)
        b.journal.hold()
        number = telephone.ask_nowait("share.join", share=share)
        await b.settle()
        assert [frame for frame in telephone.pump() if isinstance(frame, frames.Result)] == []
        assert b.hub.accounts["acme"].routes == {}
        b.journal.release()
        await telephone.answer(number)
        assert list(b.hub.accounts["acme"].routes) == [share]


async def test_a_machine_that_comes_back_while_the_journal_is_down_is_told_to_ask_again(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        _, telephone, share, _ = await restarting(b)
        b.hub.conductor.paused = True
        with pytest.raises(Refused) as refused:
            await telephone.ask("share.join", share=share)
        assert refused.value.fail.code == Code.JOURNAL_DOWN
        assert refused.value.fail.retry_ms
        b.hub.conductor.paused = False
        await telephone.ask("share.join", share=share)


def test_a_back_end_is_hidden_in_what_is_printed() -> None:
    assert "north" not in repr(WebRtc(turn=("turn:x",), secret=Secret("north-north-north")))
