"""Who is in the demo account beside its representatives: managers, and a service with an API key.

``huntgroup demo`` puts them there once it serves, by the operations that any manager has. Passwords are set through the
page behind a link, as everybody's first one is: there is no other way in for a demo.
"""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Final

import attrs
import trio

from clients.python.client import open_client
from clients.python.errors import HuntgroupError
from clients.python.roles import Manager
from clients.python.settings import Auth

TEAM: Final = "first-line"
"""Whose manager tom is."""
LINK_TIME: Final = 30.0  # seconds for one page: a hash takes a fifth of one on a busy machine
_GONE: Final = 410


class PageError(HuntgroupError):
    """The page for passwords said no."""


@attrs.frozen
class Links:
    """Links to choose a first password: person to (the link's token, the password)."""

    of: Mapping[str, tuple[str, str]] = attrs.field(repr=False)


def settle(url: str, token: str, links: Links) -> str:
    """Put the people there and set their passwords; robot's new API key. ``token``: mia's. Raises HuntgroupError."""
    key = trio.run(_put, url, token)
    for person, (link, password) in links.of.items():
        _choose(url, person, link, password)
    return key


async def _put(url: str, token: str) -> str:
    async with open_client(url, Auth(token=token), Manager) as mia:
        # Herself first: an account's first manager comes in by the operator's word alone.
        await mia.put_manager("mia", "account", name="Mia Maple", rights=["api_managers"])
        rights = ["representatives", "teams", "functions", "assign", "sign_ins"]
        await mia.put_manager("tom", "team", name="Tom Thorn", teams=[TEAM], rights=rights)
        await mia.put_manager("ada", "api", name="Ada Aspen", rights=["portals"])
        await mia.put_service("robot", ["events", "audit", "classify", "why"])
        for old in await mia.keys("robot"):
            await mia.revoke_key(old.prefix)  # of an earlier start: nobody can be told it again
        made = await mia.create_key("robot")
    if made.secret is None:
        raise PageError("the answer with the API key was lost: start the demo again")
    return made.secret


def _choose(url: str, person: str, link: str, password: str) -> None:
    """Set a first password. One that was set before stays."""
    form = urllib.parse.urlencode({"token": link, "new": password, "again": password}).encode()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a demo is never behind a proxy
    try:
        with direct.open(f"{url}/password", form, LINK_TIME):
            return
    except urllib.error.HTTPError as error:
        with error:
            if error.code != _GONE:
                raise PageError(f"no password for {person}: the page answered {error.code}") from None
    except OSError as error:
        raise PageError(f"no password for {person}: {error}") from None
