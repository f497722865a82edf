"""The operations of protocol v1: one class each, with its arguments as fields.

Made by ``check.parse`` from a REQUEST, and read by the desk. Required arguments come first, then the
optional ones (None where missing), each group in the schema's order; ``from`` and ``class`` are ``from_`` and
``class_`` here. A test
holds this file against ``schema/v1.toml``. Personal fields arrive as ``Personal``, enums as str.
"""

# size: one class for each operation, read as a list beside the schema

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import attrs

from broker.content import Personal
from broker.limits import FILE_CHUNK, FILE_COST

Map = Mapping[str, object]
"""A map of the schema, checked: its fields as the schema has them."""


@attrs.define
class PortalOpen:
    """The portal this customer came through, as its page needs it; on a pick portal, who can be picked now."""

    OP: ClassVar[str] = "portal.open"
    language: str | None = None


@attrs.define
class RequestCreate:
    """Ask for help. A second one while one is open at the same portal returns the open one, marked existing."""

    OP: ClassVar[str] = "request.create"
    subportal: str | None = None
    text: Personal | None = None
    name: Personal | None = None
    email: Personal | None = None
    representative: str | None = None
    skills: Sequence[str] | None = None
    fields: Personal | None = None
    page: Personal | None = None
    support: bool | None = None


@attrs.define
class RequestPick:
    """Choose (again) who should help, after the one picked before was lost or said no; the time of arrival stays."""

    OP: ClassVar[str] = "request.pick"
    request: str
    representative: str


@attrs.define
class RequestClassify:
    """Give an open queue request a class of its portal (or normal): it stands as if it had arrived the class's boost
    earlier."""

    OP: ClassVar[str] = "request.classify"
    request: str
    class_: str


@attrs.define
class TranscriptGet:
    """What was said and done in a session, as a document, a page at a time."""

    OP: ClassVar[str] = "transcript.get"
    session: str
    format: str
    after: str | None = None
    notes: bool | None = None


@attrs.define
class RequestWhy:
    """How each offer of a request came about, and what else was decided for it: the last 100 decisions that the journal
    still has. Takes a while in a long journal."""

    OP: ClassVar[str] = "request.why"
    request: str


@attrs.define
class CaseList:
    """The requests that stand in a sub-portal's line, the first in line first, at most 100: for representatives who
    serve it and may take some by hand, and for managers. Names and texts are told to representatives alone."""

    OP: ClassVar[str] = "case.list"
    subportal: str
    from_: int | None = None


@attrs.define
class CaseTake:
    """Take a waiting request by hand, as far as its portal lets representatives (take: any, head, off). Pending offers
    of it are rescinded. A case whose customer waits no more is taken by anybody who serves it."""

    OP: ClassVar[str] = "case.take"
    request: str | None = None
    case: str | None = None


@attrs.define
class CaseAssign:
    """Give a waiting request to a representative with room for it, who is signed in. Pending offers of it are
    rescinded. A case whose customer waits no more may be given to anybody, from somebody else, too."""

    OP: ClassVar[str] = "case.assign"
    representative: str
    request: str | None = None
    case: str | None = None


@attrs.define
class CaseResolve:
    """Nothing is left to do. With a version, only if the case is still as the asker saw it; else 2410, with the case as
    it is."""

    OP: ClassVar[str] = "case.resolve"
    case: str
    version: int | None = None


@attrs.define
class CaseReopen:
    """There is something left to do, for its representative; if that one left, for anybody."""

    OP: ClassVar[str] = "case.reopen"
    case: str
    version: int | None = None


@attrs.define
class CaseGet:
    """All that is known of a case, beside what was said in it."""

    OP: ClassVar[str] = "case.get"
    case: str


@attrs.define
class CaseSearch:
    """The cases that fit, as far as the asker may see them, the newest first, at most 100; with `after`, those that
    come then."""

    OP: ClassVar[str] = "case.search"
    query: str | None = None
    subportal: str | None = None
    status: str | None = None
    type: str | None = None
    representative: str | None = None
    from_: int | None = None
    to: int | None = None
    after: int | None = None


