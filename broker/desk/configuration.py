"""An account's configuration, in the words of the put operations, as far as who asks may see it."""

from __future__ import annotations

from broker.desk import account, portals, replies, rights, settings, teams
from broker.desk.grants import Actor
from broker.desk.managers import shown_manager, shown_service
from broker.desk.outcome import Decision, Refusal
from broker.desk.state import Context, State
from broker.protocol import ops


def get_account(state: State, command: ops.AccountGet, context: Context) -> Decision | Refusal:
    """All of it for account and API managers; for a team manager its teams, their people, and what they serve (F20);
    for a representative with management itself."""
    assert context.identity is not None
    who = rights.actor(state, context.identity)
    assert who is not None
    if who.kind == "team_manager":
        return Decision(value=_of_teams(state, who))
    if who.kind == "self_managing":
        return Decision(value=_of_one(state, who))
    value = _whole(state)
    value["managers"] = [_without_email(shown_manager(one)) for one in state.managers.values()]
    return Decision(value=value)


def _without_email(shown: dict[str, object]) -> dict[str, object]:
    """Addresses are told by ``account.export`` alone, which is in the audit."""
    return {name: value for name, value in shown.items() if name != "email"}


def export(state: State, command: ops.AccountExport, context: Context) -> Decision | Refusal:
    """All of it, with the e-mail addresses."""
    value = _whole(state)
    value["representatives"] = [{**teams.shown(one), "email": one.email} for one in state.representatives.values()]
    return Decision(value=value)


def _whole(state: State) -> dict[str, object]:
    return {
        "account": account.shown(state.account_settings),
        "portals": [portals.shown(one) for one in state.portals.values()],
        "subportals": [settings.shown(one) for one in state.subportals.values()],
        "teams": [teams.shown(one) for one in teams.from_the_top(state)],
        "replies": replies.own(state),
        "representatives": [teams.shown(one) for one in state.representatives.values()],
        "managers": [shown_manager(one) for one in state.managers.values()],
        "services": [shown_service(one) for one in state.services.values()],
        "defaults": {"offer_ms": state.times.offer},
    }


def _of_teams(state: State, who: Actor) -> dict[str, object]:
    served = {state.subportals[name].portal for name in who.subportals}
    manager = state.managers[who.person]
    return {
        "account": account.shown(state.account_settings),
        "portals": [
            {**portals.shown(one), "subportals": [name for name in one.subportals if name in who.subportals]}
            for one in state.portals.values()
            if one.portal in served
        ],
        "subportals": [settings.shown(one) for one in state.subportals.values() if one.subportal in who.subportals],
        "teams": [_within(teams.shown(one), who) for one in teams.from_the_top(state) if one.team in who.teams],
        "replies": replies.own(state, who.teams),
        "representatives": [teams.shown(one) for one in state.representatives.values() if one.team in who.teams],
        "managers": [shown_manager(manager)],
        "services": [],
    }


def _within(shown: dict[str, object], who: Actor) -> dict[str, object]:
    """What is above its teams a team manager isn't told."""
    return shown if shown["parent"] in who.teams else {**shown, "parent": None}


def _of_one(state: State, who: Actor) -> dict[str, object]:
    own = state.representatives[who.person]
    nothing: dict[str, object] = {"portals": [], "subportals": [], "managers": [], "services": []}
    return {
        **nothing,
        "account": account.shown(state.account_settings),
        "teams": [],
        "representatives": [{**teams.shown(own), "email": own.email}],
    }
