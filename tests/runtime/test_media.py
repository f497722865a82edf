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


async def asked(b: Broker) -> tuple[Client, Client, str]:
    """Ann has asked joe for his screen, and he has taken the first step."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    made = await joe.write("request.create", text="x")
    await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
    share = (await ann.write("share.request", session=made["session"]))["share"]
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


def test_a_back_end_is_hidden_in_what_is_printed() -> None:
    assert "north" not in repr(WebRtc(turn=("turn:x",), secret=Secret("north-north-north")))
