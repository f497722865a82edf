"""What a desk knows: its portals, teams and people, the open requests and sessions, and who is in line.

Only ``evolve`` functions change any of it. Everything here is bounded by configuration, by what is
open, or by a named limit; what is over leaves, because history is the journal's business.
"""
# size: what one account is made of, read as a list; its classes know each other

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import attrs

from broker import ids, limits
from broker.content import Ref
from broker.desk.deadlines import Deadlines
from broker.desk.flow import Flow
from broker.desk.forms import Form
from broker.desk.hours import Hours
from broker.desk.identity import Identity
from broker.desk.texts import DEFAULT as DEFAULT_LANGUAGE
from broker.routing.model import Key, Need
from broker.routing.pins import PinSpace
from broker.routing.policies import DEFAULT
from broker.routing.router import Router

MODES: Final = ("web", "phone", "queue")
"""What a portal may be, in the order in which it is told."""

OUTCOMES: Final = ("resolved", "unresolved", "unknown")
"""What may come of a session, at a portal that says nothing else."""

NORMAL: Final = "normal"
"""The class that every request has at first; its boost is 0."""

Functions = tuple[tuple[str, bool], ...]
"""(function, on): what is set here; what is missing is decided elsewhere."""

Classes = tuple[tuple[str, int], ...]
"""(class, its boost in ms)."""

Ladder = tuple[tuple[int, Need], ...]
"""(age of the request in ms, what it needs from then on), of each step after the first."""

Rule = tuple[str, int | None, str | None]
"""An overflow: (wait, length or staffing; ms or requests in line; sub-portal, or None for a support request)."""

Waits = tuple[tuple[int, str | None], ...]
"""(age of the request in ms, sub-portal or None for a support request), the earliest first."""


FileRules = tuple[int, int, tuple[str, ...]]
"""Of a portal: (bytes of one file, bytes of all files of a session, media types that are taken)."""

Told = tuple[str, int | None, int | None]
"""(open, closing or closed; when its hours begin, if it is outside of them; when they end, if it is open)."""


@attrs.frozen
class WrapUp:
    """The work after a session."""

    until: int
    places: int
    since: int
    """When the session began (ms)."""
    subportal: str


@attrs.define(eq=False)
class Portal:
    """A public entrance."""

    portal: str
    title: Ref | None
    kind: str
    mode: str
    subportals: tuple[str, ...]
    offer_ms: int
    pick_fallback: str
    places: int = 1
    """How much of a representative's capacity one session takes."""
    wrap_up_ms: int = 0
    classes: Classes = ()
    take: str = "off"
    """Which waiting requests representatives may take by hand: any, head (of the line), off."""
    require: tuple[str, ...] = ()
    """Of name, text and email, those that must be given."""
    form: Form = ()
    labels: Ref | None = None
    """The form whole, with its labels."""
    texts: Ref | None = None
    languages: tuple[str, ...] = ()
    """In which there are texts or labels."""
    language: str = DEFAULT_LANGUAGE
    """Where others fall back to."""
    closing_ms: int = limits.CLOSING
    """So long before its hours end it is closing."""
    origins: tuple[str, ...] = ()
    """Pages that its customers may come from; none: as the installation has it."""
    functions: Functions = ()
    web_chat: str = "none"
    """Whether its customers write in the page from their first step on: none, chat_only, upgradable (to a share)."""
    retention_days: int = limits.RETENTION_DAYS
    """How long its cases, with their transcripts, are kept after their end."""
    outcomes: tuple[str, ...] = OUTCOMES
    """What may come of its sessions."""
    survey: Form = ()
    """What customers are asked afterwards."""
    survey_labels: Ref | None = None
    """The survey whole, with its labels."""
    files: FileRules = (limits.FILE_BYTES, limits.SESSION_BYTES, limits.FILE_TYPES)
    monitoring: str = "off"
    """Whether managers may look on in its sessions: off, announced (those in there are told), silent."""
    guests: str = "full"
    """What guests of its sessions may do: full (what is on for them) or view_only."""
    hours: Hours | None = None

    @property
    def own_outcomes(self) -> tuple[str, ...]:
        """The outcomes that it sets; none where they are as by default."""
        return () if self.outcomes == OUTCOMES else self.outcomes


