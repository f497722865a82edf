"""``huntgroup version``: what runs here."""

from __future__ import annotations

import argparse
import platform

from broker import __version__
from broker.cli import common
from broker.cli.common import Exit, add_json, print_json


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "version",
        help="say which version this is",
        description="Say which version this is, and which protocol and Python it speaks.",
    )
    add_json(parser, "it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the versions."""
    from broker.protocol import schema

    protocol = schema.load()["subprotocol"]
    if args.json:
        print_json({"version": __version__, "protocol": protocol, "python": platform.python_version()})
    else:
        print(f"huntgroup {__version__} (protocol {protocol}, Python {platform.python_version()})")
    return Exit.OK
