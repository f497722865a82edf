"""What happened, past tense: the closed family of events that a desk's journal keeps.

An event carries all that its audiences need (streams are decided from the event alone, see
``audiences``), ids and content refs, never a text. A body is the tuple of its fields. A field may be added at the end
with the value that older bodies stand for as its default; any other change of fields is a new VERSION with an upcast in
``unpack_body``. Nobody changes an event; the classes aren't frozen
because making a frozen one costs four times as much, and this is the hot path.
"""
# size: one closed family, read as a list; splitting it would hide which events there are

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import ClassVar, get_args

import attrs

from broker.content import Ref
from broker.desk.changes import Change
from broker.routing.model import Need

Chains = tuple[tuple[str, bool, tuple[tuple[str, str, bool | None, bool], ...]], ...]
"""(function, whether it is on, ((level, name, value, whether it decides), …)), …: see ``functions.chains``."""
CaseNow = tuple[str, str, str, int, int, str, str, int, int | None, int | None]
"""A case from then on: (type, status, reason, version, listed, sub-portal, what its clock counts, ms of that so far,
since when it counts on, when the conversation ended). The desk puts it into each event that changes a case (see
``casebook``); older bodies have none."""


@attrs.define
class BrokerStarted:
    """The broker is up again: everyone who waits for a person gets the full period anew."""

    TYPE: ClassVar[str] = "broker.started"
    VERSION: ClassVar[int] = 1
    lease_until: int
    """Until when representatives who were connected may come back before they are taken for lost (ms)."""
    hold_until: int
    """Until when sessions of those already lost are held."""
    abandon_until: int
    """Until when customers may come back to what they have open."""
    consent_until: int
    """Until when a screen share's consent may be given, and until when its media may take to be set up."""
    reboot_until: int = 0
    """Until when machines that are restarting may take."""


@attrs.define
class OfferRenewed:
    """A pending offer has its full time again, because the broker was away."""

    TYPE: ClassVar[str] = "offer.renewed"
    VERSION: ClassVar[int] = 1
    offer: str
    representative: str | None
    deadline: int
    subportal: str | None = None
    """Whose people are asked, if not one person."""


@attrs.define
class LoadChanged:
    """Told to a team about the former representative of a transferred session; nothing else follows from it."""

    TYPE: ClassVar[str] = "load.changed"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    load: int
    capacity: int


@attrs.define
class AccountPut:
    """What holds for the whole account was changed."""

    TYPE: ClassVar[str] = "account.put"
    VERSION: ClassVar[int] = 1
    by: str
    modes: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    password_min: int = 8
    password_classes: int = 3


@attrs.define
class PortalPut:
    """A portal was created or changed."""

    TYPE: ClassVar[str] = "portal.put"
    VERSION: ClassVar[int] = 1
    portal: str
    title: Ref | None
    kind: str
    mode: str
    subportals: tuple[str, ...]
    offer_ms: int
    pick_fallback: str
    by: str
    places: int = 1
    wrap_up_ms: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    take: str = "off"
    hours: object = None
    """As the operation's argument has it."""
    require: tuple[str, ...] = ()
    form: tuple[tuple[str, str, bool, int | None, int | None, tuple[str, ...]], ...] = ()
    """See ``forms.Field``."""
    labels: Ref | None = None
    """Of the form, which is whole in there."""
    texts: Ref | None = None
    languages: tuple[str, ...] = ()
    """In which there are texts or labels."""
    language: str = "en"
    closing_ms: int = 900_000
    origins: tuple[str, ...] = ()
    wake: int | None = None
    """When the clock changes its state next (ms)."""
    changes: tuple[Change, ...] = ()
    functions: tuple[tuple[str, bool], ...] = ()
    web_chat: str = "none"
    """none, chat_only or upgradable."""
    retention_days: int = 90
    outcomes: tuple[str, ...] = ("resolved", "unresolved", "unknown")
    survey: tuple[tuple[str, str, bool, int | None, int | None, tuple[str, ...]], ...] = ()
    """As ``form``."""
    survey_labels: Ref | None = None
    """Of the survey, which is whole in there."""
    files: tuple[int, int, tuple[str, ...]] = (20_971_520, 104_857_600, ("image/*", "application/pdf", "text/plain"))
    """Bytes of one file, of all of a session, and types."""
    monitoring: str = "off"
    """off, announced or silent."""
    guests: str = "full"
    """full or view_only."""


@attrs.define
class PortalDeleted:
    """A portal is gone, and its sub-portals with it."""

    TYPE: ClassVar[str] = "portal.deleted"
    VERSION: ClassVar[int] = 1
    portal: str
    subportals: tuple[str, ...]
    by: str
    changes: tuple[Change, ...] = ()


