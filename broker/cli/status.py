"""``huntgroup status``: whether a broker lives and takes work."""

from __future__ import annotations

import argparse
import http.client
from typing import Final
from urllib.parse import urlsplit

from broker.cli import common
from broker.cli.common import Exit, UnreachableError, UsageError, add_json, add_server, print_json

TIMEOUT: Final = 5.0  # seconds; a healthy broker answers in milliseconds
_BODY_BYTES: Final = 64 * 1024


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "status",
        help="ask a running broker how it is",
        description="Ask a running broker whether it lives (/healthz) and takes work (/readyz). Exits 0 when both are"
        " so, 1 when not, 3 when there is no broker.",
    )
    add_server(parser)
    add_json(parser, "it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and print."""
    alive, _ = fetch(args.server, "/healthz")
    ready, detail = fetch(args.server, "/readyz")
    good = alive == ready == http.client.OK
    if args.json:
        print_json({"server": args.server, "alive": alive == 200, "ready": ready == 200, "detail": detail})
    else:
        words = "lives and takes work" if good else "lives, but takes no work" if alive == 200 else "is not well"
        print(f"the broker at {args.server} {words}")
        if detail and not good:
            print(detail)
    return Exit.OK if good else Exit.FAILED


def fetch(server: str, path: str) -> tuple[int, str]:
    """(status, body as text) of one GET. Raises ``UnreachableError``."""
    parts = urlsplit(server)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    except (ValueError, http.client.InvalidURL):
        raise UsageError(f"{server} is no address: expected http://HOST:PORT") from None
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        with connection.getresponse() as response:
            return response.status, response.read(_BODY_BYTES).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreachableError(f"no broker answers at {server}: {reason}") from None
    finally:
        connection.close()
