import pytest

from broker.codes import Close
from broker.protocol.errors import LocalProtocolError, ProtocolError, RemoteProtocolError, goodbye
from broker.protocol.frames import Goodbye


@pytest.mark.parametrize("code", list(Close))
def test_a_goodbyes_action_follows_from_its_code(code: Close) -> None:
    assert goodbye(code, "because") == Goodbye(int(code), "because", 1 if code < 4500 else 0)


def test_a_goodbye_with_an_address_sends_there() -> None:
    assert goodbye(Close.SHUTDOWN, "moved", url="wss://b.example") == Goodbye(4000, "moved", 2, None, "wss://b.example")


def test_a_goodbye_may_say_when() -> None:
    assert goodbye(Close.BUSY, "full", retry_ms=500) == Goodbye(4029, "full", 1, 500)


@pytest.mark.parametrize(("text", "kept"), [("x" * 600, "x" * 512), ("ü" * 300, "ü" * 256), ("🙂" * 200, "🙂" * 128)])
def test_a_goodbyes_text_is_cut_to_its_bound_between_characters(text: str, kept: str) -> None:
    assert goodbye(Close.PROTOCOL, text).text == kept


def test_a_remote_error_brings_its_farewell() -> None:
    assert RemoteProtocolError("PING.nonce: expected an int").farewell == Goodbye(
        4501, "PING.nonce: expected an int", 0
    )
    assert RemoteProtocolError("too late", Close.DEAD).farewell == Goodbye(4009, "too late", 1)


def test_both_errors_are_protocol_errors() -> None:
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert issubclass(LocalProtocolError, ProtocolError)
