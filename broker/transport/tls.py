"""TLS without sockets: an ``ssl.SSLObject`` between two memory buffers, and contexts from files.

What comes in is always decrypted to the end, so no plain bytes hide where the poller can't see them.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import attrs

from broker import limits


class BadCertificate(Exception):
    """The certificate or key file can't be used; the text says which and why."""


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """A server's context from PEM files: the certificate with its chain, and its key (None: in the same
    file). TLS 1.2 and up, no renegotiation. Raises ``BadCertificate``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as exc:  # SSLError is an OSError
        raise BadCertificate(f"{certificate}{f' with {key}' if key else ''}: {exc}") from exc
    return context


def _no_password() -> bytes:
    """OpenSSL would ask the terminal for it."""
    raise ValueError("the key is encrypted; a server needs it without a password")


@attrs.define(eq=False)
class Tls:
    """One connection's TLS, server side."""

    handshaking: bool
    ended: bool
    """The peer said that it sends no more (close_notify)."""
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _object: ssl.SSLObject

    @classmethod
    def start(cls, context: ssl.SSLContext) -> Tls:
        """A connection that waits for the peer's first bytes."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        return cls(True, False, incoming, outgoing, context.wrap_bio(incoming, outgoing, server_side=True))

    def receive(self, raw: bytes) -> bytes:
        """Take bytes from the socket, give the plain ones in them. ``outgoing`` may have something
        afterwards. Raises ``ssl.SSLError`` when the peer's bytes are no TLS, or altered."""
        self._incoming.write(raw)
        if self.handshaking:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.handshaking = False
        plain: list[bytes] = []
        while not self.ended:
            try:
                chunk = self._object.read(limits.READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                chunk = b""
            if not chunk:
                self.ended = True
            plain.append(chunk)
        return plain[0] if len(plain) == 1 else b"".join(plain)

    def encrypt(self, data: bytes) -> bytes:
        """Bytes for the socket that carry ``data``, and whatever else was to be sent."""
        if data:
            self._object.write(data)
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """What TLS itself has to send: its handshake, an alert."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def finish(self) -> bytes:
        """Say that we send no more; the bytes for the socket."""
        # WANT_READ: the peer's answer is not waited for. Any other error: there is nobody left to tell.
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._object.unwrap()
        return self.outgoing()
