import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transport.client import Client
from broker.transport.upgrade import Accepted, Page, Refused, accept_value, head_length, judge

GOOD = {
    "Host": "broker.test",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "mqtt, huntgroup.v1.msgpack",
}


def head(line: str = "GET /v1/ws HTTP/1.1", **changes: str | None) -> bytes:
    headers = {**GOOD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [line, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def refused(data: bytes, status: int) -> str:
    """The refusal's reason."""
    verdict = judge(data)
    assert isinstance(verdict, Refused)
    assert verdict.response.startswith(b"HTTP/1.1 %d " % status)
    assert verdict.response.endswith(b"\r\n\r\n" + verdict.reason.encode() + b"\n")
    return verdict.reason


def test_the_rfcs_own_example() -> None:
    assert accept_value(b"dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_good_handshake_is_accepted_with_its_subprotocol() -> None:
    verdict = judge(head(Origin="https://shop.example"))
    assert isinstance(verdict, Accepted)
    assert verdict.origin == "https://shop.example"
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in verdict.response
    assert b"\r\nSec-WebSocket-Protocol: huntgroup.v1.msgpack\r\n" in verdict.response


def test_a_query_and_headers_in_several_lines_do_not_disturb() -> None:
    data = head("GET /v1/ws?from=here HTTP/1.1", Sec_WebSocket_Protocol=None)
    data = data.replace(
        b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: huntgroup.v1.msgpack\r\n\r\n"
    )
    assert isinstance(judge(data), Accepted)


def test_without_a_wanted_subprotocol_none_is_chosen() -> None:
    verdict = judge(head(), subprotocol=None)
    assert isinstance(verdict, Accepted)
    assert b"Sec-WebSocket-Protocol" not in verdict.response


def test_extensions_are_not_agreed_to() -> None:
    verdict = judge(head(Sec_WebSocket_Extensions="permessage-deflate"))
    assert isinstance(verdict, Accepted)
    assert b"Extensions" not in verdict.response


@pytest.mark.parametrize(
    ("data", "status", "named"),
    [
        (head(Upgrade=None), 426, "connect here with a WebSocket"),
        (head("POST /v1/ws HTTP/1.1", Upgrade=None), 405, "connect here with a WebSocket"),
        (head("GET /v2/ws HTTP/1.1"), 404, "/v1/ws"),
        (head("POST /v1/ws HTTP/1.1"), 400, "GET"),
        (head("GET /v1/ws HTTP/1.0"), 400, "HTTP/1.1"),
        (head(Connection="keep-alive"), 400, "Connection: Upgrade"),
        (head(Sec_WebSocket_Version="8"), 426, "version 13"),
        (head(Sec_WebSocket_Version=None), 426, "version 13"),
        (head(Sec_WebSocket_Key=None), 400, "Sec-WebSocket-Key"),
        (head(Sec_WebSocket_Key="c2hvcnQ="), 400, "Sec-WebSocket-Key"),
        (head(Sec_WebSocket_Key="not base64 at all!"), 400, "Sec-WebSocket-Key"),
        (head(Sec_WebSocket_Protocol=None), 400, "huntgroup.v1.msgpack"),
        (head(Sec_WebSocket_Protocol="huntgroup.v2.msgpack"), 400, "huntgroup.v1.msgpack"),
        (head(Content_Length="5"), 400, "no body"),
        (head(Host=None), 400, "HTTP/1.1"),
        (b"\r\n\r\n", 400, "HTTP/1.1"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, status: int, named: str) -> None:
    assert named in refused(data, status)


def test_a_426_tells_what_to_upgrade_to() -> None:
    verdict = judge(head(Sec_WebSocket_Version="8"))
    assert isinstance(verdict, Refused)
    assert b"\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" in verdict.response


def test_any_other_request_is_a_page() -> None:
    assert judge(head("GET / HTTP/1.1", Upgrade=None)) == Page(None)
    assert judge(head("POST /x HTTP/1.1", Upgrade="h2c", Origin="https://a.example")) == Page("https://a.example")


def test_the_head_ends_at_the_blank_line_wherever_the_reads_ended() -> None:
    data = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest"
    length = len(data) - 4
    for cut in range(length):
        assert head_length(data[:cut], max(0, cut - 1)) is None
        assert head_length(data, cut) == length
    assert head_length(b"GET / HTTP/1.1\n\nrest", 0) == 16


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_random_heads_never_raise(data: bytes) -> None:
    assert judge(data + b"\r\n\r\n") is not None
    assert judge(b"GET /v1/ws HTTP/1.1\r\nUpgrade: websocket\r\n" + data + b"\r\n\r\n") is not None


def test_what_the_client_asks_for_is_accepted() -> None:
    assert isinstance(judge(Client(origin="https://shop.example").request()), Accepted)
