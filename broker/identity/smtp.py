"""One attempt to hand an e-mail to an SMTP server, in a thread of its own, within a time that holds.

Python's smtplib speaks the protocol: it is old, kept, and blocks. What came of an attempt is a word and a number; what
the server wrote is read by nobody, for it quotes addresses.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Final

import attrs
import trio

from broker.addresses import is_address
from broker.identity.secrecy import Secret
from broker.limits import MAIL_SENDERS, MAIL_TIMEOUT
from broker.units import SECONDS

PORTS: Final = {"none": 25, "starttls": 587, "tls": 465}
"""Usual ports, by how connections are secured."""

_SPARE_SECONDS: Final = 5.0  # longer than the attempt: its own end comes first, and knows that it was the time


class Came(Enum):
    """What came of an attempt."""

    SENT = "sent"
    AGAIN = "again"
    """Not now: a later attempt may do better."""
    NEVER = "never"
    """The server says no, and would again."""


@attrs.frozen
class Attempt:
    """An attempt and why it ended so: nothing personal in it."""

    came: Came
    reason: str = ""
    """One word."""
    code: int = 0
    """The server's, where it gave one."""


def _host(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value:
        raise ValueError(f"{attribute.name}: expected a host name")


def _security(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in PORTS:
        raise ValueError(f"{attribute.name}: expected one of {', '.join(PORTS)}")


def _sender(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_address(value):
        raise ValueError(f"{attribute.name}: expected one plain e-mail address")


@attrs.frozen(kw_only=True)
class Settings:
    """The server that takes our e-mail."""

    host: str = attrs.field(validator=_host)
    sender: str = attrs.field(validator=_sender)
    """Who writes: a plain address."""
    security: str = attrs.field(default="starttls", validator=_security)
    """starttls and tls check the server's certificate, and never fall back to none."""
    port: int | None = None
    """None: the usual one."""
    user: str | None = None
    password: Secret | None = None
    timeout: int = MAIL_TIMEOUT
    """Milliseconds that one attempt may take, from connecting to the server's last word."""
    authorities: Path | None = None
    """A PEM file of authorities to trust instead of the system's."""

    def __attrs_post_init__(self) -> None:
        if (self.user is None) is not (self.password is None):
            raise ValueError("user: expected together with password, or neither")
        if self.user is not None and self.security == "none":
            raise ValueError("security: expected starttls or tls with a password, which would travel in the clear")

    def context(self) -> ssl.SSLContext | None:
        """How to check the server. Raises ``OSError`` where the authorities can't be read."""
        if self.security == "none":
            return None
        found = ssl.create_default_context(cafile=self.authorities)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        return found


class Courier:
    """Hands messages to one server. Keeps no connection: ours are minutes apart."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = settings.context()
        # An attempt that is out of time leaves its thread behind until the cut reaches it: room for one more each.
        self._limiter = trio.CapacityLimiter(2 * MAIL_SENDERS)

    async def deliver(self, to: str, message: bytes) -> Attempt:
        """Try once. Whatever happens comes as an ``Attempt``, save for being cancelled."""
        conversation = _Conversation(self._settings, self._context, to, message)
        try:
            with trio.move_on_after(self._settings.timeout / SECONDS):
                return await trio.to_thread.run_sync(conversation.run, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            conversation.cut()
        return Attempt(Came.AGAIN, "timeout")


class _Conversation:
    """One connection, run in a thread; ``cut`` ends it from another."""

    def __init__(self, settings: Settings, context: ssl.SSLContext | None, to: str, message: bytes) -> None:
        self._settings = settings
        self._context = context
        self._to = to
        self._message = message
        self._over = False
        self._smtp = self._open()

    def run(self) -> Attempt:
        try:
            return self._talk()
        except smtplib.SMTPNotSupportedError:
            return Attempt(Came.NEVER, "unsupported")
        except smtplib.SMTPRecipientsRefused as error:
            return _answered(*(code for code, _ in error.recipients.values()))
        except smtplib.SMTPResponseException as error:
            return _answered(error.smtp_code)
        except ssl.SSLError:
            return Attempt(Came.AGAIN, "tls")
        except TimeoutError:
            return Attempt(Came.AGAIN, "timeout")
        except (OSError, smtplib.SMTPException):  # smtplib's own are OSErrors; it calls a lost connection by its name
            return Attempt(Came.AGAIN, "unreachable")
        except Exception as error:  # a server that answers what smtplib can't read must not stop the other e-mails
            return Attempt(Came.AGAIN, type(error).__name__)
        finally:
            self._smtp.close()

    def cut(self) -> None:
        """Let whatever ``run`` waits for fail at once. After its end this does nothing."""
        self._over = True
        sock = self._smtp.sock
        if sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not the TLS socket's own, which isn't for two threads

    def _open(self) -> smtplib.SMTP:
        seconds = self._settings.timeout / SECONDS + _SPARE_SECONDS
        # By default smtplib looks its own name up and tells it; the sender's domain is known, and no machine's name.
        name = self._settings.sender.partition("@")[2]
        if self._settings.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=name, timeout=seconds, context=self._context)
        else:
            smtp = smtplib.SMTP(local_hostname=name, timeout=seconds)
        # What certificates are checked against. Given to the constructor it would connect there, out of `cut`'s reach.
        smtp._host = self._settings.host  # type: ignore[attr-defined]  # not in its types
        return smtp

    def _talk(self) -> Attempt:
        smtp, settings = self._smtp, self._settings
        code, _ = smtp.connect(settings.host, settings.port or PORTS[settings.security])
        if self._over:
            return Attempt(Came.AGAIN, "timeout")
        if code != 220:
            return _answered(code)
        if settings.security == "starttls":
            smtp.ehlo_or_helo_if_needed()
            smtp.starttls(context=self._context)
        if settings.user is not None and settings.password is not None:
            smtp.login(settings.user, settings.password.reveal())
        smtp.sendmail(settings.sender, [self._to], self._message)
        with suppress(smtplib.SMTPException, OSError):  # it has been taken: what comes of our goodbye changes nothing
            smtp.quit()
        return Attempt(Came.SENT)


def _answered(code: int) -> Attempt:
    """What a code means (RFC 5321, 4.2.1): from 500 on it is for good. What isn't a code may get better."""
    return Attempt(Came.NEVER, "refused", code) if 500 <= code <= 599 else Attempt(Came.AGAIN, "deferred", code)
