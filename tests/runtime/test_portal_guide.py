"""The portal that docs/how-to/portal.md sets up works as it says, from the file to the offer."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from broker.config.desk import load_desk
from broker.identity.tokens import Entry
from broker.runtime.furnishing import furnish
from tests.runtime.harness import SIGNER, Refused, broker

GUIDE = (Path(__file__).parents[2] / "docs/how-to/portal.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The guide's only block in this language."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0]
    return str(found)


async def test_the_guides_portal_works_as_it_says(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(block("toml"), encoding="utf-8")
    puts = load_desk(path)
    async with broker(furnished=False) as b:
        account, conductor = b.hub.accounts["acme"], b.hub.conductor
        assert furnish(account, puts, conductor, os.urandom) == len(puts)
        assert furnish(account, puts, conductor, os.urandom) == 0  # a restart changes nothing
        b.transport.wake()
        said = Entry(
            account="acme", portal="orders", expires=2**50, language="de", class_="gold", page="https://x.example"
        )
        auth, site = {"portal": "acme/orders", "entry": SIGNER.sign(said)}, "https://shop.example.org"
        kim = await b.connect(auth, origin=site)
        page = await kim.ask("portal.open")
        assert page["language"] == "de"
        assert page["texts"] == {
            "title": "Bestellungen",
            "welcome": "Wir helfen gern.",
            "closed": "Nobody is here now.",
            "offline_hint": "Write to orders@example.org.",
        }
        assert [field["label"] for field in page["form"]] == ["Bestellnummer", "Thema", "Stück", "Einverstanden"]
        opens = page.get("opens")
        if opens is not None:
            await trio.sleep((opens - b.clock.now()) / 1000)
            kim = await b.connect(auth, origin=site)
            page = await kim.ask("portal.open")
        assert page["state"] in ("open", "closing")
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        await ann.ask("subscribe", stream="me", from_="now")
        filled = json.loads(block("json"))
        with pytest.raises(Refused) as refused:
            await kim.write("request.create", **{**filled, "fields": {**filled["fields"], "order": "A"}})
        assert str(refused.value.fail.text) == block("text").strip()
        await kim.write("request.create", **filled)
        offer = await ann.event("offer.made")
        assert (offer.data["fields"], offer.data["page"]) == (filled["fields"], "https://x.example")