@attrs.define
class PortalTurned:
    """A portal's hours begin, end, or end soon."""

    TYPE: ClassVar[str] = "portal.turned"
    VERSION: ClassVar[int] = 1
    portal: str
    wake: int | None
    """When to look again (ms)."""


@attrs.define
class SubportalState:
    """A sub-portal is open, closing or closed from now on."""

    TYPE: ClassVar[str] = "subportal.state"
    VERSION: ClassVar[int] = 1
    subportal: str
    portal: str
    state: str
    opens: int | None
    closes: int | None


@attrs.define
class SubportalPut:
    """The settings of a sub-portal: how it shares representatives, whom it wants, where requests go that wait too
    long."""

    TYPE: ClassVar[str] = "subportal.put"
    VERSION: ClassVar[int] = 1
    subportal: str
    weight: int
    policy: str
    max_waiting: int
    by: str
    skills: tuple[tuple[str, int, bool], ...] = ()
    relax: tuple[tuple[int, int], ...] = ()
    sticky_ms: int = 0
    overflow: tuple[tuple[str, int | None, str | None], ...] = ()
    changes: tuple[Change, ...] = ()


@attrs.define
class TeamPut:
    """A team was created or changed."""

    TYPE: ClassVar[str] = "team.put"
    VERSION: ClassVar[int] = 1
    team: str
    title: Ref | None
    subportals: tuple[str, ...]
    by: str
    away_after: int | None = None
    parent: str | None = None
    logins: int | None = None
    functions: tuple[tuple[str, bool], ...] = ()
    changes: tuple[Change, ...] = ()


@attrs.define
class TeamDeleted:
    """A team is gone: its representatives are in another one, its sub-teams beneath its parent."""

    TYPE: ClassVar[str] = "team.deleted"
    VERSION: ClassVar[int] = 1
    team: str
    into: str | None
    """Where its representatives are now; None if it had none."""
    representatives: tuple[str, ...]
    by: str


@attrs.define
class ReplyPut:
    """A canned reply of a team was written or rewritten."""

    TYPE: ClassVar[str] = "reply.put"
    VERSION: ClassVar[int] = 1
    team: str
    reply: str
    title: Ref | None
    text: Ref | None
    texts: Ref | None
    """By language, in place of ``text``."""
    size: int
    """Bytes that it counts of what an account's replies may have together."""
    by: str
    changes: tuple[Change, ...] = ()


@attrs.define
class ReplyDeleted:
    """A canned reply is gone."""

    TYPE: ClassVar[str] = "reply.deleted"
    VERSION: ClassVar[int] = 1
    team: str
    reply: str
    by: str


@attrs.define
class RepresentativePut:
    """A representative was created or changed."""

    TYPE: ClassVar[str] = "representative.put"
    VERSION: ClassVar[int] = 1
    representative: str
    name: Ref
    team: str
    former: str | None
    """The team it was in, where that is another one."""
    capacity: int
    by: str
    weight: int = 1
    skills: tuple[tuple[str, int], ...] = ()
    email: Ref | None = None
    """None: as it was."""
    management: bool = False
    functions: tuple[tuple[str, bool], ...] = ()
    changes: tuple[Change, ...] = ()


@attrs.define
class RepresentativeDeleted:
    """A representative is gone. Sessions, offers and pins ended before."""

    TYPE: ClassVar[str] = "representative.deleted"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    former: str
    """The pseudonym under which what it did stays."""
    by: str


Changes = tuple[tuple[str, object, object], ...]
"""(setting, before, after), in the words of the put operation; a text only says that it is another."""


@attrs.define
class ManagerPut:
    """A manager was created or changed."""

    TYPE: ClassVar[str] = "manager.put"
    VERSION: ClassVar[int] = 1
    manager: str
    kind: str
    name: Ref | None
    """None: as it was."""
    email: Ref | None
    """None: as it was."""
    teams: tuple[str, ...]
    rights: tuple[str, ...]
    by: str
    changes: Changes = ()


@attrs.define
class ManagerDeleted:
    """A manager is gone."""

    TYPE: ClassVar[str] = "manager.deleted"
    VERSION: ClassVar[int] = 1
    manager: str
    by: str
    former: str = ""
    """The pseudonym under which what it did stays."""


@attrs.define
class ServicePut:
    """A service was created or may do other things."""

    TYPE: ClassVar[str] = "service.put"
    VERSION: ClassVar[int] = 1
    service: str
    scopes: tuple[str, ...]
    by: str
    changes: Changes = ()


