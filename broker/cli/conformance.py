"""``huntgroup conformance``: the protocol's vectors against any server. Played by ``clients.python.conformance``."""

from __future__ import annotations

import argparse
from pathlib import Path

from broker.cli import common
from broker.cli.common import add_json, add_server


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "conformance",
        help="hold a server against the protocol",
        description="Play the protocol's vectors against a server that was given their account (vectors/desk.toml, as"
        " 'conformance') and their token key, and say what differs. Exits 0 when nothing does, 1 when something does, 3"
        " when there is no server.",
    )
    add_server(parser)
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key", metavar="HEX", help="the server's token key; default: that of the vectors")
    key.add_argument(
        "--data", metavar="FOLDER", type=Path, help="data folder of a Huntgroup broker, whose token key is taken"
    )
    parser.add_argument("--only", metavar="TEXT", help="play the vectors whose name has TEXT in it")
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=seconds, default=10.0, help="how long to wait for an answer; default: 10"
    )
    add_json(parser, "the outcome of each vector")
    parser.set_defaults(run=run)


def seconds(text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Hand over to the runner."""
    complete(args)
    from clients.python import conformance

    return conformance.run(args)


def complete(args: argparse.Namespace) -> None:
    """Find the token key: ``args.key`` is its hex, or None for that of the vectors."""
    if args.data is not None:
        from broker.identity import secrets

        args.key = secrets.load(args.data).token_key.hex()
    elif args.key is not None:
        try:
            bytes.fromhex(args.key)
        except ValueError:
            raise common.UsageError("--key: expected hexadecimal digits, two for each byte") from None
