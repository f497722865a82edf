"""Cases as they are: what each event makes of one, and on which shelves it stands then.

Theory of operation. A case lives along the events of its request, and along ``CaseChanged`` once people move it. As an
event is recorded, ``stamp`` asks ``after`` what it makes of the case, and puts that into the event: so readers of a
stream are told without a second record, and a replay decides nothing. ``settle`` then applies it. A case has two
clocks, of which one runs: the time that it was nobody's, and the time of its conversation. A support request goes on
with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from broker import ids, limits
from broker.content import Ref
from broker.desk import events as e
from broker.desk import files
from broker.desk.state import Case, Names, Shelves, State
from broker.desk.transitions import CASE, move

LIVE: Final = "live_chat"
ASKED: Final = "support_request"

Moves = e.RequestAssigned | e.RequestRequeued | e.RequestMoved | e.RequestEnded | e.SessionTransferred | e.CaseChanged
"""Events that change a case."""


def _of_session(state: State, session: str) -> Case:
    """The case of a session: it outlives that, and nothing is written to one whose case is gone."""
    return state.cases[ids.case_of(session)]


def has_room(state: State, coming: int = 0) -> bool:
    """Whether another support request may come to those that aren't resolved, and to so many that are on their way."""
    return len(state.shelves.asked.get("", ())) + coming < limits.MAX_OPEN_CASES


def answerable(state: State, case: Case) -> bool:
    """Whether it becomes a support request if its customer is gone: what to answer is known, and where to."""
    return case.email is not None and case.text is not None and has_room(state)


# --- what an event makes of a case -----------------------------------------------------------------


def _outcome(state: State, case: Case, event: Moves) -> tuple[str, str, str]:
    """(type, status, reason) after this event."""
    match event:
        case e.CaseChanged():
            return case.type, move(CASE, case.status, event.TYPE, event.reason), event.reason
        case e.RequestEnded(state="abandoned") if answerable(state, case):
            return ASKED, move(CASE, case.status, event.TYPE, "converted"), "abandoned"
        case e.RequestEnded():
            type_ = ASKED if event.state == "converted" else case.type
            return type_, move(CASE, case.status, event.TYPE, event.state), event.state
        case e.RequestAssigned():
            reason = event.kind if event.kind in ("taken", "given") else "assigned"
        case e.RequestRequeued():
            reason = "requeued"
        case e.SessionTransferred():
            reason = "transferred"
        case _:
            reason = "moved"
    return case.type, move(CASE, case.status, event.TYPE), reason


def _owner(case: Case, event: Moves) -> str | None:
    match event:
        case e.RequestAssigned() | e.SessionTransferred() | e.CaseChanged():
            return event.representative
        case e.RequestRequeued():
            return None
        case _:
            return case.representative


def after(state: State, case: Case, event: Moves, t: int) -> e.CaseNow:
    """The case from this event on."""
    type_, status, reason = _outcome(state, case, event)
    who = _owner(case, event)
    subportal = event.subportal if isinstance(event, e.RequestMoved) else case.subportal
    changed = (type_, status, who) != (case.type, case.status, case.representative)
    anew = status == "unassigned" and (case.status != "unassigned" or subportal != case.subportal)
    ended = t if isinstance(event, e.RequestEnded) else case.ended
    waited, talked, since = _clocks(case, type_, status, ended, t)
    counts = _counts(type_, who)
    return (
        type_,
        status,
        reason,
        case.version + changed,
        state.next_listed if anew else case.listed,
        subportal,
        counts,
        talked if counts == "chat" else waited,
        since,
        ended,
    )


def _counts(type_: str, representative: str | None) -> str:
    """What the clock of such a case counts."""
    if type_ == ASKED:
        return "request"
    return "waiting" if representative is None else "chat"


def _clocks(case: Case, type_: str, status: str, ended: int | None, t: int) -> tuple[int, int, int | None]:
    """(waited, talked, since) once a case is of this type and status."""
    waited, talked = case.waited, case.talked
    if case.since is not None:
        if _counts(case.type, case.representative) == "chat":
            talked += t - case.since
        else:
            waited += t - case.since
    runs = ended is None if type_ == LIVE else status != "resolved"
    return waited, talked, t if runs else None