@attrs.define
class ServiceDeleted:
    """A service is gone."""

    TYPE: ClassVar[str] = "service.deleted"
    VERSION: ClassVar[int] = 1
    service: str
    by: str
    former: str = ""
    """The pseudonym under which what it did stays."""


@attrs.define
class SignedIn:
    """A person proved who it is, at one device."""

    TYPE: ClassVar[str] = "signed.in"
    VERSION: ClassVar[int] = 1
    sign_in: str
    person: str
    role: str
    how: str
    network: str | None
    until: int


@attrs.define
class SignInRefreshed:
    """A sign-in goes on; the refresh token before this serial is used."""

    TYPE: ClassVar[str] = "sign_in.refreshed"
    VERSION: ClassVar[int] = 1
    sign_in: str
    serial: int
    until: int


@attrs.define
class SignInsEnded:
    """Sign-ins of a person are over; with ``everything``, every token made before as well."""

    TYPE: ClassVar[str] = "sign_ins.ended"
    VERSION: ClassVar[int] = 1
    person: str
    sign_ins: tuple[str, ...]
    reason: str
    by: str
    everything: bool = False


@attrs.define
class PasswordSet:
    """A person has another password; the content is its hash."""

    TYPE: ClassVar[str] = "password.set"
    VERSION: ClassVar[int] = 1
    person: str
    password: Ref
    by: str
    must_change: bool = False


@attrs.define
class KeyCreated:
    """An API key was made."""

    TYPE: ClassVar[str] = "key.created"
    VERSION: ClassVar[int] = 1
    key: str
    person: str
    digest: bytes
    scopes: tuple[str, ...] | None
    expires: int
    by: str


@attrs.define
class KeyEnded:
    """An API key is worthless."""

    TYPE: ClassVar[str] = "key.ended"
    VERSION: ClassVar[int] = 1
    key: str
    person: str
    reason: str
    by: str


@attrs.define
class VisitorBlocked:
    """A visitor, an address, or both, are shut out of the account."""

    TYPE: ClassVar[str] = "visitor.blocked"
    VERSION: ClassVar[int] = 1
    block: str
    visitor: str | None
    source: str | None
    network: str | None
    subportal: str | None
    """Of the request that it was for."""
    reason: str
    until: int
    by: str


@attrs.define
class BlockEnded:
    """They may come in again."""

    TYPE: ClassVar[str] = "block.ended"
    VERSION: ClassVar[int] = 1
    block: str
    reason: str
    by: str


@attrs.define
class Audited:
    """Who did what to whom, and from where."""

    TYPE: ClassVar[str] = "audited"
    VERSION: ClassVar[int] = 1
    person: str
    role: str
    network: str | None
    op: str
    object: str | None
    changes: Changes = ()


@attrs.define
class RefusalsCounted:
    """What was refused in the last minute."""

    TYPE: ClassVar[str] = "refusals.counted"
    VERSION: ClassVar[int] = 1
    rows: tuple[tuple[str | None, str | None, str, int], ...]
    """(person, network, code, how often)."""
    more: int


@attrs.define
class PresenceChanged:
    """A representative chose a presence, or the broker ended a lost one's."""

    TYPE: ClassVar[str] = "presence.changed"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    presence: str
    by: str
    reason: str | None


@attrs.define
class TakenOver:
    """Another representative took this one's login: it keeps its sessions and gets nothing new."""

    TYPE: ClassVar[str] = "presence.taken_over"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    presence: str
    """away or reconnecting."""
    by: str


@attrs.define
class RepresentativeLost:
    """The last connection of a representative is gone; its sessions are held until ``until``."""

    TYPE: ClassVar[str] = "representative.lost"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    until: int
    sessions: tuple[str, ...]


@attrs.define
class RepresentativeBack:
    """A representative has a connection again."""

    TYPE: ClassVar[str] = "representative.back"
    VERSION: ClassVar[int] = 1
    representative: str
    team: str
    presence: str
    sessions: tuple[str, ...]


@attrs.define
class CustomerLost:
    """The last connection of a customer with an open request is gone."""

    TYPE: ClassVar[str] = "customer.lost"
    VERSION: ClassVar[int] = 1
    visitor: str
    until: int
    sessions: tuple[str, ...]


@attrs.define
class CustomerBack:
    """A lost customer has a connection again."""

    TYPE: ClassVar[str] = "customer.back"
    VERSION: ClassVar[int] = 1
    visitor: str
    sessions: tuple[str, ...]


@attrs.define
class VisitorsForgotten:
    """Visitors without an open request whose last one ended before ``before`` are forgotten."""

    TYPE: ClassVar[str] = "visitors.forgotten"
    VERSION: ClassVar[int] = 1
    before: int


