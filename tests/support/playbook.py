"""Scripts for a desk on a virtual clock: at a time, given a command, expect these events and no others.

    with Playbook(scene) as play:
        play.at(0).given(ops.RequestCreate(text=question), customer("carl"), "carl").expect(
            seen(e.RequestCreated), seen(e.OfferMade, representative="ann"))
        play.at(20 * SECONDS).expect(seen(e.OfferEnded, reason="expired"))

Time between two steps is part of the later one: deadlines fire at their moment, and their events come first. A step
that isn't followed by ``expect`` or ``refused``, and a script without a step, fails by itself. A mismatch shows the
whole exchange.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import attrs

from broker.codes import Code
from broker.desk.events import Event
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Refusal
from tests.support.builders import START
from tests.support.scene import Scene


@attrs.define(init=False)
class Pattern:
    """An event of a class, with these values among its fields."""

    cls: type[Event]
    fields: dict[str, object]

    def __init__(self, cls: type[Event], **fields: object) -> None:
        names = {field.name for field in attrs.fields(cls)}
        if not fields.keys() <= names:
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(fields.keys() - names))}")
        self.cls, self.fields = cls, fields

    def matches(self, event: Event) -> bool:
        """Whether this event is one of these."""
        return type(event) is self.cls and all(getattr(event, name) == value for name, value in self.fields.items())

    def __str__(self) -> str:
        return f"{self.cls.__name__}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"


seen = Pattern


@attrs.define
class Step:
    """One moment of a script."""

    scene: Scene
    t: int
    happened: list[Event]
    lines: list[str]
    asserted: bool = False
    outcome: Handled | Refusal | None = None

    def given(self, command: object, by: Identity | None = None, named: str | None = None) -> Self:
        """Carry out a command."""
        who = "the broker" if by is None else by.person
        self.lines.append(f"{self.t / 1000:9.3f}  {who}: {command}")
        self.outcome = self.scene.do(command, by, named)
        if isinstance(self.outcome, Handled):
            self.happened += [record.event for record in self.outcome.records]
        self.asserted = False
        return self

    def expect(self, *patterns: Pattern, **value: object) -> Self:
        """These events, in this order, and no others. ``value``: fields of the RESULT."""
        assert not isinstance(self.outcome, Refusal), self._told(f"carried out, not {self.outcome}")
        fits = len(patterns) == len(self.happened) and all(
            pattern.matches(event) for pattern, event in zip(patterns, self.happened, strict=True)
        )
        assert fits, self._told("\n".join(f"           {pattern}" for pattern in patterns) or "           nothing")
        if value:
            assert self.outcome is not None, self._told("a RESULT")
            found = {name: self.outcome.value.get(name) for name in value}
            assert found == value, self._told(f"a RESULT with {value}, not {found}")
        self._pass()
        return self

    def refused(self, code: Code, **detail: object) -> Self:
        """A refusal with this code and at least this detail."""
        assert isinstance(self.outcome, Refusal), self._told(f"a refusal with {code}")
        found = {name: (self.outcome.detail or {}).get(name) for name in detail}
        assert (self.outcome.code, found) == (code, detail), self._told(f"{code} with {detail}, not {self.outcome}")
        assert not self.happened, self._told(f"{code} and no event before")
        self._pass()
        return self

    def _pass(self) -> None:
        self.lines += [f"           -> {event}" for event in self.happened]
        self.happened, self.asserted = [], True

    def _told(self, expected: str) -> str:
        found = [f"           {event}" for event in self.happened] or ["           nothing"]
        return "\n".join([*self.lines, "happened:", *found, "expected:", expected])


@attrs.define
class Playbook:
    """A script, step by step."""

    scene: Scene
    steps: list[Step] = attrs.field(factory=list)
    lines: list[str] = attrs.field(factory=list)

    def at(self, t: int) -> Step:
        """Let time pass until ``t`` (ms since the start of virtual time)."""
        happened = self.scene.pass_time(START + t - self.scene.now)
        self.lines.append(f"{t / 1000:9.3f}")
        step = Step(self.scene, t, happened, self.lines)
        self.steps.append(step)
        return step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        assert self.steps, "the script has no step: nothing was asserted"
        open_steps = [f"{step.t / 1000:.3f}" for step in self.steps if not step.asserted]
        assert not open_steps, "steps that nobody asserted: " + ", ".join(open_steps)
