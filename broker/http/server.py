"""HTTP/1.1 for one connection, through h11: requests in, responses out, nothing remembered between them.

It runs in a task of its own on an ``HttpStream``; routes and what they answer are the caller's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus

import attrs
import h11
import trio

from broker import limits
from broker.transport.stream import HttpStream

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"""Sent with every response; a response's own header of the same name wins."""


@attrs.frozen(kw_only=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    """Without the query."""
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Names in lower case; several of a name are joined by commas."""
    body: bytes = b""
    address: str = ""
    """The peer's."""


@attrs.frozen(kw_only=True)
class Response:
    """One response, whole."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


Handler = Callable[[Request], Awaitable[Response]]
App = Mapping[str, Mapping[str, Handler]]
"""Handlers by path and method; HEAD is answered by GET's."""


def plain(status: int, text: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """A plain-text response; without a text, the status's own words."""
    return Response(status=status, body=f"{text or HTTPStatus(status).phrase}\n".encode(), headers=headers or {})


class _Refused(Exception):
    """The request can't be answered as it is; the connection ends after this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


async def serve(stream: HttpStream, app: App, report: Callable[[Exception], None]) -> None:
    """Answer requests until either side has enough. A handler's exception is answered with 500 and given to
    ``report``. Ends without raising when the peer breaks off."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.HTTP_HEAD_BYTES)
    try:
        while await _exchange(stream, connection, app, report):
            connection.start_next_cycle()
    except trio.BrokenResourceError:
        pass  # the peer is gone: nothing is owed to it
    finally:
        stream.close()


async def _exchange(
    stream: HttpStream, connection: h11.Connection, app: App, report: Callable[[Exception], None]
) -> bool:
    """One request and its response; whether another may follow."""
    try:
        request = await _receive(stream, connection)
        if request is None:
            return False
        response = await _answer(app, request, report)
        head_only = request.method == "HEAD"
    except _Refused as refused:
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        response, head_only = attrs.evolve(refused.response, headers={"Connection": "close"}), False
    with trio.move_on_after(limits.HTTP_SEND_TIMEOUT / 1000) as patience:
        await _respond(stream, connection, response, head_only=head_only)
    return not patience.cancelled_caught and connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _receive(stream: HttpStream, connection: h11.Connection) -> Request | None:
    """The next request; None: there is none to come. Raises ``_Refused``."""
    if not connection.trailing_data[0]:
        with trio.move_on_after(limits.HTTP_IDLE / 1000) as patience:
            connection.receive_data(await stream.receive_some())
        if patience.cancelled_caught:
            return None
    with trio.move_on_after(limits.HTTP_REQUEST_TIMEOUT / 1000):
        try:
            return await _read_request(stream, connection)
        except h11.RemoteProtocolError as exc:
            status = exc.error_status_hint
            raise _Refused(plain(status, f"this is not a request that can be answered: {exc}")) from exc
    raise _Refused(plain(408))


async def _read_request(stream: HttpStream, connection: h11.Connection) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await stream.send_all(connection.send(go_on) or b"")
            connection.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > limits.HTTP_BODY_BYTES:
                raise _Refused(plain(413, f"a body of more than {limits.HTTP_BODY_BYTES} bytes"))
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body), stream.address)
        else:
            return None  # the connection is closed


def _request(head: h11.Request, body: bytes, address: str) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = head.target.decode("latin-1").partition("?")
    return Request(
        method=head.method.decode("ascii"), path=path, query=query, headers=headers, body=body, address=address
    )


async def _answer(app: App, request: Request, report: Callable[[Exception], None]) -> Response:
    if "websocket" in request.headers.get("upgrade", "").lower():
        return plain(426, "a WebSocket needs a connection of its own", {"Upgrade": "websocket"})
    methods = app.get(request.path)
    if methods is None:
        return plain(404)
    handler = methods.get("GET" if request.method == "HEAD" else request.method)
    if handler is None:
        allowed = sorted(methods.keys() | ({"HEAD"} if "GET" in methods else set()))
        return plain(405, headers={"Allow": ", ".join(allowed)})
    try:
        return await handler(request)
    except Exception as exc:  # one bad page must not stop the broker
        report(exc)
        return plain(500)


async def _respond(stream: HttpStream, connection: h11.Connection, response: Response, *, head_only: bool) -> None:
    headers = {
        **SECURITY_HEADERS,
        "Date": formatdate(usegmt=True),
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        **response.headers,
    }
    reason = HTTPStatus(response.status).phrase
    head = h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason.encode())
    data = connection.send(head) or b""
    if response.body and not head_only:
        data += connection.send(h11.Data(data=response.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(data)
