"""How the tests of the client connect it to the fake broker."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from broker.codes import Code
from broker.protocol.frames import Fail, Frame, Request
from clients.python.client import Client, open_client
from clients.python.settings import Auth, Settings
from tests.clients.python.fake_broker import FakeBroker, Peer

URL = "http://broker"
TOKEN = Auth(token="t")
NOW = 1_700_000_000_000


def settings(broker: FakeBroker, **more: Any) -> Settings:
    return Settings(dial=broker.dial, rng=random.Random(1), clock=lambda: NOW, **more)


@asynccontextmanager
async def connected(broker: FakeBroker, auth: Auth = TOKEN, **more: Any) -> AsyncIterator[Client]:
    async with open_client(URL, auth, settings=settings(broker, **more)) as client:
        yield client


def fails(code: Code, times: int, *, retry_ms: int | None = None) -> Callable[[Peer, Request], list[Frame] | None]:
    """A handler that refuses so many requests."""
    left = [times]

    def handler(peer: Peer, request: Request) -> list[Frame] | None:
        if left[0] == 0:
            return None
        left[0] -= 1
        return [Fail(request.id, int(code), "no", retry_ms)]

    return handler