@attrs.define(eq=False)
class Subportal:
    """A part of a portal, through which requests enter; each has a line of its own."""

    subportal: str
    portal: str
    weight: int = 1
    policy: str = DEFAULT
    max_waiting: int = limits.MAX_WAITING
    skills: tuple[tuple[str, int, bool], ...] = ()
    """(skill, least level, whether only of requests that ask for it)."""
    relax: tuple[tuple[int, int], ...] = ()
    """(age of the request in ms, how much lower the levels are from then on)."""
    sticky_ms: int = 0
    overflow: tuple[Rule, ...] = ()
    unstaffed_upto: Key | None = None
    """While its requests go elsewhere because nobody is there: how far along the line they have been looked at."""
    told: Told = ("closed", None, None)
    """What was said last."""


@attrs.define(eq=False)
class Reply:
    """A canned reply of a team: one text, or texts by language."""

    reply: str
    title: Ref | None
    text: Ref | None
    texts: Ref | None
    size: int
    """Bytes that it counts of what an account's replies may have together."""


@attrs.define(eq=False)
class Team:
    """Representatives managed together, and the sub-portals they serve."""

    team: str
    title: Ref | None
    subportals: tuple[str, ...]
    members: set[str] = attrs.field(factory=set)
    away_after: int | None = None
    """Offers missed in a row that set a member away."""
    signed_in: int = 0
    """Members who count as signed in: whose chosen presence isn't offline, and whom nobody has taken over."""
    parent: str | None = None
    logins: int | None = None
    """How many may be signed in at once, sub-teams included."""
    functions: Functions = ()
    children: set[str] = attrs.field(factory=set)
    """The teams directly beneath it."""
    replies: dict[str, Reply] = attrs.field(factory=dict)
    """Its own; its representatives have those of the teams above as well."""


@attrs.define(eq=False)
class Representative:
    """A person who serves customers. Its load and offers are counted in ``Router.members``."""

    representative: str
    name: Ref
    team: str
    capacity: int
    weight: int = 1
    skills: tuple[tuple[str, int], ...] = ()
    functions: Functions = ()
    chosen: str = "offline"
    """What it set itself: available, away or offline."""
    connected: bool = False
    lease_until: int | None = None
    """After a restart of the broker: not back yet, and not yet taken for lost."""
    hold_until: int | None = None
    """Lost: its sessions are held until then."""
    missed: int = 0
    """Offers that expired in a row."""
    taken_over: bool = False
    """Somebody else has its login: it ends its sessions and gets nothing new."""
    sessions: dict[str, None] = attrs.field(factory=dict)
    offers: dict[str, None] = attrs.field(factory=dict)
    pins: dict[str, None] = attrs.field(factory=dict)
    guest: dict[str, None] = attrs.field(factory=dict)
    """Sessions of others that it is in."""
    wrap_ups: dict[str, WrapUp] = attrs.field(factory=dict)
    """By ended session."""
    email: Ref | None = None
    management: bool = False
    """Whether it may read its own data on the management side."""
    shares: dict[str, None] = attrs.field(factory=dict)
    """Its screen shares, of which some may have outlived their sessions."""
    cases_seen: int = 0
    """Up to which unassigned case it has looked at them."""

    @property
    def presence(self) -> str:
        """What others see."""
        if self.chosen == "offline":
            return "offline"
        return self.chosen if self.connected else "reconnecting"

    @property
    def seated(self) -> bool:
        """Whether it counts as signed in."""
        return self.chosen != "offline" and not self.taken_over

    @property
    def available(self) -> bool:
        """Whether it welcomes offers and is there."""
        return self.chosen == "available" and self.connected


@attrs.define(eq=False)
class Manager:
    """A person who sets things up: of the whole account, of teams, or by provisioning."""

    manager: str
    kind: str
    """account, team or api."""
    name: Ref | None
    email: Ref | None
    teams: tuple[str, ...]
    """Of a team manager: it manages these and all beneath them."""
    rights: tuple[str, ...]


@attrs.define(eq=False)
class Service:
    """A program that speaks for the account."""

    service: str
    scopes: tuple[str, ...]


@attrs.define(eq=False)
class Access:
    """How a manager, representative or service comes in."""

    person: str
    password: Ref | None = None
    """The text of its argon2 hash."""
    passwords: int = 0
    """How many it has had: a link to set one is good for that many only."""
    must_change: bool = False
    """Whether somebody else chose it: then it opens nothing but the change."""
    signed_out: int = 0
    """Tokens made before (ms) are no good, unless they are of a sign-in."""
    sign_ins: dict[str, None] = attrs.field(factory=dict)
    """The oldest first."""
    keys: dict[str, None] = attrs.field(factory=dict)


