"""Who can ask for what: a class for each kind of person, a method for each of its operations.

Each wraps a ``Client``: ``async with open_client(url, Auth(token=…), Representative) as ann: await ann.accept(offer)``.
Every method raises the ``Refused`` of the broker's code; what writes is carried out once, across cuts.
"""

# size: one method an operation, read as a list

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from broker.content import Personal
from broker.protocol import ops
from clients.python import answers
from clients.python.account import (
    Class,
    Configuration,
    Field,
    Files,
    Function,
    Functions,
    Guests,
    Hours,
    Mode,
    Monitoring,
    Needed,
    Overflow,
    Policy,
    Relax,
    Reply,
    Required,
    Take,
    Texts,
    WebChat,
)
from clients.python.commands import a_map, document, maps, personal, read
from clients.python.files import FileReader, FileSender
from clients.python.people import People
from clients.python.role import Party, Role, Staff
from clients.python.screens import Shown, Viewer
from clients.python.talk import Talker


@attrs.frozen
class Customer(Shown, Talker, FileSender, Party):
    """Somebody who asks for help. Events: its stream ``me``, and ``session:<id>`` once assigned."""

    async def open_portal(self, *, language: str | None = None) -> answers.Portal:
        """The portal it came through, in this language as far as it is there; the client's own unless given."""
        return read(answers.Portal, (await self.request(ops.PortalOpen(language))).value)

    async def ask(
        self,
        text: str | None = None,
        *,
        subportal: str | None = None,
        name: str | None = None,
        email: str | None = None,
        representative: str | None = None,
        skills: Sequence[str] | None = None,
        fields: Mapping[str, object] | None = None,
        page: str | None = None,
        support: bool | None = None,
    ) -> answers.Asked:
        """Ask for help; where a request is open at this portal already, that one (``existing``). ``skills``: what who
        helps must have, of those that the sub-portal lets its customers ask for. ``fields``: of the portal's form.
        ``support``: leave the question, to be answered by e-mail; also where the portal is closed or its line is full.
        ``WrongState`` (``opens``) outside of the portal's hours, ``QueueFull`` where the line is; ``BadArgs`` names the
        field that isn't as the form asks for it."""
        given = personal(text), personal(name), personal(email)
        needs = None if skills is None else list(skills)
        command = ops.RequestCreate(subportal, *given, representative, needs, document(fields), personal(page), support)
        return read(answers.Asked, (await self.request(command)).value)

    async def pick(self, request: str, representative: str) -> answers.Asked:
        """Choose (again) who should help."""
        return read(answers.Asked, (await self.request(ops.RequestPick(request, representative))).value)

    async def withdraw(self, request: str) -> None:
        """Stop waiting."""
        await self.request(ops.RequestWithdraw(request))

    async def convert(
        self, request: str, *, text: str | None = None, name: str | None = None, email: str | None = None
    ) -> answers.Left:
        """Stop waiting and leave a question, to be answered by e-mail. ``BadArgs`` where nobody knows the address, or
        the question."""
        command = ops.RequestConvert(request, personal(text), personal(name), personal(email))
        return read(answers.Left, (await self.request(command)).value)

    async def redeem(self, pin: str, *, name: str | None = None) -> answers.Redeemed:
        """Connect to the representative who told this pin. ``PinInvalid`` for any that isn't good."""
        return read(answers.Redeemed, (await self.request(ops.PinRedeem(pin, personal(name)))).value)

    async def end(self, session: str) -> None:
        """End the conversation."""
        await self.request(ops.SessionEnd(session))

    async def rate(
        self, session: str, score: int, comment: str | None = None, *, fields: Mapping[str, object] | None = None
    ) -> None:
        """Say how it was, from 1 (bad) to 5; once, also after the end. ``WrongState`` the second time. ``fields``: of
        the portal's survey."""
        await self.request(ops.SessionRate(session, score, personal(comment), document(fields)))

    async def describe(self, session: str, kind: Literal["device", "diagnostics"], data: Mapping[str, object]) -> None:
        """Tell staff what the device is, or what was collected there; 16 KiB each, 16 a session. ``NotAllowed`` for
        diagnostics where ``screen_share`` is off, ``WrongState`` once session and share are over."""
        await self.request(ops.SessionDescribe(session, kind, Personal.document(dict(data))))


