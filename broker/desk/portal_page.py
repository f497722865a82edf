"""What a portal's page needs to begin: kind, texts, form, survey, who is there, and whether anybody may ask now."""

from __future__ import annotations

from typing import cast

from broker.desk import texts
from broker.desk.outcome import Decision, Refusal, no_such
from broker.desk.portal_state import is_open, page, pin_portal, state_of
from broker.desk.state import Context, Portal, State, Subportal
from broker.protocol import ops


def open_portal(state: State, command: ops.PortalOpen, context: Context) -> Decision | Refusal:
    """What a portal's page needs to begin."""
    identity = context.identity
    assert identity is not None
    portal = pin_portal(state) if identity.portal is None else state.portals.get(identity.portal)
    if portal is None:
        return no_such("portal")
    shown = page(state, portal, [state_of(state, portal, name, context.now) for name in portal.subportals])
    states = [
        {
            **one,
            "open": is_open(state, portal, one["subportal"], context.now),
            **_asked(state.subportals[one["subportal"]]),
        }
        for one in cast("list[dict[str, str]]", shown["subportals"])
    ]
    visitor = state.visitors.get(identity.person)
    language = texts.chosen(portal.languages, command.language or identity.language, portal.language)
    value: dict[str, object] = {
        **shown,
        "language": language,
        "require": list(portal.require),
        "kind": portal.kind,
        "mode": portal.mode,
        "open": any(entry["open"] for entry in states),
        "subportals": states,
        "representatives": _roster(state, portal) if portal.kind == "pick" else [],
    }
    if portal.title is not None:
        value["title"] = portal.title
    for name, ref in (("texts", portal.texts), ("form", portal.labels), ("survey", portal.survey_labels)):
        if ref is not None:
            value[name] = texts.InLanguage(ref, language, portal.language)
    if visitor is not None and portal.portal in visitor.requests:
        value["request"] = visitor.requests[portal.portal]
    return Decision(value=value)


def _asked(subportal: Subportal) -> dict[str, object]:
    """What its customers may ask for."""
    skills = [skill for skill, _, asked in subportal.skills if asked]
    return {"skills": skills} if skills else {}


def _roster(state: State, portal: Portal) -> list[dict[str, object]]:
    return [
        {"representative": name, "name": state.representatives[name].name, "subportal": subportal}
        for subportal in portal.subportals
        for team in sorted(state.serving.get(subportal, ()))
        for name in sorted(state.teams[team].members)
        if state.representatives[name].available
    ]
