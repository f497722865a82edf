"""Arguments to operations, and results and events held against the schema: each field of each op.

Compiled from the schema once, at import. ``parse`` is what the broker runs on every REQUEST;
``check_result``, ``check_event`` and ``check_notice`` are for tests and for a client that looks twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

import attrs

from broker.content import Personal
from broker.protocol import schema
from broker.protocol.codec import pack_value
from broker.protocol.fields import Spec, Wrong, compile_map
from broker.protocol.ops import OPS, Command


class BadArgs(Exception):
    """A field is missing, of the wrong type or out of bounds: FAIL 2400 with ``path`` in its detail."""

    def __init__(self, path: str, expected: str, *, long: bool = False) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path
        """Such as ``args.subportals[2]``."""
        self.expected = expected
        self.long = long
        """Whether it is a string or bin that has more bytes than it may."""


class NoSuchOp(Exception):
    """No operation of this name: FAIL 2404."""


def _table(name: str) -> Mapping[str, Mapping[str, object]]:
    return cast("Mapping[str, Mapping[str, object]]", schema.load()[name])


def _fields(entry: Mapping[str, object], part: str) -> Mapping[str, Spec]:
    return cast("Mapping[str, Spec]", entry[part])


def _maker(op: str, entry: Mapping[str, object]) -> Callable[[object], Command]:
    made = OPS[op]
    check = compile_map(_fields(entry, "args"), wrap=True)

    def make(args: object) -> Command:
        known = check(args)
        for word in ("from", "class"):  # Python keeps these for itself
            if word in known:
                known[f"{word}_"] = known.pop(word)
        return made(**known)  # type: ignore[arg-type]  # the schema says what they are

    return make


_PARSE: Final = {op: _maker(op, entry) for op, entry in _table("ops").items()}
_RESULTS: Final = {op: compile_map(_fields(entry, "result")) for op, entry in _table("ops").items()}
_EVENTS: Final = {type_: compile_map(_fields(entry, "data")) for type_, entry in _table("events").items()}
_NOTICES: Final = {type_: compile_map(_fields(entry, "data")) for type_, entry in _table("notices").items()}

ROLES: Final[dict[str, frozenset[str]]] = {
    op: frozenset(cast("list[str]", entry["roles"])) for op, entry in _table("ops").items()
}
"""Op to the roles that may ask it."""
WRITES: Final[frozenset[str]] = frozenset(op for op, entry in _table("ops").items() if entry.get("writes"))
"""Ops that change something: durable, and in need of a key."""
_UNKEYED: Final = {
    op: frozenset(name for name, spec in _fields(entry, "args").items() if spec.get("unkeyed"))
    for op, entry in _table("ops").items()
}
_NAMES: Final = {
    op: tuple(sorted({field.name for field in attrs.fields(made)} - _UNKEYED[op])) for op, made in OPS.items()
}
_PERSONAL: Final[dict[str, tuple[str, ...]]] = {
    op: tuple(name for name, spec in _fields(entry, "args").items() if spec.get("personal"))
    for op, entry in _table("ops").items()
}


def parse(op: str, args: object) -> Command:
    """A REQUEST's arguments as that operation's class; unknown ones are ignored. BadArgs, NoSuchOp."""
    make = _PARSE.get(op)
    if make is None:
        raise NoSuchOp(op)
    try:
        return make(args)
    except Wrong as wrong:
        raise BadArgs(f"args{wrong.path}", wrong.expected, long=wrong.long) from None


def overlong(op: str, args: object) -> BadArgs | None:
    """What ``parse`` would refuse first, if that is a string or bin with too many bytes: for a client, which had better
    know before it sends. What an operation it doesn't know takes is the broker's to say."""
    try:
        parse(op, args)
    except BadArgs as bad:
        return bad if bad.long else None
    except NoSuchOp:
        pass
    return None


def personal_fields(command: Command) -> list[Personal]:
    """The personal texts of a command, those that are missing left out."""
    values = (getattr(command, name) for name in _PERSONAL[command.OP])
    return [value for value in values if isinstance(value, Personal)]


def fingerprint(command: Command) -> bytes:
    """Op and arguments as bytes: equal exactly if a key was used with the same arguments, passwords aside: a digest of
    one that is quick to make would undo what its slow hash is for.

    It holds texts and secrets in clear: digest it before it is kept. An argument that is None doesn't count,
    so that a later release may add optional ones.
    """
    args: dict[str, object] = {}
    for name in _NAMES[command.OP]:
        value = getattr(command, name)
        if value is not None:
            args[name] = value.plain if isinstance(value, Personal) else value
    return pack_value([command.OP, args])


def check_result(op: str, value: object) -> None:
    """Hold a RESULT's value against the schema: BadArgs (``value.…``), NoSuchOp."""
    _hold(_RESULTS, op, value, "value")


def check_event(type_: str, data: object) -> None:
    """Hold an EVENT's data against the schema: BadArgs (``data.…``), NoSuchOp for an unknown type."""
    _hold(_EVENTS, type_, data, "data")


def check_notice(type_: str, data: object) -> None:
    """The same for a NOTICE's data."""
    _hold(_NOTICES, type_, data, "data")


def _hold(table: Mapping[str, Callable[[object], object]], name: str, value: object, root: str) -> None:
    check = table.get(name)
    if check is None:
        raise NoSuchOp(name)
    try:
        check(value)
    except Wrong as wrong:
        raise BadArgs(f"{root}{wrong.path}", wrong.expected) from None
