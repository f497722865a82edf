"""The pages behind a link in an e-mail, as a browser without script sees them."""

from __future__ import annotations

from urllib.parse import urlencode

import attrs
import pytest

from broker.http.password import Doors, pages
from broker.http.server import App, Request, Response


@attrs.define
class Desk:
    """What the pages are told to do, and do."""

    good: str = "t.ok"
    objections: tuple[str, ...] = ()
    chosen: list[tuple[str, str]] = attrs.field(factory=list)
    asked: list[tuple[str, str, str, str]] = attrs.field(factory=list)

    async def choose(self, token: str, password: str, address: str) -> tuple[str, ...]:
        if not self.objections:
            self.chosen.append((token, password))
        return self.objections

    async def get(self, path: str, query: str = "") -> Response:
        return await self._app()[path]["GET"](Request(method="GET", path=path, query=query))

    async def post(self, path: str, body: bytes | dict[str, str]) -> Response:
        data = body if isinstance(body, bytes) else urlencode(body).encode()
        return await self._app()[path]["POST"](Request(method="POST", path=path, body=data, address="203.0.113.9"))

    def _app(self) -> App:
        return pages(
            Doors(
                known=lambda token: token == self.good,
                choose=self.choose,
                forgot=lambda *given: self.asked.append(given),
            )
        )


async def test_a_link_opens_a_form_that_sets_the_password() -> None:
    desk = Desk()
    page = await desk.get("/password", "token=t.ok")
    assert (page.status, b'name="token" value="t.ok"' in page.body, b'type="password"' in page.body) == (
        200,
        True,
        True,
    )
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    done = await desk.post("/password", {"token": "t.ok", "new": "pass word", "again": "pass word"})
    assert (done.status, desk.chosen) == (200, [("t.ok", "pass word")])
    assert b"pass word" not in done.body


@pytest.mark.parametrize("query", ["", "token=", "token=other", "token=%22%3E%3Cscript%3E", "&" * 40])
async def test_a_link_that_is_used_or_made_up_says_so_and_shows_nothing_of_it(query: str) -> None:
    desk = Desk()
    page = await desk.get("/password", query)
    assert page.status == 410
    assert b"<script>" not in page.body
    assert b"/password/forgot" in page.body
    again = await desk.post("/password", query.encode())
    assert (again.status, desk.chosen) == (410, [])


async def test_what_is_wrong_with_a_password_is_said_above_the_form() -> None:
    desk = Desk(objections=("password: expected <b>more</b>",))
    page = await desk.post("/password", {"token": "t.ok", "new": "x", "again": "x"})
    assert page.status == 422
    assert b"expected &lt;b&gt;more" in page.body
    assert b'value="t.ok"' in page.body
    differ = await Desk().post("/password", {"token": "t.ok", "new": "x", "again": "y"})
    assert (differ.status, b"not the same" in differ.body) == (422, True)


async def test_who_asks_for_a_link_reads_the_same_whoever_it_is() -> None:
    desk = Desk()
    form = await desk.get("/password/forgot", "account=%22acme")
    assert b'value="&quot;acme"' in form.body
    texts = set()
    for email in ("ann@example.org", " nobody@example.org ", ""):
        answer = await desk.post("/password/forgot", {"account": "acme", "role": "manager", "email": email})
        texts.add((answer.status, answer.body))
    assert len(texts) == 1
    assert desk.asked[1] == ("acme", "manager", "nobody@example.org", "203.0.113.9")
    assert len(desk.asked) == 3


async def test_a_role_that_signs_in_with_no_password_is_asked_for_nothing() -> None:
    desk = Desk()
    await desk.post("/password/forgot", {"account": "acme", "role": "service", "email": "x@example.org"})
    await desk.post("/password/forgot", b"\xff\xfe")
    assert desk.asked == []
