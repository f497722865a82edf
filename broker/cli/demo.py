"""``huntgroup demo``: serves the demo account with its sign-ins printed; ``--check`` plays every part against it."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
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
    ("ann", Role.REPRESENTATIVE),
    ("bo", Role.REPRESENTATIVE),
    ("cem", Role.REPRESENTATIVE),
    ("robot", Role.SERVICE),
)
"""Whose sign-ins are printed."""
LIFE: Final = 12 * HOURS
"""Of the printed tokens."""


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "demo",
        help="serve an account to try things out with, or check that everything works",
        description="Serve the account 'demo', with a portal of every kind in every mode, and print its addresses and"
        " sign-ins. With --check, play customers and representatives through all of it over real sockets, print what"
        " each saw, and exit 1 if anything differs from what must be: against the broker at --server, or against one"
        " of its own, which is then also killed in mid-flight and restarted.",
    )
    add_listen(parser)
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
    from broker.runtime import serve

    return serve.run(config, ready=lambda url: announce(config, url, as_json=args.json))


def config_of(args: argparse.Namespace) -> Config:
    """The demo's configuration: defaults, the demo account, and what the options say. No file, no environment: the
    demo is the same everywhere."""
    options = {"data.path": args.data, "server.host": args.host, "server.port": args.port}
    config = load(None, None, {where: value for where, value in options.items() if value is not None})
    return attrs.evolve(config, accounts=(Account(name=ACCOUNT, slot=0, desk=DESK),))


def facts(config: Config, url: str) -> dict[str, Any]:
    """Addresses and sign-ins of a demo that serves at ``url``."""
    from broker.config.desk import load_desk
    from broker.identity import secrets
    from broker.identity.tokens import Signer
    from broker.runtime.clock import SystemClock

    signer = Signer(secrets.load_or_create(config.data.path).token_key)
    expires = SystemClock().now() + LIFE
    return {
        "url": url,
        "websocket": f"{url.replace('http', 'ws', 1)}/v1/ws",
        "account": ACCOUNT,
        "expires": expires,
        "people": [
            {"person": person, "role": str(role), "token": signer.mint(ACCOUNT, person, role, expires)}
            for person, role in PEOPLE
        ],
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


def announce(config: Config, url: str, *, as_json: bool) -> None:
    """Print how to reach the demo, now that it can be reached."""
    known = facts(config, url)
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
        f"Sign-ins, good for {LIFE // HOURS} hours. Representatives: {program} connect representative --token TOKEN",
        *(f"  {p['person']:<6} {p['role']:<15} {p['token']}" for p in known["people"]),
    ]
    if url != "http://127.0.0.1:8470":
        lines += ["", f"Add --server {url} to those commands."]
    print("\n".join(lines), flush=True)


def _program() -> str:
    """What to type in another terminal, in the same folder, to run this program: after ``make run`` that is a path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "broker":
        return f"{shlex.quote(sys.executable)} -m broker"
    found = shutil.which("huntgroup")
    if called.name != "huntgroup" or (found is not None and called.exists() and called.samefile(found)):
        return "huntgroup"
    return shlex.quote(str(called))
