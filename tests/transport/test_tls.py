"""TLS itself; that every other promise holds under it too is shown by the suite's TLS worlds."""

import ssl
from pathlib import Path

import pytest
import trustme

from broker import limits
from broker.transport.base import Closed, Opened
from broker.transport.links import Settings
from broker.transport.tls import BadCertificate, Tls, server_context
from tests.transport.worlds import TlsEnd, World, memory_world


def test_a_certificate_and_its_key_may_be_two_files(authority: trustme.CA, tmp_path: Path) -> None:
    leaf = authority.issue_cert("broker.test")
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    assert server_context(certificate, key).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_file_that_is_missing_or_no_certificate_is_named(tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    junk.write_text("nothing of the kind")
    with pytest.raises(BadCertificate, match=r"missing\.pem"):
        server_context(missing)
    with pytest.raises(BadCertificate, match=r"junk\.pem"):
        server_context(junk)


def test_a_key_of_another_certificate_is_refused(authority: trustme.CA, certificate: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    authority.issue_cert("other.test").private_key_pem.write_to_path(key)
    with pytest.raises(BadCertificate, match=r"key\.pem"):
        server_context(certificate, key)


def test_an_encrypted_key_is_refused_without_asking_the_terminal(certificate: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    plain = serialization.load_pem_private_key(certificate.read_bytes(), None)
    key = tmp_path / "key.pem"
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(BadCertificate, match="without a password"):
        server_context(certificate, key)


@pytest.fixture
def world(certificate: Path, trusting: ssl.SSLContext) -> World:
    return memory_world(Settings(), server_context(certificate), trusting)


def test_the_goodbye_is_said_in_tls_too(world: World) -> None:
    peer, link = world.open()
    world.transport.close(link)
    world.until(lambda: peer.end.ended)
    assert isinstance(peer.end, TlsEnd)
    assert peer.end.polite


def test_plain_http_on_a_tls_port_is_turned_away(world: World, certificate: Path) -> None:
    plain = memory_world(Settings(), server_context(certificate), None)
    caller = plain.call(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    plain.until(lambda: caller.end.ended)
    assert not plain.happenings
    assert plain.transport.statistics().refused == 1


def test_altered_bytes_end_the_link(world: World) -> None:
    peer, link = world.open()
    assert isinstance(peer.end, TlsEnd)
    peer.end._end.give(b"\x17\x03\x03\x00\x20" + bytes(32))
    world.until(lambda: world.of(Closed))
    ((code, reason),) = world.ends(link)
    assert code == 1006
    assert reason.startswith("TLS: ")


def test_handshakes_have_a_bounded_share_of_a_tick(world: World) -> None:
    count = 3 * limits.TICK_TLS_HANDSHAKES
    peers = [world.connect() for _ in range(count)]
    before = world.transport.statistics().bytes_out
    world.turn()
    steps = [peer for peer in peers if isinstance(peer.end, TlsEnd) and peer.end._ready]
    assert len(steps) <= limits.TICK_TLS_HANDSHAKES
    assert world.transport.statistics().bytes_out > before
    world.until(lambda: len(world.of(Opened)) == count)


def test_an_old_protocol_is_refused(certificate: Path, authority: trustme.CA) -> None:
    tls = Tls.start(server_context(certificate))
    hello = bytes.fromhex("160301002f0100002b0301") + bytes(32) + bytes.fromhex("000004002f003501000000")
    with pytest.raises(ssl.SSLError):
        tls.receive(hello)
    assert tls.outgoing(), "an alert"
