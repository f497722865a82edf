import pytest

from broker.transport.client import Client
from broker.transport.websocket import BINARY, CLOSE, PING, PONG, Bye, Violation, client_frame, server_frame

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def opened() -> Client:
    client = Client()
    client.receive(ACCEPTED)
    return client


def test_the_answer_to_the_upgrade_may_come_in_pieces_with_messages_behind() -> None:
    client = Client()
    stream = ACCEPTED + server_frame(BINARY, b"one") + server_frame(BINARY, b"two")
    got = [message for byte in stream for message in client.receive(bytes((byte,)))]
    assert got == [b"one", b"two"]
    assert client.opened


def test_a_refusal_is_kept() -> None:
    client = Client()
    assert client.receive(b"HTTP/1.1 426 Upgrade Required\r\n\r\nno\n") == []
    assert client.refused is not None
    assert (client.refused.status, client.refused.body) == (426, "no")


def test_pings_are_answered_and_pongs_kept() -> None:
    client = opened()
    client.receive(server_frame(PING, b"a") + server_frame(PONG, b"b"))
    assert bytes(client.outgoing) == client_frame(PONG, b"a")
    assert client.pongs == [b"b"]


@pytest.mark.parametrize("started", [True, False])
def test_a_close_is_answered_unless_it_is_the_answer(started: bool) -> None:  # noqa: FBT001 - a table's column
    client = opened()
    if started:
        client.close(4000)
    client.receive(server_frame(CLOSE, b"\x0f\xa0"))
    assert client.closed == Bye(4000, "")
    assert bytes(client.outgoing) == (b"" if started else client_frame(CLOSE, b"\x0f\xa0"))


def test_a_masked_frame_from_a_server_is_wrong() -> None:
    client = opened()
    client.receive(client_frame(BINARY, b"x"))
    assert isinstance(client.closed, Violation)
    assert client.closed.code == 1002
