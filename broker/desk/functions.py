"""Functions: what can be done in a session, and who has switched which of it on or off (F3, F4, A11).

A function is on where the portal and the representative both allow it. On the representative's side its own setting
goes before its team's, a sub-team's before its parent's; where nobody has set anything, it is on. On the portal's side
nothing is above the portal: one that says nothing has what ``FUNCTIONS`` says, which is what a new account may do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from broker.codes import Code
from broker.desk import events as e
from broker.desk import legs, share_ends
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import Context, Functions, Portal, Representative, Session, Share, State
from broker.protocol import ops

FUNCTIONS: Final[Mapping[str, bool]] = {
    "chat": True,  # without it a session is nothing
    "web_chat": True,  # the same in the page: nothing is installed, nothing is seen
    "screen_share": True,  # only looked at, and only after the customer has said yes twice
    "control": False,  # somebody else's hand on a customer's machine: a company decides for that
    "file_transfer": False,  # what is sent can do harm, and leaves what must be kept or deleted
    "reboot": False,  # it can end what the customer is working on
    "recording": False,  # personal data that is kept: where, how long and for whom comes first
    "monitoring": False,  # somebody looks on unseen; in places it takes an agreement with the staff
    "collaboration": True,  # a second one of the same account, as after a transfer
    "external_specialists": False,  # somebody from outside of the account sees the customer
}
"""All there are, and whether each is on at a portal that doesn't say."""


def wrong(given: ops.Map | None) -> Refusal | None:
    """What a put can't set. Unknown names are no later version's here: a switch that does nothing is a trap."""
    if given is None:
        return None
    if not given.keys() <= FUNCTIONS.keys():
        return bad_args("args.functions", f"a map of these to true or false: {', '.join(FUNCTIONS)}")
    for name, value in given.items():
        if not isinstance(value, bool):
            return bad_args(f"args.functions.{name}", "true or false")
    return None


def switched(given: ops.Map | None) -> Functions:
    """What a put sets, in the order of the table."""
    return tuple((name, given[name] is True) for name in FUNCTIONS if name in given) if given else ()


# --- what is on -----------------------------------------------------------------------------------------


@attrs.frozen
class Plan:
    """What is set where: as it is, or (decided, and not applied yet) as it will be."""

    state: State
    portals: Mapping[str, Functions] = attrs.field(factory=dict)
    """Those that will have other settings."""
    teams: Mapping[str, tuple[Functions, str | None]] = attrs.field(factory=dict)
    """Those that will have other settings, or another parent."""
    people: Mapping[str, tuple[Functions, str]] = attrs.field(factory=dict)
    """Those who will have other settings, or another team."""

    def portal(self, portal: Portal) -> Functions:
        """What the portal sets."""
        return self.portals.get(portal.portal, portal.functions)

    def chain(self, person: Representative) -> Iterator[tuple[str, str, Functions]]:
        """(level, name, what it sets), from the representative up to the top team."""
        own, at = self.people.get(person.representative, (person.functions, person.team))
        yield "representative", person.representative, own
        up: str | None = at
        while up is not None:
            team = self.state.teams[up]
            found, parent = self.teams.get(up, (team.functions, team.parent))
            yield "team", up, found
            up = parent

    def on(self, portal: Portal, person: Representative) -> tuple[str, ...]:
        """The functions that are on for these two, in the order of the table."""
        allowed = dict(FUNCTIONS)
        allowed.update(self.portal(portal))
        side: dict[str, bool] = {}
        for _, _, found in self.chain(person):
            for name, value in found:
                side.setdefault(name, value)
        return tuple(name for name, value in allowed.items() if value and side.get(name, True))


def on(state: State, portal: Portal, person: Representative) -> tuple[str, ...]:
    """The functions that are on for these two now."""
    return Plan(state).on(portal, person)


