"""An attacker in a process of its own: ``python -m tests.security.flooder PORT COUNT ADDRESSES``.

Opens so many sockets from so many addresses of this machine's 127/8, sends nothing, says ``held N`` with the number of
those that are still open, and holds them until its standard input ends.
"""

from __future__ import annotations

import resource
import socket
import sys
from typing import Final

SPARE: Final = 200  # descriptors that are not connections


def main(port: int, count: int, addresses: int) -> None:
    """Flood, report, hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    held = [_open(port, number, addresses) for number in range(count)]
    sys.stdout.write(f"held {sum(map(_alive, held))}\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(f"held {sum(map(_alive, held))}\n")
    sys.stdout.flush()


def _open(port: int, number: int, addresses: int) -> socket.socket:
    attacker = socket.socket()
    attacker.bind((f"127.9.{number % addresses >> 8}.{number % addresses & 255 or 1}", 0))
    attacker.setblocking(False)
    attacker.connect_ex(("127.0.0.1", port))
    return attacker


def _alive(attacker: socket.socket) -> bool:
    """Whether the broker still keeps it: no end, and no reset, has come."""
    try:
        return bool(attacker.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    main(*(int(arg) for arg in sys.argv[1:4]))
