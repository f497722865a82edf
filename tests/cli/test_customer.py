"""``huntgroup customer`` and ``huntgroup case``, and what an erasure leaves: nothing, and a chain that verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from broker.cli.common import Exit
from broker.protocol.frames import Event
from clients.python.client import open_client
from clients.python.roles import Customer, Manager, Representative
from clients.python.settings import Auth
from tests.cli.conftest import Run, Served

ACCOUNT = "five"
MARKS = ("Zacharias Quellwasser", "quellwasser@example.org", "my-unmistakable-problem", "an-answer-nobody-else-gives")
"""A name, an address, and what both sides wrote."""


async def conversation(served: Served) -> str:
    """A customer asks, Ann answers, they part, and she notes something down; the case's id."""
    token, boss = served.token(ACCOUNT, "ann", "representative"), served.token(ACCOUNT, "boss")
    async with (
        open_client(served.url, Auth(token=boss), Manager) as mia,
        open_client(served.url, Auth(token=token), Representative) as ann,
        open_client(served.url, Auth(portal=f"{ACCOUNT}/help"), Customer) as zac,
    ):
        await mia.put_portal("help", "ask", "queue", ["orders", "returns"], web_chat="upgradable")
        await ann.set_presence("available")
        events = ann.subscribe("me", "snapshot")
        await events.wait_placed()
        asked = await zac.ask(MARKS[2], name=MARKS[0], email=MARKS[1])
        session = str(asked.session)
        with trio.fail_after(20):
            async for item in events:
                if isinstance(item, Event) and item.type == "offer.made":
                    await ann.accept(str(item.data["offer"]))
                    break
        await ann.say(session, MARKS[3])
        await zac.say(session, MARKS[2])
        await zac.end(session)
        await ann.note(session, MARKS[3])
        case = f"k_{session[2:]}"
        await ann.resolve(case)
        await ann.set_presence("offline")
    return case


def found(folder: Path) -> Iterator[str]:
    """Each mark that is in a file of the data folder, and in which."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield from (f"{mark} in {path.name}" for mark in MARKS if mark.encode() in data)


def test_a_customers_data_is_exported_and_erased_without_a_trace(run: Run, served: Served) -> None:
    case = trio.run(conversation, served)
    auth = served.auth(ACCOUNT, "boss")
    assert any(mark.startswith(MARKS[1]) for mark in found(served.data)), "the search finds what is there"
    code, _, err = run("customer", "export", "--email", MARKS[1].upper(), "--out", "all.json", *auth)
    assert (code, "1 cases are in all.json" in err) == (Exit.OK, True)
    text = Path("all.json").read_text(encoding="utf-8")
    assert all(mark in text for mark in MARKS)
    (exported,) = json.loads(text)["cases"]
    (visitor,) = json.loads(text)["visitors"]
    assert (visitor["visitor"], visitor["memory"]["representative"]) == (exported["case"]["visitor"], "ann")
    assert exported["case"]["case"] == case
    assert run("customer", "export", "--email", MARKS[1], "--out", "all.json", *auth)[0] == Exit.USAGE
    assert "there already" in run("customer", "export", "--email", MARKS[1], "--out", "all.json", *auth)[2]

    with pytest.raises(SystemExit, match="2"):
        run("case", "delete", case, *auth)  # without --yes
    code, _, err = run("case", "delete", case, "--yes", *auth)
    assert (code, f"{case} is erased" in err) == (Exit.OK, True)
    assert run("case", "delete", case, "--yes", *auth)[0] == Exit.FAILED
    code, out, _ = run("customer", "export", "--email", MARKS[1], *auth)
    assert (code, json.loads(out)) == (Exit.OK, {"cases": [], "visitors": []})

    async def gone() -> list[str]:
        with trio.move_on_after(20):  # what readers held back leaves the log a moment later
            while left := list(found(served.data)):
                await trio.sleep(0.1)
        return left

    assert trio.run(gone) == []
    assert run("journal", "verify", "--data", served.data)[0] == Exit.OK


def test_only_an_account_manager_may(run: Run, served: Served) -> None:
    for words in (("customer", "export", "--visitor", "v_x"), ("case", "delete", "k_x", "--yes")):
        code, _, err = run(*words, *served.auth(ACCOUNT, "tim"))
        assert (code, "account manager" in err) == (Exit.FAILED, True)
