"""``huntgroup entry``: what a page that embeds a portal says of its visitors, signed."""

from __future__ import annotations

import argparse

from broker.cli import common
from broker.cli.common import Exit, UsageError, add_config, add_json, config_of, print_json, say
from broker.cli.token import life
from broker.units import HOURS


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "entry",
        help="make an entry token for a page that embeds a portal",
        description="Print a signed token that a page shows beside the portal's name when it connects. It signs nobody"
        " in; it says where the visitor comes from, in what language to speak, and what class and skills its requests"
        " have. It may be used by every visitor of the page, as often as they like, until it expires.",
    )
    parser.add_argument("account", help="the account")
    parser.add_argument("portal", help="the portal, and the only one that it is good for")
    parser.add_argument("--page", metavar="URL", help="the page's address, told to representatives with a request")
    parser.add_argument("--language", help="the visitor's, as a language tag such as de-AT")
    parser.add_argument("--class", dest="class_", metavar="CLASS", help="of its requests: one of the portal's classes")
    parser.add_argument(
        "--skill", action="append", default=[], metavar="SKILL", help="that its requests ask for; may be given twice"
    )
    parser.add_argument(
        "--life", metavar="TIME", type=life, default=12 * HOURS, help="how long it is good: 30m, 12h, 7d; default: 12h"
    )
    add_config(parser)
    add_json(parser, "the token and its expiry")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sign and print."""
    from broker.identity import secrets
    from broker.identity.tokens import Entry, Signer
    from broker.runtime.clock import SystemClock

    folder = config_of(args).data.path
    new = not (folder / secrets.NAME).exists()
    signer = Signer(secrets.load_or_create(folder).token_key)
    expires = SystemClock().now() + args.life
    said = Entry(
        account=args.account,
        portal=args.portal,
        expires=expires,
        page=args.page,
        language=args.language,
        class_=args.class_,
        skills=tuple(args.skill),
    )
    try:
        token = signer.sign(said)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if new:
        say(f"huntgroup: {folder} had no {secrets.NAME}: made it")
    if args.json:
        print_json({"token": token, "expires": expires})
    else:
        print(token)
    return Exit.OK
