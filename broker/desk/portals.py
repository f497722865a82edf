"""Portals and sub-portals: what managers set up, and what customers find open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast

from broker import limits
from broker.codes import Code
from broker.content import Ref
from broker.desk import (
    account,
    file_kinds,
    forms,
    functions,
    offers,
    overflow,
    portal_state,
    settings,
    share_ends,
    teams,
    texts,
)
from broker.desk import events as e
from broker.desk.changes import changes
from broker.desk.hours import Hours, HoursData, as_data, parse, restore
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import NORMAL, OUTCOMES, Context, Portal, Request, State, Subportal
from broker.protocol import ops

KINDS: dict[str, tuple[str, ...]] = {
    "web": ("pick", "ask", "button"),
    "phone": ("pin", "global_pin"),
    "queue": ("ask", "button"),
}
"""Which portal kinds a connection mode allows. Where documents disagree about ``ask``, the mode wins (B4)."""


def put_portal(state: State, command: ops.PortalPut, context: Context) -> Decision | Refusal:
    """Create a portal or change it."""
    if command.kind not in KINDS[command.mode]:
        return bad_args("args.kind", f"one of {', '.join(KINDS[command.mode])} in mode {command.mode}")
    if (refusal := account.refuse_mode(state, command.mode)) is not None:
        return refusal
    names = tuple(command.subportals)
    if len(set(names)) != len(names):
        return bad_args("args.subportals", "each name once")
    for index, name in enumerate(names):
        known = state.subportals.get(name)
        if known is not None and known.portal != command.portal:
            return bad_args(f"args.subportals[{index}]", "a name that no other portal of the account uses")
    opened = None if command.hours is None else parse(command.hours)
    if isinstance(opened, tuple):
        return bad_args(*opened)
    if (refusal := _wrong_classes(command.classes or ()) or functions.wrong(command.functions)) is not None:
        return refusal
    for index, origin in enumerate(command.origins or ()):
        if _ORIGIN.fullmatch(origin) is None:
            return bad_args(f"args.origins[{index}]", "an origin such as https://www.example.org, as browsers send it")
    if len(set(command.outcomes or ())) != len(command.outcomes or ()):
        return bad_args("args.outcomes", "each outcome once")
    taken = file_kinds.rules(command.files)
    if isinstance(taken, Refusal):
        return taken
    said = _said(command)
    if isinstance(said, Refusal):
        return said
    now = state.portals.get(command.portal)
    if now is None and len(state.portals) >= limits.MAX_PORTALS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_PORTALS} portals")
    if now is not None and (refusal := _portal_in_use(state, now, command, names)) is not None:
        return refusal
    if len(state.subportals.keys() | set(names)) > limits.MAX_SUBPORTALS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_SUBPORTALS} sub-portals")
    event = _event(command, *said, opened, context, state.times.offer)
    event.files = taken
    before = {} if now is None else words(now)
    after = words(event)
    if now is not None and event.title is None:
        after["title"] = now.title
    event.changes = changes(before, after)
    ended = functions.act(functions.Plan(state, portals={event.portal: event.functions}))
    lost = () if now is None else set(now.subportals) - set(names)
    happened = [event, *ended, *offers.end_asked(state, lost)] if event.changes else []
    return Decision(happened, {"portal": command.portal, "changed": bool(event.changes)})


def _event(
    command: ops.PortalPut, said: Said, survey: forms.Form, opened: Hours | None, context: Context, offer_ms: int
) -> e.PortalPut:
    """What isn't given is as by default."""
    event = e.PortalPut(
        command.portal,
        command.title.ref if command.title is not None else None,
        command.kind,
        command.mode,
        tuple(command.subportals),
        command.offer_ms or offer_ms,
        command.pick_fallback or "choose",
        context.who,
        command.places or 1,
        command.wrap_up_ms or 0,
        tuple((cast("str", one["class"]), cast("int", one["boost_ms"])) for one in command.classes or ()),
        command.take or "off",
        None if opened is None else as_data(opened),
        *said,
        limits.CLOSING if command.closing_ms is None else command.closing_ms,
        tuple(dict.fromkeys(command.origins or ())),
        functions=functions.switched(command.functions),
        web_chat=command.web_chat or "none",
        retention_days=command.retention_days or limits.RETENTION_DAYS,
        outcomes=OUTCOMES if command.outcomes is None else tuple(command.outcomes),
        survey=survey,
        survey_labels=None if command.survey is None else command.survey.ref,
        monitoring=command.monitoring or "off",
        guests=command.guests or "full",
    )
    event.wake = portal_state.wake(opened, event.closing_ms, event.mode, context.now)
    return event