@attrs.define
class RequestCreated:
    """A customer asked; ``number`` is its place in the account's order of arrival."""

    TYPE: ClassVar[str] = "request.created"
    VERSION: ClassVar[int] = 1
    request: str
    session: str
    portal: str
    subportal: str
    visitor: str
    number: int
    kind: str
    mode: str
    text: Ref | None
    name: Ref | None
    email: Ref | None
    target: str | None
    asked: tuple[str, ...] = ()
    """Skills that the customer asked for."""
    need: Need = ()
    """What it takes to serve it, at first."""
    ladder: tuple[tuple[int, Need], ...] = ()
    """(age in ms, need from then on)."""
    held_for: str | None = None
    """Who served this customer last, and is waited for until ``held_until``."""
    held_until: int | None = None
    overflow: tuple[tuple[int, str | None], ...] = ()
    """(age in ms, the sub-portal it is moved to then; None: it becomes a support request)."""
    fields: Ref | None = None
    """What was filled into the portal's form."""
    page: Ref | None = None
    """Where the customer came from."""
    class_: str | None = None
    """Given by an entry token; None: normal."""
    boost: int = 0
    network: str | None = None
    """Where the customer speaks from: the network, not the host."""
    source: str | None = None
    """The keyed digest of the address there."""
    web_chat: str = "none"
    """Of its portal: if it isn't none, the session opens with it."""
    listed: int = attrs.field(default=0, eq=False)
    """Of its case: how many had come to be unassigned before, and this one."""


@attrs.define
class RequestClassified:
    """A request has another class of its portal."""

    TYPE: ClassVar[str] = "request.classified"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    class_: str
    boost: int
    by: str


@attrs.define
class RequestWidened:
    """It has waited long enough for the next step of its ladder: more representatives may have it."""

    TYPE: ClassVar[str] = "request.widened"
    VERSION: ClassVar[int] = 1
    request: str
    step: int


@attrs.define
class RequestReleased:
    """The representative who served its customer last is waited for no longer."""

    TYPE: ClassVar[str] = "request.released"
    VERSION: ClassVar[int] = 1
    request: str
    representative: str
    reason: str
    """time, or gone."""


@attrs.define
class RequestMoved:
    """It overflowed into another sub-portal, its age kept, and begins anew there."""

    TYPE: ClassVar[str] = "request.moved"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    former: str
    subportal: str
    rule: str
    """wait, length or staffing."""
    asked: tuple[str, ...]
    need: Need
    ladder: tuple[tuple[int, Need], ...]
    """Steps that are still to come."""
    overflow: tuple[tuple[int, str | None], ...]
    case: CaseNow | None = attrs.field(default=None, eq=False)
    number: int = attrs.field(default=0, eq=False)
    portal: str = attrs.field(default="", eq=False)
    arrived: int = attrs.field(default=0, eq=False)
    text: Ref | None = attrs.field(default=None, eq=False)
    name: Ref | None = attrs.field(default=None, eq=False)
    """What those who serve the other sub-portal are told of it: it is new to them."""


@attrs.define
class OverflowPassed:
    """The time of its first overflow rule came, and the rule couldn't be carried out."""

    TYPE: ClassVar[str] = "overflow.passed"
    VERSION: ClassVar[int] = 1
    request: str


@attrs.define
class LineUnstaffed:
    """Nobody who serves this sub-portal is signed in; its overflow rules are carried out, a slice at a time."""

    TYPE: ClassVar[str] = "line.unstaffed"
    VERSION: ClassVar[int] = 1
    subportal: str
    upto: tuple[int, int, str] | None
    """The place up to which its line has been looked at; None: to its end."""


@attrs.define
class RequestPicked:
    """The customer chose another representative."""

    TYPE: ClassVar[str] = "request.picked"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    target: str


@attrs.define
class RequestUnplaced:
    """The picked representative won't come."""

    TYPE: ClassVar[str] = "request.unplaced"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    representative: str
    reason: str
    broadcast: bool


@attrs.define
class RequestRequeued:
    """An assigned request went back to waiting, at its original age."""

    TYPE: ClassVar[str] = "request.requeued"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    representative: str
    """Who had it: counts as having refused it in the round that begins."""
    reason: str
    case: CaseNow | None = attrs.field(default=None, eq=False)


@attrs.define
class RequestEnded:
    """A request reached a final state."""

    TYPE: ClassVar[str] = "request.ended"
    VERSION: ClassVar[int] = 1
    request: str
    visitor: str
    state: str
    session: str | None = None
    """The session that waited with it and ends with it."""
    text: Ref | None = None
    """The question that is left, where it became a support request by its customer; the next two with it."""
    name: Ref | None = None
    email: Ref | None = None
    case: CaseNow | None = attrs.field(default=None, eq=False)
    representative: str | None = attrs.field(default=None, eq=False)
    """Whose case it stays."""


