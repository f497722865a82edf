"""What a refusal (2410) is to name: of a list of operations, those that the schema gives to a role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from broker.desk.identity import Identity
from broker.protocol import schema

_OPS = cast("dict[str, dict[str, Any]]", schema.load()["ops"])


def for_role(who: Identity, ops: Iterable[str]) -> list[str]:
    """These operations, without those that aren't for who asks."""
    return [op for op in ops if str(who.role) in _OPS[op]["roles"]]
