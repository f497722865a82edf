"""Adds an account to a configuration file, and leaves everything else in it as it is, comments included."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import tomlkit
import tomlkit.exceptions
import tomlkit.items

from broker.config.load import ConfigError, load
from broker.config.settings import Config

_HEAD: Final = "# Configuration of Huntgroup. huntgroup serve --print-config explains every setting.\n\n"


def add_account(path: Path, name: str, desk: str, slot: int | None = None) -> tuple[str, int]:
    """The file's text with another account, and its slot: above every slot in the file, for a gap is what an account
    that is gone may have left, and its pins would be the new one's. A file that isn't there is as an empty one. Raises
    ``ConfigError``."""
    document = _document(path)
    accounts = document.get("accounts", [])
    known: Sequence[Any] = accounts if isinstance(accounts, list) else []
    if not all(isinstance(one, dict) for one in known) or (known is not accounts and accounts != []):
        raise ConfigError(["accounts: expected [[accounts]] tables"], str(path))
    if any(one.get("name") == name for one in known):
        raise ConfigError([f"accounts: there is an account {name} already"], str(path))
    slots = [one["slot"] for one in known if isinstance(one.get("slot"), int)]
    if slot is None:
        slot = max(slots, default=-1) + 1
    table = tomlkit.table()
    table.update({"name": name, "slot": slot, "desk": desk})
    if "accounts" not in document:
        document.add(tomlkit.nl())
        document.append("accounts", tomlkit.aot())
    document["accounts"].append(table)
    return tomlkit.dumps(document), slot


def _document(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.parse(_HEAD)
    except OSError as error:
        raise ConfigError([f"can't be read: {error.strerror}"], str(path)) from None
    except (tomlkit.exceptions.ParseError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}"], str(path)) from None


def checked(path: Path, text: str) -> Config:
    """The configuration that this text would be in that place. Raises ``ConfigError``."""
    draft = _draft(path, text)
    try:
        return load(draft, os.environ)
    except ConfigError as error:
        raise ConfigError(error.problems, str(path)) from None
    finally:
        draft.unlink()


def replace(path: Path, text: str) -> None:
    """Write the file whole, or not at all; as readable as it was, and a new one for its owner alone."""
    draft = _draft(path, text)
    try:
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o7777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _draft(path: Path, text: str) -> Path:
    """A file beside it: relative paths in it count from the same folder."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError([f"can't be written: {error.strerror}"], str(path)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft
