"""Cases as people move them: taken, given, resolved, opened again, answered by mail, erased.

What the events of its request make of a case is ``casebook``'s. A live chat is taken and given as its request
(``by_hand``); here is what happens once there is nobody to talk to.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice

from broker import ids, limits
from broker.codes import Code
from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.case_view import row
from broker.desk.casebook import ASKED, has_room, heads
from broker.desk.identity import Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Case, CaseMail, Context, Representative, State
from broker.desk.transitions import ALLOWED
from broker.protocol import ops
from broker.units import DAYS

_MOVED_ON = Refusal(
    Code.OVERLOADED, "something was said in it just now: nothing was deleted", retry_ms=limits.ROUND_PAUSE
)

# --- which case ------------------------------------------------------------------------------------


def request_of(command: ops.CaseTake | ops.CaseAssign) -> str | Refusal:
    """The request that is meant, by its id or its case's."""
    if (command.request is None) == (command.case is None):
        return bad_args("args", "exactly one of request, case")
    return command.request or f"r_{(command.case or '')[2:]}"


def settled(state: State, request: str) -> Case | None:
    """The case of a request that is over."""
    return None if request in state.requests else state.cases.get(ids.case_of(request))


def serves(state: State, person: Representative, case: Case) -> bool:
    """Whether its team serves the case's sub-portal."""
    return case.subportal in state.teams[person.team].subportals


def sees(state: State, person: Representative, case: Case) -> bool:
    """Whether a representative may know of a case."""
    return case.representative == person.representative or serves(state, person, case)


def _reached(state: State, name: str, context: Context) -> Case | None:
    """The case of this name, if the asker may know of it; of managers the gate has asked that."""
    assert context.identity is not None
    case = state.cases.get(name)
    if case is None or context.identity.role is not Role.REPRESENTATIVE:
        return case
    return case if sees(state, state.representatives[context.identity.person], case) else None


def _own(state: State, name: str, context: Context) -> Case | Refusal:
    """The same, if it is for the asker to say what becomes of it: its representative, or a manager. What nobody has is
    for anybody who serves it."""
    assert context.identity is not None
    case = _reached(state, name, context)
    if case is None:
        return no_such("case")
    mine = case.representative in (None, context.identity.person) or case.representative not in state.representatives
    if context.identity.role is Role.REPRESENTATIVE and not mine:
        return Refusal(Code.NOT_ALLOWED, "the case is somebody else's")
    return case


def _wrong(state: State, case: Case) -> Refusal:
    """Not in this state; what is said with it is the case as it is."""
    return wrong_state(case.status, *ALLOWED["case"][case.status], case=row(state, case, texts=False))


# --- decide ----------------------------------------------------------------------------------------


def take(state: State, request: str, person: Representative, context: Context) -> Decision | Refusal:
    """A representative assigns a case to itself whose customer waits no more (G7: at any time)."""
    case = settled(state, request)
    if case is None or not serves(state, person, case):
        return no_such("request")
    if case.status != "unassigned":
        return _wrong(state, case)
    return _to(case, person, "taken", context)


def give(state: State, request: str, person: Representative, context: Context) -> Decision | Refusal:
    """A manager does, whoever has it."""
    case = state.cases[ids.case_of(request)]
    if case.status == "resolved":
        return _wrong(state, case)
    if case.representative == person.representative:
        return Decision(value=_named(case))
    return _to(case, person, "given", context)


def _to(case: Case, person: Representative, reason: str, context: Context) -> Decision:
    event = e.CaseChanged(case.request, reason, person.representative, case.representative, context.who)
    return Decision([event], _named(case))


def _named(case: Case) -> dict[str, object]:
    return {"request": case.request, "session": case.session}


