"""A broker as its users run it, in a process of its own, that the attacks of real sockets are made on."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.people import Person, sign_in
from bench.peers.process import free_port

DESK: Final = """
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
subportals = ["help"]
"""
CONFIG: Final = """
[server]
port = {port}
{tls}

[data]
path = "data"
journal = "memory"

[logs]
level = "warning"

[limits]
trusted_networks = []

[[accounts]]
name = "acme"
slot = 0
desk = "desk.toml"
"""
PATIENCE: Final = 30.0  # seconds for any one answer; whoever needs them has failed
HEAD: Final = (
    b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: huntgroup.v1.msgpack\r\n"
)


@attrs.frozen
class Target:
    """A running broker."""

    process: subprocess.Popen[bytes]
    port: int
    tls: bool = False

    def dial(self, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection from an address of this machine."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE, source_address=(source, 0))

    def metrics(self) -> dict[str, float]:
        """Every figure at /metrics by its name and label."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=PATIENCE) as page:
            text: str = page.read().decode()
        return {name: float(value) for name, value in re.findall(r"^(huntgroup_\S+) (\S+)$", text, re.MULTILINE)}

    def figure(self, name: str, label: str = "") -> float:
        """One of them."""
        return self.metrics()[f"huntgroup_{name}{label}"]

    def memory_kib(self) -> int:
        """Resident memory of the broker's process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1])

    def serve_somebody(self) -> None:
        """A customer comes in, asks, changes the mind and leaves."""
        person: Person = sign_in(self.port, [{"portal": "acme/help"}])[0]
        asked = person.ask("request.create", {"text": "x"})
        person.ask("request.withdraw", {"request": asked["request"]})
        person.socket.close()


@contextmanager
def target(folder: Path, tls: str = "") -> Iterator[Target]:
    """Start it, and end it for certain."""
    port = free_port()
    (folder / "desk.toml").write_text(DESK)
    (folder / "huntgroup.toml").write_text(CONFIG.format(port=port, tls=tls))
    command = [sys.executable, "-m", "broker", "serve", "--config", str(folder / "huntgroup.toml")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
    try:
        found = Target(process, port, bool(tls))
        _await(found, folder / "log")
        yield found
        assert process.poll() is None, (process.poll(), (folder / "log").read_text())
        told = (folder / "log").read_text()
        assert told.startswith("huntgroup serves at ") and told.count("\n") == 1, told  # noqa: PT018
    finally:
        process.kill()
        process.wait()


def _await(found: Target, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert found.process.poll() is None, log.read_text()
        asking = http.client.HTTPConnection("127.0.0.1", found.port, timeout=PATIENCE)
        if found.tls:
            asking = http.client.HTTPSConnection("127.0.0.1", found.port, timeout=PATIENCE, context=_anybody())
        try:
            asking.request("GET", "/readyz")
            if asking.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            asking.close()
        time.sleep(0.02)
    raise AssertionError(f"it is not ready: {log.read_text()}")


def _anybody() -> ssl.SSLContext:
    """Trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def end_of(attacker: socket.socket) -> bytes:
    """Everything that comes until the broker ends it."""
    found = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            data = attacker.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return found
        if not data:
            return found
        found += data
    raise AssertionError("the broker does not end it")
