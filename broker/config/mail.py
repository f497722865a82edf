"""From the mail section to what sends: the password read from its file, and everything checked once more as a whole."""

from __future__ import annotations

from broker.config import secret_file
from broker.config.load import ConfigError
from broker.config.settings import Mail
from broker.identity.smtp import Courier, Settings


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
            password=mail.password or secret_file.read(mail.password_file, "mail.password_file"),
            timeout=mail.timeout_ms,
            authorities=mail.authorities,
        )
    except ValueError as error:
        raise ConfigError([f"mail.{error}"]) from None
