"""A conversation of 300 messages with a killed broker in its middle, and its transcript: by real sockets and files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest
import trio

from broker.cli import main
from broker.cli.common import Exit
from broker.identity import secrets
from broker.identity.tokens import Signer
from broker.runtime.clock import SystemClock
from broker.units import HOURS
from clients.python.client import open_client
from clients.python.errors import WrongState
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth

MESSAGES = 300
CUSTOMERS = 10  # every tenth is the customer's, who may write no faster than people do
DESK = """\
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
web_chat = "upgradable"
subportals = ["help"]

[portal.hours]
zone = "Europe/Berlin"
weekly = [{ day = "mon", from = "00:00", to = "24:00" }, { day = "tue", from = "00:00", to = "24:00" },
  { day = "wed", from = "00:00", to = "24:00" }, { day = "thu", from = "00:00", to = "24:00" },
  { day = "fri", from = "00:00", to = "24:00" }, { day = "sat", from = "00:00", to = "24:00" },
  { day = "sun", from = "00:00", to = "24:00" }]

[[team]]
team = "first"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann Alder"
team = "first"
capacity = 2
"""
WORDS = ("Hello", "שלום, מה נשמע?", "<b>&amp;</b>", "two\nlines", "مرحبا 123", "你好", "😀 x\u0301")


@attrs.define
class House:
    """A folder, and the broker that runs in it."""

    folder: Path
    url: str = ""

    @contextmanager
    def running(self, *, killed: bool = False) -> Iterator[None]:
        """A broker serves; at the end it is stopped, or killed."""
        command = [sys.executable, "-m", "broker", "serve", "-c", str(self.folder / "c.toml")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "serves at" in line:
                    self.url = line.partition("serves at ")[2].partition(",")[0].strip()
                    break
            yield
        finally:
            process.kill() if killed else process.terminate()
            process.wait()
            process.stdout.close()

    def token(self) -> str:
        """Of the representative."""
        key = secrets.load(self.folder / "data").token_key
        return Signer(key).mint("acme", "ann", "representative", SystemClock().now() + HOURS)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """An account with a web chat."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.toml").write_text(DESK)
    (tmp_path / "c.toml").write_text(
        '[server]\nport = 0\n[data]\npath = "data"\n[[accounts]]\nname = "acme"\nslot = 0\ndesk = "desk.toml"\n'
    )
    return House(tmp_path)


def text(number: int) -> str:
    """What is said in the message of this number."""
    return f"{WORDS[number % len(WORDS)]} {number}"


async def first_half(house: House) -> tuple[str, str]:
    """(session, the customer's token): it asks, writes, and somebody comes."""
    async with (
        open_client(house.url, Auth(portal="acme/help"), Customer) as kim,
        open_client(house.url, Auth(token=house.token()), Representative) as ann,
    ):
        asked = await kim.ask(text(1), name="Kim <Kay>")
        async with ann.subscribe("me", "snapshot") as mine:
            await ann.set_presence("available")
            async for told in mine:
                offer = getattr(told, "data", {}).get("offer")
                if offer is not None and getattr(told, "type", "") == "offer.made":
                    await ann.accept(offer)
                    break
        session, visitor = asked.session, kim.identity.visitor
        assert session is not None
        assert visitor is not None
        await talk(kim, ann, session, 2, MESSAGES // 2)
        return session, visitor


async def talk(kim: Customer, ann: Representative, session: str, first: int, last: int) -> None:
    """They write to each other."""
    for number in range(first, last + 1):
        who = kim if number % CUSTOMERS == 1 else ann
        assert await who.say(session, text(number)) == number


async def second_half(house: House, session: str, visitor: str) -> None:
    """The same after the restart, to the end."""
    async with (
        open_client(house.url, Auth(portal="acme/help", visitor=visitor), Customer) as kim,
        open_client(house.url, Auth(token=house.token()), Representative) as ann,
    ):
        await talk(kim, ann, session, MESSAGES // 2 + 1, MESSAGES)
        await kim.end(session)
        with pytest.raises(WrongState):
            await kim.say(session, "one more")


class Words(HTMLParser):
    """What stands on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found += data


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_conversation_with_a_killed_broker_in_its_middle_has_a_whole_transcript_that_verifies(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.running(killed=True):
        session, visitor = trio.run(first_half, house)
    with house.running():
        trio.run(second_half, house, session, visitor)
        customer = ("--portal", "acme/help", "--visitor", visitor, "--server", house.url)
        for format in ("json", "html", "text"):
            out = ("--format", format, "--out", f"talk.{format}")
            assert main(["transcript", "get", session, *customer, *out]) == Exit.OK
    capsys.readouterr()
    assert main(["transcript", "key", "--data", "data"]) == Exit.OK
    key = capsys.readouterr().out.strip()
    assert main(["transcript", "verify", "talk.json", "--key", key]) == Exit.OK
    whole = Path("talk.json").read_text(encoding="utf-8")
    content = json.loads(whole)
    said = [one for one in content["entries"] if one["kind"] == "message"]
    assert [one["message_seq"] for one in said] == list(range(1, MESSAGES + 1))
    assert [one["text"] for one in said] == [text(number) for number in range(1, MESSAGES + 1)]
    assert {one["name"] for one in said} == {"Kim <Kay>", "Ann Alder"}
    kinds = [one["kind"] for one in content["entries"]]
    assert (kinds[0], kinds[-1], kinds.count("opened"), kinds.count("joined")) == ("opened", "ended", 1, 1)
    assert content["head"]["ended"] is not None
    page, plain = Path("talk.html").read_text(encoding="utf-8"), Path("talk.text").read_text(encoding="utf-8")
    for number in (1, MESSAGES // 2 + 1, MESSAGES):
        assert text(number) in Words(page).found
        assert text(number).split("\n")[-1] in plain
    assert "Europe/Berlin" in page
    Path("talk.json").write_text(whole.replace(text(151).split("\n")[-1], "I owe you 1000"), encoding="utf-8")
    capsys.readouterr()
    assert main(["transcript", "verify", "talk.json", "--key", key]) == Exit.FAILED
    number = next(one["n"] for one in content["entries"] if one.get("message_seq") == 151)
    assert f"entry {number} is altered" in capsys.readouterr().out
