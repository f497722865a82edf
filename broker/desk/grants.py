"""The table: which operation is for which kind of person, how far it reaches, and which right it needs.

``may`` is the one answer, and a pure function: it knows nothing of any account (``rights`` says who asks and what is
touched), so it can be asked about anything. The docs' table is made from this one, and its whole square is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs


class Scope(StrEnum):
    """How far a grant reaches."""

    ACCOUNT = "account"
    """Everything of the account."""
    TEAMS = "teams"
    """What lies in the teams it manages, those beneath them included, and the sub-portals these serve."""
    TEAMS_OR_SELF = "teams_or_self"
    """The same, for which the right is needed, or itself, for which none is."""
    SELF = "self"
    """Itself."""
    PARTY = "party"
    """What it takes part in."""


@attrs.frozen
class Grant:
    """What a kind of person may do with an operation."""

    scope: Scope
    right: str | None = None
    """Which right it must have been granted; of a service, the scope."""


@attrs.frozen
class Actor:
    """Who asks, as the account knows it now."""

    kind: str
    """customer, representative, self_managing (a representative with management), account_manager, team_manager,
    api_manager, service or operator."""
    person: str
    teams: frozenset[str] = frozenset()
    """Of a team manager: those it manages, with all beneath them."""
    subportals: frozenset[str] = frozenset()
    """Of a team manager: what these serve."""
    rights: frozenset[str] = frozenset()


@attrs.frozen
class Target:
    """What an operation touches. An object that isn't there is in nobody's teams."""

    teams: frozenset[str] = frozenset()
    subportals: frozenset[str] = frozenset()
    person: str | None = None
    portal: frozenset[str] | None = None
    """The sub-portals of a portal, of which one must be in scope."""
    rights: frozenset[str] = frozenset()
    """What must have been granted beside the operation itself; of oneself, nothing."""


NOTHING: Final = Target()

KINDS: Final = (
    "customer",
    "representative",
    "self_managing",
    "account_manager",
    "team_manager",
    "api_manager",
    "service",
)
"""The kinds of people, the table's columns. The operator, who has everything that a manager has, is none."""

TEAM_RIGHTS: Final = ("representatives", "teams", "functions", "assign", "sign_ins", "block", "transcripts", "monitor")
GRANTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("api_managers",),
    "team": TEAM_RIGHTS,
    "api": ("portals",),
}
"""Which rights a manager of each kind may be granted. An account manager has all but these."""

_MANAGERS: Final = frozenset({"account_manager", "api_manager"})
"""Whose operations are the operator's too."""
SCOPES: Final = ("events", "audit", "classify", "why")
"""Of services."""

_ACCOUNT: Final = Grant(Scope.ACCOUNT)
_TEAMS: Final = Grant(Scope.TEAMS)
_SELF: Final = Grant(Scope.SELF)
_PARTY: Final = Grant(Scope.PARTY)
_PORTALS: Final = Grant(Scope.ACCOUNT, "portals")


def _teams(right: str) -> Grant:
    return Grant(Scope.TEAMS, right)


def _teams_or_self(right: str) -> Grant:
    return Grant(Scope.TEAMS_OR_SELF, right)


def _service(scope: str) -> Grant:
    return Grant(Scope.ACCOUNT, scope)


Row = dict[str, Grant]


def _row(**grants: Grant) -> Row:
    """A representative with management may do all that any representative may."""
    if "representative" in grants:
        grants.setdefault("self_managing", grants["representative"])
    return grants


def _everybody(grant: Grant) -> Row:
    return dict.fromkeys(KINDS, grant)


_CUSTOMERS: Final = _row(customer=_PARTY)
_REPRESENTATIVES: Final = _row(representative=_PARTY)
_BOTH: Final = _row(customer=_PARTY, representative=_PARTY)
_READERS: Final = _row(customer=_PARTY, representative=_PARTY, account_manager=_ACCOUNT, team_manager=_PARTY)
_PORTAL: Final = _row(account_manager=_ACCOUNT, api_manager=_PORTALS)
_ACCOUNT_ONLY: Final = _row(account_manager=_ACCOUNT)
_TEAMS_OF: Final = _row(account_manager=_ACCOUNT, team_manager=_teams("teams"), api_manager=_ACCOUNT)
_BLOCKS: Final = _row(account_manager=_ACCOUNT, team_manager=_teams("block"))

_CASES: Final = _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_teams("assign"))

