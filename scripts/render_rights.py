"""docs/reference/rights.md, made from the table that the gate asks (broker/desk/grants.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from broker.desk.grants import GRANTABLE, KINDS, NAMES, RIGHTS, SCOPES, Grant, Scope

CELLS: Final[dict[Scope, str]] = {
    Scope.ACCOUNT: "all",
    Scope.TEAMS: "teams",
    Scope.TEAMS_OR_SELF: "teams, itself",
    Scope.SELF: "itself",
    Scope.PARTY: "part",
}
MEANINGS: Final[dict[Scope, str]] = {
    Scope.ACCOUNT: "Everything of the account.",
    Scope.TEAMS: "What lies in the teams that it manages, all teams beneath them included, and in the sub-portals that "
    "these serve. Who moves something needs both ends.",
    Scope.TEAMS_OR_SELF: "The same, with the right; itself, without.",
    Scope.SELF: "Itself, or its own connection.",
    Scope.PARTY: "What it takes part in: its own requests, offers, sessions and pins, and streams that it may read.",
}
GRANTED: Final[dict[str, str]] = {
    "representatives": "Create, change, move and delete the representatives of its teams, and let them choose another "
    "password.",
    "teams": "Change and delete the teams that it manages, create others beneath them, and say what they serve.",
    "functions": "Switch functions on and off for its teams and their representatives.",
    "assign": "Give waiting requests to its representatives, and requests of its sub-portals another class.",
    "sign_ins": "See where its representatives are signed in, and sign them out.",
    "block": "Block visitors and addresses for an open request of a sub-portal that its teams serve, and end such "
    "blocks. A block holds for the whole account.",
    "transcripts": "Read what was said in sessions of the sub-portals that its teams serve, private notes included.",
    "monitor": "Look on in sessions that its representatives have, where the portal's `monitoring` lets managers.",
    "portals": "Create and change portals and sub-portals.",
    "api_managers": "Create and change API managers, and choose what they come in by: passwords, addresses, keys.",
}
ALLOWED: Final[dict[str, str]] = {
    "events": "The stream `account`.",
    "audit": "The stream `audit`.",
    "classify": "`request.classify`.",
    "why": "`request.why`.",
}
OF_KIND: Final[dict[str, str]] = {"account": "account manager", "team": "team manager", "api": "API manager"}


def page() -> str:
    """The whole page."""
    parts = [
        "# Rights",
        "<!-- Made from broker/desk/grants.py by `make docs`; change it there. -->",
        "Who may ask for what. One pure function answers from this table, for every operation, before anything else is "
        "looked at; a refusal has the code 2401 and says what is missing. An operation without a row can't be added.",
        "An account manager has every right but `api_managers`, which must be granted. Nobody grants what it doesn't "
        "have itself. An account keeps one account manager at least; until it has its first, a manager's token made by "
        "the operator stands for one.",
        "## How far it goes",
        _table(("in the table", "reaches"), ((CELLS[scope], MEANINGS[scope]) for scope in Scope)),
        "## Operations",
        "An empty cell: not at all. In brackets: the right, or of a service the scope, that it must have been granted.",
        _table(("operation", *NAMES.values()), (_row(op) for op in RIGHTS)),
        "What the operator's own tools do is what account managers and API managers may.",
        "## Rights that are granted",
        "With `manager.put`, one by one.",
        _table(
            ("right", "for", "what it allows"),
            ((f"`{right}`", _kinds(right), GRANTED[right]) for right in GRANTED),
        ),
        "## Scopes of services",
        "With `service.put`; a key can have fewer. A service that the account doesn't list, but whose token the "
        "operator made, has all of them.",
        _table(("scope", "what it allows"), ((f"`{scope}`", ALLOWED[scope]) for scope in SCOPES)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _row(op: str) -> tuple[str, ...]:
    return (f"`{op}`", *(_cell(RIGHTS[op].get(kind)) for kind in KINDS))


def _cell(grant: Grant | None) -> str:
    if grant is None:
        return ""
    return CELLS[grant.scope] + (f" (`{grant.right}`)" if grant.right is not None else "")


def _kinds(right: str) -> str:
    return ", ".join(OF_KIND[kind] for kind, rights in GRANTABLE.items() if right in rights)
