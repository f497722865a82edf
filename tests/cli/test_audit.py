"""``huntgroup audit``: out of a journal's file, and live."""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from broker.cli import audit
from broker.cli.audit import Entry, line, since
from broker.cli.common import CheckError, Exit, UsageError
from broker.content import digest
from broker.desk import events as e
from broker.desk.identity import Role
from broker.journal.base import Append, Content, Record
from broker.journal.sqlite import SqliteStore
from broker.protocol import frames
from broker.protocol.codec import pack_value
from broker.units import HOURS, MINUTES
from tests.cli.conftest import Run

T = 1_700_000_000_000
HASH = Content("c_1", b"s" * 16, b"$argon2id$")


def recorded(person: str, op: str, target: str | None, changes: tuple[Any, ...] = ()) -> e.Audited:
    return e.Audited(person, Role.MANAGER, "10.1.2.0/24", op, target, changes)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder ``data`` with the audits of two accounts."""
    folder = tmp_path / "data"
    folder.mkdir()
    with closing(SqliteStore(folder / "journal.sqlite")) as store:
        epoch = store.open_epoch()
        acme: list[tuple[str, e.Event]] = [
            ("audit.recorded", recorded("mia", "team.put", "night", (("logins", None, 4), ("title", None, None)))),
            ("password.changed", e.PasswordSet("ann", ("c_1", digest(HASH.salt, HASH.data)), "mia", True)),
            ("audit.refusals", e.RefusalsCounted((("ann", "10.1.2.0/24", "2403", 3), (None, None, "4401", 1)), 2)),
            ("audit.recorded", recorded("bo", "account.export", None)),
        ]
        beta: list[tuple[str, e.Event]] = [("audit.recorded", recorded("eve", "team.put", "day"))]
        for name, events in (("acme", acme), ("beta", beta)):
            records = [
                Record(seq, event.TYPE, event.VERSION, T + seq * HOURS, pack_body(event), (("audit", seq, kind),))
                for seq, (kind, event) in enumerate(events, 1)
            ]
            store.append(epoch, [Append(name, 0, records, [HASH] if name == "acme" else [])])
    return folder


def pack_body(event: e.Event) -> bytes:
    return pack_value(e.pack_body(event))


def test_it_says_when_who_from_where_what_and_to_whom(data: Path, run: Run) -> None:
    code, out, _ = run("audit", "--data", "data")
    assert code == Exit.OK
    assert out.splitlines() == [
        "2023-11-14 23:13:20.000  acme  mia (manager) from 10.1.2.0/24  team.put night:"
        " logins nothing -> 4, title changed",
        "2023-11-15 00:13:20.000  acme  password.changed  person ann, by mia, must_change true",
        "2023-11-15 01:13:20.000  acme  refused: ann from 10.1.2.0/24 got 2403 3 times;"
        " somebody from ? got 4401 1 times; 2 more",
        "2023-11-15 02:13:20.000  acme  bo (manager) from 10.1.2.0/24  account.export",
        "2023-11-14 23:13:20.000  beta  eve (manager) from 10.1.2.0/24  team.put day",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--account", "beta"), [("beta", 1)]),
        (("--op", "team.put"), [("acme", 1), ("beta", 1)]),
        (("--op", "password.changed"), [("acme", 2)]),
        (("--person", "mia"), [("acme", 1), ("acme", 2)]),
        (("--person", "ann"), [("acme", 2), ("acme", 3)]),
        (("--person", "night"), [("acme", 1)]),
        (("--since", "2023-11-15T01:00"), [("acme", 3), ("acme", 4)]),
        (("--since", "2023-11-15T03:00+02:00", "--op", "account.export"), [("acme", 4)]),
        (("--since", "1m"), []),
        (("--verify",), [("acme", 1), ("acme", 2), ("acme", 3), ("acme", 4), ("beta", 1)]),
    ],
)
def test_it_can_be_narrowed(data: Path, run: Run, options: tuple[str, ...], found: list[object]) -> None:
    code, out, _ = run("audit", "--data", "data", "--json", *options)
    told = [json.loads(line) for line in out.splitlines()]
    assert [(one["account"], one["offset"]) for one in told] == found
    assert code == Exit.OK
    assert all(set(one) == {"account", "offset", "t", "type", "data"} for one in told)


def test_a_page_is_no_end(data: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("audit", "--data", "data")[1]
    monkeypatch.setattr("broker.cli.audit.PAGE", 1)
    assert run("audit", "--data", "data")[1] == whole


def test_a_broken_chain_is_told_and_nothing_is_printed(data: Path, run: Run) -> None:
    with closing(sqlite3.connect(data / "journal.sqlite")) as file, file:
        file.execute("UPDATE records SET t = t + 1 WHERE seq = 2")
    code, out, err = run("audit", "--data", "data", "--verify")
    assert (code, out) == (Exit.FAILED, "")
    assert "acme: doesn't hold" in err
    assert run("audit", "--data", "data")[0] == Exit.OK, "without it, it is printed as it is"


def test_a_record_of_another_release_is_named(data: Path, run: Run) -> None:
    with closing(sqlite3.connect(data / "journal.sqlite")) as file, file:
        file.execute("UPDATE records SET type = 'of.the.future' WHERE seq = 4")
    code, _, err = run("audit", "--data", "data")
    assert (code, "account acme: record 4 can't be read" in err) == (Exit.FAILED, True)


def test_options_that_do_not_go_together_are_refused(data: Path, run: Run) -> None:
    assert "no account nowhere" in run("audit", "--data", "data", "--account", "nowhere")[2]
    assert "go with --server" in run("audit", "--data", "data", "--token", "x")[2]
    assert "--server is of a running broker" in run("audit", "--data", "data", "--server", "http://x")[2]
    assert "there is no journal in other" in run("audit", "--data", "other")[2]


@pytest.mark.parametrize(
    ("text", "time"),
    [("90m", -90 * MINUTES), ("2023-11-14", 1_699_920_000_000), ("2023-11-14T22:13:20Z", T), ("1d", -24 * HOURS)],
)
def test_a_time_is_a_date_or_a_span(text: str, time: int) -> None:
    assert since(text) == time


@pytest.mark.parametrize("text", ["", "m", "yesterday", "-5m", "99999999d", "5s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a time such as"):
        since(text)


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    said = line(Entry("acme", 1, 0, "thing.happened", {"name": "\x1b[2J\x9b1m", "rows": 1}))
    assert said == "1970-01-01 00:00:00.000  acme  thing.happened  name ␛[2J\\x9b1m, rows 1"


# --- live -----------------------------------------------------------------------------------------------


class Following:
    """A client that follows an audit with these items in it."""

    def __init__(self, *items: frames.Event | frames.Gap) -> None:
        self.items = list(items)
        self.asked: list[object] = []
        self.identity = argparse.Namespace(account="acme", person="mia")

    def subscribe(self, stream: str, *, since: int | None) -> Following:
        """Itself."""
        self.asked.append((stream, since))
        return self

    async def __aenter__(self) -> Following:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing is left."""

    def __aiter__(self) -> Following:
        return self

    async def __anext__(self) -> frames.Event | frames.Gap:
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)


async def test_a_running_audit_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"person": "mia", "role": "manager", "op": "team.put", "object": "night"}
    client = Following(frames.Event("audit", 5, "audit.recorded", T, said))
    assert await follow(client, since=T - 1) == Exit.OK
    assert capsys.readouterr().out == "2023-11-14 22:13:20.000  acme  mia (manager)  team.put night\n"
    assert client.asked == [("audit", T - 1)]


@pytest.mark.parametrize(
    ("client", "options", "told"),
    [
        (lambda: Following(frames.Gap("audit", 3, 4, "rights")), {}, "can't be followed any further: rights"),
        (Following, {"account": "beta"}, "mia is of the account acme"),
    ],
)
async def test_why_it_is_followed_no_further_is_told(
    client: Callable[[], Following], options: dict[str, Any], told: str
) -> None:
    with pytest.raises((CheckError, UsageError), match=told):
        await follow(client(), **options)


async def follow(client: Following, **options: Any) -> int:
    args = argparse.Namespace(
        **{"account": None, "since": None, "op": None, "person": None, "json": False, "server": "http://x", **options}
    )
    return await audit._follow(args, client)  # type: ignore[arg-type]  # all that is used of one
