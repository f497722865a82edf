"""What the commands share: exit codes, options that several of them take, and how they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.config import Config, load

DEFAULT_SERVER: Final = "http://127.0.0.1:8470"
CONFIG_VARIABLE: Final = "HUNTGROUP_CONFIG"
TOKEN_VARIABLE: Final = "HUNTGROUP_TOKEN"
PASSWORD_VARIABLE: Final = "HUNTGROUP_PASSWORD"


class Parser(argparse.ArgumentParser):
    """Takes options in full only: a shortened one would be another one's as soon as there is another one."""

    def __init__(
        self,
        *,
        prog: str | None = None,
        description: str | None = None,
        epilog: str | None = None,
        formatter_class: type[argparse.HelpFormatter] = argparse.HelpFormatter,
    ) -> None:
        super().__init__(
            prog=prog, description=description, epilog=epilog, formatter_class=formatter_class, allow_abbrev=False
        )


if TYPE_CHECKING:
    # argparse has no public name for what add_subparsers returns, and no generic one at run time
    Commands = argparse._SubParsersAction[Parser]


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    FAILED = 1
    """It ran, and what it looked at isn't as it must be."""
    USAGE = 2
    """An option, the configuration or a file is wrong: nothing was done."""
    UNREACHABLE = 3
    """There is no broker at that address, or the connection to it was lost."""
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


EXIT_MEANINGS: Final = {
    Exit.OK: "it worked",
    Exit.FAILED: "it ran, and found something wrong",
    Exit.USAGE: "an option, the configuration or a file is wrong; nothing was done",
    Exit.UNREACHABLE: "the broker can't be reached",
    Exit.INTERRUPTED: "interrupted",
}


class UsageError(Exception):
    """What was asked can't be done; the message says why and what to do instead."""


class CheckError(Exception):
    """What was looked at isn't as it must be; the message says what."""


class UnreachableError(Exception):
    """There is no broker to talk to; the message names the address and what happened."""


def add_config(parser: Parser) -> None:
    """Options for commands that need the configuration."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        type=Path,
        help=f"configuration file (TOML); default: ${CONFIG_VARIABLE}, else the built-in defaults",
    )
    parser.add_argument("--data", metavar="FOLDER", help="folder of the journal and secret.key (data.path)")


def add_listen(parser: Parser) -> None:
    """Options for commands that listen."""
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (server.host)")
    parser.add_argument("--port", metavar="PORT", help="port to listen on, 0 for a free one (server.port)")


def add_server(parser: Parser, default: str | None = DEFAULT_SERVER) -> None:
    """The option of commands that talk to a running broker."""
    shown = f"; default: {default}" if default else ""
    parser.add_argument(
        "-s", "--server", metavar="URL", type=server_url, default=default, help=f"address of the broker{shown}"
    )


def add_json(parser: Parser, what: str) -> None:
    """The option of commands that a machine may read."""
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON, for machines")


def server_url(text: str) -> str:
    """An address as people give it: ``host:port`` is http, a slash at the end doesn't count."""
    url = text if "://" in text else f"http://{text}"
    if url.partition("://")[0] not in ("http", "https", "ws", "wss"):
        raise argparse.ArgumentTypeError(f"{text!r} is no address: expected http://HOST:PORT or https://HOST:PORT")
    scheme, _, rest = url.rstrip("/").partition("://")
    return f"{scheme.replace('ws', 'http')}://{rest}"


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that these options, the environment and the file make. Raises ``ConfigError``."""
    path: Path | None = args.config
    if path is None and os.environ.get(CONFIG_VARIABLE):
        path = Path(os.environ[CONFIG_VARIABLE])
    options = {"data.path": "data", "server.host": "host", "server.port": "port"}
    overrides = {where: value for where, name in options.items() if (value := getattr(args, name, None)) is not None}
    return load(path, os.environ, overrides)


def say(text: str) -> None:
    """To the person at the terminal, beside what the command is asked to print."""
    print(text, file=sys.stderr)


def refuse_existing(path: Path | None) -> None:
    """Nothing is overwritten. Raises ``UsageError``."""
    if path is not None and path.exists():
        raise UsageError(f"{path} is there already: nothing is overwritten")


def write_out(path: Path | None, text: str, done: str) -> None:
    """To a new file, whole, and then say so; without one, to standard output. Raises ``UsageError``."""
    if path is None:
        sys.stdout.write(text)
        return
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from None
    say(f"huntgroup: {done}")


def print_json(value: object) -> None:
    """One JSON document on one line."""
    print(json.dumps(value, ensure_ascii=False, sort_keys=True), flush=True)
