"""A fake broker's sign-ins: passwords, access tokens that expire, refresh tokens that are good once and a grace.

As ``broker.desk.credentials`` and ``broker.runtime.credentials`` have them, in a few lines, with a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import attrs
import trio

from broker.codes import Close, Code
from broker.limits import REFRESH_GRACE
from broker.protocol.frames import Fail, Frame, Goodbye, Request, Result
from tests.clients.python.fake_broker import FakeBroker, Peer, farewell

AHEAD = 1_700_000_000_000
PASSWORD = "correct horse battery"


@attrs.define(eq=False)
class SignIns:
    """One person's sign-in at a fake broker."""

    broker: FakeBroker
    life: int = 3_600_000
    """Of an access token (ms)."""
    serial: int = 0
    refreshed: int = 0
    live: bool = False
    why: str | None = None
    """How it ended."""
    restricted: bool = False
    logins: int = 0
    refreshes: int = 0
    """Of the serial; not those that were repeated."""
    expirations: dict[str, int] = attrs.field(factory=dict)
    """Access token to its end."""
    seen: Callable[[str], None] = lambda shown: None
    """Called with each refresh token that is shown."""
    lost: int = 0
    """So many answers to come are not given, and the connection is cut instead."""

    def __attrs_post_init__(self) -> None:
        self.broker.admit, self.broker.handler, self.broker.clock = self.admit, self.handle, self.now

    def now(self) -> int:
        """The broker's clock."""
        return AHEAD + int(trio.current_time() * 1000)

    def admit(self, auth: Mapping[str, object]) -> dict[str, object] | Goodbye:
        """HELLO."""
        if "login" in auth:
            if cast("Mapping[str, object]", auth["login"])["password"] != PASSWORD:
                return farewell(Close.BAD_AUTH, "wrong name or password")
            self.logins, self.serial, self.live = self.logins + 1, 0, True
            return self.pair()
        if "refresh" in auth:
            return self.refresh(str(auth["refresh"])) or farewell(Close.BAD_AUTH, "this sign-in is over")
        if not self.live or auth.get("token") not in self.expirations:
            return farewell(Close.BAD_AUTH, "signed out")
        expires = self.expirations[str(auth["token"])]
        return {"expires": expires} if self.now() < expires else farewell(Close.TOKEN_EXPIRED, "its time is over")

    def pair(self) -> dict[str, object]:
        """Tokens of the present serial, new ones each time."""
        token, expires = f"access-{len(self.expirations)}", self.now() + self.life
        self.expirations[token] = expires
        told = {"sign_in": "n_1", "token": token, "refresh": f"refresh-{self.serial}", "expires": expires}
        return {**told, "must_change": True} if self.restricted else told

    def refresh(self, shown: str) -> dict[str, object] | None:
        """A refresh token was shown: the next pair, or None."""
        self.seen(shown)
        late = self.serial and shown == f"refresh-{self.serial - 1}" and self.now() < self.refreshed + REFRESH_GRACE
        if self.live and shown == f"refresh-{self.serial}":
            self.serial, self.refreshed, self.refreshes = self.serial + 1, self.now(), self.refreshes + 1
        elif self.live and not late:
            self.live, self.why = False, f"{shown} came after refresh-{self.serial}"
        return self.pair() if self.live else None

    def handle(self, peer: Peer, request: Request) -> list[Frame] | None:
        """``auth.refresh``, and ``password.set``."""
        args = cast("Mapping[str, object]", request.args)
        if request.op == "password.set":
            self.restricted = False
        if request.op != "auth.refresh":
            return None
        told = self.refresh(str(args["refresh"]))
        if self.lost:
            self.lost -= 1
            self.broker.nursery.start_soon(peer.ws.aclose, 4001)
            return []
        if told is None:
            return [Fail(request.id, int(Code.NOT_ALLOWED), "this sign-in is over")]
        return [Result(request.id, {name: told[name] for name in ("expires", "token", "refresh")})]