@attrs.define
class CaseDelete:
    """Erase a case and all that was said and written in it, for good, once the conversation is over."""

    OP: ClassVar[str] = "case.delete"
    case: str


@attrs.define
class CaseMail:
    """Answer a case's customer by e-mail: what becomes of it is told in the session's staff stream."""

    OP: ClassVar[str] = "case.mail"
    case: str
    text: Personal
    subject: Personal | None = None


@attrs.define
class CasesSeen:
    """The unassigned cases were looked at, up to the one listed as this: no red dot for them on any device."""

    OP: ClassVar[str] = "cases.seen"
    upto: int


@attrs.define
class CustomerExport:
    """All that is stored about a customer, known by an e-mail address or as a visitor: cases in full with all that was
    said in them, the oldest first, a few at a time; with `after`, those that come then."""

    OP: ClassVar[str] = "customer.export"
    email: str | None = None
    visitor: str | None = None
    after: int | None = None


@attrs.define
class WrapUpEnd:
    """The work after a session is done: its places are free again, before the portal's time for it is over."""

    OP: ClassVar[str] = "wrap_up.end"
    session: str


@attrs.define
class RequestWithdraw:
    """Stop waiting."""

    OP: ClassVar[str] = "request.withdraw"
    request: str


@attrs.define
class RequestConvert:
    """Stop waiting and leave a question, which is answered by e-mail: the case becomes a support request. The address
    must be known, from here or from before, and so must a text."""

    OP: ClassVar[str] = "request.convert"
    request: str
    text: Personal | None = None
    name: Personal | None = None
    email: Personal | None = None


@attrs.define
class PinRedeem:
    """Connect to the representative who made this pin. Wrong, used, expired and revoked pins fail alike (2406)."""

    OP: ClassVar[str] = "pin.redeem"
    pin: str = attrs.field(repr=False)
    name: Personal | None = None


@attrs.define
class PresenceSet:
    """Say whether offers are welcome. offline signs out of the line; with sessions open it is refused unless they
    are handed back. Where no login of the team is left: 2422, detail.signed_in says who has them; takeover takes that
    one's, who keeps its sessions and gets no new requests."""

    OP: ClassVar[str] = "presence.set"
    presence: str
    reason: str | None = None
    sessions: str | None = None
    takeover: str | None = None


@attrs.define
class OfferAccept:
    """Take an offered request. Exactly one accept of an offer succeeds; the others get 2405 with the reason."""

    OP: ClassVar[str] = "offer.accept"
    offer: str


@attrs.define
class OfferDecline:
    """Refuse an offered request, with a reason code; it goes to the next."""

    OP: ClassVar[str] = "offer.decline"
    offer: str
    reason: str


@attrs.define
class PinCreate:
    """A 9-digit code that connects one customer to this representative, once."""

    OP: ClassVar[str] = "pin.create"


@attrs.define
class PinRevoke:
    """Make a pin worthless."""

    OP: ClassVar[str] = "pin.revoke"
    id: str


@attrs.define
class PinList:
    """This representative's pins and what became of each, newest first; ended ones for a day."""

    OP: ClassVar[str] = "pin.list"


@attrs.define
class SessionEnd:
    """End the conversation, for both sides."""

    OP: ClassVar[str] = "session.end"
    session: str


@attrs.define
class ChatSend:
    """Say something in a session. Stored once, with the next number of the session."""

    OP: ClassVar[str] = "chat.send"
    session: str
    text: Personal


@attrs.define
class ChatTyping:
    """Let the others of a session know that something is being written, or no longer. Never stored; told again every
    few seconds while it goes on."""

    OP: ClassVar[str] = "chat.typing"
    session: str
    on: bool


@attrs.define
class ChatRead:
    """Let the others of a session know up to which message it was read. Never stored."""

    OP: ClassVar[str] = "chat.read"
    session: str
    upto: int


