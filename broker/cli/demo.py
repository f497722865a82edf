"""``huntgroup demo``: serves the demo account with its sign-ins printed; ``--check`` plays every part against it."""

from __future__ import annotations

import argparse
import base64
import ipaddress
import shlex
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from broker.cli import common
from broker.cli.common import UsageError, add_json, add_listen, print_json, server_url
from broker.config import Account, Config, load
from broker.desk.identity import Role
from broker.units import HOURS

ACCOUNT: Final = "demo"
DESK: Final = Path(__file__).parent.parent / "demo" / "desk.toml"
DATA: Final = "var/demo"
PEOPLE: Final = (
    ("mia", Role.MANAGER),
    ("tom", Role.MANAGER),
    ("ada", Role.MANAGER),
    ("ann", Role.REPRESENTATIVE),
    ("bo", Role.REPRESENTATIVE),
    ("cem", Role.REPRESENTATIVE),
    ("robot", Role.SERVICE),
)
"""Whose sign-ins are printed."""
LIFE: Final = 12 * HOURS
"""Of the printed tokens."""
WHAT: Final = {
    "mia": "account manager",
    "tom": "team manager",
    "ada": "API manager",
}
"""Who is a manager of what kind."""


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "demo",
        help="serve an account to try things out with, or check that everything works",
        description="Serve the account 'demo', with a portal of every kind in every mode, and print its addresses and"
        " sign-ins. With --check, play customers and representatives through all of it over real sockets, print what"
        " each saw, and exit 1 if anything differs from what must be: against the broker at --server, or against one"
        " of its own, which is then also killed in mid-flight and restarted. The sign-ins are for trying things out:"
        " they are printed, and good for whoever reads them.",
    )
    add_listen(parser)
    parser.add_argument(
        "--public", action="store_true", help="with --host: others may reach the demo, and I know what its sign-ins are"
    )
    parser.add_argument("--data", metavar="FOLDER", default=DATA, help=f"data folder; default: {DATA}")
    parser.add_argument("--check", action="store_true", help="play the demo and check it, instead of serving it")
    parser.add_argument(
        "-s", "--server", metavar="URL", type=server_url, help="with --check: a demo broker that runs already"
    )
    parser.add_argument("--only", metavar="TEXT", help="with --check: play the stories whose name has TEXT in it")
    add_json(parser, "addresses and sign-ins (one line, once it serves), or what was checked")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve or check."""
    if args.check:
        from clients.python import demo

        return demo.run(args)
    if args.server:
        raise UsageError("--server goes with --check: without it, the demo is served here")
    config = config_of(args)
    if not (args.public or _is_own(config.server.host)):
        raise UsageError(
            "the demo's passwords and tokens are printed: it is served on this machine alone. To let others reach it"
            f" at {config.server.host}, say --public"
        )
    from broker.runtime import serve

    return serve.run(config, ready=lambda url: _in_the_background(config, url, as_json=args.json))


def _is_own(host: str) -> bool:
    """Whether nobody but this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_the_background(config: Config, url: str, *, as_json: bool) -> None:
    """The demo's people are put there by the operations that managers have, so the broker must serve meanwhile."""

    def task() -> None:
        from clients.python.errors import HuntgroupError

        try:
            key = settle(config, url)
        except HuntgroupError as error:
            common.say(f"huntgroup: the demo serves, but without passwords and keys: {error}")
            key = None
        announce(config, url, key=key, as_json=as_json)

    threading.Thread(target=task, name="demo", daemon=True).start()


def settle(config: Config, url: str) -> str:
    """Put the people into the account who aren't in its desk file, and give everybody a password; robot's API key."""
    from broker.identity import secrets
    from broker.identity.claims import SetPassword
    from broker.identity.tokens import Signer
    from broker.runtime.clock import SystemClock
    from clients.python import demo_people

    signer = Signer(secrets.load_or_create(config.data.path).token_key)
    now = SystemClock().now()
    links: dict[str, tuple[str, str]] = {}
    for person, role in PEOPLE:
        if role is not Role.SERVICE:
            link = SetPassword(account=ACCOUNT, person=person, role=role, expires=now + LIFE, serial=0, issued=now)
            links[person] = (signer.sign(link), password_of(config, person))
    mia = signer.mint(ACCOUNT, "mia", Role.MANAGER, now + LIFE, issued=now)
    return demo_people.settle(url, mia, demo_people.Links(links))


