"""An account's configuration, as managers read it."""

from __future__ import annotations

from broker.desk import settings
from broker.desk.hours import as_data
from broker.desk.outcome import Decision, Refusal
from broker.desk.state import Context, State
from broker.protocol import ops


def get_account(state: State, command: ops.AccountGet, context: Context) -> Decision | Refusal:
    """The configuration, in the words of the put operations."""
    return Decision(
        value={
            "portals": [
                {
                    "portal": portal.portal,
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
                    "hours": None if portal.hours is None else as_data(portal.hours),
                }
                for portal in state.portals.values()
            ],
            "subportals": [settings.shown(one) for one in state.subportals.values()],
            "teams": [
                {
                    "team": team.team,
                    "title": team.title,
                    "subportals": list(team.subportals),
                    "away_after": team.away_after,
                    "parent": team.parent,
                }
                for team in state.teams.values()
            ],
            "representatives": [
                {
                    "representative": person.representative,
                    "name": person.name,
                    "team": person.team,
                    "capacity": person.capacity,
                    "weight": person.weight,
                    "skills": [{"skill": skill, "level": level} for skill, level in person.skills],
                }
                for person in state.representatives.values()
            ],
        }
    )