def clock(case: Case) -> dict[str, object]:
    """What is shown of its clock: what it counts, how much of that so far, and since when it goes on."""
    kind = _counts(case.type, case.representative)
    told: dict[str, object] = {"kind": kind, "ms": case.talked if kind == "chat" else case.waited}
    return told if case.since is None else {**told, "since": case.since}


# --- as an event is recorded -----------------------------------------------------------------------


def _stamp_created(state: State, event: e.RequestCreated, t: int) -> None:
    event.listed = state.next_listed


def _stamp(state: State, event: Moves, t: int) -> None:
    event.case = after(state, state.cases[ids.case_of(event.request)], event, t)


def _stamp_moved(state: State, event: e.RequestMoved, t: int) -> None:
    case = state.cases[ids.case_of(event.request)]
    event.case = after(state, case, event, t)
    event.number, event.portal, event.arrived = case.number, case.portal, case.created
    event.text, event.name = case.text, case.name


def _stamp_ended(state: State, event: e.RequestEnded, t: int) -> None:
    case = state.cases[ids.case_of(event.request)]
    event.case = after(state, case, event, t)
    event.representative = case.representative


def _stamp_sent(state: State, event: e.ChatSent, t: int) -> None:
    """The first thing that a customer writes says what its case is about; nothing else of it changes."""
    if not event.excerpt:
        return
    case = _of_session(state, event.session)
    kind = _counts(case.type, case.representative)
    waited, talked, since = _clocks(case, case.type, case.status, case.ended, t)
    ms = talked if kind == "chat" else waited
    now = (case.type, case.status, case.reason, case.version, case.listed, case.subportal)
    event.case = (*now, kind, ms, since, case.ended)


STAMPS: Final[dict[type, Callable[..., None]]] = {  # type: ignore[explicit-any]  # each takes its own class
    e.RequestCreated: _stamp_created,
    e.RequestAssigned: _stamp,
    e.RequestRequeued: _stamp,
    e.RequestMoved: _stamp_moved,
    e.RequestEnded: _stamp_ended,
    e.SessionTransferred: _stamp,
    e.CaseChanged: _stamp,
    e.ChatSent: _stamp_sent,
}
"""What is put into an event before it is recorded."""


# --- evolve ----------------------------------------------------------------------------------------


def opened(state: State, event: e.RequestCreated, t: int) -> None:
    """Apply ``RequestCreated``: its case is there."""
    case = Case(
        case=ids.case_of(event.request),
        number=event.number,
        request=event.request,
        session=event.session,
        portal=event.portal,
        subportal=event.subportal,
        visitor=event.visitor,
        name=event.name,
        email=event.email,
        text=event.text,
        fields=event.fields,
        page=event.page,
        created=t,
        listed=event.listed or state.next_listed,
        since=t,
    )
    state.cases[case.case] = case
    state.next_listed = case.listed + 1
    shelve(state.shelves, case)


def settle(state: State, event: Moves, t: int) -> None:
    """Apply what an event makes of its case. Records of older releases say nothing of that: then it is as it would be
    now."""
    case = state.cases[ids.case_of(event.request)]
    now = event.case or after(state, case, event, t)
    who = _owner(case, event)
    before = list(_places(state.shelves, case))
    waited, talked, since = _clocks(case, now[0], now[1], now[9], t)
    case.waited, case.talked, case.since = waited, talked, since
    case.type, case.status, case.reason, case.version, case.listed, case.subportal = now[:6]
    if case.representative not in (None, who):
        _leave(state, case, case.representative or "")
    case.ended, case.representative = now[9], who
    if isinstance(event, e.RequestEnded):
        case.how = event.state
    elif isinstance(event, e.CaseChanged):
        case.touched = t
    state.next_listed = max(state.next_listed, case.listed + 1)
    if case.status != "resolved":
        case.resolved = None
    elif case.resolved is None:
        case.resolved = t
    _reshelve(state.shelves, case, before)


def _leave(state: State, case: Case, who: str) -> None:
    """It isn't this one's any more, who goes on to read what was said until now."""
    session = state.sessions.get(case.session)
    talk, staff = heads(state, case.session)
    others = [one for one in case.former if one[0] != who]
    left = (who, talk, staff, None if session is None else session.messages)
    case.former = (*others, left)[-limits.CASE_FORMER :]


def heads(state: State, session: str) -> tuple[int, int]:
    """How far the streams of a session are."""
    return state.streams.get(f"session:{session}", 0), state.streams.get(f"session:{session}:staff", 0)


