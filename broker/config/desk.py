"""Reads an account's desk file: its portals, teams and people, as the manager ops that put them there.

Every table is checked as the arguments of its op would be on the wire, and then all of them on a desk in memory, whose
rules (a team that doesn't exist, a kind that doesn't fit the mode) are its own: what an empty account would refuse is
found here, before a broker has written anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from broker.config.kinds import nearest, toml
from broker.config.load import ConfigError
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.desk.teams import upwards
from broker.ids import ENTROPY_BYTES
from broker.protocol import check
from broker.protocol.ops import OPS
from broker.routing.pins import PinSpace

TABLES: Final = {
    "account": "account.put",
    "portal": "portal.put",
    "subportal": "subportal.put",
    "team": "team.put",
    "reply": "reply.put",
    "representative": "representative.put",
    "service": "service.put",
    "manager": "manager.put",
}
"""Table and op, in the order in which a desk can take them: later ones name earlier ones. ``account`` is one table, the
others are lists of tables."""


@attrs.frozen
class Put:
    """One manager op."""

    op: str
    args: Mapping[str, Any]
    """As a client would send them."""
    where: str
    """Its table in the file, as ``portal[2]``: for messages."""


def kind_of(put: Put) -> str:
    """What it puts: ``team``."""
    return put.op.partition(".")[0]


def name_of(put: Put) -> str:
    """Which one; empty for the account itself. A reply's name is its team's alone."""
    kind = kind_of(put)
    return f"{put.args['team']}/{put.args['reply']}" if kind == "reply" else str(put.args.get(kind, ""))


def listed(kind: str) -> str:
    """Where an account lists what is of this kind."""
    return "replies" if kind == "reply" else f"{kind}s"


def load_desk(path: Path) -> tuple[Put, ...]:
    """The ops that make an account as the file has it, in an order in which a desk can take them.

    Raises ``ConfigError`` naming the file and every wrong table, field and expectation.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"can't be read: {error.strerror}"], str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not TOML: {error}"], str(path)) from None
    return parse_desk(text, str(path))


def parse_desk(text: str, source: str) -> tuple[Put, ...]:
    """The same of a file's text; ``source`` is what messages call it."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"is not TOML: {error}"], source) from None
    problems = [f"{name}: there is no such table{nearest(name, TABLES)}" for name in tables if name not in TABLES]
    puts: list[Put] = []
    for name, op in TABLES.items():
        listed = tables.get(name, [])
        if name == "account" and isinstance(listed, dict):
            listed = [listed]
        elif name == "account" and listed:
            problems.append("account: expected one [account] table")
            continue
        if not isinstance(listed, list) or not all(isinstance(args, dict) for args in listed):
            problems.append(f"{name}: expected [[{name}]] tables")
            continue
        for number, args in enumerate(listed):
            put = Put(op, args, name if name == "account" else f"{name}[{number}]")
            wrong = _wrong(put)
            problems += wrong
            if not wrong:
                puts.append(put)
    puts = _parents_first(puts)
    problems += _repeated(puts)
    if problems := problems or _refused(puts):
        raise ConfigError(problems, source)
    return tuple(puts)


def _wrong(put: Put) -> list[str]:
    """Problems of one table by itself."""
    # On the wire unknown keys are for later versions; in a file that a person wrote they are mistakes.
    known = {field.name for field in attrs.fields(OPS[put.op])}
    unknown = [
        f"{put.where}.{key}: there is no such field{nearest(key, known)}" for key in put.args if key not in known
    ]
    try:
        check.parse(put.op, put.args)
    except check.BadArgs as bad:
        unknown.append(f"{bad.path.replace('args', put.where, 1)}: expected {bad.expected}")
    return unknown


def _parents_first(puts: list[Put]) -> list[Put]:
    """Teams in an order in which a desk can take them, whatever the file's; all else stays where it is."""
    parents: dict[str, str | None] = {put.args["team"]: put.args.get("parent") for put in puts if put.op == "team.put"}

    def depth(put: Put) -> int:
        return len(upwards(put.args["team"], parents.get)) if put.op == "team.put" else 0  # a circle the desk refuses

    return sorted(puts, key=lambda put: (list(TABLES.values()).index(put.op), depth(put)))


def _repeated(puts: list[Put]) -> list[str]:
    """A name that two tables have: the second would silently change the first."""
    seen: dict[tuple[str, str], str] = {}
    problems = []
    for put in puts:
        kind = kind_of(put)
        if kind == "account":
            continue
        names = [(kind, name_of(put), f"{put.where}.{kind}")]
        if kind == "portal":
            names += [
                ("sub-portal", name, f"{put.where}.subportals[{number}]")
                for number, name in enumerate(put.args["subportals"])
            ]
        for what, name, where in names:
            if (what, name) in seen:
                problems.append(f"{where}: expected a {what} that {seen[what, name]} isn't, got {toml(name)}")
            seen.setdefault((what, name), where)
    return problems


def _refused(puts: list[Put]) -> list[str]:
    """What a desk that has nothing yet would refuse of these. A refused portal makes what names it wrong as well, so
    of the tables after it, only those of its own kind are still looked at."""
    desk = Desk("file", 0, PinSpace(bytes(16)))  # its rules for these ops depend on neither name, slot nor pins
    operator = Identity(desk.account, "desk-file", Role.OPERATOR)
    problems: list[str] = []
    for op in TABLES.values():
        for put in puts:
            if put.op != op:
                continue
            command = check.parse(put.op, put.args)
            for number, personal in enumerate(check.personal_fields(command)):
                personal.seal(f"{put.where}.{number}", bytes(16))  # never stored: it only has to be different
            outcome = desk.handle(command, operator, 0, bytes(ENTROPY_BYTES))
            if isinstance(outcome, Refusal):
                problems.append(told(put, outcome))
        if problems:
            break
    return problems


def told(put: Put, refusal: Refusal) -> str:
    """The refusal with the table, and with its field where one argument is to blame."""
    if refusal.detail is None or "path" not in refusal.detail:
        return f"{put.where}: {refusal.text}"
    path = cast("str", refusal.detail["path"])
    return f"{path.replace('args', put.where, 1)}: expected {refusal.detail['expected']}"
