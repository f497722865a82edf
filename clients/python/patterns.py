"""Values and patterns of the vectors' JSON: what a script sends, and what it expects. See vectors/README.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs

from broker.units import HOURS

Json = Any
"""What json.loads gives."""

ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "bin": bytes,
    "list": (list, tuple),
    "map": dict,
    "nil": type(None),
}
_MISSING: Final = object()


class ScriptError(Exception):
    """The script itself is wrong: an unknown step, a variable that was never set."""


class DiffersError(Exception):
    """What came is not what was expected; the message says where and how."""


@attrs.define
class Scope:
    """A script's variables, and what its placeholders are made from."""

    account: str
    token_key: bytes
    rng: random.Random
    clock: Callable[[], int]
    """ms since 1970 UTC."""
    variables: dict[str, object] = attrs.field(factory=dict)

    def variable(self, name: str) -> object:
        """Its value. ScriptError where it was never set."""
        if name not in self.variables:
            raise ScriptError(f"the variable {name!r} was never set")
        return self.variables[name]

    # --- values ----------------------------------------------------------------------------------------

    def value(self, given: Json) -> object:
        """A JSON value with its placeholders filled in."""
        if isinstance(given, list):
            return [self.value(each) for each in given]
        if not isinstance(given, dict):
            return given
        name = next(iter(given), "")
        inner: Json = given.get(name)
        if not name.startswith("$"):
            return {key: self.value(each) for key, each in given.items()}
        match name:
            case "$bin":
                return bytes.fromhex(inner)
            case "$var":
                return self.variable(inner)
            case "$plus":
                return cast("int", self.variable(inner[0])) + inner[1]
            case "$unique":
                return inner + "".join(self.rng.choice(ALPHABET) for _ in range(16))
            case "$join":
                return "".join(str(self.value(part)) for part in inner)
            case "$now":
                return self.clock() + inner
            case "$repeat":
                return inner[0] * inner[1]
            case "$token":
                return self.token(inner)
            case _:
                raise ScriptError(f"{name} is no value")

    def token(self, said: Mapping[str, Json]) -> str:
        """A signed token."""
        expires = self.clock() + said.get("life_ms", HOURS)
        key = bytes.fromhex(said["key"]) if "key" in said else self.token_key
        account = said.get("account", self.account)
        return mint(key, account, said["person"], said["role"], expires, said.get("portal"))

    # --- patterns --------------------------------------------------------------------------------------

    def match_frame(self, pattern: Sequence[Json], row: Sequence[object]) -> None:
        """Hold a frame's array against a pattern: either may be longer. DiffersError."""
        for at, wanted in enumerate(pattern):
            self.match(wanted, row[at] if at < len(row) else None, f"[{at}]")

    def match(self, pattern: Json, value: object, where: str) -> None:
        """Hold a value against a pattern, keeping what it captures. DiffersError."""
        if isinstance(pattern, list):
            if not isinstance(value, list | tuple) or len(value) != len(pattern):
                raise DiffersError(f"{where}: expected a list of {len(pattern)}, got {_show(value)}")
            for at, wanted in enumerate(pattern):
                self.match(wanted, value[at], f"{where}[{at}]")
        elif not isinstance(pattern, dict):
            if type(value) is not type(pattern) or value != pattern:
                raise DiffersError(f"{where}: expected {_show(pattern)}, got {_show(value)}")
        elif any(key.startswith("$") for key in pattern):
            self._special(pattern, value, where)
        elif not isinstance(value, dict):
            raise DiffersError(f"{where}: expected a map, got {_show(value)}")
        else:
            for key, wanted in pattern.items():
                self.match(wanted, value.get(key, _MISSING), f"{where}.{key}")

    def _special(self, pattern: Mapping[str, Json], value: object, where: str) -> None:
        absent = value is None or value is _MISSING
        name, inner = next(iter(pattern.items()))
        match name:
            case "$absent":
                good = absent
            case "$any":
                good = not absent
            case "$type":
                good = isinstance(value, TYPES[inner]) and (inner != "int" or type(value) is int)
            case "$capture":
                good = not absent
                if good and "like" in pattern:
                    self.match(pattern["like"], value, where)
                if good:
                    self.variables[inner] = value
            case "$var" | "$plus" | "$bin" | "$join":
                wanted = self.value(pattern)
                good = type(value) is type(wanted) and value == wanted
            case "$prefix":
                good = isinstance(value, str) and value.startswith(inner)
            case "$min" | "$max":
                low, high = pattern.get("$min"), pattern.get("$max")
                good = type(value) is int and (low is None or low <= value) and (high is None or value <= high)
            case "$one_of":
                good = any(self.matches(each, value, where) for each in inner)
            case _:
                raise ScriptError(f"{name} is no pattern")
        if not good:
            raise DiffersError(f"{where}: expected {_show(pattern)}, got {_show(value)}")

    def matches(self, pattern: Json, value: object, where: str) -> bool:
        """Whether it matches; what it captured before it didn't is dropped."""
        before = dict(self.variables)
        try:
            self.match(pattern, value, where)
        except DiffersError:
            self.variables = before
            return False
        return True

    def matches_frame(self, pattern: Sequence[Json], row: Sequence[object]) -> bool:
        """The same for a frame."""
        before = dict(self.variables)
        try:
            self.match_frame(pattern, row)
        except DiffersError:
            self.variables = before
            return False
        return True


def raw(given: str | Sequence[Json]) -> bytes:
    """Bytes as the vectors write them: hex, or parts to be joined."""
    if isinstance(given, str):
        return bytes.fromhex(given)
    return b"".join(
        bytes.fromhex(part) if isinstance(part, str) else bytes.fromhex(part["repeat"]) * part["times"]
        for part in given
    )


def mint(key: bytes, account: str, person: str, role: str, expires: int, portal: str | None = None) -> str:
    """A token of the vectors' form: what a server that was given ``key`` accepts."""
    said = {"a": account, "e": expires, "p": person, "r": role}
    if portal is not None:
        said["o"] = portal
    payload = _encode(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
    signed = f"v1.{payload}"
    return f"{signed}.{_encode(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _show(value: object) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 200 else f"{text[:200]}…"
