"""An account as managers set it up: what ``Manager.put_…`` take beside names and numbers, and what ``account()`` gives.

Words that Python keeps for itself end in an underscore, as everywhere in this client: ``class_``, ``from_``.
What each setting does: docs/explanation/routing.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs

from clients.python.commands import ERASED, LIST, MAP, TEXT

Policy = Literal["least_occupied", "longest_idle", "round_robin", "weighted"]
"""How one of the free representatives is chosen."""
Mode = Literal["web", "phone", "queue"]
Take = Literal["any", "head", "off"]
"""What representatives may take by hand."""
Monitoring = Literal["off", "announced", "silent"]
"""Whether managers may look on in a portal's sessions, and whether those in there are told."""
Guests = Literal["full", "view_only"]
"""What guests of a portal's sessions may do: what is on for them, or look on alone."""
WebChat = Literal["none", "chat_only", "upgradable"]
"""Whether a portal's customers write in the page, and whether that may become a screen share."""
Function = Literal[
    "chat",
    "web_chat",
    "screen_share",
    "control",
    "file_transfer",
    "reboot",
    "recording",
    "monitoring",
    "collaboration",
    "external_specialists",
]
"""What can be done in a session."""
Functions = Mapping[Function, bool]
"""What is set; what is missing is decided elsewhere."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@attrs.frozen
class Class:
    """A class that requests of a portal may be given; normal is always there."""

    class_: str
    boost_ms: int
    """They stand as if they had arrived so much earlier."""


@attrs.frozen
class Skill:
    """What a representative can do."""

    skill: str
    level: int
    """1 to 100."""


@attrs.frozen
class Needed:
    """What the requests of a sub-portal need."""

    skill: str
    level: int
    """At least."""
    asked: bool = attrs.field(default=False, kw_only=True)
    """Only those that ask for it."""


@attrs.frozen
class Relax:
    """From some wait on, levels are lower; what falls to 0 is needed no longer."""

    after_ms: int
    less: int


@attrs.frozen
class Overflow:
    """When a request goes elsewhere: ``wait`` has after_ms, ``length`` has length, ``staffing`` neither."""

    on: Literal["wait", "length", "staffing"]
    after_ms: int | None = attrs.field(default=None, kw_only=True)
    length: int | None = attrs.field(default=None, kw_only=True)
    to: str | None = attrs.field(default=None, kw_only=True)
    """A sub-portal; None: it becomes a support request."""


@attrs.frozen
class Weekly:
    """Open on this day of every week; local times as HH:MM, 24:00 is the day's end."""

    day: Day
    from_: str
    to: str


@attrs.frozen
class Holiday:
    """A date (YYYY-MM-DD) that is not as its day of the week: closed, or open at these times."""

    date: str
    from_: str | None = None
    to: str | None = None


@attrs.frozen(kw_only=True)
class Files:
    """What may be sent in a portal's sessions, where ``file_transfer`` is on. What is None is as by default."""

    max_bytes: int | None = None
    session_bytes: int | None = None
    types: Sequence[str] | None = None
    """Media types; ``image/*`` is every picture but image/svg+xml."""


@attrs.frozen
class Hours:
    """When requests may be made."""

    zone: str
    """Of the IANA time zone database: Europe/Berlin."""
    weekly: Sequence[Weekly] = attrs.field(metadata={LIST: Weekly})
    holidays: Sequence[Holiday] = attrs.field(default=(), metadata={LIST: Holiday})


FieldType = Literal["text", "long_text", "email", "phone", "number", "choice", "checkbox", "date"]
Required = Literal["name", "text", "email"]
Label = str | Mapping[str, str]
"""A text, or texts by language."""


@attrs.frozen
class Choice:
    """One of those that a field of type ``choice`` has."""

    choice: str
    label: Label


@attrs.frozen
class Field:
    """A field of a portal's form. ``min`` and ``max``: characters of text and long_text, bounds of a number."""

    field: str
    type: FieldType
    label: Label
    required: bool = attrs.field(default=False, kw_only=True)
    min: int | None = attrs.field(default=None, kw_only=True)
    max: int | None = attrs.field(default=None, kw_only=True)
    choices: Sequence[Choice] | None = attrs.field(default=None, kw_only=True, metadata={LIST: Choice})


Texts = Mapping[str, Mapping[str, str]]
"""Language to what a portal's page says there, by key."""


# --- what account() gives -------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class AccountSetup:
    """What holds for the whole account."""

    modes: Sequence[str]
    """What its portals may be."""