@attrs.define
class QuestionLeft:
    """What the customer asked is in its session, for whoever answers it later: the request becomes a support request.
    Left just then; or asked with the request, where no session was opened that has said it."""

    TYPE: ClassVar[str] = "question.left"
    VERSION: ClassVar[int] = 1
    request: str
    session: str
    text: Ref
    name: Ref | None = None
    fields: Ref | None = None
    page: Ref | None = None


@attrs.define
class OfferMade:
    """A request is proposed: to one representative until ``deadline``, or (broadcast) to a sub-portal. Or a session,
    to take it over (transfer) or to come into it (invite), either way until ``deadline``."""

    TYPE: ClassVar[str] = "offer.made"
    VERSION: ClassVar[int] = 1
    offer: str
    request: str
    subportal: str
    kind: str
    representative: str | None
    deadline: int | None
    arrived: int
    text: Ref | None
    name: Ref | None
    by: str | None
    fields: Ref | None = None
    page: Ref | None = None
    view_only: bool = False
    masked: bool = False
    """Whether the customer is to know nothing of whoever comes."""
    comment: Ref | None = None
    """From one representative to another."""


@attrs.define
class OfferEnded:
    """An offer ended without an assignment: declined, expired, revoked or gone."""

    TYPE: ClassVar[str] = "offer.ended"
    VERSION: ClassVar[int] = 1
    offer: str
    request: str
    subportal: str
    kind: str
    representative: str | None
    reason: str
    code: str | None
    by: str | None


@attrs.define
class BroadcastDeclined:
    """One representative doesn't want a broadcast request; it stays open for the others."""

    TYPE: ClassVar[str] = "broadcast.declined"
    VERSION: ClassVar[int] = 1
    offer: str
    request: str
    representative: str
    code: str


@attrs.define
class RoundPaused:
    """Every eligible representative has refused the request; it is offered again from ``until`` on."""

    TYPE: ClassVar[str] = "round.paused"
    VERSION: ClassVar[int] = 1
    request: str
    until: int


@attrs.define
class RoundStarted:
    """The pause is over."""

    TYPE: ClassVar[str] = "round.started"
    VERSION: ClassVar[int] = 1
    request: str


@attrs.define
class RequestAssigned:
    """A representative has the request (an offer was accepted, or its pin was typed): the session is open."""

    TYPE: ClassVar[str] = "request.assigned"
    VERSION: ClassVar[int] = 1
    request: str
    session: str
    subportal: str
    visitor: str
    representative: str
    team: str
    offer: str | None
    kind: str
    """Of the offer: queue, direct, broadcast; or pin; or by hand: taken, given."""
    pin: str | None
    pin_expires: int | None
    text: Ref | None
    customer_name: Ref | None
    representative_name: Ref
    load: int
    capacity: int
    fields: Ref | None = None
    functions: tuple[str, ...] = ()
    """Those that are on as it opens."""
    page: Ref | None = None
    opens: bool = True
    """Whether the session opens with it; if not, it was open and waited."""
    outcomes: tuple[str, ...] = ()
    """What may come of it, where the portal says something else than by default."""
    case: CaseNow | None = attrs.field(default=None, eq=False)


@attrs.define
class SessionTransferred:
    """Another representative accepted to take a session over."""

    TYPE: ClassVar[str] = "session.transferred"
    VERSION: ClassVar[int] = 1
    offer: str
    session: str
    request: str
    visitor: str
    representative: str
    team: str
    former: str
    representative_name: Ref
    load: int
    capacity: int
    functions: tuple[str, ...] = ()
    """Those that are on for the new one."""
    outcomes: tuple[str, ...] = ()
    """As of ``RequestAssigned``."""
    subportal: str | None = None
    """Whose people were asked, if not one person."""
    case: CaseNow | None = attrs.field(default=None, eq=False)


@attrs.define
class SessionReleased:
    """Nobody has a session any more: it waits, with all that was said in it, as its request does again."""

    TYPE: ClassVar[str] = "session.released"
    VERSION: ClassVar[int] = 1
    session: str
    request: str
    visitor: str
    representative: str
    """Who had it."""
    team: str
    reason: str
    load: int
    capacity: int


@attrs.define
class MemberJoined:
    """A representative came into somebody else's session, as a guest."""

    TYPE: ClassVar[str] = "member.joined"
    VERSION: ClassVar[int] = 1
    session: str
    representative: str
    name: Ref
    view_only: bool
    masked: bool
    offer: str
    """The invitation that was accepted."""
    subportal: str | None
    """To whom it went, if not to one person."""
    by: str
    """Who invited."""


