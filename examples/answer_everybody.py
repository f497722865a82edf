"""A representative that is a program: takes what it is offered, greets, and ends when its customer does.

    HUNTGROUP_TOKEN=v1.… python examples/answer_everybody.py

An offer that somebody else took first is no mistake, only too late: ``OfferGone`` says who has it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

import trio

from broker.protocol.frames import Event
from clients.python.client import open_client
from clients.python.errors import OfferGone
from clients.python.following import View
from clients.python.roles import Representative
from clients.python.settings import Auth


async def answer(server: str, token: str, most: int | None = None) -> int:
    """Serve ``most`` customers, or for ever; how many it were."""
    served = 0
    async with open_client(server, Auth(token=token), Representative) as me:
        events = me.subscribe("me", "snapshot")
        await me.set_presence("available")
        async for item in events:
            if isinstance(item, View):  # what was offered while this program was away
                for offer in item.data.get("offers", ()):
                    assert isinstance(offer, Mapping)
                    await take(me, str(offer["offer"]))
            elif isinstance(item, Event) and item.type == "offer.made":
                await take(me, str(item.data["offer"]))
            elif isinstance(item, Event) and item.type == "session.ended":
                served += 1
                if served == most:
                    break
        await me.set_presence("offline")
    return served


async def take(me: Representative, offer: str) -> None:
    """Accept, if it is still there."""
    try:
        accepted = await me.accept(offer)
    except OfferGone as gone:
        print(f"too late: {gone.winner or gone.reason}")
    else:
        print(f"serving {accepted.session}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8470")
    args = parser.parse_args()
    trio.run(answer, args.server, os.environ["HUNTGROUP_TOKEN"])


if __name__ == "__main__":
    main()