@attrs.define
class NoteAdd:
    """Write something down beside a session, for staff alone. After its end, whoever had it last may still do so."""

    OP: ClassVar[str] = "note.add"
    session: str
    text: Personal


@attrs.define
class SessionOutcome:
    """Say what came of a session, while one has it or after its end; the last word counts. 2400 names the outcomes that
    its portal has."""

    OP: ClassVar[str] = "session.outcome"
    session: str
    outcome: str
    note: Personal | None = None


@attrs.define
class SessionRate:
    """Say how it was, once: from 1 (bad) to 5 (very good), and fill in the portal's survey. Also after the end."""

    OP: ClassVar[str] = "session.rate"
    session: str
    score: int
    comment: Personal | None = None
    fields: Personal | None = None


@attrs.define
class SessionDescribe:
    """Tell staff what the customer's device is, or what was collected there (diagnostics, where screen_share is on).
    Also after the session's end, as long as a share of it goes on."""

    OP: ClassVar[str] = "session.describe"
    session: str
    kind: str
    data: Personal


@attrs.define
class SessionLeave:
    """Leave a session. Whoever has it hands it back: its request goes back to the line at its original age, and it
    waits with all that was said. A guest just goes."""

    OP: ClassVar[str] = "session.leave"
    session: str


@attrs.define
class SessionTransfer:
    """Offer a session to another representative, or to everybody who serves a sub-portal: the first yes takes it, and
    until then the present one keeps it."""

    OP: ClassVar[str] = "session.transfer"
    session: str
    representative: str | None = None
    subportal: str | None = None
    comment: Personal | None = None


@attrs.define
class SessionInvite:
    """Ask another representative, or one of those who serve a sub-portal, into a session as a guest."""

    OP: ClassVar[str] = "session.invite"
    session: str
    representative: str | None = None
    subportal: str | None = None
    view_only: bool | None = None
    masked: bool | None = None
    comment: Personal | None = None


@attrs.define
class SessionRemove:
    """Send a guest away."""

    OP: ClassVar[str] = "session.remove"
    session: str
    representative: str


@attrs.define
class OfferRevoke:
    """Take back a transfer or an invitation that nobody has answered."""

    OP: ClassVar[str] = "offer.revoke"
    offer: str


@attrs.define
class SessionMonitor:
    """Look on in a session: read its streams, and say nothing."""

    OP: ClassVar[str] = "session.monitor"
    session: str


@attrs.define
class SessionMonitorEnd:
    """Look on no longer."""

    OP: ClassVar[str] = "session.monitor_end"
    session: str


@attrs.define
class ShareRequest:
    """Ask the customer to share the screen; with control, to be controlled as well."""

    OP: ClassVar[str] = "share.request"
    session: str
    control: bool | None = None


@attrs.define
class ShareAccept:
    """First step of consent: share my screen."""

    OP: ClassVar[str] = "share.accept"
    share: str


@attrs.define
class ShareConfirm:
    """Second step of consent: yes; with control, to being controlled as well, if that was asked for. From now on SIGNAL
    frames of this share are relayed. The media must run within 60 s."""

    OP: ClassVar[str] = "share.confirm"
    share: str
    control: bool | None = None


@attrs.define
class ShareDecline:
    """Refuse the screen share. Saying nothing for 60 s refuses too."""

    OP: ClassVar[str] = "share.decline"
    share: str


@attrs.define
class ShareStop:
    """End the screen share; the session goes on. A share goes on when its session ends, and is stopped by this."""

    OP: ClassVar[str] = "share.stop"
    share: str


@attrs.define
class ShareJoin:
    """What this end needs to set the media up: ICE servers with credentials until then, or another back-end's address.
    Ask again for each set-up. Asked by the customer's machine after its restart, it says that it is back: the share is
    negotiating again."""

    OP: ClassVar[str] = "share.join"
    share: str


@attrs.define
class ShareStarted:
    """The media runs. Either end says it, or both."""

    OP: ClassVar[str] = "share.started"
    share: str