@attrs.define
class MemberLeft:
    """A guest is gone."""

    TYPE: ClassVar[str] = "member.left"
    VERSION: ClassVar[int] = 1
    session: str
    representative: str
    masked: bool
    reason: str
    """left, removed, released (whoever invited has gone), ended (with the session), transferred (it has the session
    now), function_off, signed_out, representative_lost."""
    leg: str | None = None
    """Of the share that it looked at: with the guest it is over."""


@attrs.define
class MonitorStarted:
    """A manager looks on in a session."""

    TYPE: ClassVar[str] = "monitor.started"
    VERSION: ClassVar[int] = 1
    session: str
    manager: str
    announced: bool
    told: bool
    """Whether those in the session hear of it: of the first announced one."""


@attrs.define
class MonitorEnded:
    """A manager looks on no longer."""

    TYPE: ClassVar[str] = "monitor.ended"
    VERSION: ClassVar[int] = 1
    session: str
    manager: str
    announced: bool
    told: bool
    """Whether those in the session hear of it: of the last announced one."""
    reason: str
    """left, ended or released (the session was), connection_lost, restarted, policy, function_off, rights or scope."""
    since: int
    """When it began (ms)."""


@attrs.define
class ChatSent:
    """A message of a session, with its number there."""

    TYPE: ClassVar[str] = "chat.sent"
    VERSION: ClassVar[int] = 1
    session: str
    number: int
    """Dense per session, from 1."""
    by: str
    role: str
    """customer or representative."""
    text: Ref
    subportal: str
    excerpt: bool
    """Whether it is what the request asks, for that had no text."""
    case: CaseNow | None = attrs.field(default=None, eq=False)
    """Its case, if this says what that is about."""


@attrs.define
class NoteAdded:
    """Something that staff wrote down beside a session, and that its customer never sees."""

    TYPE: ClassVar[str] = "note.added"
    VERSION: ClassVar[int] = 1
    session: str
    by: str
    text: Ref


@attrs.define
class OutcomeSet:
    """What came of a session, in the words of whoever had it."""

    TYPE: ClassVar[str] = "outcome.set"
    VERSION: ClassVar[int] = 1
    session: str
    request: str
    representative: str
    outcome: str
    note: Ref | None


@attrs.define
class SessionRated:
    """What the customer thinks of it."""

    TYPE: ClassVar[str] = "session.rated"
    VERSION: ClassVar[int] = 1
    session: str
    request: str
    representative: str | None
    score: int
    """1 to 5."""
    comment: Ref | None
    fields: Ref | None = None
    """What was filled into the portal's survey."""


@attrs.define
class SessionDescribed:
    """What the customer's page told of its device, for staff."""

    TYPE: ClassVar[str] = "session.described"
    VERSION: ClassVar[int] = 1
    session: str
    kind: str
    """device or diagnostics."""
    data: Ref


@attrs.define
class SessionEnded:
    """A conversation is over; what becomes of its request is an event of its own."""

    TYPE: ClassVar[str] = "session.ended"
    VERSION: ClassVar[int] = 1
    session: str
    request: str
    visitor: str
    representative: str
    team: str
    reason: str
    load: int
    capacity: int
    wrap_up: int | None = None
    """Until when its places stay taken (ms)."""


@attrs.define
class CaseChanged:
    """Somebody moved a case, or its representative left; what else changes one are the events of its request."""

    TYPE: ClassVar[str] = "case.changed"
    VERSION: ClassVar[int] = 1
    request: str
    reason: str
    """taken, given, resolved, reopened, returned (reopened, and its representative is gone), left."""
    representative: str | None
    former: str | None
    by: str
    case: CaseNow | None = attrs.field(default=None, eq=False)


@attrs.define
class CaseDeleted:
    """A case is gone, and with this commit all that was said and written in it."""

    TYPE: ClassVar[str] = "case.deleted"
    VERSION: ClassVar[int] = 1
    request: str
    number: int
    subportal: str
    representative: str | None
    reason: str
    """deleted, retention or full."""
    by: str


@attrs.define
class CasesSeen:
    """A representative has looked at the unassigned cases up to this one."""

    TYPE: ClassVar[str] = "cases.seen"
    VERSION: ClassVar[int] = 1
    representative: str
    upto: int


@attrs.define
class CaseMailed:
    """An e-mail to a case's customer was written; how it travels are events of their own."""

    TYPE: ClassVar[str] = "case.mailed"
    VERSION: ClassVar[int] = 1
    request: str
    session: str
    mail: str
    by: str
    subject: Ref | None
    text: Ref


