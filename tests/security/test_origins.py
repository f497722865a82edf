"""The attack: a page of another origin that speaks to the broker with what the victim's browser would send along."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from broker.codes import Close
from broker.config import Config
from broker.config.settings import Server
from broker.runtime.options import Options
from broker.runtime.serve_parts import origins
from broker.transport.upgrade import Accepted, judge
from tests.runtime.harness import Ended, broker

ALLOWED = "https://help.example.org"
OPTIONS = Options(allowed_origins=frozenset({ALLOWED}))
TRICKS = [
    "null",
    "",
    "*",
    "https://HELP.EXAMPLE.ORG",
    "HTTPS://help.example.org",
    "http://help.example.org",
    "https://help.example.org:443",
    "https://help.example.org:8443",
    "https://help.example.org/",
    "https://help.example.org.",
    "https://help.example.org.evil.net",
    "https://evilhelp.example.org",
    "https://help.example.org@evil.net",
    "https://evil.net#https://help.example.org",
    "https://sub.help.example.org",
    "https://example.org",
    "https://help.example.org,https://help.example.org",
    "https://help.example.org https://evil.net",
    "file://",
    "chrome-extension://abcdef",
    "https://xn--hlp-dma.example.org",
]


@pytest.mark.parametrize("origin", TRICKS)
async def test_what_only_looks_like_the_allowed_origin_is_turned_away(origin: str, autojump_clock: MockClock) -> None:
    async with broker(OPTIONS) as b:
        with pytest.raises(Ended) as end:
            await b.customer(origin=origin)
        assert end.value.code == Close.ORIGIN
        assert b.hub.statistics().welcomed == 1  # who furnished the account


async def test_the_allowed_page_and_what_is_no_browser_come_in(autojump_clock: MockClock) -> None:
    async with broker(OPTIONS) as b:
        await b.customer(origin=ALLOWED)
        await b.customer()


HEAD = (
    b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: huntgroup.v1.msgpack\r\n"
)


@pytest.mark.parametrize(
    "headers",
    [
        [b"Origin: https://help.example.org", b"Origin: https://evil.net"],
        [b"Origin: https://evil.net", b"Origin: https://help.example.org"],
        [b"origin: https://help.example.org", b"ORIGIN: https://help.example.org"],
        [b"Origin:"],
    ],
)
def test_several_origins_or_an_empty_one_are_never_the_allowed_one(headers: list[bytes]) -> None:
    verdict = judge(HEAD + b"\r\n".join(headers) + b"\r\n\r\n")
    assert isinstance(verdict, Accepted)
    assert verdict.origin is not None
    assert verdict.origin not in {ALLOWED}


def test_by_default_only_the_brokers_own_pages_may_connect() -> None:
    allowed = origins(Config(), "http://127.0.0.1:8470")
    assert allowed is not None
    assert "http://127.0.0.1:8470" in allowed
    assert not allowed & {"null", "", "*", "http://127.0.0.1", "http://127.0.0.1:8471", "https://127.0.0.1:8470"}
    asked = origins(Config(server=Server(allowed_origins=(ALLOWED,))), "https://0.0.0.0:443")
    assert asked == frozenset({ALLOWED, "https://0.0.0.0:443", "https://0.0.0.0"})