@attrs.define
class ShareAskControl:
    """Ask the customer for control of a share that goes on. Saying nothing for 60 s refuses."""

    OP: ClassVar[str] = "share.ask_control"
    share: str


@attrs.define
class ShareControl:
    """Allow the control that was asked for, or refuse it; or take it back, at any time."""

    OP: ClassVar[str] = "share.control"
    share: str
    allow: bool


@attrs.define
class ShareReboot:
    """The customer's machine restarts: the share waits 10 minutes for its share.join, then media is set up anew. Needs
    control, and the function reboot."""

    OP: ClassVar[str] = "share.reboot"
    share: str


@attrs.define
class FileBegin:
    """Announce a file for a session one takes part in, as far as its portal takes it and file_transfer is on. Its bytes
    go in file.chunk, from offset on; an hour later it is too late. A repeat says how far it got."""

    OP: ClassVar[str] = "file.begin"
    session: str
    name: Personal
    size: int
    type: str
    sha256: str | None = None


@attrs.define
class FileChunk:
    """The next bytes of a file. Several may be under way. 2410 where the end is elsewhere: detail.offset says where to
    go on. Counted by bytes, not by requests: 3429 says when to go on."""

    OP: ClassVar[str] = "file.chunk"
    file: str
    offset: int
    data: bytes


@attrs.define
class FileFinish:
    """All bytes are there: it is shared once they are on disk. 2400 where the hash is another, or the bytes aren't of
    the type: the upload starts anew at 0. 2410 where bytes are missing: detail.offset."""

    OP: ClassVar[str] = "file.finish"
    file: str
    sha256: str


@attrs.define
class FileCancel:
    """Give up an upload of one's own."""

    OP: ClassVar[str] = "file.cancel"
    file: str


@attrs.define
class FileGet:
    """Bytes of a shared file from offset on, as many as one chunk has or are left, for whoever may read its session. No
    data at its end. Counted as file.chunk is."""

    OP: ClassVar[str] = "file.get"
    file: str
    offset: int


@attrs.define
class FileList:
    """The files of a session, for whoever may read it, and one's own uploads on their way."""

    OP: ClassVar[str] = "file.list"
    session: str


@attrs.define
class AccountGet:
    """The account's configuration as it stands, as far as the asker may see it: a team manager its teams and what they
    serve, a representative with management itself."""

    OP: ClassVar[str] = "account.get"


@attrs.define
class AccountPut:
    """Set what holds for the whole account. What isn't given is as by default. Modes are refused while a portal has
    another."""

    OP: ClassVar[str] = "account.put"
    modes: Sequence[str] | None = None
    password_min: int | None = None
    password_classes: int | None = None


@attrs.define
class FunctionEffective:
    """Which functions are on for a representative at a portal, and who decides each: the portal and the representative
    must both allow it; the representative's own setting goes before its team's, a sub-team's before its parent's.
    Representatives ask about themselves alone."""

    OP: ClassVar[str] = "function.effective"
    representative: str
    portal: str
    function: str | None = None


@attrs.define
class PortalPut:
    """Create a portal or change it to be as given. kind and mode must fit: web has pick, ask, button; phone has pin,
    global_pin; queue has ask, button."""

    OP: ClassVar[str] = "portal.put"
    portal: str
    kind: str
    mode: str
    subportals: Sequence[str]
    title: Personal | None = None
    offer_ms: int | None = None
    pick_fallback: str | None = None
    places: int | None = None
    wrap_up_ms: int | None = None
    classes: Sequence[Map] | None = None
    take: str | None = None
    hours: Map | None = None
    require: Sequence[str] | None = None
    form: Personal | None = None
    texts: Personal | None = None
    language: str | None = None
    closing_ms: int | None = None
    origins: Sequence[str] | None = None
    functions: Map | None = None
    web_chat: str | None = None
    retention_days: int | None = None
    outcomes: Sequence[str] | None = None
    survey: Personal | None = None
    files: Map | None = None
    monitoring: str | None = None
    guests: str | None = None


