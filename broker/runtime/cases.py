"""What the hub does with cases: reads them for those who ask, and erases what a desk can't know.

Theory of operation. A desk holds the texts of what is open alone, and of what was said nothing. So details, search and
export are read by the follower. Before a case is deleted, it is also the follower that says which contents the records
of its session name, and how far it had read; the desk refuses if more was said since. They are erased with the commit
that deletes the case: either both are on disk, or neither. A sweep does the same for cases whose time is over.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast

from broker import ids, limits
from broker.codes import Code
from broker.desk import casebook, cases
from broker.desk.commands import Audit, EraseCases, Gathered
from broker.desk.events import CaseDeleted
from broker.desk.outcome import Recorded, Refusal
from broker.journal.base import Reply
from broker.protocol import ops
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.batches import Part
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.options import Options
from broker.runtime.requests import Go, Prepared, Requests
from broker.runtime.timers import Timers

_SEARCH: Final = ("query", "subportal", "status", "type", "representative", "from_", "to", "after")
Question = Callable[[], None]


class Cases:
    """Carries out ``case.get``, ``case.search`` and ``customer.export``; prepares ``case.delete``; sweeps."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        requests: Requests,
        answers: Answers,
        asks: Asks,
        conductor: Conductor,
        clock: Clock,
        timers: Timers,
        options: Options,
    ) -> None:
        self._accounts = accounts
        self._answers = answers
        self._asks = asks
        self._conductor = conductor
        self._clock = clock
        self._timers = timers
        self._options = options
        self._long: deque[Question] = deque()
        """Questions that may take seconds; the first is with the writer."""
        self._gathered: OrderedDict[tuple[str, str], Sequence[str]] = OrderedDict()
        """(account, request) to what goes with its case."""
        self._sweeping: set[str] = set()
        requests.own.update({ops.CaseGet: self._get, ops.CaseSearch: self._search, ops.CustomerExport: self._export})
        requests.prepare[ops.CaseDelete] = self._prepare

    def start(self) -> None:
        """Look for cases whose time is over, again and again."""
        self._timers.wake_by("cases", self._clock.now() + limits.CASE_SWEEP, self._sweep)

    # --- reading -------------------------------------------------------------------------------------

    def _get(self, connection: Connection, number: int, command: ops.CaseGet) -> None:
        account = self._asked(connection, number, command)
        if account is None:
            return

        def answer(value: object) -> None:
            if value is None:
                self._answers.fail(connection, number, Code.NO_SUCH, "no such case")
            else:
                self._answers.result(connection, number, {"case": value})

        then = partial(self._answer, connection, number, answer)
        self._asks.ask("case", account.name, command.case, _person(connection), then=then)

    def _search(self, connection: Connection, number: int, command: ops.CaseSearch) -> None:
        account = self._asked(connection, number, command)
        if account is None:
            return
        asked = {name.rstrip("_"): getattr(command, name) for name in _SEARCH}
        answer = partial(self._found, connection, number)
        self._ask_long(connection, number, answer, "cases", account.name, asked, _person(connection))

    def _export(self, connection: Connection, number: int, command: ops.CustomerExport) -> None:
        account = self._asked(connection, number, command)
        if account is None:
            return
        if (command.email is None) == (command.visitor is None):
            text = "args: expected exactly one of email, visitor"
            self._answers.fail(connection, number, Code.BAD_ARGS, text, detail={"path": "args"})
            return
        identity = connection.identity
        assert identity is not None
        about = Audit(identity.person, identity.role, identity.network, command.OP, command.visitor)
        self._conductor.tell(account, about)
        after = command.after or 0

        def answer(value: object) -> None:
            """A visitor of whom nothing is kept is nobody here; an address may be anybody's."""
            page = cast("Mapping[str, object]", value)
            if command.visitor is not None and not after and not page["cases"] and not page["visitors"]:
                self._answers.fail(connection, number, Code.NO_SUCH, "no such visitor")
            else:
                self._found(connection, number, value)

        self._ask_long(connection, number, answer, "customer", account.name, command.email, command.visitor, after)

    def _found(self, connection: Connection, number: int, value: object) -> None:
        self._answers.result(connection, number, cast("dict[str, object]", value))

    def _asked(self, connection: Connection, number: int, command: ops.Command) -> Account | None:
        """The account, if the asker may ask for this."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        if (refusal := account.desk.refuse(identity, command)) is None:
            return account
        self._answers.fail(connection, number, refusal.code, refusal.text)
        return None

    def _ask_long(
        self, connection: Connection, number: int, answer: Callable[[object], None], question: str, *args: object
    ) -> None:
        """One at a time: each looks at many cases, in the writer's process between its commits."""

        def replied(reply: Reply) -> None:
            self._long.popleft()
            if self._long:
                self._long[0]()
            self._answer(connection, number, answer, reply)

        self._long.append(lambda: self._asks.ask(question, *args, then=replied))
        if len(self._long) == 1:
            self._long[0]()

    def _answer(self, connection: Connection, number: int, answer: Callable[[object], None], reply: Reply) -> None:
        if connection.closing:
            return
        if reply.error is not None:
            retry = self._options.retry_most
            self._answers.fail(connection, number, Code.JOURNAL_DOWN, "try again", retry_ms=retry)
        else:
            answer(reply.value)

    # --- erasing -------------------------------------------------------------------------------------

    def _prepare(self, connection: Connection, command: ops.CaseDelete, go: Go) -> None:
        account = connection.account
        assert account is not None
        case = account.desk.state.cases.get(command.case)
        if case is None or case.ended is None:
            go.on(Prepared(Gathered((0, 0))))  # refused for that
            return

        def gathered(found: Sequence[Gathered] | None, tries: int) -> None:
            unread = (
                found is not None and account.up and found[0].heads != casebook.heads(account.desk.state, case.session)
            )
            if unread and tries < limits.GATHERED_AGAIN:
                self._gather(account, [case.request], lambda more: gathered(more, tries + 1))
            elif found is None:
                go.on(Refusal(Code.JOURNAL_DOWN, "try again", retry_ms=self._options.retry_most))
            else:
                go.on(Prepared(found[0]))

        self._gather(account, [case.request], lambda found: gathered(found, 1))

    def _gather(
        self, account: Account, requests: Sequence[str], then: Callable[[Sequence[Gathered] | None], None]
    ) -> None:
        """Ask what goes with the cases of these requests; None where nobody can tell."""

        def replied(reply: Reply) -> None:
            if reply.error is not None:
                then(None)
                return
            found = cast("Sequence[tuple[tuple[int, int], Sequence[str]]]", reply.value)
            for request, (_, files) in zip(requests, found, strict=True):
                self._gathered[account.name, request] = files
                self._gathered.move_to_end((account.name, request))
            while len(self._gathered) > limits.MAX_ERASING:
                self._gathered.popitem(last=False)
            then([Gathered((heads[0], heads[1])) for heads, _ in found])

        self._asks.ask("named", account.name, [ids.session_of(request) for request in requests], then=replied)

    def decided(self, part: Part, records: Sequence[Recorded]) -> None:
        """Told of each command's events, before they are on disk: what goes with a case goes in its commit."""
        for recorded in records:
            if type(recorded.event) is CaseDeleted:
                part.erased.extend(self._gathered.pop((part.account.name, recorded.event.request), ()))

    def _sweep(self, now: int) -> int:
        for account in self._accounts.values():
            self.look(account)
        return now + limits.CASE_SWEEP

    def look(self, account: Account) -> None:
        """Sweep an account, if it can be asked: again and again, and right after it was read."""
        if account.up and account.name not in self._sweeping:
            self.sweep(account)

    def sweep(self, account: Account) -> None:
        """Erase some cases of an account whose time is over, and more once these are gone."""
        state = account.desk.state
        reason, names = cases.due(state, self._clock.now(), limits.ERASED_AT_ONCE)
        if not names:
            self._sweeping.discard(account.name)
            return
        self._sweeping.add(account.name)

        def gathered(found: Sequence[Gathered] | None) -> None:
            if found is None or not account.up:
                self._sweeping.discard(account.name)
                return
            before = account.seq
            self._conductor.tell(account, EraseCases(tuple(zip(names, found, strict=True)), reason))
            if account.up and account.seq > before:
                self.sweep(account)
            else:
                self._sweeping.discard(account.name)

        self._gather(account, [state.cases[name].request for name in names], gathered)


def _person(connection: Connection) -> tuple[str, str, str | None]:
    identity = connection.identity
    assert identity is not None
    return identity.person, str(identity.role), identity.portal