@attrs.define
class CaseMailAttempted:
    """An e-mail of a case was handed to the mail server, or wasn't."""

    TYPE: ClassVar[str] = "case.mail_attempted"
    VERSION: ClassVar[int] = 1
    request: str
    session: str
    mail: str
    attempt: int
    state: str
    """sent, deferred (tried again) or failed (given up)."""
    code: int
    """What the server said, as SMTP has it; 0: nothing."""
    reason: str


@attrs.define
class WrapUpEnded:
    """The work after a session is over, and its places are free."""

    TYPE: ClassVar[str] = "wrap_up.ended"
    VERSION: ClassVar[int] = 1
    session: str
    representative: str
    team: str
    reason: str
    """done, expired or signed_out."""
    load: int
    capacity: int


@attrs.define
class PinCreated:
    """A representative made a pin; ``serial`` and the installation's key give its nine digits."""

    TYPE: ClassVar[str] = "pin.created"
    VERSION: ClassVar[int] = 1
    pin: str
    serial: int
    representative: str
    expires: int


@attrs.define
class PinEnded:
    """A pin expired or was revoked. (One that was used ends with its RequestAssigned.)"""

    TYPE: ClassVar[str] = "pin.ended"
    VERSION: ClassVar[int] = 1
    pin: str
    representative: str
    state: str
    expires: int


@attrs.define
class PinGuessed:
    """Wrong pins from one place passed the limit."""

    TYPE: ClassVar[str] = "pin.guessed"
    VERSION: ClassVar[int] = 1
    portal: str | None
    source: str
    wrong: int


@attrs.define
class ShareRequested:
    """The representative asked for the screen; the customer has until ``until`` to accept."""

    TYPE: ClassVar[str] = "share.requested"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    until: int
    visitor: str = ""
    """Of older ones, the session's; as those below."""
    representative: str = ""
    portal: str = ""
    control: bool = False
    """Whether control is asked for as well."""


@attrs.define
class ShareAccepted:
    """The customer took the first step of consent; it has until ``until`` for the second."""

    TYPE: ClassVar[str] = "share.accepted"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    until: int


@attrs.define
class ShareConfirmed:
    """The customer said yes to being looked at: SIGNAL is relayed between these two from the commit of this on."""

    TYPE: ClassVar[str] = "share.confirmed"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    customer: str
    representative: str
    until: int | None = None
    """Until when its media must run; None: for ever, as it was once."""
    control: bool = False
    """Whether the customer said yes to being controlled, too."""
    functions: tuple[str, ...] = ()
    """What is on for these two."""
    reasons: Chains = ()


@attrs.define
class ShareStarted:
    """One end says that the media runs."""

    TYPE: ClassVar[str] = "share.started"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    by: str


@attrs.define
class ShareControlAsked:
    """The representative asked for control; the customer has until ``until`` to allow it. Silence refuses."""

    TYPE: ClassVar[str] = "share.control_asked"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    state: str
    """Of the share, as before; as in those below."""
    until: int


@attrs.define
class ShareControlled:
    """Control was allowed, refused or taken back; looking on goes on."""

    TYPE: ClassVar[str] = "share.controlled"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    state: str
    control: bool
    by: str
    functions: tuple[str, ...]
    reason: str | None = None
    """no_answer, or nothing more to say than by whom."""


@attrs.define
class ShareGrantChanged:
    """Other functions are on for these two than before; control ends with its function."""

    TYPE: ClassVar[str] = "share.grant_changed"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    state: str
    representative: str
    control: bool
    functions: tuple[str, ...]
    reasons: Chains


@attrs.define
class ShareRebooting:
    """The customer's machine is restarted: it has until ``until`` to come back."""

    TYPE: ClassVar[str] = "share.rebooting"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    until: int


@attrs.define
class ShareBack:
    """The customer is back from the restart: the media is set up anew, under the same grant."""

    TYPE: ClassVar[str] = "share.back"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    customer: str
    representative: str
    until: int
    control: bool
    functions: tuple[str, ...]


@attrs.define
class ShareWatched:
    """A guest of the session looks at the screen, or its functions have changed: SIGNAL is relayed on its leg between
    it and ``holder``, who passes the picture on, until it leaves, looks no more, or the share ends or restarts."""

    TYPE: ClassVar[str] = "share.watched"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    leg: str
    representative: str
    holder: str
    masked: bool
    functions: tuple[str, ...]
    """What this guest may do, where the share's grant has it."""
    told: bool
    """Whether it is news to the others in the session: that it looks, and whether it may control."""


@attrs.define
class ShareUnwatched:
    """A guest of the session looks at the screen no more."""

    TYPE: ClassVar[str] = "share.unwatched"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    leg: str
    representative: str
    holder: str
    masked: bool
    reason: str
    """stopped, function_off."""


