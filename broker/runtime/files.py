"""Files on the hub: their bytes go between clients and the store's threads, and what the desk decides is done there.

Theory of operation. The desk says whether somebody may; then a job is handed to the keeper, and the request is answered
when that is done. What is under way is bounded by the keeper, by each connection's unanswered requests, and by what a
person may send or ask for in a second. A finished upload is read back from the disk by a worker before the desk shares
it. Bytes are deleted only after the commit that says so; what a crash leaves between the two, or a restored journal
doesn't know, ``start`` removes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, cast

import attrs

from broker.blobs.base import Behind, Blob, Blobs, Finished, Missing
from broker.blobs.keeper import Busy, Failed, Job, Keeper, Result
from broker.codes import Code
from broker.desk import files
from broker.desk.commands import Audit
from broker.desk.identity import Role
from broker.desk.outcome import Handled, Refusal, no_such
from broker.limits import FILE_CHUNK
from broker.protocol import ops
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.batches import Later, Part
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.log import Tell
from broker.runtime.options import Options
from broker.runtime.passwords import Lost, nobody
from broker.runtime.requests import Go, Prepared, Requests
from broker.runtime.timers import Timers

PAGE: Final = 1000  # names looked at in one go when the store is compared with the journal
_RETRY_BUSY: Final = 200  # ms; what waits for the disk is through by then, or the disk is slow
_AGAIN: Final = 1000  # ms until an account that is being read is looked at again

Then = Callable[[Result], None]


@attrs.frozen(kw_only=True)
class Statistics:
    """What can be said of files."""

    waiting: int
    """Calls of the store that were asked for and aren't answered."""
    bytes_in: int
    bytes_out: int
    shared: int
    rejected: int
    """Uploads whose bytes weren't what was announced: they began anew."""
    removed: int
    """Files that were deleted, or were found without anybody knowing of them."""
    missing: int
    """Shared files that the store doesn't have: somebody should look for them."""
    failed: int
    """Calls that the disk didn't do."""