def resolve(state: State, command: ops.CaseResolve, context: Context) -> Decision | Refusal:
    """Nothing is left to do."""
    case = _own(state, command.case, context)
    if isinstance(case, Refusal):
        return case
    if case.status != "assigned" or command.version not in (None, case.version):
        return _wrong(state, case)
    who = case.representative
    event = e.CaseChanged(case.request, "resolved", who, who, context.who)
    return Decision([event], {"case": case.case, "status": "resolved", "version": case.version + 1})


def reopen(state: State, command: ops.CaseReopen, context: Context) -> Decision | Refusal:
    """There is something left: for who had it, or for all if that one is gone."""
    case = _own(state, command.case, context)
    if isinstance(case, Refusal):
        return case
    if case.status != "resolved" or command.version not in (None, case.version):
        return _wrong(state, case)
    if case.type == ASKED and not has_room(state):
        return Refusal(Code.QUOTA, f"{limits.MAX_OPEN_CASES} support requests aren't resolved: resolve one first")
    there = case.representative in state.representatives
    who = case.representative if there else None  # to who is gone nothing is told any more
    event = e.CaseChanged(case.request, "reopened" if there else "returned", who, who, context.who)
    status = "assigned" if there else "unassigned"
    return Decision([event], {"case": case.case, "status": status, "version": case.version + 1})


def orphaned(state: State, person: Representative, by: str) -> Iterator[e.Event]:
    """The cases of somebody who leaves are nobody's; those of open requests go back with them, but for a pin's, which
    nobody else may have."""
    mine = (state.cases[name] for name in state.shelves.mine.get(person.representative, ()))
    for case in sorted(mine, key=lambda case: case.number):
        request = state.requests.get(case.request)
        if request is None or request.discipline == "pin":
            yield e.CaseChanged(case.request, "left", None, person.representative, by)


def seen(state: State, command: ops.CasesSeen, context: Context) -> Decision:
    """A representative has looked at the unassigned ones (D4). What it has seen it has seen on all its devices."""
    assert context.identity is not None
    person = state.representatives[context.identity.person]
    upto = min(command.upto, state.next_listed - 1)
    if upto <= person.cases_seen:
        return Decision(value={"upto": person.cases_seen})
    return Decision([e.CasesSeen(person.representative, upto)], {"upto": upto})


# --- by mail ---------------------------------------------------------------------------------------


def mail(state: State, command: ops.CaseMail, context: Context) -> Decision | Refusal:
    """Answer a case by e-mail (G10)."""
    case = _own(state, command.case, context)
    if isinstance(case, Refusal):
        return case
    if case.representative is None:
        return _wrong(state, case)
    if case.email is None:
        return wrong_state("no_email", "case.get")
    if len(state.case_mails) >= limits.MAX_CASE_MAILS:
        return Refusal(Code.QUOTA, f"{limits.MAX_CASE_MAILS} e-mails are on their way", None, limits.ROUND_PAUSE)
    name = f"m_{case.case[2:]}.{case.mails + 1}"
    subject = None if command.subject is None else command.subject.ref
    event = e.CaseMailed(case.request, case.session, name, context.who, subject, command.text.ref)
    return Decision([event], {"mail": name})


def attempted(state: State, command: c.MailAttempted, context: Context) -> Decision:
    """What came of it; a case that was deleted meanwhile has no e-mails."""
    known = state.case_mails.get(command.mail)
    if known is None:
        return Decision()
    case = state.cases[known.case]
    number = known.attempts + 1
    made = (command.mail, number, command.state, command.code, command.reason)
    return Decision([e.CaseMailAttempted(case.request, case.session, *made)])


# --- the end ---------------------------------------------------------------------------------------


def delete(state: State, command: ops.CaseDelete, context: Context) -> Decision | Refusal:
    """An account manager erases a case and all that was said in it, once the conversation is over (G9)."""
    case = state.cases.get(command.case)
    if case is None:
        return no_such("case")
    if case.ended is None:
        return wrong_state("live", "session.end", "request.withdraw", "case.get")
    if case.session in state.sharing:
        return wrong_state("sharing", "share.stop", "case.get")
    assert isinstance(context.prepared, c.Gathered)
    if context.prepared.heads != heads(state, case.session):
        return _MOVED_ON
    return Decision([_deletion(state, case, "deleted", context.who)], {"case": case.case})