def request_ended(state: State, event: e.RequestEnded, t: int) -> None:
    """Apply ``RequestEnded``, with what the customer left."""
    settle(state, event, t)
    case = state.cases[ids.case_of(event.request)]
    if event.text is not None:
        case.question = event.text
        case.text = case.text or event.text
    for name in ("name", "email"):
        given, known = getattr(event, name), getattr(case, name)
        if given is not None:
            state.forget(known)
            setattr(case, name, given)
    state.release(event.text, event.name, event.email)


def chat_sent(state: State, event: e.ChatSent, t: int) -> None:
    """Apply ``ChatSent``, where it says what the case is about."""
    if event.excerpt:
        _of_session(state, event.session).text = event.text


def outcome_set(state: State, event: e.OutcomeSet, t: int) -> None:
    """Apply ``OutcomeSet``: nobody says it of a case that is gone."""
    _of_session(state, event.session).outcome = event.outcome


def session_rated(state: State, event: e.SessionRated, t: int) -> None:
    """Apply ``SessionRated``."""
    _of_session(state, event.session).rated = event.score


def deleted(state: State, event: e.CaseDeleted, t: int) -> None:
    """Apply ``CaseDeleted``: the desk forgets it, and what it holds goes for good."""
    case = state.cases.pop(ids.case_of(event.request))
    move(CASE, case.status, event.TYPE)
    for names, key in _places(state.shelves, case):
        _take_off(names, key, case.case)
    state.forget(*contents(case))
    files.erase(state, case.session)
    for mail in [one for one in state.case_mails.values() if one.case == case.case]:
        state.forget(mail.subject, mail.text)
        del state.case_mails[mail.mail]
    state.forget_streams(case.session)


def contents(case: Case) -> tuple[Ref | None, ...]:
    """All personal content that hangs on a case."""
    return (case.name, case.email, case.text, case.fields, case.page, case.question)


# --- shelves ---------------------------------------------------------------------------------------

Place = tuple[dict[str, Names], str]
"""(a kind of shelf, its name)."""


def _places(shelves: Shelves, case: Case) -> Iterator[Place]:
    """Where a case stands."""
    yield getattr(shelves, case.status), case.subportal
    if case.status == "assigned" and case.representative is not None:
        yield shelves.mine, case.representative
    if case.over:
        yield shelves.over, case.portal
        if not case.had:
            yield shelves.untouched, ""
    elif case.type == ASKED:
        yield shelves.asked, ""
    elif case.ended is not None:
        yield shelves.left, case.portal


def shelve(shelves: Shelves, case: Case) -> None:
    """Put a case on its shelves, at their end."""
    for names, key in _places(shelves, case):
        names.setdefault(key, {})[case.case] = None


def fill(shelves: Shelves, cases: Collection[Case]) -> None:
    """Put all cases on empty shelves, each in the order in which they came there."""
    for case in sorted(cases, key=lambda case: (case.rests, case.number)):
        shelve(shelves, case)
    known = {case.case: case for case in cases}
    _order(shelves.unassigned, lambda name: (known[name].listed, 0))
    _order(shelves.resolved, lambda name: (known[name].resolved or 0, known[name].number))


def _order(names: dict[str, Names], when: Callable[[str], tuple[int, int]]) -> None:
    for key, inner in names.items():
        names[key] = dict.fromkeys(sorted(inner, key=when))


def _reshelve(shelves: Shelves, case: Case, before: list[Place]) -> None:
    now = list(_places(shelves, case))
    for names, key in before:
        if not any(names is other and key == name for other, name in now):
            _take_off(names, key, case.case)
    for names, key in now:
        if names is shelves.left:
            names.get(key, {}).pop(case.case, None)  # at the end, as if it came only now: it rests from now on
        names.setdefault(key, {})[case.case] = None


def _take_off(names: dict[str, Names], key: str, case: str) -> None:
    del names[key][case]
    if not names[key]:
        del names[key]


def unread(state: State, subportals: tuple[str, ...], seen: int) -> bool:
    """Whether one of these sub-portals has an unassigned case that was listed later than that."""
    for subportal in subportals:
        names = state.shelves.unassigned.get(subportal)
        if names and state.cases[next(reversed(names))].listed > seen:
            return True
    return False
