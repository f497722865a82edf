"""The installation's one secret: 32 random bytes in a file, and the keys that are derived from it.

Whoever can read the file can sign in as anyone, so it is made readable by its owner alone and refused otherwise.
Losing it makes every token and every live pin worthless; later transcripts are signed by another key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

import attrs

NAME: Final = "secret.key"
SECRET_BYTES: Final = 32


class SecretError(Exception):
    """The secret can't be used; the message names the file and what to do."""


@attrs.frozen
class Secrets:
    """The root secret, and a key for each purpose: one that leaks says nothing of the others."""

    root: bytes = attrs.field(repr=False, validator=attrs.validators.min_len(SECRET_BYTES))

    @property
    def token_key(self) -> bytes:
        """Signs sign-in tokens."""
        return derive(self.root, "huntgroup token v1")

    @property
    def pin_key(self) -> bytes:
        """Permutes account slots and pin numbers into 9 digits."""
        return derive(self.root, "huntgroup pin v1")

    @property
    def fingerprint_key(self) -> bytes:
        """Digests a command's arguments for its idempotency key, so that stored digests tell nothing of texts."""
        return derive(self.root, "huntgroup fingerprint v1")

    @property
    def api_key_key(self) -> bytes:
        """Digests services' API keys, so that a stolen journal can't be searched for them."""
        return derive(self.root, "huntgroup apikey v1")

    @property
    def source_key(self) -> bytes:
        """Digests customers' addresses, so that a stolen journal tells none of them."""
        return derive(self.root, "huntgroup source v1")

    @property
    def transcript_key(self) -> bytes:
        """Makes the key that signs transcripts, whose public half anybody may know."""
        return derive(self.root, "huntgroup transcript v1")

    @property
    def page_key(self) -> bytes:
        """Seals where a transcript's page ended, so that nobody has a made-up beginning signed. Another way to say
        where gets another label."""
        return derive(self.root, "huntgroup transcript page v1")

    @classmethod
    def fresh(cls) -> Secrets:
        """New random ones, kept nowhere."""
        return cls(secrets.token_bytes(SECRET_BYTES))


def derive(root: bytes, label: str) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 (RFC 5869) without salt, ``label`` as its info, one block long."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), root, hashlib.sha256)
    return hmac.digest(extracted, label.encode() + b"\x01", hashlib.sha256)


def load(folder: Path) -> Secrets:
    """The secret kept in ``folder``. Raises ``SecretError`` when it is missing, cut, or readable by others."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            root = file.read(SECRET_BYTES + 1)
    except FileNotFoundError:
        raise SecretError(f"{path} is missing: the broker makes it at its first start") from None
    except OSError as error:
        raise SecretError(f"{path} can't be read: {error.strerror}") from None
    if mode & 0o077:
        raise SecretError(f"{path} can be read by others (mode {mode:o}): chmod 600 it")
    if len(root) != SECRET_BYTES:
        raise SecretError(f"{path} is not {SECRET_BYTES} bytes long: put the right one back")
    return Secrets(root)


def load_or_create(folder: Path) -> Secrets:
    """The secret kept in ``folder``; made at the first call, on disk before this returns.

    Two processes that start at once end up with the same one.
    """
    path = folder / NAME
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _create(path)
        except OSError as error:
            raise SecretError(f"{path} can't be made: {error.strerror}") from None
    return load(folder)


def _create(path: Path) -> None:
    """Write a whole file under another name, then link it: nobody ever reads half a secret, or replaces one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another process was first: its secret is as good
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
