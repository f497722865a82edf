"""A real coturn on this machine, for the tests of screen shares."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START = 30.0  # seconds


@contextmanager
def coturn(folder: Path, secret: str) -> Iterator[str]:
    """Its address as a TURN server's; it lets credentials in that this secret made."""
    program = shutil.which("turnserver")
    assert program, "turnserver isn't there: scripts/setup installs coturn as root on Debian, and names it elsewhere"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        program,
        "-n",
        "--no-cli",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        f"--listening-port={port}",
        "--min-port=49160",
        "--max-port=49400",
        "--use-auth-secret",
        f"--static-auth-secret={secret}",
        "--realm=example.test",
        "--no-tls",
        "--no-dtls",
        "--no-multicast-peers",
        "--fingerprint",
        "--allow-loopback-peers",
        f"--pidfile={folder / 'pid'}",
        f"--userdb={folder / 'db'}",
        "--log-file=stdout",
        "--simple-log",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, port, folder / "log")
            yield f"turn:127.0.0.1:{port}?transport=udp"
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it takes connections."""
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"coturn doesn't serve: {log.read_text(errors='replace')[-2000:]}")
