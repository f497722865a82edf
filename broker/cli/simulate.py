"""``huntgroup simulate``: a made-up or a recorded day under one configuration and under another. The work is
``broker.simulation``'s."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

from broker.cli import common
from broker.cli.common import CheckError, Exit, Parser, UsageError, add_config, add_json, print_json, say
from broker.cli.journal import journal_of
from broker.cli.typed import checked, count, named, parse_team, positive, share
from broker.simulation import day, laws
from broker.simulation.day import Day, Traffic
from broker.simulation.puts import Change, Put, SettingError, parse_capacity, parse_set
from broker.simulation.world import Answers
from broker.units import HOURS, MINUTES, SECONDS

if TYPE_CHECKING:
    from broker.simulation.report import Comparison
    from broker.simulation.runs import Progress, Worlds

T = TypeVar("T")

EXTRA: Final = "pip install 'huntgroup[simulate]'"
SERVICE_LEVEL: Final = 20  # seconds: of 80 % within 20 s, which contact centres have measured themselves by for decades


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "simulate",
        help="try a configuration on a made-up or a recorded day",
        description="Live through a day on a virtual clock, with the broker's own rules, and print what customers and"
        " representatives would see: as the configuration is, and as --set and --capacity would have it.",
    )
    inputs = parser.add_subparsers(title="inputs", metavar="INPUT", required=True)
    _add_day(inputs)
    _add_journal(inputs)


# size: one list of options, read as a whole
def _add_day(inputs: common.Commands) -> None:
    parser = inputs.add_parser(
        "day",
        help="make a day up",
        description="Make a day up from rates and distributions. LAW is exponential:MEAN, lognormal:MEAN:RATIO (of the"
        " standard deviation to the mean) or deterministic:TIME, in seconds.",
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--desk", metavar="FILE", type=Path, help="portals, teams and representatives from a desk file")
    who.add_argument(
        "--team",
        metavar="NAME=COUNTxCAPACITY:SUBPORTALS",
        type=checked(parse_team),
        action="append",
        help="a team of so many representatives, of that capacity each, who serve these sub-portals (with commas"
        " between); may be given again",
    )
    parser.add_argument(
        "--arrivals",
        metavar="SUBPORTAL=RATES",
        type=checked(lambda text: named(text, laws.parse_rates)),
        action="append",
        required=True,
        help="requests an hour: one number, or 24 with commas between, from midnight on; may be given again",
    )
    parser.add_argument(
        "--handle",
        metavar="[SUBPORTAL=]LAW",
        type=checked(lambda text: named(text, laws.parse_law)),
        action="append",
        default=[],
        help="how long sessions take; default: exponential:300",
    )
    parser.add_argument(
        "--patience",
        metavar="[SUBPORTAL=]LAW",
        type=checked(lambda text: named(text, lambda law: laws.parse_law(law, endless=True))),
        action="append",
        default=[],
        help="how long customers wait; default: never, which is that they never give up",
    )
    parser.add_argument(
        "--shift",
        metavar="WHO=HOURS",
        type=checked(lambda text: named(text, day.parse_shifts)),
        action="append",
        default=[],
        help="when a representative, or everyone of a team, is there: 9-17, or 8.5-12,13-17; default: all day",
    )
    parser.add_argument(
        "--answer", metavar="LAW", type=checked(laws.parse_law), help="how long offers wait; default: 0"
    )
    parser.add_argument(
        "--declined", metavar="P", type=checked(share), default=0.0, help="share of offers that are declined"
    )
    parser.add_argument(
        "--silent", metavar="P", type=checked(share), default=0.0, help="share of offers that are left to expire"
    )
    parser.add_argument(
        "--wrap-up",
        metavar="LAW",
        type=checked(laws.parse_law),
        help="how long the work after a session takes, within the portal's wrap_up_ms; default: all of that",
    )
    parser.add_argument("--hours", metavar="N", type=checked(positive), default=24.0, help="how long; default: 24")
    parser.add_argument(
        "--warm-up", metavar="MINUTES", type=checked(positive), help="at the beginning, not counted; default: none"
    )
    _add_common(parser)
    parser.set_defaults(run=run_day)


def _add_journal(inputs: common.Commands) -> None:
    parser = inputs.add_parser(
        "journal",
        help="live through what a journal recorded again",
        description="Take an account's customers, representatives and configuration from the journal of a data folder,"
        " and live through them again. Reads only, so it may run beside the broker.",
    )
    parser.add_argument("account", help="the account")
    add_config(parser)
    _add_common(parser)
    parser.set_defaults(run=run_journal)


def _add_common(parser: Parser) -> None:
    parser.add_argument(
        "--set",
        dest="changes",
        metavar="subportal.NAME.FIELD=VALUE",
        type=checked(parse_set),
        action="append",
        default=[],
        help="another configuration to compare with: a field of subportal.put; may be given again",
    )
    parser.add_argument(
        "--capacity",
        dest="changes",
        metavar="REPRESENTATIVE=N",
        type=checked(parse_capacity),
        action="append",
        default=[],
        help="the same for a representative's capacity; may be given again",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of the first run; default: 1")
    parser.add_argument(
        "--runs", metavar="N", type=checked(count), default=1, help="with the seeds that follow; default: 1"
    )
    parser.add_argument(
        "--service-level",
        metavar="SECONDS",
        type=checked(count),
        default=SERVICE_LEVEL,
        help=f"what counts as served in time; default: {SERVICE_LEVEL}",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, help="write index.html, figures.json and plot.png into this folder"
    )
    add_json(parser, "the figures")


# --- days ----------------------------------------------------------------------------------------


def run_day(args: argparse.Namespace) -> int:
    """Simulate a made-up day."""
    try:
        puts = day.crew_puts(args.team) if args.team else desk_file(args.desk)
        made = day_of(args, puts)
        title = f"a made-up day of {args.hours:g} h, {told_seeds(args)}"
        return compare(args, made.world, puts, title, [])
    except SettingError as error:
        raise UsageError(str(error)) from None


def desk_file(path: Path) -> tuple[Put, ...]:
    """The configuration in a desk file. Raises ``ConfigError``."""
    from broker.config.desk import load_desk

    puts = load_desk(path)
    return tuple(Put(put.op, put.args) for put in puts if put.op not in ("manager.put", "service.put"))


def day_of(args: argparse.Namespace, puts: Sequence[Put]) -> Day:
    """The day that the options describe. Raises ``SettingError``, ``UsageError``."""
    from broker.simulation import setting

    state = setting.build(puts, 0).state
    queues = [name for name, one in state.subportals.items() if state.portals[one.portal].mode == "queue"]
    traffic = []
    for name, rates in args.arrivals:
        if name not in queues:
            raise UsageError(f"--arrivals {name}: expected a sub-portal in queue mode: {', '.join(queues)}")
        handle = chosen(args.handle, name, day.DEFAULT_HANDLE)
        patience = chosen(args.patience, name, day.DEFAULT_PATIENCE)
        traffic.append(Traffic(subportal=name, rates=rates, handle=handle, patience=patience))
    if len({one.subportal for one in traffic}) < len(traffic):
        raise UsageError("--arrivals: each sub-portal once")
    for option, given in (("--handle", args.handle), ("--patience", args.patience)):
        for name, _ in given:
            if name is not None and name not in queues:
                raise UsageError(f"{option} {name}: expected a sub-portal in queue mode: {', '.join(queues)}")
    if args.declined + args.silent >= 1:
        raise UsageError("--declined and --silent together have to leave somebody who accepts: below 1")
    if (args.warm_up or 0) * MINUTES >= args.hours * HOURS:
        raise UsageError("--warm-up: nothing would be left to count of --hours")
    answers = Answers(
        latency=args.answer or laws.INSTANT,
        declined=args.declined,
        silent=args.silent,
        wrap_up=args.wrap_up or laws.FOREVER,
    )
    shifts: dict[str, Sequence[day.Shift]] = {}
    for who, hours in args.shift:
        if who not in state.teams and who not in state.representatives:
            raise UsageError(f"--shift {who}: expected a team or a representative")
        for name in sorted(state.teams[who].members) if who in state.teams else [who]:
            shifts[name] = hours
    return Day(
        traffic=traffic,
        representatives=list(state.representatives),
        shifts=shifts,
        answers=answers,
        hours=args.hours,
        warm_up=round((args.warm_up or 0) * MINUTES),
    )


def chosen(given: Sequence[tuple[str | None, T]], name: str, default: T) -> T:
    """What was given for this sub-portal, else for all, else the default; the last word counts."""
    by_name = dict(given)
    return by_name.get(name, by_name.get(None, default))


def run_journal(args: argparse.Namespace) -> int:
    """Simulate a recorded one."""
    path = journal_of(args)
    from broker.journal.base import CorruptJournal, JournalUnavailable
    from broker.journal.inspect import NoSuchAccount
    from broker.simulation import recording

    try:
        found = recording.read(path, args.account)
        title = f"{len(found.seen):,} recorded requests of {args.account}, {told_seeds(args)}"
        notes = [found.told()]
        if found.left_out:
            notes.append(f"left out: {found.left_out:,} requests that no queue handed out, and the time they took")
        return compare(args, found.world, found.puts, title, notes)
    except JournalUnavailable as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    except (NoSuchAccount, SettingError) as error:
        raise UsageError(str(error)) from None
    except CorruptJournal as error:
        raise CheckError(str(error)) from None


def told_seeds(args: argparse.Namespace) -> str:
    """Which runs these are, so that they can be repeated."""
    if args.runs == 1:
        return f"seed {args.seed}"
    return f"seeds {args.seed} to {args.seed + args.runs - 1}, ± the standard error"


# --- running and printing ------------------------------------------------------------------------


def compare(args: argparse.Namespace, worlds: Worlds, puts: Sequence[Put], title: str, notes: Sequence[str]) -> int:
    """Run both sides, print, and write."""
    from broker.simulation import report, runs, setting

    changes: list[Change] = args.changes
    sides = [puts, setting.changed(puts, changes)] if changes else [puts]
    setting.build(puts, 0)
    seeds = range(args.seed, args.seed + args.runs)
    level = args.service_level * SECONDS
    began = perf_counter()
    first = worlds(args.seed)
    total = len(first.arrivals) * len(seeds) * len(sides)
    with progress_bar(total) as progress:
        done = [
            runs.simulate(worlds, side, seeds, service_level=level, estimate=runs.ESTIMATE, progress=progress)
            for side in sides
        ]
    requests = sum(len(one.waits) for side in done for one in side)
    comparison = report.Comparison(
        title=title,
        notes=notes,
        service_level=args.service_level,
        start=first.start,
        until=first.until,
        before=done[0],
        after=done[1] if changes else (),
        changes=[str(change) for change in changes],
    )
    if args.json:
        print_json(report.document(comparison))
    else:
        print(report.text(comparison))
    if args.out is not None:
        write(args.out, comparison)
    spent = perf_counter() - began
    say(f"simulated {requests:,} requests in {spent:.1f} s: {requests / spent:,.0f} a second")
    return Exit.OK


@contextmanager
def progress_bar(total: int) -> Iterator[Progress | None]:
    """A bar on a terminal, where tqdm is installed; else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        yield None
        return
    with tqdm(total=total, unit=" requests", file=sys.stderr, leave=False) as bar:
        yield bar.update


def write(folder: Path, comparison: Comparison) -> None:
    """The page, the figures, and the picture where matplotlib is installed. Raises ``UsageError``."""
    from broker.simulation import report

    svg = png = None
    try:
        from broker.simulation import plots
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(("matplotlib", "numpy")):
            raise
        say(f"huntgroup: no plots, as matplotlib is missing; to have them: {EXTRA}")
    else:
        svg, png = plots.svg(comparison), plots.png(comparison)
    figures = json.dumps(report.document(comparison), ensure_ascii=False, indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(report.page(comparison, svg), encoding="utf-8")
        (folder / "figures.json").write_text(figures, encoding="utf-8")
        if png is not None:
            (folder / "plot.png").write_bytes(png)
    except OSError as error:
        raise UsageError(f"{folder} can't be written to: {error.strerror}") from None
    say(f"written: {folder / 'index.html'}")
