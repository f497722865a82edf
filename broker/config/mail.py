"""From the mail section to what sends: the password read from its file, and everything checked once more as a whole."""

from __future__ import annotations

import re

from broker.config.load import ConfigError
from broker.config.settings import Mail
from broker.identity.secrecy import Secret
from broker.identity.smtp import Courier, Settings

_PASSWORD = re.compile(r"[!-~]{1,255}", re.ASCII)


def courier(mail: Mail) -> Courier | None:
    """What brings e-mail to the configured server; None where none is configured. Raises ``ConfigError``."""
    settings = smtp_settings(mail)
    if settings is None:
        return None
    try:
        return Courier(settings)
    except OSError as error:
        raise ConfigError([f"mail.authorities: can't be used: {error.strerror or type(error).__name__}"]) from None


def smtp_settings(mail: Mail) -> Settings | None:
    """The same as values. Raises ``ConfigError``, which never quotes the password's file."""
    if mail.host is None or mail.sender is None:
        return None
    try:
        return Settings(
            host=mail.host,
            sender=mail.sender,
            security=mail.security,
            port=mail.port,
            user=mail.user,
            password=mail.password or _read(mail),
            timeout=mail.timeout_ms,
            authorities=mail.authorities,
        )
    except ValueError as error:
        raise ConfigError([f"mail.{error}"]) from None


def _read(mail: Mail) -> Secret | None:
    if mail.password_file is None:
        return None
    try:
        with mail.password_file.open(encoding="ascii") as file:
            line = file.readline(300).rstrip("\r\n")
    except OSError as error:
        raise ConfigError([f"mail.password_file: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        line = ""
    if _PASSWORD.fullmatch(line) is None:
        raise ConfigError(["mail.password_file: expected 1 to 255 printable ASCII characters on its first line"])
    return Secret(line)
