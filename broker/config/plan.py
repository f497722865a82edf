"""What would make an account be as its desk file has it: the difference between the file and what is there.

Theory of operation. What is there is put on a desk in memory; then the file's operations are carried out on it, with
the rights of the very person who would ask for them. The desk says what each of them changes, field by field, and
refuses what the broker would refuse: rules, defaults and rights are its own, and none is written down twice. Only what
an export can't tell is found out later: requests that are still open, and names of people who left.

A plan is in stages: the steps of one may be carried out in any order, or at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

import attrs

from broker.codes import Code
from broker.config.desk import Put, kind_of, listed, name_of, told
from broker.config.export import puts_of
from broker.config.load import ConfigError
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.desk.state import Team, Times
from broker.desk.teams import from_the_top
from broker.ids import ENTROPY_BYTES
from broker.protocol import check
from broker.routing.pins import PinSpace

Sign = Literal["+", "~", "-"]
_DELETED: Final = ("representative", "service", "manager", "team", "portal", "reply")
"""The kinds that can be deleted, in an order in which a desk lets them go. Replies go with their teams: those that are
left are looked at last."""
UNTOLD: Final = "e-mail addresses of people who are there already stay as they are: only API managers are told them"
_LAST: Final = "last_account_manager"


@attrs.frozen
class Change:
    """One field that differs."""

    field: str
    before: object
    after: object
    """Both None where a text or something large differs: that it does is told, not how."""


@attrs.frozen
class Step:
    """One operation that changes something."""

    sign: Sign
    kind: str
    name: str
    op: str
    args: Mapping[str, Any]
    where: str
    """Its table in the file; of what is deleted, its name."""
    changes: tuple[Change, ...] = ()


@attrs.frozen(kw_only=True)
class Plan:
    """Everything that is to be done."""

    stages: tuple[tuple[Step, ...], ...]
    notes: tuple[str, ...] = ()
    """What isn't done, and why."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return tuple(step for stage in self.stages for step in stage)


def plan(
    exported: Mapping[str, Any], puts: Sequence[Put], *, account: str, person: str, prune: bool = False, source: str
) -> Plan:
    """The difference, for a manager called ``person``. ``prune``: what the file hasn't is deleted.

    Raises ``ConfigError``, naming ``source``, with what the broker would refuse."""
    planner = _Planner(exported, account, person)
    waiting = planner.carry_out(planner.without_untold(_ordered(puts, person)))
    if prune:
        planner.prune({(kind_of(put), name_of(put)) for put in puts})
        waiting = planner.carry_out([put for put, _ in waiting])
    if problems := [*planner.forbidden, *(told(put, refusal) for put, refusal in waiting)]:
        raise ConfigError(problems, source)
    return Plan(stages=tuple(map(tuple, planner.stages)), notes=tuple(planner.notes))


def _ordered(puts: Sequence[Put], person: str) -> list[Put]:
    """Account managers last, and first of them whoever asks: until an account has one, nobody else's word counts, and
    from then on only theirs."""

    def last(put: Put) -> tuple[bool, bool]:
        leads = put.op == "manager.put" and put.args.get("kind") == "account"
        return leads, leads and name_of(put) != person

    return sorted(puts, key=last)


