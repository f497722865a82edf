"""What the operations answer, as values: one class for each result that holds more than what was asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from clients.python.account import Field, Reply
from clients.python.commands import LIST, MAP, TEXT


@attrs.frozen(kw_only=True)
class TranscriptPage:
    """A part of a transcript."""

    format: str
    data: str
    next: str | None = None
    """What the next page is asked for with; None: it was the last."""


@attrs.frozen(kw_only=True)
class Entrance:
    """A sub-portal, as its portal's page needs it."""

    subportal: str
    state: str | None
    """open, closing (its hours end soon), full or closed."""
    open: bool
    """Unless closed."""
    skills: Sequence[str] = ()
    """What its customers may ask for (``Customer.ask``)."""


@attrs.frozen(kw_only=True)
class Choice:
    """Somebody who can be picked now."""

    representative: str
    name: str = attrs.field(metadata={TEXT: True})
    subportal: str


@attrs.frozen(kw_only=True)
class Portal:
    """A portal as its page needs it (``portal.open``)."""

    portal: str
    title: str | None = attrs.field(metadata={TEXT: True})
    opens: int | None
    """Outside of its hours: when they begin (ms since 1970 UTC)."""
    language: str | None
    """Of texts and form."""
    texts: Mapping[str, Any] = attrs.field(factory=dict)
    """What the page says, by key; those that there are."""
    require: Sequence[str] = ()
    """What ``Customer.ask`` must have, of name, text and email."""
    form: Sequence[Field] = attrs.field(default=(), metadata={LIST: Field})
    """What it must have in ``fields``."""
    survey: Sequence[Field] = attrs.field(default=(), metadata={LIST: Field})
    """The same of ``Customer.rate``."""
    kind: str
    """pick, ask, button, pin or global_pin."""
    mode: str
    """web, phone or queue."""
    state: str | None
    """The best of its sub-portals'."""
    closes: int | None
    """While it is open: when its hours end."""
    open: bool
    subportals: Sequence[Entrance] = attrs.field(metadata={LIST: Entrance})
    representatives: Sequence[Choice] = attrs.field(metadata={LIST: Choice})
    """On a pick portal."""
    request: str | None
    """This customer's open request here."""


@attrs.frozen(kw_only=True)
class Replies:
    """The canned replies that somebody can send, or has set up (``reply.list``)."""

    replies: Sequence[Reply] = attrs.field(default=(), metadata={LIST: Reply})
    name: str | None = attrs.field(default=None, metadata={TEXT: True})
    """Of the representative that asked: what stands for {representative}."""


@attrs.frozen(kw_only=True)
class Asked:
    """A request of a customer (``request.create``, ``request.pick``)."""

    request: str
    session: str | None
    """Of ``request.create``: where the conversation will be."""
    state: str
    """waiting, offered or assigned; converted: nobody can help, it became a support request at once."""
    existing: bool | None
    """It was open already."""


@attrs.frozen(kw_only=True)
class Redeemed:
    """A pin was right (``pin.redeem``)."""

    request: str
    session: str
    representative: str
    name: str
    """Of the representative."""


@attrs.frozen(kw_only=True)
class Accepted:
    """A request is somebody's now (``offer.accept``, ``case.take``, ``case.assign``)."""

    request: str
    session: str


@attrs.frozen(kw_only=True)
class Left:
    """A question was left (``request.convert``)."""

    request: str
    case: str


@attrs.frozen(kw_only=True)
class Moved:
    """A case is in another state (``case.resolve``, ``case.reopen``)."""

    case: str
    status: str
    version: int


@attrs.frozen(kw_only=True)
class Clock:
    """How long it is (``Case.clock``)."""

    kind: str
    """waiting, chat or request."""
    ms: int
    """So far."""
    since: int | None
    """And all the time since then (ms since 1970 UTC); None: it stands."""

    def at(self, now: int) -> int:
        """What it shows then (ms).

        >>> Clock(kind="chat", ms=5, since=100).at(110), Clock(kind="chat", ms=5, since=None).at(110)
        (15, 5)
        """
        return self.ms if self.since is None else self.ms + max(0, now - self.since)


@attrs.frozen(kw_only=True)
class Case:
    """A case, as a list or (with what is behind ``representative_name``) ``case.get`` has it. Times are ms since 1970
    UTC."""

    case: str
    number: int
    request: str
    session: str
    portal: str
    subportal: str
    type: str
    """live_chat or support_request."""
    status: str
    """unassigned, assigned or resolved."""
    reason: str
    version: int
    listed: int
    representative: str | None
    created: int
    ended: int | None
    resolved: int | None
    clock: Clock = attrs.field(metadata={MAP: Clock})
    outcome: str | None
    rated: int | None
    name: str | None = attrs.field(metadata={TEXT: True})
    text: str | None = attrs.field(metadata={TEXT: True})
    representative_name: str | None = attrs.field(metadata={TEXT: True})
    visitor: str | None
    email: str | None = attrs.field(metadata={TEXT: True})
    question: str | None = attrs.field(metadata={TEXT: True})
    fields: Mapping[str, Any] | None
    page: str | None = attrs.field(metadata={TEXT: True})
    mails: Sequence[str] | None


