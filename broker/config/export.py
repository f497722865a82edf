"""What ``account.export`` tells, as the operations that put it there, and as the desk file that holds them.

Counterpart: ``config.desk`` reads such a file. There is no secret in it: no export has passwords, keys or sign-ins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import attrs

from broker.config.desk import TABLES, Put, kind_of, listed
from broker.config.kinds import toml
from broker.protocol.ops import OPS

_TEXTS: Final = {"name": "representative", "title": None, "email": None}
"""Personal fields, and what stands for one whose text was erased: a representative has to be called something."""
_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

HEAD: Final = """\
# The account {account}, as huntgroup export wrote it. huntgroup apply reads it back.
# Passwords, API keys and sign-ins are in no such file.
"""


def puts_of(exported: Mapping[str, Any]) -> list[Put]:
    """The operations that make an account be so, in an order in which a desk can take them; what is as by default
    and says nothing is left out."""
    puts = []
    for kind, op in TABLES.items():
        if kind == "account":
            args = _args(op, kind, exported.get("account") or {})
            puts += [Put(op, args, kind)] if args else []
            continue
        rows = cast("Sequence[Mapping[str, Any]]", exported.get(listed(kind)) or ())
        # teams come from the top, and so do their replies
        told = rows if kind in ("team", "reply") else sorted(rows, key=lambda row: str(row[kind]))
        puts += [Put(op, _args(op, kind, row), f"{kind}[{number}]") for number, row in enumerate(told)]
    return puts


def _args(op: str, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for field in attrs.fields(OPS[op]):
        name = field.name.rstrip("_")
        value = row.get(name)
        if name in _TEXTS and not isinstance(value, str):
            value = row[kind] if _TEXTS[name] == kind else None
        if field.default is attrs.NOTHING or not (value is None or value is False or value in ([], (), {})):
            found[name] = _plain(value)
    return found


def _plain(value: object) -> object:
    """Without what says nothing: TOML has no nil."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def written(account: str, puts: Sequence[Put]) -> str:
    """The desk file."""
    return f"{HEAD.format(account=account)}\n{written_tables(puts)}"


def written_tables(puts: Sequence[Put]) -> str:
    """Its tables, without a head."""
    parts = []
    for put in puts:
        kind = kind_of(put)
        lines = ["[account]" if kind == "account" else f"[[{kind}]]"]
        lines += [f"{name} = {value_of(value)}" for name, value in put.args.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def value_of(value: object) -> str:
    """A value in TOML; maps are inline.

    >>> value_of([{"skill": "german", "level": 5}])
    '[{ skill = "german", level = 5 }]'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {value_of(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_of, value))}]"
    return repr(value) if isinstance(value, float) else toml(value)


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