@attrs.frozen
class _WithCases(Staff):
    """What representatives and managers can both ask about cases."""

    async def case(self, case: str) -> answers.Case:
        """All that is known of a case, beside what was said in it."""
        return read(answers.Case, (await self.request(ops.CaseGet(case)))["case"])

    async def search(
        self,
        query: str | None = None,
        *,
        subportal: str | None = None,
        status: Literal["unassigned", "assigned", "resolved"] | None = None,
        type: Literal["live_chat", "support_request"] | None = None,
        representative: str | None = None,
        first: int | None = None,
        last: int | None = None,
        after: int | None = None,
    ) -> answers.Cases:
        """The cases that fit and may be seen, the newest first, up to 100. ``query``: within a name, an address, a
        text, or as the number. ``first``, ``last``: created from then on, and before then (ms since 1970 UTC)."""
        command = ops.CaseSearch(query, subportal, status, type, representative, first, last, after)
        return read(answers.Cases, (await self.request(command)).value)

    async def resolve(self, case: str, *, version: int | None = None) -> answers.Moved:
        """Nothing is left to do. ``WrongState`` (``case``: as it is) where it has another version, or isn't
        assigned."""
        return read(answers.Moved, (await self.request(ops.CaseResolve(case, version))).value)

    async def reopen(self, case: str, *, version: int | None = None) -> answers.Moved:
        """There is something left."""
        return read(answers.Moved, (await self.request(ops.CaseReopen(case, version))).value)

    async def mail(self, case: str, text: str, *, subject: str | None = None) -> str:
        """Answer its customer by e-mail; the e-mail's id. What becomes of it is told in the staff stream."""
        command = ops.CaseMail(case, Personal(text), personal(subject))
        mail: str = (await self.request(command))["mail"]
        return mail


