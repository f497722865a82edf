"""``huntgroup audit``: who did what, to whom, and from where; out of a journal's file, or live from a broker."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from broker.cli import common, remote
from broker.cli.common import CheckError, Exit, UsageError, add_config, add_json, print_json
from broker.cli.journal import faulty, journal_of, reading
from broker.units import DAYS, HOURS, MINUTES, SECONDS

if TYPE_CHECKING:
    from clients.python.client import Client

STREAM: Final = "audit"
PAGE: Final = 500  # events read at a time
_SPANS: Final = {"m": MINUTES, "h": HOURS, "d": DAYS}


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "audit",
        help="print who did what, to whom, and from where",
        description="Print the audit: what managers, services and the operator changed and exported, sign-ins,"
        " passwords, keys, and what was refused. Reads the journal of a data folder, and so may run beside the broker;"
        " with --server it follows a running broker's audit instead, as an account manager or a service with the scope"
        " audit. Texts are in no audit: of a name it says that it changed.",
    )
    parser.add_argument("--account", help="this account alone; default: all of the journal")
    parser.add_argument(
        "--since", metavar="TIME", type=since, help="from then on: 2026-01-31, 2026-01-31T08:00, 90m, 12h, 7d"
    )
    parser.add_argument("--person", help="what this person did, or what was done to it")
    parser.add_argument("--op", help="this operation, such as team.put, or kind of event, such as password.changed")
    parser.add_argument(
        "--verify", action="store_true", help="verify the hash chain first, and print nothing of a broken one"
    )
    add_json(parser, "the events, one a line,")
    add_config(parser)
    parser.add_argument(
        "-s", "--server", metavar="URL", type=common.server_url, help="follow the broker at this address"
    )
    remote.add_ways(parser, "an account manager or a service", account=False)
    parser.set_defaults(run=run)


def since(text: str) -> int:
    """A time: ms since 1970 UTC; where it is a span, below 0: so long ago.

    >>> since("2026-01-31T08:00")
    1769846400000
    >>> since("90m")
    -5400000
    """
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1] in _SPANS and len(text) < 8:
        return -int(text[:-1]) * _SPANS[text[-1]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a time such as 2026-01-31T08:00 (UTC), or a span such as 90m, 12h or 7d"
        ) from None
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(aware.timestamp() * SECONDS)


@attrs.frozen
class Entry:
    """One event of the audit."""

    account: str
    offset: int
    t: int
    type: str
    data: Mapping[str, Any]

    @property
    def op(self) -> str:
        """The operation; of an event that is none's, its type."""
        return str(self.data["op"]) if self.type == "audit.recorded" else self.type


def run(args: argparse.Namespace) -> int:
    """Read or follow, and print."""
    from broker.runtime.clock import SystemClock

    if args.since is not None and args.since < 0:
        args.since += SystemClock().now()
    if args.server is not None:
        if args.verify or args.data is not None:
            raise UsageError("--verify and --data are of a journal's file, --server is of a running broker")
        return remote.ask(args, partial(_follow, args))
    if args.token or args.key or args.key_file or args.login:
        raise UsageError("--login, --token, --key and --key-file go with --server; a journal's file is read as it is")
    path = journal_of(args)
    if args.verify:
        _verify(path, args.account)
    for entry in _read(path, args.account, args.since):
        _tell(args, entry)
    return Exit.OK


def _verify(path: Path, account: str | None) -> None:
    from broker.journal import inspect

    faults = [faulty(verdict) for verdict in reading(path, inspect.verify(path, account)) if verdict.head is None]
    if faults:
        raise CheckError("\n".join(faults))


def _read(path: Path, account: str | None, start: int | None) -> Iterator[Entry]:
    """The file's, an account after the other."""
    from broker.journal.inspect import NoSuchAccount
    from broker.journal.sqlite_reader import SqliteReader

    def found() -> Iterator[Entry]:
        reader = SqliteReader(path)
        try:
            names = reader.accounts()
            if account is not None and account not in names:
                raise NoSuchAccount(f"{path} has no account {account}")
            for name in names if account is None else [account]:
                yield from _of_account(reader, name, start)
        finally:
            reader.close()

    return reading(path, found())


