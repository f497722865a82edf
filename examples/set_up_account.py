"""A manager sets an account up: a portal, a team that serves it, somebody in the team.

    HUNTGROUP_TOKEN=v1.… python examples/set_up_account.py

Each ``put`` says how a thing is to be, not what to change, so it may be run again and again: what is so already is no
change.
"""

from __future__ import annotations

import argparse
import os

import trio

from clients.python.client import open_client
from clients.python.roles import Manager
from clients.python.settings import Auth


async def set_up(server: str, token: str) -> list[bool]:
    """Make it so; what changed."""
    async with open_client(server, Auth(token=token), Manager) as me:
        changed = [
            await me.put_portal("garden", "ask", "queue", ["plants", "tools"], offer_ms=30_000),
            await me.put_subportal("plants", weight=2, policy="longest_idle"),
            await me.put_team("gardeners", ["plants", "tools"]),
            await me.put_representative("flo", "Flo Fern", "gardeners", 3),
        ]
        account = await me.account()
        print(f"{len(account.portals)} portals, {len(account.representatives)} representatives; changed: {changed}")
    return changed


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8470")
    args = parser.parse_args()
    trio.run(set_up, args.server, os.environ["HUNTGROUP_TOKEN"])


if __name__ == "__main__":
    main()
