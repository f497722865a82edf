"""``python -m bench``: runs the benchmarks and prints what was found; see docs/how-to/benchmark.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from bench import machine, plot
from bench.load.build import NotInstalled, compiler
from bench.load.engine import CORES, LOAD_CORE
from bench.peers.base import Contender
from bench.peers.broker import Broker
from bench.peers.crossbar import Crossbar
from bench.peers.jetstream import JetStreamTalk
from bench.peers.plain import FLOOR, NODE_WS, PICOWS_UVLOOP, TRIO_WEBSOCKET, SocketIO
from bench.peers.postgres import PostgresTalk
from bench.peers.process import SERVER_CORE
from bench.peers.pubsub import MOSQUITTO, NATS_SERVER
from bench.peers.rabbit import RabbitTalk
from bench.peers.talk import BrokerTalk, FloorTalk, Keeper, RedisTalk
from bench.report import Report, as_text
from bench.scenarios import chat, decisions, fanout, flood, memory, relay, routing

RELAY: Final[tuple[Contender, ...]] = (Broker(), NODE_WS, TRIO_WEBSOCKET, FLOOR)
RELAY_ALL: Final[tuple[Contender, ...]] = (
    *RELAY,
    Broker("broker, 8 a message", per_message=8),
    PICOWS_UVLOOP,
    SocketIO(),
)
FANOUT: Final[tuple[Contender, ...]] = (Broker(), NODE_WS, TRIO_WEBSOCKET, FLOOR)
FANOUT_ALL: Final[tuple[Contender, ...]] = (*FANOUT, PICOWS_UVLOOP, NATS_SERVER, MOSQUITTO, Crossbar())
CHAT: Final[tuple[Keeper, ...]] = (BrokerTalk(), FloorTalk())
CHAT_ALL: Final[tuple[Keeper, ...]] = (*CHAT, RedisTalk(), JetStreamTalk(), PostgresTalk(), RabbitTalk())
MANY_FILES: Final = 8192
STEADY: Final = 0.85


@attrs.frozen(kw_only=True)
class Choice:
    """What was asked for."""

    rounds: int
    seconds: float
    quick: bool
    all_peers: bool


def _relay(report: Report, choice: Choice) -> None:
    peers = RELAY_ALL if choice.all_peers else RELAY
    pairs, warm = (5, 0.1) if choice.quick else (50, 0.5)
    relay.run(report, peers, rounds=choice.rounds, seconds=choice.seconds, pairs=pairs, warm=warm)


def _fanout(report: Report, choice: Choice) -> None:
    peers = FANOUT_ALL if choice.all_peers else FANOUT
    count, warm = (50, 0.1) if choice.quick else (1000, 0.5)
    fanout.run(report, peers, rounds=choice.rounds, seconds=choice.seconds, subscribers=count, warm=warm)


def _chat(report: Report, choice: Choice) -> None:
    peers = CHAT_ALL if choice.all_peers else CHAT
    size = chat.Size(conversations=10, warm=0.1) if choice.quick else chat.Size()
    chat.run(report, peers, rounds=choice.rounds, seconds=choice.seconds, size=size)


def _routing(report: Report, choice: Choice) -> None:
    small = routing.Size(customers=60, representatives=20, active=20)
    size, warm = (small, 0.2) if choice.quick else (None, 1.0)
    routing.run(report, rounds=choice.rounds, seconds=choice.seconds, size=size, warm=warm)
    _decisions(report, choice)


def _decisions(report: Report, choice: Choice) -> None:
    cycles, largest = (50, 1000) if choice.quick else (2000, 100_000)
    decisions.run(report, rounds=choice.rounds, cycles=cycles, largest=largest)


def _memory(report: Report, choice: Choice) -> None:
    first, more = (20, 80) if choice.quick else (memory.FIRST, memory.MORE)
    memory.run(report, rounds=choice.rounds, first=first, more=more)


def _flood(report: Report, choice: Choice) -> None:
    rate, people = (20.0, 20) if choice.quick else (flood.RATE, flood.CUSTOMERS)
    flood.run(report, rounds=choice.rounds, seconds=choice.seconds, rate=rate, people=people)


SCENARIOS: Final[dict[str, tuple[Callable[[Report, Choice], None], tuple[Any, ...]]]] = {
    "relay": (_relay, relay.TARGETS),
    "fanout": (_fanout, fanout.TARGETS),
    "chat": (_chat, chat.TARGETS),
    "routing": (_routing, (*routing.TARGETS, *decisions.TARGETS)),
    "decisions": (_decisions, decisions.TARGETS),
    "memory": (_memory, memory.TARGETS),
    "flood": (_flood, ()),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m bench", description="Measure the broker against its peers.")
    found.add_argument(
        "scenario",
        nargs="*",
        metavar="SCENARIO",
        help=f"{', '.join(SCENARIOS)}; default: all (decisions is the second half of routing)",
    )
    found.add_argument("--plot", metavar="FILE", type=Path, help="draw what decisions cost into this PNG or SVG")
    found.add_argument("--json", metavar="FILE", type=Path, help="also write everything that was measured here")
    found.add_argument("--runs", metavar="N", type=int, help="rounds, each with a fresh server; default: 3")
    found.add_argument("--seconds", metavar="S", type=float, help="length of each measurement; default: 5")
    found.add_argument("--peers", choices=["usual", "all"], default="usual", help="all: also those installed on demand")
    found.add_argument("--quick", action="store_true", help="small and short: shows that it works, measures nothing")
    found.add_argument("--check", action="store_true", help="exit 1 if a target is missed by more than 30 %%")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0, or 1 with --check and a target missed, or 2 where something is missing."""
    args = parser().parse_args(argv)
    names = [name for name in args.scenario if name != "all"] or [name for name in SCENARIOS if name != "decisions"]
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        print(f"python -m bench: no such scenario: {', '.join(unknown)}", file=sys.stderr)
        return 2
    choice = Choice(
        rounds=args.runs or (1 if args.quick else 3),
        seconds=args.seconds or (0.3 if args.quick else 5.0),
        quick=args.quick,
        all_peers=args.peers == "all",
    )
    try:
        compiler()
    except NotInstalled as missing:
        print(missing, file=sys.stderr)
        return 2
    report = _report(argv, names, choice)
    for name in names:
        print(f"{name}:", flush=True)
        SCENARIOS[name][0](report, choice)
    _tell_speed(report)
    report.facts["load_average_after"] = machine.facts()["load_average"]
    print(f"\n{as_text(report)}")
    if args.plot:
        plot.growth(report, args.plot)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    return int(args.check and bool(report.failed()))