def _of_account(reader: Any, account: str, start: int | None) -> Iterator[Entry]:  # noqa: ANN401 (loaded late)
    from broker.desk.publish import render
    from broker.runtime.why import event_of

    after = 0 if start is None else reader.stream_at(account, STREAM, start)
    while page := reader.stream(account, STREAM, after, PAGE):
        for offset, record in page:
            after = offset
            kind = next(kind for stream, at, kind in record.entries if stream == STREAM and at == offset)
            try:
                data = render(event_of(record), kind, STREAM, lambda content: None)
            except (ValueError, TypeError) as error:
                raise CheckError(f"account {account}: record {record.seq} can't be read: {error}") from None
            yield Entry(account, offset, record.t, kind, data)


async def _follow(args: argparse.Namespace, client: Client) -> int:
    from broker.protocol.frames import Event, Gap

    account = client.identity.account
    if args.account not in (None, account):
        raise UsageError(f"{client.identity.person} is of the account {account}")
    async with client.subscribe(STREAM, since=args.since) as events:
        async for item in events:
            if isinstance(item, Event):
                _tell(args, Entry(account, item.offset, item.t_ms, item.type, item.data))
            elif isinstance(item, Gap):
                raise CheckError(f"the audit can't be followed any further: {item.reason}")
    return Exit.OK


def _tell(args: argparse.Namespace, entry: Entry) -> None:
    if args.op is not None and args.op != entry.op:
        return
    if args.person is not None and args.person not in _people(entry):
        return
    if args.json:
        print_json(attrs.asdict(entry))
    else:
        print(line(entry), flush=args.server is not None)


def _people(entry: Entry) -> set[object]:
    rows = cast("list[Mapping[str, object]]", entry.data.get("rows", []))
    return {entry.data.get(name) for name in ("person", "object", "by")} | {row.get("person") for row in rows}


def line(entry: Entry) -> str:
    """One event, for a person.

    >>> said = {"person": "mia", "role": "manager", "network": "10.1.2.0/24", "op": "team.put", "object": "night"}
    >>> changes = [{"field": "logins", "to": 4}, {"field": "title"}]
    >>> line(Entry("acme", 7, 0, "audit.recorded", {**said, "changes": changes}))
    '1970-01-01 00:00:00.000  acme  mia (manager) from 10.1.2.0/24  team.put night: logins nothing -> 4, title changed'
    """
    from clients.python.visible import visible

    when = datetime.fromtimestamp(entry.t / SECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    data = dict(entry.data)
    if entry.type == "audit.recorded":
        who = f"{data['person']} ({data['role']})"
        where = f" from {data['network']}" if data.get("network") else ""
        whom = f" {data['object']}" if data.get("object") else ""
        differs = ", ".join(map(_change, data.get("changes") or ()))
        said = f"{who}{where}  {entry.op}{whom}{f': {differs}' if differs else ''}"
    elif entry.type == "audit.refusals":
        rows = [
            f"{row.get('person') or 'somebody'} from {row.get('network') or '?'} got {row['code']} {row['count']} times"
            for row in data["rows"]
        ]
        more = [f"{data['more']} more"] if data["more"] else []
        said = f"refused: {'; '.join(rows + more)}"
    else:
        said = f"{entry.type}  {', '.join(f'{name} {_value(value)}' for name, value in data.items())}"
    return visible(f"{when}  {entry.account}  {said}")


def _change(change: Mapping[str, object]) -> str:
    if "from" not in change and "to" not in change:
        return f"{change['field']} changed"
    before, after = ("nothing" if change.get(end) is None else _value(change[end]) for end in ("from", "to"))
    return f"{change['field']} {before} -> {after}"


def _value(value: object) -> str:
    from broker.config.export import value_of

    return value if isinstance(value, str) else value_of(value)