@attrs.define
class ShareEnded:
    """The share was refused, or is over."""

    TYPE: ClassVar[str] = "share.ended"
    VERSION: ClassVar[int] = 1
    share: str
    session: str
    state: str
    by: str
    reason: str | None = None
    """Why the broker ended it; nothing where there is no more to say than by whom."""


@attrs.define
class FileBegun:
    """Somebody announced a file; its bytes are to come."""

    TYPE: ClassVar[str] = "file.begun"
    VERSION: ClassVar[int] = 1
    file: str
    session: str
    role: str
    """customer or representative."""
    by: str
    name: Ref
    size: int
    type: str
    sha256: str | None
    """As announced; None: it will be said at the end."""
    until: int


@attrs.define
class FileShared:
    """All bytes of a file are on disk, and everybody in the session is told: its next message."""

    TYPE: ClassVar[str] = "file.shared"
    VERSION: ClassVar[int] = 1
    file: str
    session: str
    number: int
    role: str
    by: str
    name: Ref
    size: int
    type: str
    sha256: str


@attrs.define
class FileEnded:
    """An upload that won't be finished."""

    TYPE: ClassVar[str] = "file.ended"
    VERSION: ClassVar[int] = 1
    file: str
    session: str
    by: str
    reason: str
    """cancelled, expired, function_off, or left: its sender went, and the session goes on."""


Event = (
    BrokerStarted
    | OfferRenewed
    | LoadChanged
    | AccountPut
    | PortalPut
    | PortalDeleted
    | PortalTurned
    | SubportalState
    | SubportalPut
    | TeamPut
    | TeamDeleted
    | ReplyPut
    | ReplyDeleted
    | RepresentativePut
    | RepresentativeDeleted
    | ManagerPut
    | ManagerDeleted
    | ServicePut
    | ServiceDeleted
    | SignedIn
    | SignInRefreshed
    | SignInsEnded
    | PasswordSet
    | KeyCreated
    | KeyEnded
    | VisitorBlocked
    | BlockEnded
    | Audited
    | RefusalsCounted
    | PresenceChanged
    | TakenOver
    | RepresentativeLost
    | RepresentativeBack
    | CustomerLost
    | CustomerBack
    | VisitorsForgotten
    | RequestCreated
    | RequestClassified
    | RequestWidened
    | RequestReleased
    | RequestMoved
    | OverflowPassed
    | LineUnstaffed
    | RequestPicked
    | RequestUnplaced
    | RequestRequeued
    | RequestEnded
    | QuestionLeft
    | OfferMade
    | OfferEnded
    | BroadcastDeclined
    | RoundPaused
    | RoundStarted
    | RequestAssigned
    | SessionTransferred
    | SessionReleased
    | MemberJoined
    | MemberLeft
    | MonitorStarted
    | MonitorEnded
    | ChatSent
    | NoteAdded
    | OutcomeSet
    | SessionRated
    | SessionDescribed
    | SessionEnded
    | CaseChanged
    | CaseDeleted
    | CasesSeen
    | CaseMailed
    | CaseMailAttempted
    | WrapUpEnded
    | PinCreated
    | PinEnded
    | PinGuessed
    | ShareRequested
    | ShareAccepted
    | ShareConfirmed
    | ShareStarted
    | ShareControlAsked
    | ShareControlled
    | ShareGrantChanged
    | ShareRebooting
    | ShareBack
    | ShareWatched
    | ShareUnwatched
    | ShareEnded
    | FileBegun
    | FileShared
    | FileEnded
)

_FAMILY: tuple[type[Event], ...] = get_args(Event)

EVENTS: dict[str, type[Event]] = {cls.TYPE: cls for cls in _FAMILY}
"""Every event class by its type."""


def _reader(cls: type[Event]) -> Callable[[Event], tuple[object, ...]]:
    names = [field.name for field in attrs.fields(cls)]
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda event: (get(event),)


_READERS = {cls: _reader(cls) for cls in _FAMILY}


def pack_body(event: Event) -> tuple[object, ...]:
    """The event's fields, in the order of its class: what the journal packs."""
    return _READERS[type(event)](event)


def unpack_body(type_: str, version: int, values: Sequence[object]) -> Event:
    """The event of a stored body. Raises ValueError for a type or version this release doesn't know."""
    cls = EVENTS.get(type_)
    if cls is None or version != cls.VERSION:
        raise ValueError(f"event {type_!r} version {version} is unknown to this release")
    build: Callable[..., Event] = cls  # type: ignore[explicit-any]  # each takes its own class
    return build(*values)
