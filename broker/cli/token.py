"""``huntgroup token``: a signed sign-in for one person."""

from __future__ import annotations

import argparse
import re
from typing import Final

from broker.cli import common
from broker.cli.common import Exit, UsageError, add_config, add_json, config_of, print_json, say
from broker.desk.identity import Role
from broker.units import DAYS, HOURS, MINUTES

_UNITS: Final = {"m": MINUTES, "h": HOURS, "d": DAYS}
MAX_LIFE: Final = 400 * DAYS  # nothing can revoke a token yet but a new secret: longer is a mistake


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "token",
        help="make a sign-in for a representative, manager or service",
        description="Print a signed token with which one person can sign in to one account until it expires. It is"
        " signed with the data folder's secret.key, so it works with the broker that runs on that folder. Whoever has"
        " a token is that person: hand it over as you would a password.",
    )
    parser.add_argument("account", help="the account")
    parser.add_argument(
        "person", help="the person; for a representative, the name in the desk file; for a customer, a visitor id (v_…)"
    )
    parser.add_argument("role", choices=[str(role) for role in Role], help="what the person is to the account")
    parser.add_argument("--portal", help="for a customer: the portal it comes through")
    parser.add_argument(
        "--life", metavar="TIME", type=life, default=12 * HOURS, help="how long it is good: 30m, 12h, 7d; default: 12h"
    )
    add_config(parser)
    add_json(parser, "the token and its expiry")
    parser.set_defaults(run=run)


def life(text: str) -> int:
    """Milliseconds from ``30m``, ``12h`` or ``7d``."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text, re.ASCII)
    span = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < span <= MAX_LIFE:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time like 30m, 12h or 7d, at most 400d")
    return span


def run(args: argparse.Namespace) -> int:
    """Mint and print."""
    from broker.identity import secrets
    from broker.identity.tokens import Signer
    from broker.runtime.clock import SystemClock

    folder = config_of(args).data.path
    new = not (folder / secrets.NAME).exists()
    signer = Signer(secrets.load_or_create(folder).token_key)
    now = SystemClock().now()
    expires = now + args.life
    issued = None if args.role == Role.CUSTOMER else now  # what a later sign-out ends, and an earlier one doesn't
    try:
        token = signer.mint(args.account, args.person, args.role, expires, args.portal, issued=issued)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if new:
        # A token may be handed out before the broker's first start; or the folder is the wrong one.
        say(f"huntgroup: {folder} had no {secrets.NAME}: made it")
    if args.json:
        print_json({"token": token, "expires": expires})
    else:
        print(token)
    return Exit.OK