class Files:
    """Carries out what operations on files need beside the desk."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        accounts: Mapping[str, Account],
        requests: Requests,
        answers: Answers,
        conductor: Conductor,
        clock: Clock,
        timers: Timers,
        wake: Callable[[], None],
        options: Options,
        tell: Tell,
    ) -> None:
        """``wake``: of a keeper that can't say when something is done."""
        self._keeper = keeper
        self._accounts = accounts
        self._answers = answers
        self._repeats = requests.repeats
        self._conductor = conductor
        self._clock = clock
        self._timers = timers
        self._wake = wake
        self._options = options
        self._tell = tell
        self._waiting: dict[int, tuple[Then, Lost]] = {}
        self._finishing: set[str] = set()
        self._compared: set[str] = set()
        """Accounts whose files were compared with the journal, or are just now."""
        self._in = self._out = self._shared = self._rejected = self._removed = self._missing = self._failed = 0
        self.guard: Callable[[Callable[[], None], Lost], object] = lambda call, lost: call()
        """Runs a call that may meet a bug; who waits is told of it."""
        requests.own[ops.FileChunk] = self._chunk
        requests.own[ops.FileGet] = self._get
        requests.own[ops.FileList] = self._list
        requests.prepare[ops.FileFinish] = self._finish
        requests.repeats.now[ops.FileBegin.OP] = self._begun_again
        conductor.unstored = self.unstored

    # --- the keeper ----------------------------------------------------------------------------------

    def poll(self) -> None:
        """Go on with what the threads have done."""
        for number, result in self._keeper.poll():
            then, lost = self._waiting.pop(number)
            if isinstance(result, Failed):
                self._failed += 1
                self._tell("error", "files.failed", error=result.reason)
            self.guard(partial(then, result), lost)

    @property
    def at_work(self) -> bool:
        """Whether something was asked and not answered."""
        return bool(self._waiting)

    def _submit(self, job: Job, then: Then, lost: Lost = nobody) -> bool:
        """Hand over a job; False where too much waits already."""
        try:
            self._waiting[self._keeper.submit(job)] = then, lost
        except Busy:
            return False
        if self._keeper.fileno() is None:
            self._wake()
        return True

    def _for(self, connection: Connection, number: int, job: Job, then: Then) -> None:
        """The same for a request, which is told if it isn't taken or the disk doesn't do it."""

        def done(result: Result) -> None:
            if isinstance(result, Failed):
                retry = self._options.retry_most
                self._answers.at_once(connection, number, Code.JOURNAL_DOWN, _NO_DISK, retry_ms=retry)
            else:
                then(result)

        if not self._submit(job, done, partial(self._answers.broke, connection, number)):
            self._answers.at_once(connection, number, Code.OVERLOADED, _CROWDED, retry_ms=_RETRY_BUSY)

    def _ask(self, connection: Connection, number: int, command: ops.Command) -> Handled | None:
        """What the desk says; None where it refused, which is told."""
        account = connection.account
        assert account is not None
        outcome = self._conductor.carry_out(account, command, connection.identity)
        if isinstance(outcome, Handled):
            return outcome
        self._refuse(connection, number, outcome)
        return None

    def _refuse(self, connection: Connection, number: int, refusal: Refusal) -> None:
        self._answers.fail(connection, number, refusal.code, refusal.text, detail=refusal.detail)

    # --- sending -------------------------------------------------------------------------------------

    def _chunk(self, connection: Connection, number: int, command: ops.FileChunk) -> None:
        if self._ask(connection, number, command) is None:
            return
        blob, offset, data = _blob(connection, command.file), command.offset, command.data

        def done(result: Result) -> None:
            if isinstance(result, Behind):
                self._refuse(connection, number, files.behind(result.size))
            else:
                self._in += len(data)
                self._answers.result(connection, number, {"offset": result})

        self._for(connection, number, Job(blob.name, lambda blobs: blobs.append(blob, offset, data), len(data)), done)

    def _begun_again(
        self, connection: Connection, value: Mapping[str, object], give: Callable[[Mapping[str, object]], None]
    ) -> None:
        """``file.begin`` once more: how far did it get?"""
        blob = _blob(connection, str(value["file"]))

        def done(result: Result) -> None:
            give({**value, "offset": result} if isinstance(result, int) else value)

        if not self._submit(Job(blob.name, lambda blobs: blobs.size(blob)), done):
            give(value)  # the first chunk will tell

    def _finish(self, connection: Connection, command: ops.FileFinish, go: Go) -> None:
        account = connection.account
        assert account is not None
        outcome = self._conductor.carry_out(account, command, connection.identity)
        if isinstance(outcome, Refusal):
            go.on(outcome)
            return
        blob, size = _blob(connection, command.file), account.desk.state.files[command.file].size

        def done(result: Result) -> None:
            self._finishing.discard(blob.name)
            go.on(self._finished(account, command, result))

        job = Job(blob.name, lambda blobs: blobs.finish(blob, size))
        if blob.name in self._finishing or not self._submit(job, done, go.lost):
            go.on(Refusal(Code.OVERLOADED, _CROWDED, None, _RETRY_BUSY))
        else:
            self._finishing.add(blob.name)

    def _finished(self, account: Account, command: ops.FileFinish, result: Result) -> Prepared | Refusal:
        """What the worker found, if the desk may take it. An upload that went wrong is emptied: it begins anew."""
        if isinstance(result, Behind):
            return files.behind(result.size)
        if not isinstance(result, Finished):
            return Refusal(Code.JOURNAL_DOWN, _NO_DISK, None, self._options.retry_most)
        stored = files.Stored(result.size, result.sha256.hex(), result.head)
        file = account.desk.state.files.get(command.file) if account.up else None
        if file is None or file.until is None:
            return Prepared(stored)  # it ended meanwhile, or was shared: the desk says so
        objection = files.objection(file, command, stored)
        if objection is None:
            self._shared += 1
            return Prepared(stored)
        self._rejected += 1
        blob = Blob(account.name, command.file)
        self._submit(Job(blob.name, lambda blobs: blobs.begin(blob), frees=True), _nothing)
        return objection

    # --- reading -------------------------------------------------------------------------------------

    def _get(self, connection: Connection, number: int, command: ops.FileGet) -> None:
        outcome = self._ask(connection, number, command)
        if outcome is None:
            return
        if connection.read_file != command.file:
            connection.read_file = command.file
            self._audit(connection, command.OP, command.file)
        blob, offset, told = _blob(connection, command.file), command.offset, outcome.value
        most = max(0, min(FILE_CHUNK, cast("int", told["size"]) - offset))

        def done(result: Result) -> None:
            if isinstance(result, Missing) or len(cast("bytes", result)) < most:
                self._miss(blob)
                self._refuse(connection, number, no_such("file"))
            else:
                self._out += most
                self._answers.result(connection, number, {**told, "data": result})

        self._for(connection, number, Job(blob.name, lambda blobs: blobs.read(blob, offset, most), most), done)

    def _list(self, connection: Connection, number: int, command: ops.FileList) -> None:
        """The names of shared files are the journal's."""
        outcome, account = self._ask(connection, number, command), connection.account
        assert account is not None
        if outcome is not None:
            self._audit(connection, command.OP, command.session)
            told = partial(self._answers.result, connection, number)
            self._repeats.in_words(connection, account, number, outcome.value, told)

    def _audit(self, connection: Connection, op: str, name: str) -> None:
        """A manager reads what others sent each other."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        if identity.role is Role.MANAGER:
            self._conductor.tell(account, Audit(identity.person, identity.role, identity.network, op, name))

    def _miss(self, blob: Blob) -> None:
        self._missing += 1
        self._tell("error", "files.missing", account=blob.account, file=blob.name)

    # --- deleting ------------------------------------------------------------------------------------

    def unstored(self, part: Part, gone: Sequence[str]) -> None:
        """These files are over as soon as this part is on disk."""
        blobs = [Blob(part.account.name, name) for name in gone]
        part.waiting.append(Later(partial(self._remove, blobs)))

    def _remove(self, gone: Sequence[Blob]) -> None:
        for blob in gone:
            self._removed += 1
            self._submit(Job(blob.name, partial(_delete, [blob]), frees=True), _nothing)

    def start(self) -> None:
        """Compare the store with the journal, each account once it is read."""
        self._timers.wake_by("compare files", self._clock.now(), self._compare)

    def _compare(self, now: int) -> int | None:
        for account in self._accounts.values():
            if account.up and account.name not in self._compared:
                self._compared.add(account.name)
                state = account.desk.state
                shared = sorted(name for name in state.files if name not in state.uploads)
                self._page(account, "", shared)
        return None if len(self._compared) == len(self._accounts) else now + _AGAIN

    def _page(self, account: Account, after: str, shared: Sequence[str]) -> None:
        def listed(result: Result) -> None:
            if isinstance(result, list) and account.up:
                self._look(account, after, shared, result)
            else:  # the disk, or the journal: once more
                self._compared.discard(account.name)
                self._timers.wake_by("compare files", self._clock.now() + _AGAIN, self._compare)

        job = Job(f"names of {account.name}", lambda blobs: blobs.names(account.name, after, PAGE), frees=True)
        self._submit(job, listed)

    def _look(self, account: Account, after: str, shared: Sequence[str], names: Sequence[str]) -> None:
        known = account.desk.state.files
        unknown = [Blob(account.name, name) for name in names if name not in known]
        if unknown:
            self._removed += len(unknown)
            self._tell("warning", "files.unknown", account=account.name, count=len(unknown))
            self._submit(Job(f"names of {account.name}", partial(_delete, unknown), frees=True), _nothing)
        more = len(names) == PAGE
        upto = bisect_right(shared, names[-1]) if more else len(shared)
        here = set(names)
        for name in shared[bisect_right(shared, after) : upto]:
            if name not in here and name in known:
                self._miss(Blob(account.name, name))
        if more:
            self._page(account, names[-1], shared)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(
            waiting=len(self._waiting),
            bytes_in=self._in,
            bytes_out=self._out,
            shared=self._shared,
            rejected=self._rejected,
            removed=self._removed,
            missing=self._missing,
            failed=self._failed,
        )


_NO_DISK: Final = "the disk doesn't take or give the bytes of files now"
_CROWDED: Final = "too much is waiting for the disk"


def _blob(connection: Connection, name: str) -> Blob:
    """Where a file lies that the desk knows."""
    assert connection.account is not None
    return Blob(connection.account.name, name)


def _delete(gone: Sequence[Blob], blobs: Blobs) -> None:
    for blob in gone:
        blobs.delete(blob)


def _nothing(result: Result) -> None:
    """Nobody waits for this."""
