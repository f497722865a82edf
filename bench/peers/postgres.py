"""PostgreSQL, keeping conversations: a row and a NOTIFY in one transaction, ``fsync`` and ``synchronous_commit`` on.

As a server of chat would use it: a pool of ``POOL`` connections that write, whose transactions are pipelined, and one
connection that listens to every conversation's channel, from which it tells people. A connection for each of a thousand
people isn't recommended, and would be slower: each NOTIFY wakes everyone who listens in the database.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import CACHE, NotInstalled
from bench.load.chat import Speech
from bench.load.ws import Refused, Socket
from bench.peers.base import end
from bench.peers.process import START_SECONDS, DidNotStart, free_port, listening, start
from bench.peers.pubsub import dial
from bench.peers.talk import Talking, folder

POOL: Final = 16
USER: Final = "postgres"
"""Debian's, whom it runs as where this runs as root: it refuses to run as root itself."""
PLACES: Final = "/usr/lib/postgresql"
OPTIONS: Final = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "synchronous_commit=on")
CLUSTER: Final = ("-E", "UTF8", "--locale=C", "--auth-host=password", "--auth-local=reject")
TABLE: Final = """
CREATE TABLE said (
    conversation text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    text text NOT NULL,
    PRIMARY KEY (conversation, id)
)"""
STATEMENTS: Final = {
    "i": "INSERT INTO said (conversation, text) VALUES ($1, $2)",
    "n": "SELECT pg_notify($1, $2)",
}
"""As chat_postgres.h calls them."""
READY: Final = b"Z\x00\x00\x00\x05I"
STARTING: Final = "57P03"
INIT_SECONDS: Final = 120


def programs() -> Path:
    """The folder with ``postgres`` and ``initdb``, or ``NotInstalled``."""
    debian = sorted(Path(PLACES).glob("*/bin"), key=lambda path: [int(n) for n in path.parent.name.split(".")])
    found = shutil.which("initdb", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(debian))]))
    if found is None:
        raise NotInstalled("PostgreSQL's initdb is not there (Debian: apt-get install postgresql)")
    return Path(found).resolve().parent


def account() -> str | None:
    """Whom it runs as: ``None`` for whoever runs this, or ``NotInstalled`` where that is root and Debian's user is not
    there or cannot reach the folder of data."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        raise NotInstalled(f"PostgreSQL refuses to run as root, and there is no user {USER!r}") from None
    CACHE.mkdir(parents=True, exist_ok=True)
    if closed := [path for path in CACHE.resolve().parents if not path.stat().st_mode & 0o001]:
        raise NotInstalled(
            f"PostgreSQL refuses to run as root, and its user cannot enter {closed[0]}: "
            "name another folder in HUNTGROUP_BENCH_CACHE"
        )
    return USER


@attrs.frozen
class PostgresTalk:
    """A table of all conversations, and a channel for each."""

    name: str = "PostgreSQL"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``."""
        found, user = programs(), account()
        with folder() as kept:
            port, password = free_port(), secrets.token_hex(16)
            _init(found, kept, user, password)
            options = [part for option in OPTIONS for part in ("-c", option)]
            command: list[str | Path] = [found / "postgres", "-D", kept / "data", "-p", str(port), *options]
            server = listening(start(self.name, command, port=port, cwd=kept, user=user))
            sockets: list[Socket] = []
            try:
                sockets.append(_first(port, password))
                _ask(sockets[0], _query(TABLE))
                for _ in range(POOL):
                    sockets.append(_joined(port, password))
                    _ask(sockets[-1], b"".join(_parse(*statement) for statement in STATEMENTS.items()) + _SYNC)
                names = [f"talk{i // 2}" for i in range(2 * conversations)]
                _ask(sockets[0], _query("; ".join(f"LISTEN {name}" for name in names[::2])))
                pooled = [sockets[1 + i % POOL] for i in range(2 * conversations)]
                yield Talking(server=server, sockets=pooled, ears=sockets[:1], names=names, speech=Speech.POSTGRES)
            finally:
                end(server, sockets)


def _init(found: Path, kept: Path, user: str | None, password: str) -> None:
    word = kept / "password"
    word.write_text(password)
    if user is not None:
        for path in (kept, word):
            shutil.chown(path, user, user)
    done = subprocess.run(
        [found / "initdb", "-D", kept / "data", "-U", USER, f"--pwfile={word}", *CLUSTER],
        cwd=kept,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        timeout=INIT_SECONDS,
    )
    if done.returncode:
        raise DidNotStart(f"initdb: {done.stderr[-1500:]}")


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def _query(text: str) -> bytes:
    return _message(b"Q", text.encode() + b"\0")


def _parse(name: str, text: str) -> bytes:
    return _message(b"P", name.encode() + b"\0" + text.encode() + b"\0" + struct.pack(">H", 0))


_SYNC: Final = _message(b"S", b"")


def _joined(port: int, password: str) -> Socket:
    s = dial(port)
    names = b"user\0" + USER.encode() + b"\0database\0postgres\0\0"
    s.sock.sendall(_message(b"", struct.pack(">I", 196608) + names))
    try:
        _ask(s, _message(b"p", password.encode() + b"\0"))
    except BaseException:
        s.close()
        raise
    return s


def _first(port: int, password: str) -> Socket:
    """Once it has started up: it listens before."""
    for _ in range(round(START_SECONDS / 0.1)):
        try:
            return _joined(port, password)
        except Refused as refused:
            if STARTING not in str(refused):
                raise
        time.sleep(0.1)
    raise DidNotStart("PostgreSQL doesn't become ready")


def _ask(s: Socket, what: bytes) -> None:
    """Ask, and read all that comes until it is ready for more."""
    s.sock.sendall(what)
    while not s.rest.endswith(READY):
        data = s.sock.recv(65536)
        s.rest += data
        if not data or s.rest.startswith(b"E"):
            raise Refused(f"PostgreSQL: {s.rest!r}")
    if b"SERROR\0" in s.rest:
        raise Refused(f"PostgreSQL: {s.rest!r}")
    s.rest = b""