@attrs.frozen(kw_only=True)
class Cases:
    """Some of those that were looked for (``case.search``)."""

    cases: Sequence[Case] = attrs.field(metadata={LIST: Case})
    next: int | None
    """There may be more: ask again, after this."""


@attrs.frozen(kw_only=True)
class Exported:
    """Some of what is stored about a customer (``customer.export``)."""

    cases: Sequence[Mapping[str, Any]]
    """Each with its ``case`` and the ``events`` of its session."""
    next: int | None
    """There may be more: ask again, after this."""
    visitors: Sequence[Mapping[str, Any]] = ()
    """What is kept of the visitors whose cases these are, by the ``visitor`` in each: a page may repeat another's."""


@attrs.frozen(kw_only=True)
class Waiting:
    """A request that stands in a line (``case.list``)."""

    request: str
    position: int
    state: str
    """waiting or offered."""
    class_: str
    arrived: int
    """ms since 1970 UTC."""
    name: str | None = attrs.field(metadata={TEXT: True})
    text: str | None = attrs.field(metadata={TEXT: True})
    """Both None for managers, and where the customer gave none."""
    fields: Mapping[str, Any] | None
    """What the customer filled into the portal's form; None as above."""
    page: str | None = attrs.field(metadata={TEXT: True})
    """Where it came from; None as above."""


@attrs.frozen(kw_only=True)
class Reason:
    """A part of the answer whether a function is on."""

    level: str
    """portal, representative, team, or default: nobody on the side of ``name`` has set it."""
    name: str
    value: bool | None
    """None: not set here."""
    decides: bool
    """Whether the answer is what it is because of this."""


@attrs.frozen(kw_only=True)
class EffectiveFunction:
    """Whether a function is on for a representative at a portal (``function.effective``)."""

    function: str
    on: bool
    reasons: Sequence[Reason] = attrs.field(metadata={LIST: Reason})
    """The portal's side, then the representative's from itself up."""


@attrs.frozen(kw_only=True)
class MadePin:
    """A pin to tell a customer (``pin.create``)."""

    id: str
    pin: str | None = attrs.field(repr=False)
    """Nine digits, told once: None where a repeated request found it made already. Revoke it then and make another."""
    expires: int
    """ms since 1970 UTC."""


@attrs.frozen(kw_only=True)
class PinState:
    """A pin and what became of it (``pin.list``)."""

    id: str
    state: str
    """live, used, expired or revoked."""
    created: int
    expires: int


@attrs.frozen(kw_only=True)
class Decision:
    """Something that was decided for a request (``request.why``). docs/how-to/why.md says how to read one."""

    seq: int
    """Of its record in the journal."""
    t: int
    """ms since 1970 UTC."""
    decision: str
    """offer.made, request.assigned, request.moved, ..."""
    request: str
    rule: str
    """What decided: a policy, or why else."""
    representative: str | None
    """Who was chosen, where somebody was."""
    told: Mapping[str, Any] = attrs.field(factory=dict)
    """All that is told of it, as it came."""


@attrs.frozen(kw_only=True)
class Renewed:
    """What a sign-in goes on with (``auth.refresh``)."""

    expires: int
    """Of the connection (ms since 1970 UTC)."""
    token: str | None = attrs.field(repr=False)
    """An access token for other connections."""
    refresh: str | None = attrs.field(repr=False)
    """The next refresh token."""


@attrs.frozen(kw_only=True)
class SignIn:
    """Where somebody is signed in (``sign_in.list``)."""

    sign_in: str
    how: str
    since: int
    until: int
    """Unless it is refreshed."""
    network: str | None
    """Not the host."""


@attrs.frozen(kw_only=True)
class Blocked:
    """A block (``visitor.block``)."""

    block: str
    until: int
    existing: bool
    """All of it was blocked already: this is that block, as it was."""


@attrs.frozen(kw_only=True)
class Block:
    """Somebody who is shut out (``block.list``)."""

    block: str
    what: str
    """visitor, address or both."""
    visitor: str | None
    network: str | None
    """Of the address; not the host."""
    reason: str
    by: str
    since: int
    until: int


@attrs.frozen(kw_only=True)
class MadeKey:
    """A new API key (``key.create``)."""

    prefix: str
    """Its name."""
    secret: str | None = attrs.field(repr=False)
    """Its whole text, told only once."""
    expires: int


@attrs.frozen(kw_only=True)
class Key:
    """A live API key (``key.list``)."""

    prefix: str
    """Names the key, and begins its text."""
    person: str
    created: int
    expires: int
    scopes: Sequence[str] | None
    """None: all that its service has."""
