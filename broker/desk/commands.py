"""What the broker itself tells a desk. What people ask are the operations of ``broker.protocol.ops``."""

from __future__ import annotations

import attrs

from broker.content import Ref


@attrs.define(frozen=True)
class BrokerStart:
    """The first command after a start."""


@attrs.define(frozen=True)
class ConnectionLost:
    """The last connection of a person is gone: closed, or silent past the lease."""

    person: str


@attrs.define(frozen=True)
class ConnectionBack:
    """A person that had no connection has one."""

    person: str


@attrs.define(frozen=True)
class MachineBack:
    """The customer's end of a share that waits for a restart asks for its media anew."""

    share: str


@attrs.define(frozen=True)
class Watch:
    """A guest asks for the media of a share of its session for the first time."""

    share: str
    representative: str


@attrs.define(frozen=True)
class PinGuessing:
    """Wrong pins from one source (a shortened address) passed the limit."""

    portal: str | None
    source: str
    wrong: int


@attrs.define(frozen=True)
class SignIn:
    """A person proved who it is."""

    person: str
    role: str
    how: str
    """password or link."""
    network: str | None
    until: int
    """When it ends unless it is refreshed (ms)."""
    had: int = 0
    """How many passwords there had been when this one was looked at: another one since then was not."""


@attrs.define(frozen=True)
class Refresh:
    """A refresh token, verified, was shown."""

    person: str
    sign_in: str
    serial: int
    until: int


@attrs.define(frozen=True)
class SetPassword:
    """A password that meets the policy was chosen by a link; as the reference of its hash."""

    person: str
    password: Ref
    had: int
    """How many passwords there were when the link was made."""
    network: str | None = None


@attrs.define(frozen=True)
class Hashed:
    """What ``password.set`` needs: the reference of the hash, and the asker's own sign-in."""

    password: Ref
    keep: str | None
    had: int | None = None
    """Of one's own: how many passwords there had been when the present one was looked at."""


@attrs.define(frozen=True)
class Rehashed:
    """The password that was just found right, hashed at today's cost."""

    person: str
    password: Ref
    had: int


@attrs.define(frozen=True)
class MadeKey:
    """A new API key: its name, what it proves itself by, and its text, which is told once."""

    key: str
    digest: bytes
    text: str = attrs.field(repr=False)


@attrs.define(frozen=True)
class Audit:
    """Something that an audit says of a person and that no operation of the desk is."""

    person: str
    role: str
    network: str | None
    op: str
    object: str | None = None


@attrs.define(frozen=True)
class CountRefusals:
    """What was refused lately."""

    rows: tuple[tuple[str | None, str | None, str, int], ...]
    """(person, network, code, how often)."""
    more: int
    """Refusals of others, which had no room."""


@attrs.define(frozen=True)
class Gathered:
    """What ``case.delete`` needs: how far the streams of its session had been read for what is to be erased."""

    heads: tuple[int, int]
    """Of the session's stream, and of its staff's."""


@attrs.define(frozen=True)
class EraseCases:
    """Cases whose time is over, or for which there is no room."""

    cases: tuple[tuple[str, Gathered], ...]
    reason: str
    """retention or full."""


@attrs.define(frozen=True)
class MailAttempted:
    """What came of handing an e-mail of a case to the mail server."""

    mail: str
    state: str
    code: int
    reason: str


Internal = (
    BrokerStart
    | ConnectionLost
    | ConnectionBack
    | MachineBack
    | Watch
    | PinGuessing
    | SignIn
    | Refresh
    | SetPassword
    | Rehashed
    | Audit
    | CountRefusals
    | EraseCases
    | MailAttempted
)