def erase(state: State, command: c.EraseCases, context: Context) -> Decision:
    """The broker erases those whose time is over, as far as that is still so."""
    wanted = set(due(state, context.now, len(command.cases))[1])
    return Decision(
        [
            _deletion(state, state.cases[name], command.reason, "broker")
            for name, gathered in command.cases
            if name in wanted and _is_still(state, state.cases[name].session, gathered)
        ]
    )


def _is_still(state: State, session: str, gathered: c.Gathered) -> bool:
    """Whether nothing was said since, and nothing goes on."""
    return gathered.heads == heads(state, session) and session not in state.sharing


def _deletion(state: State, case: Case, reason: str, by: str) -> e.CaseDeleted:
    """Told to who has it, if that one is still there."""
    who = case.representative if case.representative in state.representatives else None
    return e.CaseDeleted(case.request, case.number, case.subportal, who, reason, by)


def due(state: State, now: int, most: int) -> tuple[str, list[str]]:
    """(reason, cases to erase now, at most so many): more than there is room for, or past their portal's time. That is
    a promise to customers about their texts, whether or not anybody resolved the case; but a support request that isn't
    resolved is work that its customer still waits for."""
    many = len(state.cases) - limits.MAX_CASES
    if many > 0:
        return "full", list(_dispensable(state, min(many, most)))
    found: list[str] = []
    for names in (*state.shelves.over.values(), *state.shelves.left.values()):
        for name in names:
            if len(found) >= most or until(state, state.cases[name]) > now:
                break
            found.append(name)
    return "retention", found


def until(state: State, case: Case) -> int:
    """When a case whose conversation ended is erased, if it isn't an unresolved support request then (ms)."""
    portal = state.portals.get(case.portal)
    days = limits.RETENTION_DAYS if portal is None else portal.retention_days
    return case.rests + days * DAYS


def _since(case: Case) -> tuple[int, int]:
    """Since when it is over; of two in one moment, the older one first."""
    return case.rests, case.number


def _dispensable(state: State, count: int) -> Iterator[str]:
    """Those that are missed least: what nobody ever had, then what is over longest, then what nobody resolved."""
    untouched = state.shelves.untouched.get("", {})
    yield from (case.case for case in nsmallest(count, (state.cases[name] for name in untouched), key=_since))
    count -= len(untouched)
    if count <= 0:
        return
    over = ((state.cases[name] for name in names if name not in untouched) for names in state.shelves.over.values())
    firsts = [case for cases in over for case in islice(cases, count)]
    firsts.sort(key=_since)
    yield from (case.case for case in firsts[:count])
    left = (state.cases[name] for names in state.shelves.left.values() for name in names)
    last = nsmallest(max(0, count - len(firsts)), left, key=lambda case: (case.ended or 0, case.number))
    yield from (case.case for case in last)


# --- evolve ----------------------------------------------------------------------------------------


def cases_seen(state: State, event: e.CasesSeen, t: int) -> None:
    """Apply ``CasesSeen``."""
    state.representatives[event.representative].cases_seen = event.upto


def case_mailed(state: State, event: e.CaseMailed, t: int) -> None:
    """Apply ``CaseMailed``: it is on its way."""
    case = state.cases[ids.case_of(event.request)]
    case.mails += 1
    state.case_mails[event.mail] = CaseMail(event.mail, case.case, event.by, event.subject, event.text, t)
    state.release(event.subject, event.text)


def case_mail_attempted(state: State, event: e.CaseMailAttempted, t: int) -> None:
    """Apply ``CaseMailAttempted``."""
    state.case_mails[event.mail].attempts = event.attempt
    if event.state != "deferred":
        del state.case_mails[event.mail]