@attrs.define(eq=False)
class SignIn:
    """A person's way in at one device, until it ends or isn't refreshed."""

    sign_in: str
    person: str
    role: str
    how: str
    network: str | None
    since: int
    until: int
    serial: int = 0
    """Of the refresh token that is good."""
    refreshed: int = 0
    """When that was made (ms)."""


@attrs.define(eq=False)
class ApiKey:
    """What is kept of an API key."""

    key: str
    """Its prefix, which names it."""
    person: str
    digest: bytes
    """Of its secret, keyed."""
    scopes: tuple[str, ...] | None
    """None: all that its service has."""
    created: int
    expires: int


@attrs.define(eq=False)
class Block:
    """A visitor, an address, or both, shut out until then."""

    block: str
    visitor: str | None
    source: str | None
    """The address: its keyed digest."""
    network: str | None
    """Where that is, as far as people are told."""
    subportal: str | None
    """Of the request that it was made for."""
    reason: str
    by: str
    since: int
    until: int

    @property
    def targets(self) -> tuple[str, ...]:
        """What it shuts out. A visitor's id has an underscore, a digest has none: they are never mixed up."""
        return tuple(one for one in (self.visitor, self.source) if one is not None)


@attrs.define(eq=False)
class Visitor:
    """A customer who asked at least once within ``VISITOR_MEMORY``."""

    visitor: str
    requests: dict[str, str] = attrs.field(factory=dict)
    """Portal to open request: at most one each."""
    lost_until: int | None = None
    """Its connection is gone: what it has open is given up then."""
    ended: int = 0
    """When its last request ended (ms)."""
    served_by: str | None = None
    """Who had its last session."""
    network: str | None = None
    source: str | None = None
    """Where its last request came from."""
    shares: dict[str, None] = attrs.field(factory=dict)
    """Its screen shares, of which some may have outlived their sessions."""

    @property
    def busy(self) -> bool:
        """Whether it has anything open: then it is waited for when it is lost, and never forgotten."""
        return bool(self.requests or self.shares)


@attrs.define(eq=False)
class Request:
    """An open request."""

    request: str
    session: str
    portal: str
    subportal: str
    visitor: str
    number: int
    arrived: int
    kind: str
    mode: str
    text: Ref | None
    name: Ref | None
    email: Ref | None
    target: str | None
    discipline: str
    """How it is handed out now: queue, direct, broadcast, or pin (to nobody else)."""
    state: str = "waiting"
    offer: str | None = None
    offers: int = 0
    """How many offers were made of it: numbers the next."""
    representative: str | None = None
    shares: int = 0
    class_: str = NORMAL
    boost: int = 0
    asked: tuple[str, ...] = ()
    """Skills that its customer asked for."""
    ladder: Ladder = ()
    step: int = 0
    """How many steps of its ladder it has taken."""
    held_until: int | None = None
    """Until when it waits for the representative who served its customer last."""
    overflow: Waits = ()
    """The rules that are still to be tried."""
    been: tuple[str, ...] = ()
    """Sub-portals it was in before."""
    joined: int = 0
    """When it came to stand in line, the last time."""
    fields: Ref | None = None
    """What was filled into the portal's form."""
    page: Ref | None = None
    """Where its customer came from."""
    network: str | None = None
    """The network that its customer spoke from."""
    source: str | None = None
    """The keyed digest of the address there."""


FormerHolder = tuple[str, int, int, int | None]
"""(representative, how far the session's stream and its staff's were when it left the case, the number of the last
message then; None: there came no more)."""


