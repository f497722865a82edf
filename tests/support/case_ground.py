"""The ground of the case machine: a desk, the naive casework beside it, a journal of what is told and which texts are
kept, and the comparison of what people may read with what the casework says."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis.stateful import RuleBasedStateMachine

from broker import limits
from broker.codes import Code
from broker.content import Personal, Ref
from broker.desk import pseudonyms, snapshot
from broker.desk.commands import Gathered
from broker.desk.desk import Desk
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Recorded, Refusal
from broker.desk.publish import resolve
from broker.desk.view import view
from broker.journal.base import Record
from broker.protocol import ops
from broker.runtime import case_reader
from tests.support.agreement import replay, same_desk, stored
from tests.support.allowed import for_role
from tests.support.builders import ACCOUNT, START, desk, manager, personal, representative
from tests.support.case_model import ALLOWED, Casework
from tests.support.case_things import Clerk, Dossier
from tests.support.scene import Scene

T = TypeVar("T")
MIA = manager("mia")
MOST, MOST_OPEN, SHOWN = 7, 3, 2
"""Cases kept, support requests open, resolved ones in a list: few, so that there are often too many."""


@attrs.define
class Papers:
    """What a journal keeps: the records of each stream, and texts until they are erased."""

    records: list[Record] = attrs.field(factory=list)
    texts: dict[str, str] = attrs.field(factory=dict)

    def add(self, record: Recorded) -> None:
        """One more."""
        type_, version, body, t, entries = stored(record)
        self.records.append(Record(len(self.records) + 1, type_, version, t, body, entries))

    def stream_head(self, account: str, stream: str) -> int:
        """As a store answers."""
        return max((at for one in self.records for name, at, _ in one.entries if name == stream), default=0)

    def stream(self, account: str, stream: str, after: int, limit: int) -> list[tuple[int, Record]]:
        """As a store answers."""
        found = [(at, one) for one in self.records for name, at, _ in one.entries if name == stream and at > after]
        return found[:limit]

    def known(self, store: object, account: str, ids: Iterable[str]) -> Mapping[str, str]:
        """The texts that are still there."""
        return {name: self.texts[name] for name in ids if name in self.texts}


def answered(found: Generator[None, None, T]) -> T:
    """What a long question comes to."""
    while True:
        try:
            next(found)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class CaseGround(RuleBasedStateMachine):
    """A desk with cases and their model."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "MAX_CASES", MOST)
        self.patch.setattr(limits, "MAX_OPEN_CASES", MOST_OPEN)
        self.patch.setattr(limits, "LISTED_RESOLVED", SHOWN)
        self.scene = Scene()
        self.papers = Papers()
        self.model = Casework(START, MOST, MOST_OPEN)
        self.kept: set[str] = set()
        """The texts that must still be there."""
        self.gone: list[str] = []
        """Cases that were erased."""
        self.snapshot: tuple[int, Desk] = (0, desk())
        self.texts = 0
        self.lines: list[str] = []

    # --- plumbing --------------------------------------------------------------------------------

    def text(self, words: str = "text") -> Personal:
        """Something that somebody says."""
        self.texts += 1
        return personal(f"{words} {self.texts}", f"c_{self.texts}")

    def keep(self, *said: Personal | None) -> None:
        """These were said, and stay until they are erased."""
        for one in said:
            if one is not None:
                self.kept.add(one.ref[0])
                self.papers.texts[one.ref[0]] = one.ref[0]

    def lose_text(self, *refs: Ref | None) -> None:
        """These are to be gone."""
        self.kept -= {ref[0] for ref in refs if ref is not None}

    def note(self) -> None:
        """Keep what the desk did: its records, and what it erased."""
        for record in self.scene.records[len(self.papers.records) :]:
            self.papers.add(record)
        for name in self.scene.desk.drain_erased():
            self.papers.texts.pop(name, None)

    def tick(self) -> None:
        """A moment goes by, unless something is due then: what comes later is later."""
        due = self.scene.desk.next_deadline()
        if due is None or due > self.scene.now + 1:
            self.scene.now = self.model.now = self.scene.now + 1

    def tell(self, command: object, who: Identity | None = None, prepared: object = None) -> Handled | Refusal:
        """One command, a moment after the last; a refused one changes nothing."""
        self.tick()
        before = snapshot.dump(self.scene.desk)
        outcome = self.scene.do(command, who, prepared=prepared)
        self.note()
        if isinstance(outcome, Refusal):
            assert snapshot.dump(self.scene.desk) == before, f"{command} was refused and changed something"
        return outcome

    def carried_out(self, command: object, who: Identity | None = None, prepared: object = None) -> Handled:
        """One that the model expects to be carried out."""
        outcome = self.tell(command, who, prepared)
        assert isinstance(outcome, Handled), f"{command}: {outcome}"
        return outcome

    def refused(self, code: Code, command: object, who: Identity | None = None, prepared: object = None) -> Refusal:
        """One that the model expects to be refused."""
        outcome = self.tell(command, who, prepared)
        assert isinstance(outcome, Refusal), f"{command} was carried out"
        assert outcome.code is code, f"{command}: {outcome}"
        if code is Code.WRONG_STATE:
            detail = outcome.detail or {}
            assert detail["allowed"] or detail["state"] == "closed", outcome
        self.compare()
        return outcome

    def wrong(self, one: Dossier, command: object, who: Identity) -> None:
        """Not in this status: the refusal says what may be asked for instead, and how the case is."""
        detail = dict(self.refused(Code.WRONG_STATE, command, who).detail or {})
        told = detail.pop("case")
        assert detail == {"state": one.status, "allowed": for_role(who, ALLOWED[one.status])}
        assert isinstance(told, dict)
        assert (told["case"], told["version"], told["status"]) == (one.case, one.version, one.status)

    def erase(self, one: Dossier) -> None:
        """All that was said in a case goes with it."""
        self.lose_text(one.name, one.email, one.text, one.question)
        self.kept -= one.said
        self.gone.append(one.case)
        self.model.forget(one)

    def named(self, sessions: Sequence[str]) -> list[Gathered]:
        """What the hub gathers before it erases cases; what is gathered goes with them."""
        found = answered(case_reader.named(self.papers, self.scene.desk, ACCOUNT, sessions))  # type: ignore[arg-type]
        assert isinstance(found, list)
        self.gathered = dict(zip(sessions, (ids for _, ids in found), strict=True))
        return [Gathered((heads[0], heads[1])) for heads, _ in found]

    def scrub(self, session: str) -> None:
        """The commit that erases a case erases what was gathered for it."""
        for name in self.gathered[session]:
            self.papers.texts.pop(name, None)

    def likely(self, which: int, good: Sequence[Dossier]) -> Dossier:
        """Mostly one of those with which it works, now and then any other."""
        found = good if good and which % 4 else self.model.dossiers
        return found[which % len(found)]

    # --- comparing -------------------------------------------------------------------------------

    def compare(self) -> None:
        """What people may read is what the casework says."""
        state = self.scene.desk.state
        assert not list(self.model.overdue()), "somebody should have been given up"
        assert len(state.cases) == len(self.model.dossiers)
        for line in self.lines:
            self.same(self.read(f"cases:{line}", MIA, "cases"), self.model.listing(line, SHOWN))
        for clerk in self.model.clerks.values():
            me = representative(clerk.name)
            mine = self.read(f"me:{clerk.name}", me, "cases", "presence")
            (presence,) = [item for item in mine if "presence" in item]
            self.same([item for item in mine if "case" in item], self.model.mine(clerk.name))
            assert (presence["cases_seen"], presence["unread"]) == (clerk.seen, self.model.unread(clerk)), clerk
            self.compare_sight(clerk)
        for one in self.model.dossiers:
            self.compare_details(one)
        for name in self.gone[-2:]:
            assert self.look(name, ("mia", "manager", None)) is None
        self.compare_lines()
        status = list(ALLOWED)[self.scene.commands % len(ALLOWED)]
        fitting = sorted((one for one in self.model.dossiers if one.status == status), key=lambda one: -one.number)
        self.same(self.search({"status": status}), fitting)
        assert set(self.papers.texts) == self.kept, f"texts: {set(self.papers.texts) ^ self.kept}"

    def read(self, stream: str, who: Identity, *parts: str) -> list[dict[str, Any]]:
        """Parts of a snapshot of a stream, as whoever follows it is told."""
        found: list[Any] = view(self.scene.desk, stream, who)
        wanted = [item for one in found for part in parts for item in one.get(part, [])]
        told: Any = pseudonyms.of_value(wanted, self.scene.desk.state.former.get)
        return [resolve(item, self.papers.texts.get) for item in told]  # type: ignore[misc]

    def look(self, case: str, who: tuple[str, str, str | None]) -> Any:
        """What ``case.get`` tells."""
        return case_reader.one(self.papers, self.scene.desk, ACCOUNT, case, who, self.papers.known)  # type: ignore[arg-type]

    def search(self, asked: Mapping[str, object]) -> list[dict[str, Any]]:
        """What ``case.search`` tells a manager."""
        who = ("mia", "manager", None)
        found = case_reader.search(self.papers, self.scene.desk, ACCOUNT, asked, who, self.papers.known)  # type: ignore[arg-type]
        told: Any = answered(found)
        return list(told["cases"])

    def same(self, told: Sequence[Mapping[str, Any]], expected: Sequence[Dossier]) -> None:
        """These rows are of these cases."""
        assert [row["case"] for row in told] == [one.case for one in expected]
        for row, one in zip(told, expected, strict=True):
            self.same_row(row, self.row(one), one)

    def same_row(self, told: Mapping[str, Any], expected: Mapping[str, object], one: Dossier) -> None:
        """This is told of this case, and its clock shows the time."""
        rest = dict(told)
        clock = rest.pop("clock")
        since = clock.get("since", self.model.now)
        shown = (clock["kind"], clock["ms"] + self.model.now - since, "since" in clock)
        assert shown == one.clock(self.model.now), f"{one.case}: the clock shows {shown}"
        assert rest == expected

    def row(self, one: Dossier) -> dict[str, object]:
        """G5."""
        holder = self.model.clerks.get(one.who or "")
        text = one.question or one.text
        told = {
            "case": one.case,
            "number": one.number,
            "request": one.request,
            "session": one.session,
            "portal": one.portal,
            "subportal": one.line,
            "type": one.kind,
            "status": one.status,
            "reason": one.reason,
            "version": one.version,
            "listed": one.listed,
            "representative": self.model.former.get(one.who or "", one.who),
            "created": one.created,
            "ended": one.ended,
            "resolved": one.resolved,
            "outcome": one.outcome,
            "rated": one.rated,
            "name": one.name and one.name[0],
            "text": text and text[0],
            "representative_name": holder and holder.called[0],
        }
        return {key: value for key, value in told.items() if value is not None}

    def compare_details(self, one: Dossier) -> None:
        """The panel of a case, for a manager."""
        text = one.text or one.question
        more = {
            "visitor": one.visitor,
            "email": one.email and one.email[0],
            "text": text and text[0],
            "question": one.question and one.question[0],
            "mails": one.mails or None,
        }
        expected = {**self.row(one), **{key: value for key, value in more.items() if value is not None}}
        self.same_row(self.look(one.case, ("mia", "manager", None)), expected, one)

    def compare_sight(self, clerk: Clerk) -> None:
        """A representative knows of its own and of those of what it serves, and of no others."""
        served, desk = self.model.serves[clerk.team], self.scene.desk
        sees = case_reader.visible(desk, ACCOUNT, (clerk.name, "representative", None))
        for one in self.model.dossiers:
            told = sees(desk.state.cases[one.case])
            assert told == (one.who == clerk.name or one.line in served), f"{clerk.name}: {one.case}"

    def compare_lines(self) -> None:
        """Who waits is in line, and nobody else is; asking so is no event."""
        for line in self.lines:
            waiting = {one.request for one in self.model.waiting() if one.line == line}
            if waiting and self.queued(line):
                listed: Any = self.carried_out(ops.CaseList(line), MIA).value["requests"]
                assert {row["request"] for row in listed} == waiting

    def queued(self, line: str) -> bool:
        """Whether requests stand in line there."""
        raise NotImplementedError

    # --- the end ---------------------------------------------------------------------------------

    def replayed(self) -> Desk:
        """The desk as its records make it."""
        return replay(desk(), [(one.type, one.version, one.body, one.t, one.entries) for one in self.papers.records])

    def teardown(self) -> None:
        """F21: what a replay of all records gives, and of those after a snapshot, is the same desk."""
        try:
            rows = [(one.type, one.version, one.body, one.t, one.entries) for one in self.papers.records]
            same_desk(self.scene.desk, self.replayed())
            at, from_snapshot = self.snapshot
            same_desk(self.scene.desk, replay(from_snapshot, rows[at:]))
        finally:
            self.patch.undo()
