"""What is too long, over real sockets: it is refused by its name, and both ends of a conversation live on.

Once with the Python client, which looks before it sends, and once with bare frames, as another client may send them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import trio

from broker.codes import Code
from broker.protocol.frames import Fail, Frame, Hello, Ping, Pong, Request, Result, Signal
from clients.python.connection import Address, Link, open_link, sign_in
from clients.python.errors import TooLarge
from tests.e2e.house import PATIENCE, house, talk

pytestmark = pytest.mark.slow

DESK: Final = """
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
subportals = ["help"]
web_chat = "upgradable"

[[team]]
team = "blue"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann Alder"
team = "blue"
capacity = 2
"""
LONG: Final = ("x" * 16385, "x" * 20_000, "x" * 50_000, "\N{GRINNING FACE}" * 4097)


async def answered(link: Link, *sent: Frame) -> Frame:
    """What these are answered with; PINGs are answered meanwhile."""
    await link.send(*sent)
    with trio.fail_after(PATIENCE):
        while True:
            for frame in await link.receive():
                if isinstance(frame, Ping):
                    await link.send(Pong(frame.nonce, 0))
                elif isinstance(frame, Fail | Result | Pong):
                    return frame


async def test_the_client_names_what_is_too_long_and_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path, DESK) as found:
        ann = await found.representative("ann")
        kim = await found.customer("kim", "help")
        session = await talk(kim, ann, "Nothing works")
        share = await ann.does.request_share(session)
        await kim.does.accept_share(share)
        await kim.does.confirm_share(share)
        heard = kim.does.client.signals(share)
        for one in (kim, ann):
            for text in LONG:
                with pytest.raises(TooLarge, match=r"args\.text: expected a string of 1 to 16384 bytes"):
                    await one.does.say(session, text)
        with pytest.raises(TooLarge, match=r"args\.data\.a"):
            await kim.does.describe(session, "device", {"a": "x" * 20_000})
        with pytest.raises(TooLarge, match=r"SIGNAL\.data"):
            ann.does.client.send_signal_nowait(share, "ice", bytes(16385))
        assert ann.does.client.send_signal_nowait(share, "ice", bytes(16384))
        with trio.fail_after(PATIENCE):
            assert (await heard.receive()).data == bytes(16384)
        await kim.does.say(session, "x" * 16384)
        await ann.does.say(session, "I am still here")
        await kim.hears(session, "I am still here")
        assert [len(text) for _, text, _ in kim.said(session)][-2:] == [16384, 15]


async def test_bare_frames_that_are_too_long_are_refused_and_the_connection_stays(tmp_path: Path) -> None:
    async with house(tmp_path, DESK) as found, open_link(Address.parse(found.url)) as link:
        await sign_in(link, Hello([1], [], {"portal": "acme/help"}, {}))
        made = await answered(link, Request(1, "request.create", {"text": "Nothing works"}, "k1"))
        assert isinstance(made, Result)
        assert isinstance(made.value, dict)
        session = made.value["session"]
        for number, text in enumerate(LONG, 2):
            fail = await answered(link, Request(number, "chat.send", {"session": session, "text": text}, f"k{number}"))
            assert isinstance(fail, Fail)
            assert (fail.id, fail.code, fail.detail) == (number, Code.BAD_ARGS, {"path": "args.text"})
            assert fail.text == "args.text: expected a string of 1 to 16384 bytes"
        fail = await answered(link, Signal("h_1", "ice", bytes(16385)))
        assert isinstance(fail, Fail)
        assert (fail.id, fail.code) == (0, Code.TOO_LARGE)
        told = await answered(link, Request(9, "chat.send", {"session": session, "text": "x" * 16384}, "k9"))
        assert isinstance(told, Result)