@attrs.define(eq=False)
class Case:
    """What is left to do for a customer: comes with the request, and outlives it."""

    case: str
    number: int
    request: str
    session: str
    portal: str
    subportal: str
    visitor: str
    name: Ref | None
    email: Ref | None
    text: Ref | None
    """The first thing that the customer wrote."""
    fields: Ref | None
    page: Ref | None
    created: int
    listed: int
    """Given each time it comes to the unassigned ones, and dense in the account: later ones are newer to everybody."""
    since: int | None
    """Since when its clock runs (ms); None: it stands."""
    type: str = "live_chat"
    status: str = "unassigned"
    reason: str = "opened"
    """Why it is as it is."""
    version: int = 1
    """How often type, status or representative changed, and once for being there."""
    representative: str | None = None
    question: Ref | None = None
    """What the customer left when it stopped waiting."""
    waited: int = 0
    """How long it was nobody's; of a support request, and since it became one (ms)."""
    talked: int = 0
    """How long its conversation went on with somebody (ms)."""
    ended: int | None = None
    """When the conversation ended: then it may be deleted."""
    resolved: int | None = None
    outcome: str | None = None
    rated: int | None = None
    mails: int = 0
    """E-mails written: numbers the next."""
    how: str | None = None
    """The final state of its request, once that is over."""
    touched: int | None = None
    """When it was last taken, given, resolved or opened again by itself, not along with its request."""
    former: tuple[FormerHolder, ...] = ()
    """Those who had it and don't any more, whoever left last at the end."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do: resolved, and nobody talks any more."""
        return self.status == "resolved" and self.ended is not None

    @property
    def had(self) -> bool:
        """Whether it was more than a wait: somebody has it, or talked about it, or it is a question that was left."""
        return self.representative is not None or self.talked > 0 or self.type != "live_chat"

    @property
    def rests(self) -> int:
        """Once its conversation ended: since when nobody did anything about it (ms)."""
        return max(self.ended or 0, self.resolved or 0, self.touched or 0)


@attrs.define(eq=False)
class CaseMail:
    """An e-mail to a case's customer, on its way."""

    mail: str
    case: str
    by: str
    subject: Ref | None
    text: Ref
    since: int
    attempts: int = 0


Names = dict[str, None]
"""In the order in which they came."""


@attrs.define(eq=False)
class Shelves:
    """Cases by what is asked of them; all of it follows from the cases themselves (see ``casebook``)."""

    unassigned: dict[str, Names] = attrs.field(factory=dict)
    """By sub-portal, the one listed last at the end."""
    assigned: dict[str, Names] = attrs.field(factory=dict)
    """By sub-portal."""
    resolved: dict[str, Names] = attrs.field(factory=dict)
    """By sub-portal."""
    mine: dict[str, Names] = attrs.field(factory=dict)
    """Assigned ones by representative."""
    over: dict[str, Names] = attrs.field(factory=dict)
    """By portal, the one over longest first."""
    untouched: dict[str, Names] = attrs.field(factory=dict)
    """Under the empty name: those of them that nobody ever had."""
    left: dict[str, Names] = attrs.field(factory=dict)
    """By portal, the one that rests longest first: conversations that ended, not resolved."""
    asked: dict[str, Names] = attrs.field(factory=dict)
    """Under the empty name: support requests that aren't resolved."""


@attrs.define(eq=False)
class Offer:
    """A pending offer."""

    offer: str
    request: str
    kind: str
    representative: str | None
    deadline: int | None
    made: int
    by: str | None
    subportal: str | None = None
    """Of a transfer or an invitation: whose people are asked, if not one person."""
    view_only: bool = False
    masked: bool = False
    comment: Ref | None = None
    declined: tuple[str, ...] = ()
    """Who of these people has said no."""


@attrs.define(eq=False)
class Member:
    """A guest: a representative in somebody else's session."""

    since: int
    view_only: bool = False
    masked: bool = False
    """Whether the customer knows nothing of it."""
    leg: str | None = None
    """Of the session's share, where it looks at the screen."""
    functions: tuple[str, ...] = ()
    """What it may do there, where the share's grant has it, as it was last told."""


@attrs.define(eq=False)
class Monitor:
    """A manager who looks on."""

    since: int
    announced: bool


@attrs.define(eq=False)
class Session:
    """A live conversation. It lives as long as its request is open, whoever has it meanwhile."""

    session: str
    request: str
    subportal: str
    visitor: str
    representative: str | None
    """Who has it; None while it waits for somebody."""
    since: int
    """Since when that one has it (ms)."""
    opened: int = 0
    web_chat: str = "none"
    """What its portal was when it opened: none, chat_only or upgradable."""
    messages: int = 0
    """The number of its last message."""
    rated: bool = False
    transfer: str | None = None
    """The pending offer that would move it to another representative."""
    share: str | None = None
    documents: int = 0
    """How many its customer's page told of the device."""
    members: dict[str, Member] = attrs.field(factory=dict)
    """Its guests."""
    invites: dict[str, None] = attrs.field(factory=dict)
    """The pending offers to come into it."""
    monitors: dict[str, Monitor] = attrs.field(factory=dict)
    """Managers who look on."""

    @property
    def lead(self) -> str:
        """Who has it, of one that is active."""
        assert self.representative is not None
        return self.representative

    @property
    def state(self) -> str:
        """waiting or active."""
        return "waiting" if self.representative is None else "active"