@attrs.frozen(kw_only=True)
class PortalSetup:
    """A portal as it is set up."""

    portal: str
    title: str | None = attrs.field(metadata={TEXT: True})
    kind: str
    mode: str
    subportals: Sequence[str]
    offer_ms: int
    pick_fallback: str
    places: int
    wrap_up_ms: int
    classes: Sequence[Class] = attrs.field(metadata={LIST: Class})
    take: str
    require: Sequence[str]
    form: Sequence[Field] = attrs.field(metadata={LIST: Field})
    texts: Texts | None
    language: str
    closing_ms: int
    origins: Sequence[str]
    hours: Hours | None = attrs.field(metadata={MAP: Hours})
    """None: always."""
    functions: Functions
    web_chat: WebChat
    retention_days: int = 90
    """How long its cases are kept after their end."""
    outcomes: Sequence[str] = ()
    """What may come of its sessions."""
    survey: Sequence[Field] = attrs.field(default=(), metadata={LIST: Field})
    """What customers are asked afterwards."""
    files: Files | None = attrs.field(default=None, metadata={MAP: Files})
    monitoring: Monitoring = "off"
    guests: Guests = "full"


@attrs.frozen(kw_only=True)
class SubportalSetup:
    """A sub-portal as it is set up."""

    subportal: str
    portal: str
    weight: int
    policy: str
    max_waiting: int
    skills: Sequence[Needed] = attrs.field(metadata={LIST: Needed})
    relax: Sequence[Relax] = attrs.field(metadata={LIST: Relax})
    sticky_ms: int
    overflow: Sequence[Overflow] = attrs.field(metadata={LIST: Overflow})


@attrs.frozen(kw_only=True)
class TeamSetup:
    """A team as it is set up."""

    team: str
    title: str | None = attrs.field(metadata={TEXT: True})
    subportals: Sequence[str]
    away_after: int | None
    """None: never."""
    parent: str | None
    """None: at the top."""
    logins: int | None
    """None: no limit."""
    functions: Functions


@attrs.frozen(kw_only=True)
class Reply:
    """A canned reply, of a team: a text, or texts by language."""

    team: str
    reply: str
    title: str | None = attrs.field(metadata={TEXT: True})
    text: str | None = attrs.field(metadata={TEXT: True})
    texts: Mapping[str, str] | None

    def filled(self, language: str | None = None, **names: str | None) -> str | None:
        """What to send: the text in this language, else in the same without its region, else in English, else the
        first; ``names`` in place of their placeholders. One without a name is left out, with the blank before it. None:
        it was erased.

        >>> hello = Reply(team="t", reply="hi", title=None, text="Hello {customer}, I am {representative}.", texts=None)
        >>> hello.filled(customer=None, representative="Ann")
        'Hello, I am Ann.'
        """
        found = self.text
        if self.texts is not None:
            texts = {tag.casefold(): each for tag, each in self.texts.items() if isinstance(each, str)}
            wanted = (language or "").casefold()
            tags = (wanted, wanted.partition("-")[0], "en", *texts)
            found = next((texts[tag] for tag in tags if tag in texts), None)
        return None if found in (None, ERASED) else _PLACEHOLDER.sub(lambda match: _named(match, names), found)


_PLACEHOLDER: Final = re.compile(r"( ?)\{(customer|representative)\}")
"""What a reply's text leaves open."""


def _named(match: re.Match[str], names: Mapping[str, str | None]) -> str:
    name = names.get(match[2])
    return f"{match[1]}{name}" if name and name != ERASED else ""


@attrs.frozen(kw_only=True)
class RepresentativeSetup:
    """A representative as it is set up."""

    representative: str
    name: str = attrs.field(metadata={TEXT: True})
    team: str
    capacity: int
    weight: int
    skills: Sequence[Skill] = attrs.field(metadata={LIST: Skill})
    functions: Functions
    management: bool
    """Whether it may read its own data on the management side."""
    email: str | None = attrs.field(metadata={TEXT: True})
    """Told to API managers, and to itself."""


@attrs.frozen(kw_only=True)
class ManagerSetup:
    """A manager as it is set up."""

    manager: str
    kind: str
    """account, team or api."""
    name: str | None = attrs.field(metadata={TEXT: True})
    email: str | None = attrs.field(metadata={TEXT: True})
    teams: Sequence[str]
    rights: Sequence[str]


@attrs.frozen(kw_only=True)
class ServiceSetup:
    """A service as it is set up."""

    service: str
    scopes: Sequence[str]


@attrs.frozen(kw_only=True)
class Configuration:
    """An account as it is set up (``account.get``)."""

    account: AccountSetup = attrs.field(metadata={MAP: AccountSetup})
    portals: Sequence[PortalSetup] = attrs.field(metadata={LIST: PortalSetup})
    subportals: Sequence[SubportalSetup] = attrs.field(metadata={LIST: SubportalSetup})
    teams: Sequence[TeamSetup] = attrs.field(metadata={LIST: TeamSetup})
    representatives: Sequence[RepresentativeSetup] = attrs.field(metadata={LIST: RepresentativeSetup})
    managers: Sequence[ManagerSetup] = attrs.field(metadata={LIST: ManagerSetup})
    services: Sequence[ServiceSetup] = attrs.field(metadata={LIST: ServiceSetup})
    replies: Sequence[Reply] = attrs.field(default=(), metadata={LIST: Reply})
    """Canned ones, of the teams."""
