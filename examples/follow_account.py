"""A service that follows everything that is routed, and forgets nothing: a line of JSON for each event.

    HUNTGROUP_TOKEN=v1.… python examples/follow_account.py --place place.txt

Its only memory is the offset of the last event it has handled, in a file. Stopped and started again, it goes on with
the next one. Whatever the connection does meanwhile, each event comes once and in order.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import trio

from broker.protocol.frames import Event, Gap
from clients.python.client import open_client
from clients.python.roles import Service
from clients.python.settings import Auth


async def follow(server: str, token: str, place: Path, most: int | None = None) -> list[str]:
    """Print events after the noted place, ``most`` of them or for ever; their types."""
    types: list[str] = []
    last = noted(place)
    async with open_client(server, Auth(token=token), Service) as me:
        async for item in me.subscribe("account", last):
            if isinstance(item, Gap):
                print(f"events {item.from_} to {item.to} are gone: {item.reason}")
            elif isinstance(item, Event):
                print(json.dumps({"offset": item.offset, "type": item.type, **item.data}))
                types.append(item.type)
                note(place, item.offset)  # handled: a crash before this line repeats the event, and loses none
                if len(types) == most:
                    break
    return types


def noted(place: Path) -> int:
    """The offset of the last event handled; 0 at first."""
    return int(place.read_text()) if place.exists() else 0


def note(place: Path, offset: int) -> None:
    """Handled up to here. A real service keeps it where it keeps what it made of the event, in one transaction."""
    place.write_text(str(offset))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8470")
    parser.add_argument("--place", type=Path, default=Path("place.txt"))
    args = parser.parse_args()
    trio.run(follow, args.server, os.environ["HUNTGROUP_TOKEN"], args.place)


if __name__ == "__main__":
    main()
