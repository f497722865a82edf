"""Whom a proxy speaks for, and everything that a client may write there to be somebody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transport.base import Opened
from broker.transport.forwarded import FORWARDED, client_of, networks, parse, within
from broker.transport.links import Settings
from broker.transport.memory import MemoryTransport
from broker.transport.upgrade import SUBPROTOCOL

PROXY = "10.1.0.1"
FOR = Settings(proxies=networks(["10.1.0.0/24", "fd00::/64"]))
STANDARD = Settings(proxies=FOR.proxies, proxy_header=FORWARDED)


@pytest.mark.parametrize(
    ("named", "counts"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("1.1.1.1,2.2.2.2,198.51.100.7 , 10.1.0.9", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("10.1.0.9", "10.1.0.9"),
        ("10.1.0.8, 10.1.0.9", "10.1.0.8"),
        ("", PROXY),
        ("unknown", PROXY),
        ("1.1.1.1, unknown", PROXY),
        ("1.1.1.1, unknown, 10.1.0.9", "10.1.0.9"),
        ("1.1.1.1,", PROXY),
        ("198.51.100.999", PROXY),
        ("198.51.100.7/24", PROXY),
        ("0x7f.1", PROXY),
        ("\xff", PROXY),
    ],
)
def test_the_rightmost_that_is_no_trusted_proxy_counts(named: str, counts: str) -> None:
    assert client_of(PROXY, named, FOR) == counts


@pytest.mark.parametrize(
    ("named", "counts"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ("For=198.51.100.7;proto=https;by=10.1.0.1", "198.51.100.7"),
        ('proto=https; for="[2001:db8::7]:4711"', "2001:db8::7"),
        ("for=1.1.1.1, for=198.51.100.7", "198.51.100.7"),
        ('for="1.1.1.1, for=198.51.100.7', "198.51.100.7"),
        ("for=198.51.100.7, for=10.1.0.9", "198.51.100.7"),
        ("xfor=1.1.1.1", PROXY),
        ("by=1.1.1.1", PROXY),
        ("for=_hidden", PROXY),
        ("198.51.100.7", PROXY),
    ],
)
def test_the_standard_header_is_read_the_same_way(named: str, counts: str) -> None:
    assert client_of(PROXY, named, STANDARD) == counts


@given(st.text(max_size=60))
def test_nobody_but_a_proxy_is_believed(named: str) -> None:
    assert client_of("198.51.100.7", named, FOR) == "198.51.100.7"
    assert client_of("198.51.100.7", named, Settings()) == "198.51.100.7"


@given(st.text(max_size=60), st.ip_addresses().filter(lambda address: not within(address, FOR.proxies)))
def test_whatever_a_client_writes_what_the_proxy_adds_counts(invented: str, client: object) -> None:
    added = parse(str(client))
    assert client_of(PROXY, f"{invented}, {client}", FOR) == str(added)
    shown = f"[{client}]" if ":" in str(client) else str(client)
    assert client_of(PROXY, f'{invented}, for="{shown}"', STANDARD) == str(added)


def test_an_address_is_read_or_not() -> None:
    assert str(parse("fe80::1%eth0")) == "fe80::1"
    assert parse("localhost") is None
    assert not within(None, FOR.proxies)


async def upgraded(settings: Settings, address: str, *headers: str) -> str:
    transport = MemoryTransport(settings)
    pipe = transport.dial(address=address)
    lines = [
        "GET /v1/ws HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        *headers,
    ]
    pipe.give("\r\n".join([*lines, "", ""]).encode("latin-1"))
    (opened,) = transport.poll()
    assert isinstance(opened, Opened)
    return opened.link.address


async def test_at_the_upgrade_the_header_of_the_proxy_is_read_and_no_other() -> None:
    named = ("Forwarded: for=1.1.1.1", "X-Forwarded-For: 2.2.2.2", "X-Real-IP: 3.3.3.3", "x-forwarded-for: 4.4.4.4")
    assert await upgraded(FOR, PROXY, *named) == "4.4.4.4"
    assert await upgraded(STANDARD, PROXY, *named) == "1.1.1.1"
    assert await upgraded(FOR, "5.5.5.5", *named) == "5.5.5.5"
    assert await upgraded(Settings(), PROXY, *named) == PROXY
    assert await upgraded(FOR, PROXY) == PROXY
