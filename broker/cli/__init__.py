"""The ``huntgroup`` command: parses, hands over to one command's module, turns what goes wrong into an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from broker import __version__
from broker.cli import (
    account,
    apply,
    audit,
    conformance,
    connect,
    customer,
    demo,
    entry,
    export,
    journal,
    representatives,
    serve,
    simulate,
    status,
    token,
    transcript,
    version,
    why,
)
from broker.cli.common import EXIT_MEANINGS, CheckError, Exit, Parser, UnreachableError, UsageError, say
from broker.config import ConfigError
from broker.identity.secrets import SecretError

COMMANDS = (
    serve,
    demo,
    connect,
    account,
    token,
    entry,
    export,
    apply,
    representatives,
    journal,
    audit,
    transcript,
    customer,
    why,
    simulate,
    status,
    conformance,
    version,
)
"""In the order of the help text."""


def parser() -> Parser:
    """The whole command line. docs/reference/cli.md is rendered from it."""
    codes = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items())
    top = Parser(
        prog="huntgroup",
        description="A self-hosted, real-time live-support broker.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"huntgroup {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code (``common.Exit``)."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except (ConfigError, SecretError, UsageError) as error:
        say(f"huntgroup: {error}")
        return Exit.USAGE
    except CheckError as error:
        say(f"huntgroup: {error}")
        return Exit.FAILED
    except UnreachableError as error:
        say(f"huntgroup: {error}")
        return Exit.UNREACHABLE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`). Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    return code