@attrs.define
class PortalDelete:
    """Delete a portal and its sub-portals, none of which has an open request. Teams serve them no longer."""

    OP: ClassVar[str] = "portal.delete"
    portal: str


@attrs.define
class SubportalPut:
    """Say how a sub-portal shares representatives with others (of two that wait, one of weight 2 is given twice as
    many), by which policy they are chosen, what they must be able to do, and where requests go that wait too long. What
    isn't given is as by default."""

    OP: ClassVar[str] = "subportal.put"
    subportal: str
    weight: int | None = None
    policy: str | None = None
    max_waiting: int | None = None
    skills: Sequence[Map] | None = None
    relax: Sequence[Map] | None = None
    sticky_ms: int | None = None
    overflow: Sequence[Map] | None = None


@attrs.define
class TeamPut:
    """Create a team or change it to be as given; subportals are those its representatives serve. parent: the team it is
    a sub-team of, at most 8 levels deep. A sub-team serves what its own list says, not what its parent serves."""

    OP: ClassVar[str] = "team.put"
    team: str
    subportals: Sequence[str]
    title: Personal | None = None
    away_after: int | None = None
    parent: str | None = None
    logins: int | None = None
    functions: Map | None = None


@attrs.define
class TeamDelete:
    """Delete a team and keep its people: its representatives move into another team (into; if not given, its parent),
    its sub-teams up to its parent. Sessions go on."""

    OP: ClassVar[str] = "team.delete"
    team: str
    into: str | None = None


@attrs.define
class ReplyPut:
    """Write a canned reply of a team or change it to be as given: text or texts, not both. Its representatives and
    those of its sub-teams have it; of two with one name, the nearest team's. {customer} and {representative} in it are
    names that whoever sends it fills in."""

    OP: ClassVar[str] = "reply.put"
    team: str
    reply: str
    title: Personal | None = None
    text: Personal | None = None
    texts: Personal | None = None


@attrs.define
class ReplyDelete:
    """Delete a canned reply of a team. One of the same name of a team above is had again."""

    OP: ClassVar[str] = "reply.delete"
    team: str
    reply: str


@attrs.define
class ReplyList:
    """The canned replies. To a representative: those that it can send, its team's and those of the teams above, one of
    each name, by name. To managers: all of the teams in their scope, from the top."""

    OP: ClassVar[str] = "reply.list"
    subportal: str | None = None


@attrs.define
class RepresentativePut:
    """Create a representative or change one to be as given. Each is in exactly one team."""

    OP: ClassVar[str] = "representative.put"
    representative: str
    name: Personal
    team: str
    capacity: int
    weight: int | None = None
    skills: Sequence[Map] | None = None
    email: Personal | None = None
    management: bool | None = None
    functions: Map | None = None


@attrs.define
class RepresentativeDelete:
    """Let a representative go: sessions go back to the line, pins and sign-ins end, name and e-mail are forgotten; what
    it did stays, under the pseudonym in former. The name is never given again."""

    OP: ClassVar[str] = "representative.delete"
    representative: str


@attrs.define
class ManagerPut:
    """Create a manager or change one to be as given. account: everything. team: what lies in its teams, as far as its
    rights go. api: provisioning. Only who holds a right can give it."""

    OP: ClassVar[str] = "manager.put"
    manager: str
    kind: str
    name: Personal | None = None
    email: Personal | None = None
    teams: Sequence[str] | None = None
    rights: Sequence[str] | None = None


@attrs.define
class ManagerDelete:
    """Let a manager go: its sign-ins end at once. The account's last account manager stays."""

    OP: ClassVar[str] = "manager.delete"
    manager: str


@attrs.define
class ServicePut:
    """Create a service or change what it may do: events and audit are streams, classify and why operations."""

    OP: ClassVar[str] = "service.put"
    service: str
    scopes: Sequence[str]


@attrs.define
class ServiceDelete:
    """Let a service go: its keys and connections end at once."""

    OP: ClassVar[str] = "service.delete"
    service: str


