"""What must be true of a desk between two commands, and a check that says which of it isn't.

Everything is worked out again from the plain facts (requests, offers, sessions, people) and compared with what
routing keeps; no index is trusted. It takes time in proportion to the desk, so it's for tests and tools. What can
only be seen over time (who was first, who was told what) is no matter of one state: the tests keep a history for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from broker import limits
from broker.desk.case_invariants import cases
from broker.desk.file_invariants import files_kept
from broker.desk.guest_invariants import accompanied
from broker.desk.line_invariants import Broken, in_order, meets, used, working
from broker.desk.offers import COLLEAGUES
from broker.desk.reply_invariants import bounded as replies
from broker.desk.share_invariants import shared
from broker.desk.state import Representative, Request, State, Team
from broker.routing.model import Key, make_key
from broker.routing.policies import POLICIES

STATES = ("waiting", "offered", "assigned")


class InvariantBroken(Exception):
    """A desk is in a state that must not be."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        """F1, F2, F4, F5, F6, F16, F17, F18, F22 or F23; A8 for pins, A11 for functions, D4 and G1 to G10 for cases, E7
        for files, E9 for guests and who is asked about a session, E12 for canned replies, F7 for what customers' pages
        tell of their devices, F9 for consent (of the features), I4 for managers who look on, H1, H2 and H12 for teams,
        H4 for managers, H8 for names and how people come in, L5 for blocks."""


def check(state: State, *, lowered: Collection[str] = ()) -> None:
    """Raise InvariantBroken for the first thing that isn't as it must be.

    ``lowered``: representatives whose capacity a manager put below their sessions: F4 lets them finish those; and
    ``team:<name>`` of teams with more people signed in than a manager left logins: H12 signs nobody out."""
    for part in (_conserved, _owned, _tickets, _refusals, _visitors, _teams, _people, _named, _access, _blocked):
        _raise(part(state))
    for bounded in (_capacity, _seats):
        _raise(bounded(state, lowered))
    for part in (shared, _pins, _deadlines, files_kept, cases, in_order, working, replies, accompanied, _described):
        _raise(part(state))


def _raise(broken: Broken) -> None:
    for invariant, what in broken:
        raise InvariantBroken(invariant, what)


def _conserved(state: State) -> Broken:
    """F1: each open request is in exactly one state, and what that state needs is there."""
    numbers = Counter(request.number for request in state.requests.values())
    for request in state.requests.values():
        name = request.request
        if request.state not in STATES:
            yield "F1", f"{name} is open and {request.state}"
        if numbers[request.number] > 1 or request.number >= state.next_number:
            yield "F1", f"{name} has the number of another: {request.number}"
        offer = state.offers.get(request.offer or "")
        if (request.state == "offered") != (offer is not None and offer.request == name):
            yield "F1", f"{name} is {request.state} with the offer {request.offer}"
        session = state.sessions.get(request.session)
        if (request.state == "assigned") != (session is not None and session.state == "active"):
            yield "F1", f"{name} is {request.state}, and its session is {None if session is None else session.state}"
    for offer in state.offers.values():
        of = state.requests.get(offer.request)
        if of is None or (offer.kind not in COLLEAGUES and of.offer != offer.offer):
            yield "F1", f"{offer.offer} offers {offer.request}, which doesn't know"


def _described(state: State) -> Broken:
    """F7: no session has more documents than it may."""
    for sessions in (state.sessions, state.ended_sessions):
        for name, session in sessions.items():
            if session.documents > limits.SESSION_DOCUMENTS:
                yield "F7", f"{name} has {session.documents} documents"


def _owned(state: State) -> Broken:
    """F2: one representative per request, and both sides agree who."""
    owners = Counter(session.request for session in state.sessions.values())
    held = {name: who.representative for who in state.representatives.values() for name in who.sessions}
    for session in state.sessions.values():
        request = state.requests.get(session.request)
        if request is None or owners[session.request] > 1 or request.session != session.session:
            yield "F2", f"{session.session} is of {session.request}, which has {owners[session.request]} sessions"
        elif request.representative != session.representative or request.visitor != session.visitor:
            yield "F2", f"{session.session} has other parties than {request.request}"
        if held.pop(session.session, None) != session.representative:
            yield "F2", f"{session.session} is {session.representative}'s, who doesn't have it"
        company = session.members or session.invites or session.monitors or session.transfer or session.share
        if session.representative is None and company:
            yield "F2", f"{session.session} waits, and somebody is in it"
    active = sum(session.state == "active" for session in state.sessions.values())
    if held or sum(len(person.sessions) for person in state.representatives.values()) != active:
        yield "F2", f"sessions are held that are over, or twice: {sorted(held)}"
    unowned = [request.request for request in state.requests.values() if request.representative and not _busy(request)]
    if unowned:
        yield "F2", f"{unowned[0]} has a representative but isn't assigned"


def _busy(request: Request) -> bool:
    return request.state == "assigned"


def _tickets(state: State) -> Broken:
    """F1 and F22: routing has a ticket of each request (but a pin's), with its key, in its state."""
    tickets = state.router.tickets
    direct: dict[str, list[Key]] = {}
    for request in state.requests.values():
        ticket = tickets.get(request.request)
        if (ticket is None) != (request.discipline == "pin"):
            yield "F1", f"{request.request} is handed out as {request.discipline} with ticket {ticket}"
        if ticket is None:
            continue
        if ticket.out != (request.state != "waiting") or ticket.discipline != request.discipline:
            yield "F1", f"{request.request} is {request.state}, its ticket something else: {ticket}"
        if ticket.key != make_key(request.arrived, request.number, request.request, request.boost):
            yield "F22", f"{request.request} arrived at {request.arrived}, its place says {ticket.key}"
        if ticket.discipline == "direct" and ticket.target != request.target:
            yield "F1", f"{request.request} is for {request.target}, its ticket for {ticket.target}"
        if ticket.discipline == "direct" and ticket.target is not None and not ticket.out:
            direct.setdefault(ticket.target, []).append(ticket.key)
    if len(tickets) > len(state.requests) or any(name not in state.requests for name in tickets):
        yield "F1", "a request is over and its ticket is not"
    for member in state.router.members.values():
        if list(member.direct) != sorted(direct.get(member.id, [])):
            yield "F1", f"{list(member.direct)} wait for {member.id}, not {direct.get(member.id)}"


def _refusals(state: State) -> Broken:
    """F16: nobody has an offer of what they refused in this round."""
    for offer in state.offers.values():
        ticket = state.router.tickets.get(offer.request)
        if offer.kind == "queue" and ticket is not None and offer.representative in ticket.refused:
            yield "F16", f"{offer.offer} goes again to {offer.representative} in one round"


def _visitors(state: State) -> Broken:
    """F23: at most one open request per visitor and portal."""
    known = {
        (visitor.visitor, portal): name
        for visitor in state.visitors.values()
        for portal, name in visitor.requests.items()
    }
    for request in state.requests.values():
        if known.pop((request.visitor, request.portal), None) != request.request:
            yield "F23", f"{request.visitor} has another request beside {request.request} at {request.portal}"
    if known:
        yield "F23", f"a visitor's request is over: {sorted(known.values())}"
    for visitor in state.visitors.values():
        if visitor.busy == (visitor.visitor in state.idle_visitors):
            yield "F23", f"{visitor.visitor} is taken for idle, or isn't"


def _reaches_the_top(state: State, team: str) -> bool:
    seen = {team}
    while (parent := state.teams[team].parent) is not None:
        if parent in seen or parent not in state.teams:
            return False
        seen.add(parent)
        team = parent
    return True


def _teams(state: State) -> Broken:
    """H1 and H2: teams form trees, which both ends know; everybody is in one team."""
    for team in state.teams.values():
        beneath = {one.team for one in state.teams.values() if one.parent == team.team}
        if team.children != beneath:
            yield "H1", f"{team.team} takes {sorted(team.children)} for its sub-teams, which are {sorted(beneath)}"
        if not _reaches_the_top(state, team.team):
            yield "H1", f"{team.team} is beneath one that is no team, or beneath itself"
    homes = {name: person.team for name, person in state.representatives.items()}
    if sorted((name, team.team) for team in state.teams.values() for name in team.members) != sorted(homes.items()):
        yield "H2", "teams have other members than there are representatives"


def _people(state: State) -> Broken:
    """F17 and F18: who isn't there, or doesn't want offers, has none; routing knows who is there."""
    for person in state.representatives.values():
        name, member = person.representative, state.router.members[person.representative]
        if person.chosen != "available" and (person.offers or member.direct):
            yield "F18", f"{name} is {person.chosen} and has offers"
        if person.hold_until is not None and (person.offers or member.direct):
            yield "F17", f"{name} is lost and has offers"
        if (person.lease_until, person.hold_until) != (None, None) and (person.connected or person.chosen == "offline"):
            yield "F17", f"{name} is there, or signed out, and waited for"
        if person.chosen != "offline" and not person.connected and None not in (person.lease_until, person.hold_until):
            yield "F17", f"{name} is waited for twice"
        if person.chosen != "offline" and not person.connected and person.lease_until is person.hold_until is None:
            yield "F17", f"{name} isn't there, and nobody waits for the return"
        if person.taken_over and (person.chosen != "away" or person.offers or member.direct):
            yield "H12", f"{name} was taken over, is {person.chosen}, and gets requests"
        if member.available != person.available:
            yield "F18", f"{name} is {person.presence}, routing thinks otherwise"
        if member.pool.subportals != frozenset(state.teams[person.team].subportals):
            yield "F5", f"{name} serves other sub-portals than {person.team}"
    for team in state.teams.values():
        if team.signed_in != sum(state.representatives[name].seated for name in team.members):
            yield "F18", f"{team.team} counts {team.signed_in} signed in"


def _seats(state: State, lowered: Collection[str]) -> Broken:
    """H12: no more are signed in than the team has logins, sub-teams included."""
    for team in state.teams.values():
        there = [
            name for name, person in state.representatives.items() if person.seated and _within(state, person, team)
        ]
        if team.logins is not None and len(there) > team.logins and f"team:{team.team}" not in lowered:
            yield "H12", f"{team.team} has {team.logins} logins, and {len(there)} are signed in"


def _within(state: State, person: Representative, team: Team) -> bool:
    at: str | None = person.team
    while at not in (None, team.team):
        at = state.teams[at or ""].parent
    return at is not None


def _capacity(state: State, lowered: Collection[str]) -> Broken:
    """F4: sessions and offers together stay within capacity; routing counts them right, and ranks by them."""
    pending = Counter(offer.representative for offer in state.offers.values())
    for person in state.representatives.values():
        name, member = person.representative, state.router.members[person.representative]
        load, offers = used(state, person)
        if (member.load, member.offers, member.capacity) != (load, offers, person.capacity):
            yield "F4", f"{name} has {load} places taken and {offers} offered, routing {member.load}, {member.offers}"
        if pending[name] != len(person.offers):
            yield "F4", f"{name} has {len(person.offers)} offers, of {pending[name]} that are pending"
        if load + offers > person.capacity and (offers or name not in lowered):
            yield "F4", f"{name} has {load} places taken and {offers} offered with a capacity of {person.capacity}"
        room = person.capacity - load - offers if person.available else 0
        wants = [want for want in member.pool.free if meets(person, want)]
        ranks = {want: POLICIES[want[0]].rank(member) for want in wants if want[1] <= room}
        if member.ranks != ranks or set(member.wants) != set(wants):
            yield "F4", f"{name} is ranked {member.ranks}, not {ranks}"


def _pins(state: State) -> Broken:
    """A8: each live pin has a serial of its own."""
    live = [(pin.serial, pin.pin) for pin in state.pins.values() if pin.state == "live"]
    if sorted(live) != sorted(state.serials.items()):
        yield "A8", "live pins and serials differ"


def _named(state: State) -> Broken:
    """H4 and H8: a name is one person's, for ever; managers manage what there is."""
    people = (state.representatives, state.managers, state.services, state.former)
    for name, count in Counter(name for names in people for name in names).items():
        if count > 1:
            yield "H8", f"{name} is the name of {count} people"
    for manager in state.managers.values():
        if manager.kind != "team" and manager.teams:
            yield "H4", f"{manager.manager}, of kind {manager.kind}, has teams"
        if gone := [team for team in manager.teams if team not in state.teams]:
            yield "H4", f"{manager.manager} manages {gone}, which are gone"


def _access(state: State) -> Broken:
    """H8: whatever opens the account is of somebody who is there, and both sides know it."""
    sign_ins = [(name, access.person) for access in state.access.values() for name in access.sign_ins]
    if sorted(sign_ins) != sorted((name, one.person) for name, one in state.sign_ins.items()):
        yield "H8", "sign-ins are somebody's who doesn't know, or known and over"
    keys = [(name, access.person) for access in state.access.values() for name in access.keys]
    if sorted(keys) != sorted((name, one.person) for name, one in state.keys.items()):
        yield "H8", "keys are somebody's who doesn't know, or known and over"
    for access in state.access.values():
        if not any(access.person in people for people in (state.representatives, state.managers, state.services)):
            yield "H8", f"{access.person} comes in, and is nobody"
        if len(access.sign_ins) > limits.MAX_SIGN_INS or len(access.keys) > limits.MAX_KEYS:
            yield "H8", f"{access.person} has {len(access.sign_ins)} sign-ins and {len(access.keys)} keys"


def _blocked(state: State) -> Broken:
    """L5: who is blocked has nothing open, each is in one block, and both sides know it."""
    targets = [(target, one.block) for one in state.blocks.values() for target in one.targets]
    if sorted(targets) != sorted(state.blocked.items()):
        yield "L5", "somebody is shut out by no block, or by one that doesn't know"
    for request in state.requests.values():
        if request.visitor in state.blocked or request.source in state.blocked:
            yield "L5", f"{request.request} is open, and its customer is blocked"
    if len(state.blocks) > limits.MAX_BLOCKS:
        yield "L5", f"there are {len(state.blocks)} blocks"


_OF_DEADLINE = {
    "sign_in": "H8",
    "key": "H8",
    "block": "L5",
    "offer": "F16",
    "round": "F5",
    "lease": "F17",
    "hold": "F17",
    "abandon": "F17",
    "pin": "A8",
    "share": "F17",
    "control": "F17",
    "upload": "E7",
    "relax": "F5",
    "sticky": "F5",
    "overflow": "F1",
    "unstaffed": "F1",
    "wrap_up": "F4",
    "visitors": "F23",
    "hours": "A14",
    "vacate": "H12",
}


def _deadlines(state: State) -> Broken:
    """F16, F17: who is waited for has a deadline, and nothing else has."""
    due: dict[tuple[str, str], int | None] = {}
    for offer in state.offers.values():
        due["offer", offer.offer] = offer.deadline
    for person in state.representatives.values():
        idle = person.taken_over and not (person.sessions or person.wrap_ups or person.shares or person.guest)
        if idle != (state.deadlines.get("vacate", person.representative) is not None):
            yield "H12", f"{person.representative} was taken over, has nothing open and stays, or leaves too early"
        due["lease", person.representative] = person.lease_until
        due["hold", person.representative] = person.hold_until
    for visitor in state.visitors.values():
        due["abandon", visitor.visitor] = visitor.lost_until
    for pin in state.pins.values():
        due["pin", pin.pin] = pin.expires if pin.state == "live" else None
    for sign_in in state.sign_ins.values():
        due["sign_in", sign_in.sign_in] = sign_in.until
    for key in state.keys.values():
        due["key", key.key] = key.expires
    for block in state.blocks.values():
        due["block", block.block] = block.until
    for person in state.representatives.values():
        for session, work in person.wrap_ups.items():
            due["wrap_up", session] = work.until
    due |= {("share", share.share): share.until for share in state.shares.values()}
    due |= {("control", share.share): share.asked for share in state.shares.values()}
    for request in state.requests.values():
        waits, name = request.state != "assigned", request.request
        step = request.ladder[request.step :] if waits else ()
        rules = request.overflow if request.state == "waiting" else ()
        due["relax", name] = request.arrived + step[0][0] if step else None
        due["overflow", name] = request.arrived + rules[0][0] if rules else None
        due["sticky", name] = request.held_until
        ticket = state.router.tickets.get(name)
        if (request.held_until is None) != (ticket is None or ticket.held is None):
            yield "F5", f"{name} is held until {request.held_until}, its ticket {ticket}"
    found = {(kind, name): t for t, kind, name in state.deadlines if kind != "upload"}
    for (kind, name), t in due.items():
        if found.pop((kind, name), None) != t:
            yield _OF_DEADLINE[kind], f"{name} has its {kind} deadline at another time than {t}"
    if (found.pop(("visitors", ""), None) is None) == bool(state.idle_visitors):
        yield "F23", "idle visitors are forgotten at no time, or nobody is idle"
    for portal in state.portals.values():
        by_the_clock = portal.hours is not None and portal.mode != "phone"
        if (found.pop(("hours", portal.portal), None) is not None) != by_the_clock:
            yield "A14", f"{portal.portal} is looked at by the clock without hours, or has hours and isn't"
    for kind, name in found:  # of a round, the deadline may outlive its pause: then it does nothing
        looked = (kind == "unstaffed" and name in state.subportals) or kind == "vacate"  # at the time of the last event
        if not looked and (kind != "round" or name not in state.requests):
            yield _OF_DEADLINE[kind], f"a {kind} deadline of {name}, which isn't there"