def password_of(config: Config, person: str) -> str:
    """Drawn from the data folder's own secret: the same at each start, and another in each folder, so that there is no
    password that every demo has."""
    from broker.identity import secrets

    drawn = secrets.derive(secrets.load_or_create(config.data.path).root, f"huntgroup demo password of {person}")
    letters = base64.b32encode(drawn).decode().lower()
    return f"Try-{letters[:4]}-{letters[4:8]}-{drawn[-1] % 10}"


def config_of(args: argparse.Namespace) -> Config:
    """The demo's configuration: defaults, the demo account, and what the options say. No file, no environment: the
    demo is the same everywhere."""
    options = {"data.path": args.data, "server.host": args.host, "server.port": args.port}
    config = load(None, None, {where: value for where, value in options.items() if value is not None})
    return attrs.evolve(config, accounts=(Account(name=ACCOUNT, slot=0, desk=DESK),))


def facts(config: Config, url: str, key: str | None) -> dict[str, Any]:
    """Addresses and sign-ins of a demo that serves at ``url``. ``key``: robot's; None: no passwords either."""
    from broker.config.desk import load_desk
    from broker.identity import secrets
    from broker.identity.tokens import Signer
    from broker.runtime.clock import SystemClock

    signer = Signer(secrets.load_or_create(config.data.path).token_key)
    now = SystemClock().now()
    expires = now + LIFE

    def person_of(person: str, role: Role) -> dict[str, str]:
        told = {"person": person, "role": str(role)}
        told["token"] = signer.mint(ACCOUNT, person, role, expires, issued=now)
        if key is not None:
            told |= {"key": key} if role is Role.SERVICE else {"password": password_of(config, person)}
        return told

    return {
        "url": url,
        "websocket": f"{url.replace('http', 'ws', 1)}/v1/ws",
        "account": ACCOUNT,
        "expires": expires,
        "people": [person_of(*each) for each in PEOPLE],
        "portals": [
            {
                "portal": f"{ACCOUNT}/{put.args['portal']}",
                "kind": put.args["kind"],
                "mode": put.args["mode"],
                "subportals": put.args["subportals"],
            }
            for put in load_desk(DESK)
            if put.op == "portal.put"
        ],
    }


def announce(config: Config, url: str, *, key: str | None = None, as_json: bool) -> None:
    """Print how to reach the demo, now that it can be reached."""
    known = facts(config, url, key)
    if as_json:
        print_json(known)
        return
    program = _program()
    lines = [
        f"Huntgroup serves its demo account at {url} (data in {config.data.path}; Ctrl-C stops it)",
        f"  WebSocket   {known['websocket']}",
        f"  health      {url}/healthz  {url}/readyz  {url}/metrics",
        "",
        f"Portals, for customers: {program} connect customer --portal NAME",
        *(f"  {p['portal']:<20} {p['kind']:<11} in {p['mode']} mode" for p in known["portals"]),
        "",
        "Everything below is for trying things out, and good for whoever reads it.",
        f"Passwords (unless you change them): {program} connect ROLE --account {ACCOUNT} --login NAME",
        *(f"  {p['person']:<6} {_what(p):<16} {p['password']}" for p in known["people"] if "password" in p),
        "An API key for programs, good until the next start: Auth(key=…)",
        *(f"  {p['person']:<6} {_what(p):<16} {p['key']}" for p in known["people"] if "key" in p),
        f"Tokens, good for {LIFE // HOURS} hours: {program} connect ROLE --token TOKEN",
        *(f"  {p['person']:<6} {_what(p):<16} {p['token']}" for p in known["people"]),
    ]
    if url != "http://127.0.0.1:8470":
        lines += ["", f"Add --server {url} to those commands."]
    print("\n".join(lines), flush=True)


def _what(person: Mapping[str, str]) -> str:
    return WHAT.get(person["person"], person["role"])


def _program() -> str:
    """What to type in another terminal, in the same folder, to run this program: after ``make run`` that is a path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "broker":
        return f"{shlex.quote(sys.executable)} -m broker"
    found = shutil.which("huntgroup")
    if called.name != "huntgroup" or (found is not None and called.exists() and called.samefile(found)):
        return "huntgroup"
    return shlex.quote(str(called))