@attrs.define(eq=False)
class EndedSession:
    """What is kept of a conversation that is over, for those who still read its end or add to it."""

    request: str
    portal: str
    subportal: str
    visitor: str
    representative: str | None
    """Who had it last."""
    rated: bool = False
    documents: int = 0
    shares: int = 0
    attended: bool = True
    """Whether anybody ever had it."""


@attrs.define(eq=False)
class Share:
    """A screen share on its way or under way."""

    share: str
    session: str
    state: str
    until: int | None
    """When this state ends by itself, if it does."""
    visitor: str
    representative: str
    portal: str
    wanted: bool = False
    """Whether control is asked for with the share."""
    control: bool = False
    """Whether the customer has allowed control."""
    asked: int | None = None
    """Until when the customer may answer the question for control that came later."""
    functions: tuple[str, ...] = ()
    """What was on for these two when they were last told."""
    legs: int = 0
    """How many guests' legs it has had: numbers the next."""


@attrs.define(eq=False)
class File:
    """A file of a session: on its way, or shared."""

    file: str
    session: str
    role: str
    by: str
    name: Ref
    size: int
    type: str
    sha256: str | None
    """In hexadecimal digits: before it is shared as announced, if it was."""
    until: int | None
    """When an upload is given up; None once it is shared."""
    number: int = 0
    """Its ``message_seq``; 0 on its way."""


@attrs.define(eq=False)
class Pin:
    """A pin and what became of it; a representative's last ``LISTED_PINS`` stay listed."""

    pin: str
    serial: int
    representative: str
    created: int
    expires: int
    state: str = "live"


@attrs.define(eq=False)
class EndedOffer:
    """What a late accept is told."""

    reason: str
    representative: str | None


@attrs.frozen
class Times:
    """How long a desk waits for people (ms): what an operator may set."""

    lease: int = limits.LEASE
    hold: int = limits.HOLD
    abandon: int = limits.ABANDON_GRACE
    offer: int = limits.OFFER_TIMEOUT


@attrs.frozen
class AccountSettings:
    """What holds for a whole account. New ones come last, with what older accounts have as their default."""

    modes: tuple[str, ...] = MODES
    """What its portals may be."""
    password_min: int = limits.MIN_PASSWORD_CHARS
    """Characters of a new password."""
    password_classes: int = limits.PASSWORD_CLASSES
    """How many of small letters, capitals, digits and others it has."""