@attrs.frozen
class Representative(_WithCases, Viewer, Talker, FileSender, Party):
    """Somebody who serves customers. Events: its stream ``me``, ``subportal:<id>`` of those it serves (broadcast
    offers), and ``session:<id>`` of its sessions."""

    async def set_presence(
        self,
        presence: Literal["available", "away", "offline"],
        *,
        reason: str | None = None,
        sessions: Literal["keep", "hand_back"] | None = None,
        takeover: str | None = None,
    ) -> str:
        """Say whether offers are welcome; what it is now. ``WrongState`` for going offline with sessions open, unless
        they are handed back. ``Quota`` where no login of the team is left (``detail["signed_in"]``: who has them),
        unless that of ``takeover`` is taken."""
        now: str = (await self.request(ops.PresenceSet(presence, reason, sessions, takeover)))["presence"]
        return now

    async def accept(self, offer: str) -> answers.Accepted:
        """Take an offered request. ``OfferGone`` if somebody was faster, or the time is over."""
        return read(answers.Accepted, (await self.request(ops.OfferAccept(offer))).value)

    async def decline(self, offer: str, reason: str = "busy") -> None:
        """Refuse an offer; it goes to the next."""
        await self.request(ops.OfferDecline(offer, reason))

    async def waiting(self, subportal: str, *, first: int | None = None) -> list[answers.Waiting]:
        """Up to 100 requests that stand in the line of a sub-portal that it serves, from place ``first`` (1) on.
        ``NotAllowed`` where the portal lets nobody take them by hand."""
        return await _listed(self, subportal, first)

    async def take_case(self, case: str) -> answers.Accepted:
        """Assign a case to itself; of one whose customer still waits, as ``take``."""
        return read(answers.Accepted, (await self.request(ops.CaseTake(case=case))).value)

    async def seen(self, upto: int) -> int:
        """The unassigned cases were looked at, up to the one listed as this."""
        now: int = (await self.request(ops.CasesSeen(upto)))["upto"]
        return now

    async def take(self, request: str) -> answers.Accepted:
        """Take a waiting request by hand. ``NotAllowed`` where its portal lets nobody; ``WrongState`` if it isn't the
        first in line and only that may be taken, if somebody has it, or without room for it."""
        return read(answers.Accepted, (await self.request(ops.CaseTake(request))).value)

    async def end_wrap_up(self, session: str) -> None:
        """The work after a session is done: its places are free. ``NoSuch`` if there is none, or it is over."""
        await self.request(ops.WrapUpEnd(session))

    async def account(self) -> Configuration:
        """Its own data, for one who may read it on the management side. ``NotAllowed`` for others."""
        return read(Configuration, (await self.request(ops.AccountGet())).value)

    async def set_password(self, new: str, old: str) -> None:
        """Choose another password; other sign-ins end."""
        await self.request(ops.PasswordSet(new, old))

    async def create_pin(self) -> answers.MadePin:
        """Nine digits for one customer on the phone."""
        return read(answers.MadePin, (await self.request(ops.PinCreate())).value)

    async def revoke_pin(self, id: str) -> None:
        """Make a pin worthless."""
        await self.request(ops.PinRevoke(id))

    async def pins(self) -> list[answers.PinState]:
        """Its pins, newest first."""
        return [read(answers.PinState, each) for each in (await self.request(ops.PinList()))["pins"]]

    async def end(self, session: str) -> None:
        """End a conversation."""
        await self.request(ops.SessionEnd(session))

    async def leave(self, session: str) -> None:
        """Hand a session back: its customer goes back to the line, at its place. A guest just goes."""
        await self.request(ops.SessionLeave(session))

    async def note(self, session: str, text: str) -> None:
        """Write something down that the customer never sees."""
        await self.request(ops.NoteAdd(session, Personal(text)))

    async def set_outcome(self, session: str, outcome: str, note: str | None = None) -> None:
        """Say what came of a session, during or after it: resolved, unresolved or unknown, or what its portal has in
        their place. ``BadArgs`` names those."""
        await self.request(ops.SessionOutcome(session, outcome, personal(note)))

    async def replies(self, subportal: str | None = None) -> answers.Replies:
        """The canned replies of its team and of those above, the nearest of each name (of those teams that are about
        this sub-portal). ``Reply.filled`` makes of one what ``say`` takes."""
        return read(answers.Replies, (await self.request(ops.ReplyList(subportal))).value)

    async def transfer(
        self,
        session: str,
        representative: str | None = None,
        *,
        subportal: str | None = None,
        comment: str | None = None,
    ) -> str:
        """Offer a session to another representative, or to everybody of a sub-portal; the id of that offer. It stays
        here until one accepts. The customer never sees the comment."""
        command = ops.SessionTransfer(session, representative, subportal, personal(comment))
        offer: str = (await self.request(command))["offer"]
        return offer

    async def invite(
        self,
        session: str,
        representative: str | None = None,
        *,
        subportal: str | None = None,
        view_only: bool | None = None,
        masked: bool | None = None,
        comment: str | None = None,
    ) -> str:
        """Ask another representative, or one of a sub-portal, into a session; the id of that offer. ``masked``: the
        customer never hears of it. ``Quota`` with seven guests and invitations; ``NotAllowed`` where collaboration is
        off."""
        command = ops.SessionInvite(session, representative, subportal, view_only, masked, personal(comment))
        offer: str = (await self.request(command))["offer"]
        return offer

    async def revoke_offer(self, offer: str) -> None:
        """Take back a transfer or an invitation that nobody has said yes to."""
        await self.request(ops.OfferRevoke(offer))

    async def remove(self, session: str, representative: str) -> None:
        """Send a guest away."""
        await self.request(ops.SessionRemove(session, representative))

    async def functions(self, portal: str, function: Function | None = None) -> list[answers.EffectiveFunction]:
        """What this representative may do in sessions of a portal (all, or one function), and who decides it."""
        return await _effective(self, self.identity.person, portal, function)


async def _effective(
    role: Role, representative: str, portal: str, function: Function | None
) -> list[answers.EffectiveFunction]:
    told = (await role.request(ops.FunctionEffective(representative, portal, function)))["functions"]
    return [read(answers.EffectiveFunction, each) for each in told]


async def _listed(role: Role, subportal: str, first: int | None) -> list[answers.Waiting]:
    told = (await role.request(ops.CaseList(subportal, first)))["requests"]
    return [read(answers.Waiting, each) for each in told]