def _report(argv: Sequence[str] | None, names: Sequence[str], choice: Choice) -> Report:
    files = machine.raise_file_limit()
    command = " ".join(["python -m bench", *(sys.argv[1:] if argv is None else argv)])
    settings = {"rounds": choice.rounds, "seconds": choice.seconds, "server_core": SERVER_CORE, "load_core": LOAD_CORE}
    targets = [target for name in names for target in SCENARIOS[name][1]]
    report = Report(facts=machine.facts(), command=command, settings=settings, targets=targets)
    if len(CORES) < 2:
        report.note("one core only: server and load share it, and no figure here can be compared with others")
    if files < MANY_FILES:
        report.note(f"only {files} open files are allowed: raise the limit (ulimit -n) for the larger scenarios")
    if choice.quick:
        report.note("--quick: small and short; the figures mean nothing")
    return report


def _tell_speed(report: Report) -> None:
    """A machine that isn't quiet is slower in CPU time too: say how much."""
    seen = [sample.details["speed"] for sample in report.samples if "speed" in sample.details]
    report.facts["speed"] = {"least": min(seen), "most": max(seen)} if seen else {}
    if seen and min(seen) < STEADY * max(seen):
        report.note(
            f"the server's core was at {min(seen) / max(seen):.2f} of its speed at times: something else ran here"
        )


if __name__ == "__main__":
    sys.exit(main())