@attrs.define(eq=False)
class State:
    """One account, whole."""

    account: str
    slot: int
    pinspace: PinSpace
    times: Times
    account_settings: AccountSettings = AccountSettings()
    portals: dict[str, Portal] = attrs.field(factory=dict)
    subportals: dict[str, Subportal] = attrs.field(factory=dict)
    serving: dict[str, set[str]] = attrs.field(factory=dict)
    """Sub-portal to the teams that serve it."""
    teams: dict[str, Team] = attrs.field(factory=dict)
    replies_bytes: int = 0
    """What all canned replies count together."""
    representatives: dict[str, Representative] = attrs.field(factory=dict)
    managers: dict[str, Manager] = attrs.field(factory=dict)
    services: dict[str, Service] = attrs.field(factory=dict)
    former: dict[str, str] = attrs.field(factory=dict)
    """Names of people who are gone, never given again, to the pseudonym of each."""
    access: dict[str, Access] = attrs.field(factory=dict)
    sign_ins: dict[str, SignIn] = attrs.field(factory=dict)
    keys: dict[str, ApiKey] = attrs.field(factory=dict)
    blocks: dict[str, Block] = attrs.field(factory=dict)
    blocked: dict[str, str] = attrs.field(factory=dict)
    """Visitor, or digest of an address, to the block that shuts it out."""
    visitors: dict[str, Visitor] = attrs.field(factory=dict)
    idle_visitors: OrderedDict[str, None] = attrs.field(factory=OrderedDict)
    """Those without an open request, the one whose last ended first."""
    requests: dict[str, Request] = attrs.field(factory=dict)
    offers: dict[str, Offer] = attrs.field(factory=dict)
    sessions: dict[str, Session] = attrs.field(factory=dict)
    monitored: dict[str, None] = attrs.field(factory=dict)
    """Sessions in which a manager looks on."""
    shares: dict[str, Share] = attrs.field(factory=dict)
    sharing: dict[str, str] = attrs.field(factory=dict)
    """Session, open or over, to its share."""
    files: dict[str, File] = attrs.field(factory=dict)
    session_files: dict[str, dict[str, None]] = attrs.field(factory=dict)
    """Session to its files."""
    uploads: dict[str, None] = attrs.field(factory=dict)
    """Those of them that are on their way."""
    file_bytes: int = 0
    """Of all of them, as announced."""
    unstored: list[str] = attrs.field(factory=list)
    """Files whose bytes are to go once that is on disk; the runtime drains it."""
    cases: dict[str, Case] = attrs.field(factory=dict)
    """The oldest first."""
    shelves: Shelves = attrs.field(factory=Shelves)
    next_listed: int = 1
    case_mails: dict[str, CaseMail] = attrs.field(factory=dict)
    """Those neither sent nor given up."""
    wrapping: dict[str, str] = attrs.field(factory=dict)
    """Ended session to whoever is wrapping it up."""
    pins: dict[str, Pin] = attrs.field(factory=dict)
    serials: dict[int, str] = attrs.field(factory=dict)
    """Serial to live pin."""
    next_serial: int = 0
    next_number: int = 1
    ended_offers: OrderedDict[str, EndedOffer] = attrs.field(factory=OrderedDict)
    ended_sessions: OrderedDict[str, EndedSession] = attrs.field(factory=OrderedDict)
    """By session: their parties may still read the stream's end."""
    streams: dict[str, int] = attrs.field(factory=dict)
    """Stream to its last offset."""
    released: list[str] = attrs.field(factory=list)
    """Content that no open thing refers to any more; the runtime drains it."""
    erased: list[str] = attrs.field(factory=list)
    """Content that is to be gone from the journal too; the runtime drains it."""
    turned: set[str] = attrs.field(factory=set)
    """Portals of which something else is said now; the runtime drains it."""
    deadlines: Deadlines = attrs.field(factory=Deadlines)
    router: Router = attrs.field(factory=Router)
    flow: Flow = attrs.field(factory=Flow)

    def shuts_out(self, identity: Identity) -> bool:
        """Whether this customer is blocked, or comes from an address that is."""
        return identity.person in self.blocked or identity.source in self.blocked

    def release(self, *refs: Ref | None) -> None:
        """These texts are no longer needed in memory."""
        self.released.extend(ref[0] for ref in refs if ref is not None)

    def forget(self, *refs: Ref | None) -> None:
        """These texts are to be gone for good."""
        self.release(*refs)
        self.erased.extend(ref[0] for ref in refs if ref is not None)

    def remember_session(self, session: Session) -> None:
        """Keep an ended session's streams readable for its parties, within ``RECENT_SESSIONS``."""
        portal = self.requests[session.request].portal
        self.ended_sessions[session.session] = EndedSession(
            session.request,
            portal,
            session.subportal,
            session.visitor,
            session.representative,
            session.rated,
            session.documents,
            self.requests[session.request].shares,
            session.since > 0,
        )
        while len(self.ended_sessions) > limits.RECENT_SESSIONS + len(self.sharing):
            oldest, kept = self.ended_sessions.popitem(last=False)
            if oldest in self.sharing:  # its stream goes on as long as its share
                self.ended_sessions[oldest] = kept
            else:
                self.forget_streams(oldest)

    def forget_streams(self, session: str) -> None:
        """Forget how far a session's streams are, once nothing more can be published there, and nobody asks."""
        if ids.case_of(session) not in self.cases and session not in self.ended_sessions:
            self.streams.pop(f"session:{session}", None)
            self.streams.pop(f"session:{session}:staff", None)

    def remember_offer(self, offer: str, reason: str, representative: str | None) -> None:
        """Keep the end of an offer for late accepts, within ``RECENT_OFFERS``."""
        self.ended_offers[offer] = EndedOffer(reason, representative)
        while len(self.ended_offers) > limits.RECENT_OFFERS:
            self.ended_offers.popitem(last=False)


@attrs.define
class Context:
    """What a decision may know beside the state: who asks, when, and 16 bytes of entropy."""

    now: int
    entropy: bytes
    identity: Identity | None
    prepared: object = None
    """What the command needs that no desk can make: the hash of a password, an API key."""

    @property
    def who(self) -> str:
        """Whom an event names as its author."""
        return "broker" if self.identity is None else self.identity.person