def delete_portal(state: State, command: ops.PortalDelete, context: Context) -> Decision | Refusal:
    """Delete a portal and its sub-portals, which nobody may wait in any more."""
    portal = state.portals.get(command.portal)
    if portal is None:
        return no_such("portal")
    if count := sum(_of(portal, request) for request in state.requests.values()):
        text = f"{count} open requests came through the portal, or wait in it: once there are none"
        return wrong_state("in_use", "portal.delete", text=text, requests=count)
    gone = changes(words(portal), {})
    shared = [share.share for share in state.shares.values() if share.portal == portal.portal]
    deleted = e.PortalDeleted(portal.portal, portal.subportals, context.who, gone)
    ended = [*share_ends.ends(state, shared, "portal_deleted"), *offers.end_asked(state, portal.subportals)]
    return Decision([*ended, deleted], {"portal": portal.portal})


def _of(portal: Portal, request: Request) -> bool:
    return request.portal == portal.portal or request.subportal in portal.subportals


_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-\[\]:]+")

Said = tuple[tuple[str, ...], forms.Form, Ref | None, Ref | None, tuple[str, ...], str]
"""(require, form, labels, texts, languages, language)."""


def _said(command: ops.PortalPut) -> tuple[Said, forms.Form] | Refusal:
    """What a portal asks for and says, in its languages, and its survey."""
    language = command.language or texts.DEFAULT
    if not texts.is_language(language):
        return bad_args("args.language", "a language tag, such as en or pt-BR")
    form = forms.parse(command.form, language)
    if isinstance(form, Refusal):
        return form
    survey = forms.parse(command.survey, language, "survey")
    if isinstance(survey, Refusal):
        return survey
    require = tuple(dict.fromkeys(command.require or ()))
    for name, given in (("form", form), ("require", require)):
        if given and command.mode == "phone":
            return bad_args(f"args.{name}", "nothing: a pin is all that a portal in mode phone asks for")
    languages = texts.parse(command.texts, language)
    if isinstance(languages, Refusal):
        return languages
    every = tuple(sorted({language, *languages, *forms.languages(command.form), *forms.languages(command.survey)}))
    labels, said = (None if given is None else given.ref for given in (command.form, command.texts))
    return (require, form, labels, said, every, language), survey


def _portal_in_use(state: State, now: Portal, command: ops.PortalPut, names: Sequence[str]) -> Refusal | None:
    """Open requests were made under the present rules: those can't change under them."""
    same = (now.kind, now.mode, now.places) == (command.kind, command.mode, command.places or 1)
    lost = set(now.subportals) - set(names)
    if same and not lost:
        return None
    left = lost if now.mode == command.mode else set(now.subportals)  # requests of other portals may wait there
    if any(request.portal == now.portal or request.subportal in left for request in state.requests.values()):
        text = "kind, mode, places and sub-portals can't be taken from a portal with open requests: the rest may change"
        return wrong_state("in_use", "portal.put", text=text)
    return None


def shown(portal: Portal) -> dict[str, object]:
    """As managers read it."""
    return {"portal": portal.portal, **words(portal)}


def words(portal: Portal | e.PortalPut) -> dict[str, object]:
    """All that can be set, in the words of the operation."""
    return {
        "title": portal.title,
        "kind": portal.kind,
        "mode": portal.mode,
        "subportals": list(portal.subportals),
        "offer_ms": portal.offer_ms,
        "pick_fallback": portal.pick_fallback,
        "places": portal.places,
        "wrap_up_ms": portal.wrap_up_ms,
        "classes": [{"class": name, "boost_ms": boost} for name, boost in portal.classes],
        "take": portal.take,
        "require": list(portal.require),
        "form": portal.labels,
        "texts": portal.texts,
        "language": portal.language,
        "closing_ms": portal.closing_ms,
        "origins": list(portal.origins),
        "functions": dict(portal.functions),
        "web_chat": portal.web_chat,
        "retention_days": portal.retention_days,
        "outcomes": list(portal.outcomes),
        "survey": portal.survey_labels,
        "files": file_kinds.shown(portal.files),
        "monitoring": portal.monitoring,
        "guests": portal.guests,
        "hours": as_data(portal.hours) if isinstance(portal.hours, Hours) else portal.hours,
    }


