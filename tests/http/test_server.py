import pytest
import trio
from trio.testing import MockClock

from broker import limits
from broker.http.server import App, Request, Response, plain
from tests.http.hub import browser, header, serving


async def hello(request: Request) -> Response:
    return plain(200, f"{request.method} {request.path}?{request.query} {request.address} {request.body!r}")


async def broken(_: Request) -> Response:
    raise ValueError("a bug")


async def large(_: Request) -> Response:
    return Response(
        body=bytes(3_000_000), content_type="application/octet-stream", headers={"Cache-Control": "max-age=1"}
    )


APP: App = {"/hello": {"GET": hello, "POST": hello}, "/broken": {"GET": broken}, "/large": {"GET": large}}


async def test_a_request_is_answered(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        response, body = await browser(hub).get("/hello?a=1")
        assert response.status_code == 200
        assert body == b"GET /hello?a=1 127.0.0.1 b''\n"
        assert header(response, "content-type") == "text/plain; charset=utf-8"
        assert header(response, "date")


async def test_a_connection_takes_one_request_after_another(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        for number in range(3):
            response, body = await visitor.get(f"/hello?{number}")
            assert response.status_code == 200
            assert f"?{number} ".encode() in body
        assert hub.serving == 1


async def test_requests_may_come_in_one_go(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        request = b"GET /hello?%d HTTP/1.1\r\nHost: x\r\n%s\r\n"
        got = await browser(hub).raw(request % (1, b"") + request % (2, b"") + request % (3, b"Connection: close\r\n"))
        assert got.count(b"HTTP/1.1 200 OK\r\n") == 3
        assert got.index(b"/hello?1 ") < got.index(b"/hello?2 ") < got.index(b"/hello?3 ")


async def test_a_request_may_come_a_byte_at_a_time(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        for byte in b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n":
            visitor.pipe.give(bytes((byte,)))
            await trio.sleep(0.01)
        assert b"200 OK" in await visitor.raw(b"\r\n")


async def test_every_response_carries_the_security_headers(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        for path in ("/hello", "/nowhere", "/broken"):
            response, _ = await browser(hub).get(path)
            assert header(response, "x-content-type-options") == "nosniff"
            assert header(response, "referrer-policy") == "no-referrer"
            assert "default-src 'none'" in (header(response, "content-security-policy") or "")
            assert header(response, "cache-control") == "no-store"


async def test_a_response_may_set_its_own_headers(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        response, body = await browser(hub).get("/large")
        assert header(response, "cache-control") == "max-age=1"
        assert len(body) == 3_000_000


async def test_head_gets_the_headers_alone_and_the_connection_goes_on(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        response, body = await visitor.get("/hello", method="HEAD")
        assert (response.status_code, body) == (200, b"")
        assert header(response, "content-length") == str(len(b"HEAD /hello? 127.0.0.1 b''\n"))
        response, body = await visitor.get("/hello")
        assert body


async def test_an_unknown_path_is_404_and_the_connection_goes_on(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        assert (await visitor.get("/nowhere"))[0].status_code == 404
        assert (await visitor.get("/hello"))[0].status_code == 200


async def test_a_wrong_method_is_405_with_the_right_ones(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        response, _ = await browser(hub).get("/hello", method="DELETE")
        assert response.status_code == 405
        assert header(response, "allow") == "GET, HEAD, POST"


async def test_a_body_reaches_the_handler(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        _, body = await browser(hub).get("/hello", method="POST", body=b"some text")
        assert b"b'some text'" in body


async def test_a_body_that_waits_for_leave_gets_it(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        head = (
            b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        visitor.pipe.give(head)
        await trio.sleep(1)
        assert visitor.pipe.take().startswith(b"HTTP/1.1 100 ")
        assert b"b'hi'" in await visitor.raw(b"hi")


async def test_a_body_too_large_is_413_and_the_end(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        size = limits.HTTP_BODY_BYTES + 1
        visitor.pipe.give(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        await trio.sleep(0.1)
        visitor.pipe.give(bytes(60_000))
        await trio.sleep(0.1)
        got = await visitor.raw(bytes(size - 60_000))
        assert got.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in got


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n\r\n", b"400"),
        (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: " + b"x" * limits.HTTP_HEAD_BYTES, b"431"),
        (b"GET /hello HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    ],
    ids=["nonsense after a request", "a second head too large", "no Host", "a negative length"],
)
async def test_what_is_no_request_is_refused_and_ends(autojump_clock: MockClock, sent: bytes, status: bytes) -> None:
    async with serving(APP) as hub:
        got = await browser(hub).raw(sent)
        assert b"HTTP/1.1 " + status in got
        assert hub.serving == 0


async def test_a_handlers_bug_is_500_told_once_and_stops_nobody(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        response, body = await visitor.get("/broken")
        assert response.status_code == 500
        assert b"a bug" not in body
        assert [str(report) for report in hub.reports] == ["a bug"]
        assert (await visitor.get("/hello"))[0].status_code == 200


async def test_an_idle_connection_is_closed_in_time(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        await visitor.get("/hello")
        began = trio.current_time()
        assert await visitor.raw(b"") == b""
        assert trio.current_time() - began == pytest.approx(limits.HTTP_IDLE / 1000)


async def test_a_request_that_trickles_in_is_408(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        got = await browser(hub).raw(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert got.startswith(b"HTTP/1.1 408 ")
        assert trio.current_time() >= limits.HTTP_REQUEST_TIMEOUT / 1000


async def test_who_does_not_read_the_response_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        visitor.pipe.give(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.sleep(limits.HTTP_SEND_TIMEOUT / 1000 + limits.CLOSE_TIMEOUT / 1000 + 1)
        assert hub.serving == 0
        assert hub.transport.statistics().links == 0


async def test_who_breaks_off_while_we_answer_leaves_nothing(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        visitor.pipe.cut_after(100_000)
        got = await visitor.raw(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(got) == 100_000
        await trio.sleep(0.1)
        assert hub.serving == 0
        assert hub.transport.statistics().links == 0


async def test_a_half_closed_client_gets_its_answer_and_the_end(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        visitor.pipe.give(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        visitor.pipe.half_close()
        assert b"200 OK" in await visitor.raw(b"")


async def test_a_websocket_upgrade_on_a_used_connection_is_426(autojump_clock: MockClock) -> None:
    async with serving(APP) as hub:
        visitor = browser(hub)
        await visitor.get("/hello")
        response, _ = await visitor.get("/v1/ws", Upgrade="websocket", Connection="keep-alive")
        assert response.status_code == 426
