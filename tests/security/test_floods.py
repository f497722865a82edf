"""The attack: to take all of something (sockets, memory, the broker's time) so that nothing is left for customers.

Real sockets and a broker of its own. Each time somebody honest is served while it lasts, and afterwards.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from bench.load.people import sign_in
from bench.load.ws import cut, frame
from broker import limits
from broker.codes import Close
from broker.protocol import codec, frames
from tests.security.target import HEAD, Target, end_of, target

pytestmark = pytest.mark.slow

HALF_OPEN = 10_000
GROWTH_KIB = 48 * 1024  # 4,096 sockets of a KiB or two each, their places, and what an allocator keeps


@pytest.fixture(name="broker", scope="module")
def _broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("target")) as found:
        found.serve_somebody()
        yield found


def flood(port: int, count: int, addresses: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.security.flooder", str(port), str(count), str(addresses)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def held(flooder: subprocess.Popen[str]) -> int:
    assert flooder.stdout is not None
    found = re.fullmatch(r"held (\d+)\n", flooder.stdout.readline())
    assert found is not None
    return int(found[1])


def test_ten_thousand_half_open_sockets_from_many_addresses_keep_nobody_out(broker: Target) -> None:
    before = broker.memory_kib()
    with flood(broker.port, HALF_OPEN, 64) as flooder:
        assert held(flooder) > 0
        for _ in range(5):
            broker.serve_somebody()
        assert broker.figure("transport_handshaking") <= limits.MAX_HANDSHAKES
        assert broker.memory_kib() - before < GROWTH_KIB
        flooder.communicate()
    broker.serve_somebody()
    assert broker.memory_kib() - before < GROWTH_KIB
    refused = broker.metrics()
    turned_away = sum(
        refused[f'huntgroup_refused_sockets_count_total{{reason="{reason}"}}']
        for reason in ("made_room", "no_head", "door")
    )
    assert turned_away > 0


def test_one_address_holds_its_share_of_half_open_sockets_and_no_more(broker: Target) -> None:
    attackers = [broker.dial("127.7.7.7") for _ in range(limits.ADDRESS_HANDSHAKES)]
    last = broker.dial("127.7.7.7")
    assert end_of(last) == b""
    assert broker.figure("refused_addresses_count_total", '{reason="handshakes"}') >= 1
    broker.serve_somebody()
    for attacker in (*attackers, last):
        attacker.close()


HEADS = {
    "one header of 16 KiB": HEAD + b"X: " + b"x" * limits.HTTP_HEAD_BYTES,
    "a thousand headers": HEAD + b"".join(b"X-%d: 0123456789\r\n" % n for n in range(1000)),
    "an endless request line": b"GET /" + b"a" * limits.HTTP_HEAD_BYTES,
}


@pytest.mark.parametrize("name", list(HEADS))
def test_a_head_too_long_is_refused_before_its_end(name: str, broker: Target) -> None:
    attacker = broker.dial("127.7.0.1")
    attacker.sendall(HEADS[name])
    assert end_of(attacker).startswith(b"HTTP/1.1 431 ")
    attacker.close()


def test_heads_that_come_a_byte_at_a_time_have_five_seconds_in_all(broker: Target) -> None:
    attackers = [broker.dial("127.7.0.2") for _ in range(50)]
    for attacker in attackers:
        attacker.settimeout(0.5)
    ended: set[int] = set()
    for byte in HEAD:
        for number, attacker in enumerate(attackers):
            try:
                attacker.sendall(bytes([byte]))
            except OSError:
                ended.add(number)
        broker.serve_somebody()
        try:
            assert attackers[0].recv(1) == b""
            break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    else:
        raise AssertionError("a slow head was waited for to its end")
    for attacker in attackers:
        attacker.close()


SMUGGLED = {
    "a body by its length": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "a body in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both": HEAD + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 7\r\n\r\n",
    "HTTP/1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
    "POST": HEAD.replace(b"GET", b"POST") + b"\r\n",
    "two keys": HEAD + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "two hosts": HEAD + b"Host: y\r\n\r\n",
    "a bare CR": HEAD + b"X: a\rb\r\n\r\n",
    "a NUL": HEAD + b"X: a\0b\r\n\r\n",
    "another path": HEAD.replace(b"/v1/ws", b"/v1/ws/../metrics") + b"\r\n",
}


@pytest.mark.parametrize("name", list(SMUGGLED))
def test_a_smuggled_upgrade_is_refused(name: str, broker: Target) -> None:
    attacker = broker.dial("127.7.0.3")
    attacker.sendall(SMUGGLED[name])
    answer = end_of(attacker)
    assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer
    assert b" 101 " not in answer
    attacker.close()


def test_a_request_behind_the_upgrade_is_no_request(broker: Target) -> None:
    """Whoever pipelines a page behind the upgrade gets a protocol error, and no page."""
    attacker = broker.dial("127.7.0.4")
    attacker.sendall(HEAD + b"\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = end_of(attacker)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"huntgroup_" not in answer
    attacker.close()


def closed_with(attacker: socket.socket) -> int:
    """The code of the broker's close frame."""
    data = end_of(attacker)
    while data:
        found = cut(data)
        assert found is not None
        opcode, payload, used = found
        if opcode == 8:
            return int.from_bytes(payload[:2], "big")
        data = data[used:]
    raise AssertionError("no close frame came")


