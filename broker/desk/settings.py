"""A sub-portal's settings: from an operation's arguments into the words of the desk, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, cast

from broker import limits
from broker.desk import events as e
from broker.desk.outcome import Refusal, bad_args
from broker.desk.state import Rule, State, Subportal
from broker.protocol import ops
from broker.routing.policies import DEFAULT

_NUMBER: Final = {"wait": "after_ms", "length": "length"}
"""What an overflow rule says how much of."""


def wrong(state: State, command: ops.SubportalPut) -> Refusal | None:
    """What the schema can't say: names once, steps in order, rules whole."""
    needed = [one["skill"] for one in command.skills or ()]
    for index, skill in enumerate(needed):
        if skill in needed[:index]:
            return bad_args(f"args.skills[{index}].skill", "each skill once")
    for index, (one, other) in enumerate(pairwise(_relax(command)), 1):
        for field, before, after in zip(("after_ms", "less"), one, other, strict=True):
            if after <= before:
                return bad_args(f"args.relax[{index}].{field}", f"more than the {before} of the step before")
    for index, rule in enumerate(command.overflow or ()):
        if (refusal := _wrong_rule(state, command.subportal, f"args.overflow[{index}]", rule)) is not None:
            return refusal
    return None


def _wrong_rule(state: State, subportal: str, path: str, rule: ops.Map) -> Refusal | None:
    on = cast("str", rule["on"])
    for field in _NUMBER.values():
        if (field in rule) != (_NUMBER.get(on) == field):
            return bad_args(f"{path}.{field}", f"a number with on = {_NUMBER_OF[field]}, nothing with another")
    to = rule.get("to")
    there = state.subportals.get(cast("str", to))
    if to is not None and (to == subportal or there is None or state.portals[there.portal].mode != "queue"):
        return bad_args(f"{path}.to", "another sub-portal of a portal in queue mode")
    return None


_NUMBER_OF: Final = {field: on for on, field in _NUMBER.items()}


def put(command: ops.SubportalPut, who: str) -> e.SubportalPut:
    """The event: what isn't given is as by default."""
    return e.SubportalPut(
        subportal=command.subportal,
        weight=command.weight or 1,
        policy=command.policy or DEFAULT,
        max_waiting=command.max_waiting or limits.MAX_WAITING,
        by=who,
        skills=tuple((*_skill(one), bool(one.get("asked"))) for one in command.skills or ()),
        relax=_relax(command),
        sticky_ms=command.sticky_ms or 0,
        overflow=tuple(map(_rule, command.overflow or ())),
    )


def shown(one: Subportal) -> dict[str, object]:
    """As managers read it."""
    return {"subportal": one.subportal, "portal": one.portal, **words(one)}


def words(one: Subportal | e.SubportalPut) -> dict[str, object]:
    """All that can be set, in the words of the operation."""
    return {
        "weight": one.weight,
        "policy": one.policy,
        "max_waiting": one.max_waiting,
        "skills": [{"skill": skill, "level": level, "asked": asked} for skill, level, asked in one.skills],
        "relax": [{"after_ms": after, "less": less} for after, less in one.relax],
        "sticky_ms": one.sticky_ms,
        "overflow": [_shown_rule(*rule) for rule in one.overflow],
    }


def skills_of(given: Sequence[ops.Map]) -> tuple[tuple[str, int], ...] | Refusal:
    """What a representative can do."""
    found = [_skill(one) for one in given]
    names = [skill for skill, _ in found]
    for index, skill in enumerate(names):
        if skill in names[:index]:
            return bad_args(f"args.skills[{index}].skill", "each skill once")
    return tuple(sorted(found))


def _skill(one: ops.Map) -> tuple[str, int]:
    return cast("str", one["skill"]), cast("int", one["level"])


def _relax(command: ops.SubportalPut) -> tuple[tuple[int, int], ...]:
    return tuple((cast("int", one["after_ms"]), cast("int", one["less"])) for one in command.relax or ())


def _rule(rule: ops.Map) -> Rule:
    on = cast("str", rule["on"])
    number = rule.get(_NUMBER.get(on, ""))
    return on, cast("int | None", number), cast("str | None", rule.get("to"))


def _shown_rule(on: str, number: int | None, to: str | None) -> dict[str, object]:
    shown: dict[str, object] = {"on": on}
    if number is not None:
        shown[_NUMBER[on]] = number
    if to is not None:
        shown["to"] = to
    return shown
