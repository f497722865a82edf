import base64
import hashlib
import re

from trio.testing import MockClock

from broker.http.health import Readiness, Status
from broker.http.pages import pages
from tests.http.hub import browser, header, serving

STATUS = Status(
    version="1.2.3<b>", ready=lambda: Readiness(False, "no <journal>"), metrics=lambda _: (b"", "text/plain")
)


async def test_the_front_page_tells_what_this_is_and_where_the_protocol_is(autojump_clock: MockClock) -> None:
    async with serving(pages(STATUS)) as hub:
        response, body = await browser(hub).get("/")
        assert response.status_code == 200
        assert header(response, "content-type") == "text/html; charset=utf-8"
        text = body.decode()
        assert "<title>Huntgroup</title>" in text
        assert "/v1/ws" in text
        assert "huntgroup.v1.msgpack" in text


async def test_what_the_page_shows_is_escaped(autojump_clock: MockClock) -> None:
    async with serving(pages(STATUS)) as hub:
        _, body = await browser(hub).get("/")
        assert b"1.2.3&lt;b&gt;" in body
        assert b"no &lt;journal&gt;" in body


async def test_the_policy_allows_the_pages_own_style_and_nothing_else(autojump_clock: MockClock) -> None:
    async with serving(pages(STATUS)) as hub:
        response, body = await browser(hub).get("/")
        style = re.search(rb"<style>(.*)</style>", body, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
        policy = header(response, "content-security-policy") or ""
        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert b"<script" not in body


async def test_every_link_of_the_front_page_leads_somewhere(autojump_clock: MockClock) -> None:
    async with serving(pages(STATUS)) as hub:
        _, body = await browser(hub).get("/")
        links = re.findall(r'href="([^"]+)"', body.decode())
        assert links
        for link in links:
            response, _ = await browser(hub).get(link)
            assert response.status_code in (200, 503), link