@attrs.define
class AccountExport:
    """Everything that huntgroup apply can put, e-mail addresses included and secrets not: provisioning, so for API
    managers. Each call is in the audit."""

    OP: ClassVar[str] = "account.export"


@attrs.define
class PasswordSet:
    """Choose a password. Of oneself: old is the present one, and other sign-ins end. Of another person (managers): it
    has to be changed at the next sign-in. 2400 names what the account's policy misses."""

    OP: ClassVar[str] = "password.set"
    new: str = attrs.field(repr=False)
    old: str | None = attrs.field(default=None, repr=False)
    person: str | None = None


@attrs.define
class PasswordLink:
    """Send a person an e-mail with a link to choose a password: good once, and for a day."""

    OP: ClassVar[str] = "password.link"
    person: str


@attrs.define
class SignInList:
    """Where somebody is signed in, the oldest first."""

    OP: ClassVar[str] = "sign_in.list"
    person: str | None = None


@attrs.define
class SignInEnd:
    """Sign somebody out: of one sign-in, or of all, with every token made before. Their connections end at once."""

    OP: ClassVar[str] = "sign_in.end"
    person: str | None = None
    sign_in: str | None = None


@attrs.define
class KeyCreate:
    """Make an API key for a service or an API manager: at most two at a time. Its text is told once."""

    OP: ClassVar[str] = "key.create"
    person: str
    scopes: Sequence[str] | None = None
    life_ms: int | None = None


@attrs.define
class KeyRevoke:
    """Make an API key worthless; its connections end at once."""

    OP: ClassVar[str] = "key.revoke"
    prefix: str


@attrs.define
class KeyList:
    """The live API keys, without what they prove."""

    OP: ClassVar[str] = "key.list"
    person: str | None = None


@attrs.define
class VisitorBlock:
    """Shut out a visitor, the address it asked from, or both: by exactly one of request (open), session (also one that
    ended lately) and visitor. What they have open ends, their connections are closed."""

    OP: ClassVar[str] = "visitor.block"
    reason: str
    request: str | None = None
    session: str | None = None
    visitor: str | None = None
    what: str | None = None
    life_ms: int | None = None


@attrs.define
class BlockEnd:
    """Let them in again."""

    OP: ClassVar[str] = "block.end"
    block: str


@attrs.define
class BlockList:
    """Who is shut out, the oldest block first; for a team manager, those of the sub-portals that its teams serve."""

    OP: ClassVar[str] = "block.list"


@attrs.define
class AuthRefresh:
    """Exactly one of token, a fresh one of the same account, person and role, and refresh, the refresh token of this
    connection's sign-in: the connection lives on to its expiry. A refresh token is good once; the result has the
    next."""

    OP: ClassVar[str] = "auth.refresh"
    token: str | None = attrs.field(default=None, repr=False)
    refresh: str | None = attrs.field(default=None, repr=False)


@attrs.define
class Subscribe:
    """Follow a stream from now, from a snapshot of it, after an offset, or from a time on."""

    OP: ClassVar[str] = "subscribe"
    stream: str
    from_: str
    offset: int | None = None
    time: int | None = None
    types: Sequence[str] | None = None


@attrs.define
class Unsubscribe:
    """Stop following a stream."""

    OP: ClassVar[str] = "unsubscribe"
    stream: str


@attrs.define
class MetaSchema:
    """This file, as the broker runs it."""

    OP: ClassVar[str] = "meta.schema"


