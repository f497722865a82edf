"""Reads the protocol's vectors for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from broker.protocol import codec
from broker.protocol.codec import Limits

FOLDER: Final = Path(codec.__file__).parent / "vectors"
LIMITS: Final[dict[str, Limits]] = {
    "hello": codec.HELLO,
    "client": codec.CLIENT,
    "service": codec.SERVICE,
    "broker": codec.BROKER,
}


def read(name: str) -> Any:
    """One file's JSON."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def sessions() -> list[Path]:
    """Every session script."""
    return sorted((FOLDER / "sessions").glob("*.json"))


def raw(parts: Any) -> bytes:
    """BYTES of the vectors' README."""
    if isinstance(parts, str):
        return bytes.fromhex(parts)
    return b"".join(
        bytes.fromhex(part) if isinstance(part, str) else bytes.fromhex(part["repeat"]) * part["times"]
        for part in parts
    )


def real(value: Any) -> Any:
    """A JSON value with its bins as bytes."""
    if isinstance(value, dict):
        return bytes.fromhex(value["$bin"]) if set(value) == {"$bin"} else {k: real(v) for k, v in value.items()}
    return [real(item) for item in value] if isinstance(value, list) else value


def limits_for(vector: Any) -> Limits:
    """Whose bounds an accepted frame is decoded with."""
    if vector.get("kind") == "hello":
        return codec.HELLO
    return codec.BROKER if vector["from"] == "broker" else codec.CLIENT
