"""E-mails as values, and the words of those that the broker sends. How they travel: ``mail`` and ``smtp``.

What is in one is personal, and its link is as good as a password: nothing of it is ever printed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import attrs

from broker.addresses import is_address
from broker.limits import MAX_MAIL_BYTES, MAX_SUBJECT_CHARS
from broker.units import DAYS, HOURS, MINUTES, SECONDS

MAX_NAME_CHARS: Final = 64  # of an account, as we write it into a letter

_LINK: Final = re.compile(r"https?://[!-~]+", re.ASCII)
_POLICY: Final = SMTP.clone(cte_type="7bit")  # what isn't ASCII is encoded: not every server takes 8 bits
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_BREAK: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")  # what some programs write where a line ends
_SPACE: Final = str.maketrans("", "", "\t\n")
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _address(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_address(value):
        raise ValueError(f"{attribute.name}: expected one plain e-mail address")


def _subject(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not 1 <= len(value) <= MAX_SUBJECT_CHARS or _CONTROL.search(value) is not None:
        raise ValueError(f"{attribute.name}: expected one line of at most {MAX_SUBJECT_CHARS} characters")


def _text(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if len(value.encode("utf-8", "surrogatepass")) > MAX_MAIL_BYTES:
        raise ValueError(f"{attribute.name}: expected at most {MAX_MAIL_BYTES} bytes")
    if _CONTROL.search(value.translate(_SPACE)) is not None:
        raise ValueError(f"{attribute.name}: expected plain text")


def readable(text: str) -> str:
    """What somebody wrote, pasted, or had a program write, as a letter's text: each line ends as ours do, and what
    nobody sees is gone."""
    return _UNSEEN.sub("", _BREAK.sub("\n", text))


def one_line(text: str) -> str:
    """The same for a subject: empty if nothing was to be seen."""
    return " ".join(readable(text).split())


@attrs.frozen(kw_only=True)
class Mail:
    """One e-mail to one person. Raises ``ValueError``, naming the field, for what can't be sent."""

    to: str = attrs.field(repr=False, validator=_address)
    subject: str = attrs.field(repr=False, validator=_subject)
    text: str = attrs.field(repr=False, validator=_text)
    reply_to: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_address))
    automatic: bool = attrs.field(default=True, repr=False)
    """Whether nobody wrote it: then nobody's holiday answer is to come back."""


def write(mail: Mail, *, sender: str, now: int, name: str) -> bytes:
    """The message as it travels. ``name`` tells it from all others: letters and digits, the same at every attempt."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(now // SECONDS, UTC))
    message["Message-ID"] = f"<{name}@{sender.partition('@')[2]}>"
    if mail.reply_to is not None:
        message["Reply-To"] = mail.reply_to
    if mail.automatic:
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answer comes back
        message["X-Auto-Response-Suppress"] = "All"  # the same, for servers that don't know it
    message.set_content(mail.text, charset="utf-8")
    return message.as_bytes()


# --- what is said --------------------------------------------------------------------------------


def compose_reset(to: str, *, link: str, account: str, good_for: int) -> Mail:
    """To who asked for a new password. ``good_for``: how long the link is, in milliseconds."""
    return Mail(
        to=to,
        subject=f"Set a new password for {_name(account)}",
        text=f"""Hello,

somebody, probably you, asked to set a new password for your sign-in to {account}.
To choose one, please open this page within {duration(good_for)}:

{_link(link)}

The link works once. Please don't pass it on: whoever opens it can choose your password.

If it wasn't you, there is nothing to do. Your password stays as it is.
""",
    )


def compose_welcome(to: str, *, link: str, account: str, good_for: int) -> Mail:
    """To somebody new, who has no password yet."""
    return Mail(
        to=to,
        subject=f"Welcome to {_name(account)}",
        text=f"""Hello,

there is a sign-in to {account} for you now.
To choose your password, please open this page within {duration(good_for)}:

{_link(link)}

The link works once. Please don't pass it on: whoever opens it can choose your password.

If you don't know what this is about, there is nothing to do.
""",
    )


def duration(ms: int) -> str:
    """A time span as people say it, never longer than it is.

    >>> duration(90 * MINUTES), duration(24 * HOURS), duration(1 * HOURS)
    ('90 minutes', '1 day', '1 hour')
    """
    for unit, name in ((DAYS, "day"), (HOURS, "hour"), (MINUTES, "minute")):
        if ms % unit == 0 or unit == MINUTES:
            count = max(1, ms // unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    raise AssertionError("minutes fit everything")


def _name(account: str) -> str:
    if not 1 <= len(account) <= MAX_NAME_CHARS or _CONTROL.search(account) is not None:
        raise ValueError(f"account: expected a name on one line, at most {MAX_NAME_CHARS} characters")
    return account


def _link(link: str) -> str:
    if _LINK.fullmatch(link) is None:
        raise ValueError("link: expected an http or https address")
    return link