@attrs.frozen
class _Overseer(Staff):
    """What managers and services can both ask."""

    async def classify(self, request: str, class_: str) -> bool:
        """Give an open request in queue mode a class of its portal, or ``normal``; whether that is new."""
        changed: bool = (await self.request(ops.RequestClassify(request, class_)))["changed"]
        return changed

    async def functions(
        self, representative: str, portal: str, function: Function | None = None
    ) -> list[answers.EffectiveFunction]:
        """What a representative may do in sessions of a portal (all, or one function), and who decides it."""
        return await _effective(self, representative, portal, function)

    async def why(self, request: str) -> list[answers.Decision]:
        """How each offer of a request came about, and what else was decided for it. May take a while."""
        told = (await self.request(ops.RequestWhy(request)))["decisions"]
        return [attrs.evolve(read(answers.Decision, each), told=each) for each in told]


@attrs.frozen
class Manager(_WithCases, _Overseer, People, FileReader, Party):
    """Somebody who sets the account up. Events: ``account``, ``team:<id>``, ``subportal:<id>``."""

    async def waiting(self, subportal: str, *, first: int | None = None) -> list[answers.Waiting]:
        """Up to 100 requests that stand in a sub-portal's line, from place ``first`` (1) on; no names or texts."""
        return await _listed(self, subportal, first)

    async def monitor(self, session: str) -> bool:
        """Look on in a session: from now on ``session:<id>`` and ``session:<id>:staff`` can be read. Whether those in
        there are told. ``NotAllowed`` where the portal, a function or the manager's rights don't let it."""
        announced: bool = (await self.request(ops.SessionMonitor(session)))["announced"]
        return announced

    async def end_monitoring(self, session: str) -> None:
        """Look on no longer."""
        await self.request(ops.SessionMonitorEnd(session))

    async def assign(self, request: str, representative: str) -> answers.Accepted:
        """Give a waiting request to somebody who is signed in. ``WrongState`` without room for it, or if somebody has
        it."""
        return read(answers.Accepted, (await self.request(ops.CaseAssign(representative, request))).value)

    async def assign_case(self, case: str, representative: str) -> answers.Accepted:
        """Give a case to somebody; one whose customer waits no more to anybody, from somebody else, too."""
        return read(answers.Accepted, (await self.request(ops.CaseAssign(representative, case=case))).value)

    async def delete_case(self, case: str) -> None:
        """Erase a case and all that was said and written in it, for good. ``WrongState`` while they talk."""
        await self.request(ops.CaseDelete(case))

    async def export_customer(
        self, *, email: str | None = None, visitor: str | None = None, after: int | None = None
    ) -> answers.Exported:
        """Some of all that is stored about a customer."""
        return read(answers.Exported, (await self.request(ops.CustomerExport(email, visitor, after))).value)

    async def account(self) -> Configuration:
        """How it is set up."""
        return read(Configuration, (await self.request(ops.AccountGet())).value)

    async def put_account(
        self,
        *,
        modes: Sequence[Mode] | None = None,
        password_min: int | None = None,
        password_classes: int | None = None,
    ) -> bool:
        """Set what holds for the whole account; whether anything changed. What isn't given is as by default.
        ``password_min``, ``password_classes``: characters of new passwords, and of how many kinds they are.
        ``WrongState`` (``portals``) while a portal has another mode than these."""
        command = ops.AccountPut(None if modes is None else list(modes), password_min, password_classes)
        changed: bool = (await self.request(command))["changed"]
        return changed

    # size: one argument a line, as the operation has them
    async def put_portal(
        self,
        portal: str,
        kind: str,
        mode: str,
        subportals: Sequence[str],
        *,
        title: str | None = None,
        offer_ms: int | None = None,
        pick_fallback: Literal["choose", "broadcast"] | None = None,
        places: int | None = None,
        wrap_up_ms: int | None = None,
        classes: Sequence[Class] | None = None,
        take: Take | None = None,
        hours: Hours | None = None,
        require: Sequence[Required] | None = None,
        form: Sequence[Field] | None = None,
        texts: Texts | None = None,
        language: str | None = None,
        closing_ms: int | None = None,
        origins: Sequence[str] | None = None,
        functions: Functions | None = None,
        web_chat: WebChat | None = None,
        retention_days: int | None = None,
        outcomes: Sequence[str] | None = None,
        survey: Sequence[Field] | None = None,
        files: Files | None = None,
        monitoring: Monitoring | None = None,
        guests: Guests | None = None,
    ) -> bool:
        """Create a portal or change it to be so; whether anything changed. What isn't given is as by default.

        ``offer_ms``: how long an offer stands. ``places``: of a representative's capacity that a session takes, and
        keeps for ``wrap_up_ms`` at most after its end. ``take``: what representatives may take by hand. ``require``,
        ``form``: what customers must fill in. ``texts``: what the page says; languages that are missing there read as
        ``language`` does (en). ``closing_ms``: how long before its hours end it is closing. ``origins``: pages whose
        customers may connect. ``web_chat``: whether customers write in the page from their first step on, and whether a
        screen share may follow. ``retention_days``: how long its cases are kept after their end. ``outcomes``: what may
        come of its sessions. ``survey``: what customers are asked when they rate one. ``files``: what may be sent where
        ``file_transfer`` is on. ``monitoring``: whether managers may look on in its sessions. ``guests``: what those
        who are asked into its sessions may do there."""
        command = ops.PortalPut(
            portal,
            kind,
            mode,
            list(subportals),
            personal(title),
            offer_ms,
            pick_fallback,
            places,
            wrap_up_ms,
            maps(classes),
            take,
            a_map(hours),
            None if require is None else list(require),
            document(form),
            document(texts),
            language,
            closing_ms,
            None if origins is None else list(origins),
            a_map(functions),
            web_chat,
            retention_days,
            None if outcomes is None else list(outcomes),
            document(survey),
            files=a_map(files),
            monitoring=monitoring,
            guests=guests,
        )
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def delete_portal(self, portal: str) -> None:
        """Delete a portal and its sub-portals. ``WrongState`` (``requests``) while requests are open in it."""
        await self.request(ops.PortalDelete(portal))

    async def put_subportal(
        self,
        subportal: str,
        *,
        weight: int = 1,
        policy: Policy = "least_occupied",
        max_waiting: int | None = None,
        skills: Sequence[Needed] | None = None,
        relax: Sequence[Relax] | None = None,
        sticky_ms: int | None = None,
        overflow: Sequence[Overflow] | None = None,
    ) -> bool:
        """Set a sub-portal's share of the representatives that it has in common with others, how one of them is chosen,
        and how many requests may wait (None: as many as the broker takes); whether that is new.

        ``skills``: what its requests need, ``relax``: how that falls with the wait. ``sticky_ms``: how long a
        customer's last representative is waited for. ``overflow``: where requests go; the first that applies."""
        command = ops.SubportalPut(
            subportal, weight, policy, max_waiting, maps(skills), maps(relax), sticky_ms, maps(overflow)
        )
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def put_team(
        self,
        team: str,
        subportals: Sequence[str],
        *,
        title: str | None = None,
        away_after: int | None = None,
        parent: str | None = None,
        logins: int | None = None,
        functions: Functions | None = None,
    ) -> bool:
        """The same for a team and what it serves. Who misses ``away_after`` offers in a row is set away. ``parent``:
        the team that it is a sub-team of. ``logins``: how many of it and its sub-teams may be signed in at once."""
        command = ops.TeamPut(team, list(subportals), personal(title), away_after, parent, logins, a_map(functions))
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def delete_team(self, team: str, into: str | None = None) -> str | None:
        """Delete a team and keep its people: in ``into``, or in its parent; where they are now, if it had any. Its
        sub-teams go up to its parent."""
        answer = await self.request(ops.TeamDelete(team, into))
        now: str | None = answer.value.get("into")
        return now

    async def put_reply(
        self, team: str, reply: str, text: str | Mapping[str, str], *, title: str | None = None
    ) -> bool:
        """Write a canned reply of a team, or rewrite it; whether anything changed. ``text``: one, or texts by
        language; {customer} and {representative} in it are filled in by whoever sends it."""
        by_language = None if isinstance(text, str) else document(text)
        said = personal(text) if isinstance(text, str) else None
        command = ops.ReplyPut(team, reply, personal(title), said, by_language)
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def delete_reply(self, team: str, reply: str) -> None:
        """Delete a canned reply."""
        await self.request(ops.ReplyDelete(team, reply))

    async def replies(self, subportal: str | None = None) -> Sequence[Reply]:
        """The canned replies of all teams in its scope (of those that are about this sub-portal)."""
        return read(answers.Replies, (await self.request(ops.ReplyList(subportal))).value).replies


@attrs.frozen
class Service(_Overseer):
    """A program that follows an account: its stream ``account`` tells what is routed to whom, never texts."""