class _Planner:
    """A desk in memory, and what changed it."""

    def __init__(self, exported: Mapping[str, Any], account: str, person: str) -> None:
        defaults = cast("Mapping[str, int]", exported.get("defaults") or {})
        offer_ms = defaults.get("offer_ms", Times().offer)
        self._desk = Desk(account, 0, PinSpace(bytes(16)), Times(offer=offer_ms))
        self._operator = Identity(account, "plan", Role.OPERATOR)
        self._identity: Identity | None = None
        self._asked = 0
        for put in puts_of(exported):
            outcome = self._ask(put.op, put.args)
            if isinstance(outcome, Refusal):  # it was told by a desk: these rules are another release's
                raise ConfigError([told(put, outcome)], f"account {account}")
        self._person = person
        self._identity = Identity(account, person, Role.MANAGER)
        self._untold = {
            row[kind]
            for kind in ("representative", "manager")
            for row in exported.get(f"{kind}s", ())
            if "email" not in row
        }
        self.stages: list[list[Step]] = []
        self.notes: list[str] = []
        self.forbidden: list[str] = []
        """What the asker has no right to; that one can't be waited for."""

    def _ask(self, op: str, args: Mapping[str, Any]) -> Refusal | tuple[Change, ...] | None:
        """The refusal, what it changed, or None for nothing. Only what changes something takes a right to do it."""
        command = check.parse(op, args)
        for personal in check.personal_fields(command):
            # the same text, the same reference: so the desk compares texts, as it can't with real ones
            personal.seal(hashlib.blake2b(personal.text.encode(), digest_size=16).hexdigest(), bytes(16))
        self._asked += 1  # who leaves is given a pseudonym, each another one
        forbidden = None if self._identity is None else self._desk.refuse(self._identity, command)
        outcome = self._desk.handle(command, self._operator, 0, self._asked.to_bytes(ENTROPY_BYTES, "big"))
        if isinstance(outcome, Refusal):
            return outcome
        events = [record.event for record in outcome.records]
        if not events:
            return None
        said = getattr(events[0], "changes", ())
        return forbidden or tuple(Change(*one) for one in said)

    def without_untold(self, puts: Sequence[Put]) -> list[Put]:
        """E-mail addresses are told to API managers alone: what can't be compared stays as it is."""
        found = []
        for put in puts:
            if "email" in put.args and name_of(put) in self._untold:
                put = attrs.evolve(put, args={key: value for key, value in put.args.items() if key != "email"})
                self.notes = [UNTOLD]
            found.append(put)
        return found

    def carry_out(self, puts: Sequence[Put]) -> list[tuple[Put, Refusal]]:
        """Put what can be put, again and again as long as that helps: one may need what another one changes. What is
        left, with the reasons."""
        waiting: list[tuple[Put, Refusal]] = []
        while puts:
            waiting, before = [], None
            for put in puts:
                kind, name = kind_of(put), name_of(put)
                new = kind != "account" and name not in self._there(kind)
                outcome = self._ask(put.op, put.args)
                if isinstance(outcome, Refusal) and outcome.code is Code.NOT_ALLOWED:
                    self.forbidden.append(told(put, outcome))
                elif isinstance(outcome, Refusal):
                    waiting.append((put, outcome))
                elif outcome is not None:
                    # portals may hand on a sub-portal, teams wait for their parents, managers for each other
                    alone = kind in ("account", "portal", "team", "manager")
                    step = Step("+" if new else "~", kind, name, put.op, put.args, put.where, () if new else outcome)
                    before = self._add(step, before, alone=alone)
            if len(waiting) == len(puts):
                break
            puts = [put for put, _ in waiting]
        return waiting

    def _add(self, step: Step, before: str | None, *, alone: bool) -> str:
        if alone or step.kind != before or not self.stages:
            self.stages.append([])
        self.stages[-1].append(step)
        return step.kind

    def _there(self, kind: str) -> Mapping[str, object]:
        if kind == "reply":
            return {f"{team.team}/{name}": one for team in self._teams() for name, one in team.replies.items()}
        return cast("Mapping[str, object]", getattr(self._desk.state, listed(kind)))

    def _teams(self) -> Sequence[Team]:
        return from_the_top(self._desk.state)

    def prune(self, wanted: set[tuple[str, str]]) -> None:
        """Delete what isn't wanted, but neither the asker nor the last account manager."""
        for kind in _DELETED:
            before = None
            names = sorted(self._there(kind))
            if kind == "team":
                names = [one.team for one in reversed(self._teams())]
            for name in names:
                if (kind, name) in wanted:
                    continue
                if kind == "manager" and name == self._person:
                    self.notes.append(f"manager {name} stays: it is you")
                    continue
                team, _, reply = name.partition("/")
                args = {"team": team, "reply": reply} if kind == "reply" else {kind: name}
                outcome = self._ask(f"{kind}.delete", args)
                if isinstance(outcome, Refusal):
                    if outcome.detail is not None and outcome.detail.get("state") == _LAST:
                        self.notes.append(f"manager {name} stays: {outcome.text}")
                    else:
                        self.forbidden.append(f"{kind} {name} can't be deleted: {outcome.text}")
                    continue
                step = Step("-", kind, name, f"{kind}.delete", args, f"{kind} {name}")
                before = self._add(step, before, alone=kind == "team")
