"""The configuration that a run is under: manager operations, as a desk file or a journal has them, and changes to them.

A change goes through the schema's own check and the desk's own rules, so a new field of an operation can be set from
the day that it exists, and what is wrong gets the operation's own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import attrs

from broker.content import Personal
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled, Refusal
from broker.ids import ENTROPY_BYTES
from broker.protocol import check
from broker.protocol.ops import OPS, AccountGet
from broker.routing.pins import PinSpace
from broker.simulation.puts import Change, Put, SettingError

ACCOUNT: Final = "simulated"
MANAGER: Final = Identity(ACCOUNT, "simulation", Role.OPERATOR)  # no manager of the account: there may be some
_NO_ENTROPY: Final = bytes(ENTROPY_BYTES)  # none of these operations draws a name
_SALT: Final = bytes(16)  # nothing personal is stored


def build(puts: Sequence[Put], now: int) -> Desk:
    """A desk with this configuration, set up at ``now`` (ms). Raises ``SettingError``."""
    desk = Desk(ACCOUNT, 0, PinSpace(bytes(16)))
    for number, put in enumerate(puts):
        _carry_out(desk, put, number, now)
    return desk


def changed(puts: Sequence[Put], changes: Sequence[Change]) -> tuple[Put, ...]:
    """The same configuration with these changes. Raises ``SettingError``."""
    puts = tuple(puts)
    for change in changes:
        op = f"{change.kind}.put"
        known = {field.name for field in attrs.fields(OPS[op])} - {change.kind}
        if change.field not in known:
            raise SettingError(f"{change}: {op} has no field {change.field}; it has {', '.join(sorted(known))}")
        now = next((put for put in configuration(build(puts, 0)) if put.op == op and _name(put) == change.name), None)
        if now is None:
            raise SettingError(f"{change}: there is no {change.kind} {change.name}")
        puts = (*puts, Put(op, {**now.args, change.field: change.value}))
        try:
            build(puts, 0)
        except SettingError as error:
            raise SettingError(f"{change}: {error}") from None
    return puts


def configuration(desk: Desk) -> tuple[Put, ...]:
    """What ``account.get`` says, as the operations that put it there: names and titles are replaced."""
    handled = desk.handle(AccountGet(), MANAGER, desk.last_t, _NO_ENTROPY)
    assert isinstance(handled, Handled)
    puts = []
    for table, rows in cast("Mapping[str, Sequence[Mapping[str, object]]]", handled.value).items():
        kind = table.removesuffix("s")
        op = f"{kind}.put"
        if op not in OPS or isinstance(rows, Mapping):  # what holds for the whole account binds managers alone
            continue
        # who is there when is the day's own: in a simulation, whoever is not at work is away, and so signed in
        known = [field.name for field in attrs.fields(OPS[op]) if field.name != "logins"]
        for row in rows:
            args = {name: row[name] for name in known if row.get(name) is not None}
            puts.append(Put(op, {name: _plain(value, str(row[kind])) for name, value in args.items()}))
    return tuple(puts)


def _carry_out(desk: Desk, put: Put, number: int, now: int) -> None:
    try:
        command = check.parse(put.op, dict(put.args))
    except check.BadArgs as bad:
        raise SettingError(f"{put.op} {_name(put)}: {bad}") from None
    for index, personal in enumerate(check.personal_fields(command)):
        personal.ref = (f"c_{number}.{index}", _SALT)
    outcome = desk.handle(command, Identity(desk.account, MANAGER.person, MANAGER.role), now, _NO_ENTROPY)
    if isinstance(outcome, Refusal):
        raise SettingError(f"{put.op} {_name(put)}: {outcome.text}")


def _name(put: Put) -> object:
    return put.args.get(put.op.partition(".")[0])


def _plain(value: object, name: str) -> object:
    """An argument as a client would send it; ``name`` stands for a text that is only referred to."""
    if isinstance(value, Personal):
        return value.text
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], bytes):  # a content's reference
        return name
    if isinstance(value, Mapping):
        return {key: _plain(item, name) for key, item in value.items() if item is not None}
    return [_plain(item, name) for item in value] if isinstance(value, tuple | list) else value
