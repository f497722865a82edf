"""Marked secrets and texts go through a broker by every path; afterwards all that it wrote, said or could print is
searched for the marks."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from broker.cli import main
from broker.desk.desk import Desk
from broker.identity.media import WebRtc
from broker.identity.secrecy import Secret
from broker.journal.sqlite import SqliteStore
from broker.journal.sqlite_reader import SqliteReader
from broker.protocol import frames
from broker.protocol.codec import pack_value
from tests.runtime.harness import Broker, Client, Ended, Refused, broker

PASSWORD, OTHER, WRONG = "Mark-Pass-Zebra-11", "Mark-Pass-Okapi-22", "Mark-Pass-Wrong-33"
RELAY = "Mark-Relay-Eland-44"
SECRETS = (PASSWORD, OTHER, WRONG, RELAY)
MEDIA = WebRtc(turn=("turn:relay.example",), secret=Secret(RELAY))
NAME, EMAIL, TEXT, FORM = "Markname Quagga", "markmail@quagga.example", "marktext of a gnu", "markform of an eland"
PERSONAL = (NAME, EMAIL, TEXT, FORM)


@attrs.define
class Kept:
    """All that could have leaked."""

    made: list[str] = attrs.field(factory=list)
    """Secrets that the broker made: keys, tokens, pins."""
    said: list[str] = attrs.field(factory=list)
    """Texts of FAIL and GOODBYE."""
    printed: list[str] = attrs.field(factory=list)


async def attempt(kept: Kept, client: Client, op: str, **args: object) -> dict[str, Any]:
    """Ask; a refusal is kept."""
    try:
        return await client.write(op, **args)
    except Refused as refused:
        kept.said.append(repr(refused.fail))
        return {}


async def knock(kept: Kept, b: Broker, auth: dict[str, object]) -> Client | None:
    """Try to come in; a goodbye is kept."""
    try:
        return await b.connect(auth)
    except Ended as ended:
        kept.said.append(repr(ended.goodbye))
        return None


async def share(kept: Kept, ann: Client, joe: Client) -> None:
    """A screen share, as far as the credentials for its media."""
    await ann.ask("subscribe", stream="me", from_="snapshot")
    while "offers" not in (part := await ann.expect(frames.Snapshot)).data:
        pass
    session = (await attempt(kept, ann, "offer.accept", offer=part.data["offers"][0]["offer"]))["session"]
    asked = (await attempt(kept, ann, "share.request", session=session))["share"]
    await attempt(kept, joe, "share.join", share=asked)
    await attempt(kept, joe, "share.accept", share=asked)
    await attempt(kept, joe, "share.confirm", share=asked)
    for one in (ann, joe):
        kept.made += [
            str(server["credential"]) for server in (await attempt(kept, one, "share.join", share=asked))["ice"]
        ]


def login(password: str, person: str = "boss") -> dict[str, object]:
    """A password's way in."""
    return {"login": {"account": "acme", "role": "manager", "person": person, "password": password}}


async def life(kept: Kept, b: Broker) -> None:
    """Every path that a secret or a text takes, right and wrong."""
    boss = await b.staff("boss", "manager")
    await attempt(kept, boss, "manager.put", manager="boss", kind="account", name=NAME, email=EMAIL)
    link = b.hub.entrance.links.link("acme", "boss", "manager", 0)  # type: ignore[arg-type]  # a str is a role here
    kept.made.append(link.partition("token=")[2])
    assert await b.hub.entrance.links.choose(kept.made[-1], PASSWORD) == ()
    for password, person in ((PASSWORD, "boss"), (PASSWORD, EMAIL), (WRONG, "boss"), (WRONG, "nobody")):
        client = await knock(kept, b, login(password, person))
        if client is not None and client.welcome is not None:
            kept.made += [str(client.welcome.identity[one]) for one in ("token", "refresh")]
    for auth in (
        {"token": f"v1.{WRONG}"},
        {"key": f"hg_abc_{WRONG}"},
        {"refresh": WRONG},
        {"pin": WRONG},
        {WRONG: WRONG},
    ):
        await knock(kept, b, auth)  # type: ignore[arg-type]
    await attempt(kept, boss, "password.set", person="boss", new=OTHER, old=PASSWORD)
    await attempt(kept, boss, "password.set", new=OTHER, old=PASSWORD)
    await attempt(kept, boss, "password.set", new=PASSWORD, old=WRONG)
    await attempt(kept, boss, "service.put", service="crm", scopes=["events"])
    kept.made.append(str((await attempt(kept, boss, "key.create", person="crm")).get("secret", "nothing-made")))
    await attempt(kept, boss, "representative.put", representative="ann", name=NAME, team="t1", capacity=2, email=EMAIL)
    ann = await b.staff("ann")
    await attempt(kept, ann, "presence.set", presence="available")
    kept.made.append(str((await attempt(kept, ann, "pin.create"))["pin"]))
    joe = await b.customer()
    assert joe.welcome is not None
    kept.made.append(str(joe.welcome.identity["visitor"]))
    await attempt(kept, joe, "request.create", text=TEXT, name=NAME, fields={"order": FORM})
    await attempt(kept, joe, "request.create", text=TEXT, name=NAME)
    await share(kept, ann, joe)
    await attempt(kept, joe, "request.create", text=[TEXT], name={"a": NAME})
    await attempt(kept, joe, "pin.redeem", pin=WRONG)
    await attempt(kept, boss, "password.set", person=f"no body {WRONG}", new={"x": WRONG})
    await attempt(kept, boss, "auth.refresh", token=kept.made[0], refresh=WRONG)
    await attempt(kept, ann, "representative.put", representative="bug", name=NAME, team="t1", capacity=2)
    await attempt(
        kept, boss, "representative.put", representative="bug", name=NAME, team="t1", capacity=2, email=f"x{EMAIL}"
    )
    await b.settle(2)


