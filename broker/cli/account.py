"""``huntgroup account``: a new account with its first manager, and links by which people choose a password.

Works on the files of an installation, beside the broker or without it: whoever can read secret.key can sign in as
anyone anyway.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.cli import common
from broker.cli.common import CONFIG_VARIABLE, Exit, UsageError, add_config, config_of, say
from broker.cli.journal import count
from broker.desk.identity import Role
from broker.ids import is_slug

if TYPE_CHECKING:
    from broker.config import Config
    from broker.desk.desk import Desk

DEFAULT: Final = Path("huntgroup.toml")
_DESK: Final = """\
# The desk file of the account {name}; docs/how-to/account.md has what else may stand in it.
# The broker carries it out at every start: what is named here is as it is written here.

{tables}"""


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "account",
        help="make an account and its first manager",
        description="Make an account with its first manager, or a link by which somebody chooses a password.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser(
        "create",
        help="add an account to the configuration",
        description="Add an account to the configuration file, made if it is missing, and write a desk file beside it"
        " with the account's first manager. Prints a link by which that manager chooses a password: good once, and for"
        " a day. There is no default password.",
        epilog='example:\n  huntgroup account create acme --manager mia --name "Mia Moss" --email mia@example.org',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    create.add_argument("account", metavar="NAME", help="the account's name: a slug, as tokens and addresses have it")
    create.add_argument("--manager", required=True, help="the manager's name in the account: a slug, for signing in")
    create.add_argument("--name", required=True, help="what the manager is called")
    create.add_argument("--email", required=True, help="the manager's e-mail address: another way to sign in")
    create.add_argument(
        "--api-manager",
        metavar="MANAGER",
        help="make this API manager too, who may put portals: huntgroup apply, export and representatives import take"
        " one",
    )
    create.add_argument(
        "--slot",
        metavar="N",
        type=count,
        help="share of the installation's pins, which no account may ever have had; default: above all in the file",
    )
    add_config(create)
    create.set_defaults(run=run_create)
    link = actions.add_parser(
        "link",
        help="make a link by which somebody chooses a password",
        description="Print a link by which a representative or manager chooses a password: good once, and for a day."
        " Hand it over as you would a password.",
    )
    link.add_argument("account", help="the account")
    link.add_argument("person", help="the person, as the desk file has it")
    link.add_argument("role", choices=[str(Role.REPRESENTATIVE), str(Role.MANAGER)], help="what the person is")
    add_config(link)
    link.set_defaults(run=run_link)


# --- create -----------------------------------------------------------------------------------------


def run_create(args: argparse.Namespace) -> int:
    """Check everything, then write the desk file, then the configuration that names it."""
    from broker.config import accounts
    from broker.config.desk import Put, parse_desk
    from broker.config.export import written_tables

    if not is_slug(args.account):
        raise UsageError(f"NAME: expected a slug such as acme (a-z 0-9 _ . -), got {args.account!r}")
    args.config = path = args.config or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT)
    given = {"manager": args.manager, "kind": "account", "name": args.name, "email": args.email}
    put = Put("manager.put", {**given, "rights": ["api_managers"]}, "manager[0]")
    puts = [put]
    if args.api_manager is not None:
        api = {"manager": args.api_manager, "kind": "api", "rights": ["portals"]}
        puts.append(Put("manager.put", api, "manager[1]"))
    desk = path.with_name(f"{args.account}.desk.toml")
    text = _DESK.format(name=args.account, tables=written_tables(puts))
    parse_desk(text, "the first manager")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} to")
    whole, slot = accounts.add_account(path, args.account, desk.name, args.slot)
    config = _with_options(args, accounts.checked(path, whole))
    _look_for_others(args, config)
    if desk.exists():
        raise UsageError(f"{desk} exists already: it may be another account's; move it away")
    people = [str(one.args["manager"]) for one in puts]
    links = [link_to(config, args.account, person, Role.MANAGER, 0) for person in people]
    accounts.replace(desk, text)
    accounts.replace(path, whole)
    say(f"huntgroup: account {args.account} is in {path} (slot {slot}), its first manager in {desk}")
    say(f"next:  1. huntgroup serve --config {path}    (restart it if it runs)")
    for number, (person, url) in enumerate(zip(people, links, strict=True), 2):
        say(f"       {number}. {person} opens this link and chooses a password; it is good once, and for a day:")
        print(url)
    return Exit.OK


def _with_options(args: argparse.Namespace, config: Config) -> Config:
    """--data goes before the file, as everywhere."""
    import attrs

    return config if args.data is None else attrs.evolve(config, data=attrs.evolve(config.data, path=Path(args.data)))


def _look_for_others(args: argparse.Namespace, config: Config) -> None:
    """What an earlier account left in the journal: its slot is known to nobody, its name isn't free."""
    file = config.data.journal_file
    if config.data.journal != "sqlite" or not file.is_file():
        return
    from contextlib import closing

    from broker.journal.base import JournalError
    from broker.journal.sqlite_reader import SqliteReader

    try:
        with closing(SqliteReader(file)) as reader:
            known = set(reader.names())
    except JournalError as error:
        raise UsageError(f"{file} can't be read: {error}") from None
    if args.account in known:
        raise UsageError(f"{file} has an account {args.account}: its people would be the new one's; take another name")
    gone = sorted(known - {account.name for account in config.accounts})
    if gone and args.slot is None:
        raise UsageError(
            f"{file} also has {', '.join(gone)}, which the configuration doesn't name:"
            " give --slot a number that no account ever had"
        )