def _wrong_classes(classes: Sequence[ops.Map]) -> Refusal | None:
    names = [NORMAL]
    for index, one in enumerate(classes):
        if one["class"] in names:
            return bad_args(f"args.classes[{index}].class", f"each name once, and none of them {NORMAL}")
        names.append(cast("str", one["class"]))
    return None


def put_subportal(state: State, command: ops.SubportalPut, context: Context) -> Decision | Refusal:
    """Set a sub-portal's share, whom it wants, and where requests go that wait too long."""
    now = state.subportals.get(command.subportal)
    if now is None:
        return bad_args("args.subportal", "the name of a sub-portal")
    if (refusal := settings.wrong(state, command)) is not None:
        return refusal
    event = settings.put(command, context.who)
    event.changes = changes(settings.words(now), settings.words(event))
    return Decision([event] if event.changes else [], {"subportal": now.subportal, "changed": bool(event.changes)})


# --- evolve ----------------------------------------------------------------------------------------


def portal_put(state: State, event: e.PortalPut, t: int) -> None:
    """Apply ``PortalPut``."""
    before = state.portals.get(event.portal)
    lines = {}
    if before is not None:
        lines = {name: state.subportals.pop(name) for name in before.subportals}
        for name in sorted(set(before.subportals) - set(event.subportals)):
            _forget_subportal(state, name)
        kept = (event.labels, event.texts, event.survey_labels)
        state.release(*(ref for ref in (before.labels, before.texts, before.survey_labels) if ref not in kept))
        if event.title not in (None, before.title):
            state.release(before.title)
    title = event.title if event.title is not None or before is None else before.title
    state.portals[event.portal] = Portal(
        event.portal, title, event.kind, event.mode, tuple(event.subportals), event.offer_ms, event.pick_fallback
    )
    portal = state.portals[event.portal]
    portal.places, portal.wrap_up_ms, portal.classes, portal.take = (
        event.places,
        event.wrap_up_ms,
        event.classes,
        event.take,
    )
    portal.require, portal.form, portal.labels = event.require, event.form, event.labels
    portal.texts, portal.languages, portal.language = event.texts, event.languages, event.language
    portal.closing_ms, portal.origins = event.closing_ms, event.origins
    state.deadlines.set("hours", event.portal, event.wake)
    portal.functions, portal.web_chat = event.functions, event.web_chat
    portal.monitoring, portal.guests = event.monitoring, event.guests
    portal.retention_days = event.retention_days
    portal.outcomes, portal.survey, portal.survey_labels = event.outcomes, event.survey, event.survey_labels
    portal.files = event.files
    portal.hours = None if event.hours is None else restore(cast("HoursData", event.hours))
    for name in event.subportals:
        subportal = state.subportals[name] = lines.get(name) or Subportal(
            name, event.portal, told=portal_state.FIRST[event.mode]
        )
        state.router.put_line(name)
        state.router.tune(name, weight=subportal.weight, policy=subportal.policy, places=event.places)


def portal_deleted(state: State, event: e.PortalDeleted, t: int) -> None:
    """Apply ``PortalDeleted``."""
    portal = state.portals.pop(event.portal)
    state.release(portal.title, portal.labels, portal.texts, portal.survey_labels)
    state.deadlines.set("hours", event.portal, None)
    for name in event.subportals:
        del state.subportals[name]
        _forget_subportal(state, name)


def subportal_put(state: State, event: e.SubportalPut, t: int) -> None:
    """Apply ``SubportalPut``."""
    subportal = state.subportals[event.subportal]
    subportal.weight, subportal.policy, subportal.max_waiting = event.weight, event.policy, event.max_waiting
    subportal.skills, subportal.relax = event.skills, event.relax
    subportal.sticky_ms, subportal.overflow = event.sticky_ms, event.overflow
    places = state.portals[subportal.portal].places
    state.router.tune(event.subportal, weight=event.weight, policy=event.policy, places=places)
    overflow.watch_staff(state, [event.subportal], t)


def _forget_subportal(state: State, name: str) -> None:
    """Nobody serves it any more: one that is made under this name later is another."""
    state.deadlines.set("unstaffed", name, None)
    for team in sorted(state.serving.pop(name, ())):
        teams.serve(state, state.teams[team], tuple(one for one in state.teams[team].subportals if one != name))
    del state.router.lines[name]  # nobody waits there, so nothing else knows of it