Command = (
    PortalOpen
    | RequestCreate
    | RequestPick
    | RequestClassify
    | RequestWhy
    | TranscriptGet
    | CaseList
    | CaseTake
    | CaseAssign
    | CaseResolve
    | CaseReopen
    | CaseGet
    | CaseSearch
    | CaseDelete
    | CaseMail
    | CasesSeen
    | CustomerExport
    | WrapUpEnd
    | RequestWithdraw
    | RequestConvert
    | PinRedeem
    | PresenceSet
    | OfferAccept
    | OfferDecline
    | PinCreate
    | PinRevoke
    | PinList
    | SessionEnd
    | ChatSend
    | ChatTyping
    | ChatRead
    | NoteAdd
    | SessionOutcome
    | SessionRate
    | SessionDescribe
    | SessionLeave
    | SessionTransfer
    | SessionInvite
    | SessionRemove
    | OfferRevoke
    | SessionMonitor
    | SessionMonitorEnd
    | ShareRequest
    | ShareAccept
    | ShareConfirm
    | ShareDecline
    | ShareStop
    | ShareJoin
    | ShareStarted
    | ShareAskControl
    | ShareControl
    | ShareReboot
    | FileBegin
    | FileChunk
    | FileFinish
    | FileCancel
    | FileGet
    | FileList
    | AccountGet
    | FunctionEffective
    | AccountPut
    | PortalPut
    | PortalDelete
    | SubportalPut
    | TeamPut
    | TeamDelete
    | ReplyPut
    | ReplyDelete
    | ReplyList
    | RepresentativePut
    | RepresentativeDelete
    | ManagerPut
    | ManagerDelete
    | ServicePut
    | ServiceDelete
    | AccountExport
    | PasswordSet
    | PasswordLink
    | SignInList
    | SignInEnd
    | KeyCreate
    | KeyRevoke
    | KeyList
    | VisitorBlock
    | BlockEnd
    | BlockList
    | AuthRefresh
    | Subscribe
    | Unsubscribe
    | MetaSchema
)
"""Any operation asked for."""

OPS: Final[dict[str, type[Command]]] = {
    command.OP: command
    for command in (
        PortalOpen,
        RequestCreate,
        RequestPick,
        RequestClassify,
        RequestWhy,
        TranscriptGet,
        CaseList,
        CaseTake,
        CaseAssign,
        CaseResolve,
        CaseReopen,
        CaseGet,
        CaseSearch,
        CaseDelete,
        CaseMail,
        CasesSeen,
        CustomerExport,
        WrapUpEnd,
        RequestWithdraw,
        RequestConvert,
        PinRedeem,
        PresenceSet,
        OfferAccept,
        OfferDecline,
        PinCreate,
        PinRevoke,
        PinList,
        SessionEnd,
        ChatSend,
        ChatTyping,
        ChatRead,
        NoteAdd,
        SessionOutcome,
        SessionRate,
        SessionDescribe,
        SessionLeave,
        SessionTransfer,
        SessionInvite,
        SessionRemove,
        OfferRevoke,
        SessionMonitor,
        SessionMonitorEnd,
        ShareRequest,
        ShareAccept,
        ShareConfirm,
        ShareDecline,
        ShareStop,
        ShareJoin,
        ShareStarted,
        ShareAskControl,
        ShareControl,
        ShareReboot,
        FileBegin,
        FileChunk,
        FileFinish,
        FileCancel,
        FileGet,
        FileList,
        AccountGet,
        FunctionEffective,
        AccountPut,
        PortalPut,
        PortalDelete,
        SubportalPut,
        TeamPut,
        TeamDelete,
        ReplyPut,
        ReplyDelete,
        ReplyList,
        RepresentativePut,
        RepresentativeDelete,
        ManagerPut,
        ManagerDelete,
        ServicePut,
        ServiceDelete,
        AccountExport,
        PasswordSet,
        PasswordLink,
        SignInList,
        SignInEnd,
        KeyCreate,
        KeyRevoke,
        KeyList,
        VisitorBlock,
        BlockEnd,
        BlockList,
        AuthRefresh,
        Subscribe,
        Unsubscribe,
        MetaSchema,
    )
}
"""Op name to class."""


def weight(op: str, args: object) -> int:
    """The bytes that a request about a file counts; 0 for every other, which counts as one."""
    if op == FileGet.OP:
        return FILE_CHUNK
    if op != FileChunk.OP:
        return 0
    data = args.get("data") if isinstance(args, Mapping) else None
    return max(FILE_COST, len(data)) if isinstance(data, bytes) else FILE_COST
