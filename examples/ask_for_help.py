"""A customer asks for help, waits for somebody, and leaves: a portal's page in forty lines.

python examples/ask_for_help.py --portal demo/queue-ask "The lamp blinks"
"""

from __future__ import annotations

import argparse

import trio

from broker.protocol.frames import Event, Notice
from clients.python.client import open_client
from clients.python.commands import text_of
from clients.python.roles import Customer
from clients.python.settings import Auth


async def ask(server: str, portal: str, question: str) -> str:
    """Ask, wait, be served; the name of whoever came."""
    async with open_client(server, Auth(portal=portal), Customer) as me:
        events = me.subscribe("me")
        asked = await me.ask(question, name="Kim")
        print(f"asked: {asked.request} is {asked.state}")
        async for item in events:
            match item:
                case Notice(type="queue.position"):
                    print(f"at place {item.data['position']}")
                case Event(type="request.assigned"):
                    name = text_of(item.data.get("name")) or str(item.data["representative"])
                    print(f"{name} is here")
                    await me.end(str(item.data["session"]))
                case Event(type="request.ended"):
                    print("it is over")
                    return name
                case _:
                    pass
    raise AssertionError("a subscription ends only by an error")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question")
    parser.add_argument("--server", default="http://127.0.0.1:8470")
    parser.add_argument("--portal", default="demo/queue-ask")
    args = parser.parse_args()
    trio.run(ask, args.server, args.portal, args.question)


if __name__ == "__main__":
    main()