RIGHTS: Final[dict[str, Row]] = {
    "portal.open": _CUSTOMERS,
    "request.create": _CUSTOMERS,
    "request.pick": _CUSTOMERS,
    "request.withdraw": _CUSTOMERS,
    "request.convert": _CUSTOMERS,
    "pin.redeem": _CUSTOMERS,
    "share.accept": _CUSTOMERS,
    "share.confirm": _CUSTOMERS,
    "share.decline": _CUSTOMERS,
    "share.stop": _BOTH,
    "share.join": _BOTH,
    "share.started": _BOTH,
    "share.control": _CUSTOMERS,
    "session.end": _BOTH,
    "chat.send": _BOTH,
    "chat.typing": _BOTH,
    "chat.read": _BOTH,
    "note.add": _REPRESENTATIVES,
    "session.outcome": _REPRESENTATIVES,
    "session.rate": _CUSTOMERS,
    "session.describe": _CUSTOMERS,
    "file.begin": _BOTH,
    "file.chunk": _BOTH,
    "file.finish": _BOTH,
    "file.cancel": _BOTH,
    "file.get": _READERS,
    "file.list": _READERS,
    "presence.set": _REPRESENTATIVES,
    "offer.accept": _REPRESENTATIVES,
    "offer.decline": _REPRESENTATIVES,
    "pin.create": _REPRESENTATIVES,
    "pin.revoke": _REPRESENTATIVES,
    "pin.list": _REPRESENTATIVES,
    "session.leave": _REPRESENTATIVES,
    "session.transfer": _REPRESENTATIVES,
    "session.invite": _REPRESENTATIVES,
    "session.remove": _REPRESENTATIVES,
    "session.monitor": _row(account_manager=_ACCOUNT, team_manager=_teams("monitor")),
    "session.monitor_end": _row(account_manager=_PARTY, team_manager=_PARTY),
    "offer.revoke": _REPRESENTATIVES,
    "share.request": _REPRESENTATIVES,
    "share.ask_control": _REPRESENTATIVES,
    "share.reboot": _REPRESENTATIVES,
    "wrap_up.end": _REPRESENTATIVES,
    "case.take": _REPRESENTATIVES,
    "case.list": _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_TEAMS),
    "case.assign": _row(account_manager=_ACCOUNT, team_manager=_teams("assign")),
    "case.resolve": _CASES,
    "case.reopen": _CASES,
    "case.mail": _CASES,
    "case.get": _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_TEAMS),
    "case.search": _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_TEAMS),
    "case.delete": _ACCOUNT_ONLY,
    "cases.seen": _REPRESENTATIVES,
    "customer.export": _ACCOUNT_ONLY,
    "request.classify": _row(account_manager=_ACCOUNT, team_manager=_teams("assign"), service=_service("classify")),
    "transcript.get": _row(
        customer=_PARTY, representative=_PARTY, account_manager=_ACCOUNT, team_manager=_teams("transcripts")
    ),
    "request.why": _row(account_manager=_ACCOUNT, service=_service("why")),
    "account.get": _row(account_manager=_ACCOUNT, team_manager=_TEAMS, api_manager=_ACCOUNT, self_managing=_SELF),
    "account.export": _row(api_manager=_ACCOUNT),
    "account.put": _ACCOUNT_ONLY,
    "function.effective": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_TEAMS,
        api_manager=_ACCOUNT,
        service=_service("events"),
    ),
    "portal.put": _PORTAL,
    "portal.delete": _PORTAL,
    "subportal.put": _PORTAL,
    "team.put": _TEAMS_OF,
    "team.delete": _TEAMS_OF,
    "reply.put": _TEAMS_OF,
    "reply.delete": _TEAMS_OF,
    "reply.list": _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_TEAMS, api_manager=_ACCOUNT),
    "representative.put": _row(account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT),
    "representative.delete": _row(
        account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT
    ),
    "manager.put": _ACCOUNT_ONLY,
    "manager.delete": _ACCOUNT_ONLY,
    "service.put": _ACCOUNT_ONLY,
    "service.delete": _ACCOUNT_ONLY,
    "password.set": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("representatives"),
        api_manager=_SELF,
    ),
    "password.link": _row(account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT),
    "sign_in.list": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("sign_ins"),
        api_manager=_SELF,
        service=_SELF,
    ),
    "sign_in.end": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("sign_ins"),
        api_manager=_SELF,
        service=_SELF,
    ),
    "key.create": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "key.revoke": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "key.list": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "visitor.block": _BLOCKS,
    "block.end": _BLOCKS,
    "block.list": _BLOCKS,
    "auth.refresh": _everybody(_SELF),
    "subscribe": _everybody(_PARTY),
    "unsubscribe": _everybody(_SELF),
    "meta.schema": _everybody(_SELF),
}
"""Operation to kind of person to what it may do. A kind that is missing may not. No operation is missing."""


def may(actor: Actor, op: str, target: Target = NOTHING) -> str | None:
    """None for yes, else the reason for no."""
    if actor.kind == "operator":
        return None if RIGHTS[op].keys() & _MANAGERS else f"{op} is for {_list(RIGHTS[op])}"
    grant = RIGHTS[op].get(actor.kind)
    if grant is None:
        return f"{op} is for {_list(RIGHTS[op])}, not for {_a(actor.kind)}"
    scope = grant.scope
    if scope is Scope.TEAMS_OR_SELF:
        if target.person in (None, actor.person):
            return None
        scope = Scope.TEAMS
    needed = frozenset() if target.person == actor.person else target.rights
    if grant.right is not None:
        needed |= {grant.right}
    if missing := needed - actor.rights:
        return f"{op}: {_a(actor.kind)} needs the right {', '.join(sorted(missing))} for that"
    if scope is Scope.TEAMS:
        # no names: where somebody outside is, or whether there is anybody, is nothing for a team manager
        if not target.teams <= actor.teams:
            return f"{op}: that isn't within a team that you manage"
        if not target.subportals <= actor.subportals or (
            target.portal is not None and not target.portal & actor.subportals
        ):
            return f"{op}: that isn't of a sub-portal that your teams serve"
    if scope is Scope.SELF and target.person not in (None, actor.person):
        return f"{op}: for yourself only"
    return None


def _a(kind: str) -> str:
    name = NAMES[kind]
    return f"an {name}" if name[0] in "aeiouA" else f"a {name}"


def _list(row: Row) -> str:
    return " or ".join(NAMES[kind] for kind in KINDS if kind in row)


NAMES: Final[dict[str, str]] = {
    "customer": "customer",
    "representative": "representative",
    "self_managing": "representative with management",
    "account_manager": "account manager",
    "team_manager": "team manager",
    "api_manager": "API manager",
    "service": "service",
}
"""What the kinds are called."""