def bug(handle: Any) -> Any:
    """A bug whose exception quotes what it was given."""

    def handled(self: Desk, command: object, *args: Any) -> Any:
        if getattr(command, "representative", None) == "bug":
            raise ValueError(f"{TEXT} {PASSWORD} {NAME}")
        return handle(self, command, *args)

    return handled


def found_in(text: str | bytes, marks: list[str]) -> list[str]:
    """The marks in a text or in bytes."""
    searched = text.encode() if isinstance(text, str) else text
    return [mark for mark in marks if mark.encode() in searched]


def printable() -> dict[str, str]:
    """What each living value of ours prints, by its class; but frames, which are what is said itself."""
    shown: dict[str, list[str]] = {}
    for thing in gc.get_objects():
        cls = type(thing)
        if attrs.has(cls) and cls.__module__ != frames.__name__ and cls.__module__.startswith(("broker.", "clients.")):
            try:
                shown.setdefault(cls.__qualname__, []).append(repr(thing))
            except (AttributeError, RecursionError):
                continue  # half made
    return {name: "".join(texts) for name, texts in shown.items()}


@pytest.fixture
def only_new_objects() -> Iterator[None]:
    """What other tests have left alive is not looked at."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_new_objects")
async def test_H22_no_secret_and_no_text_leaves_by_a_way_that_is_not_its_own(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Desk, "handle", bug(Desk.handle))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path, kept = tmp_path / "data" / "journal.sqlite", Kept()
    with closing(SqliteStore(path)) as store:
        async with broker(store=store, faults=1, media=MEDIA) as b:
            await life(kept, b)
            lines = repr(b.lines)
            hub, desk = b.hub, b.hub.accounts["acme"].desk
            figures = repr((hub.statistics(), hub.entrance.statistics(), hub.hashers.statistics(), desk.statistics()))
            figures += repr((hub.admission.refusals, hub.peers.refusals, hub.entrance.sign_in.refusals))
            shown = printable()
    secrets = [*SECRETS, *kept.made]
    assert len(kept.said) >= 10
    assert len(kept.made) >= 6
    assert "nothing-made" not in kept.made
    everything = [*secrets, *PERSONAL]
    assert {cls: found for cls, text in shown.items() if (found := found_in(text, everything))} == {}
    assert found_in(lines, everything) == []
    assert found_in(figures, everything) == []  # all that metrics are made of
    assert found_in("\n".join(kept.said), everything) == []
    assert [file.name for file in (tmp_path / "data").iterdir() if found_in(file.read_bytes(), secrets)] == []
    with closing(SqliteReader(path)) as reader:
        records = reader.records("acme", 0, 10_000)
        bodies = b"".join(record.body + pack_value(record.entries) for record in records)
        assert found_in(bodies, everything) == []
        answers = reader.answers("acme", "boss", 100) + reader.answers("acme", "ann", 100)
        assert found_in(b"".join(answer.result for answer in answers), everything) == []
        assert len(answers) > 5
    for argv in (["journal", "dump", "acme"], ["journal", "verify"], ["why", "acme", WRONG], ["status"], ["why", TEXT]):
        with suppress(SystemExit):
            main([*argv, "--data", "data"])
        captured = capsys.readouterr()
        typed = [one for one in everything if one not in argv]  # what one typed oneself may be quoted
        assert found_in(captured.out + captured.err, typed) == []


def test_caught_what_would_leak() -> None:
    """The faults planted: a text in a value that prints itself, and one that is hidden as it should be."""
    assert found_in(repr({"password": PASSWORD}), [PASSWORD]) == [PASSWORD]
    assert found_in(repr(Secret(PASSWORD)), [PASSWORD]) == []
    assert found_in(f"x{PASSWORD}".encode(), [PASSWORD]) == [PASSWORD]