# --- link -------------------------------------------------------------------------------------------


def run_link(args: argparse.Namespace) -> int:
    """Find out how many passwords the person had, and sign."""
    config = config_of(args)
    if args.account not in {account.name for account in config.accounts}:
        raise UsageError(f"the configuration has no account {args.account}")
    if config.data.journal != "sqlite":
        raise UsageError(f"a journal in {config.data.journal} can't be looked into: how many passwords there were")
    role = Role(args.role)
    desk = _desk(config, args.account)
    if desk is None or not desk.exists(role, args.person):
        _expected(config, args, role, gone=desk is not None and args.person in desk.state.former)
        had = 0
    else:
        had = desk.passwords_of(args.person)
    print(link_to(config, args.account, args.person, role, had))
    return Exit.OK


def _desk(config: Config, account: str) -> Desk | None:
    from broker.journal.base import JournalError
    from broker.runtime.offline import desk_of

    file = config.data.journal_file
    try:
        return desk_of(file, account) if file.is_file() else None
    except (JournalError, ValueError) as error:
        raise UsageError(f"{file} can't be read, so nobody knows how many passwords there were: {error}") from None


def _expected(config: Config, args: argparse.Namespace, role: Role, *, gone: bool) -> None:
    """Somebody the broker will know once it has read its desk file. Raises ``UsageError`` for anybody else."""
    from broker.config.desk import load_desk

    file = next(account.desk for account in config.accounts if account.name == args.account)
    op = f"{role}.put"
    if gone or not any(put.op == op and put.args[str(role)] == args.person for put in load_desk(file)):
        raise UsageError(f"account {args.account} has no {role} {args.person}")


def link_to(config: Config, account: str, person: str, role: Role, had: int) -> str:
    """The address of the page on which that person chooses a password. Raises ``UsageError``."""
    from broker import limits
    from broker.identity import secrets
    from broker.identity.tokens import SetPassword, Signer
    from broker.runtime.clock import SystemClock
    from broker.runtime.links import PATH

    signer = Signer(secrets.load_or_create(config.data.path).token_key)
    expires = SystemClock().now() + limits.LINK_LIFE
    claims = SetPassword(account=account, person=person, role=role, expires=expires, serial=had)
    return f"{address_of(config)}{PATH}?token={signer.sign(claims)}"


def address_of(config: Config) -> str:
    """Where people reach the broker."""
    server = config.server
    if server.public_url is not None:
        return server.public_url
    if server.port == 0:
        raise UsageError("server.port is 0, a free one: set server.public_url, with which links begin")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    return f"{'https' if server.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{server.port}"