def signed_in(broker: Target) -> socket.socket:
    return sign_in(broker.port, [{"portal": "acme/help"}])[0].socket.sock


PING = codec.pack(frames.Ping(1, 1))
REQUEST = codec.pack(frames.Request(1, "portal.open", {}))


@pytest.mark.parametrize(
    ("payload", "code"),
    [(PING, Close.TOO_FAST), (REQUEST, None), (b"\xdd\xff\xff\xff\xff", Close.PROTOCOL), (b"\x91" * 100, 4501)],
    ids=["pings", "requests", "a huge header", "a deep list"],
)
def test_a_flood_of_frames_ends_the_connection(payload: bytes, code: int | None, broker: Target) -> None:
    before = broker.memory_kib()
    attacker = signed_in(broker)
    wired = frame(payload) * 50
    try:
        for _ in range(400):
            attacker.sendall(wired)
    except OSError:
        pass
    broker.serve_somebody()
    if code is not None:
        assert closed_with(attacker) in (code, Close.TOO_FAST)
    else:
        end_of(attacker)
    attacker.close()
    assert broker.memory_kib() - before < GROWTH_KIB


def test_pings_without_reading_the_pongs_cost_no_memory(broker: Target) -> None:
    before = broker.memory_kib()
    attacker = signed_in(broker)
    attacker.settimeout(1)
    wired = frame(b"x" * 125, opcode=9) * 100
    try:
        for _ in range(2000):
            attacker.sendall(wired)
    except OSError:
        pass
    broker.serve_somebody()
    assert broker.memory_kib() - before < GROWTH_KIB
    attacker.close()


def test_a_message_in_endless_fragments_ends_at_its_bound(broker: Target) -> None:
    attacker = signed_in(broker)
    first = bytearray(frame(b"x" * 1000, opcode=2))
    first[0] &= 0x7F
    more = bytearray(frame(b"x" * 1000, opcode=0))
    more[0] &= 0x7F
    try:
        attacker.sendall(first)
        for _ in range(1000):
            attacker.sendall(more)
    except OSError:
        pass
    assert closed_with(attacker) == 1009
    broker.serve_somebody()
    attacker.close()


def test_a_flood_of_bad_sign_ins_shuts_its_address_out_and_nobody_else(broker: Target) -> None:
    failed = 0
    for _ in range(200):
        try:
            attacker = broker.dial("127.7.0.9")
        except ConnectionResetError:
            continue
        with suppress(OSError):
            attacker.sendall(HEAD + b"\r\n" + frame(codec.pack(frames.Hello([1], [], {"token": "x"}, {}))))
        said = b"-"
        data = b""
        with suppress(OSError):
            while said and b"installation" not in data:
                said = attacker.recv(4096)
                data += said
        failed += bool(data)
        attacker.close()
    assert failed < 100
    assert broker.figure("refused_addresses_count_total", '{reason="failures"}') >= 50
    broker.serve_somebody()


def test_slow_tls_handshakes_keep_nobody_out(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with target(tmp_path, 'certificate = "server.pem"\nkey = "server.pem"') as broker:
        hello = client_hello()
        attackers = [broker.dial(f"127.7.1.{number % 8 + 1}") for number in range(800)]
        for number, attacker in enumerate(attackers):
            attacker.sendall(hello[: 1 + number % (len(hello) - 1)])
        context = ssl.create_default_context()
        authority.configure_trust(context)
        before = broker.memory_kib()
        for _ in range(5):
            with context.wrap_socket(broker.dial(), server_hostname="127.0.0.1") as honest:
                honest.sendall(HEAD + b"\r\n")
                assert honest.recv(100).startswith(b"HTTP/1.1 101 ")
        assert broker.memory_kib() - before < GROWTH_KIB
        for attacker in attackers:
            attacker.close()


def client_hello() -> bytes:
    """The first bytes of a TLS handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
    return outgoing.read()
