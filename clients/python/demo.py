"""``huntgroup demo --check``: plays what people do, over real sockets, and holds what each saw against what must be.

The stories play against a broker that runs (``--server``) or one of our own; the last one always against one of our
own, because it kills it. Exit code 0: all is as it must be, 1: something differs, 2: no such story, 3: no broker.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import attrs
import trio

from clients.python.demo_conversation import CONVERSATIONS
from clients.python.demo_crash import crash
from clients.python.demo_entrances import ENTRANCES
from clients.python.demo_rules import RULES
from clients.python.demo_stage import ACCOUNT, DiffersError, OwnBroker, Stage, own_broker
from clients.python.demo_stories import NAMES, STORIES, Story
from clients.python.demo_teams import TEAMS
from clients.python.errors import HuntgroupError, UnreachableError
from clients.python.visible import visible

FAILED, USAGE, UNREACHABLE = 1, 2, 3  # exit codes, as the command line counts them
PLAYED: Final = (*STORIES, *RULES, *ENTRANCES, *TEAMS, *CONVERSATIONS)
"""Against any demo broker; the one that kills it comes after them."""
PEOPLE: Final = {**dict.fromkeys(NAMES, "representative"), "mia": "manager", "tom": "manager", "robot": "service"}
"""Who signs in with a token, as what."""
STORY_TIME: Final = 120.0  # seconds for one story; each wait in it is bounded far below


@attrs.frozen(kw_only=True)
class Told:
    """What came of one story."""

    name: str
    about: str
    saw: list[str]
    """Who saw what, in order."""
    why: str | None
    """How it differs; None: it doesn't."""


def run(args: argparse.Namespace) -> int:
    """Play and print."""
    only = getattr(args, "only", None) or ""
    names = [*(story.__name__ for story in PLAYED), crash.__name__]
    if not any(only in name for name in names):
        print(f"huntgroup: no story has {only!r} in its name; there are {', '.join(names)}", file=sys.stderr)
        return USAGE
    try:
        told = trio.run(_all, args.server, getattr(args, "data", None), only, _quiet if args.json else _say)
    except UnreachableError as exc:
        print(f"huntgroup: {exc}", file=sys.stderr)
        return UNREACHABLE
    except NoTokensError as exc:
        print(f"huntgroup: {exc}", file=sys.stderr)
        return USAGE
    wrong = [each for each in told if each.why is not None]
    if args.json:
        print(json.dumps({"played": len(told), "wrong": len(wrong), "stories": [attrs.asdict(each) for each in told]}))
    elif wrong:
        print(f"\n{len(wrong)} of {len(told)} stories differ: {', '.join(each.name for each in wrong)}")
    else:
        print(f"\n{len(told)} stories, everybody saw what they must")
    return FAILED if wrong else 0


Say = Callable[[str], None]


def _say(line: str) -> None:
    print(visible(line), flush=True)


def _quiet(line: str) -> None:
    pass


class NoTokensError(Exception):
    """There are no sign-ins for the running broker."""


async def _all(server: str | None, data: str | None, only: str, say: Say) -> list[Told]:
    async with own_broker() as broker:
        url, tokens = (broker.url, broker.tokens) if server is None else (server, await _tokens(data))
        say(f"playing on {url}")
        folder = broker.data if server is None else data
        plays = [(story, url, tokens, folder) for story in PLAYED]
        plays.append((_killing(broker), broker.url, broker.tokens, broker.data))
        return [await _play(*play, say) for play in plays if only in play[0].__name__]


def _killing(broker: OwnBroker) -> Story:
    async def story(stage: Stage) -> None:
        await crash(stage, broker)

    story.__name__, story.__doc__ = crash.__name__, crash.__doc__
    return story


async def _tokens(data: str | None) -> Mapping[str, str]:
    """Sign-ins for a broker that runs on this data folder, made as an operator makes them."""
    tokens = {}
    for person, role in PEOPLE.items():
        command = [sys.executable, "-m", "broker", "token", ACCOUNT, person, role, "--data", data or ""]
        made = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        if made.returncode != 0:
            raise NoTokensError(
                f"no sign-ins for that broker (--data is its data folder): {made.stderr.decode().strip()}"
            )
        tokens[person] = made.stdout.decode().strip()
    return tokens


async def _play(story: Story, url: str, tokens: Mapping[str, str], data: str | None, say: Say) -> Told:
    saw: list[str] = []

    def tell(who: str, what: str) -> None:
        saw.append(f"{who} {what}")
        say(f"  {who:<7} {what}")

    name, about = story.__name__, (story.__doc__ or "").strip().split("\n")[0]
    say("")
    say(about)
    why: str | None = None
    unreachable: UnreachableError | None = None
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(STORY_TIME) as limit:
            try:
                why = await _judge(story, Stage(url, tokens, nursery, tell, data))
            except UnreachableError as exc:
                unreachable = exc
        if limit.cancelled_caught:
            why = f"it took more than {STORY_TIME:g} s"
        nursery.cancel_scope.cancel()
    if unreachable is not None:
        raise unreachable
    say("  as it must be" if why is None else f"  DIFFERS: {why}")
    return Told(name=name, about=about, saw=saw, why=why)


async def _judge(story: Callable[[Stage], Awaitable[None]], stage: Stage) -> str | None:
    """Why it differs; a broker that can't be reached at all is no difference but raised."""
    try:
        await story(stage)
    except UnreachableError:
        raise
    except (DiffersError, HuntgroupError) as exc:
        return _why(exc)
    except BaseExceptionGroup as group:  # of a story with tasks of its own
        known, other = group.split((DiffersError, HuntgroupError))
        if known is None or other is not None:
            raise
        return "; ".join(map(_why, _leaves(known)))
    return None


def _why(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, DiffersError) else f"{type(exc).__name__}: {exc}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for exc in group.exceptions:
        found.extend(_leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc])
    return found