def _is_on(state: State, portal: Portal, person: Representative, function: str) -> bool:
    """Whether one of them is, as ``on`` says it. Asked for every message that is said, so it makes nothing."""
    if not at_portal(portal, function):
        return False
    up: str | None = person.team
    found = _first(person.functions, function, otherwise=None)
    while found is None and up is not None:
        team = state.teams[up]
        found, up = _first(team.functions, function, otherwise=None), team.parent
    return found is not False


def _first(given: Functions, function: str, *, otherwise: bool | None) -> bool | None:
    for name, value in given:
        if name == function:
            return value
    return otherwise


def reasons(
    state: State, portal: Portal, person: Representative, function: str
) -> tuple[bool, list[dict[str, object]]]:
    """Whether it is on, and the chain that says so: the portal's side, then the representative's from itself up.

    An entry without a value has nothing set. The first with one is what its side says; it decides if the answer is that
    too. So it takes both to decide that a function is on, and one, or both, that it is off."""
    return _reasons(Plan(state), portal, person, function)


def _reasons(plan: Plan, portal: Portal, person: Representative, function: str) -> tuple[bool, list[dict[str, object]]]:
    sides = (
        _side([("portal", portal.portal, plan.portal(portal))], function, otherwise=FUNCTIONS[function]),
        _side(list(plan.chain(person)), function, otherwise=True),
    )
    first = [next(entry for entry in side if "value" in entry) for side in sides]
    is_on = all(entry["value"] for entry in first)
    return is_on, [
        {**entry, "decides": entry is one and entry["value"] is is_on}
        for side, one in zip(sides, first, strict=True)
        for entry in side
    ]


def chains(plan: Plan, portal: Portal, person: Representative) -> e.Chains:
    """The reasons of every function, as events keep them. The representative's own name isn't written down again."""
    return tuple(
        (name, is_on, tuple(_row(entry) for entry in found))
        for name in FUNCTIONS
        for is_on, found in (_reasons(plan, portal, person, name),)
    )


def _row(entry: Mapping[str, object]) -> tuple[str, str, bool | None, bool]:
    level, value = str(entry["level"]), entry.get("value")
    name = "" if level == "representative" else str(entry["name"])
    return level, name, None if value is None else value is True, entry["decides"] is True


def told(chains: e.Chains, representative: str) -> list[dict[str, object]]:
    """The same as ``function.effective`` has them."""
    return [
        {"function": function, "on": is_on, "reasons": [_entry(row, representative) for row in rows]}
        for function, is_on, rows in chains
    ]


def _entry(row: tuple[str, str, bool | None, bool], representative: str) -> dict[str, object]:
    level, name, value, decides = row
    entry: dict[str, object] = {"level": level, "name": name or representative}
    if value is not None:
        entry["value"] = value
    return {**entry, "decides": decides}


def _side(chain: list[tuple[str, str, Functions]], function: str, *, otherwise: bool) -> list[dict[str, object]]:
    side: list[dict[str, object]] = []
    for level, name, found in chain:
        entry: dict[str, object] = {"level": level, "name": name}
        value = dict(found).get(function)
        side.append(entry if value is None else {**entry, "value": value})
    if not any("value" in entry for entry in side):
        side.append({"level": "default", "name": chain[0][0], "value": otherwise})
    return side


def grant(on: tuple[str, ...], *, control: bool) -> dict[str, object]:
    """What a share may do, as both ends are told: the consents, and the functions that are on. To view is what a share
    is."""
    return {"view": True, "control": control, "functions": list(on)}


# --- decide ---------------------------------------------------------------------------------------------


def effective(state: State, command: ops.FunctionEffective, context: Context) -> Decision | Refusal:
    """What is on for a representative at a portal, and why."""
    person, portal = state.representatives.get(command.representative), state.portals.get(command.portal)
    if person is None or portal is None:
        return no_such("representative" if person is None else "portal")
    told = []
    for name in FUNCTIONS if command.function is None else (command.function,):
        is_on, chain = reasons(state, portal, person, name)
        told.append({"function": name, "on": is_on, "reasons": chain})
    return Decision(value={"functions": told})


