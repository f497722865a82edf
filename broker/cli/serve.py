"""``huntgroup serve``: the broker itself."""

from __future__ import annotations

import argparse

from broker.cli import common
from broker.cli.common import Exit, UsageError, add_config, add_listen, config_of, say


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "serve",
        help="run the broker",
        description="Run the broker until it is told to stop (Ctrl-C or SIGTERM): it then drains, tells its clients"
        " when to come back, and ends. A configuration that is wrong refuses the start and names every wrong field.",
    )
    add_config(parser)
    add_listen(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--print-config", action="store_true", help="print a configuration file with every setting explained, and stop"
    )
    what.add_argument("--check-config", action="store_true", help="read the configuration and the desk files, and stop")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve, or print what could be configured."""
    if args.print_config:
        from broker.config.render import default_file

        print(default_file(), end="")
        return Exit.OK
    from broker.config.desk import load_desk

    config = config_of(args)
    if not config.accounts:
        raise UsageError(
            "there is no account to serve: give the configuration an [[accounts]] table"
            " (huntgroup serve --print-config shows one), or try huntgroup demo"
        )
    for account in config.accounts:
        load_desk(account.desk)
    if args.check_config:
        names = ", ".join(account.name for account in config.accounts)
        print(f"the configuration is right; accounts: {names}")
        return Exit.OK
    from broker.runtime import serve

    return serve.run(config, ready=lambda url: say(f"huntgroup serves at {url}, data in {config.data.path}"))