def chats(portal: Portal) -> bool:
    """Whether a portal's customers write in the page from their first step on."""
    return portal.web_chat != "none" and at_portal(portal, "web_chat")


def at_portal(portal: Portal, function: str) -> bool:
    """Whether a portal has it on, whatever representatives have."""
    return _first(portal.functions, function, otherwise=FUNCTIONS[function]) is True


def refuse(state: State, portal: Portal, person: Representative | None, function: str) -> Refusal | None:
    """2401 where the function isn't on, with the reasons. Without a person, what the portal says is enough."""
    if person is None:
        if at_portal(portal, function):
            return None
        return Refusal(Code.NOT_ALLOWED, f"{function} is switched off here", {"function": function})
    if _is_on(state, portal, person, function):
        return None
    _, chain = reasons(state, portal, person, function)
    return Refusal(Code.NOT_ALLOWED, f"{function} is switched off here", {"function": function, "reasons": chain})


def act(plan: Plan) -> list[e.Event]:
    """What ends in running shares, or changes, because other functions will be on for them."""
    state = plan.state
    happened: list[e.Event] = []
    over = set[str]()
    for share in state.shares.values():
        portal, person = state.portals[share.portal], state.representatives[share.representative]
        now = plan.on(portal, person)
        if "screen_share" not in now:
            happened.append(share_ends.end(share, "function_off"))
            over.add(share.share)
        elif share.state in share_ends.AGREED and now != share.functions:
            changed = e.ShareGrantChanged(
                share=share.share,
                session=share.session,
                state=share.state,
                representative=share.representative,
                control=share.control and "control" in now,
                functions=now,
                reasons=chains(plan, portal, person),
            )
            happened.append(changed)
    for name in state.uploads:
        file = state.files[name]
        session = state.sessions[file.session]
        portal = state.portals[state.requests[session.request].portal]
        alone = file.by in session.members and "collaboration" not in plan.on(
            portal, state.representatives[session.lead]
        )
        if alone or not _sends(plan, portal, session.representative):
            happened.append(e.FileEnded(name, file.session, file.by, "function_off"))
    for session in state.sessions.values():
        if session.members or session.invites:
            portal = state.portals[state.requests[session.request].portal]
            if "collaboration" not in plan.on(portal, state.representatives[session.lead]):
                happened += _alone(state, session)
            elif session.share is not None and session.share not in over:
                happened += _watching(plan, portal, session, state.shares[session.share])
    return happened


def _watching(plan: Plan, portal: Portal, session: Session, share: Share) -> Iterator[e.Event]:
    """Guests who look at the screen, and won't, or won't as before."""
    for who, member in session.members.items():
        if member.leg is None:
            continue
        now = legs.may(member, plan.on(portal, plan.state.representatives[who]))
        if "screen_share" not in now:
            yield legs.unwatched(share, who, member, "function_off")
        elif now != member.functions:
            yield legs.watched(share, session, who, member.leg, now)


def _alone(state: State, session: Session) -> list[e.Event]:
    """Nobody is asked into a session any more, and its guests go."""
    happened: list[e.Event] = []
    for offer in (state.offers[name] for name in session.invites):
        place = offer.subportal or session.subportal
        happened.append(
            e.OfferEnded(offer.offer, offer.request, place, offer.kind, offer.representative, "revoked", None, offer.by)
        )
    for name, member in session.members.items():
        happened.append(e.MemberLeft(session.session, name, member.masked, "function_off", member.leg))
    return happened


def _sends(plan: Plan, portal: Portal, lead: str | None) -> bool:
    """Whether files may be sent; while nobody has the session, what the portal says is enough."""
    if lead is None:
        return dict(plan.portal(portal)).get("file_transfer", FUNCTIONS["file_transfer"])
    return "file_transfer" in plan.on(portal, plan.state.representatives[lead])
